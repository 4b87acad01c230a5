"""Output folders and files that appear whole or not at all, and JSON without NaN."""

import csv
import errno
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from emomod.alone import alone
from emomod.errors import InputError
from emomod.reading.cells import plain_cell

NO_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # full, over a quota, read-only
PARTIAL, EARLIER = ".partial", ".earlier"  # suffixes of folders on their way in and out
SCORES = ".scores"  # of what is kept so that a job can go on
VERSIONS = ("original", "enhanced", "weakened", "positive", "negative")
RECORDS = frozenset(
    {"run.json", "explanation.json", "modification.json", "effects.json", "compare.json", "analysis.json", "steer.json"}
    | {"summary.json"}
)
OURS = (
    RECORDS
    | {f"{name}.wav" for name in VERSIONS}
    | {"explanation.npz", "shifts.csv", "components.csv", "figures", "report.html"}
    | {"report.md"}
    | {
        f"{name}.csv"
        for name in ("agreement", "versions", "preferences", "selectivity", "detected", "ledger", "listeners")
    }
    | {"effects.csv", "scores.csv", "correlations.csv", "effects.html", "compare.csv", "compare.html"}
    | {"steered.wav", "points.csv", "steps"}
    | {"batch.csv"}
)


def is_ours(folder: Path) -> bool:
    """True for a folder that holds what emomod writes and nothing else."""
    names = {path.name for path in folder.iterdir()}
    return bool(names & RECORDS) and names <= OURS


def check_writable(folder: Path) -> None:
    """Raise InputError when a folder, there or yet to be made, cannot be written."""
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    for existing in (nearest, folder.parent):
        if existing.exists() and not existing.is_dir():
            raise InputError(f"out: {existing} is a file, not a folder")
        if existing.exists() and not (existing.stat().st_mode & 0o222 and os.access(existing, os.W_OK | os.X_OK)):
            raise InputError(f"out: the folder {existing} is read-only")


def check_output(out: str | Path, *, inputs: Iterable[str | Path] = ()) -> Path:
    """Return ``out`` as an absolute path that may be written: new, empty, or an earlier output of emomod alone.

    Links are followed. ``inputs`` are files or folders that are still needed, so that they must not lie in ``out``.
    """
    folder = Path(out).resolve()
    check_writable(folder)
    if not folder.exists() or not any(folder.iterdir()):
        return folder
    if not is_ours(folder):
        raise InputError(
            f"out: {folder} is not empty, and not an earlier result of emomod alone that may be replaced; "
            "name a new folder"
        )
    for needed in (*inputs, Path.cwd()):
        if folder in (Path(needed).resolve(), *Path(needed).resolve().parents):
            raise InputError(f"out: {folder} would be replaced, but {needed} lies in it; name another folder")
    return folder


def scores_file(out: str | Path) -> Path:
    """Where scores of a job are kept until its folder ``out`` is written, so that the job can go on when stopped."""
    folder = Path(out).resolve()
    return folder.with_name(f".{folder.name}{SCORES}")


@contextmanager
def new_folder(out: str | Path, *, inputs: Iterable[str | Path] = ()) -> Iterator[Path]:
    """Yield a temporary folder that becomes ``out`` when all went well and disappears when it did not.

    What a killed process left of an earlier attempt goes first; what was kept for it to go on goes last.
    """
    tidy(Path(out).resolve())
    folder = check_output(out, inputs=inputs)
    made = [parent for parent in folder.parents if not parent.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=PARTIAL, dir=folder.parent))
    except OSError as error:
        raise InputError(f"out: {folder.parent} cannot be written ({error.strerror})") from None
    try:
        with alone(partial) as check_there:
            partial.chmod(0o755)
            yield partial
            check_there()
            _replace(folder, partial)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
        if isinstance(error, OSError) and error.errno in NO_DISK:
            raise InputError(f"out: {folder} cannot be written ({error.strerror})") from None
        raise
    scores_file(folder).unlink(missing_ok=True)


def tidy(folder: Path) -> None:
    """Undo what a process that was killed while it wrote ``folder`` left beside it; living ones are left alone.

    A result that it had set aside, to put its own in that place, is put back.
    """
    try:
        beside = [path for path in folder.parent.iterdir() if path.name.startswith(f".{folder.name}.")]
    except OSError:
        return
    for path in beside:
        with suppress(InputError, FileNotFoundError):
            if path.suffix == EARLIER and not folder.exists():
                os.replace(path, folder)
            elif path.suffix in (PARTIAL, EARLIER) and path.is_dir():
                with alone(path):
                    shutil.rmtree(path, ignore_errors=True)


def _replace(folder: Path, partial: Path) -> None:
    """Put ``partial`` in the place of ``folder``; what was there goes last."""
    earlier = partial.with_suffix(EARLIER)
    if folder.exists():
        os.replace(folder, earlier)
    os.replace(partial, folder)
    shutil.rmtree(earlier, ignore_errors=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield the path of a file beside ``target`` that takes its place when all went well, else disappears."""
    if not target.parent.is_dir():
        raise InputError(f"{target}: cannot be written, since {target.parent} is not a folder")
    partial = target.with_name(f"{target.name}.partial")
    try:
        yield partial
        os.replace(partial, target)
    except OSError as error:
        if error.errno in NO_DISK:
            raise InputError(f"{target}: cannot be written ({error.strerror})") from None
        raise
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_csv(path: str | Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows with the same keys, at least one, as CSV; floats with six significant digits.

    No spreadsheet runs a text as a formula: emomod.reading.cells says how that is written, and read again.
    """
    with open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writerow({key: plain_cell(key) for key in rows[0]})
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else plain_cell(value)


def finite(value: Any) -> Any:
    """Return ``value`` with NaN and infinity, which JSON does not know, as None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(value: Any) -> str:
    """Return ``value`` as indented JSON text."""
    return json.dumps(finite(value), indent=1, allow_nan=False)
