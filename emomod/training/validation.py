"""Check a model on music that people composed and rated: MIDI phrases with the sign of their valence and arousal.

A folder of phrases holds ``labels.csv`` (columns file, series, valence, arousal; the ratings are 1 or -1) and the MIDI
files that it names. Phrases validate; nothing is trained, tuned or chosen on them, and ``record_look`` counts how often
they were looked at.

The measure is the area under the ROC curve: the chance that of two phrases, one rated high and one rated low, the model
gives the first the higher score; .5 is chance. Within series, both phrases are of the same series, so that what tells
one series from another cannot help.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from emomod.audio import SAMPLE_RATE
from emomod.bootstrap import Estimate, draw_groups, draw_within, estimate
from emomod.checks import check_rng
from emomod.corpus.fluidsynth import render_scores
from emomod.corpus.midi import read_midi
from emomod.corpus.score import Note, Score, note_table
from emomod.corpus.tonality import KRUMHANSL_MAJOR, KRUMHANSL_MINOR, key_correlations, pitch_classes, sounding
from emomod.datasets.problems import DatasetError, Problem
from emomod.datasets.tables import read_table
from emomod.errors import InputError
from emomod.model.predictor import Predict, checked_scores
from emomod.output import whole_file
from emomod.spectrogram import compute_spectrogram

SECONDS = 30.0  # of each phrase
WINDOW_SECONDS = 10.0
PIANO = 0  # General MIDI program
N_SETS = 400  # simulated sets of phrases, and draws of each
SENSE = 1.5  # of a simulated measure: an area of about .9
RATINGS = ("valence", "arousal")
COLUMNS = ("file", "series", *RATINGS)
LOOK_COLUMNS = ("date", "checkpoint", "why")


@dataclass(frozen=True, eq=False)
class RatedPhrases:
    """Phrases and what listeners said."""

    scores: tuple[Score, ...]  # the first 30 s of each, for piano
    series: tuple[str, ...]  # what each phrase is from
    valence: NDArray[np.bool_]  # [n], rated high
    arousal: NDArray[np.bool_]  # [n], rated high


@dataclass(frozen=True)
class RocArea:
    """How well one measure of the phrases agrees with one rating."""

    rating: str  # valence or arousal
    measure: str
    overall: Estimate  # the interval draws whole series
    within: Estimate  # of pairs of one series; the interval draws phrases within each series


def roc_area(scores: ArrayLike, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve of ``scores`` [n] for ``positive`` [n]; ties count half.

    >>> roc_area([0.1, 0.4, 0.4, 0.9], np.array([False, False, True, True]))
    0.875
    """
    if not positive.any() or positive.all():
        raise InputError("an ROC curve needs both high and low ratings")
    values = np.asarray(scores, dtype=np.float64)
    pairs = np.ones((int(positive.sum()), int((~positive).sum())))
    return float(_areas(values, positive, pairs=pairs, counts=np.ones((1, positive.size)))[0])


def roc_area_within(scores: ArrayLike, positive: NDArray[np.bool_], groups: tuple[str, ...]) -> float:
    """The same over the pairs of one group only, pooled; NaN where no group [n] has both high and low ratings."""
    values = np.asarray(scores, dtype=np.float64)
    return float(_areas(values, positive, pairs=_alike(groups, positive), counts=np.ones((1, positive.size)))[0])


