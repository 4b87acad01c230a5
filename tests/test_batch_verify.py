import csv
import json
import os
import shutil

import pytest
from small_batches import small_store

from emomod.batch.store import found_keys, held
from emomod.batch.tables import read_rows
from emomod.batch.verify import MOST_TOLD, Verified, verify_store
from emomod.cli.main import main
from emomod.errors import InputError
from emomod.output import write_csv


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    store = small_store(tmp_path_factory.mktemp("made"), n_clips=2)
    rows = [
        {"path": f"{key}.wav", "start": 0.0, "key": key, "folder": "x", "state": "done", "tries": 1, "error": ""}
        for key in found_keys(store)
    ]
    write_csv(store / "clips.csv", rows)
    return store


@pytest.fixture
def store(made, tmp_path):
    return shutil.copytree(made, tmp_path / "store")


def test_verify_store_against_the_design_whole(store, capsys):
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    found = verify_store(store)
    assert found == Verified(2, {}, (), True, (), (), 0)
    assert (found.healthy, found.as_text()) == (True, "2 windows are whole")
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before
    assert main(["store", "verify", str(store), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["healthy"] is True


def test_verify_store_against_the_design_damage_and_repair(store, capsys):
    folders = sorted(found_keys(store).values())
    with open(folders[0] / "energy" / "enhanced.wav", "r+b") as file:
        file.write(b"JUNK")
    assert main(["store", "verify", str(store)]) == 1
    told = capsys.readouterr().out
    name = folders[0].relative_to(store)
    key = folders[0].name.rpartition("-")[2]
    for line in (
        "1 windows are whole",
        f"damaged: {name}: energy/enhanced.wav was changed",
        f"missing: {key}.wav at 0 s",
        "the tables disagree with the folders about 1 windows",
        "`emomod store verify --repair` removes damaged folders, so that they can be made again",
    ):
        assert line in told.splitlines()
    assert folders[0].is_dir()
    assert main(["store", "verify", str(store), "--repair"]) == 1
    assert "are removed and the tables made anew; `emomod batch`, as it was called, does" in capsys.readouterr().out
    assert list(found_keys(store).values()) == folders[1:]
    assert {row["key"] for row in read_rows(store, "runs")} == set(found_keys(store))
    again = verify_store(store)
    assert (again.damaged, again.missing, again.unequal, again.healthy) == ({}, (f"{key}.wav at 0 s",), 0, False)


def test_verify_store_against_the_design_of_a_link_only_the_link_is_removed(store, tmp_path):
    folder = min(found_keys(store).values())
    folder.rename(tmp_path / "mine")
    folder.symlink_to(tmp_path / "mine")
    assert verify_store(store, repair=True).n_whole == 1
    assert not os.path.lexists(folder)
    assert (tmp_path / "mine" / "manifest.json").is_file()


def test_verify_store_against_the_design_what_a_killed_run_leaves(store):
    (store / "clips.csv").unlink()
    (store / "clips" / "00" / ".a-0.abc.partial").mkdir()
    (store / "clips" / "00" / ".a-0.scores").write_text("")
    shutil.rmtree(store / "tables")
    (store / "clips" / "00" / ".b-1.lock").touch()
    found = verify_store(store)
    assert found.unfinished == tuple(f"clips/00/{name}" for name in (".a-0.abc.partial", ".a-0.scores", ".b-1.lock"))
    assert (found.ended, found.unequal, found.healthy) == (False, 2, False)
    assert not Verified(2, {}, (), False, (), (), 0).healthy
    assert "the last run did not end" in found.as_text()
    assert found.as_text().endswith("does what is missing or failed, and puts the tables right")


def test_verify_store_against_the_design_failures_of_the_last_run(store):
    with open(store / "clips.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    more = [dict(rows[0], path=f"bad{k}.wav", key="", state="failed", error="x") for k in range(MOST_TOLD + 3)]
    write_csv(store / "clips.csv", [*rows, *more])
    found = verify_store(store)
    assert len(found.failed) == MOST_TOLD + 3
    assert not found.healthy
    assert found.as_text().count("failed: bad") == MOST_TOLD
    assert "failed: 3 more (--json tells all)" in found.as_text()


def test_verify_store_iv(store, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    for place in (tmp_path / "other", tmp_path / "absent"):
        with pytest.raises(InputError, match="is not the store of a batch"):
            verify_store(place, repair=True)
        assert main(["store", "verify", str(place)]) == 1
        assert capsys.readouterr().err.count("\n") == 1
    with held(store), pytest.raises(InputError, match="another run is at work"):
        verify_store(store, repair=True)
    (store / "clips.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"clips.csv: cannot be read .*remove it"):
        verify_store(store)
