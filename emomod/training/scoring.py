"""Scores of many clips, and how well they agree with labels of which some may be missing."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.labels import MIDLEVEL_NAMES
from emomod.model.network import EmotionNetwork

FLAT = 1e-12  # product of both columns' spreads at which one does not vary
Spectrograms = Sequence[NDArray[np.float16]] | NDArray[np.floating]


def pearson_r(predicted: NDArray[np.floating], labels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pearson r of each column [n_columns] of ``predicted`` and ``labels`` [n, n_columns] over the known labels.

    NaN where a column does not vary or fewer than two labels are known (a label of NaN is not known).

    >>> pearson_r(np.array([[0.1], [0.2], [0.9]]), np.array([[0.0], [1.0], [np.nan]])).round(6).tolist()
    [1.0]
    """
    r: NDArray[np.float64] = counted_pearson_r(predicted, labels, np.ones((1, len(labels)), dtype=np.intp))[0]
    return r


def counted_pearson_r(
    predicted: NDArray[np.floating], labels: NDArray[np.floating], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The same for each draw [n_draws, n_columns], clips counted as ``counts`` [n_draws, n] says."""
    columns = []
    for score, label in zip(predicted.T, labels.T, strict=True):
        known = np.isfinite(label)
        weights = counts[:, known].astype(np.float64)
        a, b = (values[known] - np.sum(values[known]) / max(known.sum(), 1) for values in (score.astype(float), label))
        total, sum_a, sum_b = weights.sum(axis=1).clip(min=1), weights @ a, weights @ b
        shared = weights @ (a * b) - sum_a * sum_b / total
        spread = np.sqrt(((weights @ a**2 - sum_a**2 / total) * (weights @ b**2 - sum_b**2 / total)).clip(min=0))
        columns.append(np.divide(shared, spread, out=np.full(len(counts), np.nan), where=spread > FLAT))
    return np.stack(columns, axis=1)


def heard_r(predicted: NDArray[np.floating], labels: NDArray[np.floating]) -> NDArray[np.float64]:
    """``pearson_r``, but 0 where it is not defined although two labels are known; for means over scores.

    A score that never moves has heard nothing. As NaN it would drop out of a mean, which would be the better for it.
    """
    r, n_known = pearson_r(predicted, labels), np.isfinite(labels).sum(axis=0)
    return np.where(np.isnan(r) & (n_known >= 2), 0.0, r)


def window_of(spectrogram: NDArray[np.floating], *, n_frames: int, place: float = 0.5) -> NDArray[np.floating]:
    """A window [n_bands, n_frames] of a clip: at its start (``place`` 0) to its end (1); silence after a short clip."""
    spare = spectrogram.shape[1] - n_frames
    if spare < 0:
        return np.pad(spectrogram, ((0, 0), (0, -spare)))
    start = min(int(place * (spare + 1)), spare)
    return spectrogram[:, start : start + n_frames]


def predict_midlevel(network: EmotionNetwork, spectrograms: Spectrograms) -> NDArray[np.float32]:
    """Mid-level scores [n, 7] of log spectrograms [n, n_bands, n_frames]."""
    return predict_scores(network, spectrograms)[:, : len(MIDLEVEL_NAMES)]


def predict_scores(
    network: EmotionNetwork,
    spectrograms: Spectrograms,
    *,
    n_frames: int | None = None,
    batch_size: int = 16,
    autocast: bool = False,
) -> NDArray[np.float32]:
    """Scores [n, n_names] of log spectrograms, n of [n_bands, n_frames], on the network's device.

    With ``n_frames`` the scores are those of each clip's middle window; without, all clips must be of one length.
    ``autocast``: the convolutions in bfloat16, faster and good for a correlation.
    """
    network.eval()
    length = spectrograms[0].shape[1] if n_frames is None else n_frames
    scores = [
        _scores_of_batch(
            network,
            np.stack([window_of(clip, n_frames=length) for clip in spectrograms[start : start + batch_size]]),
            autocast=autocast,
        )
        for start in range(0, len(spectrograms), batch_size)
    ]
    return np.concatenate(scores)


@torch.inference_mode()
def _scores_of_batch(network: EmotionNetwork, batch: NDArray[np.floating], *, autocast: bool) -> NDArray[np.float32]:
    device = network.head.weight.device
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=autocast):
        features = network.features(torch.from_numpy(batch).to(device).float())
    return np.asarray(network.scores_of(features.float()).cpu().numpy())