def _alike(groups: tuple[str, ...], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 where a positive and a negative item [n_positive, n_negative] are of one group, else 0."""
    names = np.asarray(groups)
    return np.asarray(names[positive][:, None] == names[~positive], dtype=np.float64)


def _areas(
    scores: NDArray[np.float64],
    positive: NDArray[np.bool_],
    *,
    pairs: NDArray[np.float64],
    counts: NDArray[np.integer] | NDArray[np.floating],
) -> NDArray[np.float64]:
    """Areas [n_draws] over ``pairs`` [n_positive, n_negative], items counted as ``counts`` [n_draws, n] says."""
    difference = scores[positive][:, None] - scores[~positive]
    won = ((difference > 0) + 0.5 * (difference == 0)) * pairs
    high, low = counts[:, positive].astype(np.float64), counts[:, ~positive]
    total = ((high @ pairs) * low).sum(axis=1)
    area = np.full(len(counts), np.nan)
    return np.asarray(np.divide(((high @ won) * low).sum(axis=1), total, out=area, where=total > 0))


def load_phrases(folder: str | Path) -> RatedPhrases:
    """Load the phrases of ``folder``; DatasetError (an InputError) lists every problem of its table."""
    path, problems = Path(folder) / "labels.csv", list[Problem]()
    table = read_table(path, columns=COLUMNS, separator=",", problems=problems)
    rows = () if table is None else table.rows
    for row in rows:
        problems += [
            Problem(str(path), row.number, f"{rating} must be 1 or -1, got {row.cells[rating]!r}")
            for rating in RATINGS
            if row.cells[rating] not in ("1", "-1") and not row.faulty
        ]
    if problems:
        raise DatasetError(problems)
    scores = [_for_piano(read_midi(Path(folder) / row.cells["file"], seconds=SECONDS)) for row in rows]
    valence, arousal = (np.array([row.cells[rating] == "1" for row in rows]) for rating in RATINGS)
    return RatedPhrases(tuple(scores), tuple(row.cells["series"] for row in rows), valence, arousal)


def _for_piano(score: Score) -> Score:
    return replace(score, parts=tuple(replace(part, program=PIANO) for part in score.parts))


def rate_phrases(
    predict: Predict, phrases: RatedPhrases, *, soundfont: str | Path | None = None, seed: int = 0
) -> tuple[RocArea, ...]:
    """Areas under the ROC curve of the model's valence and energy, each before one plain measure of the notes.

    The phrases are rendered with FluidSynth, dry; a phrase's score is the mean over its windows of 10 s. The plain
    measures need no model: the best correlation with a key (Krumhansl & Kessler) and the onsets a second.
    """
    waveforms = render_scores(phrases.scores, soundfont=soundfont)
    heard = np.array([_mean_scores(predict, y, score) for y, score in zip(waveforms, phrases.scores, strict=True)])
    measures = (
        ("valence", "model's valence", heard[:, predict.names.index("valence")]),
        ("valence", "key clarity", np.array([_key_clarity(score) for score in phrases.scores])),
        ("arousal", "model's energy", heard[:, predict.names.index("energy")]),
        ("arousal", "onset density", np.array([_onset_density(score) for score in phrases.scores])),
    )
    rated = {"valence": phrases.valence, "arousal": phrases.arousal}
    return tuple(
        _judge(rating, measure, values, positive=rated[rating], series=phrases.series, seed=seed)
        for rating, measure, values in measures
    )


def _judge(
    rating: str,
    measure: str,
    values: NDArray[np.float64],
    *,
    positive: NDArray[np.bool_],
    series: tuple[str, ...],
    seed: int,
) -> RocArea:
    """The areas with their intervals; the same seed draws the same phrases for every measure."""
    rng, every = check_rng(seed), np.ones((int(positive.sum()), int((~positive).sum())))
    overall = _areas(values, positive, pairs=every, counts=draw_groups(series, rng=rng))
    within = _areas(values, positive, pairs=_alike(series, positive), counts=draw_within(series, rng=rng))
    return RocArea(
        rating,
        measure,
        estimate(roc_area(values, positive), overall),
        estimate(roc_area_within(values, positive, series), within),
    )


def series_coverage(series: Sequence[str], *, n_sets: int = N_SETS, seed: int = 0) -> float:
    """Share of simulated sets of phrases whose overall interval holds the true area; 0.95 if it were a true interval.

    A set has as many phrases of as many ``series`` [n] as the real one. Series explain a third of the variance of what
    is rated, and of what a measure hears beside it; the true area is the mean of all sets'. It hardly changes with
    either (between a tenth and a half: 0.86 to 0.89), but with the number of series and how unequal they are.
    """
    rng, (_, members) = check_rng(seed), np.unique(series, return_inverse=True)

    def drawn() -> NDArray[np.float64]:
        """Values [n], in part shared by the phrases of a series."""
        shared = rng.normal(size=int(members.max()) + 1)[members]
        mixed: NDArray[np.float64] = np.sqrt(1 / 3) * shared + np.sqrt(2 / 3) * rng.normal(size=members.size)
        return mixed

    found: list[Estimate] = []
    while len(found) < n_sets:
        rated = drawn()
        heard, positive = SENSE * rated + drawn(), rated > 0
        if positive.any() and not positive.all():
            every = np.ones((int(positive.sum()), int((~positive).sum())))
            counts = draw_groups(series, rng=rng, n_draws=n_sets)
            found.append(estimate(roc_area(heard, positive), _areas(heard, positive, pairs=every, counts=counts)))
    truth = np.mean([each.value for each in found])
    return float(np.mean([each.low <= truth <= each.high for each in found]))


def _notes(score: Score) -> list[Note]:
    return [note for part in score.parts for note in part.notes]


def _length(score: Score) -> float:
    """Time of the last onset, at least 1 s."""
    return max(1.0, *(note.onset for note in _notes(score)))


def _key_clarity(score: Score) -> float:
    """Best correlation -1..1 of the phrase's pitch classes with a major or minor key."""
    classes = pitch_classes(sounding(note_table(score), seconds=score.seconds))
    return float(key_correlations(classes, major=KRUMHANSL_MAJOR, minor=KRUMHANSL_MINOR).max())


def _onset_density(score: Score) -> float:
    """Onsets a second, up to the last one; what starts within 10 ms is one."""
    return len({round(note.onset, 2) for note in _notes(score)}) / _length(score)


def _mean_scores(predict: Predict, y: NDArray[np.float32], score: Score) -> NDArray[np.float64]:
    """Mean scores [n_names] over the first window of 10 s and those in which at least 5 s lie before the last onset."""
    n_windows = max(1, int(_length(score) / WINDOW_SECONDS + 0.5))
    length = round(WINDOW_SECONDS * SAMPLE_RATE)
    windows = [y[index * length : (index + 1) * length] for index in range(n_windows)]
    spectrograms = torch.stack([compute_spectrogram(window).log_spectrogram for window in windows])
    scores = predict(spectrograms.to(predict.device))
    return np.asarray(checked_scores(predict, scores, n=n_windows).mean(axis=0))


def record_look(table: Path, *, checkpoint: str, why: str) -> None:
    """Add a line to the CSV ``table`` of looks at the phrases: the date, the checkpoint's sha256 and the reason."""
    if not why.strip():
        raise InputError("why: a look at the rated phrases needs a reason, for they wear out by being looked at")
    rows = read_looks(table)
    rows.append({"date": datetime.now(UTC).date().isoformat(), "checkpoint": checkpoint, "why": why.strip()})
    try:
        with whole_file(table) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, LOOK_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    except (InputError, OSError) as error:
        raise InputError(f"{error}; run this in the repository") from None


def read_looks(table: Path) -> list[dict[str, str]]:
    """The looks at the phrases so far, oldest first; none where ``table`` is not there."""
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if any(set(row) != set(LOOK_COLUMNS) for row in rows):
        raise InputError(f"{table}: must have the columns {', '.join(LOOK_COLUMNS)}")
    return rows
