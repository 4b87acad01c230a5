"""Level 2 of an explanation: how much each component raises or lowers each score, and which components stand out.

Selection rules, written ``name:number``: "bh:0.05" keeps the components whose weight differs from zero at a false
discovery rate of 5 % (Benjamini & Hochberg 1995); "ratio:1e-6" keeps those with p-value / |weight| below the
threshold, as the 2019 paper did (its slides say 1e-5); "top:30" keeps the 30 largest weights.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_choice, check_count, check_number
from emomod.errors import InputError
from emomod.model.mid_to_emotion import MidToEmotion
from emomod.surrogate import Quality, Surrogate

RULES = ("bh", "ratio", "top")
_SHAPES = {"weights": 2, "standard_errors": 2, "p_values": 2, "intercepts": 1, "neighbourhood_r2": 1, "fit_r2": 1}


@dataclass(frozen=True, eq=False)
class ComponentWeights:
    """Weights of K components on T scores, with their uncertainty and the fit of the surrogate they come from."""

    names: tuple[str, ...]  # the T scores
    weights: NDArray[np.float64]  # [T, K], change of the score when a component goes from off to unchanged
    standard_errors: NDArray[np.float64]  # [T, K]
    p_values: NDArray[np.float64]  # [T, K], of weight = 0
    intercepts: NDArray[np.float64]  # [T], the surrogate's score with every component off
    neighbourhood_r2: NDArray[np.float64]  # [T], on masks that the fit has not seen
    fit_r2: NDArray[np.float64]  # [T], weighted, on the masks of the fit: what LIME calls score
    clip_r2: float  # over the targets at the unchanged clip alone: what the 2019 notebook prints

    def __post_init__(self) -> None:
        shape = (len(self.names), self.weights.shape[-1])
        for name, wanted in _SHAPES.items():
            array = getattr(self, name)
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
    )


def parse_rule(rule: str) -> tuple[str, float]:
    """Return name and number of a selection rule; InputError where there is no such rule."""
    name, _, number = str(rule).partition(":")
    try:
        value = float(number)
    except ValueError:
        raise InputError(f'rule must look like "bh:0.05", "ratio:1e-6" or "top:30", got {rule!r}') from None
    what = f"the number of rule {rule!r}"
    if check_choice("rule", name, RULES) == "top":
        return name, check_count(what, int(value) if value.is_integer() else value)  # type: ignore[arg-type]
    return name, check_number(what, value, low=0.0, high=1.0)


def _false_discovery(p_values: NDArray[np.float64], rate: float) -> NDArray[np.bool_]:
    """Benjamini & Hochberg's step-up rule: True for the hypotheses to reject."""
    ordered = np.sort(p_values)
    passed = np.flatnonzero(ordered <= rate * np.arange(1, ordered.size + 1) / ordered.size)
    return p_values <= (ordered[passed[-1]] if passed.size else -1.0)


def select_components(weights: ComponentWeights, *, target: str, rule: str = "bh:0.05") -> Selection:
    """Return the components that speak for (positive) and against (negative) ``target``; see the rules above."""
    row = weights.index(target)
    values, p_values = weights.weights[row], weights.p_values[row]
    name, number = parse_rule(rule)
    if name == "bh":
        kept = _false_discovery(p_values, number)
    elif name == "ratio":
        kept = p_values < number * np.abs(values)
    else:
        kept = np.isin(np.arange(values.size), np.argsort(-np.abs(values), kind="stable")[: int(number)])
    order = np.argsort(-values, kind="stable")
    positive, negative = order[(kept & (values > 0))[order]], order[(kept & (values < 0))[order]][::-1]
    return Selection(target, rule, positive, negative)
