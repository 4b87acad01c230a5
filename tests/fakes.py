"""Small stand-ins for tests: linear models, short sounds, a network of a twentieth of the width, the shared data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.component_map import ComponentMap, Location, map_of_labels
from emomod.component_weights import ComponentWeights
from emomod.components.base import sound_of
from emomod.components.layered import LayeredComponents, layered
from emomod.explanation import Explanation, compute_effects
from emomod.labels import MIDLEVEL_NAMES
from emomod.model.checkpoint import save_checkpoint
from emomod.model.mid_to_emotion import MidToEmotion
from emomod.model.network import EmotionNetwork
from emomod.model.predictor import Predict, Takes
from emomod.steering.hearing import Hearing, Listener
from emomod.steering.parts import Parts, parts_of
from emomod.steering.solve import Problem

CARD: dict[str, Any] = {"name": "tiny", "window_seconds": 2.0, "training_data": "none", "figures": {}}


@dataclass(frozen=True, eq=False)
class LinearPredict:
    """Scores that are sums over cells of weight times magnitude, so that they are linear in the gains of components."""

    weights: torch.Tensor  # [n, n_bands, n_frames]
    names: tuple[str, ...] = MIDLEVEL_NAMES
    mid_to_emotion: MidToEmotion | None = None
    takes: Takes = "spectrogram"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __call__(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        magnitudes = 10.0 ** spectrograms.double() - 1.0
        weights = self.weights[:, :, : spectrograms.shape[2]]
        scores = torch.stack([torch.einsum("bt,cbt->c", each.clone(), weights) for each in magnitudes])  # as if alone
        if self.mid_to_emotion is None:
            return scores
        return torch.cat([scores, torch.from_numpy(self.mid_to_emotion.emotions(scores.numpy()))], dim=1)


def tones(seconds: float = 1.0, *, seed: int = 0) -> NDArray[np.float32]:
    """Short notes of three partials every quarter of a second, over faint noise; peak 0.5."""
    rng, time = np.random.default_rng(seed), np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    y = 0.01 * rng.standard_normal(time.size)
    for onset in np.arange(0.0, seconds, 0.25):
        frequency, since = rng.uniform(100, 1000), np.maximum(time - onset, 0)
        for partial in (1, 2, 5):
            y += (
                np.where(time >= onset, np.exp(-6 * since) * np.sin(2 * np.pi * frequency * partial * since), 0)
                / partial
            )
    return (0.5 * y / np.abs(y).max()).astype(np.float32)


def grid_components(seconds: float = 1.0, *, rows: int = 4, columns: int = 3) -> LayeredComponents:
    """``tones`` cut into a grid of rows x columns."""
    sound = sound_of(tones(seconds))
    n_bands, n_frames = sound.spectrogram.shape
    bands, frames = np.arange(n_bands) * rows // n_bands, np.arange(n_frames) * columns // n_frames
    return layered(sound, regions=bands[:, None] * columns + frames)


def linear_predict(
    components: LayeredComponents,
    weights: NDArray[np.float64],
    layer: MidToEmotion | None = None,
    names: tuple[str, ...] = MIDLEVEL_NAMES,
) -> LinearPredict:
    """A model for which turning component k fully off lowers score c by ``weights[c, k]``."""
    sums = np.bincount(components.regions.ravel(), weights=components.cell_magnitudes().ravel())
    return LinearPredict(torch.from_numpy((weights / sums)[:, components.regions]), names, layer)


class DecibelComponents:
    """A "sound" that holds the gains of its components in dB, and a 1, so that it is never silent."""

    def sound(self, gains: torch.Tensor) -> torch.Tensor:
        return torch.cat([20.0 * gains.log10(), torch.ones(len(gains), 1)], dim=1)


@dataclass(frozen=True, eq=False)
class DecibelPredict:
    """Scores of that sound: 0.5 and a curve of what is linear in the gains in dB. It cannot be differentiated."""

    slopes: torch.Tensor  # [n_names, K]
    names: tuple[str, ...]
    curve: Callable[[torch.Tensor], torch.Tensor] = torch.clone
    mid_to_emotion: MidToEmotion | None = None
    takes: Takes = "waveform"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __call__(self, sounds: torch.Tensor, /) -> torch.Tensor:
        return 0.5 + self.curve(sounds[:, :-1].double() @ self.slopes.T)


class SmoothDecibelPredict(DecibelPredict):
    """The same model, which can be differentiated."""

    module = torch.nn.Module()

    def differentiable(self, sounds: torch.Tensor, /) -> torch.Tensor:
        return self(sounds)


def decibel_problem(
    slopes: NDArray[np.float64],
    *,
    audible: NDArray[np.float64] | None = None,
    bound_db: float = 9.0,
    smooth: bool = True,
    curve: Callable[[torch.Tensor], torch.Tensor] = torch.clone,
    others: tuple[NDArray[np.float64], ...] = (),
) -> Problem:
    """What is to be solved for models whose scores are linear in the gains of K parts in a row, with ``slopes`` a dB.

    ``others`` are slopes of more models that listen.
    """
    n_names, n_parts = slopes.shape
    names = tuple(f"score{k}" for k in range(n_names))
    kind = SmoothDecibelPredict if smooth else DecibelPredict
    listeners = tuple(Listener(kind(torch.from_numpy(each), names, curve)) for each in (slopes, *others))
    share = np.full(n_parts, 1.0 / n_parts) if audible is None else audible
    edges = np.stack([np.arange(n_parts - 1), np.arange(1, n_parts)], axis=1)
    lengths, bounds = np.full(len(edges), 1.0 / max(len(edges), 1)), np.full(n_parts, bound_db)
    parts = Parts(np.arange(n_parts), share, share, bounds, edges, lengths)
    hearing = Hearing(listeners, DecibelComponents())  # type: ignore[arg-type]
    return Problem(hearing, parts, slopes, np.full((len(listeners), n_names), 0.5))


def grid_problem(predict: Predict, *, bounds_db: NDArray[np.float64] | None = None) -> Problem:
    """What is to be solved for a model that hears ``grid_components``, twelve parts of a second; no surrogate."""
    components = grid_components()
    log_spectrogram = sound_of(components.render(np.ones(12))).spectrogram.log_spectrogram.numpy()
    where = ComponentMap(components.shares(), components.shape)
    bounds = np.full(12, 9.0) if bounds_db is None else bounds_db
    parts = parts_of(where, components.locations(), log_spectrogram, bounds_db=bounds)
    hearing = Hearing((Listener(predict),), components)
    slopes = np.zeros((len(predict.names), parts.n_groups))
    return Problem(hearing, parts, slopes, hearing.scores(np.zeros((1, 12)))[:, 0])


def component_weights(
    weights: NDArray[np.float64], p_values: NDArray[np.float64], names: tuple[str, ...]
) -> ComponentWeights:
    """ComponentWeights of which only weights and p-values matter."""
    zeros = np.zeros(len(names))
    return ComponentWeights(names, weights, np.ones_like(weights), p_values, zeros, zeros, zeros, 0.5)


def tiny_checkpoint(path: Path, *, architecture: str = "a2mid2e-joint", seed: int = 0, **card: Any) -> Path:
    """Write a network of width 0.05 with random weights, loud enough that its scores differ."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = EmotionNetwork(architecture, width=0.05)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_var.fill_(0.17)  # type: ignore[union-attr]
    return save_checkpoint(path, network, CARD | card)


