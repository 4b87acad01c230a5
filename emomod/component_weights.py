"""Level 2 of an explanation: how much each component raises or lowers each score, and which components stand out.

Selection rules, written ``name:number``: "bh:0.05" keeps the components whose weight differs from zero at a false
discovery rate of 5 % (Benjamini & Hochberg 1995); "ratio:1e-6" keeps those with p-value / |weight| below the
threshold, as the 2019 paper did (its slides say 1e-5); "top:30" keeps the 30 largest weights of either sign;
"highest:1" keeps the one that speaks most for the score and the one that speaks most against it, as audioLIME did.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr

from emomod.checks import check_choice, check_count, check_number
from emomod.errors import InputError
from emomod.model.mid_to_emotion import MidToEmotion
from emomod.surrogate import Quality, Surrogate
from emomod.undefined import undefined

RULES = ("bh", "ratio", "top", "highest")
COUNTED = ("top", "highest")  # rules whose number is one of components
_SHAPES = {"weights": 2, "standard_errors": 2, "p_values": 2, "intercepts": 1, "neighbourhood_r2": 1, "fit_r2": 1}
ROUNDING = 1e-13  # of a score, below which all weights are 0
UNCERTAIN = ("standard_errors", "p_values")  # what not every method has


@dataclass(frozen=True, eq=False)
class ComponentWeights:
    """Weights of K components on T scores, with the uncertainty that the method has and the fit of what they predict.

    Weights predict: the score of a mixture is the intercept and the weights of the components that are on. What a
    method does not have is None (uncertainty) or NaN (a fit).
    """

    names: tuple[str, ...]  # the T scores
    weights: NDArray[np.float64]  # [T, K], change of the score when a component goes from off to unchanged
    standard_errors: NDArray[np.float64] | None  # [T, K]
    p_values: NDArray[np.float64] | None  # [T, K], of weight = 0
    intercepts: NDArray[np.float64]  # [T], the predicted score with every component off
    neighbourhood_r2: NDArray[np.float64]  # [T], on masks that no fit has seen
    fit_r2: NDArray[np.float64]  # [T], weighted, on the masks of the fit: what LIME calls score
    clip_r2: float  # over the targets at the unchanged clip alone: what the 2019 notebook prints
    n_masks: int = 0  # that the weights come from; 0 for a method that fits none

    def __post_init__(self) -> None:
        shape = (len(self.names), self.weights.shape[-1])
        for name, wanted in _SHAPES.items():
            array = getattr(self, name)
            if array is None and name in UNCERTAIN:
                continue
            if array.shape != shape[:wanted] or (wanted == 2 and not np.isfinite(array).all()):
                raise InputError(f"{name} must be finite and of shape {list(shape[:wanted])}, got {list(array.shape)}")

    def index(self, name: str) -> int:
        """Row of the score ``name``."""
        return self.names.index(check_choice("target", name, self.names))


@dataclass(frozen=True, eq=False)
class Selection:
    """The components that stand out for one score."""

    target: str
    rule: str
    positive: NDArray[np.intp]  # largest weight first
    negative: NDArray[np.intp]  # most negative weight first


def r2_at_clip(truth: NDArray[np.float64], surrogate: NDArray[np.float64]) -> float:
    """Return the 2019 notebook's R2: over T targets, of the surrogate at the unchanged clip; NaN for one target."""
    spread = ((truth - truth.mean()) ** 2).sum()
    return float(1.0 - ((truth - surrogate) ** 2).sum() / spread) if spread > 0 else float("nan")


def weights_of_scores(
    surrogate: Surrogate,
    held_out: Quality,
    *,
    names: tuple[str, ...],
    layer: MidToEmotion | None,
    at_clip: NDArray[np.float64],
) -> ComponentWeights:
    """Return the weights on all ``names``; a ``layer`` chains the surrogate on to the emotions, exactly."""
    clip_r2 = r2_at_clip(at_clip, surrogate.intercepts + surrogate.weights.sum(axis=1))
    if layer is not None:
        n_midlevel = layer.weights.shape[1]
        mixing = np.vstack([np.eye(n_midlevel), layer.weights])
        surrogate = surrogate.mixed(mixing, offsets=np.concatenate([np.zeros(n_midlevel), layer.intercepts]))
        held_out = held_out.mixed(mixing)
    return ComponentWeights(
        names=names,
        weights=surrogate.weights,
        standard_errors=surrogate.standard_errors,
        p_values=surrogate.p_values,
        intercepts=surrogate.intercepts,
        neighbourhood_r2=held_out.r2,
        fit_r2=surrogate.fit.r2,
        clip_r2=clip_r2,
        n_masks=surrogate.n_masks,
    )


