// Fetches and decodes the sounds of a trial, one trial ahead; a lost connection is waited out.

import { askUntil } from "./api.js";

export class Sounds {
  constructor(participant, context, onwait) {
    Object.assign(this, { participant, context, onwait, loaded: new Map() });
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
    const bytes = await askUntil(`/api/p/${this.participant}/sounds/${sound}`, { kind: "bytes", onwait: this.onwait });
    return this.context.decodeAudioData(bytes);
  }

  forget(trial) {
    this.loaded.delete(trial.sounds.join());
  }
}
