// The controls of a player: versions, play, position, loop, and keys that can be turned off.

import { element, filled, labelledRange, newId } from "../dom.js";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVW";
const STEP = 0.05, LEAST_PART = 0.5; // s
let usesKeys = true;

export function namesOf(trial) {
  const n = trial.sounds.length;
  return trial.kind === "abx" ? ["A", "B", "X"] : Array.from({ length: n }, (_, place) => LETTERS[place]);
}

export function listening(study, player, names) {
  const { texts } = study;
  const versions = names.map((name, place) => element("button", { type: "button", "aria-label": filled(texts.listen, { name }), "aria-pressed": false, onclick: () => player.choose(place) }, name));
  const play = element("button", { type: "button", class: "play main", onclick: () => player.toggle() }, texts.play);
  const words = (n) => filled(texts.seconds, { n: Number(n).toFixed(1) });
  const position = labelledRange(texts.position, { min: 0, max: player.duration, step: STEP, value: 0, unit: "s", words, oninput: (s) => player.seek(s) });
  const { loop, part } = loops(texts, player, words);
  player.onchange = () => {
    play.textContent = player.playing ? texts.pause : texts.play;
    versions.forEach((button, place) => button.setAttribute("aria-pressed", String(place === player.chosen)));
    if (!player.playing) position.set(player.now);
  };
  player.onchange();
  const stopMoving = moving(player, position);
  const stopKeys = keys(player, versions);
  const several = names.length > 1 ? element("div", { class: "row versions", role: "group", "aria-label": texts.sounds }, ...versions) : null;
  const box = element("section", { "aria-label": texts.sounds }, several, element("div", { class: "row" }, play, loop), position.box, part, shortcuts(texts));
  return { box, first: play, stop: () => { stopMoving(); stopKeys(); player.pause(); } };
}

// The place moves on without being spoken of; a screen reader hears it where it is asked for.
function moving(player, position) {
  let frame = 0;
  const follow = () => {
    if (player.playing && document.activeElement !== position.input) position.move(player.now);
    frame = requestAnimationFrame(follow);
  };
  follow();
  return () => cancelAnimationFrame(frame);
}

function loops(texts, player, words) {
  const id = newId("loop");
  const box = element("input", { type: "checkbox", id, checked: true, onchange: () => player.setLoop(box.checked) });
  const changed = () => {
    const start = Math.min(Number(from.input.value), player.duration - LEAST_PART);
    const end = Math.max(Number(to.input.value), start + LEAST_PART);
    from.set(start);
    to.set(end);
    player.setRange(start, Math.min(end, player.duration));
  };
  const options = { min: 0, max: player.duration, step: STEP, unit: "s", words, oninput: changed };
  const from = labelledRange(texts.loop_from, { ...options, value: 0 });
  const to = labelledRange(texts.loop_to, { ...options, value: player.duration });
  const part = player.duration > 2 * LEAST_PART ? element("details", {}, element("summary", {}, texts.loop_part), from.box, to.box) : null;
  return { loop: element("span", { class: "together" }, box, element("label", { for: id }, texts.loop)), part };
}

function shortcuts(texts) {
  const id = newId("keys");
  const box = element("input", { type: "checkbox", id, checked: usesKeys, onchange: () => { usesKeys = box.checked; } });
  const told = element("p", { class: "hint" }, texts.shortcuts_text);
  return element("details", {}, element("summary", {}, texts.shortcuts), told, element("div", { class: "row" }, box, element("label", { for: id }, texts.shortcuts_on)));
}

// Space belongs to what has the focus where that takes it; else it plays and pauses.
function keys(player, versions) {
  const heard = (event) => {
    if (!usesKeys || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = event.key >= "1" && event.key <= "9" ? Number(event.key) - 1 : -1;
    if (place >= 0 && place < versions.length && !event.target.closest?.("input[type=text]")) player.choose(place);
    if (event.key === " " && !event.target.closest?.("button, summary, a, input")) {
      event.preventDefault();
      if (!event.repeat) player.toggle();
    }
  };
  document.addEventListener("keydown", heard);
  return () => document.removeEventListener("keydown", heard);
}
