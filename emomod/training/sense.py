"""Does the model hear what was changed? Matched pairs of clips, and the share whose feature moves the right way.

The versions of a pair differ in one planted change (emomod.corpus.pairs); a model that hears it moves the feature that
the pair names, the way that it names. Intervals are Wilson's (J. American Statistical Association 22, 1927), 95 %. The
command is ``python -m emomod.training.card --pairs N``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.bootstrap import wilson_interval
from emomod.corpus.fluidsynth import find_soundfont, fluidsynth_version
from emomod.corpus.labels import raw_labels, scaled_labels
from emomod.corpus.pair_clips import HeardPair, draw_pairs, hear_pairs
from emomod.corpus.pairs import KINDS
from emomod.corpus.render import open_studio
from emomod.corpus.stems import Stems
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.model.predictor import Predict, score_waveform


@dataclass(frozen=True, eq=False)
class KindSense:
    """How a model's score moved over the pairs of one kind."""

    kind: str
    shifts: NDArray[np.float64]  # [n_pairs, 7], scores after less scores before, in the order of MIDLEVEL_NAMES
    label_shifts: NDArray[np.float64]  # [n_pairs], of the feature's label

    @property
    def feature(self) -> str:
        """The feature that should move."""
        return KINDS[self.kind].feature

    @property
    def right_shifts(self) -> NDArray[np.float64]:
        """Shifts [n_pairs] of the feature, counted positive the right way."""
        return KINDS[self.kind].direction * self.shifts[:, MIDLEVEL_NAMES.index(self.feature)]

    @property
    def n_right(self) -> int:
        """Pairs in which the feature moved the right way; no movement is not right."""
        return int((self.right_shifts > 0).sum())

    @property
    def share(self) -> float:
        """Share 0..1 of the pairs in which the feature moved the right way."""
        return self.n_right / len(self.shifts)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of ``share``."""
        return wilson_interval(self.n_right, len(self.shifts))

    @property
    def share_of_larger(self) -> float:
        """Share 0..1 of right ones among the pairs whose label moves by the median or more."""
        moved = KINDS[self.kind].direction * self.label_shifts
        return float((self.right_shifts[moved >= np.median(moved)] > 0).mean())

    @property
    def moved_most(self) -> float:
        """Share 0..1 of the pairs in which no other feature moved further than the right one did."""
        return float((self.right_shifts >= np.abs(self.shifts).max(axis=1) - 1e-12).mean())


def matched_pairs_test(
    predict: Predict, settings: CorpusSettings, *, n_pairs: int, kinds: Sequence[str] = tuple(KINDS)
) -> tuple[KindSense, ...]:
    """Score ``n_pairs`` of each of ``kinds`` made from clips of ``settings``; its ``n_clips`` does not matter.

    InputError when the model gives no mid-level features.
    """
    if predict.names[: len(MIDLEVEL_NAMES)] != MIDLEVEL_NAMES:
        raise InputError(f"the model must give {', '.join(MIDLEVEL_NAMES)}, got {', '.join(predict.names)}")
    studio = open_studio(settings)
    drawn = draw_pairs(settings, studio=studio, kinds=kinds, count=n_pairs)
    found = []
    for kind in kinds:
        heard = [_shifts(predict, pair) for pair in hear_pairs(drawn[kind], studio=studio)]
        found.append(KindSense(kind, np.array([shift for shift, _ in heard]), np.array([label for _, label in heard])))
    return tuple(found)


def _shifts(predict: Predict, heard: HeardPair) -> tuple[NDArray[np.float64], float]:
    """How far the scores [7] and the feature's label move from before to after."""
    pair = heard.drawn.pair
    column = MIDLEVEL_NAMES.index(pair.feature)
    labels = [scaled_labels(raw_labels(score))[column] for score in (pair.before, pair.after)]
    before, after = (_scores(predict, stems) for stems in (heard.before, heard.after))
    return after - before, float(labels[1] - labels[0])


def _scores(predict: Predict, stems: Stems) -> NDArray[np.float64]:
    return score_waveform(predict, stems.mix)[: len(MIDLEVEL_NAMES)]


def synthesiser_at_hand() -> str:
    """The synthesiser to use: fluidsynth where the program and a soundfont are installed, else numpy."""
    try:
        fluidsynth_version()
        find_soundfont()
    except InputError:
        return "numpy"
    return "fluidsynth"
