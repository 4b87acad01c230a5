"""The results of a batch on disk: a folder for each window of a clip, whole or not there, keyed by what it depends on.

    batch.json             the resolved recipe, model and versions that everything in the store is made with
    clips.csv              every window of the last run: done, or failed and why
    clips/4f/NAME-4f01.../ one window: manifest.json with the hashes of all files, and a folder for each target, as
                           ``emomod run`` writes it
    tables/runs            a Parquet data set: a row for each window and target
    tables/shifts          and one for each of their scores

A folder's name ends in its key: the hash of the clip, the place of the window, the recipe and the model. So what is
there need not be made again, wherever the clip lies now.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emomod.alone import alone
from emomod.audio import file_sha256
from emomod.errors import EmomodError, InputError
from emomod.output import check_writable, to_json, whole_file
from emomod.reading.json_files import read_object

FORMAT = "emomod batch 1"
RECORD, MANIFEST, CLIPS, TABLES = "batch.json", "manifest.json", "clips", "tables"
CLIPS_TABLE = "clips.csv"
SAME = ("format", "emomod", "recipe_sha256", "model")  # of the record: what a store must agree in
KEY_LENGTH = 20  # hexadecimal digits: two of 100 000 windows have the same with a chance of 1 in 10^14
NAME_LENGTH = 40  # of a clip's or a target's name in that of a folder
PROBE = 4 * 2**20  # bytes that must find room, else the disk counts as full: about what one window takes


class StoreError(EmomodError):
    """The store cannot be used any more: no clip is to blame, and the run ends."""


def key_of(clip_sha256: str, start: float, recipe_sha256: str, model_sha256: str) -> str:
    """The key of a window's results."""
    told = json.dumps([FORMAT, clip_sha256, start, recipe_sha256, model_sha256])
    return hashlib.sha256(told.encode()).hexdigest()[:KEY_LENGTH]


def plain_name(text: str) -> str:
    """The text as a name that every file system takes.

    >>> plain_name("L'été / 1"), plain_name("")
    ('L_été___1', '_')
    """
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in text)[:NAME_LENGTH] or "_"


def folder_of(store: Path, path: str, key: str) -> Path:
    """Where the results of a window lie; the file's name is only there for people."""
    return store / CLIPS / key[:2] / f"{plain_name(Path(path).stem)}-{key}"


def found_keys(store: Path) -> dict[str, Path]:
    """The folders that are there, by key."""
    places = (store / CLIPS).glob("??/*") if (store / CLIPS).is_dir() else ()
    return {place.name.rpartition("-")[2]: place for place in places if not place.name.startswith(".")}


def open_store(folder: Path, record: Mapping[str, Any]) -> None:
    """Write batch.json, or see that the one which is there agrees; InputError else."""
    check_writable(folder.resolve())
    path = folder / RECORD
    if path.is_file():
        found = read_record(folder)
        if differing := [name for name in SAME if found.get(name) != record[name]]:
            there, now = (", ".join(str(each.get(name))[:80] for name in differing) for each in (found, record))
            raise InputError(
                f"out: {folder} holds results of another {', '.join(differing)} ({there}; now {now}); name a new folder"
            )
    elif folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"out: {folder} is neither empty nor the store of a batch; name a new folder")
    for first in range(256):
        (folder / CLIPS / f"{first:02x}").mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        with whole_file(path) as partial:
            partial.write_text(to_json(dict(record)) + "\n", encoding="utf-8")


def read_record(folder: Path) -> dict[str, Any]:
    """What batch.json says; InputError where the folder is no store."""
    if not (folder / RECORD).is_file():
        raise InputError(f"{folder}: is not the store of a batch, since it holds no {RECORD}")
    return read_object(folder / RECORD)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the store, which is made if need be, for one run; InputError where another has it."""
    check_writable(folder.resolve())
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        yield


def check_usable(folder: Path) -> None:
    """StoreError where the store has gone, is read-only, or has no room for another window."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        read_record(folder)
        with open(probe, "wb") as file:
            file.write(bytes(PROBE))
            file.flush()
            os.fsync(file.fileno())
    except (InputError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not there any more"
        raise StoreError(f"the store {folder} cannot be written: {reason}") from None
    finally:
        probe.unlink(missing_ok=True)


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest of a window's ``folder``, with size and hash of every file, and have all of it on disk."""
    files = {str(path.relative_to(folder)): _stamp(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    (folder / MANIFEST).write_text(to_json({**content, "files": files}) + "\n", encoding="utf-8")
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _stamp(path: Path) -> list[Any]:
    return [path.stat().st_size, file_sha256(path)]


def damage_of(folder: Path) -> str:
    """What is wrong with a window's folder, by its manifest; empty where nothing is."""
    try:
        manifest = read_object(folder / MANIFEST)
        stamps = {str(name): list(stamp) for name, stamp in manifest["files"].items()}
    except (InputError, KeyError, TypeError, AttributeError) as error:
        return f"its {MANIFEST} cannot be read ({error})"
    if manifest.get("key") != folder.name.rpartition("-")[2]:
        return "its key is not that of its name"
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if not path.is_dir()}
    found.pop(MANIFEST)
    if links := [name for name in found if (folder / name).is_symlink()]:
        return f"{links[0]} is a link"
    if absent := sorted(stamps.keys() - found.keys()):
        return f"{absent[0]} is missing"
    if strange := sorted(found.keys() - stamps.keys()):
        return f"{strange[0]} does not belong there"
    changed = [name for name, stamp in stamps.items() if _stamp(found[name]) != stamp]
    return f"{changed[0]} was changed" if changed else ""
