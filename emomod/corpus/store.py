"""A corpus on disk: shards of spectrograms with labels, a table of the clips, and how it was made.

``shard_0000.npz`` holds log spectrograms float16 [n, 149, n_frames], scaled and raw labels [n, 7] and the clips' songs;
``labels.csv`` has one row a clip; ``corpus.json`` says how it was made. With stems each clip has a folder as well
(``clips/00012``, see emomod.corpus.clip_files).
"""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_choice, check_count, check_number
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.output import whole_file
from emomod.reading.arrays import read_npz
from emomod.reading.cells import escaped
from emomod.reading.json_files import read_object
from emomod.spectrogram import N_BANDS

SYNTHESISERS = ("fluidsynth", "numpy")
COMPOSER_VERSION = 5  # raised whenever the same seed gives other clips


@dataclass(frozen=True)
class CorpusSettings:
    """How a corpus is made."""

    n_clips: int
    seed: int = 0
    synthesiser: str = "fluidsynth"
    seconds: float = 10.0
    shard_size: int = 40
    soundfont: str | None = None  # path; None: the system's
    scores: str | None = None  # folder of MIDI and MusicXML files; None: all clips are composed
    score_share: float = 0.6  # share of the clips that are arranged from scores, where there are any
    stems: bool = False  # also the sound of each clip and of each of its parts, and its score
    couples: bool = False  # clips 2k and 2k + 1 are a counterfactual pair: the same music but for one planted change
    held_out: bool = False  # the songs and instruments that are kept for tests, and only those

    def __post_init__(self) -> None:
        check_count("n_clips", self.n_clips)
        check_count("seed", self.seed, low=0)
        check_choice("synthesiser", self.synthesiser, SYNTHESISERS)
        check_number("seconds", self.seconds, low=1.0, high=60.0)
        check_count("shard_size", self.shard_size)
        check_number("score_share", self.score_share, low=0.0, high=1.0)

    @property
    def n_shards(self) -> int:
        """Number of shards, the last one perhaps smaller."""
        return -(-self.n_clips // self.shard_size)

    def clips_of(self, shard: int) -> range:
        """Indices of the clips of a shard."""
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.n_clips))


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus in memory."""

    spectrograms: NDArray[np.float16]  # [n, n_bands, n_frames]
    labels: NDArray[np.float64]  # [n, 7], 0..1
    raw: NDArray[np.float64]  # [n, 7]
    songs: tuple[str, ...]  # n names of the songs that clips come from; a composed clip is a song of its own
    description: dict[str, Any]  # what corpus.json says


def shard_path(folder: Path, shard: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard_{shard:04d}.npz"


def clip_folder(folder: Path, index: int) -> Path:
    """Where a clip's sounds lie, in a corpus with stems."""
    return folder / "clips" / f"{index:05d}"


def check_there(folder: Path) -> None:
    """InputError where the corpus has gone, as when its disk was unmounted: nothing must be written in its place."""
    if not (folder / "corpus.json").is_file():
        raise InputError(f"{folder}: the corpus has gone; nothing is written in its place")


