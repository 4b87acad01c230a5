"""The linear layer from mid-level features to emotions, and the one that was published.

An emotion is ``intercept + sum_j weight_j * feature_j``, so its parts are exact (level 1 of an explanation).
"""

import json
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES


@dataclass(frozen=True, eq=False)
class MidToEmotion:
    """A linear layer from 7 mid-level features to 8 emotions."""

    name: str
    weights: NDArray[np.float64]  # [8, 7], change of the emotion's score for a change of 1 of the feature's score
    intercepts: NDArray[np.float64]  # [8]

    def __post_init__(self) -> None:
        expected = (len(EMOTION_NAMES), len(MIDLEVEL_NAMES))
        if self.weights.shape != expected or self.intercepts.shape != expected[:1]:
            got = f"{self.weights.shape} and {self.intercepts.shape}"
            raise InputError(f"weights and intercepts must have shapes {expected} and {expected[:1]}, got {got}")

    def emotions(self, midlevel: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return emotions [..., 8] of mid-level scores [..., 7]."""
        return np.asarray(midlevel, dtype=np.float64) @ self.weights.T + self.intercepts

    def effects(self, midlevel: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return effects [8, 7], weight times feature; with the intercepts they sum to the emotions."""
        return self.weights * np.asarray(midlevel, dtype=np.float64)


def published_layer() -> MidToEmotion:
    """The layer of the 2019 system, read off its published effects plot (half-pixel precision).

    Haunschmid, Chowdhury, Widmer: Two-level Explanations in Music Emotion Recognition, 2019, arXiv:1905.11760,
    notebook.
    """
    stored = json.loads((files("emomod.model") / "weights" / "published_layer.json").read_text())
    return MidToEmotion("published-2019", np.array(stored["weights"]), np.array(stored["intercepts"]))
