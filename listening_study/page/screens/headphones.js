// Are these headphones? Which side is which, then the two tests of tones.js; all goes on whatever comes out.

import { randomName } from "../api.js";
import { element, filled, show } from "../dom.js";
import { huggins, sideTone, woods } from "../tones.js";

const GAP = 0.5, N_SIDES = 2; // s between sounds

const drawn = (n) => Math.floor(n * Math.random());

// What is played, and which answer is right, for one trial of a test.
const MADE = {
  sides(rate, place) {
    const side = place % 2;
    return { sounds: [sideTone(rate, side)], right: side };
  },
  woods(rate) {
    const right = drawn(3), turned = (right + 1 + drawn(2)) % 3;
    return { sounds: woods(rate, right, turned), right };
  },
  huggins(rate) {
    const right = drawn(3);
    return { sounds: huggins(rate, right), right };
  },
};

export async function headphones(study) {
  const { about, texts, queue } = study;
  const n = { sides: N_SIDES, woods: about.headphone_trials, huggins: about.headphone_trials };
  const flip = drawn(2), of = n.sides + n.woods + n.huggins, payload = {};
  let step = 0;
  for (const name of Object.keys(n)) {
    let right = 0;
    for (let place = 0; place < n[name]; place += 1) {
      step += 1;
      right += await one(study, name, MADE[name](study.context.sampleRate, place + flip), filled(texts.headphones_step, { n: step, of }));
    }
    payload[name] = [right, n[name]];
  }
  await queue.add({ key: randomName(), kind: "headphones", payload });
}

// Resolves with whether the answer was right. The sounds come once.
function one(study, name, { sounds, right }, where) {
  const { texts } = study;
  return new Promise((resolve) => {
    const words = name === "sides" ? texts.sides_answers : texts.third_answers;
    const answers = words.map((text, place) => element("button", { disabled: true, onclick: () => resolve(place === right) }, text));
    const now = element("p", { class: "hint", role: "status" });
    const play = element("button", { class: "main play" }, texts.headphones_play);
    play.addEventListener("click", async () => {
      play.disabled = true;
      await playAll(study, sounds, (place) => { now.textContent = filled(texts.headphones_playing, { n: place + 1 }); });
      now.textContent = "";
      for (const answer of answers) answer.disabled = false;
      answers[0].focus();
    });
    const question = element("p", { class: "question" }, texts[`${name}_question`]);
    show(
      element("p", { class: "where" }, where), element("h1", {}, texts.headphones_title), element("p", {}, texts.headphones_text),
      element("div", { class: "row" }, play), now, question, element("div", { class: "row" }, ...answers),
    );
  });
}

async function playAll(study, sounds, onsound) {
  const { context, volume } = study;
  await context.resume();
  for (const [place, [left, right]] of sounds.entries()) {
    onsound(place);
    const buffer = new AudioBuffer({ length: left.length, numberOfChannels: 2, sampleRate: context.sampleRate });
    buffer.copyToChannel(left, 0);
    buffer.copyToChannel(right, 1);
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(volume);
    source.start();
    await new Promise((done) => { source.onended = done; });
    if (place + 1 < sounds.length) await new Promise((done) => setTimeout(done, 1000 * GAP));
  }
}
