"""Which cells of the spectrogram carry the difference of two versions of a clip: known exactly, from their stems."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.stems import Stems
from emomod.errors import InputError
from emomod.spectrogram import filterbank, n_frames_of, stft


@dataclass(frozen=True, eq=False)
class DifferenceCells:
    """The difference of two versions, cell by cell, in the bands and frames of the model's front end."""

    magnitude: NDArray[np.float32]  # [n_bands, n_frames], >= 0, of what was changed; the louder mix has a peak of 1
    share: NDArray[np.float32]  # [n_bands, n_frames], 0..1: of what sounds in the cell in both mixes, added up


def difference_cells(before: Stems, after: Stems) -> DifferenceCells:
    """Compare two versions of a clip with the same parts.

    The magnitude is that of the STFT of the changed stems' difference, filtered into bands. Phases count: a note that
    comes later differs in the cells of both onsets. As ``|A - B| <= |A| + |B|``, it is at most the sum of both mixes'
    magnitudes, and ``share`` is its part of that sum: 1 where all that sounds has changed, 0 where nothing has; small
    where what stayed is much louder.
    """
    if before.names != after.names or before.rest.size != after.rest.size:
        raise InputError("before and after must have the same parts and length")
    changed = (before.parts != after.parts).any(axis=1)
    difference = (after.parts[changed].astype(np.float64) - before.parts[changed]).sum(axis=0)
    difference += after.rest.astype(np.float64) - before.rest
    peak = max(float(np.abs(before.mix).max()), float(np.abs(after.mix).max()), 1e-9)
    magnitude, old, new = (_band_magnitude(y / peak) for y in (difference, before.mix, after.mix))
    total = old + new
    share = np.divide(magnitude, total, out=np.zeros_like(total), where=total > 0.0)
    return DifferenceCells(magnitude, share.clip(0.0, 1.0))


def _band_magnitude(y: NDArray[np.floating]) -> NDArray[np.float32]:
    """Filtered magnitude [n_bands, n_frames] of ``y`` [n_samples]."""
    transform = stft(y)[:-1, : n_frames_of(y.size)]
    return np.asarray(filterbank().T @ transform.abs().numpy(), dtype=np.float32)
