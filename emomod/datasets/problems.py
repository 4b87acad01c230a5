"""What is wrong with a dataset: every fault with its file and row, all of them at once.

Readers append to one list of problems and go on, so that a user sees everything in one run. ``settle`` then decides:
by default any problem is an error; whoever wants to go on without the clips in question says so and gets the list.
"""

import csv
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from emomod.errors import InputError
from emomod.reading.cells import plain_cell

SHOWN = 20  # problems in a message; all of them are in the error's ``problems``


@dataclass(frozen=True)
class Problem:
    """One fault of a dataset."""

    file: str
    row: int | None  # line as a text editor counts, or row of a sheet; None: the file as a whole
    what: str

    def __str__(self) -> str:
        row = "" if self.row is None else f", row {self.row}"
        return f"{self.file}{row}: {self.what}"


class DatasetError(InputError):
    """A dataset has problems; ``problems`` holds all of them, the message the first ones.

    ``can_skip``: clips would be left without those that problems name.
    """

    def __init__(self, problems: Iterable[Problem], *, can_skip: bool = False) -> None:
        self.problems = ordered(problems)
        self.can_skip = can_skip
        super().__init__("\n".join(listing(self.problems)))


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by file and row, each once; those of a file as a whole come first."""
    return tuple(sorted(set(problems), key=lambda problem: (problem.file, problem.row or 0, problem.what)))


def listing(problems: Sequence[Problem]) -> list[str]:
    """Lines that a reader sees: the number of problems, then the first of them."""
    number = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
    more = [f"... and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    return [f"{number} in the dataset", *(str(problem) for problem in problems[:SHOWN]), *more]


def settle(problems: Iterable[Problem], *, skip_bad: bool, n_left: int) -> tuple[Problem, ...]:
    """Return ``problems`` in order if the caller goes on without what they name; else raise DatasetError.

    Nobody can go on when no clip is left.
    """
    found = ordered(problems)
    if found and not (skip_bad and n_left):
        raise DatasetError(found, can_skip=n_left > 0)
    return found


def check_problems_file(path: str | Path) -> None:
    """Raise InputError where ``write_problems`` could not write ``path``; nothing stays behind."""
    target, partial = _target(path)
    try:
        partial.touch()
    except OSError as error:
        raise InputError(f"problems: {target} cannot be written ({error.strerror})") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _target(path: str | Path) -> tuple[Path, Path]:
    """The file to write and the one that becomes it; InputError where the first is a folder."""
    target = Path(path)
    if target.is_dir():
        raise InputError(f"problems: {target} is a folder; name a file")
    return target, target.with_name(f".{target.name}.partial")


def write_problems(path: str | Path, problems: Sequence[Problem]) -> None:
    """Write all problems as CSV with the columns file, row, what; with no problems there is only the header.

    InputError when the file cannot be written; nothing is left half-written.
    """
    target, partial = _target(path)
    try:
        with partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "row", "what"])
            writer.writerows([plain_cell(value) for value in astuple(problem)] for problem in problems)
        os.replace(partial, target)
    except OSError as error:
        raise InputError(f"problems: {target} cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
