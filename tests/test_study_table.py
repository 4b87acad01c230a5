"""The table of answers: what responses speak of, what is refused, and files that come back."""

import csv
import math
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_studies import small_study

from emomod.errors import InputError
from emomod.reading.cells import escaped, unescaped
from listening_study.conditions import ORIGINAL
from listening_study.csv_rows import read_rows
from listening_study.package import Study
from listening_study.questions import LOUDNESS
from listening_study.table import (
    COLUMNS,
    Answer,
    Given,
    Session,
    answers_of,
    check_answers,
    predicted_of,
    read_table,
    study_id,
    to_frame,
    write_table,
)
from listening_study.trials import Trial

KINDS = ("pair", "ccr", "sliders", "scale", "abx")
FOLDER = tempfile.TemporaryDirectory()


def study_of(kind: str, language: str = "en") -> Study:
    """A small study of a trial type, made once for all tests of a process."""
    return _study_of(kind, language)


@cache
def _study_of(kind: str, language: str) -> Study:
    folder = Path(FOLDER.name) / f"{kind}-{language}"
    folder.mkdir()
    return small_study(folder, trial_type=kind, lists=2, language=language)


def drawn_value(trial: Trial, rng: np.random.Generator):
    """What a listener might say, in terms of what was presented."""
    if trial.trial_type == "sliders":
        return [float(each) for each in rng.integers(0, 101, size=len(trial.heard))]
    of_kind: dict[str, list] = {
        "pair": ["first", "same", "second"],
        "abx": ["first", "second"],
        "ccr": [float(step) for step in range(-3, 4)],
        "scale": [float(step) for step in range(1, 10)],
    }
    choices = of_kind[trial.trial_type]
    return choices[int(rng.integers(len(choices)))]


def truth(trial: Trial, value) -> dict[str, float]:
    """Responses by condition, worked out from the order presented alone."""
    if trial.trial_type == "sliders":
        return dict(zip(trial.heard, value, strict=True))
    if trial.trial_type == "scale":
        return {trial.condition: value}
    if trial.trial_type == "abx":
        return {trial.condition: float(trial.heard[2] == trial.heard[0 if value == "first" else 1])}
    toward_second = {"first": -1.0, "same": 0.0, "second": 1.0}[value] if trial.trial_type == "pair" else value
    return {trial.condition: toward_second if trial.heard[0] != trial.condition else 0.0 - toward_second}


def told(answers) -> dict[tuple[str, str, str], float | None]:
    """Responses by participant, trial and condition."""
    found = {(each.participant, each.trial_id, each.condition): each.response for each in answers}
    assert len(found) == len(answers)
    return found


def all_answers(study: Study, rng: np.random.Generator) -> list[Answer]:
    """A listener for each list."""
    return [
        answer
        for number, trials in enumerate(study.lists)
        for trial in trials
        for answer in answers_of(
            study,
            trial,
            session=Session(f"p{number}", f"session{number}", "desktop", True, "test", "1"),
            given=Given(drawn_value(trial, rng), 3.0, 1234.5, 5000.0, 2.0, 3.0),
        )
    ]


@pytest.fixture
def pair():
    return study_of("pair")


# ---- what a response says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_responses_against_the_order_presented(kind, rng):
    study = study_of(kind)
    for trial in study.lists[1]:
        value = drawn_value(trial, rng)
        answers = answers_of(study, trial, session=Session("p", "s"), given=Given(value))
        assert {each.condition: each.response for each in answers} == truth(trial, value)
        for place, each in enumerate(answers):
            assert each.position == (place + 1 if kind == "sliders" else trial.position)
            assert study.stimuli[each.stimulus].condition == each.condition
            assert study.stimuli[each.stimulus].sha256 == each.stimulus_sha256
            assert (each.other_stimulus == "") == (each.other == "") == (kind in ("sliders", "scale"))
            assert (each.trial_index, each.phase) == (trial.place, trial.phase)


def test_pair_and_ccr_against_theory():
    """The version is second and has more: both speak for it."""
    for kind, value, wanted in (("pair", "second", 1.0), ("ccr", 3.0, 3.0)):
        study = study_of(kind)
        trial = next(each for each in study.lists[0] if each.position == 2)
        (answer,) = answers_of(study, trial, session=Session("p", "s"), given=Given(value))
        assert answer.response == wanted
        turned = replace(trial, heard=trial.heard[::-1])
        (answer,) = answers_of(study, turned, session=Session("p", "s"), given=Given(value))
        assert answer.response == -wanted


