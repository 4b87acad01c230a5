// The questions of each kind of trial. A form has elements, and `given`: an answer, or what is missing and where.

import { element, newId } from "../dom.js";

// Radio buttons under a legend; `value` is the number of the chosen one, or null.
function choices(legend, words, look) {
  const name = newId("choice");
  const inputs = words.map((_, place) => element("input", { type: "radio", name, value: place, id: `${name}-${place}` }));
  const labels = words.map((text, place) => element("label", { class: "choice", for: `${name}-${place}` }, inputs[place], element("span", {}, text)));
  const box = element("fieldset", {}, element("legend", {}, legend), element("div", { class: `choices ${look}` }, ...labels));
  return { box, first: inputs[0], value: () => { const found = inputs.findIndex((input) => input.checked); return found < 0 ? null : found; } };
}

function one(texts, made, read) {
  const given = () => {
    const value = made.value();
    return value === null ? { missing: texts.answer_first, at: made.first } : { response: read(value) };
  };
  return { parts: [made.box], given };
}

function pair(texts, trial, about) {
  const words = ["A", "B", texts.no_difference];
  const preferred = choices(texts.your_answer, words, "wide");
  const sure = choices(texts.confidence, texts.confidences, "five");
  const given = () => {
    const value = preferred.value();
    if (value === null) return { missing: texts.answer_first, at: preferred.first };
    if (sure && sure.value() === null) return { missing: texts.sure_first, at: sure.first };
    return { response: ["first", "second", "same"][value], confidence: sure ? sure.value() + 1 : null };
  };
  return { parts: sure ? [preferred.box, sure.box] : [preferred.box], given };
}

function ccr(texts) {
  return one(texts, choices(texts.your_answer, texts.ccr, ""), (value) => value - 3);
}

function scale(texts, trial) {
  const made = choices(texts.your_answer, ["1", "2", "3", "4", "5", "6", "7", "8", "9"], "nine");
  made.box.append(ends(trial));
  made.box.setAttribute("aria-describedby", made.box.lastChild.id);
  return one(texts, made, (value) => value + 1);
}

function abx(texts) {
  const words = ["A", "B"].map((name) => texts.abx_is.replace("{name}", name));
  return one(texts, choices(texts.your_answer, words, "wide"), (value) => ["first", "second"][value]);
}

function sliders(texts, trial, about, player, names) {
  const touched = trial.sounds.map(() => false), inputs = [];
  const rows = names.map((name, place) => {
    const id = newId("slider");
    const output = element("output", { for: id }, texts.not_rated);
    const input = element("input", { type: "range", id, min: 0, max: 100, step: 1, value: 50, "aria-valuetext": texts.not_rated });
    const rate = () => {
      touched[place] = true;
      row.classList.remove("unrated");
      output.textContent = input.value;
      input.setAttribute("aria-valuetext", input.value);
    };
    input.addEventListener("input", rate);
    input.addEventListener("change", rate);
    input.addEventListener("focus", () => player.choose(place));
    inputs.push(input);
    const row = element("div", { class: "slider unrated" }, element("label", { for: id }, texts.version.replace("{name}", name)), input, output);
    return row;
  });
  const box = element("fieldset", {}, element("legend", {}, texts.your_answer), element("div", { class: "sliders" }, ends(trial), ...rows));
  const given = () => {
    const missing = touched.indexOf(false);
    return missing < 0 ? { response: inputs.map((input) => Number(input.value)) } : { missing: texts.rate_first, at: inputs[missing] };
  };
  return { parts: [box], given };
}

function ends(trial) {
  return element("p", { class: "ends", id: newId("ends") }, element("span", {}, trial.low), element("span", {}, trial.high));
}

const KINDS = { pair, ccr, scale, abx, sliders };

export function answers(about, trial, player, names) {
  return KINDS[trial.kind](about.texts, trial, about, player, names);
}
