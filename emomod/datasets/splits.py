"""Splits of a dataset into training and test, in whole groups: an artist or album is never on both sides.

The usual test set of the Mid-level dataset is about 8 % of its clips, drawn from artists that occur once. Folds and
repeated splits are for small sets such as Soundtracks. Splits depend on the groups' names and the seed only.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_count, check_number, check_rng
from emomod.datasets.clips import ARTIST
from emomod.errors import InputError

TEST_SHARE = 0.08  # of all clips


@dataclass(frozen=True, eq=False)
class TrainTest:
    """Indices of the clips on each side, ascending; every clip is on one."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


def single_artist_split(groups: Sequence[str], *, share: float = TEST_SHARE, seed: int) -> TrainTest:
    """A test set of ``share`` of all clips, drawn from artists that occur once; the rest is training.

    ``groups`` [n]; an artist's begins with "artist: ", as the loaders write it: a clip whose artist is not known
    cannot be told to be its artist's only one. InputError when there are too few such artists.
    """
    check_number("share", share, low=0.0, high=1.0)
    names, sizes = _sizes(groups)
    n_test = int(share * len(groups))
    single = [name for name, size in zip(names, sizes, strict=True) if size == 1 and name.startswith(ARTIST)]
    if n_test < 1:
        raise InputError(f"share must give at least one test clip, got {share:g} of {len(groups)} clips")
    if n_test > len(single) or n_test == len(groups):
        raise InputError(f"groups must have {n_test} artists that occur once beside others, got {len(single)}")
    chosen = check_rng(seed).choice(len(single), n_test, replace=False)
    return _train_test(groups, {single[index] for index in chosen})


def fold_splits(groups: Sequence[str], *, k: int = 10, seed: int) -> tuple[TrainTest, ...]:
    """``k`` splits; each clip is in one test set. Folds differ by no more than the largest group of ``groups`` [n].

    InputError when there are fewer groups than folds.
    """
    check_count("k", k, low=2)
    names, sizes = _sizes(groups)
    if len(names) < k:
        raise InputError(f"groups must be at least as many as the {k} folds, got {len(names)}")
    order = check_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled, folds = np.zeros(k, dtype=np.intp), [set[str]() for _ in range(k)]
    for index in order:
        fold = int(np.argmin(filled))
        folds[fold].add(names[index])
        filled[fold] += sizes[index]
    return tuple(_train_test(groups, fold) for fold in folds)


def repeated_splits(
    groups: Sequence[str], *, n_splits: int = 10, share: float = 0.1, seed: int
) -> tuple[TrainTest, ...]:
    """``n_splits`` independent draws of a test set of at most ``share`` of the clips, in whole groups.

    The groups of ``groups`` [n] are taken in random order as long as they fit. InputError when none fits.
    """
    check_count("n_splits", n_splits)
    check_number("share", share, low=0.0, high=1.0)
    names, sizes = _sizes(groups)
    wanted = int(share * len(groups))
    if not (sizes.min() <= wanted < len(groups)):
        raise InputError(
            f"share must leave room for the smallest group and for training, got {share:g} of {len(groups)} clips "
            f"where the smallest group has {sizes.min()}"
        )
    rng = check_rng(seed)
    return tuple(_draw(groups, names, sizes, wanted=wanted, rng=rng) for _ in range(n_splits))


def _draw(
    groups: Sequence[str], names: list[str], sizes: NDArray[np.intp], *, wanted: int, rng: np.random.Generator
) -> TrainTest:
    chosen, taken = set[str](), 0
    for index in rng.permutation(len(names)):
        if taken + sizes[index] <= wanted:
            chosen.add(names[index])
            taken += int(sizes[index])
    return _train_test(groups, chosen)


def _sizes(groups: Sequence[str]) -> tuple[list[str], NDArray[np.intp]]:
    """Names of the groups in the order of the alphabet, and how many clips each has."""
    if not len(groups):
        raise InputError("groups must not be empty")
    counts = Counter(groups)
    names = sorted(counts)
    return names, np.array([counts[name] for name in names], dtype=np.intp)


def _train_test(groups: Sequence[str], chosen: set[str]) -> TrainTest:
    is_test = np.array([group in chosen for group in groups])
    return TrainTest(np.flatnonzero(~is_test), np.flatnonzero(is_test))
