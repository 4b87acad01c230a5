"""Both datasets as one: clips of film music that were rated on mid-level qualities and on emotions.

The 360 excerpts of Soundtracks set 1 are songs 3576 to 3935 of the Mid-level dataset, which has their sounds.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from emomod.datasets.clips import ARTIST, RatedClips
from emomod.datasets.midlevel import DATASET as MIDLEVEL
from emomod.datasets.problems import Problem, ordered, settle
from emomod.datasets.soundtracks import DATASET as SOUNDTRACKS
from emomod.datasets.soundtracks import FilmExcerpts
from emomod.errors import InputError

OFFSET = 3575  # song_id of the Mid-level dataset - number in Soundtracks


def join(midlevel: RatedClips, excerpts: FilmExcerpts, *, skip_bad: bool = False) -> RatedClips:
    """The clips and sounds of the Mid-level dataset, those of film music with 7 + 8 labels.

    Clips that share an artist or an album are one group; ``left_out`` and ``notes`` are those of both. DatasetError (an
    InputError) names the excerpts whose song is not among the clips; with ``skip_bad`` these ratings are left out.
    """
    if midlevel.dataset != MIDLEVEL:
        raise InputError(f"the first dataset must be {MIDLEVEL}, got {midlevel.dataset}")
    place = {name: index for index, name in enumerate(midlevel.names)}
    partners = [place.get(f"{MIDLEVEL}/{OFFSET + number}") for number in excerpts.numbers]
    pairs = [(index, partner) for index, partner in enumerate(partners) if partner is not None]
    lost = settle(_without_partner(excerpts, partners), skip_bad=skip_bad, n_left=len(midlevel))
    labels = midlevel.labels.copy()
    for index, partner in pairs:
        rated = ~np.isnan(excerpts.labels[index])
        labels[partner, rated] = excerpts.labels[index, rated]
    merged = merge_groups(
        [*midlevel.groups, *excerpts.groups],
        same=[(partner, len(midlevel) + index) for index, partner in pairs],
    )
    return replace(
        midlevel,
        dataset=f"{MIDLEVEL}+{SOUNDTRACKS}",
        groups=tuple(merged[: len(midlevel)]),
        labels=labels,
        left_out=ordered((*midlevel.left_out, *excerpts.left_out, *lost)),
        notes=(f"clips with labels of both datasets: {len(pairs)}", *midlevel.notes, *excerpts.notes),
    )


def _without_partner(excerpts: FilmExcerpts, partners: Sequence[int | None]) -> list[Problem]:
    """A problem for each excerpt whose place among the Mid-level clips is None."""
    rows = zip(excerpts.numbers, excerpts.sources, partners, strict=True)
    return [
        Problem(file, row, f"number {number} is song {OFFSET + number} of {MIDLEVEL}, which is not among its clips")
        for number, (file, row), partner in rows
        if partner is None
    ]


def merge_groups(groups: Sequence[str], *, same: Sequence[tuple[int, int]]) -> list[str]:
    """Rename ``groups`` [n] so that each pair of indices in ``same`` is in one group, and all that hangs together.

    A merged group is called by an artist if there is one, of several names by the first in the alphabet.

    >>> merge_groups(["artist: a", "artist: b", "album: x", "album: x"], same=[(0, 2), (1, 3)])
    ['artist: a', 'artist: a', 'artist: a', 'artist: a']
    """
    parent = {name: name for name in groups}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for one, other in same:
        kept, renamed = sorted((root(groups[one]), root(groups[other])), key=_by_kind)
        parent[renamed] = kept
    return [root(name) for name in groups]


def _by_kind(group: str) -> tuple[bool, str]:
    return not group.startswith(ARTIST), group
