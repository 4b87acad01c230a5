"""Configuration and tasks for Label Studio, checked by its own SDK."""

import json
from xml.etree import ElementTree as ET

import pytest
from test_study_export_jspsych import told_of_the_key
from test_study_table import KINDS, study_of

from listening_study.exporters.label_studio import answer_names, export_label_studio
from listening_study.exporters.sound_names import sound_columns, sounds_of

CHECK = """
import json, pathlib, sys
from label_studio_sdk.label_interface import LabelInterface
folder, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
interface = LabelInterface((folder / "config.xml").read_text(encoding="utf-8"))
interface.validate()
for name in sorted(folder.glob("tasks_*.json")):
    for task in json.loads(name.read_text(encoding="utf-8")):
        interface.validate_task(task)
for annotation in json.loads(sys.argv[3]):
    assert interface.validate_annotation(annotation) == (not annotation.get("wrong")), annotation
print(sorted(interface._controls))
"""


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_against_the_study(kind, tmp_path):
    study = study_of(kind)
    folder = export_label_studio(study, tmp_path / "out", url_prefix="https://example.org/")
    assert told_of_the_key(study, folder) == []
    root = ET.parse(folder / "config.xml").getroot()
    for number, trials in enumerate(study.lists):
        tasks = json.loads((folder / f"tasks_{number:02d}.json").read_text(encoding="utf-8"))
        assert [task["data"]["trial_id"] for task in tasks] == [trial.trial_id for trial in trials]
        for task, trial in zip(tasks, trials, strict=True):
            columns = sound_columns(kind, len(trial.heard))
            assert [each.get("name") for each in root.iter("Audio")] == list(columns)
            wanted = [f"https://example.org/stimuli/{name}.wav" for name in sounds_of(study, trial)]
            assert [task["data"][name] for name in columns] == wanted
            named = [each.get("name") for each in root if each.tag in ("Choices", "Number")]
            assert named == answer_names(kind, len(trial.heard))
    values = [each.get("alias") for each in root.iter("Choice")]
    assert values == {
        "pair": ["first", "same", "second"],
        "abx": ["first", "second"],
        "ccr": ["-3", "-2", "-1", "0", "1", "2", "3"],
    }.get(kind, [])


def result_of(kind: str, name: str, value) -> dict:
    """A result as Label Studio makes it."""
    number = kind in ("scale", "sliders")
    sound = "sound_a" if name == "answer" else name.replace("answer", "sound")
    told = {"number": value} if number else {"choices": [value]}
    return {"id": name, "from_name": name, "to_name": sound, "type": "number" if number else "choices", "value": told}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "language"), [*((kind, "en") for kind in KINDS), ("ccr", "de")])
def test_exports_against_the_sdk(kind, language, tmp_path, run_with_tool):
    folder = export_label_studio(study_of(kind, language), tmp_path / "out")
    values = [each.get("alias") for each in ET.parse(folder / "config.xml").getroot().iter("Choice")]
    right = values[0] if values else 5
    annotations = [
        {"result": [result_of(kind, name, right) for name in answer_names(kind, 4)]},
        {"wrong": True, "result": [result_of(kind, "other", right)]},
    ]
    printed = run_with_tool("label_studio", CHECK, folder, kind, json.dumps(annotations))
    assert printed.split("\n")[-2] == str(sorted(answer_names(kind, 4)))
