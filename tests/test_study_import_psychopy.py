"""Results as PsychoPy writes them, wide and with all columns of the conditions: they come back, or are refused."""

import csv
from pathlib import Path

import pytest
from test_study_table import KINDS, drawn_value, study_of, told, truth

from emomod.errors import InputError
from listening_study.exporters.psychopy import export_psychopy
from listening_study.importers.psychopy import import_psychopy

CODES = {"pair": ["first", "same", "second"], "abx": ["first", "second"]}


@pytest.fixture
def session_of(tmp_path, rng):
    """A function that draws the rows of a session from an exported list."""

    def draw(kind: str, number: int, participant: str) -> tuple[list[dict[str, str]], dict]:
        study = study_of(kind)
        folder = tmp_path / f"export-{kind}"
        if not folder.exists():
            export_psychopy(study, folder)
        with (folder / f"list_{number:02d}.csv").open(newline="", encoding="utf-8") as file:
            conditions = list(csv.DictReader(file))
        info = {"participant": participant, "session": "001", "date": "2026-01-01_10h00.00.000", "expName": "study"}
        info["psychopyVersion"] = "2026.2.5"
        empty = dict.fromkeys(conditions[0], "")
        rows = [{**empty, "trials.thisN": "", **answered(kind, None), **info, "": ""}]
        wanted: dict = {}
        for place, (row, trial) in enumerate(zip(conditions, study.lists[number], strict=True)):
            value = drawn_value(trial, rng)
            wanted |= {(participant, trial.trial_id, name): each for name, each in truth(trial, value).items()}
            rows.append({**row, "trials.thisN": str(place), **answered(kind, value), **info, "": ""})
        return rows, wanted

    return draw


def answered(kind: str, value) -> dict[str, str]:
    """The columns of the sliders; the last of several was moved at 1.25 s."""
    if kind == "sliders":
        cells = {f"answer_{place}.response": f"{each}" for place, each in enumerate(value or [""] * 4, 1)}
        return cells | {
            "answer_1.rt": "1.25" if value else "",
            "answer_2.rt": "0.5" if value else "",
            "answer_3.rt": "",
        }
    tick = "" if value is None else f"{CODES[kind].index(value) + 1}" if kind in CODES else f"{value}"
    return {"answer.response": tick, "answer.rt": "1.25" if tick else ""}


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    """As PsychoPy does: with a byte order mark and an empty last column."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_answers_come_back(kind, session_of, tmp_path):
    study, files = study_of(kind), []
    wanted: dict = {}
    for number, participant in ((0, "ann"), (1, "ben"), (1, "7")):
        rows, found = session_of(kind, number, participant)
        wanted |= found
        files.append(write_rows(tmp_path / f"{participant}.csv", rows))
    answers = import_psychopy(study, files)
    assert told(answers) == wanted
    assert {each.rt_ms for each in answers} == {1250.0}
    assert answers[0].session == "ann_001_2026-01-01_10h00.00.000"
    assert answers[0].software_version == "PsychoPy 2026.2.5"


def test_columns_are_those_that_the_export_asks_for_iv(session_of, tmp_path):
    readme = {kind: export_psychopy(study_of(kind), tmp_path / kind) / "README.md" for kind in ("pair", "sliders")}
    assert "A slider named `answer` with" in readme["pair"].read_text(encoding="utf-8")
    assert "Sliders named `answer_1`, `answer_2`, ..." in readme["sliders"].read_text(encoding="utf-8")
    rows, _ = session_of("pair", 0, "ann")
    renamed = [{name.replace("answer.", "slider."): cell for name, cell in row.items()} for row in rows]
    path = write_rows(tmp_path / "ann.csv", renamed)
    with pytest.raises(InputError, match=r"ann\.csv, row 1: must have the columns answer\.response"):
        import_psychopy(study_of("pair"), [path])


def test_files_without_answers_iv(session_of, tmp_path):
    """Of a session that was broken off before the first trial, and of one in which nothing was answered."""
    rows, _ = session_of("pair", 0, "ann")
    more, _ = session_of("pair", 1, "ben")
    whole = write_rows(tmp_path / "ben.csv", more)
    for kept in (rows[:1], [{**row, "answer.response": ""} for row in rows]):
        path = write_rows(tmp_path / "ann.csv", kept)
        with pytest.raises(InputError, match=r"ann\.csv: holds no answer to this study"):
            import_psychopy(study_of("pair"), [whole, path])


REFUSED = [
    ({"study_id": "study_0000000000"}, "study must be"),
    ({"trial_id": "l05t000"}, "trial_id must be one of the study's"),
    ({"trial_id": ""}, "trial_id must be there where there is an answer"),
    ({"list_id": "1"}, "list must be 0"),
    ({"sound_a": "stimuli/s1.wav"}, "stimuli of l00t000 must be"),
    ({"answer.response": "4"}, "response must be one of first, same, second, got '4'"),
    ({"answer.rt": "fast"}, r"answer\.rt must be a number"),
    ({"answer.rt": "-1"}, "rt_ms must be a finite number in 0..inf"),
    ({"participant": ""}, "participant must be there"),
]


@pytest.mark.parametrize(("changes", "match"), REFUSED, ids=lambda each: str(each)[:30])
def test_rows_iv(changes, match, session_of, tmp_path):
    rows, _ = session_of("pair", 0, "ann")
    rows[1] |= changes
    with pytest.raises(InputError, match=rf"ann\.csv, row 3: {match}"):
        import_psychopy(study_of("pair"), [write_rows(tmp_path / "ann.csv", rows)])


def test_a_session_twice_iv(session_of, tmp_path):
    rows, _ = session_of("pair", 0, "ann")
    files = [write_rows(tmp_path / f"{name}.csv", rows) for name in ("a", "b")]
    with pytest.raises(InputError, match=r"b\.csv, row 3: participant 'ann' has answered l00t000 already"):
        import_psychopy(study_of("pair"), files)


def test_no_answer_is_an_empty_response(session_of, tmp_path):
    rows, _ = session_of("pair", 0, "ann")
    rows[1]["answer.response"] = "None"
    answers = import_psychopy(study_of("pair"), [write_rows(tmp_path / "ann.csv", rows)])
    assert [each.response for each in answers].count(None) == 1
