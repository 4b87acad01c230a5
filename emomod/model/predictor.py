"""The seam between emomod and a model: a callable from log spectrograms, or from waveforms, to scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from emomod.checks import check_choice, check_waveform
from emomod.errors import EmomodError, InputError
from emomod.model.checkpoint import Checkpoint, default_checkpoint_path, load_checkpoint
from emomod.model.engines import ENGINES, Scores, best_engine, build_engine
from emomod.model.mid_to_emotion import MidToEmotion
from emomod.spectrogram import log_spectrograms, peak_of

Takes = Literal["spectrogram", "waveform"]


class Predict(Protocol):
    """Sounds in, as log spectrograms [n, n_bands, n_frames] or waveforms [n, n_samples]; scores [n, n_names] out.

    The same input gives the same output, whatever else is in its batch.
    """

    @property
    def takes(self) -> Takes:
        """What a sound is given as; waveforms are mono at 22 050 Hz."""
        ...

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
        """Where the sounds should be."""
        ...

    def __call__(self, sounds: torch.Tensor, /) -> torch.Tensor:
        """Return scores [n, n_names] on any device."""
        ...


class ScoringModel(Predict, Protocol):
    """A model with what a job tells of it."""

    @property
    def window_seconds(self) -> float:
        """Length in seconds of the window that the model was trained on."""
        ...

    @property
    def card(self) -> dict[str, Any]:
        """What is known of the model, for JSON: at least its "name" and "figures"."""
        ...

    @property
    def sha256(self) -> str:
        """Of what defines the model; empty where that is not known."""
        ...

    @property
    def origin(self) -> str:
        """What names the model on the command line; empty for the one that ships and for one made in Python."""
        ...

    def check_name(self, target: str) -> str:
        """Return ``target`` if the model gives such a score."""
        ...


@runtime_checkable
class Differentiable(Protocol):
    """What a model needs beside Predict for methods that go by gradients."""

    @property
    def module(self) -> torch.nn.Module:
        """The network."""
        ...

    def differentiable(self, sounds: torch.Tensor, /) -> torch.Tensor:
        """Return the scores of ``__call__``, with what their gradients need."""
        ...


@dataclass(frozen=True, eq=False)
class Predictor:
    """A checkpoint, ready to score on a device; its engine copies the weights when it first scores."""

    checkpoint: Checkpoint
    device: torch.device
    engine: str = "network"  # what runs the network, see emomod.model.engines
    takes: Takes = "spectrogram"

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of the scores are."""
        return self.checkpoint.network.names

    @property
    def module(self) -> torch.nn.Module:
        """The network."""
        return self.checkpoint.network

    @property
    def mid_to_emotion(self) -> MidToEmotion | None:
        """The network's last layer; None for a one-level network."""
        return self.checkpoint.mid_to_emotion

    @property
    def window_seconds(self) -> float:
        """Length in seconds of the window that the model was trained on."""
        return float(self.card["window_seconds"])

    @property
    def card(self) -> dict[str, Any]:
        """The checkpoint's card."""
        return self.checkpoint.card

    @property
    def sha256(self) -> str:
        """Of the checkpoint's file."""
        return self.checkpoint.sha256

    @property
    def origin(self) -> str:
        """The checkpoint's path; empty for the one that ships."""
        path = self.checkpoint.path
        return "" if path == str(default_checkpoint_path()) else path

    def check_name(self, target: str) -> str:
        """Return ``target`` if the model gives such a score."""
        return check_choice("target", target, self.names)

    @cached_property
    def _scores(self) -> Scores:
        return build_engine(self.engine, self.checkpoint.network, self.device)

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles hold: an engine is built anew where it is used."""
        return {name: value for name, value in self.__dict__.items() if name != "_scores"}

    @torch.inference_mode()
    def __call__(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        """Return float32 scores [n, n_names] of log spectrograms [n, n_bands, n_frames]."""
        return self._scores(spectrograms.to(self.device))

    def differentiable(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        """Return the same scores but for rounding, with what their gradients need."""
        scores: torch.Tensor = self.checkpoint.network(spectrograms.to(self.device))
        return scores


def scale_of(model: ScoringModel) -> tuple[float, float]:
    """Return the lowest and the highest score that a model is said to give."""
    low, high = model.card.get("scale", (0.0, 1.0))
    return float(low), float(high)


def best_device() -> str:
    """Return the PyTorch device to use: cuda where an NVIDIA GPU can be used, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def usable_device(device: str | None = None) -> torch.device:
    """Return "cpu" or "cuda" (default: the best there is) as a device; InputError when it cannot be used."""
    chosen = torch.device(check_choice("device", device or best_device(), ("cpu", "cuda")))
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise InputError("device must be cpu: this PyTorch finds no NVIDIA GPU that it can use")
    return chosen


def load_predictor(
    checkpoint: str | Path | None = None, *, device: str | None = None, engine: str | None = None
) -> Predictor:
    """Load a checkpoint (default: the one that ships with emomod) onto "cpu" or "cuda" (default: the best there is).

    ``engine`` is what runs the network, see emomod.model.engines (default: the fastest in float32).
    """
    chosen = usable_device(device)
    with_engine = check_choice("engine", engine or best_engine(chosen), ENGINES)
    loaded = load_checkpoint(checkpoint)
    loaded.network.to(chosen).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Predictor(loaded, chosen, with_engine)


def score_waveform(predict: Predict, y: ArrayLike) -> NDArray[np.float64]:
    """Return the scores [n_names] of a waveform [n_samples], mono at 22 050 Hz; InputError where it is silent."""
    return score_waveforms(predict, [y]).reshape(-1)


def score_waveforms(predict: Predict, ys: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Return the scores [n, n_names] of n waveforms of one length; InputError where one is silent."""
    if predict.takes == "spectrogram":
        return checked_scores(predict, predict(log_spectrograms(ys, device=predict.device)), n=len(ys))
    for y in ys:
        peak_of(y)  # silence is refused, as everywhere
    sounds = torch.from_numpy(np.stack([check_waveform(y) for y in ys]))
    return checked_scores(predict, predict(sounds.to(predict.device)), n=len(ys))


def checked_scores(predict: Predict, scores: torch.Tensor, *, n: int) -> NDArray[np.float64]:
    """Return a model's scores of ``n`` spectrograms as an array [n, n_names]; EmomodError where they are not that."""
    found: NDArray[np.float64] = scores.double().cpu().numpy()
    if found.shape != (n, len(predict.names)):
        raise EmomodError(f"the model must give scores of shape {(n, len(predict.names))}, got {found.shape}")
    if not np.isfinite(found).all():
        raise EmomodError(f"the model must give finite scores, got {int((~np.isfinite(found)).sum())} that are not")
    return found
