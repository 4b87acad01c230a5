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

HELD_OUT_EVERY = 6  # of the songs in the order of their names, every sixth is kept for tests
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


def open_sources(settings: CorpusSettings, *, log: Log) -> Sources:
    """Read the songs that ``settings`` names: those kept for tests, or the others; the log names unreadable files.

    InputError when no file can be read.
    """
    if settings.scores is None:
        return Sources((), {"scores": None})
    found = find_songs(settings.scores)
    chosen = [
        name for index, name in enumerate(found) if (index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == settings.held_out
    ]
    if not chosen:
        kept = f"every {HELD_OUT_EVERY}th is kept for tests"
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
    log(f"read {len(songs)} of {len(found)} songs")
    described = {
        "folder": Path(settings.scores).resolve().name,
        "n_songs": len(songs),
        "sha256": digest.hexdigest(),
        "unreadable": unreadable,
    }
    return Sources(tuple(songs), {"scores": described})
