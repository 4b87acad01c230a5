"""Sanity: does the explanation depend on what the model has learned?

Conventions
-----------
The same components are explained with the model and with models that have learned nothing of the kind: weights drawn
anew from the last layer down to some depth, or trained on labels that were dealt out at random
(evaluation.random_labels). An explanation that
stays the same speaks of the sound (where it is loud, how it is cut), not of the model (Adebayo, Gilmer, Muelly,
Goodfellow, Hardt, Kim, Sanity Checks for Saliency Maps, NeurIPS 2018).

Metrics, of the weights [K] of one target
-------
- ``spearman``, ``spearman_absolute``: rank correlation of the explanations, with and without their signs
- ``jaccard_top``: Jaccard index of the 30 largest
- ``survives``: whether ``spearman`` is, in size, more than half of that between two runs of the model itself with other
  masks: an explanation that only changes its sign has not changed. Not told where the model's own two runs agree less
  than by .2
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from emomod.checks import check_choice, check_count, check_rng
from emomod.component_weights import ComponentWeights
from emomod.errors import InputError
from emomod.model.predictor import Predict, Predictor
from evaluation.stability import TOP, jaccard, largest, spearman

Explain = Callable[[Predict, int], ComponentWeights]  # of fixed components, with a model and a seed
SURVIVES = 0.5  # share of the similarity of two runs of one model
LEAST_SIMILARITY = 0.2  # of two runs of one model, below which nothing can be said


def weighted_layers(network: nn.Module) -> list[str]:
    """Names of the layers that have weights of their own, from the first to the last."""
    return [name for name, layer in network.named_modules() if hasattr(layer, "reset_parameters")]


def randomise_weights(predictor: Predictor, *, n_layers: int | None = None, seed: int = 0) -> Predictor:
    """Return a model whose last ``n_layers`` layers with weights (default: all) are drawn anew; the given one stays.

    A linear layer on top of mid-level features stays: emotions are still its mixtures.
    """
    network = deepcopy(predictor.checkpoint.network)
    fixed = "emotion"
    layers = [name for name in weighted_layers(network) if name != fixed]
    count = len(layers) if n_layers is None else check_count("n_layers", n_layers)
    if count > len(layers):
        raise InputError(f"n_layers must be at most {len(layers)}, got {count}")
    check_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for name in layers[len(layers) - count :]:
            network.get_submodule(name).reset_parameters()  # type: ignore[operator]
    return replace(predictor, checkpoint=replace(predictor.checkpoint, network=network.eval()))


def compare(first: ComponentWeights, second: ComponentWeights, *, target: str, k: int = TOP) -> dict[str, float]:
    """Similarity of two explanations of one target; InputError where they differ in scores or components."""
    if first.names != second.names or first.weights.shape != second.weights.shape:
        raise InputError("explanations must have the same scores and number of components")
    a, b = (each.weights[each.index(target)] for each in (first, second))
    return {
        "spearman": spearman(a, b),
        "spearman_absolute": spearman(np.abs(a), np.abs(b)),
        "jaccard_top": jaccard(largest(a, k), largest(b, k)),
    }


def evaluate(
    explain: Explain, predict: Predict, others: Mapping[str, Predict], *, targets: tuple[str, ...], seed: int = 0
) -> list[dict[str, Any]]:
    """A row for each target and model: similarity of its explanation to that of ``predict``, and whether it survives.

    The row of the model "itself" has the explanation with another seed. ``others``: models by name.
    """
    if not others:
        raise InputError("others must be at least one model, got none")
    for target in targets:
        check_choice("target", target, predict.names)
    reference = explain(predict, seed)
    found = {"itself": explain(predict, seed + 1)} | {name: explain(other, seed) for name, other in others.items()}
    rows = []
    for target in targets:
        similar = {name: compare(reference, each, target=target) for name, each in found.items()}
        own = similar["itself"]["spearman"]
        rows += [
            {
                "target": target,
                "model": name,
                **values,
                "survives": None
                if name == "itself" or own < LEAST_SIMILARITY
                else abs(values["spearman"]) > SURVIVES * own,
            }
            for name, values in similar.items()
        ]
    return rows
