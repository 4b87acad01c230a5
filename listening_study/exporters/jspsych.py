"""A study as a page for jsPsych 8 that runs from any static host, with a plugin of ours that switches in step.

index.html, *.js, emomod.css   the page; save.js says what happens with the answers
jspsych/                       jsPsych's own two files, which are not ours to ship: copied here if you name the package
lists/NN.json                  what participants get of each list
stimuli/NAME.wav               the sounds

Source: jsPsych 8.3 (MIT), `info`, `trial()` and `simulate()` of its plugins.
"""

import json
import shutil
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from emomod.errors import InputError
from emomod.output import new_folder
from listening_study.exporters.presented import Screen, copy_sounds, screens_of
from listening_study.exporters.words import Words, steps_of, words_of
from listening_study.package import Study
from listening_study.table import study_id

JSPSYCH = ("dist/index.browser.min.js", "css/jspsych.css")  # within the npm package


def export_jspsych(study: Study, out: str | Path, *, jspsych: str | Path | None = None) -> Path:
    """Write ``study`` as the new folder ``out``; InputError where it cannot be written.

    ``jspsych``: the folder of the npm package jspsych 8, of which two files are copied; without it, README.md of the
    export says where they go.
    """
    package = None if jspsych is None else Path(jspsych)
    if package and (missing := [name for name in JSPSYCH if not (package / name).is_file()]):
        raise InputError(f"jspsych: {package} must be the npm package jspsych 8; it has no {missing[0]}")
    words = words_of(study.plan.language)
    with new_folder(out, inputs=[study.folder]) as folder:
        for each in files("listening_study.exporters").joinpath("jspsych_page").iterdir():
            (folder / each.name).write_bytes(each.read_bytes())
        (folder / "jspsych").mkdir()
        for name in JSPSYCH if package else ():
            shutil.copyfile(Path(str(package), name), folder / "jspsych" / Path(name).name)
        (folder / "lists").mkdir()
        _write(folder / "lists" / "count.json", {"lists": len(study.lists)})
        for number in range(len(study.lists)):
            _write(folder / "lists" / f"{number:02d}.json", _list(study, number, words))
        copy_sounds(study, folder)
    return Path(out)


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _list(study: Study, number: int, words: Words) -> dict[str, Any]:
    shown = ("welcome", "practice", "begin", "further", "play", "stop", "version", "hear_all", "thanks")
    return {
        "study": study_id(study),
        "title": study.plan.title,
        "language": study.plan.language,
        "list": number,
        "words": {name: getattr(words, name) for name in shown},
        "trials": [_trial(screen, words) for screen in screens_of(study, study.lists[number])],
    }


def _trial(screen: Screen, words: Words) -> dict[str, Any]:
    told = asdict(screen) | {"options": list(options_of(screen.kind, words))}
    return told | {"question": words.which_is_x} if screen.kind == "abx" else told


def options_of(kind: str, words: Words) -> tuple[str, ...]:
    """What is shown for each value of a trial type whose versions are called A and B; of the others nothing."""
    a, b = f"{words.version} A", f"{words.version} B"
    return {"pair": (a, words.same, b), "abx": (a, b), "ccr": steps_of(words, b)}.get(kind, ())
