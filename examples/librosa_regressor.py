"""A scikit-learn regressor on librosa's features as a model: how fast, how bright and how noisy a sound is.

    emomod run clip.wav --model examples/librosa_regressor.py:model --target fast --out out

It learns from 60 sounds that are made here, whose speed, brightness and share of noise are known. It has no gradients
and hears whole sounds, so it is explained by methods that only ask for scores (lime, kernel_shap, banzhaf, occlusion).
"""

import librosa
import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emomod import Model

SAMPLE_RATE, SECONDS, N_SOUNDS = 22050, 3.0, 60
NAMES = ("fast", "bright", "noisy")


def make_sound(truth: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """Repeated notes: 1 to 6 a second, of 200 to 3200 Hz, as a tone (noisy = 0) up to a band of noise (1)."""
    fast, bright, noisy = truth
    time, period, frequency = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE, 6.0**-fast, 200.0 * 16.0**bright
    tone = np.sin(2 * np.pi * frequency * time)
    noise = rng.standard_normal(time.size // 16 + 1).repeat(16)[: time.size] * tone  # around the tone's frequency
    y = ((1 - noisy) * tone + noisy * noise) * np.exp(-8.0 * (time % period))
    return np.asarray(0.5 * y / np.abs(y).max(), dtype=np.float32)


def features(y: NDArray[np.float32]) -> list[float]:
    """Speed (log2 of pulses a minute, onsets), brightness, noise, level and harmony of a waveform."""
    magnitude = np.abs(librosa.stft(y)) + 1e-8
    onsets = librosa.onset.onset_strength(S=librosa.amplitude_to_db(magnitude), sr=SAMPLE_RATE)
    chroma = librosa.feature.chroma_stft(S=magnitude**2, sr=SAMPLE_RATE, tuning=0.0)
    loud = librosa.feature.rms(S=magnitude)[0]
    return [
        float(np.log2(librosa.feature.tempo(onset_envelope=onsets, sr=SAMPLE_RATE)[0])),
        float((onsets > 0.3 * onsets.max()).mean()),
        float(np.log2(librosa.feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE) @ loud / loud.sum())[0]),
        float(np.log2(librosa.feature.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE) @ loud / loud.sum())[0]),
        float(np.log10(librosa.feature.spectral_flatness(S=magnitude).mean())),
        float(np.log10(loud.mean() / loud.max())),
        float(chroma.max(axis=0).mean() - chroma.mean()),
    ]


def train(seed: int = 440) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the features [n_sounds, 7] and the truth [n_sounds, 3] of the sounds made here."""
    rng = np.random.default_rng(seed)
    truth = rng.random((N_SOUNDS, len(NAMES)))
    return np.array([features(make_sound(row, rng)) for row in truth]), truth


gaussian_process = GaussianProcessRegressor(RBF(4.0), alpha=0.02, optimizer=None, normalize_y=True)
regressor = make_pipeline(StandardScaler(), gaussian_process).fit(*train())


def scores(waveforms: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return fast, bright and noisy [n, 3] of waveforms [n, n_samples]."""
    return np.asarray(regressor.predict(np.array([features(y) for y in waveforms])))


model = Model(scores, names=NAMES, sample_rate=SAMPLE_RATE, window_seconds=SECONDS, name="librosa regressor")
