"""The tables of a store: Parquet data sets that any tool can query, made from the manifests of its folders.

``pandas.read_parquet(store / "tables" / "runs")`` reads a whole data set. Floats are those of the manifests.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from emomod.batch.store import MANIFEST, TABLES
from emomod.errors import InputError
from emomod.output import PARTIAL
from emomod.reading.json_files import read_object
from emomod.rescoring import CONTROL_KINDS
from emomod.result import CONTROL_FIELDS, DIRECTIONS

NAMES = ("runs", "shifts")
DIGITS = "0123456789abcdef"  # that a key begins with: a part for each
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
UNREADABLE = (OSError, ValueError, pa.ArrowException)  # of a torn part; ValueError of texts that are not UTF-8
NO_ROWS = (KeyError, TypeError, AttributeError, OverflowError, *UNREADABLE)  # of a manifest that somebody changed


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
    """Have the rows of windows' ``folders``, by key, in the tables, and no others; what is right stays as it is.

    InputError where a manifest cannot be read.
    """
    for digit in DIGITS:
        _update_part(store, digit, {key: folder for key, folder in folders.items() if key.startswith(digit)})


def unequal_keys(store: Path, folders: Mapping[str, Path]) -> set[str]:
    """The keys that have a folder and not a row in each table, or the reverse."""
    return set[str]().union(
        *(
            set[str]().union(*(_keys_in(_part(store, name, digit)) for digit in DIGITS)) ^ folders.keys()
            for name in NAMES
        )
    )


def remake_tables(store: Path, folders: Mapping[str, Path]) -> None:
    """Make the tables anew from the folders."""
    for name in NAMES:
        for part in (store / TABLES / name).glob("*.parquet"):
            part.unlink()
    update_tables(store, folders)


def read_rows(store: str | Path, name: str) -> list[dict[str, Any]]:
    """The rows of a table, "runs" or "shifts", in the order of keys and targets; InputError where one is damaged."""
    rows: list[dict[str, Any]] = []
    for part in sorted((Path(store) / TABLES / name).glob("*.parquet")):
        table = _whole(part, name)
        if table is None:
            raise InputError(f"{part}: is damaged; `emomod store verify {store} --repair` makes the tables anew")
        rows += table.to_pylist()
    return rows


def _update_part(store: Path, digit: str, folders: Mapping[str, Path]) -> None:
    """Update the part of each table whose keys begin with ``digit``.

    A part is a matter of its folders alone, however it came about: rows are sorted. Runs come last, so that a crash
    between the two is seen.
    """
    parts = {name: _part(store, name, digit) for name in NAMES}
    found = {name: _keys_in(part) for name, part in parts.items()}
    if all(keys == folders.keys() for keys in found.values()):
        return
    same = found["runs"] == found["shifts"] and found["runs"] <= folders.keys()
    earlier = {name: _whole(parts[name], name) for name in NAMES if same and found[name]}
    if None in earlier.values():
        earlier, same = {}, False
    new = _tables_of(store, [folder for key, folder in folders.items() if not (same and key in found["runs"])])
    for name in reversed(NAMES):
        _write(parts[name], [*([earlier[name]] if name in earlier else []), new[name]])


def _whole(part: Path, name: str) -> pa.Table | None:
    """A part of a table; None where it cannot be read or has other columns, so that it is made anew."""
    try:
        table = parquet.read_table(part)
        table.validate(full=True)
    except UNREADABLE:
        return None
    return table if table.schema.equals(_schema(COLUMNS[name])) else None


def damage_of_rows(folder: Path) -> str:
    """What is wrong with the rows in a window's manifest; empty where nothing is."""
    try:
        manifest = read_object(folder / MANIFEST)
        for name in NAMES:
            _table(manifest[name], COLUMNS[name])
    except NO_ROWS as error:
        return f"its {MANIFEST} holds rows that no table can ({error!s:.200})"
    return ""


def _part(store: Path, name: str, digit: str) -> Path:
    return store / TABLES / name / f"{digit}.parquet"


def _keys_in(part: Path) -> set[str]:
    """The keys whose rows a part holds; one that cannot be read holds the key "", which no window has."""
    try:
        keys = parquet.read_table(part, columns=["key"])["key"].unique().to_pylist() if part.is_file() else []
    except UNREADABLE:
        return {""}
    return set(keys)


def _tables_of(store: Path, folders: Sequence[Path]) -> dict[str, pa.Table]:
    """What manifests say, by table; InputError names the folder whose manifest cannot be read."""
    rows: dict[str, list[Any]] = {name: [] for name in NAMES}
    try:
        for folder in folders:
            manifest = read_object(folder / MANIFEST)
            for name in NAMES:
                rows[name] += manifest[name]
        return {name: _table(rows[name], COLUMNS[name]) for name in NAMES}
    except NO_ROWS:
        cure = f"`emomod store verify {store} --repair` removes the folder"
        for folder in folders:
            if why := damage_of_rows(folder):
                raise InputError(f"{folder}: {why}; {cure}") from None
        raise


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any]) -> pa.Table:
    picked = [{name: row.get(name) for name in columns} for row in rows]
    return pa.Table.from_pylist(picked, schema=_schema(columns))


def _schema(columns: Mapping[str, Any]) -> pa.Schema:
    return pa.schema(list(columns.items()))


def _write(part: Path, tables: Sequence[pa.Table]) -> None:
    """Write a part, or remove it where it would hold nothing; half of one lies beside the data set, unread."""
    rows = pa.concat_tables(tables).sort_by([("key", "ascending"), ("target", "ascending")])
    part.parent.mkdir(parents=True, exist_ok=True)
    if not len(rows):
        part.unlink(missing_ok=True)
        return
    partial = part.parent.with_suffix(PARTIAL)
    parquet.write_table(rows.combine_chunks(), partial)
    os.replace(partial, part)
