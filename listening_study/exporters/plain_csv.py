"""A study as plain tables, for tools that this package does not know, for a paper form, or for a script.

list_NN.csv       the trials of a list in their order, with empty columns for what listeners do
stimuli/NAME.wav  the sounds
"""

import csv
from pathlib import Path
from typing import Any

from emomod.output import new_folder
from emomod.reading.cells import plain_cell
from listening_study.exporters.screens import Screen, screens_of
from listening_study.exporters.sound_names import copy_sounds, sound_columns
from listening_study.package import STIMULI, Study
from listening_study.table import NUMBERS, study_id

FILLED = ("participant", "session", "answer")  # by whoever runs the study
KNOWN = (*(name for name in NUMBERS if name != "response"), "device")  # filled or left empty
README = """# A listening study as tables

Each `list_NN.csv` has the trials of a list in their order. Play the sounds of a row in the order of their columns, ask
the question, and fill in

- `participant` (a code, no name) and `session` (another for each run),
- `answer`: {answer}
- what you know of `confidence` (1 guessing .. 5 certain), `rt_ms`, `listened_ms` (all versions together), `n_plays`,
  `n_switches`, `device` (computer, tablet or phone).

Leave `answer` empty where there was none, change nothing else, and import the tables: a copy of a list's file for each
participant, or their rows below each other: `emomod study import STUDY *.csv --from csv --out answers.csv`
"""
ANSWERS = {
    "pair": "first, same or second: which has more of what is asked.",
    "abx": "first or second: which of sound_a and sound_b is sound_x.",
    "ccr": "-3 .. 3, above 0 where the second has more of what is asked.",
    "scale": "1 .. 9, from `low` to `high`.",
    "sliders": "a number 0 .. 100, from `low` to `high`, for each sound, with blanks between them.",
}


def export_plain_csv(study: Study, out: str | Path) -> Path:
    """Write ``study`` as the new folder ``out``; InputError where it cannot be written."""
    with new_folder(out, inputs=[study.folder]) as folder:
        for number, trials in enumerate(study.lists):
            ids = {"study": study_id(study), "list": number}
            rows = [{**ids, **_row(screen)} for screen in screens_of(study, trials)]
            with (folder / f"list_{number:02d}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows({name: plain_cell(cell) for name, cell in row.items()} for row in rows)
        copy_sounds(study, folder / STIMULI)
        readme = README.format(answer=ANSWERS[study.plan.trial_type])
        (folder / "README.md").write_text(readme, encoding="utf-8")
    return Path(out)


def _row(screen: Screen) -> dict[str, Any]:
    columns = sound_columns(screen.kind, len(screen.sounds))
    return {
        "trial_id": screen.trial_id,
        "practice": int(screen.practice),
        "explained": screen.introduction,
        "question": screen.question,
        "low": screen.low,
        "high": screen.high,
        **{name: f"{STIMULI}/{sound}.wav" for name, sound in zip(columns, screen.sounds, strict=True)},
        **dict.fromkeys((*FILLED, *KNOWN), ""),
    }
