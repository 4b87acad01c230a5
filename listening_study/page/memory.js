// What the browser remembers between visits: who takes part here. Where it may not remember, the address does.

const NAME = "listening-study-participant";

export function remembered() {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

export function remember(participant) {
  try {
    if (participant) localStorage.setItem(NAME, participant);
    else localStorage.removeItem(NAME);
  } catch {
    // the address of the page still has it
  }
}
