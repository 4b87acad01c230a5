import json
import os
import re
import shutil
from pathlib import Path

import pytest
from small_batches import QUICK, small_store

from emomod.alone import alone
from emomod.batch.recipe import recipe_of
from emomod.batch.store import (
    CLIPS,
    MANIFEST,
    RECORD,
    StoreError,
    blaming,
    check_usable,
    damage_of,
    folder_of,
    found_keys,
    held,
    lock_of,
    open_store,
    plain_name,
    sweep,
    write_manifest,
)
from emomod.errors import InputError
from emomod.output import NO_DISK

RECORD_OF = {
    "format": "f",
    "emomod": "1",
    "recipe": {"seed": 0, "method": "lime"},
    "recipe_sha256": "a",
    "model_sha256": "m",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return small_store(tmp_path_factory.mktemp("made"), n_clips=1)


@pytest.fixture
def window(made, tmp_path):
    """The folder of a window, in a store of its own."""
    shutil.copytree(made, tmp_path / "store")
    return next(iter(found_keys(tmp_path / "store").values()))


def test_folder_of_against_the_design_names_are_plain(tmp_path):
    assert folder_of(tmp_path, "/a/../L'été / x.wav", "4f01") == tmp_path / CLIPS / "4f" / "_x-4f01"
    assert folder_of(tmp_path, "..", "4f01").name == "__-4f01"
    assert plain_name("a" * 300) == "a" * 40
    assert len(os.fsencode(folder_of(tmp_path, "é" * 300 + ".wav", "4f01").name)) <= 255


def test_found_keys_against_the_design_not_what_is_hidden(tmp_path):
    for name in ("a-b-4f01", ".c-4f02.partial", ".d-4f03.scores"):
        (tmp_path / CLIPS / "4f" / name).mkdir(parents=True)
    assert found_keys(tmp_path) == {"4f01": tmp_path / CLIPS / "4f" / "a-b-4f01"}
    assert found_keys(tmp_path / "absent") == {}


def test_damage_of_against_the_design_none(window):
    assert damage_of(window) == ""


def change(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def rewritten(window: Path, **changes: object) -> None:
    manifest = json.loads((window / MANIFEST).read_text())
    manifest.update(changes)
    (window / MANIFEST).write_text(json.dumps(manifest))


def files_of(window: Path) -> dict[str, list[object]]:
    return json.loads((window / MANIFEST).read_text())["files"]


def add_name(window: Path, name: str) -> None:
    rewritten(window, files=files_of(window) | {name: [1, "0" * 64]})


DAMAGES = {
    "a flipped bit": (lambda w: change(w / "energy" / "enhanced.wav"), "energy/enhanced.wav was changed"),
    "cut off": (lambda w: os.truncate(w / "energy" / "run.json", 10), "energy/run.json was changed"),
    "a lost file": (lambda w: (w / "energy" / "run.json").unlink(), "energy/run.json is missing"),
    "a lost folder": (lambda w: shutil.rmtree(w / "energy"), "energy/.* is missing"),
    "one file more": (lambda w: (w / "energy" / "notes.txt").write_text("x"), "energy/notes.txt does not belong there"),
    "no manifest": (lambda w: (w / MANIFEST).unlink(), "its manifest.json cannot be read"),
    "an empty manifest": (lambda w: (w / MANIFEST).write_text(""), "its manifest.json cannot be read"),
    "a list": (lambda w: (w / MANIFEST).write_text("[]"), "its manifest.json cannot be read"),
    "no files": (lambda w: rewritten(w, files=None), "its manifest.json cannot be read"),
    "stamps of numbers": (lambda w: rewritten(w, files={"a": 1}), "its manifest.json cannot be read"),
    "empty stamps": (
        lambda w: rewritten(w, files={name: [] for name in files_of(w)}),
        "was changed",
    ),
    "another key": (lambda w: rewritten(w, key="0" * 20), "its key is not that of its name"),
    "a folder of another name": (lambda w: w.rename(w.with_name("c-" + "0" * 20)), "it is no folder"),
    "a name outside": (lambda w: add_name(w, "../../../batch.json"), r"\.\./\.\./\.\./batch.json is missing"),
    "an absolute name": (lambda w: add_name(w, "/etc/passwd"), "/etc/passwd is missing"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_of_against_the_design(window, kind):
    damage, told = DAMAGES[kind]
    damage(window)
    assert re.search(told, damage_of(window)), damage_of(window)


@pytest.mark.parametrize("name", ("energy/run.json", "energy", MANIFEST, "more"))
def test_damage_of_against_the_design_links_are_not_followed(window, tmp_path, name):
    """What a link leads to may be whole today and another thing tomorrow."""
    outside = tmp_path / "outside"
    if (window / name).exists():
        (window / name).rename(outside)
    (window / name).symlink_to(outside)
    assert damage_of(window) == f"{name} is a link, or no file"


def test_damage_of_against_the_design_a_window_that_is_a_link(window, tmp_path):
    window.rename(tmp_path / "elsewhere")
    window.symlink_to(tmp_path / "elsewhere")
    assert damage_of(window) == "it is no folder"


def test_damage_of_against_the_design_a_pipe_is_not_waited_for(window):
    (window / "energy" / "run.json").unlink()
    os.mkfifo(window / "energy" / "run.json")
    assert damage_of(window) == "energy/run.json is a link, or no file"


def test_write_manifest_against_the_design_of_all_files(tmp_path):
    folder = tmp_path / "c-4f01"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "c.txt").write_text("x")
    write_manifest(folder, {"key": "4f01"})
    assert set(json.loads((folder / MANIFEST).read_text())["files"]) == {"a/b/c.txt"}
    assert damage_of(folder) == ""


def test_open_store_against_the_design_twice(tmp_path):
    open_store(tmp_path, RECORD_OF)
    before = (tmp_path / RECORD).read_bytes()
    open_store(tmp_path, RECORD_OF | {"machine": "another"})
    assert (tmp_path / RECORD).read_bytes() == before
    assert len(list((tmp_path / CLIPS).iterdir())) == 256


@pytest.mark.parametrize(
    ("now", "wrong"),
    (
        (
            {"recipe_sha256": "b", "recipe": {"seed": 1, "method": "lime"}},
            "another recipe, which differs in seed; name",
        ),
        ({"model_sha256": "n"}, r"another model_sha256 \(m; now n\); name a new folder"),
        ({"emomod": "2"}, r"another emomod \(1; now 2\)"),
        ({"format": "g"}, "another format"),
    ),
)
def test_open_store_iv_of_something_else(tmp_path, now, wrong):
    open_store(tmp_path, RECORD_OF)
    with pytest.raises(InputError, match=wrong):
        open_store(tmp_path, RECORD_OF | now)


def test_open_store_iv_foreign(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="neither empty nor the store of a batch"):
        open_store(tmp_path, RECORD_OF)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_open_store_iv_a_torn_record(tmp_path):
    (tmp_path / RECORD).write_text('{"format": ')
    with pytest.raises(InputError, match="cannot be read as JSON"):
        open_store(tmp_path, RECORD_OF)


def test_open_store_regression_a_process_that_was_killed_while_it_wrote_the_record(tmp_path):
    (tmp_path / f"{RECORD}.partial").write_text("{")
    open_store(tmp_path, RECORD_OF)
    assert sorted(path.name for path in tmp_path.iterdir()) == [RECORD, CLIPS]


def test_held_iv_two_runs(tmp_path):
    with held(tmp_path / "s"), pytest.raises(InputError, match="another run is at work on it"), held(tmp_path / "s"):
        pass
    with held(tmp_path / "s"):
        pass


def test_check_usable_against_the_design_leaves_nothing(tmp_path):
    open_store(tmp_path, RECORD_OF)
    check_usable(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [RECORD, CLIPS]
    (tmp_path / RECORD).unlink()
    with pytest.raises(StoreError, match="cannot be written: it is not there any more"):
        check_usable(tmp_path)


@pytest.mark.parametrize("error", (InputError("the clip"), OSError("the clip"), ZeroDivisionError()))
def test_blaming_against_the_design(tmp_path, error):
    open_store(tmp_path, RECORD_OF)
    with pytest.raises(type(error), match=r"clip|^$"), blaming(tmp_path):
        raise error
    (tmp_path / RECORD).unlink()
    with pytest.raises(StoreError, match="is not there any more"), blaming(tmp_path):
        raise error


def test_blaming_against_the_design_no_room_for_this_file_but_for_a_small_one(tmp_path):
    open_store(tmp_path, RECORD_OF)
    with pytest.raises(StoreError, match="No space left on device"), blaming(tmp_path):
        raise OSError(NO_DISK[0], "No space left on device")


def test_record_against_the_design_what_it_was_made_with(made):
    record = json.loads((made / RECORD).read_text())
    assert record["recipe_sha256"] == recipe_of({"targets": ["articulation", "energy"], **QUICK}).sha256
    assert record["recipe"]["method_settings"]["n_perturbations"] == 256
    assert record["recipe"]["modify"]["gain_db"] == 6.0
    assert {"python", "torch", "emomod"} <= record["versions"].keys()
    assert len(record["model_sha256"]) == 64


# ---- what killed workers leave ---------------------------------------------------------------------------------------


def left_beside(folder, *suffixes):
    """Files with the names of what belongs to a window that is being written."""
    paths = [folder.with_name(f".{folder.name}{suffix}") for suffix in suffixes]
    for path in paths:
        path.touch()
    return paths


def test_sweep_against_the_design_only_beside_windows_that_are_whole(made, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(made, store)
    [whole] = found_keys(store).values()
    of_whole = [lock_of(whole), *left_beside(whole, ".lock", ".scores"), whole.with_name(f".{whole.name}.abc.partial")]
    of_whole[-1].mkdir()
    of_another = left_beside(whole.with_name("another-0"), ".lock", ".scores")
    (whole.parent / "..strange").touch()
    sweep(store)
    assert not any(path.exists() for path in of_whole)
    assert all(path.exists() for path in of_another)
    assert damage_of(whole) == ""
    assert (whole.parent / "..strange").exists()


def test_sweep_against_the_design_a_worker_at_the_window_is_left_alone(made, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(made, store)
    [whole] = found_keys(store).values()
    [scores] = left_beside(whole, ".scores")
    with alone(lock_of(whole)):
        sweep(store)
        assert scores.exists()
        assert lock_of(whole).exists()
    sweep(store)
    assert not scores.exists()


def test_sweep_against_the_design_what_cannot_be_removed_stays(made, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(made, store)
    [whole] = found_keys(store).values()
    scores = whole.with_name(f".{whole.name}.scores")
    scores.mkdir()
    sweep(store)
    assert scores.is_dir()
    assert not lock_of(whole).exists()
