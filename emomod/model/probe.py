"""Can this model be explained? A few batches that cost a second, before a job that costs minutes.

An explanation compares thousands of scores. It means nothing where the same sound gets another score when it is asked
again (dropout, random numbers), or beside other sounds (batch norm in training mode, normalisation over the batch).
"""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from emomod.checks import check_waveform
from emomod.errors import EmomodError
from emomod.model.predictor import Predict, checked_scores
from emomod.spectrogram import compute_spectrogram

SAME = 1e-5  # share of the scale by which the scores of a batch may differ when it is given again
ALONE = 1e-4  # share by which those of a sound may differ in another batch, for which libraries round differently
BEYOND = 0.01  # share of the scale by which a score may lie outside of it


def probe(predict: Predict, y: ArrayLike) -> tuple[str, ...]:
    """Try a model on a waveform [n_samples], mono at 22 050 Hz; return what a user should know, a sentence each.

    EmomodError where the model raises, gives scores of another shape or kind, or NaN, is not deterministic, or scores a
    sound by what else is in its batch. InputError where ``y`` is silent.
    """
    sound = _as_given(predict, y)
    batch = torch.stack([sound, 0.25 * sound, sound.flip(-1), sound.roll(sound.shape[-1] // 2, -1)])
    found, again = _scores(predict, batch), _scores(predict, batch)
    unit = max(float(np.ptp(_scale(predict) or (0.0, 1.0))), float(np.abs(found).max()))
    _check_same(predict, found, again, unit=unit)
    alone = _scores(predict, torch.stack([sound, sound]))  # a batch of one is rounded in another way
    _check_alone(predict, found[0], alone[0], unit=unit)
    return (*_beyond_scale(predict, found), *_constant(predict, found), *_silence(predict, sound))


def _as_given(predict: Predict, y: ArrayLike) -> torch.Tensor:
    """The sound as the model takes it, [n_samples] or [n_bands, n_frames]."""
    spectrogram = compute_spectrogram(y).log_spectrogram
    waveform = torch.from_numpy(check_waveform(y).copy())
    return (spectrogram if predict.takes == "spectrogram" else waveform).to(predict.device)


def _scores(predict: Predict, sounds: torch.Tensor) -> NDArray[np.float64]:
    return checked_scores(predict, predict(sounds.clone()), n=len(sounds))


def _scale(predict: Predict) -> tuple[float, float] | None:
    """Lowest and highest score by the model's card, where it has one that says so."""
    stated = getattr(predict, "card", {}).get("scale")
    return None if stated is None else (float(stated[0]), float(stated[1]))


def _most(predict: Predict, differences: NDArray[np.float64]) -> tuple[str, float]:
    """The score that differs most, and by how much, of differences [n, n_names]."""
    by_name = np.atleast_2d(differences).max(axis=0)
    return predict.names[int(by_name.argmax())], float(by_name.max())


def _check_same(predict: Predict, found: NDArray[np.float64], again: NDArray[np.float64], *, unit: float) -> None:
    name, most = _most(predict, np.abs(found - again))
    if most > SAME * unit:
        raise EmomodError(
            f"the model must give the same scores for the same sounds, but {name} differs by {most:.2g} when they are "
            "given again (dropout or random numbers?)"
        )


def _check_alone(predict: Predict, found: NDArray[np.float64], alone: NDArray[np.float64], *, unit: float) -> None:
    name, most = _most(predict, np.abs(found - alone))
    if most > ALONE * unit:
        raise EmomodError(
            f"the model must score every sound by itself, but {name} differs by {most:.2g} beside other sounds "
            "(batch norm in training mode, or something computed over the batch?)"
        )


def _beyond_scale(predict: Predict, found: NDArray[np.float64]) -> list[str]:
    stated = _scale(predict)
    if stated is None:
        return []
    low, high = stated
    margin = BEYOND * (high - low)
    for name, score in zip(predict.names, found[0].tolist(), strict=True):
        if not low - margin <= score <= high + margin:
            return [f"{name} is {score:.3g}, outside of the scale {low:g} to {high:g} that the model's card states"]
    return []


def _constant(predict: Predict, found: NDArray[np.float64]) -> list[str]:
    still = [name for name, spread in zip(predict.names, np.ptp(found, axis=0), strict=True) if spread == 0.0]
    if not still:
        return []
    others = f" and {len(still) - 1} others" if len(still) > 1 else ""
    return [f"{still[0]}{others} did not change when the sound was turned down, reversed and cut: nothing to explain"]


def _silence(predict: Predict, sound: torch.Tensor) -> list[str]:
    try:
        _scores(predict, torch.zeros_like(torch.stack([sound, sound])))
    except EmomodError as error:
        return [f"parts cannot be switched off to silence: in silence, {error}"]
    return []