def sound_file(folder: Path, *, seconds: float = 2.0, name: str = "clip.wav", seed: int = 0) -> Path:
    """Write ``tones`` as a file."""
    soundfile.write(folder / name, tones(seconds, seed=seed), SAMPLE_RATE)
    return folder / name


def shared(name: str) -> Path:
    """Path of a file of the shared data; skips the test where it is absent."""
    path = Path(__file__).parents[2] / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"../shared/data/{name} is not here")
    return path


def explanation(scores: dict[str, float], *, layer: MidToEmotion | None = None, n_components: int = 4) -> Explanation:
    """An explanation with the given scores; component k has weight 1 - k on every score and lies at k + 0.5 s."""
    names = tuple(scores)
    weights = np.tile(1.0 - np.arange(n_components), (len(names), 1))
    effects = None if layer is None else compute_effects(layer, np.array([scores[name] for name in MIDLEVEL_NAMES]))
    locations = tuple(Location(k + 0.3, k + 0.7, k + 0.5, 100.0 * 8**k, 150.0 * 8**k) for k in range(n_components))
    found = component_weights(weights, np.full_like(weights, 1e-6), names)
    where = map_of_labels(np.arange(n_components, dtype=np.intp)[None, :])
    return Explanation(names, np.array(list(scores.values())), effects, found, where, locations, {"seed": 440})
