"""Render a corpus: composed clips, their spectrograms and their labels, in shards on disk.

``shard_0000.npz`` holds log spectrograms float16 [n, 149, n_frames] and labels [n, 7]; ``labels.csv`` has one row a
clip; ``corpus.json`` says how it was made. Clip i depends on the seed, i and the synthesiser only, whatever the number
of clips; a run that was stopped goes on with the shards that are missing.
"""

import csv
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_choice, check_count, check_number
from emomod.corpus.acoustics import apply_acoustics, draw_acoustics
from emomod.corpus.compose import compose
from emomod.corpus.fluidsynth import find_soundfont, fluidsynth_version, render_scores
from emomod.corpus.labels import raw_labels, scaled_labels
from emomod.corpus.program_levels import measure_levels
from emomod.corpus.score import Score
from emomod.corpus.synthesis import synthesise
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.spectrogram import FRONT_END, compute_spectrogram

SYNTHESISERS = ("fluidsynth", "numpy")
COMPOSER_VERSION = 1  # raised whenever the same seed gives other clips
Log = Callable[[str], None]
Render = Callable[[Sequence[Score]], list[NDArray[np.float32]]]


@dataclass(frozen=True)
class CorpusSettings:
    """How a corpus is made."""

    n_clips: int
    seed: int = 0
    synthesiser: str = "fluidsynth"
    seconds: float = 10.0
    shard_size: int = 40
    soundfont: str | None = None  # path; None: the system's

    def __post_init__(self) -> None:
        check_count("n_clips", self.n_clips)
        check_count("seed", self.seed, low=0)
        check_choice("synthesiser", self.synthesiser, SYNTHESISERS)
        check_number("seconds", self.seconds, low=1.0, high=60.0)
        check_count("shard_size", self.shard_size)

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
    description: dict[str, Any]  # what corpus.json says


@dataclass(frozen=True, eq=False)
class Studio:
    """A synthesiser, ready to play."""

    prepare: Callable[[Score], Score]  # takes out what it cannot sound
    render: Render
    description: dict[str, Any]


def open_studio(settings: CorpusSettings) -> Studio:
    """Make the synthesiser of ``settings`` ready; InputError says what is missing."""
    if settings.synthesiser == "numpy":
        return Studio(lambda score: score, lambda scores: [synthesise(score) for score in scores], {"soundfont": None})
    font = find_soundfont(settings.soundfont)
    described = {"soundfont": font.name, "soundfont_bytes": font.stat().st_size, "fluidsynth": fluidsynth_version()}
    levels = measure_levels(font)
    return Studio(
        levels.audible, lambda scores: render_scores(scores, soundfont=font, volume_of=levels.volume_of), described
    )


def compose_clip(settings: CorpusSettings, index: int, *, studio: Studio) -> tuple[Score, np.random.Generator]:
    """Compose clip ``index`` as its synthesiser can play it; return it with the generator for its acoustics."""
    rng = np.random.default_rng([settings.seed, index])
    while True:
        score = compose(rng, seconds=settings.seconds)
        heard = studio.prepare(score)
        if any(part.notes and not part.is_drums for part in heard.parts):
            return heard, rng


def render_corpus(out: str | Path, settings: CorpusSettings, *, log: Log = lambda _: None) -> dict[str, Any]:
    """Render the corpus of ``settings`` into the folder ``out``, or what is missing of it; return its description.

    InputError when ``out`` holds another corpus, or when the synthesiser is not installed.
    """
    folder, studio = Path(out), open_studio(settings)
    description = _described(settings, studio)
    _claim(folder, description)
    for shard in range(settings.n_shards):
        target = folder / f"shard_{shard:04d}.npz"
        if not target.is_file():
            _write_shard(target, _render_shard(settings, shard, studio=studio))
            log(f"rendered {settings.clips_of(shard).stop} of {settings.n_clips} clips")
    _write_table(folder, load_corpus(folder, spectrograms=False))
    return description


