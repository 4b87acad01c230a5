"""How well a model reads the labels of a corpus that it was not trained on: other songs, programs, another soundfont.

Pearson r of each mid-level feature with its label, with 95 % bootstrap intervals, beside what a chroma of the same
spectrograms reaches without a network (emomod.training.chroma_baseline).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.bootstrap import Estimate, draw_groups, estimate
from emomod.labels import MIDLEVEL_NAMES
from emomod.model.predictor import Predict, checked_scores
from emomod.training.chroma_baseline import CHROMA_NAMES, KINDS, chroma_scores
from emomod.training.scoring import counted_pearson_r, pearson_r
from emomod.training.sources import load_sources

BATCH_SIZE = 16


@dataclass(frozen=True, eq=False)
class UnseenTest:
    """Pearson r with the labels of a test corpus."""

    corpus: str  # name of its folder
    made: dict[str, Any]  # what the corpus says of itself
    n_clips: int
    n_groups: int  # songs, or clips where each is a song of its own: what the intervals draw
    network: dict[str, Estimate]  # by feature, those whose labels are known
    network_mean: Estimate  # over these features
    chroma: dict[str, dict[str, Estimate]]  # by kind of chroma, then by feature

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON takes it."""
        return asdict(self)


def run_unseen_test(predict: Predict, folder: str | Path, *, seed: int = 0) -> UnseenTest:
    """Score the corpus in ``folder`` and compare with its labels; ``seed``: of the bootstrap, which draws songs."""
    source = load_sources([folder])[0]
    clips = source.clips
    columns = [k for k, name in enumerate(MIDLEVEL_NAMES) if np.isfinite(clips.labels[:, k]).sum() > 2]
    names, labels = tuple(MIDLEVEL_NAMES[k] for k in columns), clips.labels[:, columns]
    counts = draw_groups(clips.groups, rng=seed)
    scores = predict_clips(predict, clips.spectrograms)[:, [predict.names.index(name) for name in names]]
    r, draws = _r_and_draws(scores, labels, counts)
    chroma = {}
    for kind in KINDS:
        folded = np.array([chroma_scores(clip, kind=kind) for clip in clips.spectrograms])
        known = [name for name in CHROMA_NAMES if name in names]
        chosen = folded[:, [CHROMA_NAMES.index(name) for name in known]]
        chroma[kind] = _by_name(known, *_r_and_draws(chosen, labels[:, [names.index(name) for name in known]], counts))
    mean = estimate(float(r.mean()), draws.mean(axis=1))
    return UnseenTest(
        source.folder.name,
        source.description,
        len(clips),
        len(set(clips.groups)),
        _by_name(names, r, draws),
        mean,
        chroma,
    )


def predict_clips(
    predict: Predict, spectrograms: Sequence[NDArray[np.float16]] | NDArray[np.float16]
) -> NDArray[np.float64]:
    """Scores [n, n_names] of log spectrograms, n of [n_bands, n_frames], all of one length."""
    found = []
    for start in range(0, len(spectrograms), BATCH_SIZE):
        batch = torch.from_numpy(np.asarray(spectrograms[start : start + BATCH_SIZE], dtype=np.float32))
        found.append(checked_scores(predict, predict(batch.to(predict.device)), n=len(batch)))
    return np.concatenate(found)


def _r_and_draws(
    scores: NDArray[np.floating], labels: NDArray[np.floating], counts: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pearson r [n_columns] of all clips, and of each draw [n_draws, n_columns]."""
    return pearson_r(scores, labels), counted_pearson_r(scores, labels, counts)


def _by_name(names: Sequence[str], r: NDArray[np.float64], draws: NDArray[np.float64]) -> dict[str, Estimate]:
    return {name: estimate(float(value), column) for name, value, column in zip(names, r, draws.T, strict=True)}
