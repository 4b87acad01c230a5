"""Splits of clips into training, validation and test, in whole groups: an artist, album or song is in one part only.

The usual test set of the Mid-level dataset is about 8 % of its clips, drawn from artists that occur once. Folds and
repeated splits are for small sets such as Soundtracks. Splits depend on the groups' names and the seed only.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_choice, check_count, check_number, check_rng
from emomod.datasets.clips import ARTIST
from emomod.errors import InputError

TEST_SHARE = 0.08  # of all clips
N_FOLDS = 10
VALIDATED = "of the others about a tenth chooses the best weights"
PROTOCOLS = {  # how clips may be split, and what that means
    "groups": "about 80 % of the clips to train on, 10 % to choose the best weights and 10 % to test, in whole groups",
    "single-artist": f"{TEST_SHARE:.0%} of the clips to test, of artists that occur once; {VALIDATED}",
    "folds": f"one of {N_FOLDS} folds to test, in whole groups; {VALIDATED}",
    "repeated": f"at most a tenth of the clips to test, drawn anew for each split, in whole groups; {VALIDATED}",
}


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the clips for each purpose, ascending; every clip has one."""

    train: NDArray[np.intp]
    validation: NDArray[np.intp]  # empty where only training and test were asked for
    test: NDArray[np.intp]


def splits_of(protocol: str, groups: Sequence[str], *, n_splits: int = 1, seed: int) -> tuple[Split, ...]:
    """The first ``n_splits`` splits of a protocol (see PROTOCOLS) of clips of ``groups`` [n], with validation.

    More splits begin with the same ones. InputError when the groups do not allow it, or for more folds than there are.
    """
    check_choice("split", protocol, tuple(PROTOCOLS))
    check_count("n_splits", n_splits)
    seeds = range(seed, seed + n_splits)
    if protocol == "groups":
        return tuple(split_groups(groups, seed=each) for each in seeds)
    if protocol == "single-artist":
        found = tuple(single_artist_split(groups, seed=each) for each in seeds)
    elif protocol == "repeated":
        found = repeated_splits(groups, n_splits=n_splits, seed=seed)
    else:
        if n_splits > N_FOLDS:
            raise InputError(f"n_splits must be at most the {N_FOLDS} folds, got {n_splits}")
        found = fold_splits(groups, k=N_FOLDS, seed=seed)[:n_splits]
    return tuple(_validated(split, groups, seed=each) for split, each in zip(found, seeds, strict=True))


def _validated(split: Split, groups: Sequence[str], *, seed: int) -> Split:
    """``split`` with whole groups of its training clips put to validation, until it has a tenth of them."""
    names, sizes = _sizes([groups[index] for index in split.train])
    order = check_rng(seed).permutation(len(names))
    n_groups = int(np.searchsorted(np.cumsum(sizes[order]), len(split.train) // 10)) + 1
    if n_groups >= len(names):
        raise InputError(f"groups must be enough for training and validation, got {len(names)} beside the test clips")
    chosen = {names[index] for index in order[:n_groups]}
    taken = np.array([groups[index] in chosen for index in split.train])
    return replace(split, train=split.train[~taken], validation=split.train[taken])


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


def single_artist_split(groups: Sequence[str], *, share: float = TEST_SHARE, seed: int) -> Split:
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


def fold_splits(groups: Sequence[str], *, k: int = N_FOLDS, seed: int) -> tuple[Split, ...]:
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


def repeated_splits(groups: Sequence[str], *, n_splits: int = 10, share: float = 0.1, seed: int) -> tuple[Split, ...]:
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
) -> Split:
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


def _train_test(groups: Sequence[str], chosen: set[str]) -> Split:
    is_test = np.array([group in chosen for group in groups])
    return Split(np.flatnonzero(~is_test), np.zeros(0, dtype=np.intp), np.flatnonzero(is_test))
