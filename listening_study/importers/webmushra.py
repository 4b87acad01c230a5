"""Results of webMUSHRA: the tables that its `write.php` appends to, or the posts that our server kept.

Both have the test id, which tells list and listener, and a code that the listener typed, if there is one, as the
participant. Ratings "NA" are no answer. The ratings of a multi-stimulus page stand in the order in which webMUSHRA
showed the versions. Times are ms on the page. Ratings of the level check are no answers.

A session that was sent again, as by a second press of the last button, counts once: ratings and times are the same.

results/TESTID/lss.csv, of sliders lms.csv: without session id. A header is written once, by the first session; rows of
another length are read from their end, where their columns are fixed. Longer ones are of a session that was sent again,
which has its questionnaire twice; shorter ones, of a changed questionnaire, have no code. Ratings are padded (" 7 ").

webmushra.jsonl: a line for each post, {"at_ms", "body": "sessionJSON=" and JSON as the page sent it}. Lines that do not
name the study are left out: other tests', and whatever else is sent to an open address.

Source: webMUSHRA's service/write.php and lib/webmushra/datamodel (07130f2).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from emomod.errors import InputError
from emomod.reading.json_files import MOST_BYTES, parse_json
from emomod.reading.text import read_text
from listening_study.csv_rows import Row, optional_number, read_rows
from listening_study.exporters.webmushra import CHECK, CODE, page_sounds
from listening_study.importers.collect import Found, at, collected, text_of, trial_told
from listening_study.package import Study
from listening_study.responses import said
from listening_study.server.webmushra import BEFORE
from listening_study.table import Answer, Given, Session, study_id

HEAD = "session_test_id"
TAIL = ["trial_id", "stimuli_rating", "stimuli", "rating_time"]
TEST_ID = re.compile(r"(?P<study>study_[0-9a-f]{10})_l(?P<list>\d{1,6})_(?P<code>p\d{1,9})", re.ASCII)
POSTS = ".jsonl"


@dataclass(frozen=True)
class Rating:
    """What was said of one sound."""

    place: str
    test_id: str
    participant: str  # "" where no code was typed
    trial_id: str
    rating: str
    sound: str
    time: str


def import_webmushra(study: Study, files: Sequence[str | Path]) -> tuple[Answer, ...]:
    """The answers in ``files``: tables, folders `results`, of which those of this study are read, or webmushra.jsonl.

    InputError names the file and row, or line, that is refused.
    """
    return collected(study, files, lambda file: _found(study, file))


def _found(study: Study, file: Path) -> Iterator[Found]:
    ratings = _of_posts(study, file) if file.suffix.casefold() == POSTS else _of_tables(study, file)
    rated = (each for each in ratings if each.trial_id != CHECK)
    before: dict[tuple[str, str, str], list[tuple[str, str, str]]] = {}
    for key, group in groupby(rated, key=lambda each: (each.test_id, each.participant, each.trial_id)):
        same = list(group)
        said_of = [(each.sound, each.rating, each.time) for each in same]
        if before.setdefault(key, said_of) is said_of or before[key] != said_of:  # not the same session, sent again
            yield from _answers(study, same)


# ---- tables ----------------------------------------------------------------------------------------------------------


def _of_tables(study: Study, path: Path) -> Iterator[Rating]:
    name = "lms.csv" if study.plan.trial_type == "sliders" else "lss.csv"
    tables = sorted(path.glob(f"{study_id(study)}_*/{name}")) if path.is_dir() else [path]
    if not tables:
        raise InputError(f"{path}: must have folders {study_id(study)}_* with {name}")
    for table in tables:
        header, rows = read_rows(table, ragged=True)
        if header[0] != HEAD or header[-len(TAIL) :] != TAIL:
            wanted = ", ".join([HEAD, "...", *TAIL])
            raise InputError(f"{table}, row 1: must have the columns {wanted}, got {', '.join(header):.300}")
        code = header.index(CODE) if CODE in header else None
        yield from (_of_row(row, None if code is None or len(row.line) < len(header) else code) for row in rows)


def _of_row(row: Row, code: int | None) -> Rating:
    """The rating of a row whose cell number ``code`` is the code that was typed."""
    if len(row.line) < 1 + len(TAIL):
        raise InputError(f"{row.place}: must have at least {1 + len(TAIL)} cells, got {len(row.line)}")
    trial_id, rating, sound, time = (cell.strip() for cell in row.line[-len(TAIL) :])
    participant = "" if code is None else row.line[code].strip()
    return Rating(row.place, row.line[0].strip(), participant, trial_id, rating, sound, time)


# ---- posts -----------------------------------------------------------------------------------------------------------


def _of_posts(study: Study, path: Path) -> Iterator[Rating]:
    lines = read_text(path, most=MOST_BYTES).split("\n")
    for number, line in enumerate(lines, 1):
        if study_id(study) in line:
            with at(f"{path}, line {number}"):
                session = _session(line)
                ratings = list(_of_session(f"{path}, line {number}", session))
            yield from ratings


def _session(line: str) -> dict[str, Any]:
    """The session that a page posted."""
    body = _parsed("a line", line).get("body")
    if not isinstance(body, str) or not body.startswith(BEFORE):
        raise InputError(f"body must begin with {BEFORE}, got {str(body)[:80]!r}")
    return _parsed("a post", body.removeprefix(BEFORE))


def _parsed(name: str, text: str) -> dict[str, Any]:
    try:
        found = parse_json(text)
    except InputError as error:
        raise InputError(f"{name} must be JSON ({error})") from None
    return _an_object(name, found)


def _of_session(place: str, session: dict[str, Any]) -> Iterator[Rating]:
    test_id, questionnaire = text_of(session, "testId"), _an_object("participant", session.get("participant"))
    names, responses = (_a_list(name, questionnaire.get(name)) for name in ("name", "response"))
    told = dict(zip(map(str, names), responses, strict=False)).get(CODE)
    participant = "" if told is None else str(told).strip()
    for trial in _a_list("trials", session.get("trials")):
        trial_id = text_of(_an_object("a trial", trial), "id")
        for each in _a_list("responses", trial.get("responses")):
            sound = text_of(_an_object("a response", each), "stimulus")
            rating = each.get("stimulusRating")
            if isinstance(rating, list) and len(rating) == 1:
                rating = rating[0]
            if not isinstance(rating, str):
                raise InputError(f"stimulusRating of {trial_id} must be one text, got {rating!r:.200}")
            time = str(each.get("time", ""))
            yield Rating(f"{place}, {trial_id}", test_id, participant, trial_id, rating.strip(), sound, time)


def _an_object(name: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise InputError(f"{name} must be an object, got {str(found)[:80]!r}")
    return found


def _a_list(name: str, found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise InputError(f"{name} must be a list, got {str(found)[:80]!r}")
    return found


# ---- answers ---------------------------------------------------------------------------------------------------------


def _answers(study: Study, ratings: list[Rating]) -> Iterator[Found]:
    """The answers of ratings that follow each other and are of one trial: one each, of sliders one for a whole page."""
    first = ratings[0]
    with at(first.place):
        match = TEST_ID.fullmatch(first.test_id)
        if not match:
            raise InputError(f"{HEAD} must be one of this export, got {first.test_id!r:.200}")
        number = str(int(match["list"]))
        trial = trial_told(study, first.trial_id, told_study=match["study"], told_list=number)
        sounds = page_sounds(study, trial, match["code"])
    participant = first.participant or match["code"]
    session = Session(participant, f"{first.test_id}/{participant}", source_format="webmushra")
    if trial.trial_type != "sliders":
        for each in ratings:
            with at(each.place):
                if each.sound != sounds[0]:
                    raise InputError(f"stimuli of {trial.trial_id} must be {sounds[0]}, got {each.sound!r:.200}")
                given = Given(said(trial, each.rating), rt_ms=optional_number("rating_time", each.time))
            yield Found(each.place, trial, session, given)
        return
    names = [each.sound for each in ratings]
    with at(first.place):
        if sorted(names) != sorted(sounds):
            raise InputError(f"{trial.trial_id} must have a row for each of its versions, got {' '.join(names):.300}")
        places = [names.index(name) for name in sounds]
        value = said(trial, [ratings[place].rating for place in places])
        time = optional_number("rating_time", first.time)
    yield Found(first.place, trial, session, Given(value, rt_ms=time, places=tuple(place + 1 for place in places)))