def test_no_answer_is_an_empty_response():
    study = study_of("sliders")
    answers = answers_of(study, study.lists[0][0], session=Session("p", "s"), given=Given(None))
    assert [each.response for each in answers] == [None] * 4
    assert check_answers(study, answers) == answers


@pytest.mark.parametrize(
    ("kind", "value", "match"),
    [
        ("pair", "A", "response must be one of first, same, second, got 'A'"),
        ("abx", "same", "response must be one of first, second"),
        ("ccr", 4.0, "response must be a finite number in -3..3, got 4"),
        ("scale", 0.0, "in 1..9"),
        ("scale", math.nan, "in 1..9"),
        ("sliders", [1.0, 2.0], "response must be 4 numbers"),
        ("sliders", [1.0, 2.0, 3.0, 101.0], "in 0..100"),
    ],
)
def test_values_iv(kind, value, match):
    study = study_of(kind)
    with pytest.raises(InputError, match=match):
        answers_of(study, study.lists[0][0], session=Session("p", "s"), given=Given(value))


# ---- the model's prediction ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_against_the_study(kind, rng):
    study = study_of(kind)
    answers = all_answers(study, rng)
    for answer, shift in zip(answers, predicted_of(study, answers), strict=True):
        if answer.attribute == LOUDNESS:
            assert math.isnan(shift)
        else:
            assert shift == study.predicted(answer.item, answer.condition, answer.attribute)
            assert answer.condition != ORIGINAL or shift == 0.0


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_comes_back(kind, rng, tmp_path):
    study = study_of(kind)
    answers = all_answers(study, rng)
    answers[-1] = replace(answers[-1], response=None, confidence=None, rt_ms=0.1, headphone_pass=None)
    path = write_table(tmp_path / "answers.csv", answers)
    assert read_table(path, study=study) == tuple(answers)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["headphone_pass"] == "1"
    assert rows[-1]["response"] == ""
    assert [path.name for path in tmp_path.iterdir()] == ["answers.csv"]


@given(st.text())
def test_escaped_text_against_itself(text):
    cell = escaped(text)
    assert unescaped(cell) == text
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_no_cell_is_a_formula(pair, rng, tmp_path):
    evil = [replace(each, participant="=cmd|' /C calc'!A0", device="@SUM(A1)") for each in all_answers(pair, rng)]
    evil = [replace(each, session=f"{each.participant}{each.list}", software_version="-1+1") for each in evil]
    path = write_table(tmp_path / "answers.csv", evil)
    assert read_table(path, study=pair) == tuple(evil)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["participant"] == "'=cmd|' /C calc'!A0"
    assert (rows[0]["device"], rows[0]["software_version"]) == ("'@SUM(A1)", "'-1+1")
    assert {row["response"] for row in rows} == {"-1", "0", "1"}  # numbers stay numbers
    cells = [cell for row in rows for name, cell in row.items() if name != "response"]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_a_frame_has_the_columns_and_numbers(pair, rng):
    pytest.importorskip("pandas")
    answers = all_answers(pair, rng)
    answers[0] = replace(answers[0], response=None, headphone_pass=None)
    frame = to_frame(answers)
    assert tuple(frame.columns) == COLUMNS
    assert {frame[name].dtype.kind for name in ("list", "trial_index", "position")} == {"i"}
    numbers = ["response", "confidence", "rt_ms", "listened_ms", "n_plays", "n_switches", "headphone_pass"]
    assert all(frame[name].dtype == np.float64 for name in numbers)
    assert frame[["response", "headphone_pass"]].isna().sum().tolist() == [1, 1]
    assert frame["other"].tolist() == [each.other for each in answers]
    assert tuple(to_frame([]).columns) == COLUMNS


# ---- refusals --------------------------------------------------------------------------------------------------------

