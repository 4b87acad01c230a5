/* What happens with the answers when a participant has finished. Edit this to keep them on a server of yours; a server
   at another address must also be allowed by `connect-src` in index.html. Within JATOS, with its jatos.js loaded in
   index.html before this file: return jatos.endStudy(jsPsych.data.get().json()). */
function emomodSave(jsPsych, name) {
  jsPsych.data.get().localSave("csv", name + ".csv");
}
