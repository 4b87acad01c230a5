// jsPsych 8 plugins, each of which shows a screen of emomod's page; what the screen would send to a server is its data.

import { element, filled, tell } from "./page/dom.js";
import { begins } from "./page/screens/begins.js";
import { level } from "./page/screens/level.js";
import { choice } from "./page/screens/message.js";
import { trialScreen } from "./page/screens/trial.js";

const { ParameterType } = jsPsychModule;

const ANSWER = {
  response: { type: ParameterType.COMPLEX }, // "first", "same", "second"; a number; of sliders a number for each version
  confidence: { type: ParameterType.INT }, // 1 (guessed) .. 5 (certain), of pairs
  rt_ms: { type: ParameterType.INT }, // from the sounds being there to the answer
  listened_ms: { type: ParameterType.INT, array: true }, // of each version, in the order presented
  n_plays: { type: ParameterType.INT },
  n_switches: { type: ParameterType.INT },
};
const LEVEL = { volume: { type: ParameterType.INT } }; // percent

// Does `work` until it succeeds: after a failure, `rescue` keeps what is there, and the participant may try again.
export async function untilDone(texts, work, rescue) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      rescue();
      await choice(texts.failed_title, filled(texts.failed, { reason: error.message }), [texts.try_again]);
    }
  }
}

// `show` takes what a screen needs and the place of a trial in the list; `drawn` makes data by chance.
function plugin(name, data, { texts, rescue }, show, drawn) {
  return class {
    static info = { name, version: "1.0.0", parameters: { place: { type: ParameterType.INT, default: 0 } }, data, citations: {} };

    constructor(jsPsych) {
      this.jsPsych = jsPsych;
    }

    async trial(display, { place }, loaded) {
      display.replaceChildren(element("main", { id: "main" }));
      loaded();
      let given = {};
      const queue = { onchange: () => tell(""), add: async ({ payload }) => { given = payload; } };
      await untilDone(texts, () => show(queue, place), rescue);
      return given;
    }

    simulate({ place }, mode, options, loaded) {
      loaded();
      this.jsPsych.finishTrial(this.jsPsych.pluginAPI.mergeSimulationData(drawn(place), options));
    }
  };
}

// `study` has texts, trials, sounds, what they are played through, and `rescue`.
export function pluginsOf(study, random) {
  const { trials } = study;
  const answer = async (queue, place) => {
    await trialScreen({ ...study, queue }, { trial: trials[place], place, of: trials.length, after: trials[place + 1] });
    study.sounds.forget(trials[place]);
  };
  return {
    Level: plugin("emomod-level", LEVEL, study, (queue) => level({ ...study, queue }, trials[0]), () => ({ volume: 50 })),
    Begins: plugin("emomod-begins", {}, study, (queue, place) => begins(study, trials[place]), () => ({})),
    Compare: plugin("emomod-compare", ANSWER, study, answer, (place) => drawnAnswer(trials[place], random)),
  };
}

const VALUES = { pair: ["first", "same", "second"], abx: ["first", "second"], ccr: [-3, -2, -1, 0, 1, 2, 3], scale: [1, 2, 3, 4, 5, 6, 7, 8, 9] };

function drawnAnswer({ kind, sounds }, random) {
  const one = () => random.sampleWithoutReplacement(VALUES[kind], 1)[0];
  return {
    response: kind === "sliders" ? sounds.map(() => random.randomInt(0, 100)) : one(),
    confidence: kind === "pair" ? random.randomInt(1, 5) : null,
    rt_ms: random.randomInt(2000, 20000),
    listened_ms: sounds.map(() => random.randomInt(1000, 20000)),
    n_plays: 1,
    n_switches: sounds.length - 1,
  };
}