def write_shard(target: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a shard, whole or not at all."""
    with _written(target) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def make_folder(folder: Path) -> None:
    """Make the folder for a corpus unless it is there; InputError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be a folder for a corpus ({error.strerror})") from None


def claim_folder(folder: Path, description: dict[str, Any]) -> None:
    """Write corpus.json, or see that the one which is there describes the same corpus; else InputError.

    What a run that was killed left unfinished goes; no other may be at work.
    """
    stored = folder / "corpus.json"
    if stored.is_file():
        found, wanted = _comparable(read_description(folder)), _comparable(description)
        if differing := [key for key in wanted if found.get(key) != wanted[key]]:
            raise InputError(f"{folder}: holds a corpus made otherwise ({', '.join(differing)}); choose another folder")
    elif any(path.name != f"{stored.name}.partial" for path in folder.iterdir()):
        raise InputError(f"{folder}: is neither empty nor a corpus; choose another folder")
    _write_whole(stored, json.dumps(description, indent=1) + "\n")
    for path in [*folder.glob("*.partial"), *folder.glob("clips/.*.partial"), *folder.glob("clips/.*.earlier")]:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def read_description(folder: Path) -> dict[str, Any]:
    """What corpus.json says; InputError when it is not there or not readable."""
    if not (folder / "corpus.json").is_file():
        raise InputError(f"{folder}: holds no corpus; make one with `emomod corpus render` or `emomod dataset prepare`")
    try:
        description = read_object(folder / "corpus.json")
        settings_of(description)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        told = str(error)[:200]
        raise InputError(f"{folder / 'corpus.json'}: cannot be read ({told})") from None
    return description


def settings_of(description: dict[str, Any]) -> CorpusSettings:
    """The settings that a description was made with, paths left out."""
    known = {field.name for field in fields(CorpusSettings)}
    return CorpusSettings(**{key: value for key, value in description["settings"].items() if key in known})


def _comparable(description: dict[str, Any]) -> dict[str, Any]:
    """What must be equal for a corpus to go on: all but the number of full shards."""
    settings = description["settings"]
    return description | {"settings": settings | {"n_clips": settings["n_clips"] % settings["shard_size"]}}


def write_table(folder: Path, corpus: Corpus) -> None:
    """Write labels.csv: clip, song, then scaled labels, then raw labels."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["clip", "song", *MIDLEVEL_NAMES, *(f"{name}_raw" for name in MIDLEVEL_NAMES)])
    for index, (song, labels, raw) in enumerate(zip(corpus.songs, corpus.labels, corpus.raw, strict=True)):
        figures = [*(f"{value:.4f}" for value in labels), *(f"{value:.5f}" for value in raw)]
        writer.writerow([index, escaped(song), *figures])
    _write_whole(folder / "labels.csv", table.getvalue())


def _write_whole(target: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with _written(target) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


@contextmanager
def _written(target: Path) -> Iterator[Path]:
    """Yield the path of a file that takes the place of ``target``; InputError names it where the disk does not."""
    try:
        with whole_file(target) as partial:
            yield partial
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from None


def load_corpus(folder: str | Path, *, spectrograms: bool = True) -> Corpus:
    """Load a whole corpus (0.09 MB a clip); InputError when it is not there or not complete."""
    source = Path(folder)
    description = read_description(source)
    settings = settings_of(description)
    if missing := _missing(source, settings.n_shards):
        raise InputError(f"{source}: the corpus is not complete, {missing} shards are missing; render it again")
    columns: dict[str, list[NDArray[Any]]] = {"labels": [], "raw": [], "songs": []}
    images: NDArray[np.float16] = np.zeros((0, 0, 0), dtype=np.float16)
    for shard in range(settings.n_shards):
        clips = settings.clips_of(shard)
        stored = _read_shard(shard_path(source, shard), n=len(clips), spectrograms=spectrograms)
        for name, pieces in columns.items():
            pieces.append(stored[name])
        if spectrograms:
            found = stored["spectrograms"]
            if shard == 0:
                images = np.empty((settings.n_clips, *found.shape[1:]), dtype=np.float16)
            if found.shape[1:] != images.shape[1:]:
                raise InputError(f"{source}: its clips must be equally long; shard {shard} is {list(found.shape)}")
            images[clips.start : clips.stop] = found
    songs = tuple(str(song) for song in np.concatenate(columns["songs"]))
    return Corpus(images, np.concatenate(columns["labels"]), np.concatenate(columns["raw"]), songs, description)


def _missing(folder: Path, n_shards: int) -> int:
    """How many of the shards are not there; a description may claim more of them than anybody can count."""
    there = len(list(folder.glob("shard_*.npz")))
    if n_shards > there:
        return n_shards - there
    return sum(not shard_path(folder, shard).is_file() for shard in range(n_shards))


def _read_shard(path: Path, *, n: int, spectrograms: bool) -> dict[str, NDArray[Any]]:
    """The arrays of a shard of ``n`` clips; InputError names a file that cannot be read or is of other clips."""
    names = ("labels", "raw", "songs", *(("spectrograms",) if spectrograms else ()))
    try:
        stored = read_npz(path, names=names, packed=False)
    except InputError as error:
        raise InputError(f"{error}; remove it and render the corpus again") from None
    shapes: dict[str, tuple[str, int, tuple[int, ...]]] = {
        "labels": ("f", 2, (n, len(MIDLEVEL_NAMES))),
        "raw": ("f", 2, (n, len(MIDLEVEL_NAMES))),
        "songs": ("U", 1, (n,)),
        "spectrograms": ("f", 3, (n, N_BANDS)),
    }
    for name, array in stored.items():
        kind, n_sides, sides = shapes[name]
        if array.dtype.kind != kind or array.ndim != n_sides or array.shape[: len(sides)] != sides:
            raise InputError(f"{path}: {name} must have the shape {list(sides)}, got {array.dtype} {list(array.shape)}")
    return stored
