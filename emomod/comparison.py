"""Two or more versions of a song: what is heard in each, and what makes the difference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.differences import difference_sentence
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.mid_to_emotion import MidToEmotion

LABELS = "ABCDEF"
MIN_VERSIONS, MAX_VERSIONS = 2, len(LABELS)


@dataclass(frozen=True, eq=False)
class Version:
    """What is heard in one version of a song."""

    label: str  # A, B, ...
    file: str
    sha256: str
    seconds: float  # length of the file
    starts: tuple[float, ...]  # s, where the windows begin that were heard
    window_scores: NDArray[np.float64]  # [n_windows, 15]

    @property
    def scores(self) -> NDArray[np.float64]:
        """[15], the mean over the windows."""
        mean: NDArray[np.float64] = self.window_scores.mean(axis=0)
        return mean

    @property
    def midlevel(self) -> NDArray[np.float64]:
        """[7], of the scores."""
        return self.scores[: len(MIDLEVEL_NAMES)]

    @property
    def spread(self) -> NDArray[np.float64] | None:
        """[15], standard deviation between windows; None where there is one window only."""
        if len(self.window_scores) < 2:
            return None
        deviation: NDArray[np.float64] = self.window_scores.std(axis=0, ddof=1)
        return deviation


def check_different(files: Sequence[str], sha256s: Sequence[str]) -> None:
    """Raise InputError where two of ``files`` have the same SHA-256."""
    for (one, its), (other, others) in combinations(zip(files, sha256s, strict=True), 2):
        if its == others:
            raise InputError(f"{one} and {other} are the same file, byte for byte: nothing to compare")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Versions of a song side by side."""

    versions: tuple[Version, ...]
    layer: MidToEmotion

    def __post_init__(self) -> None:
        n = len(self.versions)
        if not MIN_VERSIONS <= n <= MAX_VERSIONS:
            raise InputError(f"versions must be {MIN_VERSIONS} to {MAX_VERSIONS}, got {n}")
        check_different([version.file for version in self.versions], [version.sha256 for version in self.versions])

    def effects(self, version: Version) -> NDArray[np.float64]:
        """Effects [8, 7] in a version."""
        return self.layer.effects(version.midlevel)

    def contributions(self, one: Version, other: Version) -> NDArray[np.float64]:
        """What each feature adds to the difference ``other`` minus ``one`` of each emotion: [8, 7]; rows sum to it."""
        return self.layer.effects(other.midlevel - one.midlevel)

    def extremes(self, emotion: str) -> tuple[Version, Version]:
        """The versions in which an emotion is lowest and highest; of equals the first."""
        row = EMOTION_NAMES.index(emotion)
        found = [float(self.layer.emotions(version.midlevel)[row]) for version in self.versions]
        lowest, highest = int(np.argmin(found)), int(np.argmax(found))
        return self.versions[lowest], self.versions[highest if highest != lowest else lowest - 1]

    def sentence(self, emotion: str, one: Version, other: Version) -> str:
        """Say how differently an emotion is heard in ``other`` than in ``one``."""
        weights = self.layer.weights[EMOTION_NAMES.index(emotion)]
        return difference_sentence(emotion, other.midlevel - one.midlevel, weights, who=other.label, than=one.label)

    def headlines(self) -> dict[str, str]:
        """One sentence an emotion: the version where it is highest beside that where it is lowest; largest gap first.

        Of two versions, it is the second that is compared with the first.
        """
        pairs = {name: self.extremes(name) if len(self.versions) > 2 else self.versions for name in EMOTION_NAMES}
        gaps = {
            name: abs(float(self.contributions(one, other)[EMOTION_NAMES.index(name)].sum()))
            for name, (one, other) in pairs.items()
        }
        return {name: self.sentence(name, *pairs[name]) for name in sorted(gaps, key=lambda name: -gaps[name])}

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row a pair of versions, emotion and feature, for compare.csv."""
        for one, other in combinations(self.versions, 2):
            differences = self.contributions(one, other)
            for row, emotion in enumerate(EMOTION_NAMES):
                for column, feature in enumerate(MIDLEVEL_NAMES):
                    yield {
                        "from": one.label,
                        "to": other.label,
                        "emotion": emotion,
                        "feature": feature,
                        "weight": float(self.layer.weights[row, column]),
                        "score_from": float(one.midlevel[column]),
                        "score_to": float(other.midlevel[column]),
                        "effect_from": float(self.effects(one)[row, column]),
                        "effect_to": float(self.effects(other)[row, column]),
                        "difference": float(differences[row, column]),
                    }

    def as_dict(self) -> dict[str, Any]:
        """Figures for JSON: versions with their scores, and the differences of each pair with their parts."""
        return {
            "versions": [_version(version) for version in self.versions],
            "differences": [self._pair(one, other) for one, other in combinations(self.versions, 2)],
            "sentences": self.headlines(),
        }

    def _pair(self, one: Version, other: Version) -> dict[str, Any]:
        parts = self.contributions(one, other)
        return {
            "from": one.label,
            "to": other.label,
            "scores": dict(zip(SCORE_NAMES, (other.scores - one.scores).tolist(), strict=True)),
            "parts": {
                emotion: dict(zip(MIDLEVEL_NAMES, parts[row].tolist(), strict=True))
                for row, emotion in enumerate(EMOTION_NAMES)
            },
            "sentences": {emotion: self.sentence(emotion, one, other) for emotion in EMOTION_NAMES},
        }


def _version(version: Version) -> dict[str, Any]:
    spread = version.spread
    return {
        "label": version.label,
        "file": version.file,
        "sha256": version.sha256,
        "seconds": version.seconds,
        "window_starts": list(version.starts),
        "scores": dict(zip(SCORE_NAMES, version.scores.tolist(), strict=True)),
        "spread_between_windows": None if spread is None else dict(zip(SCORE_NAMES, spread.tolist(), strict=True)),
    }
