// Versions in step: all start at one time and share one loop; what is heard is decided by their gains alone.
//
// Gains are ramped linearly and always sum to 1, so that what versions have in common never dips. A switch is scheduled
// a little ahead, since a ramp that begins in the past would jump, and not before the last one has ended. All this works
// in an OfflineAudioContext as well, in which it is measured.

export const RAMP = 0.01; // s
export const AHEAD = 0.03; // s between a press and what it does

export class Crossfade {
  constructor(n, chosen) {
    this.n = n;
    this.chosen = chosen;
    this.free = -Infinity; // the time at which the last ramp ends
  }

  get gains() {
    return Array.from({ length: this.n }, (_, place) => Number(place === this.chosen));
  }

  // Ramp the gains of `voices` to the chosen version, from the time `earliest` on.
  choose(chosen, earliest, voices) {
    const time = Math.max(earliest, this.free), before = this.gains;
    this.chosen = chosen;
    this.free = time + RAMP;
    voices.forEach(({ gain }, place) => {
      gain.gain.setValueAtTime(before[place], time);
      gain.gain.linearRampToValueAtTime(this.gains[place], time + RAMP);
    });
  }
}

// Start all buffers at the time `when`, `offset` seconds into them; a loop goes from `from` to `to`.
export function startVoices(context, buffers, output, { when, offset, loop, from, to, gains }) {
  return buffers.map((buffer, place) => {
    const source = new AudioBufferSourceNode(context, { buffer, loop, loopStart: from, loopEnd: to });
    const gain = new GainNode(context, { gain: gains[place] });
    source.connect(gain).connect(output);
    if (loop) source.start(when, offset);
    else source.start(when, offset, to - offset);
    return { source, gain };
  });
}
