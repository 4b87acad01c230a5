"""The sounds of a clip's parts, each alone: their sum, with the noise floor, is the mix.

A part is rendered by itself, with the synthesiser's reverb and chorus off; equaliser and room are linear, so that each
stem goes through them by itself too. FluidSynth places events on blocks of 64 samples: clips are rendered in stretches
of a whole number of blocks, so that a part sounds the same wherever it stands in a run. A part that occurs in several
scores of a run, as in the two versions of a pair, is rendered once and so is bit-identical in all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emomod.audio import SAMPLE_RATE
from emomod.corpus.acoustics import Acoustics, _equaliser, _impulse_response
from emomod.corpus.fluidsynth import RELEASE_SECONDS
from emomod.corpus.score import Part, Score
from emomod.errors import InputError

BLOCK_SECONDS = 1.28  # a whole number of blocks of 64 samples and of MIDI ticks, at 22 050 and at 44 100 Hz

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

    All distinct parts go to ``render`` in one call; the scores must be of one length. A part without notes is silent.
    """
    n_samples = round(scores[0].seconds * SAMPLE_RATE) if scores else 0
    alone: dict[Part, Score] = {}
    for score in scores:
        padded = replace(score, seconds=_padded(score.seconds))
        alone |= {part: replace(padded, parts=(part,)) for part in score.parts if part.notes}
    sounds = {part: y[:n_samples] for part, y in zip(alone, render(list(alone.values())), strict=True)} if alone else {}
    silence = np.zeros(n_samples, dtype=np.float32)
    return [np.array([sounds.get(part, silence) for part in score.parts]) for score in scores]


def _padded(seconds: float) -> float:
    """The least length from ``seconds`` on with which FluidSynth's stretches are whole blocks."""
    return float(np.ceil((seconds + RELEASE_SECONDS) / BLOCK_SECONDS - 1e-9) * BLOCK_SECONDS - RELEASE_SECONDS)


def apply_acoustics_to_stems(dry: ArrayLike, acoustics: Acoustics) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Put stems [..., n_parts, n_samples] through one room; return wet stems of that shape and the noise [n_samples].

    A leading axis holds versions of a clip: the noise follows the first version's level, and one gain is found for all
    from the highest peak. With one version the sum of all is what ``apply_acoustics`` makes of the mix.
    """
    stems = np.asarray(dry, dtype=np.float64)
    rng = np.random.default_rng(acoustics.seed)
    n_samples = stems.shape[-1]
    n_fft = 1 << int(np.ceil(np.log2(n_samples + round(acoustics.reverb_seconds * SAMPLE_RATE) + 1)))
    response = _equaliser(n_fft, acoustics).astype(np.complex128)
    if acoustics.reverb_seconds > 0.0:
        response *= np.fft.rfft(_impulse_response(rng, acoustics), n_fft)
    wet = np.fft.irfft(np.fft.rfft(stems, n_fft) * response, n_fft)[..., :n_samples]
    mixes = wet.sum(axis=-2).reshape(-1, n_samples)
    noise = _noise(rng, n_samples) * np.sqrt((mixes[0] ** 2).mean()) * 10 ** (-acoustics.noise_db / 20)
    gain = 10 ** (-acoustics.level_db / 20) / max(float(np.abs(mixes + noise).max()), 1e-9)
    return (gain * wet).astype(np.float32), (gain * noise).astype(np.float32)


def recorded_stems(versions: Sequence[Score], dry: Sequence[NDArray[np.float32]], acoustics: Acoustics) -> list[Stems]:
    """The stems of versions of one clip, ``dry`` as ``render_stems`` gives them, as recorded in one room."""
    wet, noise = apply_acoustics_to_stems(np.stack(dry), acoustics)
    return [Stems(part_names(score), parts, noise) for score, parts in zip(versions, wet, strict=True)]


def _noise(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """White or brown noise [n_samples] without a trend, of RMS 1: drawn as ``apply_acoustics`` does."""
    noise = np.cumsum(rng.normal(size=n_samples)) if rng.random() < 0.3 else rng.normal(size=n_samples)
    noise -= np.linspace(noise[0], noise[-1], noise.size)
    return np.asarray(noise / max(float(np.sqrt((noise**2).mean())), 1e-9))
