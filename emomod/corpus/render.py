"""Render a corpus: composed and arranged clips, their spectrograms and their labels, in shards on disk.

Clip i depends on the seed, i, the scores and the synthesiser only, whatever the number of clips or of workers; a run
that was stopped goes on with the shards that are missing.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.alone import alone
from emomod.audio import SAMPLE_RATE
from emomod.checks import check_count
from emomod.corpus.acoustics import apply_acoustics, draw_acoustics
from emomod.corpus.clip_files import fit_stems, write_clip
from emomod.corpus.codecs import maybe_through_codec
from emomod.corpus.fluidsynth import find_soundfont, fluidsynth_version, render_scores
from emomod.corpus.labels import raw_labels, scaled_labels
from emomod.corpus.pairs import KINDS, draw_pair
from emomod.corpus.program_levels import measure_levels
from emomod.corpus.score import Score
from emomod.corpus.sources import Log, Sources, open_sources
from emomod.corpus.stems import Render, recorded_stems, render_stems
from emomod.corpus.store import (
    COMPOSER_VERSION,
    CorpusSettings,
    check_there,
    claim_folder,
    clip_folder,
    load_corpus,
    make_folder,
    shard_path,
    write_shard,
    write_table,
)
from emomod.corpus.synthesis import synthesise
from emomod.corpus.workers import work_off
from emomod.errors import InputError
from emomod.spectrogram import FRONT_END, compute_spectrogram

CODEC_CHANCE = 0.25  # share of clips that go through mp3 or Vorbis
COUPLE_ODDS = {
    "staccato": 0.1,
    "syncopation": 0.1,
    "jitter": 0.3,  # the change that networks hear least
    "cluster": 0.1,
    "modulation": 0.1,
    "mode": 0.1,
    "melody": 0.2,
}  # kinds of pairs, and how often they are tried first
SCORES_A_COUPLE = 200  # clips that are looked at for a kind of pair before another kind is tried


@dataclass(frozen=True, eq=False)
class Studio:
    """Music to play and a synthesiser to play it; it can be sent to another process."""

    sources: Sources
    prepare: Callable[[Score], Score]  # takes out what the synthesiser cannot sound
    render: Render
    description: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip before it is heard."""

    score: Score
    song: str  # the song that it comes from; a composed clip is a song of its own
    rng: np.random.Generator  # for its acoustics


def open_studio(settings: CorpusSettings, *, log: Log = lambda _: None) -> Studio:
    """Make songs and synthesiser of ``settings`` ready; InputError says what is missing."""
    sources = open_sources(settings, log=log)
    if settings.synthesiser == "numpy":
        return Studio(sources, _unchanged, _synthesise_all, {"soundfont": None} | sources.description)
    font = find_soundfont(settings.soundfont)
    described = {"soundfont": font.name, "soundfont_bytes": font.stat().st_size, "fluidsynth": fluidsynth_version()}
    levels = measure_levels(font)
    render = partial(render_scores, soundfont=font, volume_of=levels.volume_of, render_rate=SAMPLE_RATE)
    return Studio(sources, levels.audible, render, described | sources.description)


def _unchanged(score: Score) -> Score:
    return score


def _synthesise_all(scores: Sequence[Score]) -> list[NDArray[np.float32]]:
    return [synthesise(score) for score in scores]


def draw_clip(settings: CorpusSettings, index: int, *, studio: Studio) -> Clip:
    """Draw clip ``index`` as its synthesiser can play it."""
    if settings.couples:
        return _draw_of_couple(settings, index, studio=studio)
    rng = np.random.default_rng([settings.seed, index, *_held_out(settings)])
    while True:
        score, song = studio.sources.draw_score(settings, rng)
        heard = studio.prepare(score)
        if heard.has_pitch:
            return Clip(heard, song or f"composed {settings.seed}-{index}", rng)


def _held_out(settings: CorpusSettings) -> tuple[int, ...]:
    """What sets the clips of a test corpus apart from those of a training corpus of the same seed."""
    return (1, 1) if settings.held_out else ()


def _draw_of_couple(settings: CorpusSettings, index: int, *, studio: Studio) -> Clip:
    """Draw the version before (even ``index``) or after (odd) of a pair of a drawn kind.

    Half of the couples are in one room and recording, so that little but the change sets them apart (level and noise
    follow each clip); of the others each clip has its own. InputError when the music allows no kind.
    """
    couple, version = divmod(index, 2)
    rng = np.random.default_rng([settings.seed, couple, 2, *_held_out(settings)])
    kinds = rng.choice(list(COUPLE_ODDS), len(COUPLE_ODDS), replace=False, p=list(COUPLE_ODDS.values()))
    for kind in np.repeat(kinds, SCORES_A_COUPLE):
        score, song = studio.sources.draw_score(settings, rng)
        pair = draw_pair(score, str(kind), rng, prepare=studio.prepare)
        if pair is not None:
            place = version if rng.random() < 0.5 else 0
            room = np.random.default_rng([settings.seed, couple, 3 + place, *_held_out(settings)])
            return Clip((pair.before, pair.after)[version], song or f"composed {settings.seed}-{couple}", room)
    raise InputError(f"couples: {len(KINDS) * SCORES_A_COUPLE} clips of this music have nothing that can be changed")


