"""LIME: weights of components from the model's scores of many mixtures with components turned off.

Ribeiro, Singh, Guestrin: "Why Should I Trust You?", KDD 2016; for spectrograms: Mishra, Sturm, Dixon: Local
Interpretable Model-agnostic Explanations for Music Content Analysis, ISMIR 2017. By default "off" is a cut of 6 dB,
so that the weights speak of mixtures near the sound and in the language of gains; ``PARITY`` does what the 2019
system did.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.checks import check_choice, check_count, check_number, check_rng
from emomod.component_weights import ComponentWeights, weights_of_scores
from emomod.components.base import Components
from emomod.errors import InputError
from emomod.model.predictor import Predict, checked_scores
from emomod.perturbation import DESIGNS, FOLD_OVER, HELD_OUT, least_perturbations, mask_blocks, off_gain
from emomod.surrogate import Quality, Statistics, Surrogate, cosine_kernel, quality_on

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
    batch_size: int = 16
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
    """The model's scores of mixtures, a batch at a time."""

    predict: Predict
    components: Components
    settings: LimeSettings

    def scores(self, masks: NDArray[np.bool_], *, advance: Callable[[int], None] = lambda n: None) -> Array:
        """Return the scores [n, n_names] of masks [n, K]; ``advance`` is told the size of each batch that is done."""
        size, off, found = self.settings.batch_size, np.float32(off_gain(self.settings.off)), []
        for first in range(0, len(masks), size):
            batch = masks[first : first + size]
            # a batch of one is doubled: for a single input, libraries choose kernels that round differently
            mixed = batch.repeat(2, axis=0) if len(batch) == 1 else batch
            gains = torch.from_numpy(np.where(mixed, np.float32(1.0), off)).to(self.predict.device)
            scores = checked_scores(self.predict, self.predict(self.components.mix(gains)), n=len(mixed))
            found.append(scores[: len(batch)])
            advance(len(batch))
        return np.vstack(found)


def _fit(sampler: _Sampler, n_targets: int, progress: Progress) -> tuple[Surrogate, Array]:
    """Return the surrogate and the model's scores [n_targets] of the unchanged sound, which is the first mask."""
    settings, n_components, width = sampler.settings, sampler.components.n_components, sampler.settings.kernel_width
    statistics = Statistics(n_components, n_targets, fold_over=width is None and settings.design in FOLD_OVER)
    at_clip, done = np.empty(0), 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        progress(done, settings.n_perturbations)

    blocks = mask_blocks(
        n_components, n_perturbations=settings.n_perturbations, design=settings.design, seed=settings.seed
    )
    for masks in blocks:
        scores = sampler.scores(masks, advance=advance)[:, :n_targets]
        statistics.add(masks, scores, None if width is None else cosine_kernel(masks, width=width))
        at_clip = at_clip if at_clip.size else scores[0]
    return statistics.solve(alpha=settings.alpha), at_clip


def _held_out_quality(sampler: _Sampler, surrogate: Surrogate) -> Quality:
    """Return the surrogate's fit on iid masks that it has not seen."""
    settings = sampler.settings
    blocks = mask_blocks(
        sampler.components.n_components,
        n_perturbations=settings.n_held_out,
        design="iid",
        seed=settings.seed,
        first_block=HELD_OUT,
    )
    masks = np.vstack(list(blocks))
    return quality_on(surrogate, masks, sampler.scores(masks)[:, : len(surrogate.intercepts)])


def explain_with_lime(
    predict: Predict, components: Components, *, settings: LimeSettings, progress: Progress = lambda done, total: None
) -> ComponentWeights:
    """Return the weights of all components on all scores of the model, from one run of the model.

    Raises InputError when there are too few masks for so many components, see ``least_perturbations``.
    """
    least = least_perturbations(components.n_components, design=settings.design)
    if settings.n_perturbations < least:
        what = f"{components.n_components} components with the design {settings.design}"
        raise InputError(f"n_perturbations must be at least {least} for {what}, got {settings.n_perturbations}")
    sampler, layer = _Sampler(predict, components, settings), predict.mid_to_emotion
    n_targets = len(predict.names) if layer is None else layer.weights.shape[1]
    surrogate, at_clip = _fit(sampler, n_targets, progress)
    quality = _held_out_quality(sampler, surrogate)
    return weights_of_scores(surrogate, quality, names=predict.names, layer=layer, at_clip=at_clip)
