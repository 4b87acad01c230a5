"""Results as Label Studio exports them, JSON and JSON_MIN: they come back, or are refused by name."""

import copy
import json

import pytest
from test_study_export_label_studio import result_of
from test_study_table import KINDS, drawn_value, study_of, told, truth

from emomod.errors import InputError
from listening_study.exporters.label_studio import answer_names, export_label_studio
from listening_study.importers.label_studio import import_label_studio

CONVERT = """
import sys
from label_studio_sdk.converter import Converter
config = open(sys.argv[1], encoding="utf-8").read()
Converter(config, project_dir=None).convert_to_json_min(sys.argv[2], sys.argv[3], is_dir=False)
"""


@pytest.fixture
def annotated(tmp_path, rng):
    """A function that gives the tasks of a list with annotations of ``annotators``, and what they must come back as."""

    def annotate(kind: str, number: int, annotators=(7,)) -> tuple[list[dict], dict]:
        study = study_of(kind)
        folder = tmp_path / f"export-{kind}"
        if not folder.exists():
            export_label_studio(study, folder)
        tasks = json.loads((folder / f"tasks_{number:02d}.json").read_text(encoding="utf-8"))
        wanted: dict = {}
        for place, (task, trial) in enumerate(zip(tasks, study.lists[number], strict=True)):
            task |= {"id": 100 + place, "annotations": [], "predictions": [], "drafts": []}
            for annotator in annotators:
                value = drawn_value(trial, rng)
                wanted |= {(f"annotator{annotator}", trial.trial_id, k): v for k, v in truth(trial, value).items()}
                task["annotations"].append(annotation_of(kind, annotator, value, len(trial.heard)))
        return tasks, wanted

    return annotate


def annotation_of(kind: str, annotator: int, value, n: int) -> dict:
    values = value if kind == "sliders" else [value]
    named = zip(answer_names(kind, n), values, strict=True)
    results = [result_of(kind, name, f"{each:g}" if kind == "ccr" else each) for name, each in named]
    shared = {"was_cancelled": False, "lead_time": 12.5, "created_at": "2026-01-01T10:00:00Z", "id": 5}
    who = {"id": annotator, "email": f"a{annotator}@example.org", "first_name": "Ann"}
    return {**shared, "updated_at": "2026-01-01T10:00:00Z", "completed_by": who, "result": results}


