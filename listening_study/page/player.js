// Plays the versions of a trial in step, and counts what was heard of each.

import { AHEAD, Crossfade, RAMP, startVoices } from "./mixing.js";

// All sounds go through one gain, that of the level which is set.
export function outputOf(context) {
  const volume = new GainNode(context, { gain: 1 });
  volume.connect(context.destination);
  return { context, volume, setVolume: (percent) => { volume.gain.value = (percent / 100) ** 2; } };
}

export class Player {
  constructor(context, output, buffers) {
    Object.assign(this, { context, output, buffers, voices: [], playing: false, chosen: 0, position: 0, loop: true });
    this.duration = Math.min(...buffers.map((buffer) => buffer.duration));
    this.range = [0, this.duration];
    this.nPlays = this.nSwitches = 0;
    this.heard = buffers.map(() => 0); // s
    this.since = 0;
    this.onchange = () => {};
  }

  // Whether voices run; between the press and a context that resumes nothing does yet.
  get sounding() {
    return this.voices.length > 0;
  }

  get now() {
    if (!this.sounding) return this.position;
    const [from, to] = this.range;
    const passed = this.position + Math.max(0, this.context.currentTime - this.startedAt);
    if (!this.loop) return Math.min(passed, to);
    return passed < to ? passed : from + ((passed - from) % (to - from));
  }

  get listenedMs() {
    this.count();
    return this.heard.map((seconds) => Math.round(1000 * seconds));
  }

  // Add the time since the last count to what is heard.
  count() {
    const time = this.context.currentTime;
    if (this.sounding) this.heard[this.chosen] += Math.max(0, time - Math.max(this.since, this.startedAt));
    this.since = time;
  }

  async play() {
    if (this.playing) return;
    this.playing = true;
    await this.context.resume();
    if (!this.playing || this.sounding) return; // meanwhile it was paused, or started by another press
    const [from, to] = this.range;
    if (this.position < from || this.position >= to - 0.01) this.position = from;
    this.start();
    this.nPlays += 1;
    this.onchange();
  }

  start() {
    const { context, buffers, range: [from, to] } = this;
    this.startedAt = this.since = context.currentTime + AHEAD;
    this.fade = new Crossfade(buffers.length, this.chosen);
    this.master = new GainNode(context, { gain: 0 });
    this.master.connect(this.output);
    this.master.gain.setValueAtTime(0, this.startedAt);
    this.master.gain.linearRampToValueAtTime(1, this.startedAt + RAMP);
    const { gains } = this.fade;
    this.voices = startVoices(context, buffers, this.master, { when: this.startedAt, offset: this.position, loop: this.loop, from, to, gains });
    this.voices[0].source.onended = () => this.ended();
  }

  ended() {
    this.count();
    this.playing = false;
    this.position = this.range[0];
    this.voices = [];
    this.onchange();
  }

  silence() {
    const { context, master, voices } = this;
    if (!voices.length) return;
    voices[0].source.onended = null;
    const time = Math.max(context.currentTime + AHEAD, this.startedAt + RAMP);
    master.gain.setValueAtTime(1, time);
    master.gain.linearRampToValueAtTime(0, time + RAMP);
    for (const { source } of voices) source.stop(time + 2 * RAMP);
    this.voices = [];
  }

  pause() {
    if (!this.playing) return;
    this.count();
    this.position = this.now;
    this.silence();
    this.playing = false;
    this.onchange();
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  choose(place) {
    if (place === this.chosen || place < 0 || place >= this.buffers.length) return;
    this.count();
    this.chosen = place;
    this.nSwitches += 1;
    if (this.voices.length) this.fade.choose(place, this.context.currentTime + AHEAD, this.voices);
    this.onchange();
  }

  // Change how it runs; where it runs already, it goes on from the same place.
  change(work) {
    const wasPlaying = this.sounding;
    if (wasPlaying) {
      this.count();
      this.position = this.now;
      this.silence();
    }
    work();
    const [from, to] = this.range;
    if (this.position < from || this.position >= to - 0.01) this.position = from;
    if (wasPlaying) this.start();
    this.onchange();
  }

  seek(seconds) {
    this.change(() => { this.position = Math.min(Math.max(seconds, this.range[0]), this.range[1] - 0.02); });
  }

  setLoop(on) {
    this.change(() => { this.loop = on; });
  }

  setRange(from, to) {
    this.change(() => { this.range = [from, to]; });
  }
}
