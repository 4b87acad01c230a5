"""The sounds of a clip's parts, each alone: their sum, with the noise floor, is the mix.

A part is rendered by itself, with the synthesiser's reverb and chorus off; equaliser and room are linear, so that each
stem goes through them by itself too. FluidSynth places events on blocks of 64 samples: clips are rendered in stretches
of a whole number of blocks, so that a part sounds the same wherever it stands in a run. A part that occurs in several
scores of a run, as in the two versions of a pair, is rendered once and so is bit-identical in all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.corpus.acoustics import Acoustics, apply_acoustics_to_stems
from emomod.corpus.fluidsynth import RELEASE_SECONDS
from emomod.corpus.score import Part, Score
from emomod.errors import InputError

BLOCK_SECONDS = 1.28  # a whole number of blocks of 64 samples and of MIDI ticks, at 22 050 and at 44 100 Hz
PARTS_A_RUN = 48

Render = Callable[[Sequence[Score]], list[NDArray[np.float32]]]


@dataclass(frozen=True, eq=False)
class Stems:
    """A clip taken apart."""

    names: tuple[str, ...]  # of the parts, in their order
    parts: NDArray[np.float32]  # [n_parts, n_samples]
    rest: NDArray[np.float32]  # [n_samples], what is no part: the noise floor

    def __post_init__(self) -> None:
        if self.parts.shape != (len(self.names), self.rest.size):
            raise InputError(
                f"parts must have shape [{len(self.names)}, {self.rest.size}], got {list(self.parts.shape)}"
            )

    @property
    def mix(self) -> NDArray[np.float32]:
        """The sum [n_samples] of the parts and the rest."""
        return np.asarray(self.parts.sum(axis=0, dtype=np.float64) + self.rest, dtype=np.float32)


def part_names(score: Score) -> tuple[str, ...]:
    """The parts' roles, numbered from the second part of a role on: harmony, harmony_2."""
    roles = [part.role for part in score.parts]
    counts = [roles[:index].count(role) + 1 for index, role in enumerate(roles)]
    return tuple(role if count == 1 else f"{role}_{count}" for role, count in zip(roles, counts, strict=True))


def render_stems(scores: Sequence[Score], render: Render) -> list[NDArray[np.float32]]:
    """Render each part of ``scores`` alone; return a score's dry stems [n_parts, n_samples].

    Each distinct part is rendered once, many in one run; the scores must be of one length. A part without notes is
    silent.
    """
    n_samples = round(scores[0].seconds * SAMPLE_RATE) if scores else 0
    alone: dict[Part, Score] = {}
    for score in scores:
        padded = replace(score, seconds=_padded(score.seconds))
        alone |= {part: replace(padded, parts=(part,)) for part in score.parts if part.notes}
    sounds = dict(zip(alone, _rendered(list(alone.values()), render, n_samples=n_samples), strict=True))
    silence = np.zeros(n_samples, dtype=np.float32)
    return [np.array([sounds.get(part, silence) for part in score.parts]) for score in scores]


def _rendered(scores: Sequence[Score], render: Render, *, n_samples: int) -> list[NDArray[np.float32]]:
    """Waveforms [n_samples] of ``scores``, rendered some at a time: FluidSynth's answer takes 4 MB for 10 s."""
    starts = range(0, len(scores), PARTS_A_RUN)
    return [y[:n_samples] for first in starts for y in render(scores[first : first + PARTS_A_RUN])]


def _padded(seconds: float) -> float:
    """The least length from ``seconds`` on with which FluidSynth's stretches are whole blocks."""
    return float(np.ceil((seconds + RELEASE_SECONDS) / BLOCK_SECONDS - 1e-9) * BLOCK_SECONDS - RELEASE_SECONDS)


def recorded_stems(versions: Sequence[Score], dry: Sequence[NDArray[np.float32]], acoustics: Acoustics) -> list[Stems]:
    """The stems of versions of one clip, ``dry`` as ``render_stems`` gives them, as recorded in one room."""
    wet, noise = apply_acoustics_to_stems(np.stack(dry), acoustics)
    return [Stems(part_names(score), parts, noise) for score, parts in zip(versions, wet, strict=True)]
