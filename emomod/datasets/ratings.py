"""Numbers and ratings of a table's rows: each song once, each rating a number within its scale.

A rating is turned into a score by a factor of 0.1, as the original system did.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.datasets.problems import Problem
from emomod.datasets.tables import Row, Table
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES

TO_SCORE = 0.1  # a score for a point of a rating


@dataclass(frozen=True)
class Numbered:
    """The rows of a table by the number of their song."""

    file: str
    rows: dict[int, Row]  # rows that are whole and alone with their number
    seen: dict[int, int]  # every number that occurs, with its first row


@dataclass(frozen=True, eq=False)
class Ratings:
    """The rows of a rating file that can be used."""

    file: str
    rows: dict[int, int]  # row of each number, in order of the numbers
    scores: dict[
        int, NDArray[np.float64]
    ]  # [15] in the order of SCORE_NAMES, 0..1, NaN: not rated; of the same numbers
    seen: dict[int, int]  # every number that occurs, with its first row


def read_number(text: str) -> int | None:
    """A song's number as a table or a file's name has it; None where it is none.

    >>> read_number("007"), read_number("7.0"), read_number("7b")
    (7, 7, None)
    """
    return int(text.partition(".")[0]) if re.fullmatch(r"[0-9]{1,9}(\.0*)?", text) else None


def by_number(table: Table, column: str, *, problems: list[Problem]) -> Numbered:
    """Sort the rows of a table by the song's number in ``column``; appends to ``problems``.

    Where a number occurs twice nobody can tell which row is right, so that neither is kept.
    """
    rows: dict[int, Row] = {}
    seen: dict[int, int] = {}
    for row in table.rows:
        number = read_number(row.cells[column])
        if number is None:
            if not row.faulty:
                what = f"{column} must be a whole number, got {row.cells[column]!r}"
                problems.append(Problem(table.file, row.number, what))
        elif number in seen:
            what = f"{column} {number} is already in row {seen[number]}; neither row can be used"
            problems.append(Problem(table.file, row.number, what))
            rows.pop(number, None)
        else:
            seen[number] = row.number
            if not row.faulty:
                rows[number] = row
    return Numbered(table.file, rows, seen)


def read_rating(text: str, *, high: float) -> float:
    """A rating in 1..``high``; InputError says what it is instead.

    >>> read_rating("4.83", high=9)
    4.83
    """
    if not text:
        raise InputError("is empty")
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        raise InputError(f"has a decimal comma: {text!r}; write {text.replace(',', '.')}")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text, re.ASCII):
        raise InputError(f"must be a number, got {text[:60]!r}")
    if not 1.0 <= (rating := float(text)) <= high:
        raise InputError(f"must be a rating in 1..{high:g}, got {text}")
    return rating


def read_ratings(
    table: Table, *, number: str, scores: Mapping[str, str], high: float, problems: list[Problem]
) -> Ratings:
    """Read the ratings 1..``high`` of a table; appends to ``problems``, one for each bad cell.

    ``number`` is the column of the song's number; ``scores`` gives each rating's column its score's name. Rows whose
    number cannot be used are read all the same, to tell all that is wrong with them.
    """
    numbered = by_number(table, number, problems=problems)
    whole = [row for row in table.rows if not row.faulty]
    read = {row.number: _row_scores(table.file, row, scores, high=high, problems=problems) for row in whole}
    found = {song: values for song, row in sorted(numbered.rows.items()) if (values := read[row.number]) is not None}
    return Ratings(table.file, {song: numbered.rows[song].number for song in found}, found, numbered.seen)


def _row_scores(
    file: str, row: Row, scores: Mapping[str, str], *, high: float, problems: list[Problem]
) -> NDArray[np.float64] | None:
    """The scores [15] of a row; None when one of its ratings is bad, which is appended to ``problems``."""
    values, n_before = np.full(len(SCORE_NAMES), np.nan), len(problems)
    for column, score in scores.items():
        try:
            values[SCORE_NAMES.index(score)] = TO_SCORE * read_rating(row.cells[column], high=high)
        except InputError as fault:
            problems.append(Problem(file, row.number, f"{column} {fault}"))
    return values if len(problems) == n_before else None
