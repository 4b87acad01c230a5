"""How far a model's scores vary from clip to clip: the unit in which shifts of different scores are compared.

It is a standard deviation over the clips of a test, and part of the card that training writes. That of the default
model, whose card is older, lies in a file beside its weights (emomod.training.spread makes it).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.model.checkpoint import default_checkpoint_path
from emomod.model.predictor import ScoringModel, scale_of
from emomod.reading.json_files import read_object

USUAL = 0.15  # of a score on 0..1, where nothing is known


def spread_of(model: ScoringModel) -> NDArray[np.float64]:
    """Return the spread [n_names] of each score; USUAL parts of the model's scale where it is not known."""
    low, high = scale_of(model)
    known = model.card.get("spread") or _of_default(model.sha256)
    return np.array([float(known.get(name) or USUAL * (high - low)) for name in model.names])


def _of_default(sha256: str) -> dict[str, Any]:
    stored = read_object(default_checkpoint_path().parent / "default_spread.json")
    found: dict[str, Any] = stored["spread"] if stored["sha256"] == sha256 else {}
    return found
