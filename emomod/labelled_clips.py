"""Clips with their labels: what training, tables and tests of a model take, whatever corpus they come from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from emomod.spectrogram import N_BANDS


@dataclass(frozen=True, eq=False)
class LabelledClips:
    """Clips of a corpus, as the network takes them."""

    names: tuple[str, ...]  # one a clip, none twice
    groups: tuple[str, ...]  # song or artist: a group is never in training and in test at once
    spectrograms: Sequence[NDArray[np.float16]] | NDArray[np.float16]  # n of [n_bands, n_frames], log magnitudes
    labels: NDArray[np.float64]  # [n, 15] in the order of SCORE_NAMES, 0..1; NaN: not known
    couples: tuple[str, ...] = ()  # one a clip: what both clips of a counterfactual pair share, else "", the default

    def __post_init__(self) -> None:
        n = len(self.names)
        if not (len(self.groups) == len(self.spectrograms) == len(self.labels) == n):
            raise InputError(
                f"names, groups, spectrograms and labels must be as many, got {n}, {len(self.groups)}, "
                f"{len(self.spectrograms)} and {len(self.labels)}"
            )
        if self.labels.shape != (n, len(SCORE_NAMES)):
            raise InputError(f"labels must have shape [{n}, {len(SCORE_NAMES)}], got {list(self.labels.shape)}")
        object.__setattr__(self, "couples", self.couples or ("",) * n)
        if len(self.couples) != n:
            raise InputError(f"couples must be none or as many as the {n} clips, got {len(self.couples)}")
        if n and self.spectrograms[0].shape[0] != N_BANDS:
            raise InputError(f"spectrograms must have {N_BANDS} bands, got {self.spectrograms[0].shape[0]}")

    def __len__(self) -> int:
        return len(self.names)

    def only(self, chosen: Sequence[int] | NDArray[np.intp]) -> "LabelledClips":
        """The clips of the indices ``chosen``, in that order."""
        indices = [int(index) for index in chosen]
        return LabelledClips(
            tuple(self.names[index] for index in indices),
            tuple(self.groups[index] for index in indices),
            [self.spectrograms[index] for index in indices],
            self.labels[indices],
            tuple(self.couples[index] for index in indices),
        )
