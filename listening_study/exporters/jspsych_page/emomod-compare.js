/* jsPsych 8 plugin: a question about versions of a clip that play in step and are switched while they play.
   Keys: 1, 2, 3, ... choose a version, 0 stops. An answer needs every version to have been heard. */
var jsPsychEmomodCompare = (function (jspsych) {
  "use strict";
  var TYPE = jspsych.ParameterType;
  var info = {
    name: "emomod-compare",
    version: "1.0.0",
    parameters: {
      sounds: { type: TYPE.STRING, array: true, default: undefined }, // names, in the order presented
      folder: { type: TYPE.STRING, default: "stimuli/" },
      kind: { type: TYPE.STRING, default: "pair" }, // pair, ccr, sliders, scale or abx
      question: { type: TYPE.STRING, default: undefined },
      note: { type: TYPE.STRING, default: "" }, // above the question
      options: { type: TYPE.STRING, array: true, default: [] }, // what is shown for each value
      low: { type: TYPE.STRING, default: "" }, // ends of a scale
      high: { type: TYPE.STRING, default: "" },
      words: { type: TYPE.OBJECT, default: undefined } // version, stop, further, hear_all
    },
    data: {
      response: { type: TYPE.COMPLEX }, // "first", "same", "second"; a number; of sliders a number for each version
      rt: { type: TYPE.INT }, // ms, from the page to the answer
      sounds: { type: TYPE.STRING, array: true },
      kind: { type: TYPE.STRING },
      listened_ms: { type: TYPE.INT },
      n_plays: { type: TYPE.INT },
      n_switches: { type: TYPE.INT }
    },
    citations: {}
  };
  var VALUES = {
    pair: ["first", "same", "second"],
    abx: ["first", "second"],
    ccr: [-3, -2, -1, 0, 1, 2, 3],
    scale: [1, 2, 3, 4, 5, 6, 7, 8, 9]
  };

  function element(name, properties, children) {
    var made = Object.assign(document.createElement(name), properties);
    made.append.apply(made, children || []);
    return made;
  }

  function labelOf(kind, place) {
    return kind === "sliders" ? String(place + 1) : ["A", "B", "X"][place];
  }

  class Plugin {
    constructor(jsPsych) {
      this.jsPsych = jsPsych;
    }

    trial(display, trial) {
      this.settings = trial;
      this.began = performance.now();
      this.heard = new Set();
      this.answered = new Map(); // place -> value
      this.player = null;
      this._render(display);
      this.keys = (event) => this._key(event);
      document.addEventListener("keydown", this.keys);
      this.opened = this._open();
    }

    async _open() {
      var trial = this.settings;
      var context = this.jsPsych.pluginAPI.audioContext();
      var urls = trial.sounds.map(function (name) { return trial.folder + name + ".wav"; });
      try {
        this.player = await EmomodPlayer.open(context, urls);
      } catch (error) {
        this.status.textContent = "The sound cannot be loaded (" + error.message + ").";
        return;
      }
      this.versions.forEach(function (button) { button.disabled = false; });
      this._update();
    }

    _render(display) {
      var trial = this.settings;
      this.versions = trial.sounds.map((_, place) => {
        var text = trial.sounds.length > 1 ? trial.words.version + " " + labelOf(trial.kind, place) : trial.words.play;
        var button = element("button", { className: "jspsych-btn", type: "button", textContent: text, disabled: true });
        button.setAttribute("aria-pressed", "false");
        button.addEventListener("click", () => this._choose(place));
        return button;
      });
      this.stopping = element("button", { className: "jspsych-btn", type: "button", textContent: trial.words.stop });
      this.stopping.addEventListener("click", () => this._stop());
      this.next = element("button", { className: "jspsych-btn", type: "button", textContent: trial.words.further });
      this.next.addEventListener("click", () => this._finish());
      this.status = element("p", { role: "status" });
      display.replaceChildren(element("main", { className: "emomod" }, [
        element("p", { className: "emomod-practice", textContent: trial.note }),
        element("h1", { textContent: trial.question }),
        element("div", { className: "emomod-buttons", role: "group" }, [...this.versions, this.stopping]),
        trial.kind === "sliders" ? this._sliders() : this._radios(),
        this.status,
        this.next
      ]));
      this._update();
    }

    _radios() {
      var trial = this.settings;
      var labels = VALUES[trial.kind].map((value, place) => {
        var input = element("input", { type: "radio", name: "answer", value: String(value) });
        input.addEventListener("change", () => this._answer(0, value));
        return element("label", {}, [input, element("span", { textContent: trial.options[place] || String(value) })]);
      });
      var low = element("span", { textContent: trial.low });
      var high = element("span", { textContent: trial.high });
      var parts = trial.kind === "scale" ? [low, ...labels, high] : labels;
      var layout = "emomod-scale" + (trial.kind === "ccr" ? " emomod-steps" : "");
      return this._named(element("fieldset", {}, [element("div", { className: layout }, parts)]));
    }

    _sliders() {
      var trial = this.settings;
      var rows = trial.sounds.map((_, place) => {
        var input = element("input", { type: "range", min: "0", max: "100", step: "1", value: "50" });
        input.addEventListener("input", () => this._answer(place, Number(input.value)));
        var name = trial.words.version + " " + labelOf(trial.kind, place);
        return element("label", { className: "emomod-slider" }, [element("span", { textContent: name }), input]);
      });
      var ends = element("div", { className: "emomod-ends" }, [
        element("span", { textContent: trial.low }), element("span", { textContent: trial.high })
      ]);
      return this._named(element("fieldset", {}, [...rows, ends]));
    }

    _named(fieldset) {
      fieldset.setAttribute("aria-label", this.settings.question);
      return fieldset;
    }

    _key(event) {
      var place = Number(event.key) - 1;
      if (event.ctrlKey || event.metaKey || event.altKey) {
        return;
      }
      if (event.key === "0") {
        this._stop();
      } else if (place >= 0 && place < this.settings.sounds.length) {
        this._choose(place);
      }
    }

    _choose(place) {
      if (!this.player) {
        return;
      }
      this.jsPsych.pluginAPI.audioContext().resume();
      this.player.choose(place);
      this.heard.add(place);
      this._update();
    }

    _stop() {
      if (this.player) {
        this.player.stop();
        this._update();
      }
    }

    _answer(place, value) {
      this.answered.set(place, value);
      this._update();
    }

    _update() {
      var current = this.player ? this.player.current : -1;
      this.versions.forEach(function (button, place) { button.setAttribute("aria-pressed", String(place === current)); });
      var all = this.heard.size === this.settings.sounds.length;
      var needed = this.settings.kind === "sliders" ? this.settings.sounds.length : 1;
      this.stopping.disabled = current < 0;
      this.next.disabled = !(all && this.answered.size === needed);
      this.status.textContent = all ? "" : this.settings.words.hear_all;
    }

    _finish() {
      var trial = this.settings;
      var seconds = this.player.heard().reduce(function (sum, each) { return sum + each; }, 0);
      this.player.stop();
      document.removeEventListener("keydown", this.keys);
      var values = trial.sounds.map((_, place) => this.answered.get(place));
      this.jsPsych.finishTrial({
        response: trial.kind === "sliders" ? values : values[0],
        rt: Math.round(performance.now() - this.began),
        sounds: trial.sounds,
        kind: trial.kind,
        listened_ms: Math.round(1000 * seconds),
        n_plays: this.player.plays,
        n_switches: this.player.switches
      });
    }

    // ---- simulation ----

    _drawn(trial, options) {
      var random = this.jsPsych.randomization;
      var one = VALUES[trial.kind] && random.sampleWithoutReplacement(VALUES[trial.kind], 1)[0];
      var several = trial.sounds.map(function () { return random.randomInt(0, 100); });
      return this.jsPsych.pluginAPI.mergeSimulationData({
        response: trial.kind === "sliders" ? several : one,
        rt: random.randomInt(2000, 20000),
        sounds: trial.sounds,
        kind: trial.kind,
        listened_ms: random.randomInt(1000, 20000),
        n_plays: 1,
        n_switches: trial.sounds.length - 1
      }, options);
    }

    simulate(trial, mode, options, loaded) {
      var data = this._drawn(trial, options);
      if (mode === "visual") {
        this.trial(this.jsPsych.getDisplayElement(), trial);
        loaded();
        this.opened.then(() => this._click(data));
      } else {
        loaded();
        this.jsPsych.finishTrial(data);
      }
    }

    _click(data) {
      var display = this.jsPsych.getDisplayElement();
      this.versions.forEach(function (button) { button.click(); });
      if (this.settings.kind === "sliders") {
        display.querySelectorAll("input").forEach(function (input, place) {
          input.value = String(data.response[place]);
          input.dispatchEvent(new Event("input"));
        });
      } else {
        display.querySelector('input[value="' + data.response + '"]').click();
      }
      this.jsPsych.pluginAPI.clickTarget(this.next, data.rt);
    }
  }

  Plugin.info = info;
  return Plugin;
})(jsPsychModule);
