"""Which components carried a shift, and by way of which mid-level features.

Both levels are exact up to the number of steps. A component's share in the shift of a score is its gain times the slope
of the score by that gain, averaged along the straight line of gains from none to all (Sundararajan, Taly, Yan:
Axiomatic Attribution for Deep Networks, ICML 2017): the shares of all components sum to the shift. Where the largest
sample of the sound is another one from some gain on, by which it is normalised, slopes jump, so that a hundredth of the
shift may be left. An emotion's shift is the sum of its weights times the shifts of the features.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.attribution.gradients import finite_array
from emomod.model.predictor import Predict
from emomod.steering.solve import Problem

N_STEPS = 8  # Gauss-Legendre, along the way

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Account:
    """Where shifts came from."""

    names: tuple[str, ...]
    shares: Array  # [n_names, G], in the shift of each score; they sum to it but for ``left``
    left: Array  # [n_names], what too few steps leave


def account_of(problem: Problem, gains_db: Array, shift: Array) -> Account:
    """Who carried the ``shift`` [n_names] that gains [G] in dB brought, for the model that was asked.

    A model that cannot be differentiated is accounted for by the surrogate.
    """
    if problem.hearing.can_differentiate:
        predict = problem.hearing.predict
        shares = mixing_of(predict) @ _mean_slopes(problem, gains_db) * gains_db
    else:
        shares = problem.slopes * gains_db
    return Account(problem.hearing.predict.names, shares, shift - shares.sum(axis=1))


def mixing_of(predict: Predict) -> Array:
    """[n_names, T]: each score as a sum of the T that are differentiated, mid-level features where there are any."""
    layer = predict.mid_to_emotion
    if layer is None:
        return np.eye(len(predict.names))
    return np.vstack([np.eye(layer.weights.shape[1]), layer.weights])


def _mean_slopes(problem: Problem, gains_db: Array) -> Array:
    """[T, G], averaged along the way."""
    n_targets = mixing_of(problem.hearing.predict).shape[1]
    total = np.zeros((n_targets, gains_db.size))
    for place, weight in zip(*np.polynomial.legendre.leggauss(N_STEPS), strict=True):
        total += weight / 2.0 * _slopes(problem, gains_db * (1.0 + place) / 2.0, n_targets)
    return total


def _slopes(problem: Problem, gains_db: Array, n_targets: int) -> Array:
    at = torch.from_numpy(gains_db).requires_grad_()
    group = torch.from_numpy(problem.parts.group)
    with torch.enable_grad():
        sounds = problem.hearing.sound(at[group][None].float())
        scores = problem.hearing.listeners[0].differentiable(sounds)[0]
    slopes = [torch.autograd.grad(scores[t], at, retain_graph=t < n_targets - 1)[0] for t in range(n_targets)]
    return np.stack([finite_array(each) for each in slopes])


def feature_shifts(predict: Predict, emotion: str, shift: Array) -> dict[str, float]:
    """What each mid-level feature's part of ``shift`` [n_names] adds to an emotion, the largest first; {} without."""
    layer = predict.mid_to_emotion
    if layer is None:
        return {}
    n_midlevel = layer.weights.shape[1]
    if emotion in predict.names[:n_midlevel]:
        return {}
    added = layer.weights[predict.names.index(emotion) - n_midlevel] * shift[:n_midlevel]
    order = np.argsort(-np.abs(added), kind="stable")
    return {predict.names[index]: float(added[index]) for index in order}