CHANGES = [
    ({"study": "study_0000000000"}, "study must be study_.*, got 'study_0000000000', another study's"),
    ({"trial_id": "l09t000"}, "trial_id must be one of the study's, got 'l09t000'"),
    ({"list": "1"}, "list must be 0 in l00t000, got 1"),
    ({"stimulus": "s00000000000000"}, "stimulus must be 'x.*' in l00t000, got 's00000000000000'"),
    ({"condition": "unknown"}, "condition must be"),
    ({"position": "7"}, "position must be"),
    ({"attribute": "sad"}, "attribute must be 'articulation'"),
    ({"stimulus_sha256": "0"}, "stimulus_sha256 must be"),
    ({"response": "2"}, r"response must be a finite number in -1..1, got 2"),
    ({"response": "0.5"}, "response must be a whole number, got 0.5"),
    ({"response": "yes"}, "response must be a number, got 'yes'"),
    ({"response": "inf"}, "response must be a finite number"),
    ({"confidence": "6"}, "confidence must be a finite number in 1..5"),
    ({"rt_ms": "-1"}, "rt_ms must be a finite number in 0..inf"),
    ({"position": "1.5"}, "position must be a whole number, got '1.5'"),
    ({"headphone_pass": "yes"}, "headphone_pass must be 1, 0 or empty, got 'yes'"),
    ({"participant": ""}, "participant must not be empty"),
    ({"participant": "a\nb"}, "participant must be without control characters"),
]


def changed(path: Path, row: int, changes: dict[str, str]) -> Path:
    """The table with cells of a row (from 0, below the header) changed."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[row] |= changes
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize(("changes", "match"), CHANGES, ids=lambda each: str(each)[:40])
def test_tables_iv(pair, rng, tmp_path, changes, match):
    path = changed(write_table(tmp_path / "answers.csv", all_answers(pair, rng)), 0, changes)
    with pytest.raises(InputError, match=f"answers.csv, row 2: {match}"):
        read_table(path, study=pair)


def test_doubled_answers_iv(pair, rng):
    answers = all_answers(pair, rng)
    with pytest.raises(InputError, match=rf"answer {len(answers) + 1}: participant 'p0' has .* \(answer 1\)"):
        check_answers(pair, [*answers, answers[0]])
    stolen = [replace(each, session="session0") for each in answers]
    with pytest.raises(InputError, match="session 'session0' is already that of participant 'p0', list 0"):
        check_answers(pair, stolen)


def test_incomplete_sliders_iv(rng):
    study = study_of("sliders")
    with pytest.raises(InputError, match="answer 1: l00t000 must have a row for each version"):
        check_answers(study, all_answers(study, rng)[1:])
    swapped = [replace(each, position=5 - each.position) for each in all_answers(study, rng)]
    assert check_answers(study, swapped) == tuple(swapped)
    with pytest.raises(InputError, match="position must be 1 in l00t000, got 5"):
        check_answers(study, [replace(swapped[0], position=5), *swapped[1:]])


def test_files_iv(pair, rng, tmp_path):
    path = write_table(tmp_path / "answers.csv", all_answers(pair, rng))
    text = path.read_text()
    path.write_text(text.replace("trial_id,", "trial,", 1))
    with pytest.raises(InputError, match="row 1: must have the columns trial_id"):
        read_table(path)
    path.write_text("".join(f"more,{line}\n" for line in text.splitlines()))
    with pytest.raises(InputError, match="a table of answers has no column more"):
        read_table(path)
    path.write_text(text + "one,two\n")
    with pytest.raises(
        InputError, match=rf"row {text.count(chr(10)) + 1}: must have 26 cells as the header has, got 2"
    ):
        read_table(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="it is not UTF-8"):
        read_table(path)
    with pytest.raises(InputError, match=r"nowhere\.csv: there is no such file"):
        read_table(tmp_path / "nowhere.csv")


def test_rows_iv(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('a,b\n1,"open\n2,3\n')
    with pytest.raises(InputError, match="row 2: cannot be read as CSV from here on"):
        read_rows(path)
    path.write_text("a,a\n1,2\n")
    with pytest.raises(InputError, match="has more than one column a"):
        read_rows(path)
    path.write_text("")
    with pytest.raises(InputError, match="is empty"):
        read_rows(path)
    path.write_text('\ufeffa,b\r\n\r\n"1\r\n2",3\r\n4,\u2028\r\n', encoding="utf-8", newline="")
    _, rows = read_rows(path)
    assert [(row.place.rpartition(" ")[2], row.cells) for row in rows] == [
        ("3", {"a": "1\r\n2", "b": "3"}),
        ("5", {"a": "4", "b": "\u2028"}),
    ]


def test_a_study_has_one_id():
    assert study_id(study_of("pair")) == study_id(study_of("pair")) != study_id(study_of("ccr"))
