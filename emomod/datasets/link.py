"""Both datasets as one: clips of film music that were rated on mid-level qualities and on emotions.

The 360 excerpts of Soundtracks set 1 are songs 3576 to 3935 of the Mid-level dataset.
"""

from collections.abc import Sequence

import numpy as np

from emomod.datasets.clips import ARTIST, RatedClips
from emomod.datasets.midlevel import DATASET as MIDLEVEL
from emomod.datasets.problems import ordered
from emomod.datasets.soundtracks import DATASET as SOUNDTRACKS
from emomod.errors import InputError

OFFSET = 3575  # song_id of the Mid-level dataset - number in Soundtracks


def join(midlevel: RatedClips, soundtracks: RatedClips) -> RatedClips:
    """All clips of both datasets; what is in both comes once, with 7 + 8 labels and the Mid-level dataset's sound.

    Clips that share an artist or an album are one group. Nothing is lost: a clip that is in one dataset only keeps its
    7 or 8 labels, and ``left_out`` and ``notes`` are those of both.
    """
    if (midlevel.dataset, soundtracks.dataset) != (MIDLEVEL, SOUNDTRACKS):
        raise InputError(f"datasets must be midlevel and soundtracks, got {midlevel.dataset}, {soundtracks.dataset}")
    place = {name: index for index, name in enumerate(midlevel.names)}
    partners = [place.get(f"{MIDLEVEL}/{OFFSET + int(name.partition('/')[2])}") for name in soundtracks.names]
    alone = [index for index, partner in enumerate(partners) if partner is None]
    labels = midlevel.labels.copy()
    pairs = [(index, partner) for index, partner in enumerate(partners) if partner is not None]
    for index, partner in pairs:
        rated = ~np.isnan(soundtracks.labels[index])
        labels[partner, rated] = soundtracks.labels[index, rated]
    merged = merge_groups(
        [*midlevel.groups, *soundtracks.groups],
        same=[(partner, len(midlevel) + index) for index, partner in pairs],
    )
    rest = soundtracks.only(alone, left_out=())
    note = f"clips with labels of both datasets: {len(pairs)}"
    return RatedClips(
        f"{MIDLEVEL}+{SOUNDTRACKS}",
        midlevel.names + rest.names,
        (*merged[: len(midlevel)], *(merged[len(midlevel) + index] for index in alone)),
        midlevel.sounds + rest.sounds,
        midlevel.sources + rest.sources,
        np.concatenate([labels, rest.labels]),
        ordered((*midlevel.left_out, *soundtracks.left_out)),
        (note, *midlevel.notes, *soundtracks.notes),
    )


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
