"""Clips to train on, from folders of rendered corpora and of prepared datasets, as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.store import load_corpus, settings_of
from emomod.datasets.prepare import RECORD, load_prepared, prepared_dataset
from emomod.errors import InputError
from emomod.labelled_clips import LabelledClips
from emomod.model.mid_to_emotion import published_layer


@dataclass(frozen=True, eq=False)
class Source:
    """Clips of one folder, and what the folder says about them."""

    folder: Path
    clips: LabelledClips
    description: dict[str, Any]  # of a rendered corpus: corpus.json without the front end; else the dataset

    @property
    def rendered(self) -> bool:
        """True for a corpus of `emomod corpus render`."""
        return "settings" in self.description


def clips_of_corpus(folder: str | Path) -> LabelledClips:
    """The clips of a rendered corpus: 7 labels computed from the music, and 8 emotions that nobody rated.

    The emotions are the published linear layer applied to the seven labels: a linear function of them by construction.
    A clip's group is its song, whatever the corpus; a composed clip is a song of its own.
    """
    return _corpus_source(Path(folder)).clips


def load_sources(folders: Sequence[str | Path]) -> tuple[Source, ...]:
    """Load one or several folders; InputError when there is none or one that holds nothing to train on."""
    if not folders:
        raise InputError("corpora must name at least one folder to train on, got none")
    return tuple(_source(Path(folder)) for folder in folders)


def joined(sources: Sequence[Source]) -> LabelledClips:
    """The clips of all sources, one after the other; spectrograms are not copied."""
    if len(sources) == 1:
        return sources[0].clips
    clips = [source.clips for source in sources]
    return LabelledClips(
        tuple(f"{place}/{name}" for place, each in enumerate(clips) for name in each.names),
        tuple(group for each in clips for group in each.groups),
        [spectrogram for each in clips for spectrogram in each.spectrograms],
        np.concatenate([each.labels for each in clips]),
        tuple(couple and f"{place}/{couple}" for place, each in enumerate(clips) for couple in each.couples),
    )


def _source(folder: Path) -> Source:
    if not (folder / RECORD).is_file():
        return _corpus_source(folder)
    return Source(folder, load_prepared(folder), {"dataset": prepared_dataset(folder)})


def _corpus_source(folder: Path) -> Source:
    corpus = load_corpus(folder)
    names = tuple(str(index) for index in range(len(corpus.songs)))
    labels: NDArray[np.float64] = np.hstack([corpus.labels, published_layer().emotions(corpus.labels)])
    couples = tuple(str(index // 2) for index in range(len(names))) if settings_of(corpus.description).couples else ()
    groups = tuple(f"song: {song}" for song in corpus.songs)
    clips = LabelledClips(names, groups, corpus.spectrograms, labels, couples)
    return Source(folder, clips, {key: value for key, value in corpus.description.items() if key != "front_end"})
