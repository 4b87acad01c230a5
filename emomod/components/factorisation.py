"""Layers that a sound's own spectrogram suggests: held and struck sounds, or notes and timbres that recur.

Conventions: a layer is the complex STFT times a mask [n_fft // 2 + 1, n_stft_frames] within 0..1; masks sum to one in
every cell, so that the layers add up to the sound and share its phase.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.checks import check_count, check_rng
from emomod.components.base import Layers, Sound
from emomod.components.optional import import_optional
from emomod.errors import InputError

EXTRA = "components"


def masked_layers(sound: Sound, names: tuple[str, ...], masks: NDArray[np.floating]) -> Layers:
    """Return a sound times each of ``masks`` [n_layers, n_fft // 2 + 1, n_stft_frames], which must sum to one."""
    factors = torch.from_numpy(masks.astype(np.float32))
    return Layers(names, sound.spectrogram.transform * factors, shared_phase=True)


def _magnitudes(sound: Sound) -> NDArray[np.float32]:
    return np.asarray(sound.spectrogram.transform.abs().cpu().numpy())


@dataclass(frozen=True)
class Hpss:
    """Harmonic and percussive sound: what holds on in time, and what is wide in frequency."""

    frames: int = 31  # of 32 ms, over which a held sound is even
    bins: int = 31  # of 10.8 Hz, over which a struck sound is even

    reference: ClassVar[str] = "Fitzgerald: Harmonic/Percussive Separation Using Median Filtering, DAFx 2010; librosa"

    def __post_init__(self) -> None:
        check_count("frames", self.frames)
        check_count("bins", self.bins)

    def layers(self, sound: Sound) -> Layers:
        """Return the layers "harmonic" and "percussive"."""
        decompose = import_optional("librosa.decompose", extra=EXTRA)
        masks = decompose.hpss(_magnitudes(sound), kernel_size=(self.frames, self.bins), mask=True)
        return masked_layers(sound, ("harmonic", "percussive"), np.stack(masks))


@dataclass(frozen=True)
class Nmf:
    """Parts that each have one spectrum and come and go: non-negative matrix factorisation, loudest part first."""

    n: int = 8  # parts
    seed: int = 0  # of the values that the factorisation starts from
    iterations: int = 200  # of the multiplicative update; more hardly change the fit

    reference: ClassVar[str] = "Smaragdis & Brown, WASPAA 2003; Kullback-Leibler: Lee & Seung, NIPS 2000; scikit-learn"

    def __post_init__(self) -> None:
        check_count("n", self.n)
        check_rng(self.seed)
        check_count("iterations", self.iterations)

    def layers(self, sound: Sound) -> Layers:
        """Return the layers "part 1" .. "part n"; InputError where more are asked for than the STFT has frames."""
        magnitudes = _magnitudes(sound)
        if self.n > magnitudes.shape[1]:
            raise InputError(f"n must be at most {magnitudes.shape[1]}, the frames of the STFT, got {self.n}")
        masks = self._masks(magnitudes)
        energies = np.square(masks * magnitudes).sum(axis=(1, 2))
        names = tuple(f"part {number}" for number in range(1, self.n + 1))
        return masked_layers(sound, names, masks[np.argsort(-energies, kind="stable")])

    def _masks(self, magnitudes: NDArray[np.float32]) -> NDArray[np.float64]:
        """The share [n, n_bins, n_frames] of each part in the model of each cell; equal where the model has nothing."""
        decomposition = import_optional("sklearn.decomposition", extra=EXTRA)
        model = decomposition.NMF(
            self.n,
            init="random",
            solver="mu",
            beta_loss="kullback-leibler",
            max_iter=self.iterations,
            tol=0.0,  # always all of the iterations, which also keeps it from warning
            random_state=self.seed,
        )
        with import_optional("threadpoolctl", extra=EXTRA).threadpool_limits(
            limits=1
        ):  # products this small: 10 x faster
            spectra = model.fit_transform(magnitudes).astype(np.float64)
        parts = spectra.T[:, :, None] * model.components_.astype(np.float64)[:, None, :]
        total = parts.sum(axis=0)
        return np.where(total > 0, parts / np.where(total > 0, total, 1.0), 1.0 / self.n)