def render_corpus(
    out: str | Path, settings: CorpusSettings, *, n_workers: int = 1, log: Log = lambda _: None
) -> dict[str, Any]:
    """Render the corpus of ``settings`` into the folder ``out``, or what is missing of it; return its description.

    InputError when ``out`` holds another corpus, or another run is at work on it, when the scores cannot be read, or
    when the synthesiser is not installed.
    """
    check_count("n_workers", n_workers)
    folder, studio = Path(out), open_studio(settings, log=log)
    description = _described(settings, studio)
    make_folder(folder)
    with alone(folder):
        claim_folder(folder, description)
        missing = [shard for shard in range(settings.n_shards) if not shard_path(folder, shard).is_file()]
        done = settings.n_shards - len(missing)
        make = partial(_make_shard, folder, settings, studio)
        for shard in work_off(make, missing, n_workers=n_workers, log=log):
            done += 1
            log(f"rendered shard {shard}: {done} of {settings.n_shards}")
        write_table(folder, load_corpus(folder, spectrograms=False))
    return description


def _described(settings: CorpusSettings, studio: Studio) -> dict[str, Any]:
    kept = {key: value for key, value in asdict(settings).items() if key not in ("soundfont", "scores")}
    versions = {name: version(name) for name in ("numpy", "torch")}
    return {
        "settings": kept,
        "composer_version": COMPOSER_VERSION,
        "front_end": FRONT_END,
        "versions": versions,
        **studio.description,
    }


def _make_shard(folder: Path, settings: CorpusSettings, studio: Studio, shard: int) -> int:
    """Make a shard and write it; return its number."""
    indices = settings.clips_of(shard)
    clips = [draw_clip(settings, index, studio=studio) for index in indices]
    check_there(folder)
    if settings.stems:
        waveforms = _hear_stems([clip_folder(folder, index) for index in indices], clips, settings, studio=studio)
    else:
        dry = studio.render([clip.score for clip in clips])
        waveforms = [_record(y, clip.rng) for y, clip in zip(dry, clips, strict=True)]
    raw = np.array([raw_labels(clip.score) for clip in clips])
    spectrograms = [compute_spectrogram(y).log_spectrogram.numpy() for y in waveforms]
    arrays = {
        "spectrograms": np.array(spectrograms, dtype=np.float16),
        "raw": raw,
        "labels": scaled_labels(raw),
        "songs": np.array([clip.song for clip in clips]),
    }
    check_there(folder)
    write_shard(shard_path(folder, shard), arrays)
    return shard


def _record(y: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """``y`` as a recording of it might sound: a room, noise, a level, perhaps a codec."""
    return maybe_through_codec(apply_acoustics(y, draw_acoustics(rng)), rng, chance=CODEC_CHANCE)


def _hear_stems(
    folders: Sequence[Path], clips: Sequence[Clip], settings: CorpusSettings, *, studio: Studio
) -> list[NDArray[np.float32]]:
    """Record clips part by part, write each into its folder and return the mixes; a codec's errors are no part's."""
    mixes = []
    dry = render_stems([clip.score for clip in clips], studio.render)
    for target, clip, parts in zip(folders, clips, dry, strict=True):
        acoustics = draw_acoustics(clip.rng)
        (recorded,) = recorded_stems([clip.score], [parts], acoustics)
        heard = maybe_through_codec(recorded.mix, clip.rng, chance=CODEC_CHANCE)
        (stems,) = fit_stems([replace(recorded, rest=recorded.rest + heard - recorded.mix)])
        _discard(target)  # of a shard that was not finished
        facts = {"seed": settings.seed, "song": clip.song, "acoustics": asdict(acoustics), **studio.description}
        write_clip(target, clip.score, stems, facts=facts)
        mixes.append(stems.mix)
    return mixes


def _discard(folder: Path) -> None:
    """Remove a clip's folder, so that none is ever there in part."""
    if folder.exists():
        aside = folder.with_name(f".{folder.name}.discarded.partial")
        os.replace(folder, aside)
        shutil.rmtree(aside)
