"""Where components lie: when, in which register, and which share each has of every cell of the spectrogram."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from emomod.errors import InputError

SAME = 0.01  # share of a cell that rounding may move
CRISP = 0.999  # share of a cell from which on it is one component's alone


@dataclass(frozen=True)
class Location:
    """Where a component lies in the sound."""

    start: float  # s
    end: float  # s
    centre: float  # s, energy-weighted
    low: float  # Hz, centre of the lowest band
    high: float  # Hz, centre of the highest band
    part: str = ""  # what is sounding, such as "drums"; empty where all of the sound is


@dataclass(frozen=True, eq=False)
class ComponentMap:
    """Shares of K components in the cells of a spectrogram."""

    shares: csr_array  # [K, n_bands * n_frames], each within 0..1
    shape: tuple[int, int]  # (n_bands, n_frames)

    def __post_init__(self) -> None:
        if self.shares.shape[1] != self.shape[0] * self.shape[1]:
            raise InputError(f"shares must be of {self.shape[0]} x {self.shape[1]} cells, got {self.shares.shape[1]}")

    @property
    def n_components(self) -> int:
        """K."""
        return int(self.shares.shape[0])

    def spread(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return [n_bands, n_frames]: the sum of values [K], each times its component's share of the cell."""
        return np.asarray(self.shares.T @ np.asarray(values, dtype=np.float64)).reshape(self.shape)

    @cached_property
    def labels(self) -> NDArray[np.intp] | None:
        """The component [n_bands, n_frames] of each cell; None where components share cells."""
        columns = self.shares.tocsc()
        if (np.diff(columns.indptr) != 1).any() or (columns.data < CRISP).any():
            return None
        return np.asarray(columns.indices, dtype=np.intp).reshape(self.shape)

    def agrees(self, shares: csr_array) -> bool:
        """Whether ``shares`` are those of the map, to a hundredth of a cell."""
        return bool(shares.shape == self.shares.shape and abs(shares - self.shares).max() < SAME)

    def at_frames(self, frames: NDArray[np.intp]) -> "ComponentMap":
        """The map of ``frames`` [m] in that order, any of them as often as wanted."""
        cells = np.arange(self.shares.shape[1]).reshape(self.shape)[:, frames]
        return ComponentMap(self.shares.tocsc()[:, cells.ravel()].tocsr(), (self.shape[0], frames.size))


def map_of_labels(labels: NDArray[np.intp]) -> ComponentMap:
    """The map of components that each cell [n_bands, n_frames] belongs to one of."""
    cells = np.arange(labels.size)
    shape = (int(labels.max()) + 1, labels.size)
    shares = csr_array((np.ones(labels.size, dtype=np.float32), (labels.ravel(), cells)), shape=shape)
    return ComponentMap(shares, (labels.shape[0], labels.shape[1]))
