/* jsPsych 8 plugin: a page of text and a button. */
var jsPsychEmomodPage = (function (jspsych) {
  "use strict";
  var info = {
    name: "emomod-page",
    version: "1.0.0",
    parameters: {
      paragraphs: { type: jspsych.ParameterType.STRING, array: true, default: undefined },
      button: { type: jspsych.ParameterType.STRING, default: "Next" }
    },
    data: { rt: { type: jspsych.ParameterType.INT } },
    citations: {}
  };

  class Plugin {
    constructor(jsPsych) {
      this.jsPsych = jsPsych;
    }

    trial(display, trial) {
      var began = performance.now();
      var page = document.createElement("main");
      page.className = "emomod";
      trial.paragraphs.forEach(function (text) {
        var paragraph = document.createElement("p");
        paragraph.textContent = text;
        page.append(paragraph);
      });
      var button = document.createElement("button");
      button.className = "jspsych-btn";
      button.type = "button";
      button.textContent = trial.button;
      button.addEventListener("click", () => {
        this.jsPsych.finishTrial({ rt: Math.round(performance.now() - began) });
      });
      page.append(button);
      display.replaceChildren(page);
      button.focus();
    }

    simulate(trial, mode, options, loaded) {
      var data = this.jsPsych.pluginAPI.mergeSimulationData({ rt: 1000 }, options);
      if (mode === "visual") {
        var display = this.jsPsych.getDisplayElement();
        this.trial(display, trial);
        loaded();
        this.jsPsych.pluginAPI.clickTarget(display.querySelector("button"), data.rt);
      } else {
        loaded();
        this.jsPsych.finishTrial(data);
      }
    }
  }

  Plugin.info = info;
  return Plugin;
})(jsPsychModule);
