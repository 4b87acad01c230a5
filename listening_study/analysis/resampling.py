"""Draws of listeners and of items at once, for figures that shall hold for other listeners and other music.

The two-way bootstrap (Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1(2), 2007): listeners are drawn
with replacement, items are drawn with replacement, and an answer counts as often as its listener times as often as its
item. Where answers are mostly noise its variance is too large, so that intervals are on the safe side; Owen cites
McCullagh's proof that no way to draw crossed factors is exact.

Conventions
-----------
Cells [n_listeners, n_items] hold sums over the answers of a listener to the versions of an item.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.bootstrap import N_DRAWS, draw_groups
from emomod.checks import check_count, check_rng

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TwoWayDraws:
    """How often each listener and each item comes up in each draw."""

    listeners: NDArray[np.intp]  # [n_draws, n_listeners]
    items: NDArray[np.intp]  # [n_draws, n_items]

    @property
    def can_tell(self) -> bool:
        """Whether there is anything to draw: one listener, or one item, says nothing about others."""
        return bool(self.listeners.shape[1] > 1 and self.items.shape[1] > 1)

    def totals(self, cells: Array) -> Array:
        """Weighted totals [n_draws] of ``cells`` [n_listeners, n_items]; NaN of one listener or one item."""
        if not self.can_tell:
            return np.full(len(self.items), np.nan)
        return np.asarray(((self.listeners @ cells) * self.items).sum(axis=1))


def draw_both(n_listeners: int, n_items: int, *, rng: int | np.random.Generator, n_draws: int = N_DRAWS) -> TwoWayDraws:
    """Draws of listeners and, independently, of items."""
    generator = check_rng(rng)
    sizes = check_count("n_listeners", n_listeners), check_count("n_items", n_items)
    listeners, items = (
        draw_groups([str(number) for number in range(size)], rng=generator, n_draws=check_count("n_draws", n_draws))
        for size in sizes
    )
    return TwoWayDraws(listeners, items)


def cell_sums(values: Array, *, listener: NDArray[np.intp], item: NDArray[np.intp]) -> Array:
    """Sums [n_listeners, n_items] of the answers' ``values`` [n] over cells."""
    cells = np.zeros((int(listener.max()) + 1, int(item.max()) + 1))
    np.add.at(cells, (listener, item), values)
    return cells


def ratio(above: Array, below: Array) -> Array:
    """``above`` / ``below`` [n], NaN where that is not defined."""
    defined = below > 0
    return np.where(defined, above / np.where(defined, below, 1.0), np.nan)


def correlation(first: Array, second: Array) -> float:
    """Pearson's correlation of what is known in both [n]; NaN for fewer than three, or where one does not vary."""
    both = np.isfinite(first) & np.isfinite(second)
    a, b = first[both], second[both]
    if a.size < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def mean_of_known(values: Sequence[float] | Array) -> float:
    """Mean of the ``values`` that are not NaN; NaN of none."""
    found = np.asarray(values, dtype=np.float64)
    found = found[np.isfinite(found)]
    return float(found.mean()) if found.size else float("nan")