def _described(settings: CorpusSettings, studio: Studio) -> dict[str, Any]:
    kept = {key: value for key, value in asdict(settings).items() if key != "soundfont"}
    versions = {name: version(name) for name in ("numpy", "torch")}
    return {
        "settings": kept,
        "composer_version": COMPOSER_VERSION,
        "front_end": FRONT_END,
        "versions": versions,
        **studio.description,
    }


def _claim(folder: Path, description: dict[str, Any]) -> None:
    """Write corpus.json, or see that the one which is there describes the same corpus."""
    stored = folder / "corpus.json"
    if stored.is_file():
        found, wanted = _comparable(_read_description(folder)), _comparable(description)
        if differing := [key for key in wanted if found.get(key) != wanted[key]]:
            raise InputError(f"{folder}: holds a corpus made otherwise ({', '.join(differing)}); choose another folder")
    elif folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder}: is neither empty nor a corpus; choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stored.write_text(json.dumps(description, indent=1) + "\n")
    except OSError as error:
        raise InputError(f"{folder}: cannot be a folder for a corpus ({error.strerror})") from None


def _read_description(folder: Path) -> dict[str, Any]:
    """What corpus.json says; InputError when it is not there or not readable."""
    if not (folder / "corpus.json").is_file():
        raise InputError(f"{folder}: holds no corpus; render one with `emomod corpus render`")
    try:
        description: dict[str, Any] = json.loads((folder / "corpus.json").read_text())
        CorpusSettings(**description["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / 'corpus.json'}: cannot be read ({error})") from None
    return description


def _comparable(description: dict[str, Any]) -> dict[str, Any]:
    """What must be equal for a corpus to go on: all but the number of full shards."""
    settings = description["settings"]
    return description | {"settings": settings | {"n_clips": settings["n_clips"] % settings["shard_size"]}}


def _render_shard(settings: CorpusSettings, shard: int, *, studio: Studio) -> dict[str, NDArray[Any]]:
    clips = [compose_clip(settings, index, studio=studio) for index in settings.clips_of(shard)]
    waveforms = studio.render([score for score, _ in clips])
    spectrograms = [
        compute_spectrogram(apply_acoustics(y, draw_acoustics(rng))).log_spectrogram.numpy()
        for y, (_, rng) in zip(waveforms, clips, strict=True)
    ]
    raw = np.array([raw_labels(score) for score, _ in clips])
    return {"spectrograms": np.array(spectrograms, dtype=np.float16), "raw": raw, "labels": scaled_labels(raw)}


def _write_shard(target: Path, arrays: dict[str, NDArray[Any]]) -> None:
    partial = target.with_name(f"{target.name}.partial")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(partial, target)


def _write_table(folder: Path, corpus: Corpus) -> None:
    """Write labels.csv: clip, then scaled labels, then raw labels."""
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["clip", *MIDLEVEL_NAMES, *(f"{name}_raw" for name in MIDLEVEL_NAMES)])
        for index, (labels, raw) in enumerate(zip(corpus.labels, corpus.raw, strict=True)):
            writer.writerow([index, *(f"{value:.4f}" for value in labels), *(f"{value:.5f}" for value in raw)])


def load_corpus(folder: str | Path, *, spectrograms: bool = True) -> Corpus:
    """Load a whole corpus (0.09 MB a clip); InputError when it is not there or not complete."""
    source = Path(folder)
    description = _read_description(source)
    settings = CorpusSettings(**description["settings"])
    if missing := [n for n in range(settings.n_shards) if not (source / f"shard_{n:04d}.npz").is_file()]:
        raise InputError(f"{source}: the corpus is not complete, {len(missing)} shards are missing; render it again")
    columns: dict[str, list[NDArray[Any]]] = {"spectrograms": [], "labels": [], "raw": []}
    for shard in range(settings.n_shards):
        with np.load(source / f"shard_{shard:04d}.npz", allow_pickle=False) as stored:
            for name, pieces in columns.items():
                if spectrograms or name != "spectrograms":
                    pieces.append(stored[name])
    empty = np.zeros((0, 0, 0), dtype=np.float16)
    images = np.concatenate(columns["spectrograms"]) if spectrograms else empty
    return Corpus(images, np.concatenate(columns["labels"]), np.concatenate(columns["raw"]), description)
