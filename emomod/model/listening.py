"""Scores of the windows of a long sound, of which a model takes several at a time."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.model.predictor import Predict, score_waveforms

Window = tuple[float, NDArray[np.float32]]  # start (s) and waveform [n_samples], mono at 22 050 Hz
AT_ONCE = 16  # windows that are scored together
AT_ONCE_SECONDS = 160.0  # s of sound that they hold at most, that memory stays bounded where windows are long


def score_windows(predict: Predict, windows: Iterable[Window]) -> Iterator[tuple[float, float, NDArray[np.float64]]]:
    """Yield start (s), length (s) and scores [n_names] of each window; those of one length are scored together.

    Scores are those of ``score_waveform``, to rounding. Raises InputError where a window is silent, EmomodError where
    the model gives no scores.
    """
    for n_samples, alike in groupby(windows, key=lambda window: window[1].size):
        seconds = n_samples / SAMPLE_RATE
        at_once = max(1, min(AT_ONCE, int(AT_ONCE_SECONDS / seconds)))
        while batch := list(islice(alike, at_once)):
            scores = score_waveforms(predict, [y for _, y in batch])
            for (start, _), row in zip(batch, scores, strict=True):
                yield start, seconds, row
