"""Splits of datasets: whole groups, every clip on one side, the same for the same seed."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import GroupKFold

from emomod.datasets.splits import PROTOCOLS, fold_splits, repeated_splits, single_artist_split, splits_of
from emomod.errors import InputError

NAMED = st.lists(st.sampled_from([f"{kind}: {n}" for kind in ("artist", "album") for n in range(8)]), min_size=4)


def check(split, groups):
    """Every clip is on one side, no group is on both, and neither side is empty."""
    assert sorted([*split.train, *split.test]) == list(range(len(groups)))
    assert not {groups[index] for index in split.train} & {groups[index] for index in split.test}
    assert len(split.train)
    assert len(split.test)


def sides(split, names):
    return sorted(names[index] for index in split.test)


@given(groups=NAMED, k=st.integers(2, 4), seed=st.integers(0, 99))
def test_folds_are_even_to_the_largest_group_and_cover_all_once(groups, k, seed):
    sizes = Counter(groups)
    if len(sizes) < k:
        with pytest.raises(InputError, match=f"at least as many as the {k} folds, got {len(sizes)}"):
            fold_splits(groups, k=k, seed=seed)
        return
    splits = fold_splits(groups, k=k, seed=seed)
    for split in splits:
        check(split, groups)
    assert sorted(index for split in splits for index in split.test) == list(range(len(groups)))
    lengths = [len(split.test) for split in splits]
    assert max(lengths) - min(lengths) <= max(sizes.values())


def test_folds_are_as_even_as_scikit_learn_s(rng):
    groups = [f"album: {n}" for n in rng.integers(0, 45, 360)]
    reference = GroupKFold(10).split(np.zeros(360), groups=groups)
    expected = sorted(len(test) for _, test in reference)
    assert sorted(len(split.test) for split in fold_splits(groups, seed=1)) == expected


@given(groups=NAMED, share=st.floats(0.05, 0.6), seed=st.integers(0, 99))
def test_repeated_splits_never_exceed_their_share(groups, share, seed):
    try:
        splits = repeated_splits(groups, n_splits=3, share=share, seed=seed)
    except InputError:
        assert min(Counter(groups).values()) > int(share * len(groups))
        return
    for split in splits:
        check(split, groups)
        assert len(split.test) <= share * len(groups)
        left = Counter(groups[index] for index in split.train)
        assert min(left.values()) + len(split.test) > int(share * len(groups))  # no group that fits is left


def test_repeated_splits_differ_from_each_other():
    groups = [f"album: {n}" for n in range(40)]
    assert len({tuple(split.test) for split in repeated_splits(groups, n_splits=10, seed=0)}) == 10


@given(counts=st.lists(st.integers(1, 3), min_size=5, max_size=40), seed=st.integers(0, 99))
def test_single_artists_are_what_they_are_called(counts, seed):
    groups = [f"artist: {n}" for n, count in enumerate(counts) for _ in range(count)] + ["song: 1", "album: x"]
    wanted, single = int(0.3 * len(groups)), counts.count(1)
    if wanted > single:
        with pytest.raises(InputError, match=f"must have {wanted} artists that occur once beside others, got {single}"):
            single_artist_split(groups, share=0.3, seed=seed)
        return
    split = single_artist_split(groups, share=0.3, seed=seed)
    check(split, groups)
    assert len(split.test) == wanted
    for index in split.test:
        assert groups.count(groups[index]) == 1
        assert groups[index].startswith("artist: ")


def test_single_artists_are_eight_per_cent_of_all_clips_against_the_usual_split():
    groups = [f"artist: {n // 2 if n < 4000 else n}" for n in range(5000)]
    assert len(single_artist_split(groups, seed=0).test) == 400


@pytest.mark.parametrize(
    "split",
    [
        lambda groups, seed: single_artist_split(groups, share=0.2, seed=seed),
        lambda groups, seed: fold_splits(groups, k=5, seed=seed)[0],
        lambda groups, seed: repeated_splits(groups, share=0.2, seed=seed)[0],
    ],
    ids=["single", "folds", "repeated"],
)
def test_splits_depend_on_names_and_seed_only_against_themselves(split, rng):
    groups = [f"artist: {n if n % 2 else n // 8}" for n in range(60)]
    names = [f"{group}/{index}" for index, group in enumerate(groups)]
    order = rng.permutation(60)
    first = sides(split(groups, 3), names)
    shuffled = split([groups[index] for index in order], 3)
    assert sides(shuffled, [names[index] for index in order]) == first
    assert sides(split(groups, 3), names) == first
    assert any(sides(split(groups, seed), names) != first for seed in range(4, 8))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (lambda: single_artist_split([], seed=0), "must not be empty"),
        (lambda: single_artist_split(["artist: a"] * 9, seed=0), "at least one test clip, got 0.08 of 9"),
        (lambda: single_artist_split(["artist: a", "artist: b"], share=1.0, seed=0), "beside others"),
        (lambda: single_artist_split(["artist: a"], share=1.5, seed=0), "share must be a finite number"),
        (lambda: fold_splits(["a", "b"], k=1, seed=0), "k must be a whole number of at least 2"),
        (lambda: fold_splits(["a", "b"], seed=-1), "at least as many as the 10 folds"),
        (lambda: fold_splits(["a", "b"], k=2, seed=-1), "a seed must be >= 0"),
        (lambda: repeated_splits(["a"] * 9 + ["b"] * 9, seed=0), "the smallest group has 9"),
        (lambda: repeated_splits(["a", "b"], share=1.0, seed=0), "room"),
        (lambda: repeated_splits(["a", "b"], n_splits=0, seed=0), "n_splits must be"),
    ],
)
def test_splits_iv(split, message):
    with pytest.raises(InputError, match=message):
        split()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(seed=st.integers(0, 99), n_small=st.integers(30, 60), sizes=st.lists(st.integers(2, 6), min_size=5, max_size=15))
def test_protocols_part_all_clips_in_whole_groups(protocol, seed, n_small, sizes):
    groups = [f"artist: {n}" for n in range(n_small)]
    groups += [f"album: {n}" for n, size in enumerate(sizes) for _ in range(size)]
    splits = splits_of(protocol, groups, n_splits=3, seed=seed)
    for split in splits:
        parts = [split.train, split.validation, split.test]
        assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
        assert sum(len({groups[index] for index in part}) for part in parts) == len(set(groups))
        n_rest = len(split.train) + len(split.validation)
        assert (len(groups) if protocol == "groups" else n_rest) // 10 <= len(split.validation) <= n_rest // 10 + 6
    again = splits_of(protocol, groups, n_splits=2, seed=seed)
    assert [s.train.tolist() for s in again] == [s.train.tolist() for s in splits[:2]]  # more splits add to fewer


def test_protocols_test_what_their_splits_test():
    groups = [f"artist: {n if n < 60 else n // 4}" for n in range(100)]
    assert_array_equal(splits_of("single-artist", groups, seed=4)[0].test, single_artist_split(groups, seed=4).test)
    for found, expected in (
        (splits_of("folds", groups, n_splits=10, seed=4), fold_splits(groups, seed=4)),
        (splits_of("repeated", groups, n_splits=10, seed=4), repeated_splits(groups, seed=4)),
    ):
        assert [split.test.tolist() for split in found] == [split.test.tolist() for split in expected]


@pytest.mark.parametrize(("protocol", "groups", "n_splits", "message"), [
    ("alphabet", ["a"] * 20, 1, "split must be one of groups, single-artist, folds, repeated, got 'alphabet'"),
    ("folds", list("abcdefghijklmn"), 11, "n_splits must be at most the 10 folds, got 11"),
    ("repeated", list("abcdefghijklmn"), 0, "n_splits must be"),
    ("single-artist", ["song: 1"] * 20, 1, "must have 1 artists that occur once beside others, got 0"),
    ("repeated", ["a"] * 12 + ["b"], 1, "enough for training and validation, got 1 beside the test clips"),
])  # fmt: skip
def test_protocols_iv(protocol, groups, n_splits, message):
    with pytest.raises(InputError, match=message):
        splits_of(protocol, groups, n_splits=n_splits, seed=0)
