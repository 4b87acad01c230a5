"""LIME: weights of components from the model's scores of many mixtures with components turned off.

Ribeiro, Singh, Guestrin: "Why Should I Trust You?", KDD 2016; for spectrograms: Mishra, Sturm, Dixon: Local
Interpretable Model-agnostic Explanations for Music Content Analysis, ISMIR 2017. By default "off" is a cut of 6 dB,
so that the weights speak of mixtures near the sound and in the language of gains; ``PARITY`` does what the 2019
system did.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_choice, check_count, check_number, check_rng
from emomod.component_weights import ComponentWeights, weights_of_scores
from emomod.components.base import Components
from emomod.errors import InputError
from emomod.mixtures import BATCH_SIZE, score_mixtures
from emomod.model.predictor import Predict
from emomod.perturbation import DESIGNS, FOLD_OVER, HELD_OUT, least_perturbations, mask_blocks, off_gain
from emomod.surrogate import Statistics, Surrogate, cosine_kernel, quality_on

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]  # masks done, masks in all


@dataclass(frozen=True)
class LimeSettings:
    """How masks are drawn and the surrogate is fitted."""

    n_perturbations: int = 2048
    design: str = "hadamard"  # iid, paired, hadamard
    off: str = "-6dB"  # what a component that is off is: "silence" or a cut in dB
    kernel_width: float | None = None  # of LIME's cosine kernel; None weights all masks alike
    alpha: float = 1.0  # ridge penalty
    n_held_out: int = 256  # masks for the neighbourhood R2, iid
    batch_size: int = BATCH_SIZE
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_perturbations", "n_held_out", "batch_size"):
            check_count(name, getattr(self, name), low=2 if name != "batch_size" else 1)
        check_choice("design", self.design, DESIGNS)
        off_gain(self.off)
        check_number("alpha", self.alpha, low=0.0)
        if self.kernel_width is not None:
            check_number("kernel_width", self.kernel_width, low=1e-6)
        check_rng(self.seed)


PARITY = LimeSettings(n_perturbations=50_000, design="iid", off="silence", kernel_width=0.25)


@dataclass(frozen=True, eq=False)
class _Sampler:
    """The model's scores of masks, as the settings say."""

    predict: Predict
    components: Components
    settings: LimeSettings

    def scores(self, masks: NDArray[np.bool_], *, advance: Callable[[int], None] = lambda n: None) -> Array:
        """Return the scores [n, n_names] of masks [n, K]; ``advance`` is told the size of each batch that is done."""
        gains = np.where(masks, np.float32(1.0), np.float32(off_gain(self.settings.off)))
        return score_mixtures(
            self.predict, self.components, gains, batch_size=self.settings.batch_size, advance=advance
        )


def _fits(sampler: _Sampler, n_targets: int, counts: Sequence[int], progress: Progress) -> Iterator[Surrogate]:
    """Yield the surrogate after each of ``counts`` masks, ascending; none is scored twice."""
    settings, n_components, width = sampler.settings, sampler.components.n_components, sampler.settings.kernel_width
    statistics = Statistics(n_components, n_targets, fold_over=width is None and settings.design in FOLD_OVER)
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        progress(done, counts[-1])

    blocks = mask_blocks(n_components, n_perturbations=counts[-1], design=settings.design, seed=settings.seed)
    for block in blocks:
        ends = [count - done for count in counts if done < count < done + len(block)]
        for masks in np.split(block, ends):
            scores = sampler.scores(masks, advance=advance)[:, :n_targets]
            statistics.add(masks, scores, None if width is None else cosine_kernel(masks, width=width))
            if done in counts:
                yield statistics.solve(alpha=settings.alpha)


def held_out_masks(n_components: int, *, n_masks: int, seed: int) -> NDArray[np.bool_]:
    """Return iid masks [n_masks, n_components] that no fit of the same seed has seen."""
    blocks = mask_blocks(n_components, n_perturbations=n_masks, design="iid", seed=seed, first_block=HELD_OUT)
    return np.vstack(list(blocks))


def explain_with_lime(
    predict: Predict, components: Components, *, settings: LimeSettings, progress: Progress = lambda done, total: None
) -> ComponentWeights:
    """Return the weights of all components on all scores of the model, from one run of the model.

    Raises InputError when there are too few masks for so many components, see ``least_perturbations``.
    """
    return lime_curve(predict, components, settings=settings, counts=[settings.n_perturbations], progress=progress)[0]


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
    counts = _checked_counts(counts, n_components=components.n_components, design=settings.design)
    sampler, layer = _Sampler(predict, components, settings), predict.mid_to_emotion
    n_targets = len(predict.names) if layer is None else layer.weights.shape[1]
    fits = list(_fits(sampler, n_targets, counts, progress))
    at_clip = sampler.scores(np.ones((1, components.n_components), dtype=bool))[0, :n_targets]
    masks = held_out_masks(components.n_components, n_masks=settings.n_held_out, seed=settings.seed)
    scores = sampler.scores(masks)[:, :n_targets]
    return [
        weights_of_scores(fit, quality_on(fit, masks, scores), names=predict.names, layer=layer, at_clip=at_clip)
        for fit in fits
    ]


def _checked_counts(counts: Sequence[int], *, n_components: int, design: str) -> list[int]:
    """Return ``counts`` as ints that ascend and are enough for ``n_components``."""
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
