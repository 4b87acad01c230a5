"""Orders for listeners: balanced sequences of conditions, balanced choices of them, songs kept apart.

Williams, Experimental Designs Balanced for the Estimation of Residual Effects of Treatments, Australian Journal of
Scientific Research A 2, 1949: each condition stands in each place equally often, and follows each other condition
equally often.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_count, check_rng
from emomod.errors import InputError

TRIES = 500  # random orders before songs are said not to be separable


def williams_square(k: int) -> NDArray[np.intp]:
    """Rows [k or 2 k, k] of conditions 0..k-1; 2 k rows where k is odd.

    >>> williams_square(4)
    array([[0, 3, 1, 2],
           [1, 0, 2, 3],
           [2, 1, 3, 0],
           [3, 2, 0, 1]])
    """
    check_count("k", k)
    places = np.arange(k)
    first = np.where(places % 2 == 1, k - (places + 1) // 2, places // 2)  # 0, k-1, 1, k-2, ...
    square = (first + places[:, None]) % k
    rows = square if k % 2 == 0 or k == 1 else np.vstack([square, square[:, ::-1]])
    return np.asarray(rows, dtype=np.intp)


def balanced_choices(n: int, k: int) -> NDArray[np.intp]:
    """All choices [n over k, k] of ``k`` conditions out of ``n``: each, and each pair, is chosen equally often.

    >>> balanced_choices(3, 2).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    if check_count("k", k) > check_count("n", n):
        raise InputError(f"k must be at most the {n} conditions that there are, got {k}")
    return np.array(list(combinations(range(n), k)), dtype=np.intp)


def kept_apart(
    songs: Sequence[str], *, distance: int, rng: int | np.random.Generator, before: Sequence[str] = ()
) -> NDArray[np.intp]:
    """A random order [n] in which two clips of one song are more than ``distance`` places apart.

    ``before``: songs of what was heard just before. InputError where no such order is found: there are too few songs.
    """
    generator = check_rng(rng)
    check_count("distance", distance, low=0)
    for _ in range(TRIES):
        order = _try_order(songs, distance, generator, list(before))
        if order is not None:
            return np.array(order, dtype=np.intp)
    raise InputError(
        f"distance must be smaller, got {distance}: {len(songs)} trials of {len(set(songs))} songs have no such order"
    )


def _try_order(songs: Sequence[str], distance: int, rng: np.random.Generator, heard: list[str]) -> list[int] | None:
    """One random order, or None where it came to an end; songs with most trials left are taken first."""
    left, order = rng.permutation(len(songs)).tolist(), []
    while left:
        recent = set(heard[max(0, len(heard) - distance) :])
        free = [index for index in left if songs[index] not in recent]
        if not free:
            return None
        counts = {song: sum(songs[index] == song for index in left) for song in {songs[index] for index in free}}
        most = max(counts.values())
        crowded = [index for index in free if counts[songs[index]] == most]
        chosen = (crowded if most > 1 else free)[0]
        left.remove(chosen)
        order.append(chosen)
        heard.append(songs[chosen])
    return order


def balanced_sides(n: int, *, rng: int | np.random.Generator) -> NDArray[np.bool_]:
    """Whether each of ``n`` pairs [n] is heard in the order given; for half of them, rounded at random."""
    generator = check_rng(rng)
    sides = np.arange(check_count("n", n)) % 2 == int(generator.integers(2))
    return np.asarray(generator.permutation(sides))
