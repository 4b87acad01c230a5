"""Orders: balance and distance."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emomod.errors import InputError
from listening_study.orders import balanced_choices, balanced_sides, kept_apart, williams_square


@pytest.mark.parametrize("k", range(1, 10))
def test_williams_squares_against_theory(k):
    square = williams_square(k)
    assert len(square) == (1 if k == 1 else k if k % 2 == 0 else 2 * k)
    times = len(square) // k
    for place in range(k):
        assert Counter(square[:, place].tolist()) == dict.fromkeys(range(k), times)
    follows = Counter((int(a), int(b)) for row in square for a, b in pairwise(row))
    assert set(follows.values()) <= {times}
    assert len(follows) == k * (k - 1)


@pytest.mark.parametrize(("n", "k"), [(4, 2), (5, 3), (3, 3), (6, 1)])
def test_balanced_choices_against_theory(n, k):
    choices = balanced_choices(n, k)
    assert len({tuple(choice) for choice in choices.tolist()}) == len(choices)
    assert len(set(Counter(choices.ravel().tolist()).values())) == 1
    pairs = Counter((a, b) for row in choices.tolist() for a in row for b in row if a < b)
    assert len(set(pairs.values())) <= 1
    assert len(pairs) == (n * (n - 1) // 2 if k > 1 else 0)


@given(st.integers(0, 3), st.integers(1, 3), st.integers(0, 50))
def test_songs_are_kept_apart_against_theory(distance, versions, seed):
    songs = [f"song {k % 6}" for k in range(6 * versions)]
    order = kept_apart(songs, distance=distance, rng=seed, before=["song 0"])
    assert sorted(order) == list(range(len(songs)))
    heard = ["song 0", *(songs[place] for place in order)]
    for place, song in enumerate(heard):
        assert song not in heard[max(0, place - distance) : place]
    assert np.array_equal(order, kept_apart(songs, distance=distance, rng=seed, before=["song 0"]))


def test_orders_differ_between_seeds():
    songs = [str(k) for k in range(12)]
    assert len({tuple(kept_apart(songs, distance=1, rng=seed)) for seed in range(20)}) == 20


@given(st.integers(1, 30), st.integers(0, 20))
def test_sides_against_theory(n, seed):
    sides = balanced_sides(n, rng=seed)
    assert sides.size == n
    assert abs(2 * int(sides.sum()) - n) <= 1


def test_orders_iv():
    with pytest.raises(InputError, match="k must be at most the 3 conditions that there are, got 4"):
        balanced_choices(3, 4)
    with pytest.raises(InputError, match=r"distance must be smaller, got 2: 4 trials of 2 songs have no such order"):
        kept_apart(["a", "b"] * 2, distance=2, rng=0)
    with pytest.raises(InputError, match="k must be a whole number"):
        williams_square(0)
