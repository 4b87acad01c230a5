"""Sweep: turn the components that an explanation names up and down, and score the written files.

Conventions
-----------
For each target and side (positive or negative components), the side's components are turned up and down by several
gains in dB; every version is written, read back and scored. What comes out is judged in evaluation.responses.

All versions of a clip share one static gain, so that none clips; matched versions are turned to the original's loudness
(ITU-R BS.1770) before they are written. The model's front end divides by the peak, so that levels as such cannot count;
the matched column is there to show it.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE, SUBTYPES, write_wav
from emomod.checks import check_choice, check_count, check_number, check_rng
from emomod.component_weights import ComponentWeights, parse_rule, select_components
from emomod.components.base import Components
from emomod.components.off import off_gain
from emomod.errors import InputError
from emomod.loudness import loudness
from emomod.model.predictor import Predict
from emomod.modification import CEILING, MAX_GAIN_DB, amplitude
from emomod.rescoring import CONTROL_KINDS, control_shifts, score_file
from evaluation.responses import SIDES, Response

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SweepSettings:
    """What is turned, by how much, and what it is compared with."""

    gains_db: tuple[float, ...] = (-24.0, -12.0, -6.0, -3.0, 3.0, 6.0, 12.0)  # none 0, ascending
    control_gains_db: tuple[float, ...] = (-6.0, 6.0)  # some of them, beside which controls stand
    n_controls: int = 99  # of each kind
    rule: str = "bh:0.05"
    matched: bool = True  # also at equal loudness
    bits: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        for gain_db in self.gains_db:
            check_number("gains_db", gain_db, low=-MAX_GAIN_DB, high=MAX_GAIN_DB)
        if not self.gains_db or 0.0 in self.gains_db or sorted(set(self.gains_db)) != list(self.gains_db):
            raise InputError(f"gains_db must ascend and not be 0, got {self.gains_db}")
        if not set(self.control_gains_db) <= set(self.gains_db):
            raise InputError(f"control_gains_db must be some of gains_db, got {self.control_gains_db}")
        parse_rule(self.rule)
        check_choice("bits", str(self.bits), [str(bits) for bits in SUBTYPES])
        check_count("n_controls", self.n_controls)
        check_rng(self.seed)


def sweep_clip(
    predict: Predict,
    components: Components,
    weights: ComponentWeights,
    *,
    clip: str,
    off: str,
    targets: Sequence[str] | None = None,
    settings: SweepSettings | None = None,
) -> list[Response]:
    """Turn each target's positive and negative components through all gains; a side without components is left out.

    ``off``: what the fit of ``weights`` meant by off; ``targets``: by default all scores.
    """
    settings = settings or SweepSettings()
    if predict.names != weights.names or weights.weights.shape[1] != components.n_components:
        raise InputError(f"weights must be of the model's scores and of {components.n_components} components")
    found = []
    for target in weights.names if targets is None else targets:
        selection = select_components(weights, target=target, rule=settings.rule)
        for side in SIDES:
            if (chosen := getattr(selection, side)).size:
                slopes = weights.weights[weights.index(target)] / (1.0 - off_gain(off))
                told = _Turned(predict, components, chosen, settings)
                found.append(told.response(clip, target, side, slopes=slopes))
    return found


@dataclass(frozen=True, eq=False)
class _Turned:
    """Versions of one clip in which the components ``chosen`` are turned up or down."""

    predict: Predict
    components: Components
    chosen: NDArray[np.intp]
    settings: SweepSettings

    def _gains(self, gain_db: float) -> Array:
        gains = np.ones(self.components.n_components)
        gains[self.chosen] = amplitude(gain_db)
        return gains

    def response(self, clip: str, target: str, side: str, *, slopes: Array) -> Response:
        """Render, write and score all versions; ``slopes`` [K]: predicted change of the target by unit of gain."""
        gains_db, column = np.array(self.settings.gains_db), self.predict.names.index(target)
        gains = np.array([self._gains(gain_db) for gain_db in (0.0, *self.settings.gains_db)])
        waveforms = [self.components.render(each) for each in gains]
        scores, matched = self._written(waveforms, np.zeros(len(waveforms))), None
        if self.settings.matched:
            same = self._written(waveforms, _matching_gains_db(waveforms))
            matched = same[1:, column] - same[0, column]
        peaks = np.array([float(np.abs(y).max()) for y in waveforms])
        met = gains * (peaks[0] / peaks)[:, None]  # what is heard is divided by its peak
        controls = {gain_db: self._controls(gain_db, column) for gain_db in self.settings.control_gains_db}
        return Response(
            clip=clip,
            names=self.predict.names,
            target=target,
            side=side,
            n_chosen=self.chosen.size,
            gains_db=gains_db,
            score=float(scores[0, column]),
            shifts=scores[1:] - scores[0],
            matched_shifts=matched,
            predicted=(met[1:] - 1.0) @ slopes,
            controls=controls,
        )

    def _written(self, waveforms: Sequence[NDArray[np.float32]], gains_db: Array) -> Array:
        """Scores [n, n_names] of waveforms written at ``gains_db`` [n] and a common gain at which none clips."""
        turned = [y * np.float32(amplitude(float(gain_db))) for y, gain_db in zip(waveforms, gains_db, strict=True)]
        factor = np.float32(min(1.0, CEILING / max(float(np.abs(y).max()) for y in turned)))
        with tempfile.TemporaryDirectory() as folder:
            paths = [
                write_wav(Path(folder) / f"{place}.wav", y * factor, bits=self.settings.bits)
                for place, y in enumerate(turned)
            ]
            seconds = len(waveforms[0]) / SAMPLE_RATE
            return np.array([score_file(self.predict, path, seconds=seconds) for path in paths])

    def _controls(self, gain_db: float, column: int) -> dict[str, Array]:
        """Shifts [n_controls] of the target by random changes of each kind."""
        settings = self.settings
        return {
            kind: control_shifts(
                self.predict,
                self.components,
                self._gains(gain_db),
                kind=kind,
                n_controls=settings.n_controls,
                seed=settings.seed,
                bits=settings.bits,
            ).shifts[:, column]
            for kind in CONTROL_KINDS
        }


def _matching_gains_db(waveforms: Sequence[NDArray[np.float32]]) -> Array:
    """Gains (dB) [n] that bring waveforms to the loudness of the first; 0 where one is too soft to have any."""
    levels = np.array([loudness(y) for y in waveforms])
    known = np.isfinite(levels) & np.isfinite(levels[0])
    return np.where(known, levels[0] - np.where(known, levels, 0.0), 0.0)
