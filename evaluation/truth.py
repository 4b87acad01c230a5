"""Truth: does an explanation lay a feature to the part of the sound that is known to carry it?

Conventions
-----------
Two kinds of clips have a known truth. Of a carrier (evaluation.carriers) one part alone carries the feature, as its
labels say: what belongs to that part should have the highest values. A counterfactual pair (emomod.corpus.pairs) is a
clip in two versions with one planted change of notes. The version in which the changed notes last longer is
explained, the one after if they last as long in both (within a twentieth). Its signed values count for the change: in
a version after a change that should raise a feature, what was changed speaks for the feature, in a version before it
against it. A carrier's clip is the version before its part is taken away.

The questions differ in what is ranked:

- "parts": the true stems of a carrier's clip
- "parts, large effects": the same, of other clips in which the effect is large
- "parts over time": the same in stretches of 2 s
- "segments": the cells of a carrier's clip, cut as the default explanation cuts it
- "notes": the cells of the explained version of a pair, cut likewise

A cell of the spectrogram is changed where most of what sounds in both versions differs (``share`` above 1/2) and the
explained version is the louder one there; it is unchanged where next to nothing differs (``share`` below 1/20). All
others, and cells 60 dB below the loudest, are left out, as are stems 60 dB below the loudest. A cell has the value of
its component.

Labels say what carries a feature, and a model may not hear it: ``model_effect`` is to the model's score what a
carrier's effect is to the label. A part is heard where it is at least .1, which is the least that counts of a label.
No explanation of a model can show what the model does not hear.

Metrics, of ``values`` [n] and ``changed`` [n]
-------
- ``roc_auc``: chance that a changed item has a higher value than an unchanged one; .5 is chance, ties count half
- ``average_precision``: mean of the share of changed items among those of at least each changed item's value
- ``pointing_game``: share of changed items among those of the highest value (Zhang et al., ECCV 2016)

Beside each stands what the energy of the components says, and what random weights of the components say.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from emomod.checks import check_rng
from emomod.component_map import ComponentMap
from emomod.components.layered import LayeredComponents
from emomod.corpus.difference_cells import difference_cells
from emomod.corpus.pair_clips import HeardPair
from emomod.corpus.stems import Stems
from emomod.errors import InputError
from emomod.mixtures import score_mixtures
from emomod.model.predictor import Predict
from emomod.spectrogram import compute_spectrogram
from evaluation.carriers import HeardCarrier
from evaluation.checks import check_numbers

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
CHANGED, UNCHANGED = 0.5, 0.05  # share of what sounds
LONGER = 1.05  # times as long
AUDIBLE_DB = 60.0  # below the loudest cell or component
LARGE = "parts, large effects"
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
    """The version of a clip to explain, and the cells in which it has what the other version has not."""

    y: NDArray[np.float32]  # [n_samples]
    version: str  # before or after: which of the two it is
    feature: str  # that the difference is about
    sign: int  # 1 where what differs should speak for the feature, -1 against it
    changed: Flags  # [n_bands, n_frames]
    unchanged: Flags  # [n_bands, n_frames]


def planted_cells(before: Stems, after: Stems, *, version: str, feature: str, direction: int) -> PlantedCells:
    """What the stems of two versions say; the feature goes in ``direction`` (1 or -1) from before to after."""
    explained, other = (before, after) if version == "before" else (after, before)
    own, theirs = (_magnitudes(stems.mix) for stems in (explained, other))
    share = difference_cells(before, after).share
    audible = own > own.max() * 10 ** (-AUDIBLE_DB / 20)
    sign = direction if version == "after" else -direction
    changed, unchanged = audible & (share > CHANGED) & (own >= theirs), audible & (share < UNCHANGED)
    return PlantedCells(explained.mix, version, feature, sign, changed, unchanged)


def cells_of_pair(heard: HeardPair) -> PlantedCells:
    """The cells of a pair's changed notes; see the conventions above."""
    pair = heard.drawn.pair
    lasting = dict.fromkeys(("before", "after"), 0.0)
    for note in pair.changed:
        lasting[note.version] += note.stop - note.start
    version = "before" if lasting["before"] > LONGER * lasting["after"] else "after"
    return planted_cells(heard.before, heard.after, version=version, feature=pair.feature, direction=pair.direction)


