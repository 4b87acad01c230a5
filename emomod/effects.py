"""Level 1 for many clips: the scores of each, the effects in each, and how effects spread.

An effect is ``weight * feature`` (Molnar, Interpretable Machine Learning, 2019, chapter on linear regression;
Chowdhury, Vall, Haunschmid, Widmer: Towards Explainable Music Emotion Recognition, ISMIR 2019). The effects of a clip
sum, with the intercept, to its emotion, exactly. Since all of it is linear, the effects of a mean over windows are the
mean of the windows' effects.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.differences import difference_sentence
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, spoken
from emomod.model.mid_to_emotion import MidToEmotion
from emomod.sentences import signed

MIN_CLIPS = 2
MAX_MARKED = 8  # more cannot be told apart in a picture
SAME = 1e-3  # a table's emotions that differ less than this from the layer's are the layer's
WHISKER = 1.5  # of the distance between the quartiles


@dataclass(frozen=True, eq=False)
class ClipScores:
    """What is heard in clips, at least two."""

    names: tuple[str, ...]  # none twice
    files: tuple[str, ...]  # empty where a table has no files
    n_windows: tuple[int, ...]  # averaged; 0: not known
    midlevel: NDArray[np.float64]  # [n, 7]
    emotions: NDArray[np.float64] | None  # [n, 8]; None: only the layer's are known

    def __post_init__(self) -> None:
        n = len(self.names)
        check_enough(n)
        if self.midlevel.shape != (n, len(MIDLEVEL_NAMES)):
            raise InputError(f"midlevel must have shape {(n, len(MIDLEVEL_NAMES))}, got {self.midlevel.shape}")
        if len(set(self.names)) < n:
            raise InputError("names of clips must differ from each other")

    def marked(self, marks: Sequence[str]) -> list[int]:
        """The clips that ``marks`` mean, see ``match_clips``."""
        return match_clips(marks, names=self.names, files=self.files)

    def rows(self, layer: MidToEmotion) -> list[dict[str, Any]]:
        """One row a clip, for scores.csv: name, file, number of windows, and the 15 scores."""
        emotions = layer.emotions(self.midlevel) if self.emotions is None else self.emotions
        scores = np.hstack([self.midlevel, emotions])
        return [
            {"clip": name, "file": file, "n_windows": windows or ""}
            | dict(zip(MIDLEVEL_NAMES + EMOTION_NAMES, row.tolist(), strict=True))
            for name, file, windows, row in zip(self.names, self.files, self.n_windows, scores, strict=True)
        ]


def check_enough(n: int) -> None:
    """Raise InputError where ``n`` clips that can be used are too few."""
    if n < MIN_CLIPS:
        raise InputError(f"clips must be at least {MIN_CLIPS} that can be used, got {n}; for one: emomod explain")


def short_names(files: Sequence[str]) -> tuple[str, ...]:
    """Name clips as briefly as tells them apart: by stem, else by file name, else by path.

    >>> short_names(["a/x.wav", "b/y.wav", "b/y.mp3", "c/y.mp3"])
    ('x', 'y.wav', 'b/y.mp3', 'c/y.mp3')
    """
    paths = [Path(file) for file in files]
    stems, names = [path.stem for path in paths], [path.name for path in paths]

    def short(k: int) -> str:
        return next((kind[k] for kind in (stems, names) if kind.count(kind[k]) == 1), str(paths[k]))

    return tuple(short(k) for k in range(len(paths)))


def match_clip(mark: str, *, names: Sequence[str], files: Sequence[str]) -> int:
    """Return the clip that ``mark`` means: its name, its file, or a part of one name only; case does not matter."""
    wanted = mark.casefold()
    for found in (
        [k for k, name in enumerate(names) if name == mark],
        [k for k, name in enumerate(names) if name.casefold() == wanted],
        [k for k, file in enumerate(files) if wanted in (file.casefold(), Path(file).name.casefold())],
        [k for k, name in enumerate(names) if wanted in name.casefold()],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(f"mark {mark!r} fits {len(found)} clips ({names[found[0]]}, ...); name one")
    close = get_close_matches(mark, names, n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise InputError(f"mark must be the name of a clip, got {mark!r}{hint}")


def match_clips(marks: Sequence[str], *, names: Sequence[str], files: Sequence[str]) -> list[int]:
    """The clips that ``marks`` mean, each once, in that order; InputError for more than MAX_MARKED."""
    found = list(dict.fromkeys(match_clip(mark, names=names, files=files) for mark in marks))
    if len(found) > MAX_MARKED:
        raise InputError(f"at most {MAX_MARKED} clips can be marked, got {len(found)}")
    return found


@dataclass(frozen=True)
class Box:
    """A box of a box plot (McGill, Tukey, Larsen: Variations of Box Plots, The American Statistician 32(1), 1978)."""

    minimum: float
    whisker_low: float  # the farthest value within 1.5 box lengths of the box
    quartile_low: float
    median: float
    quartile_high: float
    whisker_high: float
    maximum: float

    @property
    def length(self) -> float:
        """The distance between the quartiles."""
        return self.quartile_high - self.quartile_low


def box_of(values: NDArray[np.floating]) -> Box:
    """The box of ``values`` [n], n >= 1; quartiles are interpolated linearly."""
    low, median, high = (float(value) for value in np.quantile(values, (0.25, 0.5, 0.75)))
    reach = WHISKER * (high - low)
    inside = values[(values >= low - reach) & (values <= high + reach)]
    whiskers = min(float(inside.min()), low), max(float(inside.max()), high)  # never inside the box
    return Box(float(values.min()), whiskers[0], low, median, high, whiskers[1], float(values.max()))


@dataclass(frozen=True, eq=False)
class CorpusEffects:
    """The effects in many clips."""

    scores: ClipScores
    layer: MidToEmotion

    @property
    def values(self) -> NDArray[np.float64]:
        """Effects [n, 8, 7]: weight times feature."""
        return self.scores.midlevel[:, None, :] * self.layer.weights

    @property
    def sums(self) -> NDArray[np.float64]:
        """The layer's emotions [n, 8]: the sums of effects and intercept."""
        return self.layer.emotions(self.scores.midlevel)

    @property
    def emotions(self) -> NDArray[np.float64]:
        """Emotions [n, 8] that came with the clips, or else the layer's."""
        return self.sums if self.scores.emotions is None else self.scores.emotions

    @property
    def induced(self) -> bool:
        """True where the emotions are the layer's: no more than linear in the features."""
        return bool(np.abs(self.emotions - self.sums).max() < SAME)

    def boxes(self, emotion: str) -> dict[str, Box]:
        """The boxes of the effects on an emotion by feature, largest absolute median first."""
        row = EMOTION_NAMES.index(emotion)
        found = {name: box_of(self.values[:, row, column]) for column, name in enumerate(MIDLEVEL_NAMES)}
        return dict(sorted(found.items(), key=lambda item: -abs(item[1].median)))

    def sum_box(self, emotion: str) -> Box:
        """The box of the layer's emotion."""
        return box_of(self.sums[:, EMOTION_NAMES.index(emotion)])

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row a clip, emotion and feature, for effects.csv; ``score`` is the feature's."""
        for clip, effects, scores in zip(self.scores.names, self.values, self.scores.midlevel, strict=True):
            for row, emotion in enumerate(EMOTION_NAMES):
                for column, feature in enumerate(MIDLEVEL_NAMES):
                    yield {
                        "clip": clip,
                        "emotion": emotion,
                        "feature": feature,
                        "effect": float(effects[row, column]),
                        "score": float(scores[column]),
                        "weight": float(self.layer.weights[row, column]),
                    }

    def as_dict(self) -> dict[str, Any]:
        """Boxes for JSON: by emotion, then by feature, beside that of the sum."""
        return {
            emotion: {name: asdict(box) for name, box in self.boxes(emotion).items()}
            | {"sum": asdict(self.sum_box(emotion))}
            for emotion in EMOTION_NAMES
        }

    def main_features(self, emotion: str) -> tuple[str, str]:
        """The feature with the largest absolute median effect, and the one whose effect differs most between clips."""
        boxes = self.boxes(emotion)
        return next(iter(boxes)), max(boxes, key=lambda name: boxes[name].length)

    def emotion_sentence(self, emotion: str) -> str:
        """Say where an emotion lies, which effect is largest, and which differs most from clip to clip."""
        boxes, total = self.boxes(emotion), self.sum_box(emotion)
        largest, widest = self.main_features(emotion)
        spread = f"{signed(boxes[widest].quartile_low)} to {signed(boxes[widest].quartile_high)} for the middle half"
        opening = (
            f"{spoken(emotion).capitalize()} is around {total.median:.2f} in these clips ({total.quartile_low:.2f} to "
            f"{total.quartile_high:.2f} for the middle half). Its largest effect is that of {spoken(largest)} "
            f"({signed(boxes[largest].median)})"
        )
        if widest == largest:
            return f"{opening}, which is also what differs most from clip to clip ({spread})."
        return f"{opening}; what differs most from clip to clip is that of {spoken(widest)} ({spread})."

    def clip_sentence(self, clip: int) -> str:
        """Say in which emotion a clip stands out most from the mean clip, and through which features."""
        spreads = np.maximum(self.sums.std(axis=0), np.finfo(float).tiny)
        row = int(np.argmax(np.abs(self.sums[clip] - self.sums.mean(axis=0)) / spreads))
        changes = self.scores.midlevel[clip] - self.scores.midlevel.mean(axis=0)
        higher = int((self.sums[:, row] < self.sums[clip, row]).sum())
        others = f"{higher or 'none'} of the {len(self.sums) - 1} others"
        words = difference_sentence(
            EMOTION_NAMES[row], changes, self.layer.weights[row], who=self.scores.names[clip], than="the mean clip"
        )
        return f"{words} Its score of {EMOTION_NAMES[row]} is higher than in {others}."
