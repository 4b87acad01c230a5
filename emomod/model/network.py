"""The VGG-style network of the 2019 system, from a log spectrogram to mid-level features and emotions.

Three variants (Chowdhury, Vall, Haunschmid, Widmer: Towards Explainable Music Emotion Recognition, ISMIR 2019):
"a2e" gives emotions only; "a2mid2e" gives mid-level features and, from them by a separately trained linear layer,
emotions; "a2mid2e-joint" is the same network with both parts trained on the sum of both losses.
"""

import torch
from torch import nn

from emomod.checks import check_choice, check_number
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES

ARCHITECTURES = ("a2e", "a2mid2e", "a2mid2e-joint")
MIN_FRAMES = 24  # fewer would leave the last convolution nothing; shorter sounds are padded with silence


def _convolution(n_in: int, n_out: int, *, kernel: int = 3, stride: int = 1, padding: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(n_in, n_out, kernel, stride=stride, padding=padding, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(n_out), nn.ReLU())


def _trunk(width: float, dropout: float) -> nn.Sequential:
    """The convolutional part; ``width`` scales its channels."""
    c64, c128, c256, c384, c512 = (max(1, round(width * channels)) for channels in (64, 128, 256, 384, 512))
    return nn.Sequential(
        _convolution(1, c64, kernel=5, stride=2, padding=2),
        _convolution(c64, c64),
        nn.MaxPool2d(2),
        nn.Dropout(dropout),
        _convolution(c64, c128),
        _convolution(c128, c128),
        nn.MaxPool2d(2),
        nn.Dropout(dropout),
        _convolution(c128, c256),
        _convolution(c256, c256),
        _convolution(c256, c384),
        _convolution(c384, c512),
        _convolution(c512, c256, padding=0),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def padded(spectrograms: torch.Tensor) -> torch.Tensor:
    """Return spectrograms [n, n_bands, n_frames] with silence after those that are shorter than MIN_FRAMES."""
    missing = MIN_FRAMES - spectrograms.shape[-1]
    return nn.functional.pad(spectrograms, (0, missing)) if missing > 0 else spectrograms


class EmotionNetwork(nn.Module):
    """Log spectrograms to scores.

    Shape: input float32 [n, n_bands, n_frames] (any number of frames); output [n, 15], mid-level features then
    emotions, or [n, 8], emotions only, for "a2e".
    """

    def __init__(self, architecture: str = "a2mid2e-joint", *, width: float = 1.0, dropout: float = 0.3) -> None:
        super().__init__()
        self.architecture = check_choice("architecture", architecture, ARCHITECTURES)
        self.width = check_number("width", width, low=0.01, high=4.0)
        self.trunk = _trunk(width, dropout)
        n_features = max(1, round(width * 256))
        self.two_level = architecture != "a2e"
        self.head = nn.Linear(n_features, len(MIDLEVEL_NAMES if self.two_level else EMOTION_NAMES))
        self.emotion = nn.Linear(len(MIDLEVEL_NAMES), len(EMOTION_NAMES)) if self.two_level else None

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of the output are."""
        return SCORE_NAMES if self.two_level else EMOTION_NAMES

    def features(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Return what the convolutional part hears in ``spectrograms``: [n, n_features], a mean over time and bands."""
        return self.trunk(padded(spectrograms)[:, None])  # type: ignore[no-any-return]

    def scores_of(self, features: torch.Tensor) -> torch.Tensor:
        """Return the scores of ``features`` [n, n_features]; all that follows is linear."""
        scores: torch.Tensor = self.head(features)
        return scores if self.emotion is None else torch.cat([scores, self.emotion(scores)], dim=1)

    def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Return the scores of ``spectrograms``; see the class for shapes."""
        return self.scores_of(self.features(spectrograms))
