"""LIME: weights of components from the model's scores of many mixtures with components turned off.

Ribeiro, Singh, Guestrin: "Why Should I Trust You?", KDD 2016; for spectrograms: Mishra, Sturm, Dixon: Local
Interpretable Model-agnostic Explanations for Music Content Analysis, ISMIR 2017. By default "off" is a cut of 6 dB,
so that the weights speak of mixtures near the sound and in the language of gains; ``PARITY`` does what the 2019
system did.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from emomod.attribution.common import (
    Array,
    Masks,
    MethodSettings,
    Neighbourhood,
    Progress,
    Through,
    additive,
    certain,
    counted,
    directly,
    judged,
    neighbourhood,
)
from emomod.checks import check_choice, check_count, check_number, check_rng
from emomod.component_weights import ComponentWeights
from emomod.components.base import Components
from emomod.errors import InputError
from emomod.model.predictor import Predict
from emomod.perturbation import (
    ALL_DESIGNS,
    EXHAUSTIVE,
    FOLD_OVER,
    block_rows,
    can_be_exhaustive,
    least_perturbations,
    mask_blocks,
    n_masks,
)
from emomod.surrogate import Quality, Statistics, Surrogate, cosine_kernel
from emomod.weight_precision import relative_errors

ROUNDING = 1e-6  # of a score, below which it does not vary
FIRST_LOOK, MASKS_A_COMPONENT = 256, 3  # fewer masks leave the standard errors themselves uncertain


@dataclass(frozen=True)
class LimeSettings(MethodSettings):
    """A linear model of the scores of many mixtures, each with about half of the components off."""

    n_perturbations: int = 2048
    design: str = "hadamard"  # iid, paired, hadamard; exhaustive takes all masks, as hadamard does where they are few
    kernel_width: float | None = None  # of LIME's cosine kernel; None weights all masks alike
    alpha: float = 1.0  # ridge penalty; none where all masks are taken
    precision: float | None = None  # relative error of the weights at which no more masks are drawn; None draws all
    seed: int = 0

    reference: ClassVar[str] = (
        'Ribeiro, Singh, Guestrin: "Why Should I Trust You?", KDD 2016; for spectrograms: Mishra, Sturm, Dixon: Local '
        "Interpretable Model-agnostic Explanations for Music Content Analysis, ISMIR 2017"
    )
    assumes: ClassVar[str] = (
        "Near the sound, components act on a score one by one and add up. A weight is what a component adds to the "
        "score, on average over mixtures in which each of the others is on or off."
    )
    uncertainty: ClassVar[str] = (
        "standard errors of least squares: the weights of other masks would differ by as much; none where all masks "
        "are taken"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("n_perturbations", self.n_perturbations, low=2)
        check_choice("design", self.design, ALL_DESIGNS)
        check_number("alpha", self.alpha, low=0.0)
        if self.precision is not None:
            check_number("precision", self.precision, low=0.0, high=1.0)
            if self.design == EXHAUSTIVE:
                raise InputError(
                    f"precision must not be given with the design {EXHAUSTIVE}: it leaves nothing to chance"
                )
        if self.kernel_width is not None:
            check_number("kernel_width", self.kernel_width, low=1e-6)
        check_rng(self.seed)


PARITY = LimeSettings(n_perturbations=50_000, design="iid", off="silence", kernel_width=0.25)


def _kernel(masks: Masks, settings: LimeSettings) -> Array | None:
    return None if settings.kernel_width is None else cosine_kernel(masks, width=settings.kernel_width)


def _fits(
    hood: Neighbourhood, settings: LimeSettings, counts: Sequence[int], progress: Progress
) -> Iterator[Surrogate]:
    """Yield the surrogate after each of ``counts`` masks, ascending; none is scored twice."""
    fold_over = settings.kernel_width is None and settings.design in FOLD_OVER
    statistics = Statistics(hood.n_components, hood.n_targets, fold_over=fold_over)
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        progress(done, counts[-1])

    blocks = mask_blocks(hood.n_components, n_perturbations=counts[-1], design=settings.design, seed=settings.seed)
    for block in blocks:
        ends = [count - done for count in counts if done < count < done + len(block)]
        for masks in np.split(block, ends):
            statistics.add(masks, hood.scores(masks, advance=advance), _kernel(masks, settings))
            if done in counts:
                yield statistics.solve(alpha=settings.alpha)


def _exhaustive_fit(hood: Neighbourhood, settings: LimeSettings, progress: Progress) -> Surrogate:
    """Least squares on all masks there are, be they as few as two: nothing is left to chance, so nothing is shrunk."""
    blocks = mask_blocks(hood.n_components, n_perturbations=1, design=EXHAUSTIVE, seed=settings.seed)
    masks = np.vstack(list(blocks))
    scores = hood.scores(masks, advance=counted(progress, len(masks)))
    kernel = _kernel(masks, settings)
    v = np.ones(len(masks)) if kernel is None else kernel
    means = np.average(masks, axis=0, weights=v), np.average(scores, axis=0, weights=v)  # which fit the intercept
    x, y = masks - means[0], scores - means[1]
    gram, cross = (x.T * v) @ x, (x.T * v) @ y
    weights: Array = np.linalg.solve(gram, cross).astype(np.float64)
    residual = y - x @ weights
    fit = Quality((residual.T * v) @ residual, (y.T * v) @ y)
    return additive(means[1] - means[0] @ weights, weights.T, fit=fit, n_masks=len(masks))


def explain_with_lime(
    predict: Predict,
    components: Components,
    *,
    settings: LimeSettings,
    progress: Progress = lambda done, total: None,
    through: Through = directly,
) -> ComponentWeights:
    """Return the weights of all components on all scores of the model, from one run of the model.

    Where a ``precision`` is wanted, masks are drawn in blocks until the expected relative error of the weights on every
    score that varies is no more than it, ``n_perturbations`` at most; ``n_masks`` of the result says how many it took.
    How precise weights are says emomod.weight_precision. The exhaustive design takes all masks there are, whatever
    ``n_perturbations``, and so does hadamard where they are no more, unless half of them are precise enough. Raises
    InputError when there are too few masks for so many components, see ``least_perturbations``.
    """
    hood, n = neighbourhood(predict, components, settings, through), components.n_components
    every = settings.design == "hadamard" and can_be_exhaustive(n, n_perturbations=settings.n_perturbations)
    if settings.design == EXHAUSTIVE or every:
        fit = _half_fit(hood, settings, progress)
        if fit is None:
            fit = _exhaustive_fit(hood, settings, progress)
            return certain(judged(hood, [fit], settings, seed=settings.seed)[0])
    else:
        fit = _precise_fit(hood, settings, progress)
    return judged(hood, [fit], settings, seed=settings.seed)[0]


def _half_fit(hood: Neighbourhood, settings: LimeSettings, progress: Progress) -> Surrogate | None:
    """The fit of half of the masks there are, or fewer, if it is as precise as is wanted."""
    if settings.precision is None or n_masks(hood.n_components) < 2 * FIRST_LOOK:
        return None
    half = replace(settings, n_perturbations=n_masks(hood.n_components) // 2)
    fit = _precise_fit(hood, half, progress)
    return fit if _is_precise(fit, hood, settings.precision) else None


def _precise_fit(hood: Neighbourhood, settings: LimeSettings, progress: Progress) -> Surrogate:
    """The first fit that is as precise as is wanted, or that of all masks."""
    looks = _looks(hood.n_components, settings)
    fits = _fits(hood, settings, _checked_counts(looks, hood.n_components, settings.design), progress)
    fit = next(fits)
    while not _is_precise(fit, hood, settings.precision) and fit.n_masks < looks[-1]:
        fit = next(fits)
    return fit


def _looks(n_components: int, settings: LimeSettings) -> list[int]:
    """Numbers of masks after which precision is looked at: whole blocks, and all masks."""
    most = settings.n_perturbations
    if settings.precision is None:
        return [most]
    rows = block_rows(n_components, design=settings.design)
    least = max(FIRST_LOOK, MASKS_A_COMPONENT * n_components)
    return [*range(-(-least // rows) * rows, most, rows), most]


def _is_precise(fit: Surrogate, hood: Neighbourhood, precision: float | None) -> bool:
    if precision is None:
        return False
    named = fit.mixed(hood.mixing, offsets=np.zeros(len(hood.mixing)))
    spread, level = np.sqrt(np.diag(named.fit.total) / fit.n_masks), np.abs(named.intercepts)
    errors = relative_errors(named.weights, named.standard_errors)[spread > ROUNDING * level]
    return bool((errors <= precision).all())


def lime_curve(
    predict: Predict,
    components: Components,
    *,
    settings: LimeSettings,
    counts: Sequence[int],
    progress: Progress = lambda done, total: None,
) -> list[ComponentWeights]:
    """Return what ``explain_with_lime`` gives for each number of masks in ``counts``, at the cost of the largest.

    ``counts`` ascend, are even where masks come in pairs, and take the place of ``settings.n_perturbations``.
    """
    counts = _checked_counts(counts, components.n_components, settings.design)
    hood = neighbourhood(predict, components, settings)
    return judged(hood, list(_fits(hood, settings, counts, progress)), settings, seed=settings.seed)


def _checked_counts(counts: Sequence[int], n_components: int, design: str) -> list[int]:
    """Return ``counts`` as ints that ascend and are enough for ``n_components``."""
    if design == EXHAUSTIVE:
        raise InputError(f"the design {EXHAUSTIVE} has one number of masks alone, so that there is no curve")
    least = least_perturbations(n_components, design=design)
    checked = [check_count("n_perturbations", count) for count in counts]
    if not checked or checked[0] < least:
        what = f"{n_components} components with the design {design}"
        raise InputError(f"n_perturbations must be at least {least} for {what}, got {(checked or [0])[0]}")
    if sorted(set(checked)) != checked:
        raise InputError(f"counts of masks must ascend, got {checked}")
    if design in FOLD_OVER and any(count % 2 for count in checked[:-1]):
        raise InputError(f"counts of masks must be even for the design {design}, got {checked}")
    return checked
