// One participant answers in one tab: a second one asks, and may take over.

const PATIENCE = 250; // ms in which another tab would have answered

export class Tabs {
  constructor(participant, me) {
    this.me = me;
    this.isActive = false;
    this.onlost = () => {};
    this.channel = new BroadcastChannel(`study-${participant}`);
    this.channel.onmessage = ({ data }) => this.hear(data);
  }

  hear({ what, from }) {
    if (from === this.me) return;
    if (what === "who" && this.isActive) this.say("here");
    if (what === "here") this.isTaken = true;
    if (what === "taken" && this.isActive) {
      this.isActive = false;
      this.onlost();
    }
  }

  say(what) {
    this.channel.postMessage({ what, from: this.me });
  }

  // Whether no other tab is active.
  async isFree() {
    this.isTaken = false;
    this.say("who");
    await new Promise((done) => setTimeout(done, PATIENCE));
    return !this.isTaken;
  }

  take() {
    this.isActive = true;
    this.say("taken");
  }
}