def cells_of_carrier(heard: HeardCarrier) -> PlantedCells:
    """The cells of the part that carries the feature."""
    carrier = heard.drawn.carrier
    return planted_cells(
        heard.stems, heard.without, version="before", feature=carrier.feature, direction=-carrier.direction
    )


def _magnitudes(y: NDArray[np.float32]) -> Array:
    """Magnitudes [n_bands, n_frames] of a mix, at its own level."""
    found = compute_spectrogram(y)
    return (10.0 ** found.log_spectrogram.double().numpy() - 1.0) * found.peak


def evaluate_cells(
    planted: PlantedCells,
    where: ComponentMap,
    weights: ArrayLike,
    energies: ArrayLike,
    *,
    seed: int = 0,
) -> dict[str, float]:
    """All metrics, by name, of ``weights`` [K] of the feature for components that are ``where`` in the version.

    A cell has the value of its components, each times its share. With ``energies`` [K] as ``energy_...`` and random
    weights as ``random_...`` (mean over 100 draws). InputError where no cell is changed, or none unchanged.
    """
    values, sizes = (check_numbers(n, v, ndim=1) for n, v in (("weights", weights), ("energies", energies)))
    if where.shape != planted.changed.shape or where.n_components != values.size:
        raise InputError(f"components must be {values.size} over {planted.changed.shape}, got {where.n_components}")
    known = planted.changed | planted.unchanged

    def of_cells(each: Array) -> Array:
        return where.spread(each)[known]

    return evaluate(planted.sign * values, sizes, planted.changed[known], spread=of_cells, seed=seed)


def unknown(*, n_changed: int, n_items: int) -> dict[str, float | None]:
    """What ``evaluate`` would give, but None, where all that sounds has changed, or nothing."""
    names = [f"{prefix}{name}" for name in METRICS for prefix in ("", "energy_", "random_")]
    return {**dict.fromkeys(names), "n_changed": float(n_changed), "n_items": float(n_items)}


def evaluate_parts(
    heard: HeardCarrier, components: LayeredComponents, weights: ArrayLike, *, seed: int = 0
) -> Mapping[str, float | None]:
    """All metrics, by name, of ``weights`` [K] of the feature for the ``components`` that a carrier's stems are.

    None for each where the carrying part, or every other one, is 60 dB below the loudest component.
    """
    carrier, energies = heard.drawn.carrier, components.energies()
    values = carrier.direction * check_numbers("weights", weights, ndim=1)
    audible = energies > energies.max() * 10 ** (-AUDIBLE_DB / 10)
    changed = np.arange(values.size) // components.n_regions == carrier.part
    told = changed[audible]
    if told.all() or not told.any():
        return unknown(n_changed=int(told.sum()), n_items=told.size)
    return evaluate(values[audible], energies[audible], told, seed=seed)


def model_effect(predict: Predict, heard: HeardCarrier, components: LayeredComponents) -> float:
    """What the model's score of the feature loses without the carrying part, in the direction of the label's loss."""
    carrier, parts = heard.drawn.carrier, np.arange(components.n_components) // components.n_regions
    gains = np.stack([np.ones(parts.size), parts != carrier.part])
    whole, without = score_mixtures(predict, components, gains)[:, predict.names.index(carrier.feature)]
    return float(carrier.direction * (whole - without))


def evaluate(
    values: ArrayLike,
    energies: ArrayLike,
    changed: ArrayLike,
    *,
    spread: Callable[[Array], Array] = lambda values: values,
    seed: int = 0,
) -> dict[str, float]:
    """All metrics, by name, of components' ``values`` [K], signed so that what was changed should be high.

    ``changed`` [n] is of items, ``spread`` gives their values [n] from those of the components; by default each
    component is an item.
    """
    numbers, sizes = (check_numbers(n, v, ndim=1) for n, v in (("values", values), ("energies", energies)))
    rng, flags = check_rng(seed), np.asarray(changed)
    drawn = [spread(rng.random(numbers.size)) for _ in range(N_RANDOM)]
    found: dict[str, float] = {}
    for name, metric in METRICS.items():
        found[name] = metric(spread(numbers), flags)
        found[f"energy_{name}"] = metric(spread(sizes), flags)
        found[f"random_{name}"] = float(np.mean([metric(each, flags) for each in drawn]))
    return found | {"n_changed": float(flags.sum()), "n_items": float(flags.size)}
