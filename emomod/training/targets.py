"""What each variant of the network is trained for: its targets, its loss, and its layer from features to emotions.

A2E learns emotions; A2Mid2E learns mid-level features, and its emotion layer is fitted on labels alone (Mid2E);
A2Mid2E-Joint learns both by the sum of both losses. Chowdhury, Vall, Haunschmid, Widmer: Towards Explainable Music
Emotion Recognition, ISMIR 2019. Labels that are not known (NaN) take no part in anything.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.mid_to_emotion import MidToEmotion, published_layer
from emomod.model.network import EmotionNetwork
from emomod.training.settings import TrainingSettings

LOSSES: dict[str, tuple[tuple[str, ...], ...]] = {  # the scores of each part of the loss
    "a2e": (EMOTION_NAMES,),
    "a2mid2e": (MIDLEVEL_NAMES,),
    "a2mid2e-joint": (MIDLEVEL_NAMES, EMOTION_NAMES),
}


def trained_names(variant: str) -> tuple[str, ...]:
    """The scores that ``variant`` is trained for."""
    return tuple(name for part in LOSSES[variant] for name in part)


def fit_mid_to_emotion(labels: NDArray[np.floating]) -> MidToEmotion:
    """Least squares from mid-level labels to emotions (Mid2E); labels [n, 15] in the order of SCORE_NAMES.

    Each emotion is fitted on the clips of which it and all seven features are known; InputError for fewer than 9.
    """
    n_mid = len(MIDLEVEL_NAMES)
    features, emotions = np.asarray(labels[:, :n_mid], dtype=np.float64), labels[:, n_mid:]
    design = np.column_stack([features, np.ones(len(features))])
    fitted = []
    for name, column in zip(EMOTION_NAMES, emotions.T, strict=True):
        known = np.isfinite(features).all(axis=1) & np.isfinite(column)
        if known.sum() <= n_mid + 1:
            raise InputError(
                f"labels must have {name} and all {n_mid} mid-level features of at least {n_mid + 2} clips, "
                f"got {known.sum()}"
            )
        fitted.append(np.linalg.lstsq(design[known], column[known], rcond=None)[0])
    solution = np.array(fitted)
    return MidToEmotion("trained", solution[:, :n_mid], solution[:, n_mid])


def new_network(settings: TrainingSettings, labels: NDArray[np.floating] | None = None) -> EmotionNetwork:
    """A network drawn from the settings' seed, with its emotion layer as the settings say.

    The published layer is frozen. A trained one is fitted on ``labels`` [n, 15], those of the training clips; a2mid2e
    keeps it, and a2mid2e-joint learns on from there, since a drawn layer learns slowly: after 250 steps on rendered
    clips the mean r of emotions was .29 with it and .60 without. Where no labels are given, or too few clips have
    both kinds, the joint network's layer is drawn all the same.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = EmotionNetwork(settings.variant, width=settings.width, dropout=settings.dropout)
    with torch.no_grad():
        network.head.bias.fill_(0.5)  # scores begin in the middle of their scale
    if network.emotion is not None:
        joint = settings.variant == "a2mid2e-joint" and settings.emotion_layer == "trained"
        if (layer := _first_layer(settings, labels, may_be_drawn=joint)) is not None:
            _set_layer(network.emotion, layer)
        network.emotion.requires_grad_(joint)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _first_layer(
    settings: TrainingSettings, labels: NDArray[np.floating] | None, *, may_be_drawn: bool
) -> MidToEmotion | None:
    """The layer to begin with; None: as it was drawn."""
    if settings.emotion_layer == "published":
        return published_layer()
    try:
        return fit_mid_to_emotion(np.empty((0, len(SCORE_NAMES))) if labels is None else labels)
    except InputError:
        if may_be_drawn:
            return None
        raise


def _set_layer(layer: torch.nn.Linear, values: MidToEmotion) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(values.weights))
        layer.bias.copy_(torch.from_numpy(values.intercepts))


def labels_for(names: tuple[str, ...], labels: NDArray[np.floating]) -> NDArray[np.float64]:
    """The columns ``names`` [n, n_names] of labels [n, 15]."""
    return np.asarray(labels[:, [SCORE_NAMES.index(name) for name in names]], dtype=np.float64)


def masked_error(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean squared error of ``scores`` over the known ``labels`` of the same shape; 0 when none is known."""
    known = torch.isfinite(labels)
    error = (scores - labels.nan_to_num()) * known
    return error.square().sum() / known.sum().clamp(min=1)


def training_loss(scores: torch.Tensor, labels: torch.Tensor, *, names: tuple[str, ...], variant: str) -> torch.Tensor:
    """The loss of ``variant``: of scores and labels [n, n_names], both with the columns ``names``."""
    parts = [[names.index(name) for name in part] for part in LOSSES[variant]]
    return torch.stack([masked_error(scores[:, part], labels[:, part]) for part in parts]).sum()
