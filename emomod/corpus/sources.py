"""Where the music of a corpus comes from: the composer, and songs from a folder of scores."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from emomod.corpus.arrange import arrange
from emomod.corpus.compose import compose
from emomod.corpus.score import Score
from emomod.corpus.song import MIDI_SUFFIXES, XML_SUFFIXES, Song, find_songs, read_song
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError

HELD_OUT_EVERY = 6  # about every sixth song is kept for tests: which ones depends on their names alone
SUB_MIX_CHANCE, SUB_MIX_SHARE = 0.12, 0.5  # share of clips that are sub-mixes, and of the parts that these keep
Log = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Sources:
    """The songs to arrange; none: every clip is composed."""

    songs: tuple[Song, ...]
    description: dict[str, Any]

    def draw_score(self, settings: CorpusSettings, rng: np.random.Generator) -> tuple[Score, str]:
        """Draw a clip and the name of its song, "" if it was composed; now and then some of its parts are silent."""
        score, song = self._draw_whole(settings, rng)
        return _sub_mix(score, rng), song

    def _draw_whole(self, settings: CorpusSettings, rng: np.random.Generator) -> tuple[Score, str]:
        if self.songs and rng.random() < settings.score_share:
            for index in rng.permutation(len(self.songs))[:20]:
                song = self.songs[index]
                try:
                    return arrange(song, rng, seconds=settings.seconds, held_out=settings.held_out), song.name
                except InputError:  # all rests
                    continue
        return compose(rng, seconds=settings.seconds, held_out=settings.held_out), ""


def _sub_mix(score: Score, rng: np.random.Generator) -> Score:
    """The score, sometimes without some of its parts, as if a mix lacked their tracks; one pitched part stays."""
    if rng.random() >= SUB_MIX_CHANCE:
        return score
    stays = rng.random(len(score.parts)) < SUB_MIX_SHARE
    stays[rng.choice([index for index, part in enumerate(score.parts) if part.notes and not part.is_drums])] = True
    return replace(score, parts=tuple(part for part, keep in zip(score.parts, stays, strict=True) if keep))


def is_held_out_song(name: str) -> bool:
    """Whether the song of that name is kept for tests, in whatever folder and format it lies.

    >>> [number for number in range(1, 21) if is_held_out_song(f"{number:03d}/{number:03d}")]
    [2, 7, 12]
    """
    path = PurePosixPath(name)
    plain = path.with_suffix("") if path.suffix.lower() in MIDI_SUFFIXES + XML_SUFFIXES else path
    return int.from_bytes(hashlib.sha256(plain.as_posix().encode()).digest()[:8]) % HELD_OUT_EVERY == 0


def open_sources(settings: CorpusSettings, *, log: Log) -> Sources:
    """Read the songs that ``settings`` names: those kept for tests, or the others; the log names unreadable files.

    InputError when no file can be read.
    """
    if settings.scores is None:
        return Sources((), {"scores": None})
    found = find_songs(settings.scores)
    chosen = [name for name in found if is_held_out_song(name) == settings.held_out]
    if not chosen:
        kept = f"about every {HELD_OUT_EVERY}th is kept for tests"
        raise InputError(f"scores {settings.scores}: {len(found)} files are too few, {kept}")
    songs: list[Song] = []
    unreadable: list[str] = []
    digest = hashlib.sha256()
    for name in chosen:
        try:
            songs.append(read_song(found[name], name=name))
            digest.update(f"{name}\n".encode() + found[name].read_bytes())
        except InputError as error:
            unreadable.append(found[name].name)
            log(f"left out: {error}")
    if not songs:
        raise InputError(f"scores {settings.scores}: none of {len(chosen)} files could be read")
    others = "those to train on" if settings.held_out else "those kept for tests"
    log(f"read {len(songs)} songs, left {len(found) - len(chosen)} alone: {others}")
    described = {
        "folder": Path(settings.scores).resolve().name,
        "n_songs": len(songs),
        "sha256": digest.hexdigest(),
        "unreadable": unreadable,
    }
    return Sources(tuple(songs), {"scores": described})
