"""A study as conditions files for PsychoPy and Pavlovia: a CSV for each list, one that names the lists, and the sounds.

PsychoPy takes a header for names of variables, evaluates a cell that begins with a bracket, takes 1,5 for 1.5 and an
empty cell for None; so there are no such cells but empty ones. Listeners would see the apostrophe that other tables
have before a text such as =1; all texts here are the package's own. A row has study_id, list_id, trial_id, practice
(0, 1), explained (shown before a trial if there), question, low, high, labels (of the answers, separated by |; empty
where there are only numbers), and the sounds: sound_a, sound_b and sound_x, of sliders sound_1, sound_2, ...

Source: PsychoPy's documentation of conditions files, and `psychopy.data.importConditions` (2026.2.5).
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emomod.errors import InputError
from emomod.output import new_folder
from listening_study.exporters.choices import choices_of
from listening_study.exporters.screens import Screen, screens_of
from listening_study.exporters.sound_names import copy_sounds, sound_columns
from listening_study.package import STIMULI, Study
from listening_study.table import study_id

CHOOSER = "choose_list.csv"
README = """# A listening study for PsychoPy

- `{chooser}`: a row for each list. An outer loop of one turn reads it, with the list's row selected
  (`$int(expInfo['list'])`, a field of the experiment's settings that you give for every participant).
- `list_NN.csv`: the trials of a list, in their order. The inner loop reads `$conditions_file`, loop type sequential.
- Sound components take {sounds}; tick Resample. The texts are `$question`, `$explained`, `$low` and `$high`.
- {answer}
- Save wide CSV (`data/*.csv`), and keep participant, session and date in it. Names of people are not needed there.
- Import the files: `emomod study import STUDY data/*.csv --from psychopy --out answers.csv`

This is for the Builder. Versions are played one after another, and how sure somebody is is not asked.
"""
ANSWERS = {
    "pair": "A slider named `answer` with ticks (1, 2, 3) and labels `$labels.split('|')`: A, no difference, B.",
    "abx": "A slider named `answer` with ticks (1, 2) and labels `$labels.split('|')`: X is A, X is B.",
    "ccr": "A slider named `answer` with ticks (-3, -2, -1, 0, 1, 2, 3) and labels `$labels.split('|')`.",
    "scale": "A slider named `answer` with ticks 1 to 9, between `$low` and `$high`.",
    "sliders": "Sliders named `answer_1`, `answer_2`, ... with ticks 0 and 100, granularity 0, one for each sound.",
}


def export_psychopy(study: Study, out: str | Path) -> Path:
    """Write ``study`` as the new folder ``out``; InputError where it cannot be written or a text would be evaluated."""
    kind = study.plan.trial_type
    labels = "|".join(words for _, words in choices_of(kind, language=study.plan.language))
    with new_folder(out, inputs=[study.folder]) as folder:
        names = [f"list_{number:02d}.csv" for number in range(len(study.lists))]
        for name, trials in zip(names, study.lists, strict=True):
            screens = list(screens_of(study, trials))
            ids = {"study_id": study_id(study), "list_id": trials[0].list}
            _write(folder / name, [{**ids, **_row(screen, labels)} for screen in screens])
        _write(folder / CHOOSER, [{"conditions_file": name} for name in names])
        copy_sounds(study, folder / STIMULI)
        columns = sound_columns(kind, len(study.lists[0][0].heard))
        told = ", ".join(f"`${name}`" for name in columns)
        readme = README.format(chooser=CHOOSER, sounds=told, answer=ANSWERS[kind])
        (folder / "README.md").write_text(readme, encoding="utf-8")
    return Path(out)


def _row(screen: Screen, labels: str) -> dict[str, Any]:
    columns = sound_columns(screen.kind, len(screen.sounds))
    return {
        "trial_id": screen.trial_id,
        "practice": int(screen.practice),
        "explained": screen.introduction,
        "question": screen.question,
        "low": screen.low,
        "high": screen.high,
        "labels": labels,
        **{name: f"{STIMULI}/{sound}.wav" for name, sound in zip(columns, screen.sounds, strict=True)},
    }


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        for name, cell in row.items():
            if re.match(r"\s*\[|\s*-?\d+,\d+\s*$", str(cell)):
                raise InputError(f"{name} must not begin with [ or be a number with a comma for PsychoPy, got {cell!r}")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
