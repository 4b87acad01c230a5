"""Models of other people behind emomod's seam: a function, a torch module or an ONNX file, with a small card.

Conventions: a model takes either waveforms [n, n_samples], mono at its own sample rate and at the level of the file, or
emomod's log spectrograms [n, 149, n_frames]; it gives scores [n, n_names]. It has one level: there are no mid-level
features below its scores. A sound is as long as the model's window at most, and shorter where the file is.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch

from emomod.audio import MIN_SECONDS, SAMPLE_RATE
from emomod.checks import check_choice, check_number
from emomod.errors import EmomodError, InputError
from emomod.model.onnx import OnnxScores
from emomod.model.origin import find_object, takes_nothing
from emomod.model.other_card import SETTINGS, check_about, check_names, check_rate, check_scale, read_card
from emomod.model.predictor import Takes, usable_device
from emomod.model.resampling import resample
from emomod.model.user_code import name_of, source_sha256, tell, tensors_sha256
from emomod.spectrogram import n_frames_of

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Model:
    """A model of somebody else's, with its card; what is not as it should be raises InputError.

    ``scorer`` is a callable on float32 numpy arrays, a torch.nn.Module on tensors (which is put into evaluation mode),
    or the path of an ONNX file. It is given waveforms [n, n_samples] at ``sample_rate`` or, with
    ``takes="spectrogram"``, log spectrograms [n, 149, n_frames], and returns scores [n, n_names].

    >>> loudness = Model(lambda waveforms: abs(waveforms).mean(axis=1, keepdims=True), names=("loud",))
    >>> loudness(torch.full((2, 22050), 0.25)).tolist()
    [[0.25], [0.25]]
    """

    scorer: Any
    _: KW_ONLY
    names: tuple[str, ...]  # of the scores, none twice
    sample_rate: int = SAMPLE_RATE  # Hz, at which waveforms are given
    window_seconds: float = 10.0  # s of a sound that are given at most
    takes: Takes = "waveform"
    scale: tuple[float, float] = (0.0, 1.0)  # lowest and highest score that there can be
    name: str = ""  # default: what the scorer is called
    about: Mapping[str, Any] = field(default_factory=dict)  # whatever else the card should say, as in JSON
    device: torch.device = CPU  # where sounds are made for it; that of a module is where its parameters are
    origin: str = ""  # what names it on the command line

    def __new__(cls, scorer: Any = None, **_settings: Any) -> Self:
        """Make a ModuleModel of a torch module: it has gradients, which others do not promise by their type."""
        kind = ModuleModel if cls is Model and isinstance(scorer, torch.nn.Module) else cls
        return object.__new__(cast("type[Self]", kind))

    def __post_init__(self) -> None:
        checked = {
            "scorer": _check_scorer(self.scorer),
            "names": check_names(self.names),
            "takes": check_choice("takes", self.takes, ("waveform", "spectrogram")),
            "sample_rate": check_rate(self.sample_rate, takes=self.takes),
            "window_seconds": check_number("window_seconds", self.window_seconds, low=MIN_SECONDS),
            "scale": check_scale(self.scale),
            "about": check_about(self.about),
        }
        checked["name"] = self.name or name_of(checked["scorer"]) or "model"
        for key, value in checked.items():
            object.__setattr__(self, key, value)
        if isinstance(self.scorer, OnnxScores):
            self.scorer.check(takes=self.takes, n_names=len(self.names))

    @property
    def mid_to_emotion(self) -> None:
        """There are no mid-level features."""
        return

    @property
    def card(self) -> dict[str, Any]:
        """What the model is, ready for JSON."""
        high = (
            f"the model is given {self.sample_rate} Hz, but emomod's sounds hold nothing above {SAMPLE_RATE / 2:g} Hz"
        )
        return {
            **self.about,
            "name": self.name,
            "sample_rate": self.sample_rate,
            "window_seconds": self.window_seconds,
            "names": list(self.names),
            "takes": self.takes,
            "scale": list(self.scale),
            "notes": [high] if self.sample_rate > SAMPLE_RATE else [],
            "figures": {},
        }

    @property
    def sha256(self) -> str:
        """Hash of what defines the model: the ONNX file, or the file that the function was written in; "" if none."""
        return self.scorer.sha256 if isinstance(self.scorer, OnnxScores) else source_sha256(self.scorer)

    def check_name(self, target: str) -> str:
        """Return ``target`` if the model gives such a score."""
        return check_choice("target", target, self.names)

    def to(self, device: torch.device) -> "Model":
        """Return the model with sounds made on ``device``; a torch module moves there."""
        return replace(self, device=device)

    def __call__(self, sounds: torch.Tensor, /) -> torch.Tensor:
        """Return scores [n, n_names] of waveforms [n, n_samples] at 22 050 Hz, or of log spectrograms.

        EmomodError with the place in the user's code where the model raises, and where it gives no real numbers.
        """
        with torch.no_grad():
            return self._score(self._heard(sounds))

    def _heard(self, sounds: torch.Tensor) -> torch.Tensor:
        """What the scorer is given, always a copy: sounds at its rate, and whole windows of exactly its length."""
        n, window = sounds.shape[-1], round(self.window_seconds * SAMPLE_RATE)
        longest = window if self.takes == "waveform" else n_frames_of(window)
        if n > longest:
            unit = "samples at 22050 Hz" if self.takes == "waveform" else "frames"
            raise InputError(
                f"sounds must be within window_seconds, {self.window_seconds:g} s: {longest} {unit}, got {n}"
            )
        if self.takes == "spectrogram":
            return sounds.clone()
        seconds = self.window_seconds if n == window else n / SAMPLE_RATE
        return resample(sounds, sr=self.sample_rate, n_samples=max(1, round(seconds * self.sample_rate)))

    def _score(self, heard: torch.Tensor) -> torch.Tensor:
        given = heard.detach().float().cpu().numpy()
        return self._as_tensor(self._ask(given))

    def _ask(self, given: Any) -> Any:
        try:
            return self.scorer(given)
        except EmomodError:
            raise
        except Exception as error:
            shape = f"{str(given.dtype).removeprefix('torch.')} {list(given.shape)}"
            raise EmomodError(f"the model {self.name} raises {tell(error)}; it was given {shape}") from error

    def _as_tensor(self, found: Any) -> torch.Tensor:
        if isinstance(found, torch.Tensor):
            if found.is_complex():
                raise self._no_numbers(f"{found.dtype} {list(found.shape)}")
            return found.detach()
        try:
            array = np.asarray(found)
        except (TypeError, ValueError, RuntimeError):
            raise self._no_numbers(f"a {type(found).__name__} whose parts are of different lengths or kinds") from None
        if array.dtype.kind not in "fiub":
            raise self._no_numbers(f"{array.dtype} {list(array.shape)}" if array.ndim else f"a {type(found).__name__}")
        return torch.from_numpy(array.astype(np.float64))

    def _no_numbers(self, found: str) -> EmomodError:
        return EmomodError(f"the model {self.name} must give real numbers [n, {len(self.names)}], got {found}")


class ModuleModel(Model):
    """A torch module with its card: what needs gradients works as well."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.scorer.eval()
        object.__setattr__(self, "device", next((tensor.device for tensor in self._tensors()), self.device))

    def _tensors(self) -> Any:
        return chain(self.scorer.parameters(), self.scorer.buffers())

    @property
    def module(self) -> torch.nn.Module:
        """The network."""
        network: torch.nn.Module = self.scorer
        return network

    @property
    def sha256(self) -> str:
        """Hash of the parameters and buffers."""
        return tensors_sha256(self.scorer)

    def to(self, device: torch.device) -> "Model":
        """Move the module to ``device``; return the model there."""
        self.scorer.to(device)
        return replace(self, device=device)

    def differentiable(self, sounds: torch.Tensor, /) -> torch.Tensor:
        """Return the scores of ``__call__``, with what their gradients need; EmomodError where none can arrive."""
        scores = self._score(self._heard(sounds))
        if sounds.requires_grad and not scores.requires_grad:
            raise EmomodError(
                f"the model {self.name} lets no gradients through (detach, no_grad, or numpy on the way?); "
                "choose a method that needs none"
            )
        return scores

    def _score(self, heard: torch.Tensor) -> torch.Tensor:
        if self.scorer.training:  # it may have been trained since it was wrapped
            self.scorer.eval()
        kind = next((tensor.dtype for tensor in self._tensors() if tensor.is_floating_point()), torch.float32)
        scores = self._ask(heard.to(self.device, kind))
        if not isinstance(scores, torch.Tensor) or scores.is_complex():
            shape = f"{scores.dtype} {list(scores.shape)}" if isinstance(scores, torch.Tensor) else None
            raise self._no_numbers(shape or f"a {type(scores).__name__}")
        return scores


