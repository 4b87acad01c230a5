"""Did the change do what was said? Scores of written files, and controls that change the same amount elsewhere.

A score is read back from the file: decoded, through the whole front end, through the model. Controls are sounds made
with the same gains on other components: "count" gives the same gains to as many random components, "energy" to
random components that hold the same share of the sound's energy. Their p-value is (1 + controls that moved at least
as far the intended way) / (1 + controls), as for any permutation test (Phipson & Smyth, Stat. Appl. Genet. Mol.
Biol. 9(1), 2010).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.audio import quantise, read_clip
from emomod.checks import check_choice, check_count, check_rng
from emomod.components.base import Components
from emomod.model.predictor import Predict, score_waveform, score_waveforms
from emomod.modification import CEILING

T = TypeVar("T")

CONTROL_KINDS = ("count", "energy")
AT_ONCE = 4  # controls that are rendered and scored together: transforms of more would leave the caches
ROUNDING = 16 * float(np.finfo(np.float32).eps)  # parts of a score: shifts that are no further apart count as equal
STEP_DB = 1.0  # in which what would clip is written softer: the unchanged sound is scored once for each level
FAINT = 1e-12  # share of the energy below which a change is one of silence


def score_file(predict: Predict, path: str | Path, *, start: float = 0.0, seconds: float = 10.0) -> NDArray[np.float64]:
    """Return the scores [n_names] of a written file, read back through the whole chain."""
    return score_waveform(predict, read_clip(path, start=start, seconds=seconds, silence=0.0).y)


def snr_db(reference: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Signal-to-noise ratio of ``y`` against ``reference`` in dB; infinity where they are equal."""
    truth, error = np.asarray(reference, dtype=np.float64), np.asarray(y, dtype=np.float64) - reference
    noise = float((error**2).sum())
    return float("inf") if noise == 0.0 else float(10.0 * np.log10((truth**2).sum() / noise))


@dataclass(frozen=True, eq=False)
class ControlShifts:
    """How far random changes of the same size moved every score."""

    kind: str  # count or energy
    shifts: NDArray[np.float64]  # [n_controls, n_names]
    energy_ratio: float  # median of (energy of the changed components) / (the same in the real version), or NaN
    n_others: int = 0  # different changes among them that are not the version's own
    rounding: NDArray[np.float64] | float = 0.0  # [n_names], what shifts differ by that are equal but for rounding

    def p_values(self, shift: NDArray[np.float64]) -> NDArray[np.float64]:
        """Two-sided permutation p-values [n_names] of shifts [n_names]."""
        as_far = (np.abs(self.shifts) >= np.abs(shift) - self.rounding).sum(axis=0)
        values: NDArray[np.float64] = (1.0 + as_far) / (1.0 + len(self.shifts))
        return values

    def p_value(self, shift: float, *, column: int, direction: float) -> float:
        """One-sided permutation p-value of one score's shift in the intended ``direction`` (+1 or -1)."""
        as_far = int((self.shifts[:, column] * direction >= shift * direction - self._rounding(column)).sum())
        return (1.0 + as_far) / (1.0 + len(self.shifts))

    def share_beaten(self, shift: float, *, column: int, direction: float) -> float:
        """Share of the controls that moved less far than ``shift`` in ``direction``."""
        return float((self.shifts[:, column] * direction < shift * direction - self._rounding(column)).mean())

    def _rounding(self, column: int) -> float:
        return float(np.broadcast_to(self.rounding, self.shifts.shape[1:])[column])


@dataclass(frozen=True, eq=False)
class ScoreShift:
    """What one version of a clip did to every score."""

    names: tuple[str, ...]
    version: str
    before: NDArray[np.float64]  # [n_names], of the written original
    after: NDArray[np.float64]  # [n_names], of the written version
    controls: tuple[ControlShifts, ...]

    @property
    def shift(self) -> NDArray[np.float64]:
        """[n_names], after minus before."""
        return self.after - self.before


