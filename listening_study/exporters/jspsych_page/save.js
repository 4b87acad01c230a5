// What happens with the answers when a participant has finished. Edit this to keep them on a server of yours; a server
// at another address must also be allowed by `connect-src` in index.html. Within JATOS, with its jatos.js loaded in
// index.html: return jatos.endStudy(jsPsych.data.get().json()).
export function save(jsPsych, name) {
  jsPsych.data.get().localSave("csv", `${name}.csv`);
}
