"""Truth: does an explanation lay a feature to the part of the sound that is known to carry it?

Conventions
-----------
Counterfactual pairs (emomod.corpus.pairs) are a clip in two versions with one planted change. The version in which the
changed notes last longer is explained, the one after if they last as long in both (within a twentieth). Its signed
values count for the change: in a version after a change that should raise a feature, what was changed speaks for the
feature, in a version before it against it.

A cell of the spectrogram is changed where most of what sounds in both versions differs (``share`` above 1/2) and the
explained version is the louder one there; it is unchanged where next to nothing differs (``share`` below 1/20). All
others, and cells 60 dB below the loudest, are left out. A cell has the value of its component.

Metrics, of ``values`` [n] and ``changed`` [n]
-------
- ``roc_auc``: chance that a changed item has a higher value than an unchanged one; .5 is chance, ties count half
- ``average_precision``: mean of the share of changed items among those of at least each changed item's value
- ``pointing_game``: share of changed items among those of the highest value (Zhang et al., ECCV 2016)

Beside each stands what the energy of the components says, and what random weights of the components say.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from emomod.checks import check_rng
from emomod.corpus.difference_cells import difference_cells
from emomod.corpus.pair_clips import HeardPair
from emomod.errors import InputError
from emomod.spectrogram import compute_spectrogram
from evaluation.checks import check_numbers

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
CHANGED, UNCHANGED = 0.5, 0.05  # share of what sounds
LONGER = 1.05  # times as long
AUDIBLE_DB = 60.0  # below the loudest cell
N_RANDOM = 100  # random weights that make a baseline


def validate(values: ArrayLike, changed: ArrayLike) -> tuple[Array, Flags]:
    """Return values [n] as floats and ``changed`` [n] as booleans, of which there must be both kinds."""
    numbers, flags = check_numbers("values", values, ndim=1), np.asarray(changed)
    if flags.dtype != bool or flags.shape != numbers.shape:
        raise InputError(f"changed must be {numbers.size} booleans, got {flags.dtype} {list(flags.shape)}")
    if flags.all() or not flags.any():
        raise InputError(f"changed must be true of some items and false of others, got {int(flags.sum())} true of all")
    return numbers, flags


def roc_auc(values: ArrayLike, changed: ArrayLike) -> float:
    """Area under the ROC curve 0..1.

    >>> roc_auc([0.1, 0.4, 0.4, 0.9], [False, False, True, True])
    0.875
    """
    numbers, flags = validate(values, changed)
    wins = stats.mannwhitneyu(numbers[flags], numbers[~flags], method="asymptotic").statistic
    return float(wins / (flags.sum() * (~flags).sum()))


def average_precision(values: ArrayLike, changed: ArrayLike) -> float:
    """Average precision 0..1; the share of changed items is what chance gives."""
    numbers, flags = validate(values, changed)
    steps, first = np.unique(-numbers, return_inverse=True)
    found = np.bincount(first, weights=flags, minlength=steps.size)
    seen = np.bincount(first, minlength=steps.size)
    return float((found * np.cumsum(found) / np.cumsum(seen)).sum() / flags.sum())


def pointing_game(values: ArrayLike, changed: ArrayLike) -> float:
    """Share 0..1 of changed items among those with the highest value."""
    numbers, flags = validate(values, changed)
    return float(flags[numbers == numbers.max()].mean())


METRICS: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "pointing_game": pointing_game,
}


@dataclass(frozen=True, eq=False)
class PlantedCells:
    """The version of a pair to explain, and the cells in which it carries the planted change."""

    y: NDArray[np.float32]  # [n_samples]
    version: str  # before or after
    feature: str  # that the change is about
    sign: int  # 1 where what was changed should speak for the feature, -1 against it
    changed: Flags  # [n_bands, n_frames]
    unchanged: Flags  # [n_bands, n_frames]


def planted_cells(heard: HeardPair) -> PlantedCells:
    """What a pair's stems say; see the conventions above."""
    pair = heard.drawn.pair
    lasting = dict.fromkeys(("before", "after"), 0.0)
    for note in pair.changed:
        lasting[note.version] += note.stop - note.start
    version = "before" if lasting["before"] > LONGER * lasting["after"] else "after"
    explained, other = (heard.before, heard.after) if version == "before" else (heard.after, heard.before)
    own, theirs = (_magnitudes(stems.mix) for stems in (explained, other))
    share = difference_cells(heard.before, heard.after).share
    audible = own > own.max() * 10 ** (-AUDIBLE_DB / 20)
    sign = pair.direction if version == "after" else -pair.direction
    changed, unchanged = audible & (share > CHANGED) & (own >= theirs), audible & (share < UNCHANGED)
    return PlantedCells(explained.mix, version, pair.feature, sign, changed, unchanged)


def _magnitudes(y: NDArray[np.float32]) -> Array:
    """Magnitudes [n_bands, n_frames] of a mix, at its own level."""
    found = compute_spectrogram(y)
    return (10.0 ** found.log_spectrogram.double().numpy() - 1.0) * found.peak


def evaluate_cells(
    planted: PlantedCells,
    segments: NDArray[np.intp],
    weights: ArrayLike,
    energies: ArrayLike,
    *,
    seed: int = 0,
) -> dict[str, float]:
    """All metrics, by name, of ``weights`` [K] of the feature for the ``segments`` [n_bands, n_frames] of the version.

    With ``energies`` [K] as ``energy_...`` and random weights as ``random_...`` (mean over 100 draws). InputError
    where no cell is changed, or none unchanged.
    """
    values, sizes = (check_numbers(n, v, ndim=1) for n, v in (("weights", weights), ("energies", energies)))
    if segments.shape != planted.changed.shape or segments.max() + 1 != values.size:
        raise InputError(f"segments must be {values.size} over {planted.changed.shape}, got {segments.max() + 1}")
    known = planted.changed | planted.unchanged
    return evaluate(planted.sign * values, sizes, planted.changed[known], members=segments[known], seed=seed)


def unknown(planted: PlantedCells) -> dict[str, float | None]:
    """What ``evaluate_cells`` would give, but None, of a clip in which all that sounds has changed, or nothing."""
    names = [f"{prefix}{name}" for name in METRICS for prefix in ("", "energy_", "random_")]
    counts = {"n_changed": float(planted.changed.sum()), "n_items": float((planted.changed | planted.unchanged).sum())}
    return {**dict.fromkeys(names), **counts}


def evaluate(
    values: ArrayLike,
    energies: ArrayLike,
    changed: ArrayLike,
    *,
    members: ArrayLike | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """All metrics, by name, of components' ``values`` [K], signed so that what was changed should be high.

    ``changed`` [n] is of items, ``members`` [n] their components; by default each component is an item.
    """
    numbers, sizes = (check_numbers(n, v, ndim=1) for n, v in (("values", values), ("energies", energies)))
    places = np.arange(numbers.size) if members is None else np.asarray(members, dtype=np.intp)
    rng, flags = check_rng(seed), np.asarray(changed)
    drawn = [rng.random(numbers.size)[places] for _ in range(N_RANDOM)]
    found: dict[str, float] = {}
    for name, metric in METRICS.items():
        found[name] = metric(numbers[places], flags)
        found[f"energy_{name}"] = metric(sizes[places], flags)
        found[f"random_{name}"] = float(np.mean([metric(each, flags) for each in drawn]))
    return found | {"n_changed": float(flags.sum()), "n_items": float(flags.size)}