def complexity(weights: ArrayLike) -> float:
    """Entropy 0..log K of the shares |w| / sum |w| of ``weights`` [K], in nats; log K, with a warning, if all are 0.

    Bhatt, Weller, Moura: Evaluating and Aggregating Feature-based Model Explanations, IJCAI 2020; divided by log K it
    is audioLIME's.

    >>> round(complexity([1.0, -1.0, 0.0]), 4)
    0.6931
    """
    sizes = np.abs(np.asarray(weights, dtype=np.float64))
    if not sizes.any():
        return undefined("complexity of weights that are all 0", float(np.log(sizes.size)))
    return float(entr(sizes / sizes.sum()).sum())


def default_rule(weights: ComponentWeights) -> str:
    """Return the rule for ``weights``: of false discoveries, or the highest tenth of each side without p-values.

    No more than 15 are a side's tenth; the 2019 paper shows 30 to 60 in all.
    """
    highest = max(1, min(15, weights.weights.shape[1] // 10))
    return "bh:0.05" if weights.p_values is not None else f"highest:{highest}"


def parse_rule(rule: str) -> tuple[str, float]:
    """Return name and number of a selection rule; InputError where there is no such rule."""
    name, _, number = str(rule).partition(":")
    try:
        value = float(number)
    except ValueError:
        raise InputError(
            f'rule must look like "bh:0.05", "ratio:1e-6", "top:30" or "highest:1", got {rule!r}'
        ) from None
    what = f"the number of rule {rule!r}"
    if check_choice("rule", name, RULES) in COUNTED:
        return name, check_count(what, int(value) if value.is_integer() else value)  # type: ignore[arg-type]
    return name, check_number(what, value, low=0.0, high=1.0)


def _false_discovery(p_values: NDArray[np.float64], rate: float) -> NDArray[np.bool_]:
    """Benjamini & Hochberg's step-up rule: True for the hypotheses to reject."""
    ordered = np.sort(p_values)
    passed = np.flatnonzero(ordered <= rate * np.arange(1, ordered.size + 1) / ordered.size)
    return p_values <= (ordered[passed[-1]] if passed.size else -1.0)


def select_components(weights: ComponentWeights, *, target: str, rule: str = "") -> Selection:
    """Return the components that speak for (positive) and against (negative) ``target``; see the rules above.

    Without a ``rule`` the ``default_rule`` holds. InputError where it needs p-values and the method has none.
    """
    rule = rule or default_rule(weights)
    row, (name, number) = weights.index(target), parse_rule(rule)
    values = weights.weights[row]
    if name == "top":
        kept = np.isin(np.arange(values.size), np.argsort(-np.abs(values), kind="stable")[: int(number)])
    elif name == "highest":
        ranks = np.argsort(np.argsort(-values, kind="stable"), kind="stable")
        kept = (ranks < number) | (ranks >= values.size - number)
    elif weights.p_values is None:
        raise InputError(
            'rule must be one such as "top:30" where there are no p-values, since the method has none or all masks '
            f"were taken; got {rule!r}"
        )
    elif name == "bh":
        kept = _false_discovery(weights.p_values[row], number)
    else:
        kept = weights.p_values[row] < number * np.abs(values)
    order = np.argsort(-values, kind="stable")
    if np.abs(values).max() < ROUNDING * max(1.0, float(np.abs(weights.intercepts[row]))):
        kept = np.zeros(values.size, dtype=bool)
    positive, negative = order[(kept & (values > 0))[order]], order[(kept & (values < 0))[order]][::-1]
    return Selection(target, rule, positive, negative)
