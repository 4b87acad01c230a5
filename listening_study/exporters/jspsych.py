"""A study as a page for jsPsych 8 that runs from any static host, with the screens and the player of our own page.

index.html, study.js, plugins.js  the page; save.js says what happens with the answers
page/                             our own page's modules, as `emomod study serve` has them
jspsych/                          jsPsych itself, which is not ours to ship: copied here if you name the package
study.json, lists/NN.json         what participants get of the study, and of each list
stimuli/NAME.wav                  the sounds

Source: jsPsych 8.3 (MIT), `info`, `trial()` and `simulate()` of its plugins.
"""

import json
import shutil
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import emomod
from emomod.errors import InputError
from emomod.output import new_folder
from listening_study.exporters.screens import screens_of
from listening_study.exporters.sound_names import copy_sounds
from listening_study.package import STIMULI, Study
from listening_study.page_texts import page_texts
from listening_study.server.settings import ServeSettings
from listening_study.table import study_id

JSPSYCH = "dist/index.browser.min.js"  # within the npm package
MODULES = ("api.js", "device.js", "dom.js", "mixing.js", "player.js", "sounds.js", "style.css")  # of the page
SCREENS = ("answers.js", "begins.js", "level.js", "listening.js", "message.js", "trial.js")


def export_jspsych(study: Study, out: str | Path, *, jspsych: str | Path | None = None) -> Path:
    """Write ``study`` as the new folder ``out``; InputError where it cannot be written.

    ``jspsych``: the folder of the npm package jspsych 8, of which a file is copied; without it, README.md of the export
    says where it goes.
    """
    if jspsych is not None and not Path(jspsych, JSPSYCH).is_file():
        raise InputError(f"jspsych: {jspsych} must be the npm package jspsych 8; it has no {JSPSYCH}")
    with new_folder(out, inputs=[study.folder]) as folder:
        copy_page(folder)
        (folder / "jspsych").mkdir()
        if jspsych is not None:
            shutil.copyfile(Path(jspsych, JSPSYCH), folder / "jspsych" / Path(JSPSYCH).name)
        _write(folder / "study.json", _about(study))
        (folder / "lists").mkdir()
        for number, trials in enumerate(study.lists):
            screens = [asdict(screen) for screen in screens_of(study, trials)]
            _write(folder / "lists" / f"{number:02d}.json", screens)
        copy_sounds(study, folder / STIMULI)
    return Path(out)


def copy_page(folder: Path) -> None:
    """Copy what is the same for every study into ``folder``."""
    for each in files("listening_study.exporters").joinpath("jspsych_page").iterdir():
        (folder / each.name).write_bytes(each.read_bytes())
    page = files("listening_study").joinpath("page")
    (folder / "page" / "screens").mkdir(parents=True)
    for name in (*MODULES, *(f"screens/{name}" for name in SCREENS)):
        (folder / "page" / name).write_bytes(page.joinpath(name).read_bytes())


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _about(study: Study) -> dict[str, Any]:
    return {
        "study": study_id(study),
        "lists": len(study.lists),
        "language": study.plan.language,
        "texts": page_texts(study.plan.language),
        "least_listened_ms": round(1000 * ServeSettings().least_listened_s),
        "software": f"emomod {emomod.__version__}",
    }
