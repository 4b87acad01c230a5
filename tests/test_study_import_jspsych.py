"""Results of the jsPsych page, written as jsPsych and JATOS write them: they come back, or are refused by name."""

import csv
import json
from pathlib import Path

import pytest
from test_study_table import KINDS, drawn_value, study_of, told, truth

from emomod.errors import InputError
from listening_study.exporters.sound_names import sounds_of
from listening_study.importers.jspsych import import_jspsych
from listening_study.table import study_id


def heard_of(trial) -> list[int]:
    """What is listened to of each sound of a trial, ms."""
    return [1500 + 100 * place for place in range(len(trial.heard))]


def records_of(study, number: int, rng, participant: str) -> list[dict]:
    """A session as jsPsych has it, and with it pages of text."""
    shared = {"study": study_id(study), "list": number, "participant": participant, "session": f"{participant}{number}"}
    shared |= {"device": "tablet", "software": "jsPsych 8.3.0, emomod 0.1.0", "plugin_version": "1.0.0"}
    shared["simulated"] = False
    level = {"trial_type": "emomod-level", "volume": 60}
    records: list[dict] = [{**level, "trial_index": 0, "time_elapsed": 800, **shared}]
    for trial in study.lists[number]:
        answer = {"response": drawn_value(trial, rng), "rt_ms": 2345, "sounds": list(sounds_of(study, trial))}
        did = {"listened_ms": heard_of(trial), "n_plays": 1, "n_switches": 2, "confidence": 4}
        record = {"trial_type": "emomod-compare", "trial_id": trial.trial_id, **answer, **did, **shared}
        records.append({**record, "trial_index": len(records), "time_elapsed": 1000 * len(records)})
    return records


def write_records(path: Path, records: list[dict]) -> Path:
    """As jsPsych writes CSV: every cell quoted, CRLF, the union of keys in the order first seen, arrays as JSON."""
    names = list(dict.fromkeys(name for record in records for name in record))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, quoting=csv.QUOTE_ALL, lineterminator="\r\n", restval="")
        writer.writeheader()
        for record in records:
            writer.writerow({k: json.dumps(v) if isinstance(v, (list, bool)) else v for k, v in record.items()})
    return path


def wanted_of(study, sessions: list[list[dict]]) -> dict:
    trials = {trial.trial_id: trial for trials in study.lists for trial in trials}
    return {
        (record["participant"], record["trial_id"], condition): response
        for records in sessions
        for record in records[1:]
        for condition, response in truth(trials[record["trial_id"]], record["response"]).items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_answers_come_back(kind, rng, tmp_path):
    study = study_of(kind)
    sessions = [records_of(study, 0, rng, "ann"), records_of(study, 1, rng, "ben"), records_of(study, 1, rng, "cyd")]
    csvs = [write_records(tmp_path / f"{k}.csv", records) for k, records in enumerate(sessions)]
    whole = tmp_path / "whole.json"
    whole.write_text(json.dumps([record for records in sessions for record in records], indent=1))
    jatos = tmp_path / "jatos.txt"  # an array of each component's records in a line
    jatos.write_text("".join(f"{json.dumps(part)}\n" for records in sessions for part in (records[:5], records[5:])))
    found = [import_jspsych(study, files) for files in (csvs, [whole], [jatos])]
    assert found[0] == found[1] == found[2]
    assert told(found[0]) == wanted_of(study, sessions)
    each = found[0][0]
    assert (each.rt_ms, each.n_plays, each.n_switches, each.confidence) == (2345.0, 1.0, 2.0, 4.0)
    assert (each.device, each.source_format) == ("tablet", "jspsych")
    trials = {trial.trial_id: trial for trials in study.lists for trial in trials}
    for each in found[0]:
        heard = heard_of(trials[each.trial_id])
        assert each.listened_ms == (heard[each.position - 1] if kind == "sliders" else sum(heard))


REFUSED = [
    ({"study": "study_0000000000"}, "study must be study_.*another study's"),
    ({"trial_id": "l07t000"}, "trial_id must be one of the study's"),
    ({"sounds": ["s0", "s1"]}, "stimuli of l00t000 must be"),
    ({"sounds": []}, "stimuli of l00t000 must be"),
    ({"response": "third"}, "response must be one of first, same, second, got 'third'"),
    ({"response": True}, "response must be"),
    ({"rt_ms": 10**400}, "(int too large|rt_ms must be a finite number)"),
    ({"rt_ms": -5}, "rt_ms must be a finite number in 0..inf"),
    ({"simulated": True}, r"simulated must be false: these answers are drawn by chance \(\?simulate\)"),
    ({"simulated": ""}, "simulated must be there"),
    ({"listened_ms": 1500}, "listened_ms must be a JSON array, got"),
    ({"listened_ms": [1500]}, r"listened_ms must be 2 numbers, one for each sound, got \[1500\]"),
    ({"listened_ms": [1500, -1]}, "listened_ms must be a finite number in 0..inf"),
    ({"confidence": 6}, "confidence must be a finite number in 1..5"),
    ({"list": 1}, "list must be 0, which has l00t000"),
    ({"participant": "  "}, "participant must be there and not empty"),
]


@pytest.mark.parametrize(("changes", "match"), REFUSED, ids=lambda each: str(each)[:30])
def test_records_iv(changes, match, rng, tmp_path):
    study = study_of("pair")
    records = records_of(study, 0, rng, "ann")
    records[1] |= changes
    path = write_records(tmp_path / "a.csv", records)
    with pytest.raises(InputError, match=rf"a\.csv, row 3: {match}"):
        import_jspsych(study, [path])
    (tmp_path / "a.json").write_text(json.dumps(records))
    with pytest.raises(InputError, match=rf"a\.json(, record 2: {match}|: is no JSON \(it has a whole number beyond)"):
        import_jspsych(study, [tmp_path / "a.json"])


def test_files_iv(rng, tmp_path):
    study = study_of("pair")
    records = records_of(study, 0, rng, "ann")
    path, again = write_records(tmp_path / "a.csv", records), write_records(tmp_path / "b.csv", records)
    with pytest.raises(
        InputError, match=r"b\.csv, row 3: participant 'ann' has answered l00t000 already \(.*a\.csv, row 3"
    ):
        import_jspsych(study, [path, again])
    with pytest.raises(InputError, match="files must be at least one"):
        import_jspsych(study, [])
    with pytest.raises(InputError, match="files must be named once"):
        import_jspsych(study, [path, path])
    write_records(again, [{name: value for name, value in each.items() if name != "response"} for each in records])
    with pytest.raises(InputError, match=r"b\.csv, row 1: must have the columns response"):
        import_jspsych(study, [again])
    for text, match in {
        json.dumps(records[:1]): "holds no answer to this study",
        json.dumps(records[:2]) + "\n{": "line 2: is no JSON",
        "[1]": "record 1: must be an object, got '1'",
        json.dumps([{k: v for k, v in records[1].items() if k != "response"}]): "record 1: response must be there",
    }.items():
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(InputError, match=rf"c\.json.*{match}"):
            import_jspsych(study, [tmp_path / "c.json"])
    write_records(again, [{**each, "sounds": "[1"} for each in records])
    with pytest.raises(InputError, match=r"b\.csv, row 3: must be a JSON array"):
        import_jspsych(study, [again])
