"""The model's scores of mixtures: a sound with its components at other gains, in the domain of the model's input."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from emomod.checks import check_count
from emomod.components.base import Components
from emomod.errors import InputError
from emomod.model.predictor import Predict, checked_scores

BATCH_SIZES = {"cpu": 16, "cuda": 256}  # mixtures at a time, by type of device; on others as on a CPU


def model_inputs(predict: Predict, components: Components, gains: torch.Tensor) -> torch.Tensor:
    """Return the mixtures of gains [n, K] as what the model takes; they can be differentiated by the gains."""
    make = components.mix if predict.takes == "spectrogram" else components.sound
    return make(gains.to(predict.device))


def score_mixtures(
    predict: Predict,
    components: Components,
    gains: ArrayLike,
    *,
    batch_size: int | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> NDArray[np.float64]:
    """Return the scores [n, n_names] of mixtures with ``gains`` [n, K], factors of amplitude >= 0.

    ``batch_size`` (default: what suits the device) changes no result; ``advance`` is told the size of each batch that
    is done.
    """
    factors = np.asarray(gains, dtype=np.float32)
    if factors.ndim != 2 or factors.shape[1] != components.n_components or not len(factors):
        raise InputError(f"gains must have shape [n, {components.n_components}], got {list(factors.shape)}")
    if not (factors >= 0).all() or not np.isfinite(factors).all():
        raise InputError("gains must be finite amplitude factors >= 0")
    suits = BATCH_SIZES.get(predict.device.type, BATCH_SIZES["cpu"])
    size = suits if batch_size is None else check_count("batch_size", batch_size)
    found = np.empty((len(factors), len(predict.names)))  # at once: small pieces between batches would scatter memory
    for first in range(0, len(factors), size):
        batch = factors[first : first + size]
        # a batch of one is doubled: for a single input, libraries choose kernels that round differently
        mixed = batch.repeat(2, axis=0) if len(batch) == 1 else batch
        mixtures = model_inputs(predict, components, torch.from_numpy(mixed))
        found[first : first + size] = checked_scores(predict, predict(mixtures), n=len(mixed))[: len(batch)]
        advance(len(batch))
    return found
