"""Which components move together, which lie side by side, and how much of what is audible each of them is.

A component that is changed alone for less than a tenth of a second is heard as a click or a chirp, so that short ones
move with the neighbour that they share the longest border with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from emomod.audio import SAMPLE_RATE
from emomod.component_map import ComponentMap, Location
from emomod.errors import InputError
from emomod.spectrogram import HOP_LENGTH

FRAME_SECONDS = HOP_LENGTH / SAMPLE_RATE
SHORTEST = 0.1  # s, that a change lasts at least

Array = NDArray[np.float64]


def audible_shares(where: ComponentMap, log_spectrogram: NDArray[np.floating]) -> Array:
    """Share [K] of each component in all that is audible, log10(1 + magnitude) over the cells; at most 1 in all."""
    cells = np.asarray(log_spectrogram, dtype=np.float64).ravel()
    shares: Array = np.asarray(where.shares @ cells) / cells.sum()
    return shares


def borders(where: ComponentMap, locations: Sequence[Location]) -> csr_array:
    """[K, K], symmetric: the number of cells in which two components of one part touch, in time or in frequency."""
    n_bands, n_frames = where.shape
    cells = np.arange(n_bands * n_frames).reshape(where.shape)
    shares, total = where.shares.tocsc(), csr_array((where.n_components, where.n_components))
    for first, second in ((cells[:, :-1], cells[:, 1:]), (cells[:-1], cells[1:])):
        total = total + shares[:, first.ravel()] @ shares[:, second.ravel()].T
    both = coo_array(total + total.T)
    part = np.unique([location.part for location in locations], return_inverse=True)[1]
    kept = (both.row != both.col) & (part[both.row] == part[both.col])
    return csr_array((both.data[kept], (both.row[kept], both.col[kept])), shape=both.shape)


def groups_of(locations: Sequence[Location], touching: csr_array, *, shortest: float = SHORTEST) -> NDArray[np.intp]:
    """The group [K] of each component, 0..n_groups-1; a group sounds for ``shortest`` seconds if it has neighbours."""
    start = np.array([location.start for location in locations])
    end = np.array([location.end for location in locations]) + FRAME_SECONDS
    group = np.arange(len(locations))
    for component in np.argsort(end - start, kind="stable"):
        while end[group[component]] - start[group[component]] < shortest - 1e-9:
            mine = group == group[component]
            border = np.asarray(touching[np.flatnonzero(mine)].sum(axis=0)).ravel()
            border[mine] = 0.0
            if not border.any():
                break
            other, own = int(group[border.argmax()]), int(group[component])
            start[other], end[other] = min(start[other], start[own]), max(end[other], end[own])
            group[mine] = other
    return np.asarray(np.unique(group, return_inverse=True)[1], dtype=np.intp)


@dataclass(frozen=True, eq=False)
class Parts:
    """G groups of components, each with one gain."""

    group: NDArray[np.intp]  # [K]
    component_audible: Array  # [K], shares of all that is audible
    audible: Array  # [G], the same
    bounds_db: Array  # [G], the largest gain, up and down
    edges: NDArray[np.intp]  # [n_edges, 2], groups that touch
    lengths: Array  # [n_edges], shares of all borders

    @property
    def n_groups(self) -> int:
        """G."""
        return self.audible.size

    @property
    def differences(self) -> Array:
        """[n_edges, G]: times gains [G], the difference across each border."""
        rows, found = np.arange(len(self.edges)), np.zeros((len(self.edges), self.n_groups))
        found[rows, self.edges[:, 0]], found[rows, self.edges[:, 1]] = 1.0, -1.0
        return found

    def spread(self, gains: NDArray[np.floating]) -> Array:
        """Gains [..., K] of components from those [..., G] of groups."""
        return np.asarray(gains[..., self.group], dtype=np.float64)

    def divided(self, shares: Array) -> Array:
        """What belongs to groups [..., G], divided among their components [..., K] by how audible these are.

        The components of a group in which nothing sounds get equal parts.
        """
        weight = np.where(self.audible[self.group] > 0.0, self.component_audible, 1.0)
        return np.asarray(shares[..., self.group] * weight / np.bincount(self.group, weight)[self.group])

    def size_db(self, gains: NDArray[np.floating]) -> float:
        """Root mean square of gains [G] in dB over what is audible."""
        return float(np.sqrt((self.audible * np.asarray(gains) ** 2).sum() / self.audible.sum()))


def parts_of(
    where: ComponentMap,
    locations: Sequence[Location],
    log_spectrogram: NDArray[np.floating],
    *,
    bounds_db: Array,
) -> Parts:
    """Group the components of a sound.

    A group may change as far as each of its components may; where nothing sounds, there is nothing to change.
    Raises InputError where no group may change.
    """
    touching = borders(where, locations)
    group = groups_of(locations, touching)
    n_groups = int(group.max()) + 1
    each = audible_shares(where, log_spectrogram)
    audible = np.asarray(np.bincount(group, each), dtype=np.float64)
    bounds = np.where(audible > 0.0, np.inf, 0.0)
    np.minimum.at(bounds, group, bounds_db)
    if not bounds.any():
        raise InputError("limits must leave a part of the sound that may change, got limits of 0 dB on all of them")
    pairs = coo_array(touching)
    one, other = group[pairs.row], group[pairs.col]
    between = csr_array(coo_array((pairs.data * (one < other), (one, other)), shape=(n_groups, n_groups)))
    between.eliminate_zeros()
    found = coo_array(between)
    total = found.data.sum()
    lengths = found.data / total if total > 0 else found.data
    return Parts(group, each, audible, bounds, np.stack([found.row, found.col], axis=1).astype(np.intp), lengths)
