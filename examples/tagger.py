"""A music tagger in the shape of musicnn's: 3 s at 16 kHz in, 50 tags out.

    emomod run clip.wav --model examples/tagger.py:trained --target drums --out out
    emomod run clip.wav --model examples/tagger.py:model --target drums --out out

The front end is musicnn's: a power spectrogram (Hann window of 512 samples every 256) in 96 mel bands, 187 frames in
3 s, as log10(10000 S + 1). The network behind it is small. ``model`` has random weights, from a fixed seed; ``trained``
makes one that has learned instruments, tempo and drums from rendered clips (by train_tagger.py).

Pons & Serra: musicnn, Pre-trained convolutional neural networks for music audio tagging, 2019 (arXiv:1909.06654).
Slaney: Auditory Toolbox, 1998, for the mel scale.
"""

import math
from pathlib import Path

import torch
from safetensors.torch import load_file

from emomod import Model

TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano",
    "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing",
    "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop",
    "soft", "sitar", "solo", "man", "classic", "choir", "voice", "new age", "dance", "male voice",
    "female vocal", "beats", "harp", "cello", "no voice", "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip  # the 50 most frequent of MagnaTagATune, in musicnn's order
SAMPLE_RATE, SECONDS, N_FFT, HOP_LENGTH, N_MELS = 16000, 3.0, 512, 256, 96
SEED = 440
WEIGHTS = Path(__file__).with_suffix(".safetensors")


def mel_filters() -> torch.Tensor:
    """Triangular filters [n_mels, n_fft // 2 + 1] of unit area in Hz, evenly spaced on Slaney's mel scale up to 8 kHz.

    That scale is linear below 1 kHz (15 mel) and logarithmic above (27 mel for a factor of 6.4).
    """
    top = 15.0 + 27.0 * math.log(SAMPLE_RATE / 2 / 1000.0) / math.log(6.4)
    mels = torch.linspace(0.0, top, N_MELS + 2, dtype=torch.float64)
    edges = torch.where(mels < 15.0, mels * 200.0 / 3.0, 1000.0 * 6.4 ** ((mels - 15.0) / 27.0))
    bins = torch.linspace(0.0, SAMPLE_RATE / 2, N_FFT // 2 + 1, dtype=torch.float64)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = torch.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)).clamp(min=0.0)
    return (triangles * 2.0 / (high - low)).float()


class Tagger(torch.nn.Module):
    """Waveforms [n, n_samples] at 16 kHz in; probabilities [n, 50] of the tags out."""

    window: torch.Tensor
    filters: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)  # not among the weights
        self.register_buffer("filters", mel_filters(), persistent=False)
        self.layers = torch.nn.Sequential(
            torch.nn.BatchNorm2d(1),
            torch.nn.Conv2d(1, 16, (38, 7), padding=(0, 3)),  # timbre: 38 of 96 bands
            torch.nn.ReLU(),
            torch.nn.MaxPool2d((4, 1)),
            torch.nn.Conv2d(16, 32, (3, 9), padding=(1, 4)),  # rhythm and melody
            torch.nn.ReLU(),
        )
        self.head = torch.nn.Linear(64, len(TAGS))

    def log_mel(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return the front end's spectrograms [n, 96, n_samples // 256] of waveforms [n, n_samples]."""
        transform = torch.stft(
            waveforms, N_FFT, HOP_LENGTH, window=self.window, pad_mode="constant", return_complex=True
        )
        power = transform[..., : waveforms.shape[-1] // HOP_LENGTH].abs().square()
        return torch.log10(10000.0 * (self.filters @ power) + 1.0)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return probabilities [n, 50]."""
        heard = self.layers(self.log_mel(waveforms)[:, None])
        pooled = torch.cat([heard.amax(dim=(2, 3)), heard.mean(dim=(2, 3))], dim=1)
        return torch.sigmoid(self.head(pooled))


def random_tagger(seed: int = SEED) -> Tagger:
    """Return a Tagger with weights drawn from ``seed``, spread so that its tags differ from sound to sound."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tagger = Tagger()
        torch.nn.init.normal_(tagger.head.weight, std=0.25)
        torch.nn.init.normal_(tagger.head.bias, std=0.5)
    return tagger


def as_model(tagger: Tagger, *, name: str, training_data: str) -> Model:
    """Return a Tagger with its card."""
    about = {"training_data": training_data}
    return Model(tagger, names=TAGS, sample_rate=SAMPLE_RATE, window_seconds=SECONDS, name=name, about=about)


def trained() -> Model:
    """Return the tagger with the weights that lie beside this file."""
    tagger = Tagger()
    tagger.load_state_dict(load_file(WEIGHTS))
    return as_model(tagger, name="trained tagger", training_data="800 rendered clips, see train_tagger.py")


model = as_model(random_tagger(), name="tagger", training_data=f"none: weights are random, drawn from seed {SEED}")
