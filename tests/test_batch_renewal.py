"""Tables that a process of its own renews."""

import os
import shutil
import subprocess
import sys

import pytest
from small_batches import small_store

from emomod.batch.renewal import renew_tables
from emomod.batch.store import MANIFEST, StoreError, found_keys
from emomod.batch.tables import read_rows, remake_tables
from emomod.errors import InputError
from emomod.output import PARTIAL


def test_renew_tables_against_tables_made_here(tmp_path):
    store = small_store(tmp_path)
    rows = {name: read_rows(store, name) for name in ("runs", "shifts")}
    remake_tables(store, {})
    assert read_rows(store, "runs") == []
    renew_tables(store)
    assert {name: read_rows(store, name) for name in rows} == rows
    assert rows["runs"]


def test_renewal_against_the_design_it_ends_with_the_process_that_started_it(tmp_path):
    store = small_store(tmp_path)
    remake_tables(store, {})
    os.mkfifo((store / "tables" / "shifts").with_suffix(PARTIAL))  # where it would write, and waits for ever
    command = [sys.executable, "-P", "-m", "emomod.batch.renewal", str(store)]
    alive, ours = os.pipe()
    with subprocess.Popen(command, stdin=alive) as process:
        os.close(alive)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=10.0)
        os.close(ours)
        assert process.wait(timeout=30.0) == 1


def test_renew_tables_iv(tmp_path, monkeypatch):
    store = small_store(tmp_path)
    remake_tables(store, {})
    (min(found_keys(store).values()) / MANIFEST).write_text("nonsense")
    with pytest.raises(InputError, match=r"store verify .* --repair` removes the folder"):
        renew_tables(store)
    shutil.rmtree(min(found_keys(store).values()))
    shutil.rmtree(store / "tables")
    (store / "tables").write_text("in the way")
    with pytest.raises(StoreError, match=r"could not be written: their process ended \(.*Not a directory"):
        renew_tables(store)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(StoreError, match=r"their process ended \(memory\?\)"):
        renew_tables(store)
