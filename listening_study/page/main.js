// Which screen comes when. Every screen is a function that shows itself and resolves once it is done.

import { askUntil, randomName } from "./api.js";
import { element, ended, filled, own, show, tell } from "./dom.js";
import { remember, remembered } from "./memory.js";
import { outputOf } from "./player.js";
import { Queue } from "./queue.js";
import { Sounds } from "./sounds.js";
import { Tabs } from "./tabs.js";
import { consent } from "./screens/consent.js";
import { headphones } from "./screens/headphones.js";
import { level } from "./screens/level.js";
import { choice, message } from "./screens/message.js";
import { begins } from "./screens/begins.js";
import { trialScreen } from "./screens/trial.js";
import { ownPart, withdrawScreen } from "./screens/withdraw.js";

const me = randomName();

async function main() {
  const about = await askUntil("/api/study");
  const { texts } = about;
  if (location.pathname === "/withdraw") return withdrawScreen(texts, "");
  const [, , named] = location.pathname.split("/");
  const participant = named || (await atTheDoor(about));
  history.replaceState(null, "", `/p/${participant}`);
  remember(participant);
  await takePart(about, participant);
}

// Whoever began in this browser goes on or lets somebody else begin; the others agree first.
async function atTheDoor(about) {
  const { texts } = about, earlier = remembered();
  if (earlier) {
    const goesOn = await choice(texts.resume_title, texts.resume_text, [texts.resume_yes, texts.resume_no]);
    if (goesOn === 0) return earlier;
    remember(null);
  }
  return consent(about, randomName());
}

async function takePart(about, participant) {
  const { texts } = about;
  const tabs = new Tabs(participant, me);
  if (!(await tabs.isFree())) await choice(texts.elsewhere_title, texts.elsewhere, [texts.take_over]);
  tabs.take();
  const queue = await Queue.open(participant, me);
  const study = { about, texts, participant, queue, ...outputOf(new AudioContext()) };
  tabs.onlost = () => leave(study, texts.elsewhere_title, texts.moved, texts.take_over);
  queue.ongone = () => gone(study);
  queue.onchange = () => tell(queue.n ? filled(texts.unsent, { n: queue.n }) : "");
  queue.onfailed = (error) => tell(filled(texts.failed, { reason: error.message }));
  guardBack(texts);
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  queue.send();
  await allTrials(study);
}

function leave(study, title, text, button) {
  study.ended = true;
  study.context.close();
  own();
  const again = element("button", { class: "main", onclick: () => location.reload() }, button);
  show(element("h1", {}, title), element("p", {}, text), again);
}

function gone(study) {
  study.ended = true;
  remember(null);
  own();
  study.context.close();
  message(study.texts.gone_title, study.texts.gone);
}

// Answers are not taken back: the back button leads to where one is.
function guardBack(texts) {
  history.pushState(null, "");
  window.addEventListener("popstate", () => {
    history.pushState(null, "");
    tell(texts.no_back);
  });
}

async function stateOf(study) {
  const { texts } = study;
  for (;;) {
    try {
      return await askUntil(`/api/p/${study.participant}/state`, { onwait: () => tell(texts.waiting) });
    } catch (error) {
      if (error.status === 410) { gone(study); return ended(); }
      if (error.status === 409) { remember(null); message(texts.closed_title, texts.closed, element("p", { class: "code" }, error.told.code ?? "")); return ended(); }
      await choice(texts.failed_title, filled(texts.failed, { reason: error.message }), [texts.try_again]);
    }
  }
}

async function allTrials(study) {
  const { about, texts, queue } = study;
  const kept = await queue.waiting(); // before the state: what is sent in between is in one of them
  const state = await stateOf(study);
  if (study.ended) return ended();
  const has = (kind) => state.steps.includes(kind) || kept.some((event) => event.kind === kind);
  study.sounds = new Sounds((sound) => `/api/p/${study.participant}/sounds/${sound}`, study.context, () => tell(texts.waiting));
  study.setVolume(state.volume ?? kept.find((event) => event.kind === "level")?.payload.volume ?? 50);
  own(ownPart(study, state.code));
  if (!state.finished) {
    if (!has("level")) await level(study, state.trials[0]);
    if (about.headphone_trials && !has("headphones")) await headphones(study);
    const answered = kept.filter((event) => event.kind === "answer").map((event) => event.trial);
    await everyTrial(study, state.trials, new Set([...state.done, ...answered]));
    await finish(study);
  }
  remember(null);
  own();
  message(texts.finished_title, texts.finished, element("p", {}, texts.code_is), element("p", { class: "code" }, state.code), element("p", {}, texts.code_keep, " ", element("a", { href: "/withdraw" }, `${location.origin}/withdraw`)));
}

async function everyTrial(study, trials, done) {
  let isNew = true; // this visit
  for (const [place, trial] of trials.entries()) {
    if (done.has(place)) continue;
    if (trial.begins || isNew) await begins(study, trials.findLast((each, other) => other <= place && each.begins) ?? trial);
    isNew = false;
    const after = trials.find((_, other) => other > place && !done.has(other));
    await trialScreen(study, { trial, place, of: trials.length, after });
    done.add(place);
    study.sounds.forget(trial);
  }
}

async function finish(study) {
  const { texts, queue } = study;
  message(texts.sending_title, texts.sending);
  await queue.add({ key: "finish", kind: "finish", payload: {} });
  await queue.empty();
  if (study.ended) return ended();
  if (queue.refused.finish) { // trials are left: the server says which
    location.reload();
    return ended();
  }
  tell(texts.all_sent);
}

main().catch((error) => message("", String(error.message ?? error)));
