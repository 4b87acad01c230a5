"""Methods: what do ways to cut a sound and to weigh its components cost, do they foretell the model, do they agree?

Conventions
-----------
All methods see the same components of the same clip, with the same meaning of off. Those that draw masks get two blocks
of the Hadamard design, so that more components get more masks. Of each score the fifth of the components with the
largest weights is selected, at least one, since not every method has p-values.

Metrics, of a method on a clip's components, for each score
-------
- ``seconds``: of the explanation of all scores; ``seconds_over_lime``: the same over those of LIME, on the same clip
- ``neighbourhood_r2``: R2 of intercept and weights on iid mixtures that no fit has seen, the same for all methods
- ``r2_less_offset``: the same with the best intercept for these mixtures: how well the weights alone foretell them
- ``complexity``: entropy of the weights (see emomod.component_weights) over its largest value, 0..1
- ``up_right``, ``down_right``: whether the score, re-scored from audio, rises when the selected components that speak
  for it are turned up by 6 dB, and falls when they are turned down; None where none speaks for it
- ``shift``: half of what lies between both versions' scores
- ``spearman_X``, ``jaccard_X``: rank correlation with the weights of method X, and Jaccard index of the selected
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.attribution.common import held_out_masks
from emomod.attribution.methods import MethodSettings, explain_with, parse_method
from emomod.audio import quantise
from emomod.checks import check_count
from emomod.component_weights import ComponentWeights, complexity, select_components
from emomod.components.base import Components
from emomod.components.off import switched
from emomod.errors import InputError
from emomod.mixtures import score_mixtures
from emomod.model.predictor import Predict, score_waveform
from emomod.modification import CEILING, plan_gains
from evaluation.sanity import compare

GAIN_DB, BITS = 6.0, 24
BLOCKS = 2  # Hadamard blocks with their complements: four times the least power of two above K
REFERENCE = "lime"  # whose seconds are the unit
N_HELD_OUT, SEED = 256, 1  # mixtures that are foretold, of a seed that no method has
FLAT = 1e-14  # variance of scores that do not vary


@dataclass(frozen=True)
class GridSettings:
    """Which components and methods stand side by side."""

    components: tuple[str, ...] = (
        "felzenszwalb",
        "grid",
        "time:seconds=0.5",
        "beats x octaves",
        "hpss x octaves",
        "nmf:n=12",
    )
    methods: tuple[str, ...] = (
        "lime",
        "kernel_shap",
        "banzhaf",
        "occlusion",
        "gradient",
        "smoothgrad",
        "integrated_gradients",
        "grad_cam",
    )
    methods_of_kinds: tuple[str, ...] = (
        "lime",
        "occlusion",
        "integrated_gradients",
        "grad_cam",
    )  # where truth is known
    n_clips: int = 3  # the given files first
    n_carriers: int = 1  # of each feature, whose truth is known
    n_bad: int = 20  # clips of the confounder task

    def __post_init__(self) -> None:
        if REFERENCE not in self.methods:
            raise InputError(f"methods must have {REFERENCE}, whose time is the unit, got {', '.join(self.methods)}")
        for name in ("n_clips", "n_carriers", "n_bad"):
            check_count(name, getattr(self, name))


def settings_of(method: str, *, n_components: int, off: str = "") -> MethodSettings:
    """The settings of a method by its text, with as many masks as are due to ``n_components`` where it draws any.

    ``off`` takes the place of what the text says.
    """
    settings = parse_method(method)
    settings = replace(settings, off=off) if off else settings
    masks: dict[str, Any] = {"n_perturbations": BLOCKS * 2 * 2 ** n_components.bit_length()}
    return replace(settings, **masks) if masks.keys() <= {field.name for field in fields(settings)} else settings


def n_selected(n_components: int) -> int:
    """Components that are selected."""
    return max(1, n_components // 5)


def explain_all(
    predict: Predict, components: Components, methods: Sequence[str], *, off: str = ""
) -> tuple[dict[str, ComponentWeights], dict[str, float]]:
    """Return the weights and the seconds of each method; one that the model is not made for is left out."""
    weights: dict[str, ComponentWeights] = {}
    seconds: dict[str, float] = {}
    for method in methods:
        settings = settings_of(method, n_components=components.n_components, off=off)
        began = time.perf_counter()
        try:
            weights[method] = explain_with(predict, components, settings=settings)
        except InputError:
            continue
        seconds[method] = time.perf_counter() - began
    return weights, seconds


def evaluate(
    predict: Predict, components: Components, *, methods: Sequence[str], targets: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each method and target, with all metrics."""
    weights, seconds = explain_all(predict, components, methods)
    if REFERENCE not in weights:
        raise InputError(f"methods must have {REFERENCE}, whose time is the unit, got {', '.join(weights) or 'none'}")
    rows = []
    offs = {parse_method(method).off for method in methods}
    if len(offs) > 1:
        raise InputError(f"methods must have one meaning of off, got {', '.join(sorted(offs))}")
    masks = held_out_masks(components.n_components, n_masks=N_HELD_OUT, seed=SEED)
    scores = _scores_of(predict, components, masks, off=offs.pop())
    before = score_waveform(predict, _written(components.render(np.ones(components.n_components))))
    for target in targets:
        for method, found in weights.items():
            row = found.index(target)
            rows.append(
                {
                    "method": method,
                    "target": target,
                    "n_components": components.n_components,
                    "seconds": seconds[method],
                    "seconds_over_lime": seconds[method] / seconds[REFERENCE],
                    **foretold(found.intercepts[row] + masks @ found.weights[row], scores[:, row]),
                    "complexity": complexity(found.weights[row]) / max(np.log(components.n_components), 1e-12),
                    **closed_loop(predict, components, found, target=target, before=float(before[row])),
                    **agreement(weights, method, target=target),
                }
            )
    return rows