def _same_count(gains: NDArray[np.float64], _: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.permutation(gains)


def _same_energy(
    gains: NDArray[np.float64], energies: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Give each changed gain to random components until those that had it are matched in energy."""
    drawn, order = np.ones_like(gains), rng.permutation(gains.size)
    for value in np.unique(gains[gains != 1.0]):
        missing = energies[gains == value].sum()
        free = order[drawn[order] == 1.0]
        for index in free:
            if energies[index] <= missing:
                drawn[index], missing = value, missing - energies[index]
        left = free[drawn[free] == 1.0]
        if left.size:
            last = left[np.argmin(np.abs(energies[left] - missing))]
            drawn[last] = value if abs(energies[last] - missing) < missing else 1.0
    return drawn


_DRAW: dict[str, Callable[..., NDArray[np.float64]]] = {"count": _same_count, "energy": _same_energy}


def draw_control(
    gains: NDArray[np.float64], energies: NDArray[np.float64], *, kind: str, rng: np.random.Generator | int
) -> NDArray[np.float64]:
    """Return gains [K] like ``gains``, on random components of the same count or the same energy [K]."""
    return _DRAW[check_choice("kind", kind, CONTROL_KINDS)](gains, energies, check_rng(rng))


def control_shifts(
    predict: Predict,
    components: Components,
    gains: NDArray[np.float64],
    *,
    kind: str,
    n_controls: int,
    seed: int,
    bits: int,
    static_gain_db: float = 0.0,
) -> ControlShifts:
    """Render, quantise and score ``n_controls`` random changes like ``gains`` [K]; return their shifts.

    All are written at ``static_gain_db``, as the versions that they stand beside; one that would clip there, and the
    unchanged sound that it is compared with, are written softer by as many decibels as it takes.
    """
    check_count("n_controls", n_controls)
    energies, changed = components.energies(), gains != 1.0
    drawn = [
        draw_control(gains, energies, kind=kind, rng=np.random.default_rng([seed, index]))
        for index in range(n_controls)
    ]
    written = _Written(components.render(np.ones_like(gains)), float(10.0 ** (static_gain_db / 20.0)), bits)
    before, after = _before_and_after(predict, components, drawn, written)
    share = energies[changed].sum() / energies.sum()
    energy = np.median([energies[control != 1.0].sum() for control in drawn]) / energies.sum()
    return ControlShifts(
        kind,
        after - before,
        float(energy / share) if share > FAINT else float("nan"),
        len({control.tobytes() for control in drawn} - {gains.tobytes()}),
        ROUNDING * np.abs(before).max(axis=0),
    )


@dataclass(frozen=True, eq=False)
class _Written:
    """Sounds as files hold them: written at one level, or softer where they or the unchanged one would clip."""

    whole: NDArray[np.float32]  # the unchanged sound
    level: float
    bits: int

    def level_of(self, y: NDArray[np.float32]) -> float:
        """The level at which ``y`` is written."""
        peak = self.level * max(float(np.abs(each).max()) for each in (y, self.whole))
        softer = np.ceil(20.0 * np.log10(peak / CEILING) / STEP_DB) if peak > CEILING else 0.0
        return float(self.level * 10.0 ** (-softer * STEP_DB / 20.0))

    def at(self, y: NDArray[np.float32], level: float) -> NDArray[np.float32]:
        """A sound as a file at a level holds it."""
        return quantise(y * np.float32(level), bits=self.bits)


def _before_and_after(
    predict: Predict, components: Components, drawn: list[NDArray[np.float64]], written: _Written
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores [n, n_names] of the unchanged sound and of n changes by gains [K], each pair written at one level."""
    after, levels = [], []
    for few in _batches(drawn):
        ys = components.sound(torch.from_numpy(np.array(few))).cpu().numpy()
        at = [written.level_of(y) for y in ys]
        after.append(score_waveforms(predict, list(map(written.at, ys, at))))
        levels += at
    different, place = np.unique(levels, return_inverse=True)
    unchanged = ([written.at(written.whole, level) for level in few] for few in _batches(different.tolist()))
    return np.vstack([score_waveforms(predict, few) for few in unchanged])[place], np.vstack(after)


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[first : first + AT_ONCE] for first in range(0, len(values), AT_ONCE))