def _check_scorer(scorer: Any) -> Any:
    """Return what is called; the path of an ONNX file is loaded."""
    if isinstance(scorer, (str, Path)):
        return OnnxScores(scorer)
    if isinstance(scorer, type):
        raise InputError(f"scorer must be an object, got the class {scorer.__name__}; write {scorer.__name__}()")
    if isinstance(scorer, Model) or not callable(scorer):
        kinds = "a callable, a torch.nn.Module or the path of an .onnx file"
        raise InputError(f"scorer must be {kinds}, got a {type(scorer).__name__}")
    return scorer


def load_other(origin: str, *, device: str | None = None) -> Model:
    """Return the model that ``origin`` names, ready to score on a device: "cpu" or "cuda" (default: the best there is).

    ``origin`` is "package.module:name" or "path/to/file.py:name", a Model or a function without arguments that returns
    one, or the path of an ONNX file with its card beside it. **This runs the user's own code.** InputError where
    there is no such model.
    """
    chosen = usable_device(device)
    model = _load_onnx(Path(origin)) if origin.endswith(".onnx") else _made(origin)
    return replace(model.to(chosen), origin=origin)


def _load_onnx(path: Path) -> Model:
    if not path.is_file():
        raise InputError(f"{path}: there is no such ONNX file")
    card = read_card(path)
    settings = {key: card.pop(key) for key in SETTINGS if key in card}
    return Model(OnnxScores(path, output=card.pop("output", None)), about=card, **settings)


def _made(origin: str) -> Model:
    """Return the Model that is called so, or that the function which is called so makes."""
    found = find_object(origin)
    if isinstance(found, Model):
        return found
    if not isinstance(found, torch.nn.Module) and takes_nothing(found):
        try:
            found = found()
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{origin} cannot make a model: {tell(error)}") from error
    if isinstance(found, Model):
        return found
    name = origin.rpartition(":")[2]
    wrapped = f"model = Model({name}, names=(...), sample_rate=..., window_seconds=...)"
    raise InputError(f"{origin} must be an emomod Model, got a {type(found).__name__}; wrap it: {wrapped}")
