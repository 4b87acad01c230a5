"""A corpus on disk: shards of spectrograms with labels, a table of the clips, and how it was made.

``shard_0000.npz`` holds log spectrograms float16 [n, 149, n_frames], scaled and raw labels [n, 7] and the clips' songs;
``labels.csv`` has one row a clip; ``corpus.json`` says how it was made. With stems each clip has a folder as well
(``clips/00012``, see emomod.corpus.clip_files).
"""

import csv
import io
import json
import os
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_choice, check_count, check_number
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES

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


def write_shard(target: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a shard, whole or not at all."""
    partial = target.with_name(f"{target.name}.partial")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(partial, target)


def claim_folder(folder: Path, description: dict[str, Any]) -> None:
    """Write corpus.json, or see that the one which is there describes the same corpus; else InputError."""
    stored = folder / "corpus.json"
    if stored.is_file():
        found, wanted = _comparable(read_description(folder)), _comparable(description)
        if differing := [key for key in wanted if found.get(key) != wanted[key]]:
            raise InputError(f"{folder}: holds a corpus made otherwise ({', '.join(differing)}); choose another folder")
    elif folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder}: is neither empty nor a corpus; choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(stored, json.dumps(description, indent=1) + "\n")
    except OSError as error:
        raise InputError(f"{folder}: cannot be a folder for a corpus ({error.strerror})") from None


def read_description(folder: Path) -> dict[str, Any]:
    """What corpus.json says; InputError when it is not there or not readable."""
    if not (folder / "corpus.json").is_file():
        raise InputError(f"{folder}: holds no corpus; make one with `emomod corpus render` or `emomod dataset prepare`")
    try:
        description: dict[str, Any] = json.loads((folder / "corpus.json").read_text())
        settings_of(description)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / 'corpus.json'}: cannot be read ({error})") from None
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
        writer.writerow([index, song, *(f"{value:.4f}" for value in labels), *(f"{value:.5f}" for value in raw)])
    _write_whole(folder / "labels.csv", table.getvalue())


def _write_whole(target: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    partial = target.with_name(f"{target.name}.partial")
    partial.write_text(text, encoding="utf-8", newline="")
    os.replace(partial, target)


def load_corpus(folder: str | Path, *, spectrograms: bool = True) -> Corpus:
    """Load a whole corpus (0.09 MB a clip); InputError when it is not there or not complete."""
    source = Path(folder)
    description = read_description(source)
    settings = settings_of(description)
    if missing := [shard for shard in range(settings.n_shards) if not shard_path(source, shard).is_file()]:
        raise InputError(f"{source}: the corpus is not complete, {len(missing)} shards are missing; render it again")
    columns: dict[str, list[NDArray[Any]]] = {"labels": [], "raw": [], "songs": []}
    images: NDArray[np.float16] = np.zeros((0, 0, 0), dtype=np.float16)
    for shard in range(settings.n_shards):
        stored = _read_shard(shard_path(source, shard), spectrograms=spectrograms)
        for name, pieces in columns.items():
            pieces.append(stored[name])
        if spectrograms:
            found, clips = stored["spectrograms"], settings.clips_of(shard)
            if shard == 0:
                images = np.empty((settings.n_clips, *found.shape[1:]), dtype=np.float16)
            images[clips.start : clips.stop] = found
    songs = tuple(str(song) for song in np.concatenate(columns["songs"]))
    return Corpus(images, np.concatenate(columns["labels"]), np.concatenate(columns["raw"]), songs, description)


def _read_shard(path: Path, *, spectrograms: bool) -> dict[str, NDArray[Any]]:
    """The arrays of a shard; InputError names a file that cannot be read."""
    names = ("labels", "raw", "songs", *(("spectrograms",) if spectrograms else ()))
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read ({error}); remove it and render the corpus again") from None
