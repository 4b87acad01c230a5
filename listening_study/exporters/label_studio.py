"""A study for Label Studio: one labelling configuration, and the tasks of each list, a project each.

config.xml        what annotators see: a question, the versions, the answers (Choices, or Number: there is no slider)
tasks_NN.json     the tasks of a list in their order, the versions in the order in which they are to be heard
stimuli/          the sounds, to be put where the server finds them

Which version is A is settled in the tasks, so that no key is needed in Label Studio. Its free edition shows annotators
each other's answers, and keeps no order of its own for each; both weaken a study.

Source: Label Studio's documentation of tags; its own checks are those of label-studio-sdk (2.1.2).
"""

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from emomod.output import new_folder
from listening_study.exporters.choices import choices_of
from listening_study.exporters.screens import Screen, screens_of
from listening_study.exporters.sound_names import copy_sounds, sound_columns
from listening_study.package import STIMULI, Study
from listening_study.page_texts import page_texts
from listening_study.responses import RANGES
from listening_study.table import study_id

ANSWER = "answer"  # name of the control; of sliders answer_1, answer_2, ...
README = """# A listening study for Label Studio

1. Copy the folder `stimuli` to where the server finds it under `{prefix}`. With local files that is
   `{study}/stimuli` in LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and
   that folder as a source storage of the project.
2. For each list make a project with the labelling interface `config.xml`, import `tasks_NN.json`, and choose sequential
   sampling. Give each annotator one project.
3. Export all projects as JSON, or all as JSON_MIN, and import the files; e-mail addresses in them are left out:
   `emomod study import STUDY project-*.json --from label-studio --out answers.csv`

The free edition shows annotators each other's answers: ask them not to look, or use a project for each.
"""


def answer_names(kind: str, n: int) -> list[str]:
    """The names of the controls of a trial with ``n`` sounds."""
    return [f"{ANSWER}_{place}" for place in range(1, n + 1)] if kind == "sliders" else [ANSWER]


def export_label_studio(study: Study, out: str | Path, *, url_prefix: str | None = None) -> Path:
    """Write ``study`` as the new folder ``out``; InputError where it cannot be written.

    ``url_prefix``: what stands before stimuli/NAME.wav in tasks; by default the address of local files.
    """
    practice = str(page_texts(study.plan.language)["practice"])
    prefix = f"/data/local-files/?d={study_id(study)}" if url_prefix is None else url_prefix
    prefix = prefix if prefix.endswith(("/", "=")) else f"{prefix}/"
    with new_folder(out, inputs=[study.folder]) as folder:
        config = _config(study.plan.trial_type, len(study.lists[0][0].heard), study.plan.language)
        (folder / "config.xml").write_text(config, encoding="utf-8")
        for number, trials in enumerate(study.lists):
            ids = {"study": study_id(study), "list": number}
            tasks = [{"data": {**ids, **_data(each, practice, prefix)}} for each in screens_of(study, trials)]
            text = json.dumps(tasks, ensure_ascii=False, indent=1)
            (folder / f"tasks_{number:02d}.json").write_text(text + "\n", encoding="utf-8")
        copy_sounds(study, folder / STIMULI)
        readme = README.format(prefix=prefix, study=study_id(study))
        (folder / "README.md").write_text(readme, encoding="utf-8")
    return Path(out)


def _data(screen: Screen, practice: str, prefix: str) -> dict[str, Any]:
    told = [f"({practice})" if screen.practice else "", screen.introduction, screen.question]
    low, high = RANGES[screen.kind]
    ends = f"{low:g}: {screen.low}; {high:g}: {screen.high}" if screen.kind in ("scale", "sliders") else ""
    columns = sound_columns(screen.kind, len(screen.sounds))
    sounds = {name: f"{prefix}{STIMULI}/{each}.wav" for name, each in zip(columns, screen.sounds, strict=True)}
    return {
        "trial_id": screen.trial_id,
        "question": " ".join(each for each in told if each),
        "ends": ends or " ",
        **sounds,
    }


def _config(kind: str, n: int, language: str) -> str:
    """The labelling configuration of all trials with ``n`` sounds."""
    view, columns, texts = Element("View"), sound_columns(kind, n), page_texts(language)
    SubElement(view, "Header", value="$question")
    for name in columns:
        version = texts["version"].format(name=name.removeprefix("sound_").upper()) if n > 1 else texts["play"]
        SubElement(view, "Header", value=version, size="4")
        SubElement(view, "Audio", name=name, value=f"${name}")
        if kind == "sliders":
            _number(view, f"{ANSWER}_{name.removeprefix('sound_')}", name, kind)
    SubElement(view, "Header", value="$ends", size="5")
    if kind == "scale":
        _number(view, ANSWER, columns[0], kind)
    elif kind != "sliders":
        _choices(view, columns[0], choices_of(kind, language=language))
    indent(view, " ")
    return tostring(view, encoding="unicode") + "\n"


def _number(view: Element, name: str, sound: str, kind: str) -> None:
    low, high = RANGES[kind]
    limits = {"min": f"{low:g}", "max": f"{high:g}", "step": "1"}
    SubElement(view, "Number", {"name": name, "toName": sound, **limits, "required": "true"})


def _choices(view: Element, sound: str, answers: list[tuple[str, str]]) -> None:
    settings = {"name": ANSWER, "toName": sound, "choice": "single-radio", "required": "true"}
    choices = SubElement(view, "Choices", settings)
    for value, words in answers:
        SubElement(choices, "Choice", value=words, alias=value)