def min_of(tasks: list[dict]) -> list[dict]:
    """As JSON_MIN has it: a choice is bare, a number in a list of one object."""
    return [
        {
            **task["data"],
            "id": task["id"],
            **{r["from_name"]: r["value"]["choices"][0] if "choices" in r["value"] else [r["value"]] for r in results},
            "annotator": each["completed_by"]["id"],
            "annotation_id": each["id"],
            "lead_time": each["lead_time"],
        }
        for task in tasks
        for each in task["annotations"]
        for results in [each["result"]]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_answers_come_back(kind, annotated, tmp_path):
    study, files = study_of(kind), []
    wanted: dict = {}
    for number, annotators in ((0, (7, 8)), (1, (9,))):
        tasks, found = annotated(kind, number, annotators)
        wanted |= found
        for name, value in ((f"json{number}", tasks), (f"min{number}", min_of(tasks))):
            (tmp_path / name).write_text(json.dumps(value))
        files.append(number)
    whole = import_label_studio(study, [tmp_path / f"json{number}" for number in files])
    assert told(whole) == wanted
    assert import_label_studio(study, [tmp_path / f"min{number}" for number in files]) == whole
    assert {each.rt_ms for each in whole} == {12500.0}
    assert "example.org" not in repr(whole)


def test_other_controls_are_read(annotated, tmp_path):
    """A Pairwise tag, which its own SDK refuses, choices A and B, and Rating instead of Number."""
    tasks, _ = annotated("abx", 0)
    wanted = [task["annotations"][0]["result"][0]["value"]["choices"][0] for task in tasks]
    forms = []
    for form in ("pairwise", "letters"):
        changed = copy.deepcopy(tasks)
        for task, choice in zip(changed, wanted, strict=True):
            side, letter = ("left", "A") if choice == "first" else ("right", "B")
            value = {"selected": side} if form == "pairwise" else {"choices": [letter]}
            task["annotations"][0]["result"] = [{"from_name": "answer", "to_name": "answer", "value": value}]
        (tmp_path / form).write_text(json.dumps(changed))
        forms.append(import_label_studio(study_of("abx"), [tmp_path / form]))
    (tmp_path / "whole").write_text(json.dumps(tasks))
    assert forms[0] == forms[1] == import_label_studio(study_of("abx"), [tmp_path / "whole"])
    tasks, wanted_scale = annotated("scale", 0)
    for task in tasks:
        result = task["annotations"][0]["result"][0]
        result |= {"type": "rating", "value": {"rating": result["value"]["number"]}}
    (tmp_path / "rating").write_text(json.dumps(tasks))
    assert told(import_label_studio(study_of("scale"), [tmp_path / "rating"])) == wanted_scale


def test_skipped_tasks_are_empty_unless_answered_later(annotated, tmp_path):
    tasks, _ = annotated("pair", 0)
    first, second, third = (task["annotations"] for task in tasks[:3])
    first[0] |= {"was_cancelled": True, "result": []}
    second.insert(0, {**second[0], "was_cancelled": True, "result": []})
    third.clear()
    (tmp_path / "tasks").write_text(json.dumps(tasks))
    answers = import_label_studio(study_of("pair"), [tmp_path / "tasks"])
    assert len(answers) == len(tasks) - 1
    assert [each.trial_id for each in answers if each.response is None] == ["l00t000"]
    records = [{**task["data"], "annotator": ""} for task in tasks[2:3]] + min_of(tasks[3:])
    (tmp_path / "min").write_text(json.dumps(records))
    assert import_label_studio(study_of("pair"), [tmp_path / "min"]) == answers[2:]


REFUSED = [
    (lambda task: task["data"].update(study="study_0000000000"), "study must be"),
    (lambda task: task["data"].update(trial_id="l05t000"), "trial_id must be one of the study's"),
    (lambda task: task["data"].update(list=1), "list must be 0"),
    (lambda task: task["data"].update(sound_a="s0.wav"), "stimuli of l00t000 must be"),
    (lambda task: task["data"].pop("sound_b"), "sound_b must be there"),
    (lambda task: task.update(data=None), "must have data, an object"),
    (lambda task: task.update(annotations=[1]), "annotation 1: must be an object"),
    (lambda task: task["annotations"][0].update(completed_by=None), "annotator .* must be told by"),
    (lambda task: task["annotations"][0].update(lead_time="long"), "lead_time must be a number"),
    (
        lambda task: task["annotations"][0].update(result=task["annotations"][0]["result"] * 2),
        "answer must be given once",
    ),
    (lambda task: task["annotations"][0]["result"][0].pop("from_name"), "from_name must be there"),
    (
        lambda task: task["annotations"][0]["result"][0].update(value={"choices": ["C"]}),
        "response must be one of first",
    ),
    (
        lambda task: task["annotations"][0]["result"][0].update(value={"choices": ["A", "B"]}),
        "the answer .* must be one",
    ),
    (
        lambda task: task["annotations"][0]["result"][0].update(value={"text": "A"}),
        "the answer .* must be of choices, number",
    ),
]


@pytest.mark.parametrize(("change", "match"), REFUSED, ids=[match for _, match in REFUSED])
def test_records_iv(change, match, annotated, tmp_path):
    tasks, _ = annotated("pair", 0)
    change(tasks[0])
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    with pytest.raises(InputError, match=rf"tasks\.json, record 1(, annotation 1)?: {match}"):
        import_label_studio(study_of("pair"), [tmp_path / "tasks.json"])


def test_files_iv(annotated, tmp_path):
    tasks, _ = annotated("pair", 0)
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(tasks + tasks[:1]))
    last = rf"record {len(tasks) + 1}, annotation 1: participant 'annotator7' has answered l00t000 already"
    with pytest.raises(InputError, match=last):
        import_label_studio(study_of("pair"), [path])
    for text, match in {
        "{": "cannot be read as JSON",
        "{}": "must be a list of tasks",
        "[1]": "record 1: must be",
    }.items():
        path.write_text(text)
        with pytest.raises(InputError, match=rf"tasks\.json.*{match}"):
            import_label_studio(study_of("pair"), [path])
    path.write_text(json.dumps([{**tasks[0]["data"], "annotator": 7, "answer": [{"number": 11}]}]))
    with pytest.raises(InputError, match="record 1: response must be one of first"):
        import_label_studio(study_of("pair"), [path])


