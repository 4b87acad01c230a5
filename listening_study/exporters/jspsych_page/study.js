/* The page of a study: reads the list that the address names, runs it, and hands the answers to save.js.
   ?list=0&participant=p001    what to run and for whom; without, a list and a name are drawn
   &simulate=data-only|visual  answers drawn by chance, to try the study */
var EMOMOD_VERSION = "1.0.0";

function emomodName(length) {
  var bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, function (byte) { return (byte % 16).toString(16); }).join("");
}

function emomodTimeline(list) {
  var words = list.words;
  var pages = [{ type: jsPsychEmomodPage, paragraphs: [list.title, words.welcome], button: words.begin }];
  list.trials.forEach(function (trial) {
    if (trial.explained) {
      pages.push({ type: jsPsychEmomodPage, paragraphs: [trial.explained], button: words.further });
    }
    pages.push({
      type: jsPsychEmomodCompare,
      sounds: trial.sounds,
      kind: trial.kind,
      question: trial.question,
      note: trial.practice ? words.practice : "",
      options: trial.options,
      low: trial.low,
      high: trial.high,
      words: words,
      data: { trial_id: trial.trial_id }
    });
  });
  return pages;
}

function emomodStart(list, settings) {
  var leaving = function (event) { event.preventDefault(); };
  var jsPsych = initJsPsych({
    on_finish: function () {
      window.removeEventListener("beforeunload", leaving);
      document.body.textContent = list.words.thanks;
      emomodSave(jsPsych, list.study + "_" + settings.participant);
    }
  });
  jsPsych.data.addProperties({
    study: list.study,
    list: list.list,
    participant: settings.participant,
    session: emomodName(16),
    device: navigator.maxTouchPoints > 0 ? "touch" : "desktop",
    software: "jsPsych " + jsPsych.version() + ", emomod page " + EMOMOD_VERSION
  });
  document.documentElement.lang = list.language;
  document.title = list.title;
  window.addEventListener("beforeunload", leaving);
  var timeline = emomodTimeline(list);
  var done = settings.simulate ? jsPsych.simulate(timeline, settings.simulate) : jsPsych.run(timeline);
  return done.then(function () { return jsPsych; });
}

async function emomodRead(file) {
  var answer = await fetch("lists/" + file + ".json");
  if (!answer.ok) {
    throw new Error("lists/" + file + ".json: " + answer.status);
  }
  return answer.json();
}

async function emomodMain(search) {
  var asked = new URLSearchParams(search);
  var number = asked.get("list");
  if (number === null) {
    number = String(Math.floor(Math.random() * (await emomodRead("count")).lists));
  }
  if (!/^\d+$/.test(number)) {
    throw new Error("list must be a whole number");
  }
  var list = await emomodRead(number.padStart(2, "0"));
  return emomodStart(list, {
    participant: asked.get("participant") || "p" + emomodName(8),
    simulate: asked.get("simulate")
  });
}

if (typeof EMOMOD_WAIT === "undefined") {
  emomodMain(window.location.search).catch(function (error) {
    document.body.textContent = "This study cannot be started (" + error.message + ").";
  });
}
