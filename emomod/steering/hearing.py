"""From gains to scores as a file has them, in one chain that can be differentiated.

Gains are decibels [n, K]. For a model that takes spectrograms, the sound of the gains is peak-normalised, as every file
is when it is scored: what a file adds is rounding to its bits, and its level changes no score. A model that takes
waveforms hears the sound at the level that the gains give it, and may hear a file at another level otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.components.base import Components
from emomod.model.predictor import Differentiable, Predict, score_waveforms
from emomod.spectrogram import HOP_LENGTH, heard_spectrograms

HALF_HOP = HOP_LENGTH // 2  # samples later: frames lie between those of the file
AT_ONCE = 4  # sounds that are rendered and scored together: more would leave the caches

Array = NDArray[np.float64]
P = TypeVar("P", bound=Predict)


def amplitudes(gains_db: torch.Tensor) -> torch.Tensor:
    """Factors of amplitude of gains in dB."""
    return 10.0 ** (gains_db / 20.0)


@dataclass(frozen=True, eq=False)
class Listener:
    """A model that hears a sound, from its beginning or as much later as a file may be cut elsewhere."""

    predict: Predict
    later: int = 0  # samples of silence before the sound, whose end is lost

    def scores(self, ys: NDArray[np.float32]) -> Array:
        """Scores [n, n_names] of waveforms [n, n_samples], by the model as it is used everywhere."""
        moved = np.pad(ys, ((0, 0), (self.later, 0)))[:, : ys.shape[1]]
        return score_waveforms(self.predict, list(moved))

    def differentiable(self, sounds: torch.Tensor) -> torch.Tensor:
        """The same but for rounding, with what gradients need."""
        moved = torch.nn.functional.pad(sounds, (self.later, 0))[:, : sounds.shape[1]]
        taken = moved if self.predict.takes == "waveform" else heard_spectrograms(moved)
        scores: torch.Tensor = self.predict.differentiable(taken)  # type: ignore[attr-defined]
        return scores


def searched_with(companions: Sequence[P]) -> Sequence[P]:
    """Return the companions that take part in a robust search: all but the last of several, which is left to judge."""
    return companions[: max(len(companions) - 1, 1)]


def listeners_of(asked: Predict, companions: Sequence[Predict] = (), *, robust: bool = False) -> list[Listener]:
    """Return who a search listens to: the model that is asked; if ``robust``, companions and all of them later, too."""
    models = [asked, *(searched_with(companions) if robust else ())]
    return [Listener(each) for each in models] + [Listener(each, HALF_HOP) for each in models if robust]


@dataclass(frozen=True, eq=False)
class Hearing:
    """Listeners of one sound at any gains of its components; the first is the one that is asked."""

    listeners: tuple[Listener, ...]  # all with the same scores
    components: Components

    @property
    def predict(self) -> Predict:
        """The model that is asked."""
        return self.listeners[0].predict

    @property
    def can_differentiate(self) -> bool:
        """Whether all models can be differentiated."""
        return all(isinstance(each.predict, Differentiable) for each in self.listeners)

    def differentiable(self, sounds: torch.Tensor) -> torch.Tensor:
        """Scores [n_listeners, n, n_names] of waveforms [n, n_samples], with what their gradients need."""
        return torch.stack([each.differentiable(sounds) for each in self.listeners])

    def sound(self, gains_db: torch.Tensor) -> torch.Tensor:
        """Waveforms [n, n_samples] of gains [n, K] in dB."""
        return self.components.sound(amplitudes(gains_db))

    def scores(self, gains_db: Array) -> Array:
        """Scores [n_listeners, n, n_names] of gains [n, K] in dB, by the models as they are used everywhere."""
        found = []
        for first in range(0, len(gains_db), AT_ONCE):
            with torch.inference_mode():
                batch = torch.from_numpy(np.asarray(gains_db[first : first + AT_ONCE], dtype=np.float32))
                sounds = self.sound(batch).cpu().numpy()
            found.append(scores_by_all(self.listeners, sounds))
        return np.concatenate(found, axis=1)


def scores_by_all(listeners: Sequence[Listener], ys: NDArray[np.float32]) -> Array:
    """Scores [n_listeners, n, n_names] of waveforms [n, n_samples]."""
    return np.stack([each.scores(ys) for each in listeners])
