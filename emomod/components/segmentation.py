"""Regions that follow the picture of a spectrogram: the segmentations that the 2019 work names.

Conventions: the picture is the log spectrogram [n_bands, n_frames] divided by its maximum, so within 0..1; lengths are
counted in cells, which are a quarter tone high and 32 ms wide; each region is one connected piece.

Haunschmid, Chowdhury, Widmer, 2019 (arXiv:1905.11760) give parameters for felzenszwalb alone. Those of the others were
chosen here, for about as many regions as it has, between 100 and 300 in 10 s of music; chan_vese has fewer, since
whatever is faint is one large region.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_count, check_number
from emomod.components.base import Sound
from emomod.errors import InputError

Array = NDArray[np.float64]
Labels = NDArray[np.intp]


def picture(sound: Sound) -> Array:
    """The log spectrogram [n_bands, n_frames] of a sound, divided by its maximum."""
    image = sound.spectrogram.log_spectrogram.cpu().double().numpy()
    return np.asarray(image / image.max())


def _segmentation() -> Any:
    return import_module("skimage.segmentation")


def _connected(labels: NDArray[Any]) -> Labels:
    """Number the connected pieces of equal labels, 0..n-1; cells that touch at a corner alone are apart."""
    measure: Any = import_module("skimage.measure")
    return np.asarray(measure.label(labels.astype(np.intp), background=-1, connectivity=1), dtype=np.intp) - 1


def _check_fits(n_segments: int, image: Array) -> None:
    if n_segments > image.size:
        raise InputError(f"n_segments must be at most {image.size}, the cells of the spectrogram, got {n_segments}")


@dataclass(frozen=True)
class Felzenszwalb:
    """Segments of like loudness, as in the 2019 paper: neighbours are joined along a minimum spanning tree."""

    scale: float = 25.0  # larger for larger segments
    min_size: int = 40  # cells of the smallest segment

    reference: ClassVar[str] = "Felzenszwalb & Huttenlocher, IJCV 59(2), 2004"

    def __post_init__(self) -> None:
        check_number("scale", self.scale, low=0.0)
        check_count("min_size", self.min_size)

    def regions(self, sound: Sound) -> Labels:
        """Return the segments [n_bands, n_frames], 0..n-1; here cells may be connected by a corner."""
        segments = _segmentation().felzenszwalb(picture(sound), scale=self.scale, min_size=self.min_size)
        return np.asarray(segments, dtype=np.intp)


@dataclass(frozen=True)
class Slic:
    """Compact segments of about one size: clusters of cells by place and loudness."""

    n_segments: int = 250  # about; fewer where a sound has large even areas
    compactness: float = 0.1  # how much place counts beside loudness, > 0

    reference: ClassVar[str] = "Achanta et al.: SLIC Superpixels, IEEE TPAMI 34(11), 2012"

    def __post_init__(self) -> None:
        check_count("n_segments", self.n_segments)
        check_number("compactness", self.compactness, low=1e-6)

    def regions(self, sound: Sound) -> Labels:
        """Return the segments [n_bands, n_frames], 0..n-1; InputError where more are asked for than there are cells."""
        image = picture(sound)
        _check_fits(self.n_segments, image)
        return _connected(
            _segmentation().slic(
                image, n_segments=self.n_segments, compactness=self.compactness, channel_axis=None, start_label=0
            )
        )


@dataclass(frozen=True)
class ChanVese:
    """What stands out and what does not, in connected pieces: two classes whose mean loudness differs most."""

    mu: float = 0.01  # weight of the length of outlines: smoother with more
    min_size: int = 10  # cells; smaller pieces become part of what surrounds them
    iterations: int = 500  # at most

    reference: ClassVar[str] = "Chan & Vese: Active Contours Without Edges, IEEE TIP 10(2), 2001"

    def __post_init__(self) -> None:
        check_number("mu", self.mu, low=0.0)
        check_count("min_size", self.min_size)
        check_count("iterations", self.iterations)

    def regions(self, sound: Sound) -> Labels:
        """Return the pieces [n_bands, n_frames] of both classes, 0..n-1."""
        stands_out = _segmentation().chan_vese(picture(sound), mu=self.mu, max_num_iter=self.iterations)
        kept = _without_small(stands_out, self.min_size)
        return _connected(~_without_small(~kept, self.min_size))


def _without_small(mask: NDArray[np.bool_], min_size: int) -> NDArray[np.bool_]:
    """Return ``mask`` without its connected pieces of fewer than ``min_size`` cells."""
    pieces = _connected(mask)
    return np.asarray(mask & (np.bincount(pieces.ravel())[pieces] >= min_size))


@dataclass(frozen=True)
class Watershed:
    """Basins of even loudness between its steepest changes, flooded from points of a regular grid."""

    n_segments: int = 200  # about
    compactness: float = 0.001  # keeps basins from growing far; 0 allows basins of a single cell

    reference: ClassVar[str] = "Neubert & Protzel: Compact Watershed and Preemptive SLIC, ICPR 2014"

    def __post_init__(self) -> None:
        check_count("n_segments", self.n_segments)
        check_number("compactness", self.compactness, low=0.0)

    def regions(self, sound: Sound) -> Labels:
        """Return the basins [n_bands, n_frames], 0..n-1; InputError where more are asked for than there are cells."""
        filters: Any = import_module("skimage.filters")
        image = picture(sound)
        _check_fits(self.n_segments, image)
        steepness = filters.sobel(image)
        return _connected(_segmentation().watershed(steepness, markers=self.n_segments, compactness=self.compactness))
