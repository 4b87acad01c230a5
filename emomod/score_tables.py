"""Scores of clips from a table that somebody has: of an earlier call, of a rendered corpus, or of listeners."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emomod.datasets.problems import DatasetError, Problem
from emomod.datasets.ratings import read_number
from emomod.datasets.tables import Row, Table, read_table
from emomod.effects import ClipScores
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.reading.cells import unescaped

BEYOND = 2.0  # scores are on about 0..1; ratings on 1..10 are far outside
RULE = "must be a score on 0..1 (ratings x 0.1)"


def load_scores(path: str | Path) -> ClipScores:
    """Read a table of scores with a column ``clip``, the 7 mid-level features, and perhaps the 8 emotions.

    scores.csv of ``emomod effects`` and labels.csv of a rendered corpus are such tables; other columns are left alone.
    DatasetError (an InputError) lists every problem with its row.
    """
    problems = list[Problem]()
    needed, known = ("clip", *MIDLEVEL_NAMES), ("file", "n_windows", *EMOTION_NAMES)
    table = read_table(Path(path), columns=needed, optional=known, separator=",", problems=problems)
    if table is None:
        raise DatasetError(problems)
    given = [name for name in EMOTION_NAMES if name in table.rows[0].cells]
    if given and len(given) < len(EMOTION_NAMES):
        what = f"must have all {len(EMOTION_NAMES)} emotions or none, got {', '.join(given)}"
        problems.append(Problem(table.file, None, what))
    names = _names(table, problems=problems)
    midlevel, emotions = (_numbers(table, columns, problems=problems) for columns in (MIDLEVEL_NAMES, given))
    if problems:
        raise DatasetError(problems)
    return ClipScores(
        names,
        tuple(unescaped(row.cells.get("file", "")) for row in table.rows),
        tuple(read_number(row.cells.get("n_windows", "")) or 0 for row in table.rows),
        midlevel,
        emotions if given else None,
    )


def _names(table: Table, *, problems: list[Problem]) -> tuple[str, ...]:
    """The clips' names; appends to ``problems`` where one is empty or was there before."""
    seen = {""}
    for row in table.rows:
        name = unescaped(row.cells["clip"])
        if name in seen and not row.faulty:
            what = f"clip must be a name that no other row has, got {name!r}"
            problems.append(Problem(table.file, row.number, what))
        seen.add(name)
    return tuple(unescaped(row.cells["clip"]) for row in table.rows)


def _numbers(table: Table, columns: Sequence[str], *, problems: list[Problem]) -> NDArray[np.float64]:
    """The scores [n_rows, n_columns]; appends to ``problems`` for each cell that is none."""
    found = np.full((len(table.rows), len(columns)), np.nan)
    for index, row in enumerate(table.rows):
        found[index] = [_score(row, column) for column in columns]
        problems += [
            Problem(table.file, row.number, f"{column} {RULE}, got {row.cells[column]!r}")
            for column, value in zip(columns, found[index], strict=True)
            if math.isnan(value) and not row.faulty
        ]
    return found


def _score(row: Row, column: str) -> float:
    """The score in a cell; NaN where there is none."""
    try:
        value = float(row.cells[column])
    except ValueError:
        return math.nan
    return value if abs(value) <= BEYOND else math.nan