def _scores_of(predict: Predict, components: Components, masks: NDArray[np.bool_], *, off: str) -> NDArray[np.float64]:
    """Scores [n, n_names] of masks [n, K]."""
    made, low = switched(components, off)
    return score_mixtures(predict, made, np.where(masks, 1.0, low))


def foretold(predicted: NDArray[np.float64], scores: NDArray[np.float64]) -> dict[str, float | None]:
    """Both R2 of what is ``predicted`` [n] of ``scores`` [n]; None where the scores do not vary."""
    error, spread = scores - predicted, float(scores.var())
    if spread <= FLAT:
        return {"neighbourhood_r2": None, "r2_less_offset": None}
    return {
        "neighbourhood_r2": 1.0 - float((error**2).mean()) / spread,
        "r2_less_offset": 1.0 - float(error.var()) / spread,
    }


def agreement(weights: Mapping[str, ComponentWeights], method: str, *, target: str) -> dict[str, float]:
    """Rank correlation and overlap of a method's weights with those of every other one."""
    found: dict[str, float] = {}
    for other, theirs in weights.items():
        similar = compare(weights[method], theirs, target=target, k=n_selected(theirs.weights.shape[1]))
        found |= {f"spearman_{other}": similar["spearman"], f"jaccard_{other}": similar["jaccard_top"]}
    return found


def closed_loop(
    predict: Predict, components: Components, weights: ComponentWeights, *, target: str, before: float
) -> dict[str, Any]:
    """Turn what speaks for ``target`` up and down, and score the sounds as they would be written."""
    n = components.n_components
    selection = select_components(weights, target=target, rule=f"top:{n_selected(n)}")
    if not selection.positive.size:
        return dict.fromkeys(("up_right", "down_right", "shift"))
    plan = plan_gains(selection, n_components=n, gain_db=GAIN_DB)
    column = weights.index(target)
    up, down = (
        float(score_waveform(predict, _written(components.render(gains)))[column])
        for gains in (plan.enhanced, plan.weakened)
    )
    return {"up_right": up > before, "down_right": down < before, "shift": (up - down) / 2.0}


def _written(y: NDArray[np.float32]) -> NDArray[np.float32]:
    return quantise(y * np.float32(min(1.0, CEILING / np.abs(y).max())), bits=BITS)
