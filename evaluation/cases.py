"""The clips that are evaluated: rendered ones from songs and instruments that no training corpus has, and files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.audio import read_clip
from emomod.components.segments import SegmentComponents, cut_segments
from emomod.components.sources import SourceComponents, cut_sources
from emomod.corpus.acoustics import apply_acoustics, draw_acoustics
from emomod.corpus.render import draw_clip, open_studio
from emomod.corpus.stems import Stems
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.spectrogram import compute_spectrogram

SEED = 3_000_017  # of the rendered clips: no corpus has it unless on purpose


@dataclass(frozen=True, eq=False)
class Case:
    """A clip and how it is cut."""

    name: str
    song: str  # what it is from: clips of one song are drawn together for intervals
    y: NDArray[np.float32]  # [n_samples], mono at 22 050 Hz
    components: SegmentComponents

    def changed(self, y: NDArray[np.float32]) -> SegmentComponents:
        """A changed sound of the same length, cut as this clip is, so that components can be told to be the same."""
        return SegmentComponents(compute_spectrogram(y), self.components.segments, self.components.device)


def settings_of_cases(synthesiser: str, *, scores: str | None = None) -> CorpusSettings:
    """The corpus that rendered cases and pairs come from; its number of clips does not matter."""
    return CorpusSettings(1, seed=SEED, synthesiser=synthesiser, scores=scores, held_out=True)


def rendered_cases(count: int, settings: CorpusSettings, *, device: torch.device | str = "cpu") -> list[Case]:
    """The first ``count`` clips of ``settings``, recorded in drawn rooms."""
    if not count:
        return []
    studio = open_studio(settings)
    clips = [draw_clip(settings, index, studio=studio) for index in range(count)]
    dry = studio.render([clip.score for clip in clips])
    sounds = [apply_acoustics(y, draw_acoustics(clip.rng)) for y, clip in zip(dry, clips, strict=True)]
    return [
        _cut(f"rendered {index:03d}", clip.song, y, device)
        for index, (clip, y) in enumerate(zip(clips, sounds, strict=True))
    ]


def file_cases(paths: Sequence[str | Path], *, seconds: float = 10.0, device: torch.device | str = "cpu") -> list[Case]:
    """The first ``seconds`` of each file; InputError for one that cannot be used, and for two of one name."""
    names = [Path(path).name for path in paths]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"clips must have different names, got {', '.join(sorted(twice))} twice")
    return [
        _cut(name, name, read_clip(path, seconds=seconds).y, device) for name, path in zip(names, paths, strict=True)
    ]


def _cut(name: str, song: str, y: NDArray[np.float32], device: torch.device | str) -> Case:
    return Case(name, song, y, cut_segments(compute_spectrogram(y), device=device))


def cut_stems(stems: Stems, *, n_segments: int, device: torch.device | str = "cpu") -> SourceComponents:
    """True stems in ``n_segments`` stretches of time as components; their noise floor always sounds."""
    return cut_sources(stems.names, stems.parts, n_segments=n_segments, rest=stems.rest, device=device)
