"""Split clips into training, validation and test so that a group (a song, an artist) lies in one of them only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_count
from emomod.errors import InputError


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the clips for each purpose."""

    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]


def split_groups(groups: Sequence[str], *, seed: int) -> Split:
    """Split clips of ``groups`` [n] at random, about 80/10/10, in whole groups; depends on names and seed only.

    Groups go to validation, then to test, until each has a tenth of the clips. InputError for fewer than 10 clips, or
    when groups are so few or so large that a part would stay empty.
    """
    check_count("number of clips", len(groups), low=10)
    names, places, sizes = np.unique(np.asarray(groups, dtype=str), return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    reached = np.cumsum(sizes[order])  # clips of the groups so far
    tenth = len(groups) // 10
    n_validation = int(np.searchsorted(reached, tenth)) + 1
    n_both = int(np.searchsorted(reached, reached[n_validation - 1] + tenth)) + 1
    if n_both >= len(names):
        raise InputError(f"groups must be enough for three parts, got {len(names)} groups for {len(groups)} clips")
    parts = np.zeros(len(names), dtype=np.intp)  # of each group: 0 training, 1 validation, 2 test
    parts[order[:n_validation]], parts[order[n_validation:n_both]] = 1, 2
    train, validation, test = (np.flatnonzero(parts[places] == part) for part in range(3))
    return Split(train, validation, test)
