"""The network as it is while it learns: convolutions in bfloat16, and more to predict than will be kept."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from emomod.errors import InputError
from emomod.model.network import EmotionNetwork


@dataclass(frozen=True, eq=False)
class Auxiliary:
    """More to predict from the pooled features while training; none of it stays in the network."""

    labels: NDArray[np.float64]  # [n, n_extra], as many clips as there are; NaN: not known
    weight: float  # in the loss, of the mean squared error of the standardised labels


def auxiliary_targets(auxiliary: Auxiliary | None, train: NDArray[np.intp], *, n_clips: int) -> NDArray[np.float64]:
    """Labels [n_clips, n_extra] with mean 0 and, where they vary, standard deviation 1 over the clips ``train``."""
    if auxiliary is None:
        return np.zeros((n_clips, 0))
    if auxiliary.labels.ndim != 2 or len(auxiliary.labels) != n_clips:
        raise InputError(f"auxiliary labels must have shape [{n_clips}, n_extra], got {list(auxiliary.labels.shape)}")
    known = auxiliary.labels[train]
    scale = np.nanstd(known, axis=0)
    targets: NDArray[np.float64] = (auxiliary.labels - np.nanmean(known, axis=0)) / np.where(scale > 0.0, scale, 1.0)
    return targets


class Learner(nn.Module):
    """The network and, where there are auxiliary labels, a layer for them that is thrown away in the end."""

    def __init__(self, network: EmotionNetwork, *, n_extra: int, seed: int) -> None:
        super().__init__()
        self.network = network
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.extra = nn.Linear(network.head.in_features, n_extra) if n_extra else None

    def forward(self, spectrograms: torch.Tensor, *, autocast: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Scores [n, n_names] and auxiliary predictions [n, n_extra]; only the convolutions are in bfloat16."""
        with torch.autocast(spectrograms.device.type, dtype=torch.bfloat16, enabled=autocast):
            features = self.network.features(spectrograms)
        features = features.float()
        return self.network.scores_of(features), None if self.extra is None else self.extra(features)
