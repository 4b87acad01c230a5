"""Input checks: each returns its argument in the form that the package works with."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emomod.errors import InputError


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Return ``value`` if it is one of ``choices``."""
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    return value


def check_number(name: str, value: float, *, low: float = -np.inf, high: float = np.inf) -> float:
    """Return ``value`` as a finite float in ``low``..``high``."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} must be a number, got {value!r:.80}") from None
    if not (np.isfinite(number) and low <= number <= high):
        raise InputError(f"{name} must be a finite number in {low:g}..{high:g}, got {value!r}")
    return number


def check_count(name: str, value: int, *, low: int = 1) -> int:
    """Return ``value`` as an int of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
        raise InputError(f"{name} must be a whole number of at least {low}, got {value!r}")
    return int(value)


def check_waveform(y: ArrayLike, *, name: str = "y") -> NDArray[np.float32]:
    """Return ``y`` as a finite mono waveform [n_samples] of at least one sample."""
    waveform = np.asarray(y)
    if waveform.ndim != 1 or waveform.size == 0 or waveform.dtype.kind not in "fiu":
        raise InputError(f"{name} must be numbers of shape [n_samples], got {waveform.dtype} {waveform.shape}")
    if waveform.dtype.kind in "iu":
        raise InputError(f"{name} must be floating point in -1..1, got {waveform.dtype}")
    if not np.isfinite(waveform).all():
        raise InputError(f"{name} must be finite, got {int((~np.isfinite(waveform)).sum())} samples of NaN or infinity")
    return waveform.astype(np.float32, copy=False)


def check_segments(segments: ArrayLike, *, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return ``segments`` as integers of ``shape``, labelled 0..n_segments-1 without gaps."""
    labels = np.asarray(segments)
    if labels.shape != shape:
        raise InputError(f"segments must have the spectrogram's shape {shape}, got {labels.shape}")
    found = np.unique(labels)
    if not np.array_equal(found, np.arange(found.size)):
        raise InputError(f"segments must be labelled 0..{found.size - 1} without gaps, got {found[:8].tolist()}")
    return labels.astype(np.intp)


def check_gains(gains: ArrayLike, *, n_components: int) -> NDArray[np.float64]:
    """Return ``gains`` as finite amplitude factors >= 0 of shape [n_components]."""
    factors = np.asarray(gains, dtype=np.float64)
    if factors.shape != (n_components,):
        raise InputError(f"gains must have shape [{n_components}], one a component, got {list(factors.shape)}")
    if not np.isfinite(factors).all() or (factors < 0).any():
        raise InputError("gains must be finite amplitude factors >= 0")
    return factors


def check_rng(rng: int | np.random.Generator) -> np.random.Generator:
    """Return a Generator; an int seeds a new one."""
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer, np.random.Generator)):
        raise InputError(f"rng must be an int or a numpy Generator, so that a run can be repeated, got {rng!r}")
    if not isinstance(rng, np.random.Generator) and rng < 0:
        raise InputError(f"a seed must be >= 0, got {rng}")
    return np.random.default_rng(rng)
