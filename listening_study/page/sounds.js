// Fetches and decodes the sounds of a trial, one trial ahead; a lost connection is waited out.

import { askUntil } from "./api.js";

export class Sounds {
  constructor(addressOf, context, onwait) {
    Object.assign(this, { addressOf, context, onwait, loaded: new Map(), isLost: false, isNeeded: false });
  }

  // The sounds of the trial that comes; of a lost connection, nothing is said as long as nobody waits.
  prepare(trial) {
    this.of(trial).catch(() => {}); // they are asked for again when they are needed
  }

  async need(trial) {
    this.isNeeded = true;
    if (this.isLost) this.onwait();
    try {
      return await this.of(trial);
    } finally {
      this.isNeeded = false;
    }
  }

  of(trial) {
    const name = trial.sounds.join();
    if (!this.loaded.has(name)) {
      const buffers = Promise.all(trial.sounds.map((sound) => this.one(sound)));
      buffers.catch(() => this.loaded.delete(name));
      this.loaded.set(name, buffers);
    }
    return this.loaded.get(name);
  }

  async one(sound) {
    const onwait = () => {
      this.isLost = true;
      if (this.isNeeded) this.onwait();
    };
    const bytes = await askUntil(this.addressOf(sound), { kind: "bytes", onwait });
    this.isLost = false;
    return this.context.decodeAudioData(bytes);
  }

  forget(trial) {
    this.loaded.delete(trial.sounds.join());
  }
}
