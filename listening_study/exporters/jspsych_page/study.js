// The page of a study: runs the list that the address names, and hands the answers to save.js.
//   ?list=0&participant=p001   what to run and for whom; without, a list and a name are drawn
//   &simulate                  answers drawn by chance, to try the study; they are marked as such

import { ask, randomName } from "./page/api.js";
import { device } from "./page/device.js";
import { element, tell } from "./page/dom.js";
import { outputOf } from "./page/player.js";
import { message } from "./page/screens/message.js";
import { Sounds } from "./page/sounds.js";
import { pluginsOf, untilDone } from "./plugins.js";
import { save } from "./save.js";

function timelineOf(trials, { Level, Begins, Compare }) {
  const screens = trials.flatMap(({ trial_id, begins: isNew, sounds }, place) => {
    const answer = { type: Compare, place, data: { trial_id, sounds } };
    return isNew ? [{ type: Begins, place }, answer] : [answer];
  });
  return [{ type: Level }, ...screens];
}

function listOf(asked, lists) {
  const number = Number(asked.get("list") ?? Math.floor(Math.random() * lists));
  if (!Number.isInteger(number) || number < 0 || number >= lists) throw new Error(`list must be 0 to ${lists - 1}`);
  return number;
}

async function run(asked) {
  const about = await ask("study.json");
  const { texts } = about, list = listOf(asked, about.lists), simulated = asked.has("simulate");
  const trials = await ask(`lists/${String(list).padStart(2, "0")}.json`);
  const participant = asked.get("participant") || `p${randomName().slice(0, 8)}`;
  document.documentElement.lang = about.language;
  document.title = texts.heading;
  document.getElementById("heading").textContent = texts.heading;
  const name = `${about.study}_${participant}`;
  const rescue = () => {
    const answers = jsPsych.data.get();
    if (answers.select("response").count()) answers.localSave("csv", `${name}_part.csv`);
  };
  const leaving = (event) => event.preventDefault();
  window.addEventListener("beforeunload", leaving);
  const jsPsych = initJsPsych({
    display_element: "stage",
    on_finish: async () => {
      document.getElementById("stage").replaceChildren(element("main", { id: "main" }));
      await untilDone(texts, () => {
        message(texts.sending_title, texts.sending);
        return save(jsPsych, name);
      }, rescue);
      window.removeEventListener("beforeunload", leaving);
      message(texts.finished_title, texts.complete);
    },
  });
  const software = `jsPsych ${jsPsych.version()}, ${about.software}`;
  jsPsych.data.addProperties({ study: about.study, list, participant, session: randomName(), device: device(), software, simulated });
  const context = jsPsych.pluginAPI.audioContext();
  const study = { about, texts, trials, rescue, ...(simulated ? {} : outputOf(context)) };
  study.sounds = new Sounds((sound) => `stimuli/${sound}.wav`, context, () => tell(texts.waiting));
  const timeline = timelineOf(trials, pluginsOf(study, jsPsych.randomization));
  await (simulated ? jsPsych.simulate(timeline, "data-only") : jsPsych.run(timeline));
}

run(new URLSearchParams(location.search)).catch((error) => {
  document.getElementById("stage").textContent = `This study cannot be started (${error.message}).`;
});
