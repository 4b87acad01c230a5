// Sounds that tell headphones from loudspeakers, made here; each is [left, right], samples in -1..1.
//
// Woods et al., Attention, Perception, & Psychophysics 79, 2017: three tones of 200 Hz, one of half the level, and one
// of the others in antiphase at the two ears, which loudspeakers cancel. Milne et al., Behavior Research Methods 53, 2021:
// three noises, one of which has a band about 600 Hz in antiphase, heard as a pitch through headphones alone.

export const SECONDS = 1;
const EDGE = 0.1; // s of the ramps
const TONE = 200, TONE_LEVEL = 0.2; // Hz; of the crest
const PITCH = 600, BAND = 0.06, NOISE_LEVEL = 0.07; // Hz; of the pitch, to each side; rms
const LESS = 10 ** (-6 / 20); // half the level

function faded(samples, rate) {
  const n = Math.round(EDGE * rate);
  for (let place = 0; place < n; place += 1) {
    const gain = 0.5 - 0.5 * Math.cos((Math.PI * place) / n);
    samples[place] *= gain;
    samples[samples.length - 1 - place] *= gain;
  }
  return samples;
}

function tone(rate, hertz, level, seconds) {
  const samples = Float32Array.from({ length: Math.round(seconds * rate) }, (_, n) => level * Math.sin((2 * Math.PI * hertz * n) / rate));
  return faded(samples, rate);
}

export function sideTone(rate, side) {
  const sound = tone(rate, 2 * TONE, TONE_LEVEL, 0.6 * SECONDS), silence = new Float32Array(sound.length);
  return side === 0 ? [sound, silence] : [silence, sound];
}

// Three tones, of which the one at `target` is of half their level, and the one at `turned` in antiphase.
export function woods(rate, target, turned) {
  return [0, 1, 2].map((place) => {
    const left = tone(rate, TONE, place === target ? TONE_LEVEL * LESS : TONE_LEVEL, SECONDS);
    return [left, place === turned ? left.map((sample) => -sample) : left.slice()];
  });
}

// Three noises, of which the one at `target` has the pitch.
export function huggins(rate, target, random = Math.random) {
  return [0, 1, 2].map((place) => noise(rate, place === target, random));
}

function noise(rate, hasPitch, random) {
  const length = 2 ** Math.ceil(Math.log2(SECONDS * rate)), n = Math.round(SECONDS * rate);
  const left = Float64Array.from({ length }, () => NOISE_LEVEL * gaussian(random));
  const right = hasPitch ? turnedBand(left, rate) : left;
  return [left, right].map((samples) => faded(Float32Array.from(samples.subarray(0, n)), rate));
}

function turnedBand(samples, rate) {
  const real = samples.slice(), imaginary = new Float64Array(samples.length), size = samples.length;
  transform(real, imaginary);
  for (let k = 0; k < size; k += 1) {
    const hertz = (Math.min(k, size - k) * rate) / size;
    if (Math.abs(hertz - PITCH) <= BAND * PITCH) { real[k] = -real[k]; imaginary[k] = -imaginary[k]; }
  }
  transform(imaginary, real); // real and imaginary parts changed over: the inverse, but for its scale
  return real.map((sample) => sample / size);
}

function gaussian(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

// The discrete Fourier transform in place, of a length that is a power of two.
export function transform(real, imaginary) {
  const n = real.length;
  for (let place = 1, turned = 0; place < n; place += 1) {
    let bit = n >> 1;
    for (; turned & bit; bit >>= 1) turned ^= bit;
    turned ^= bit;
    if (place < turned) for (const part of [real, imaginary]) [part[place], part[turned]] = [part[turned], part[place]];
  }
  for (let size = 2; size <= n; size *= 2) {
    for (let k = 0; k < size / 2; k += 1) {
      const cosine = Math.cos((2 * Math.PI * k) / size), sine = -Math.sin((2 * Math.PI * k) / size);
      for (let one = k; one < n; one += size) {
        const other = one + size / 2;
        const re = real[other] * cosine - imaginary[other] * sine, im = real[other] * sine + imaginary[other] * cosine;
        real[other] = real[one] - re; imaginary[other] = imaginary[one] - im;
        real[one] += re; imaginary[one] += im;
      }
    }
  }
}
