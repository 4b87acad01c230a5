"""The seam between emomod and a model: a callable from log spectrograms to scores."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.checks import check_choice
from emomod.errors import EmomodError, InputError
from emomod.model.checkpoint import Checkpoint, load_checkpoint
from emomod.model.mid_to_emotion import MidToEmotion


class Predict(Protocol):
    """Log spectrograms [n, n_bands, n_frames] in, scores [n, n_names] out; same input, same output."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of the scores are, mid-level features before emotions."""
        ...

    @property
    def mid_to_emotion(self) -> MidToEmotion | None:
        """The linear layer that makes the emotions from the mid-level features, if there is one."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the spectrograms should be."""
        ...

    def __call__(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        """Return scores [n, n_names] on any device."""
        ...


@dataclass(frozen=True, eq=False)
class Predictor:
    """A checkpoint, ready to score on a device."""

    checkpoint: Checkpoint
    device: torch.device

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of the scores are."""
        return self.checkpoint.network.names

    @property
    def mid_to_emotion(self) -> MidToEmotion | None:
        """The network's last layer; None for a one-level network."""
        return self.checkpoint.mid_to_emotion

    @property
    def window_seconds(self) -> float:
        """Length in seconds of the window that the model was trained on."""
        return float(self.checkpoint.card["window_seconds"])

    def check_name(self, target: str) -> str:
        """Return ``target`` if the model gives such a score."""
        return check_choice("target", target, self.names)

    @torch.inference_mode()
    def __call__(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        """Return float32 scores [n, n_names] of log spectrograms [n, n_bands, n_frames]."""
        scores: torch.Tensor = self.checkpoint.network(spectrograms.to(self.device))
        return scores


def best_device() -> str:
    """Return the PyTorch device to use: cuda where an NVIDIA GPU can be used, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def usable_device(device: str | None = None) -> torch.device:
    """Return "cpu" or "cuda" (default: the best there is) as a device; InputError when it cannot be used."""
    chosen = torch.device(check_choice("device", device or best_device(), ("cpu", "cuda")))
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise InputError("device must be cpu: this PyTorch finds no NVIDIA GPU that it can use")
    return chosen


def load_predictor(checkpoint: str | Path | None = None, *, device: str | None = None) -> Predictor:
    """Load a checkpoint (default: the one that ships with emomod) onto "cpu" or "cuda" (default: the best there is)."""
    chosen = usable_device(device)
    loaded = load_checkpoint(checkpoint)
    loaded.network.to(chosen).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Predictor(loaded, chosen)


def score_spectrogram(predict: Predict, log_spectrogram: torch.Tensor) -> NDArray[np.float64]:
    """Return the scores [n_names] of one log spectrogram [n_bands, n_frames]."""
    scores = predict(log_spectrogram[None].to(predict.device))
    return checked_scores(predict, scores, n=1).reshape(-1)


def checked_scores(predict: Predict, scores: torch.Tensor, *, n: int) -> NDArray[np.float64]:
    """Return a model's scores of ``n`` spectrograms as an array [n, n_names]; EmomodError where they are not that."""
    found: NDArray[np.float64] = scores.double().cpu().numpy()
    if found.shape != (n, len(predict.names)):
        raise EmomodError(f"the model must give scores of shape {(n, len(predict.names))}, got {found.shape}")
    if not np.isfinite(found).all():
        raise EmomodError(f"the model must give finite scores, got {int((~np.isfinite(found)).sum())} that are not")
    return found
