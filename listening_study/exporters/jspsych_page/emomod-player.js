/* Versions of a clip in step: all buffers start at one time and loop together, and a switch only moves their gains.
   A switch is an exponential cross-fade of 5 ms; the gains add up to 1 at every moment, also when one switch interrupts
   another, so that what versions have in common does not dip. */
var EmomodPlayer = (function () {
  "use strict";
  var FADE = 0.005; // s, time constant
  var LEAD = 0.05; // s, between asking for a start and the start
  var KEPT = 16; // decoded sounds
  var decoded = new Map();

  async function load(context, url) {
    if (!decoded.has(url)) {
      var answer = await fetch(url);
      if (!answer.ok) {
        throw new Error(url + ": " + answer.status);
      }
      decoded.set(url, await context.decodeAudioData(await answer.arrayBuffer()));
      if (decoded.size > KEPT) {
        decoded.delete(decoded.keys().next().value);
      }
    }
    return decoded.get(url);
  }

  class Player {
    constructor(context, buffers) {
      this.context = context;
      this.buffers = buffers;
      this.sources = [];
      this.gains = [];
      this.current = -1; // the version that is heard
      this.began = 0; // of the hearing of it, on the context's clock
      this.listened = buffers.map(function () { return 0; }); // s, by version
      this.plays = 0;
      this.switches = 0;
    }

    static async open(context, urls) {
      return new Player(context, await Promise.all(urls.map(function (url) { return load(context, url); })));
    }

    get playing() {
      return this.current >= 0;
    }

    choose(version) {
      if (version === this.current) {
        return;
      }
      if (this.playing) {
        this._count();
        this.switches += 1;
        this._fade(version, this.context.currentTime);
      } else {
        this._start(version);
        this.plays += 1;
      }
      this.current = version;
      this.began = this.context.currentTime;
    }

    stop() {
      if (!this.playing) {
        return;
      }
      this._count();
      this.current = -1;
      var now = this.context.currentTime;
      this._fade(-1, now);
      this.sources.forEach(function (source) { source.stop(now + 10 * FADE); });
      this.sources = [];
    }

    heard() {
      this._count();
      return this.listened.slice();
    }

    _count() {
      if (this.playing) {
        var now = this.context.currentTime;
        this.listened[this.current] += now - this.began;
        this.began = now;
      }
    }

    _fade(version, when) {
      this.gains.forEach(function (gain, place) { gain.gain.setTargetAtTime(place === version ? 1 : 0, when, FADE); });
    }

    _start(version) {
      var context = this.context;
      var when = context.currentTime + LEAD;
      var length = Math.min.apply(null, this.buffers.map(function (buffer) { return buffer.duration; }));
      this.gains = this.buffers.map(function (_, place) {
        var gain = context.createGain();
        gain.gain.setValueAtTime(place === version ? 1 : 0, context.currentTime);
        gain.connect(context.destination);
        return gain;
      });
      var gains = this.gains;
      this.sources = this.buffers.map(function (buffer, place) {
        var source = context.createBufferSource();
        source.buffer = buffer;
        source.loop = true;
        source.loopStart = 0;
        source.loopEnd = length;
        source.connect(gains[place]);
        source.start(when);
        return source;
      });
    }
  }

  return Player;
})();
