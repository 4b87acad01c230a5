"""Results of webMUSHRA, as its `write.php` appends them to results/TESTID/lss.csv and lms.csv.

These files have no session id: the test id tells list and listener, and a code that the listener typed, if there is
one, the participant. A header is written once, by the first session; rows of another length (a changed questionnaire)
are read from their end, where their columns are fixed, and have no code. Ratings are padded (" 7 "), and "NA" is no
answer. Rows of a multi-stimulus page stand in the order in which webMUSHRA showed the versions. Times are ms on the
page. Rows of the level check are no answers.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from emomod.errors import InputError
from listening_study.csv_rows import Row, optional_number, read_rows
from listening_study.exporters.presented import sounds_of
from listening_study.exporters.sequences import sequence_name
from listening_study.exporters.webmushra import CHECK, CODE, IN_SEQUENCE
from listening_study.importers.collect import Found, at, collected, files_of, trial_told
from listening_study.package import Study
from listening_study.responses import said
from listening_study.table import Answer, Given, Session, study_id

HEAD = "session_test_id"
TAIL = ["trial_id", "stimuli_rating", "stimuli", "rating_time"]
TEST_ID = re.compile(r"(?P<study>study_[0-9a-f]{10})_l(?P<list>\d+)_(?P<code>p\d+)", re.ASCII)
TABLES = ("lss.csv", "lms.csv")


@dataclass(frozen=True)
class Rating:
    """A row of results."""

    place: str
    test_id: str
    participant: str
    trial_id: str
    rating: str
    sound: str
    time: str


def import_webmushra(study: Study, files: Sequence[str | Path]) -> tuple[Answer, ...]:
    """The answers in ``files``: lss.csv and lms.csv, or folders `results`, of which those of this study are read.

    InputError names the file and row that is refused.
    """
    paths = [path for file in files_of(files) for path in _tables(study, Path(file))]
    return collected(study, (found for path in paths for found in _found(study, path)))


def _tables(study: Study, path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [each for name in TABLES for each in sorted(path.glob(f"{study_id(study)}_*/{name}"))]
    if not found:
        raise InputError(f"{path}: must have folders {study_id(study)}_* with {' or '.join(TABLES)}")
    return found


def _found(study: Study, path: Path) -> Iterator[Found]:
    header, rows = read_rows(path, ragged=True)
    if header[0] != HEAD or header[-len(TAIL) :] != TAIL:
        wanted = ", ".join([HEAD, "...", *TAIL])
        raise InputError(f"{path}, row 1: must have the columns {wanted}, got {', '.join(header)}")
    ratings = [rating for row in rows if (rating := _rating(row)).trial_id != CHECK]
    for _, group in groupby(ratings, key=lambda each: (each.test_id, each.participant, each.trial_id)):
        yield from _answers(study, list(group))


def _rating(row: Row) -> Rating:
    if len(row.line) < 1 + len(TAIL):
        raise InputError(f"{row.place}: must have at least {1 + len(TAIL)} cells, got {len(row.line)}")
    with at(row.place):
        match = TEST_ID.fullmatch(row.line[0].strip())
        if not match:
            raise InputError(f"{HEAD} must be one of this export, got {row.line[0]!r}")
    participant = row.cells.get(CODE, "").strip() or match["code"]
    trial_id, rating, sound, time = (cell.strip() for cell in row.line[-len(TAIL) :])
    return Rating(row.place, row.line[0].strip(), participant, trial_id, rating, sound, time)


def _answers(study: Study, ratings: list[Rating]) -> Iterator[Found]:
    """The answers of rows that follow each other and are of one trial: one each, or of sliders one for a whole page."""
    first = ratings[0]
    match = TEST_ID.fullmatch(first.test_id)
    with at(first.place):
        trial = trial_told(study, first.trial_id, told_study=match["study"] if match else "")
        if not match or int(match["list"]) != trial.list:
            raise InputError(f"trial_id must be of the list that {HEAD} names, got {first.test_id}, {first.trial_id}")
    session = Session(first.participant, f"{first.test_id}/{first.participant}", source_format="webmushra")
    if trial.trial_type != "sliders":
        wanted = sequence_name(study, trial) if trial.trial_type in IN_SEQUENCE else sounds_of(study, trial)[0]
        for each in ratings:
            with at(each.place):
                if each.sound != wanted:
                    raise InputError(f"stimuli of {trial.trial_id} must be {wanted}, got {each.sound!r}")
                given = Given(said(trial, each.rating), rt_ms=optional_number("rating_time", each.time))
            yield Found(each.place, trial, session, given)
        return
    names = [each.sound for each in ratings]
    with at(first.place):
        if sorted(names) != sorted(sounds_of(study, trial)):
            raise InputError(f"{trial.trial_id} must have a row for each of its versions, got {' '.join(names)}")
        places = [names.index(name) for name in sounds_of(study, trial)]
        value = said(trial, [ratings[place].rating for place in places])
        time = optional_number("rating_time", first.time)
    yield Found(first.place, trial, session, Given(value, rt_ms=time, places=tuple(place + 1 for place in places)))
