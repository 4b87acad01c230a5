"""Whole runs in a second or two: a model that is linear in the bands' mean levels, on a sound of 2.5 s."""

from pathlib import Path

import torch
from fakes import sound_file

from emomod.attribution.lime import LimeSettings
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.checkpoint import Checkpoint
from emomod.model.mid_to_emotion import published_layer
from emomod.model.predictor import Predictor
from emomod.pipeline import ModifySettings, RunSettings, run
from emomod.result import RunResult
from emomod.spectrogram import N_BANDS

SECONDS = 2.5


class BandNetwork(torch.nn.Module):
    """Seven mid-level scores from the bands' levels, and the published layer on top; or eight emotions alone."""

    def __init__(self, *, two_levels: bool = True) -> None:
        super().__init__()
        self.names = SCORE_NAMES if two_levels else EMOTION_NAMES
        generator = torch.Generator().manual_seed(3)
        rough = torch.randn(1, len(MIDLEVEL_NAMES) if two_levels else len(EMOTION_NAMES), 6, generator=generator)
        self.bands = torch.nn.functional.interpolate(rough, size=N_BANDS, mode="linear")[0] / N_BANDS
        self.emotion: torch.nn.Linear | None = None
        if two_levels:
            layer = published_layer()
            self.emotion = torch.nn.Linear(len(MIDLEVEL_NAMES), len(EMOTION_NAMES))
            self.emotion.weight.data = torch.from_numpy(layer.weights).float()
            self.emotion.bias.data = torch.from_numpy(layer.intercepts).float()

    def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Scores [n, n_names] of spectrograms [n, n_bands, n_frames]."""
        time = torch.linspace(0.0, 6.0, spectrograms.shape[2])
        scores = torch.sigmoid(4.0 * (spectrograms * (1.0 + 0.6 * torch.sin(time))).mean(dim=2) @ self.bands.T)
        return scores if self.emotion is None else torch.cat([scores, self.emotion(scores)], dim=1)


def small_predictor(*, two_levels: bool = True) -> Predictor:
    """The model as a predictor, with a card."""
    card = {
        "name": "bands <&>",
        "window_seconds": SECONDS,
        "training_data": "none",
        "limitations": "A toy.",
        "figures": {"test_r": {"articulation": 0.79}},
    }
    network = BandNetwork(two_levels=two_levels).eval()
    return Predictor(Checkpoint(network, card, "bands", "0" * 64), torch.device("cpu"))  # type: ignore[arg-type]


def small_run(
    folder: Path,
    *,
    target: str = "articulation",
    two_levels: bool = True,
    rule: str = "bh:0.05",
    sides: str = "positive",
    name: str = "clip.wav",
    n_controls: int = 19,
) -> RunResult:
    """The whole job, into ``folder / "out"``."""
    settings = RunSettings(
        method=LimeSettings(n_perturbations=256, n_held_out=32, batch_size=64),
        modify=ModifySettings(n_controls=n_controls, rule=rule, sides=sides),
    )
    clip, predictor = sound_file(folder, seconds=SECONDS, name=name), small_predictor(two_levels=two_levels)
    return run(clip, target=target, out=folder / "out", settings=settings, predictor=predictor)
