"""Plain tables filled in by hand: they come back, or are refused by name."""

import csv
from pathlib import Path

import pytest
from test_study_table import KINDS, drawn_value, study_of, told, truth

from emomod.errors import InputError
from listening_study.exporters.plain_csv import export_plain_csv
from listening_study.importers.plain_csv import import_plain_csv
from listening_study.table import read_table, write_table


@pytest.fixture
def filled(tmp_path, rng):
    """A function that gives the rows of a list, filled in by a participant, and what they must come back as."""

    def fill(kind: str, number: int, participant: str) -> tuple[list[dict[str, str]], dict]:
        study, folder = study_of(kind), tmp_path / f"export-{kind}"
        wanted: dict = {}
        if not folder.exists():
            export_plain_csv(study, folder)
        with (folder / f"list_{number:02d}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row, trial in zip(rows, study.lists[number], strict=True):
            value = drawn_value(trial, rng)
            wanted |= {(participant, trial.trial_id, name): each for name, each in truth(trial, value).items()}
            answer = " ".join(f"{each:g}" for each in value) if kind == "sliders" else f" {value} "
            row |= {"participant": participant, "session": f"{participant}1", "answer": answer, "confidence": "4"}
        return rows, wanted

    return fill


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_answers_come_back(kind, filled, tmp_path):
    study = study_of(kind)
    one, wanted = filled(kind, 0, "ann")
    two, more = filled(kind, 1, "ben")
    both = import_plain_csv(study, [write_rows(tmp_path / "both.csv", one + two)])
    assert told(both) == wanted | more
    assert {(each.confidence, each.rt_ms, each.device) for each in both} == {(4.0, None, "")}
    files = [write_rows(tmp_path / f"{number}.csv", rows) for number, rows in enumerate((one, two))]
    assert import_plain_csv(study, files) == both
    assert read_table(write_table(tmp_path / "answers.csv", both), study=study) == both


def test_what_is_not_known_may_be_missing(filled, tmp_path):
    rows, wanted = filled("sliders", 0, "ann")
    rows = [{name: cell for name, cell in row.items() if name not in ("confidence", "device", "rt_ms")} for row in rows]
    rows[0]["answer"] = "1 NA 2 3"
    answers = import_plain_csv(study_of("sliders"), [write_rows(tmp_path / "a.csv", rows)])
    assert [each.response for each in answers[:4]] == [1.0, None, 2.0, 3.0]
    assert told(answers[4:]).items() <= wanted.items()


REFUSED = [
    ({"study": "study_0000000000"}, "study must be"),
    ({"list": "1"}, "list must be 0"),
    ({"trial_id": "t1"}, "trial_id must be one of the study's, got 't1'"),
    ({"sound_b": ""}, "stimuli of l00t000 must be"),
    ({"answer": "both"}, "response must be one of first, same, second, got 'both'"),
    ({"participant": ""}, "participant must be there and not empty"),
    ({"session": ""}, "session must be there and not empty"),
    ({"confidence": "1,5"}, "confidence must be a number, got '1,5'"),
    ({"confidence": "0"}, "confidence must be a finite number in 1..5"),
]


@pytest.mark.parametrize(("changes", "match"), REFUSED, ids=lambda each: str(each)[:30])
def test_rows_iv(changes, match, filled, tmp_path):
    rows, _ = filled("pair", 0, "ann")
    rows[0] |= changes
    with pytest.raises(InputError, match=rf"a\.csv, row 2: {match}"):
        import_plain_csv(study_of("pair"), [write_rows(tmp_path / "a.csv", rows)])


@pytest.mark.parametrize(
    ("kind", "answer", "match"),
    [
        ("ccr", "4", "in -3..3"),
        ("scale", "0", "in 1..9"),
        ("sliders", "1 2 3", "4 numbers"),
        ("scale", "1,5", "number"),
    ],
)
def test_answers_iv(kind, answer, match, filled, tmp_path):
    rows, _ = filled(kind, 0, "ann")
    rows[2]["answer"] = answer
    with pytest.raises(InputError, match=rf"a\.csv, row 4: response must be .*{match}"):
        import_plain_csv(study_of(kind), [write_rows(tmp_path / "a.csv", rows)])


def test_another_studys_file_iv(filled, tmp_path):
    rows, _ = filled("pair", 0, "ann")
    with pytest.raises(InputError, match=r"a\.csv, row 2: study must be study_\w+, got 'study_\w+', another study's"):
        import_plain_csv(study_of("ccr"), [write_rows(tmp_path / "a.csv", rows)])


def test_a_session_of_two_participants_iv(filled, tmp_path):
    one, _ = filled("pair", 0, "ann")
    two, _ = filled("pair", 1, "ben")
    rows = [{**row, "session": "1"} for row in one + two]
    with pytest.raises(
        InputError, match=rf"row {len(one) + 2}: session '1' is already that of participant 'ann', list 0"
    ):
        import_plain_csv(study_of("pair"), [write_rows(tmp_path / "a.csv", rows)])


def test_a_file_without_answers_iv(filled, tmp_path):
    one, _ = filled("pair", 0, "ann")
    two, _ = filled("pair", 1, "ben")
    empty = [{**row, "answer": ""} for row in two]
    files = [write_rows(tmp_path / f"{name}.csv", rows) for name, rows in (("a", one), ("b", empty))]
    with pytest.raises(InputError, match=r"b\.csv: holds no answer to this study"):
        import_plain_csv(study_of("pair"), files)
