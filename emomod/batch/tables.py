"""The tables of a store: Parquet data sets that any tool can query, made from the manifests of its folders.

``pandas.read_parquet(store / "tables" / "runs")`` reads a whole data set. Floats are those of the manifests.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from emomod.batch.store import MANIFEST, TABLES
from emomod.output import whole_file
from emomod.reading.json_files import read_object
from emomod.rescoring import CONTROL_KINDS
from emomod.result import CONTROL_FIELDS, DIRECTIONS

NAMES = ("runs", "shifts")
ROWS_A_PART = 4096  # of runs
TEXT, NUMBER, COUNT = pa.string(), pa.float64(), pa.int64()
ID = {"key": TEXT, "target": TEXT}
RUNS = {
    **ID,
    "path": TEXT,
    "clip_sha256": TEXT,
    "start": NUMBER,
    "seconds": NUMBER,
    "file_seconds": NUMBER,
    "folder": TEXT,
    "before": NUMBER,
    **{f"{name}_{version}": NUMBER for version in DIRECTIONS for name in ("after", "shift")},
    **{f"moved_further_{version}": COUNT for version in DIRECTIONS},
    **{
        f"{name}_{kind}_{version}": COUNT if name == "n" else NUMBER
        for version in DIRECTIONS
        for kind in CONTROL_KINDS
        for name in CONTROL_FIELDS
    },
    "gain_db": NUMBER,
    "static_gain_db": NUMBER,
    "identity_snr_db": NUMBER,
    "n_components": COUNT,
    "n_positive": COUNT,
    "n_negative": COUNT,
    "n_masks": COUNT,
    "surrogate_r2": NUMBER,
    "clip_r2": NUMBER,
    "warnings": TEXT,
}
SHIFTS = {
    **ID,
    "name": TEXT,
    "level": TEXT,
    "before": NUMBER,
    **{
        name: NUMBER
        for version in DIRECTIONS
        for name in (version, f"shift_{version}", *(f"p_{kind}_{version}" for kind in CONTROL_KINDS))
    },
}
COLUMNS = {"runs": RUNS, "shifts": SHIFTS}


def run_row(record: Mapping[str, Any], *, key: str, folder: str) -> dict[str, Any]:
    """The row of a run in ``tables/runs``, from the content of its run.json; ``folder`` is within the store."""
    target = record["target"]
    score = {version: _score(levels, target) for version, levels in record["predictions"].items()}
    row = {
        "key": key,
        "target": target,
        "path": record["clip"],
        "clip_sha256": record["clip_sha256"],
        **record["window"],
        "folder": folder,
        "before": score["before"],
        "surrogate_r2": record["surrogate_r2"][target],
        "warnings": "; ".join(record["warnings"]),
    }
    for version in DIRECTIONS:
        row[f"after_{version}"] = score[version]
        row[f"shift_{version}"] = record["shifts"][version][target]
        row[f"moved_further_{version}"] = len(record["moved_further"][version])
        for kind, figures in record["controls"][version].items():
            row |= {f"{name}_{kind}_{version}": figures[name] for name in CONTROL_FIELDS}
    return row | {name: record[name] for name in RUNS if name not in row}


def _score(levels: Mapping[str, Mapping[str, float]], target: str) -> float:
    return next(named[target] for named in levels.values() if target in named)


def update_tables(store: Path, folders: Mapping[str, Path]) -> None:
    """Add the rows of windows' ``folders``, by key, that are missing; make the tables anew where they do not agree."""
    runs, shifts = (_keys_in(store / TABLES / name) for name in NAMES)
    if runs != shifts or runs - folders.keys():
        remake_tables(store, folders.values())
    else:
        add_to_tables(store, (folder for key, folder in folders.items() if key not in runs))


def unequal_keys(store: Path, folders: Mapping[str, Path]) -> set[str]:
    """The keys that have a folder and not a row in each table, or the reverse."""
    return set[str]().union(*(_keys_in(store / TABLES / name) ^ folders.keys() for name in NAMES))


def _keys_in(folder: Path) -> set[str]:
    """The keys whose rows a data set holds."""
    read = parquet.read_table
    return {key for part in sorted(folder.glob("*.parquet")) for key in read(part, columns=["key"])["key"].to_pylist()}


def add_to_tables(store: Path, folders: Iterable[Path]) -> None:
    """Add the rows of windows' folders, a part for so many rows; none is there half."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
    for folder in folders:
        manifest = read_object(folder / MANIFEST)
        for name in NAMES:
            rows[name] += manifest[name]
        if len(rows["runs"]) >= ROWS_A_PART:
            _write_parts(store, rows)
    if rows["runs"]:
        _write_parts(store, rows)


def _write_parts(store: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Write a part of each table, named by the keys that it holds, and empty ``rows``; the runs come last."""
    keys = sorted({row["key"] for row in rows["runs"]})
    part = hashlib.sha256("".join(keys).encode()).hexdigest()[:16]
    for name in reversed(NAMES):
        folder = store / TABLES / name
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / f"{part}.parquet") as partial:
            parquet.write_table(_table(rows[name], COLUMNS[name]), partial)
        rows[name].clear()


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any]) -> pa.Table:
    ordered = sorted(rows, key=lambda row: (row["key"], row["target"]))
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in columns} for row in ordered], schema=pa.schema(list(columns.items()))
    )


def remake_tables(store: Path, folders: Iterable[Path]) -> None:
    """Make the tables anew from the folders."""
    for name in NAMES:
        for part in (store / TABLES / name).glob("*.parquet*"):
            part.unlink()
    add_to_tables(store, folders)


def read_rows(store: str | Path, name: str) -> list[dict[str, Any]]:
    """The rows of a table, "runs" or "shifts", in the order of keys and targets."""
    parts = sorted((Path(store) / TABLES / name).glob("*.parquet"))
    rows = [row for part in parts for row in parquet.read_table(part).to_pylist()]
    return sorted(rows, key=lambda row: (row["key"], row["target"]))
