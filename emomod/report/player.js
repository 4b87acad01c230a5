"use strict";
// Versions of one clip that run in step. All start at once; switching ramps gains, so nothing stops or jumps.
(() => {
  const RAMP = 0.01; // s
  const body = document.body;
  window.addEventListener("error", (event) => { body.dataset.error = event.message; });
  window.addEventListener("unhandledrejection", (event) => { body.dataset.error = String(event.reason); });

  const find = (selector) => [...document.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const strip = byId("strip"), playhead = byId("playhead"), clock = byId("clock"), playButton = byId("play");
  const buttons = find("button[data-version]");
  const isOn = (button) => button.getAttribute("aria-pressed") === "true";
  const setOn = (button, on) => button.setAttribute("aria-pressed", String(on));
  const state = { version: "original", playing: false, position: 0, startedAt: 0, buffers: {}, frame: 0, context: null, master: null, voices: {} };
  let duration = Number(strip.dataset.seconds); // the picture's width stands for it

  function bytesOf(uri) {
    const text = atob(uri.slice(uri.indexOf(",") + 1));
    return Uint8Array.from(text, (character) => character.charCodeAt(0)).buffer;
  }

  function newDecoder() {
    try {
      return new OfflineAudioContext(1, 1, 22050); // keeps every sample: nothing is resampled before playing
    } catch {
      return new OfflineAudioContext(1, 1, 44100); // browsers that know no lower rate
    }
  }

  async function decodeAll() {
    const decoder = newDecoder();
    for (const element of find("audio[data-version]")) {
      state.buffers[element.dataset.version] = await decoder.decodeAudioData(bytesOf(element.src));
    }
    duration = Math.max(...Object.values(state.buffers).map((buffer) => buffer.duration));
    strip.setAttribute("aria-valuemax", duration.toFixed(1));
    show();
    tell();
    body.dataset.ready = Object.keys(state.buffers).length;
  }

  function wantedGain(button) {
    if (button.dataset.version !== state.version) return 0;
    return isOn(byId("matched")) ? Number(button.dataset.gain) : 1;
  }

  function ramp(parameter, value) {
    const now = state.context.currentTime;
    parameter.cancelScheduledValues(now);
    parameter.setValueAtTime(parameter.value, now);
    parameter.linearRampToValueAtTime(value, now + RAMP);
  }

  function setGains() {
    for (const button of buttons) {
      const voice = state.voices[button.dataset.version];
      if (voice) ramp(voice.gain.gain, wantedGain(button));
    }
  }

  function position() {
    if (!state.playing) return state.position;
    const elapsed = state.position + Math.max(0, state.context.currentTime - state.startedAt);
    return isOn(byId("loop")) ? elapsed % duration : Math.min(elapsed, duration);
  }

  function silence() {
    if (!state.master) return;
    const { context, master, voices } = state;
    ramp(master.gain, 0);
    for (const voice of Object.values(voices)) {
      voice.source.onended = null;
      voice.source.stop(context.currentTime + 2 * RAMP);
    }
    setTimeout(() => master.disconnect(), 200);
    state.master = null;
    state.voices = {};
  }

  function start() {
    state.context ??= new AudioContext();
    state.context.resume();
    const { context } = state;
    state.startedAt = context.currentTime + 0.03;
    state.master = new GainNode(context, { gain: 0 });
    state.master.connect(context.destination);
    state.master.gain.setValueAtTime(0, state.startedAt);
    state.master.gain.linearRampToValueAtTime(1, state.startedAt + RAMP);
    for (const button of buttons) {
      const name = button.dataset.version;
      const source = new AudioBufferSourceNode(context, { buffer: state.buffers[name], loop: isOn(byId("loop")) });
      const gain = new GainNode(context, { gain: wantedGain(button) });
      source.connect(gain).connect(state.master);
      source.start(state.startedAt, state.position);
      state.voices[name] = { source, gain };
    }
    state.voices.original.source.onended = () => { state.playing = false; state.position = 0; state.master = null; state.voices = {}; show(); tell(); };
    state.playing = true;
    follow();
  }

  function pause() {
    state.position = position();
    silence();
    state.playing = false;
  }

  function toggle() {
    if (!body.dataset.ready) return;
    if (state.playing) pause(); else { if (state.position >= duration - 0.01) state.position = 0; start(); }
    show();
    tell();
  }

  function seek(seconds) {
    if (!body.dataset.ready) return;
    const wasPlaying = state.playing;
    if (wasPlaying) pause();
    state.position = Math.min(Math.max(seconds, 0), duration - 0.01);
    if (wasPlaying) start();
    show();
    tell();
  }

  function choose(version) {
    state.version = version;
    for (const button of buttons) setOn(button, button.dataset.version === version);
    if (state.playing) setGains();
  }

  function show() {
    const now = position();
    playhead.style.left = `${(100 * now) / duration}%`;
    clock.textContent = `${now.toFixed(1)} s`;
    const words = state.playing ? "Pause" : "Play";
    if (playButton.textContent !== words) playButton.textContent = words;
  }

  // What a screen reader says of the position: when it is asked or changed, not while the sound moves on.
  function tell() {
    const now = position().toFixed(1);
    strip.setAttribute("aria-valuenow", now);
    strip.setAttribute("aria-valuetext", `${now} seconds`);
  }

  function follow() {
    cancelAnimationFrame(state.frame); // one loop, however often the player was started
    show();
    if (state.playing) state.frame = requestAnimationFrame(follow);
  }

  function setLoop(on) {
    const now = position();
    setOn(byId("loop"), on);
    if (!state.playing) return;
    state.position = now;
    silence();
    start();
  }

  for (const button of buttons) button.addEventListener("click", () => choose(button.dataset.version));
  playButton.addEventListener("click", toggle);
  byId("loop").addEventListener("click", (event) => setLoop(!isOn(event.currentTarget)));
  byId("matched").addEventListener("click", (event) => { setOn(event.currentTarget, !isOn(event.currentTarget)); if (state.playing) setGains(); });
  for (const button of find("button[data-layer]")) {
    button.addEventListener("click", () => { setOn(button, !isOn(button)); byId(`layer-${button.dataset.layer}`).hidden = !isOn(button); });
  }
  strip.addEventListener("click", (event) => {
    const box = strip.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * duration);
  });
  strip.addEventListener("focus", tell);
  strip.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, Home: -duration, End: duration };
    if (!(event.key in steps)) return;
    event.preventDefault();
    seek(position() + steps[event.key]);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !body.dataset.ready) return;
    const button = buttons[Number(event.key) - 1];
    if (button && event.key.trim()) choose(button.dataset.version);
    if (event.key === " " && !event.target.closest?.("summary, a, input, audio, button:not([data-version])")) {
      event.preventDefault();
      if (!event.repeat) toggle();
    }
  });
  // Space on a version's button plays and pauses; the browser would press the button when the key comes up.
  document.addEventListener("keyup", (event) => { if (event.key === " " && event.target.closest?.("button[data-version]")) event.preventDefault(); });

  // The plain players give way to this one, and come back where the sounds cannot be decoded.
  byId("player").hidden = false;
  body.classList.add("js");
  show();
  tell();
  decodeAll().catch((error) => {
    byId("player").hidden = true;
    body.classList.remove("js");
    body.dataset.error = String(error);
  });
})();
