// One trial: listen, answer, next. The answer is kept on this device before the next trial comes.

import { randomName } from "../api.js";
import { alarm, element, ended, filled, show } from "../dom.js";
import { Player } from "../player.js";
import { answers } from "./answers.js";
import { listening, namesOf } from "./listening.js";

export async function trialScreen(study, { trial, place, of, after }) {
  const { texts, queue } = study;
  const top = [where(texts, trial, place, of), element("h1", {}, trial.question)];
  show(...top, element("p", { role: "status" }, texts.loading));
  const buffers = await study.sounds.need(trial);
  if (study.ended) return ended();
  queue.onchange();
  if (after) study.sounds.prepare(after);
  const player = new Player(study.context, study.volume, buffers);
  const names = namesOf(trial), controls = listening(study, player, names), form = answers(study.about, trial, player, names);
  const began = performance.now();
  const given = await submitted(study, { top, trial, player, names, controls, form });
  controls.stop();
  await queue.add({
    key: randomName(), kind: "answer", trial: place,
    payload: {
      response: given.response, confidence: given.confidence ?? null, rt_ms: Math.round(performance.now() - began),
      listened_ms: player.listenedMs, n_plays: player.nPlays, n_switches: player.nSwitches,
    },
  });
  if (study.ended) return ended();
}

function where(texts, trial, place, of) {
  const words = filled(texts.progress, { n: place + 1, of });
  const bar = element("progress", { max: of, value: place, "aria-label": texts.progress_label });
  return element("div", {}, element("p", { class: "where" }, element("span", {}, trial.practice ? texts.practice : ""), element("span", {}, words)), bar);
}

// Resolves with an answer that is whole, after every version was heard for long enough.
function submitted(study, { top, trial, player, names, controls, form }) {
  const { texts, about } = study;
  const least = Math.min(about.least_listened_ms, 1000 * player.duration);
  return new Promise((resolve) => {
    const problem = alarm();
    const box = element("form", { novalidate: true }, ...form.parts, element("button", { class: "main" }, texts.next), problem);
    box.addEventListener("submit", (event) => {
      event.preventDefault();
      const heard = player.listenedMs, given = form.given();
      const unheard = names.filter((_, place) => heard[place] < least);
      if (unheard.length) {
        problem.textContent = filled(texts.listen_first, { names: unheard.join(", ") });
        controls.first.focus();
      } else if (given.missing) {
        problem.textContent = given.missing;
        given.at.focus();
      } else {
        resolve(given);
      }
    });
    const hint = trial.explained ? element("p", { class: "hint" }, trial.explained) : null;
    const forget = () => { problem.textContent = ""; }; // what was missing is being done
    for (const each of [controls.box, box]) each.addEventListener("click", forget);
    show(...top, hint ?? "", controls.box, box);
  });
}
