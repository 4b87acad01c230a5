"""What all methods share: their common settings, the scores of masks, and the way from weights to a result.

Conventions: masks are bool [n, K]; targets are the T scores that a method works on, the mid-level features where the
model has a layer from them to emotions, else all scores. Weights on emotions follow through that layer, exactly.

Every method is judged in the same way: the neighbourhood R2 is that of the additive prediction, an intercept and the
weights of the components that are on, for masks in which each component is off with probability 1/2.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_count
from emomod.component_weights import ComponentWeights, weights_of_scores
from emomod.components.base import Components
from emomod.components.off import check_off, switched
from emomod.mixtures import score_mixtures
from emomod.model.predictor import Predict
from emomod.perturbation import HELD_OUT, mask_blocks
from emomod.surrogate import Quality, Surrogate, quality_on

Array = NDArray[np.float64]
Masks = NDArray[np.bool_]
POINTS = 16  # at which gradients are taken at a time, unless a batch size is given
Progress = Callable[[int, int], None]  # steps done, steps in all: masks, or points where gradients are taken
Through = Callable[[Masks, Callable[[Masks], Array]], Array]  # how scores [n, T] of masks come about, given what scores


def directly(masks: Masks, score: Callable[[Masks], Array]) -> Array:
    """Scores as they are computed, here and now."""
    return score(masks)


@dataclass(frozen=True, kw_only=True)
class MethodSettings:
    """What every method is told."""

    off: str = "-6dB"  # what a component that is off is, see emomod.components.off
    n_held_out: int = 256  # masks for the neighbourhood R2, iid
    batch_size: int | None = None  # mixtures at a time; None takes what suits the device; it changes no result

    reference: ClassVar[str]
    assumes: ClassVar[str]  # what the method takes for granted and what its weights mean
    uncertainty: ClassVar[str]  # what its standard errors are of; "none" where it has none

    def __post_init__(self) -> None:
        check_off(self.off)
        check_count("n_held_out", self.n_held_out, low=2)
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """A sound whose components are on or off, and the model that hears it."""

    predict: Predict
    components: Components
    low: float  # gain of a component that is off
    batch_size: int | None
    through: Through = directly

    @property
    def n_components(self) -> int:
        """K."""
        return self.components.n_components

    @property
    def n_targets(self) -> int:
        """T."""
        layer = self.predict.mid_to_emotion
        return len(self.predict.names) if layer is None else int(layer.weights.shape[1])

    @property
    def mixing(self) -> Array:
        """[n_names, T]: each name's score as a weighted sum of the targets, but for constants."""
        layer, targets = self.predict.mid_to_emotion, np.eye(self.n_targets)
        return targets if layer is None else np.vstack([targets, layer.weights])

    def scores(self, masks: Masks, *, advance: Callable[[int], None] = lambda n: None) -> Array:
        """Return the targets' scores [n, T] of masks [n, K]; ``advance`` is told how many each batch has done."""
        told = 0

        def tell(n: int) -> None:
            nonlocal told
            told += n
            advance(n)

        def score(some: Masks) -> Array:
            gains = np.where(some, np.float32(1.0), np.float32(self.low))
            found = score_mixtures(self.predict, self.components, gains, batch_size=self.batch_size, advance=tell)
            return found[:, : self.n_targets]

        found = self.through(masks, score)
        if told < len(masks):
            advance(len(masks) - told)  # of those whose scores were there already
        return found

    @cached_property
    def at_clip(self) -> Array:
        """The targets' scores [T] of the sound as it is."""
        scores: Array = self.scores(np.ones((1, self.n_components), dtype=bool))[0]
        return scores


def neighbourhood(
    predict: Predict, components: Components, settings: MethodSettings, through: Through = directly
) -> Neighbourhood:
    """Return the neighbourhood that ``settings`` describe; InputError where components cannot be off in that way."""
    above, low = switched(components, settings.off)
    return Neighbourhood(predict, above, low, settings.batch_size, through)


def held_out_masks(n_components: int, *, n_masks: int, seed: int) -> Masks:
    """Return iid masks [n_masks, n_components] that no fit of the same seed has seen."""
    blocks = mask_blocks(n_components, n_perturbations=n_masks, design="iid", seed=seed, first_block=HELD_OUT)
    return np.vstack(list(blocks))


def counted(progress: Progress, total: int) -> Callable[[int], None]:
    """Return a function that is told of steps done and tells ``progress`` how many are done of ``total``."""
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        progress(done, total)

    return advance


def additive(intercepts: Array, weights: Array, *, fit: Quality | None = None, n_masks: int = 0) -> Surrogate:
    """Return what predicts masks by intercepts [T] and weights [T, K] of any method; it states no uncertainty."""
    n_targets, n_components = weights.shape
    unknown, nothing = (np.full((n_targets, n_targets), value) for value in (np.nan, 0.0))
    fitted = fit or Quality(unknown, unknown)
    return Surrogate(intercepts, weights, np.zeros(n_components), nothing, 1.0, fitted, n_masks)


def judged(
    hood: Neighbourhood, surrogates: list[Surrogate], settings: MethodSettings, *, seed: int
) -> list[ComponentWeights]:
    """Return the weights on all names of fits of one sound, with their R2 on the same held-out masks."""
    masks = held_out_masks(hood.n_components, n_masks=settings.n_held_out, seed=seed)
    scores, at_clip, names = hood.scores(masks), hood.at_clip, hood.predict.names
    layer = hood.predict.mid_to_emotion
    return [
        weights_of_scores(each, quality_on(each, masks, scores), names=names, layer=layer, at_clip=at_clip)
        for each in surrogates
    ]


def certain(weights: ComponentWeights) -> ComponentWeights:
    """Return weights that have no uncertainty of their own."""
    return replace(weights, standard_errors=None, p_values=None)


def from_clip(hood: Neighbourhood, weights: Array, settings: MethodSettings, *, seed: int = 0) -> ComponentWeights:
    """Return weights [T, K] of a method that fits nothing: what they predict is exact for the sound as it is."""
    surrogate = additive(hood.at_clip - weights.sum(axis=1), weights)
    return certain(judged(hood, [surrogate], settings, seed=seed)[0])
