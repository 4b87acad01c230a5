"""Where the music of a corpus comes from: the composer, and songs from a folder of scores."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emomod.corpus.arrange import arrange
from emomod.corpus.compose import compose
from emomod.corpus.score import Score
from emomod.corpus.song import Song, find_songs, read_song
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError

HELD_OUT_EVERY = 6  # about every sixth song is kept for tests: which ones depends on their names alone
Log = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Sources:
    """The songs to arrange; none: every clip is composed."""

    songs: tuple[Song, ...]
    description: dict[str, Any]

    def draw_score(self, settings: CorpusSettings, rng: np.random.Generator) -> tuple[Score, str]:
        """Draw a clip and the name of its song; "" if it was composed."""
        if self.songs and rng.random() < settings.score_share:
            for index in rng.permutation(len(self.songs))[:20]:
                song = self.songs[index]
                try:
                    return arrange(song, rng, seconds=settings.seconds, held_out=settings.held_out), song.name
                except InputError:  # all rests
                    continue
        return compose(rng, seconds=settings.seconds, held_out=settings.held_out), ""


def is_held_out_song(name: str) -> bool:
    """Whether the song of that name is kept for tests, in whatever folder it lies.

    >>> [number for number in range(1, 21) if is_held_out_song(f"{number:03d}/{number:03d}")]
    [2, 7, 12]
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % HELD_OUT_EVERY == 0


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
