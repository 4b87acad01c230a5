"""The results of a batch on disk: a folder for each window of a clip, whole or not there, keyed by what it depends on.

    batch.json             the resolved recipe and the model of everything in the store; versions of its first run
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
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from emomod.alone import alone
from emomod.audio import file_sha256
from emomod.errors import EmomodError, InputError
from emomod.output import NO_DISK, check_writable, scores_file, tidy, to_json, whole_file
from emomod.reading.json_files import read_object

FORMAT = "emomod batch 1"
RECORD, MANIFEST, CLIPS, TABLES = "batch.json", "manifest.json", "clips", "tables"
LOCK = ".lock"  # how the name ends of what a worker holds while it is at a window
CLIPS_TABLE = "clips.csv"
SAME = ("format", "emomod", "model_sha256", "recipe_sha256")  # of the record: what a store must agree in
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


def lock_of(folder: Path) -> Path:
    """What a worker holds while it is at a window."""
    return folder.with_name(f".{folder.name}{LOCK}")


def check_no_links(store: Path) -> None:
    """InputError where a folder of the store is a link: what lies behind it is not the store's."""
    tables = (store / TABLES).glob("*") if (store / TABLES).is_dir() else ()
    parts = (store / CLIPS).glob("??") if (store / CLIPS).is_dir() else ()
    for place in (store / CLIPS, store / TABLES, *parts, *tables):
        if place.is_symlink():
            raise InputError(f"{place}: is a link, of which a store has none; put the folder itself there")


def found_keys(store: Path) -> dict[str, Path]:
    """The folders that are there, by key; InputError where the store has links."""
    check_no_links(store)
    places = (store / CLIPS).glob("??/*") if (store / CLIPS).is_dir() else ()
    return {place.name.rpartition("-")[2]: place for place in places if not place.name.startswith(".")}


def sweep(store: Path) -> None:
    """Do away with what workers that were killed, or lost the disk, left beside windows they had just finished.

    What another process holds, or what cannot be removed, stays.
    """
    for folder in {path.parent / path.name.split(".")[1] for path in (store / CLIPS).glob("??/.*")}:
        if (folder / MANIFEST).is_file():
            with suppress(InputError, OSError), alone(lock_of(folder)):
                tidy(folder)
                scores_file(folder).unlink(missing_ok=True)


def open_store(folder: Path, record: Mapping[str, Any]) -> None:
    """Write batch.json, or see that the one which is there agrees; InputError else."""
    check_writable(folder.resolve())
    path = folder / RECORD
    if path.is_file():
        if differing := _differing(read_record(folder), record):
            raise InputError(f"out: {folder} holds results of another {differing}; name a new folder")
    elif folder.is_dir() and any(each.name != f"{RECORD}.partial" for each in folder.iterdir()):
        raise InputError(f"out: {folder} is neither empty nor the store of a batch; name a new folder")
    else:
        with whole_file(path) as partial:
            partial.write_text(to_json(dict(record)) + "\n", encoding="utf-8")
    for first in range(256):
        (folder / CLIPS / f"{first:02x}").mkdir(parents=True, exist_ok=True)


def _differing(found: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In what two records differ that must not, in words; empty where in nothing."""
    for name in SAME:
        if found.get(name) == now[name]:
            continue
        if name != "recipe_sha256" or not isinstance(then := found.get("recipe"), dict):
            return f"{name} ({found.get(name)!s:.80}; now {now[name]!s:.80})"
        fields = [field for field, value in now["recipe"].items() if then.get(field) != value]
        return f"recipe, which differs in {', '.join(fields)}"
    return ""


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


def check_there(folder: Path) -> None:
    """StoreError where the store has gone, as when its disk was unmounted: nothing must be written in its place."""
    try:
        read_record(folder)
    except (InputError, OSError):
        raise StoreError(f"the store {folder} cannot be written: it is not there any more") from None


def check_usable(folder: Path) -> None:
    """StoreError where the store has gone, is read-only, or has no room for another window."""
    check_there(folder)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"the store {folder} cannot be written: {error.strerror}") from None


@contextmanager
def blaming(folder: Path) -> Iterator[None]:
    """Tell what goes wrong inside as a StoreError where the store is to blame."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        check_usable(folder)
        if isinstance(error, OSError) and error.errno in NO_DISK:  # there is room again, but not for long
            raise StoreError(f"the store {folder} cannot be written: {error.strerror}") from None
        raise


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
    if folder.is_symlink() or not folder.is_dir():
        return "it is no folder"
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*"))}
    if strange := [name for name, path in found.items() if path.is_symlink() or not (path.is_file() or path.is_dir())]:
        return f"{strange[0]} is a link, or no file"
    try:
        manifest = read_object(folder / MANIFEST)
        stamps = {str(name): list(stamp) for name, stamp in manifest["files"].items()}
    except (InputError, OSError, KeyError, TypeError, AttributeError) as error:
        return f"its {MANIFEST} cannot be read ({error})"
    if manifest.get("key") != folder.name.rpartition("-")[2]:
        return "its key is not that of its name"
    files = {name for name, path in found.items() if path.is_file()} - {MANIFEST}
    if absent := sorted(stamps.keys() - files):
        return f"{absent[0]} is missing"
    if strange := sorted(files - stamps.keys()):
        return f"{strange[0]} does not belong there"
    changed = [name for name, stamp in stamps.items() if not _is_as_stamped(found[name], stamp)]
    return f"{changed[0]} was changed" if changed else ""


def _is_as_stamped(path: Path, stamp: list[Any]) -> bool:
    """Whether a file is what its stamp says; not where it cannot be read."""
    try:
        return path.stat().st_size == stamp[0] and _stamp(path) == stamp
    except (OSError, IndexError):
        return False
