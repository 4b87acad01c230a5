import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from small_batches import small_store

from emomod.batch import tables as stage
from emomod.batch.store import MANIFEST, found_keys
from emomod.batch.tables import COLUMNS, NAMES, read_rows, remake_tables, unequal_keys, update_tables
from emomod.errors import InputError
from emomod.output import PARTIAL


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store with windows whose keys begin alike, so that they share a part."""
    store = small_store(tmp_path_factory.mktemp("made"), n_clips=2)
    for key, folder in found_keys(store).items():
        for digit in "08f":
            other = key[:2] + digit * 18
            copy = shutil.copytree(folder, folder.with_name(f"{digit}-{other}"))
            text = (copy / MANIFEST).read_text()
            (copy / MANIFEST).write_text(text.replace(folder.name, copy.name).replace(key, other))
    update_tables(store, found_keys(store))
    return store


@pytest.fixture
def store(made, tmp_path):
    return shutil.copytree(made, tmp_path / "store")


def manifests(store):
    return {key: json.loads((folder / MANIFEST).read_text()) for key, folder in found_keys(store).items()}


def contents(store):
    return {str(path.relative_to(store)): path.read_bytes() for path in (store / "tables").rglob("*.parquet")}


def removed(store):
    shutil.rmtree(store / "tables")


@pytest.mark.parametrize("name", NAMES)
def test_tables_against_the_manifests_to_the_bit(store, name):
    written = {(row["key"], row["target"], row.get("name")): row for m in manifests(store).values() for row in m[name]}
    found = read_rows(store, name)
    assert len(found) == len(written)
    for row in found:
        assert row == dict.fromkeys(COLUMNS[name]) | written[row["key"], row["target"], row.get("name")]
    assert {(row["key"], row["target"]) for row in found} == {(key, t) for key in manifests(store) for t in
                                                               ("articulation", "energy")}  # fmt: skip


def test_tables_against_run_json(store):
    for row in read_rows(store, "runs"):
        run = json.loads((store / row["folder"] / "run.json").read_text())
        assert row["shift_enhanced"] == run["shifts"]["enhanced"][row["target"]]
        assert (row["clip_sha256"], row["path"], row["gain_db"]) == (run["clip_sha256"], run["clip"], run["gain_db"])


@pytest.mark.parametrize("name", NAMES)
def test_tables_against_pandas_a_data_set_is_read_as_a_whole(store, name):
    frame = pd.read_parquet(store / "tables" / name)
    assert list(frame.columns) == list(COLUMNS[name])
    assert len(frame) == len(read_rows(store, name))
    assert frame["before"].dtype == np.float64


def test_tables_against_the_design_missing_values_are_missing(store):
    key, folder = next(iter(found_keys(store).items()))
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["runs"][0]["clip_r2"] = None
    del manifest["runs"][1]["clip_r2"]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    remake_tables(store, found_keys(store))
    frame = pd.read_parquet(store / "tables" / "runs")
    assert frame["clip_r2"].isna().tolist() == (frame["key"] == key).tolist()


def test_update_tables_against_itself_the_order_of_things_does_not_matter(store):
    whole = contents(store)
    removed(store)
    folders = found_keys(store)
    for n in (1, 4, 7, 8):
        update_tables(store, dict(sorted(folders.items(), reverse=True)[:n]))
    assert contents(store) == whole
    update_tables(store, dict(list(folders.items())[:1]))  # as when folders were removed
    assert unequal_keys(store, folders) == set(list(folders)[1:])
    update_tables(store, folders)
    assert contents(store) == whole


def test_update_tables_against_the_design_what_is_right_is_not_written_again(store):
    before = {path: path.stat().st_ino for path in (store / "tables").rglob("*.parquet")}
    key, folder = next(iter(found_keys(store).items()))
    shutil.rmtree(folder)
    update_tables(store, found_keys(store))
    after = {path: path.stat().st_ino for path in (store / "tables").rglob("*.parquet")}
    assert {path.stem for path in before.keys() - after.keys()} <= {key[0]}
    assert all(after[path] == inode for path, inode in before.items() if path.stem != key[0])


def test_update_tables_regression_a_crash_between_the_two_tables(store, monkeypatch):
    whole = contents(store)
    removed(store)
    real, written = stage._write, list[Path]()

    def crash(part, tables):
        if written:
            raise KeyboardInterrupt
        written.append(part)
        real(part, tables)

    monkeypatch.setattr(stage, "_write", crash)
    with pytest.raises(KeyboardInterrupt):
        update_tables(store, found_keys(store))
    monkeypatch.undo()
    assert len(contents(store)) == 1
    assert unequal_keys(store, found_keys(store)) == set(found_keys(store))
    update_tables(store, found_keys(store))
    assert contents(store) == whole


def test_update_tables_regression_a_crash_while_a_part_is_written(store, monkeypatch):
    whole = contents(store)
    removed(store)

    def torn(rows, path):
        path.write_bytes(b"PAR1")
        raise KeyboardInterrupt

    monkeypatch.setattr(parquet, "write_table", torn)
    with pytest.raises(KeyboardInterrupt):
        update_tables(store, found_keys(store))
    monkeypatch.undo()
    assert (store / "tables" / f"shifts{PARTIAL}").is_file()
    assert contents(store) == {}
    update_tables(store, found_keys(store))
    assert contents(store) == whole
    assert sorted(path.name for path in (store / "tables").iterdir()) == ["runs", "shifts"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("left", (b"", b"PAR1", None))
def test_update_tables_against_the_design_torn_parts_are_made_anew(store, name, left):
    whole = contents(store)
    part = min((store / "tables" / name).iterdir())
    part.write_bytes(part.read_bytes()[:-100] if left is None else left)
    assert "" in unequal_keys(store, found_keys(store))
    update_tables(store, found_keys(store))
    assert contents(store) == whole


def test_update_tables_against_the_design_rows_of_other_columns_are_made_anew(store):
    whole = contents(store)
    part = min((store / "tables" / "runs").iterdir())
    parquet.write_table(pa.table({"cle": ["x"]}), part)
    update_tables(store, found_keys(store))
    assert contents(store) == whole


def test_update_tables_iv_a_manifest_that_cannot_be_read(store):
    removed(store)
    folder = min(found_keys(store).values())
    (folder / MANIFEST).write_text("{}")
    with pytest.raises(InputError, match=r"holds rows that no table can .*store verify .* --repair` removes"):
        update_tables(store, found_keys(store))
