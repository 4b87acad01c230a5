// Sends events in their order until the server has them; what is sent twice is stored once, since each has a key.

import { ask, isPassing, pause, waitFor } from "./api.js";
import { openBox } from "./outbox.js";

const AT_ONCE = 50, AFTER_REFUSAL = 10; // s

export class Queue {
  constructor(box, participant, session) {
    Object.assign(this, { box, participant, session, sending: false, order: Date.now(), n: 0 });
    this.onchange = () => {};
    this.ongone = () => {};
    this.onfailed = () => {};
    this.refused = {};
    this.failed = false; // the last answer of the server will not pass by itself
  }

  static async open(participant, session) {
    const queue = new Queue(await openBox(participant), participant, session);
    queue.n = (await queue.box.all()).length;
    return queue;
  }

  waiting() {
    return this.box.all();
  }

  // Resolves once the event is kept on this device; sending goes on by itself.
  async add(event) {
    this.order += 1;
    await this.box.put({ ...event, session: this.session, order: this.order });
    this.n += 1;
    this.onchange();
    this.send();
  }

  async clear() {
    await this.box.remove((await this.box.all()).map((event) => event.key));
  }

  // Runs once at a time, until nothing is left.
  async send() {
    if (this.sending) return;
    this.sending = true;
    try {
      for (let tries = 0; ; tries += 1) {
        const events = (await this.box.all()).slice(0, AT_ONCE);
        if (!events.length) break;
        try {
          await this.sendSome(events.filter((event) => event.session === events[0].session));
          tries = -1;
          this.failed = false;
        } catch (error) {
          if (error.status === 410) { await this.clear(); this.ongone(); break; }
          if (!isPassing(error)) { this.failed = true; this.onfailed(error); break; }
          this.onchange();
          await waitFor(error, tries);
        }
      }
    } finally {
      this.sending = false;
    }
  }

  async sendSome(events) {
    const told = events.map(({ key, kind, trial, payload }) => ({ key, kind, trial, payload }));
    const body = { session: events[0].session, events: told };
    const answer = await ask(`/api/p/${this.participant}/events`, { body });
    await this.box.remove([...answer.stored, ...Object.keys(answer.refused)]);
    Object.assign(this.refused, answer.refused);
    this.n = (await this.box.all()).length;
    this.onchange();
  }

  // Resolves once nothing is left.
  async empty() {
    while ((await this.box.all()).length) {
      this.send();
      await pause(this.failed ? AFTER_REFUSAL : 0.2);
    }
  }
}
