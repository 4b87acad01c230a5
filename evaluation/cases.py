"""The clips that are evaluated: rendered ones from songs and instruments that no training corpus has, and files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.audio import read_clip
from emomod.components.base import Layers, sound_of
from emomod.components.kinds import cut
from emomod.components.layered import LayeredComponents, layered
from emomod.corpus.acoustics import apply_acoustics, draw_acoustics
from emomod.corpus.render import draw_clip, open_studio
from emomod.corpus.stems import Stems
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.spectrogram import stft

RENDERED = "rendered"  # opens their names
SEED = 3_000_017  # of the rendered clips: no corpus has it unless on purpose


@dataclass(frozen=True, eq=False)
class Case:
    """A clip and how it is cut."""

    name: str
    song: str  # what it is from: clips of one song are drawn together for intervals
    y: NDArray[np.float32]  # [n_samples], mono at 22 050 Hz
    components: LayeredComponents

    def changed(self, y: NDArray[np.float32]) -> LayeredComponents:
        """A changed sound of the same length, cut as this clip is, so that components can be told to be the same."""
        return layered(sound_of(y), regions=self.components.regions, device=self.components.device)


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
        _cut(f"{RENDERED} {index:03d}", clip.song, y, device)
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
    return Case(name, song, y, cut(sound_of(y), device=device))


def cut_stems(stems: Stems, *, n_stretches: int, device: torch.device | str = "cpu") -> LayeredComponents:
    """True stems in ``n_stretches`` of time as components; their noise floor always sounds."""
    sound = sound_of(stems.mix)
    peak = np.float32(sound.spectrogram.peak)
    transforms = torch.stack([stft(y / peak) for y in stems.parts])
    layers = Layers(tuple(stems.names), transforms, shared_phase=False, rest=stft(stems.rest / peak))
    return layered(sound, layers=layers, regions=_stretches(sound.spectrogram.shape, n_stretches), device=device)


def _stretches(shape: tuple[int, int], n_stretches: int) -> NDArray[np.intp]:
    """The stretch of time [n_bands, n_frames] of each cell; all are equally long."""
    n_bands, n_frames = shape
    return np.tile(np.arange(n_frames) * n_stretches // n_frames, (n_bands, 1))
