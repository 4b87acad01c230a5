"""Check a checkpoint on music that people composed and rated: MIDI phrases with the sign of their valence and arousal.

A folder of phrases holds ``labels.csv`` (columns file, series, valence, arousal; the ratings are 1 or -1) and the MIDI
files that it names, for piano. Phrases validate; nothing is trained, tuned or chosen on them.

The measure is the area under the ROC curve: the chance that of two phrases, one rated high and one rated low, the model
gives the first the higher score; .5 is chance.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emomod.audio import SAMPLE_RATE
from emomod.corpus.fluidsynth import render_scores
from emomod.corpus.labels import raw_labels
from emomod.corpus.midi import read_midi
from emomod.corpus.score import Note, Score
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.model.network import EmotionNetwork
from emomod.spectrogram import compute_spectrogram
from emomod.training.fit import predict_scores

SECONDS = 30.0  # of each phrase
WINDOW_SECONDS = 10.0
COLUMNS = ("file", "valence", "arousal")


@dataclass(frozen=True, eq=False)
class RatedPhrases:
    """Phrases and what listeners said."""

    scores: tuple[Score, ...]  # the first 30 s of each
    valence: NDArray[np.bool_]  # [n], rated high
    arousal: NDArray[np.bool_]  # [n], rated high


def roc_area(scores: ArrayLike, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve of ``scores`` [n] for ``positive`` [n]; ties count half.

    >>> roc_area([0.1, 0.4, 0.4, 0.9], np.array([False, False, True, True]))
    0.875
    """
    values = np.asarray(scores, dtype=np.float64)
    if not positive.any() or positive.all():
        raise InputError("an ROC curve needs both high and low ratings")
    difference = values[positive][:, None] - values[~positive]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def load_phrases(folder: str | Path) -> RatedPhrases:
    """Load the phrases of ``folder``."""
    table = Path(folder) / "labels.csv"
    if not table.is_file():
        raise InputError(f"{table}: there is no such file")
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise InputError(f"{table}: must have the columns {', '.join(COLUMNS)}")
    scores = [read_midi(Path(folder) / row["file"], seconds=SECONDS) for row in rows]
    valence, arousal = (np.array([float(row[name]) > 0 for row in rows]) for name in ("valence", "arousal"))
    return RatedPhrases(tuple(scores), valence, arousal)


def rate_phrases(
    network: EmotionNetwork, phrases: RatedPhrases, *, soundfont: str | Path | None = None
) -> dict[str, float]:
    """Areas under the ROC curve: the network's valence and energy, and two plain measures of the score beside them.

    The phrases are rendered with FluidSynth, dry; a phrase's score is the mean over its windows of 10 s.
    """
    waveforms = render_scores(phrases.scores, soundfont=soundfont)
    predicted = np.array([_mean_score(network, y, score) for y, score in zip(waveforms, phrases.scores, strict=True)])
    names, clarity = list(network.names), MIDLEVEL_NAMES.index("tonal_stability")
    onsets = [len({round(note.onset, 2) for note in _notes(score)}) / _length(score) for score in phrases.scores]
    return {
        "valence": roc_area(predicted[:, names.index("valence")], phrases.valence),
        "energy": roc_area(predicted[:, names.index("energy")], phrases.arousal),
        "key clarity": roc_area([raw_labels(score)[clarity] for score in phrases.scores], phrases.valence),
        "onset density": roc_area(onsets, phrases.arousal),
    }


def _notes(score: Score) -> list[Note]:
    return [note for part in score.parts for note in part.notes]


def _length(score: Score) -> float:
    """Time of the last onset, at least 1 s."""
    return max(1.0, *(note.onset for note in _notes(score)))


def _mean_score(network: EmotionNetwork, y: NDArray[np.float32], score: Score) -> NDArray[np.float64]:
    """Mean scores [n_names] over the windows of 10 s in which at least 5 s lie before the last onset."""
    n_windows = max(1, round(_length(score) / WINDOW_SECONDS))
    length = round(WINDOW_SECONDS * SAMPLE_RATE)
    windows = [y[index * length : (index + 1) * length] for index in range(n_windows)]
    spectrograms = np.array([compute_spectrogram(window).log_spectrogram.numpy() for window in windows])
    return np.asarray(predict_scores(network, spectrograms).mean(axis=0, dtype=np.float64))
