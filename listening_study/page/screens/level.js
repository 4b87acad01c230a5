// A comfortable level, set once, with music of the study.

import { randomName } from "../api.js";
import { alarm, element, labelledRange, show, tell } from "../dom.js";
import { Player } from "../player.js";

const LEAST_MS = 1000, BEGIN = 50;

export async function level(study, trial) {
  const { texts, context, volume, setVolume } = study;
  show(element("h1", {}, texts.level_title), element("p", {}, texts.loading));
  const [buffer] = await study.sounds.need(trial);
  tell("");
  const player = new Player(context, volume, [buffer]);
  setVolume(BEGIN);
  await new Promise((resolve) => {
    const problem = alarm();
    const play = element("button", { class: "play", onclick: () => { problem.textContent = ""; player.toggle(); } }, texts.play);
    player.onchange = () => { play.textContent = player.playing ? texts.pause : texts.play; };
    const range = labelledRange(texts.volume, { min: 5, max: 100, step: 5, value: BEGIN, unit: "%", words: (n) => `${n} %`, oninput: setVolume });
    const next = element("button", { class: "main" }, texts.go_on);
    next.addEventListener("click", () => {
      if (player.listenedMs[0] < LEAST_MS) { problem.textContent = texts.level_first; return play.focus(); }
      player.pause();
      resolve(study.queue.add({ key: randomName(), kind: "level", payload: { volume: Number(range.input.value) } }));
    });
    show(element("h1", {}, texts.level_title), element("p", {}, texts.level_text), element("div", { class: "row" }, play), range.box, element("div", { class: "row" }, next), problem);
  });
}