def test_files_without_answers_iv(annotated, tmp_path):
    """Tasks that nobody saw, as JSON and as JSON_MIN, and tasks that were all skipped."""
    tasks, _ = annotated("pair", 0)
    (tmp_path / "answered").write_text(json.dumps(tasks))
    unseen = [{**task, "annotations": []} for task in tasks]
    skipped = [{**task, "annotations": [{**task["annotations"][0], "was_cancelled": True}]} for task in tasks]
    for records in (unseen, [{**task["data"], "annotator": ""} for task in tasks], skipped, []):
        (tmp_path / "none.json").write_text(json.dumps(records))
        with pytest.raises(InputError, match=r"none\.json: holds no answer to this study"):
            import_label_studio(study_of("pair"), [tmp_path / "answered", tmp_path / "none.json"])


def test_one_export_in_two_forms_iv(annotated, tmp_path):
    """JSON and JSON_MIN of the same answers are refused, whether both tell numbers or one an address."""
    tasks, wanted = annotated("pair", 0)
    records = min_of(tasks)
    (tmp_path / "json").write_text(json.dumps(tasks))
    (tmp_path / "min").write_text(json.dumps(records))
    twice = r"min, record 1: participant 'annotator7' has answered l00t000 already \(.*json, record 1, annotation 1\)"
    with pytest.raises(InputError, match=twice):
        import_label_studio(study_of("pair"), [tmp_path / "json", tmp_path / "min"])
    (tmp_path / "min").write_text(json.dumps([{**each, "annotator": "a7@example.org"} for each in records]))
    assert list(told(import_label_studio(study_of("pair"), [tmp_path / "min"])).values()) == list(wanted.values())
    alike = r"files must all tell annotators alike, .*json, record 1, .* has a number, .*min, record 1 an address"
    for files in (("json", "min"), ("min", "json")):
        with pytest.raises(InputError, match=alike):
            import_label_studio(study_of("pair"), [tmp_path / name for name in files])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_json_min_against_the_sdk(kind, annotated, tmp_path, run_with_tool):
    """Its own converter makes JSON_MIN of our JSON; both come back the same."""
    tasks, wanted = annotated(kind, 0, (7, 8))
    path, config = tmp_path / "tasks.json", tmp_path / f"export-{kind}" / "config.xml"
    found = []
    for by_number in (True, False):
        given = copy.deepcopy(tasks)
        for each in (annotation for task in given for annotation in task["annotations"]):
            each["completed_by"] = each["completed_by"]["id"] if by_number else each["completed_by"]
        path.write_text(json.dumps(given))
        run_with_tool("label_studio", CONVERT, config, path, tmp_path / "converted")
        found.append(import_label_studio(study_of(kind), [tmp_path / "converted" / "result.json"]))
    assert told(found[0]) == wanted
    assert "example.org" not in repr(found[1])  # though the converter tells addresses where it knows them
    names = {first.participant: second.participant for first, second in zip(*found, strict=True)}
    assert {(names[who], *key): value for (who, *key), value in wanted.items()} == told(found[1])
