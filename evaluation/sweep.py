"""Sweep: how a score follows the gain of the components that an explanation names, re-scored from written files.

Conventions
-----------
For each target and side (positive or negative components), the side's components are turned up and down by several
gains in dB; every version is written, read back and scored. A response is right where the score moves as the side
says: up when positive components are turned up, down when negative ones are.

All versions of a clip share one static gain, so that none clips; matched versions are turned to the original's loudness
(ITU-R BS.1770) before they are written. The model's front end divides by the peak, so that levels as such cannot count;
the matched column is there to show it.

Metrics, over the clips of one target and side
-------
- ``direction_rate``: share of versions that moved the right way
- ``monotonicity``: Spearman's correlation of gain and score of a clip, signed so that 1 is right; mean over clips
- ``calibration``: slope through the origin of the measured shift over the surrogate's own prediction, at one gain; 1 is
  exact. The prediction is for the gains that the model meets: those of the components over the version's peak
- ``control_p``: one-sided permutation p-value among random changes of the same count and of the same energy, the larger
  of the two. Pooled, over many versions: of their mean shift the right way, where draw i of the controls is the mean
  of draw i of all versions
- ``selectivity``: mean signed shift of every score for each target, and its size relative to the target's own
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from emomod.audio import SAMPLE_RATE, SUBTYPES, write_wav
from emomod.checks import check_choice, check_count, check_number, check_rng
from emomod.component_weights import ComponentWeights, parse_rule, select_components
from emomod.components.base import Components
from emomod.errors import InputError
from emomod.model.predictor import Predict
from emomod.modification import CEILING, MAX_GAIN_DB, amplitude
from emomod.perturbation import off_gain
from emomod.report.loudness import loudness
from emomod.rescoring import CONTROL_KINDS, control_shifts, score_file
from evaluation.checks import undefined

Array = NDArray[np.float64]
SIDES = {"positive": 1.0, "negative": -1.0}


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


@dataclass(frozen=True, eq=False)
class Response:
    """How the scores of one clip follow the gain of one target's components of one side."""

    clip: str
    names: tuple[str, ...]  # the scores
    target: str
    side: str  # positive or negative
    n_chosen: int
    gains_db: Array  # [n_gains]
    score: float  # of the target, of the written original
    shifts: Array  # [n_gains, n_names]
    matched_shifts: Array | None  # [n_gains], of the target at equal loudness
    predicted: Array  # [n_gains], shift of the target by the surrogate
    controls: Mapping[float, Mapping[str, Array]]  # by gain and kind: shifts [n_controls] of the target

    @property
    def own(self) -> Array:
        """Shifts [n_gains] of the target."""
        return np.asarray(self.shifts[:, self.names.index(self.target)])

    @property
    def wanted(self) -> Array:
        """Signs [n_gains] of a right shift."""
        return SIDES[self.side] * np.sign(self.gains_db)

    @property
    def right(self) -> NDArray[np.bool_]:
        """[n_gains], where the target moved the right way; no movement is not right."""
        return self.own * self.wanted > 0

    @property
    def monotonicity(self) -> float:
        """Spearman's correlation -1..1 of gain and score, 1 right; 0, with a warning, where the score never moves."""
        gains, scores = np.append(self.gains_db, 0.0), np.append(self.own, 0.0)
        if np.ptp(scores) == 0.0:
            return undefined("monotonicity of a score that does not move", 0.0)
        return SIDES[self.side] * float(stats.spearmanr(gains, scores).statistic)

    @property
    def control_p(self) -> dict[float, float]:
        """One-sided p-value of the shift at each gain with controls, the larger of the kinds'."""
        return {gain_db: pooled_p([self], gains_db=[gain_db]) for gain_db in self.controls}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each gain."""
        found, p_values = [], self.control_p
        for place, gain_db in enumerate(self.gains_db.tolist()):
            row: dict[str, Any] = {"clip": self.clip, "target": self.target, "side": self.side, "gain_db": gain_db}
            row |= {
                "n_chosen": self.n_chosen,
                "score": self.score,
                "shift": float(self.own[place]),
                "right": bool(self.right[place]),
            }
            row |= {"predicted_shift": float(self.predicted[place]), "control_p": p_values.get(gain_db)}
            row["matched_shift"] = None if self.matched_shifts is None else float(self.matched_shifts[place])
            row |= {f"shift_{n}": float(self.shifts[place, k]) for k, n in enumerate(self.names)}
            controls = {kind: drawn.tolist() for kind, drawn in self.controls.get(gain_db, {}).items()}
            found.append(row | {"controls": controls})
        return found


def responses_of(rows: Sequence[Mapping[str, Any]]) -> list[Response]:
    """The responses that gave ``rows``; InputError where a column is missing."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    try:
        for row in rows:
            groups.setdefault((row["clip"], row["target"], row["side"]), []).append(row)
        return [_response_of(*key, mine) for key, mine in groups.items()]
    except KeyError as error:
        raise InputError(f"rows must have the column {error}") from None


def _response_of(clip: str, target: str, side: str, rows: Sequence[Mapping[str, Any]]) -> Response:
    names = tuple(key.removeprefix("shift_") for key in rows[0] if key.startswith("shift_"))
    matched = [row["matched_shift"] for row in rows]
    return Response(
        clip=clip,
        names=names,
        target=target,
        side=side,
        n_chosen=int(rows[0]["n_chosen"]),
        gains_db=np.array([row["gain_db"] for row in rows]),
        score=float(rows[0]["score"]),
        shifts=np.array([[row[f"shift_{name}"] for name in names] for row in rows]),
        matched_shifts=None if None in matched else np.array(matched),
        predicted=np.array([row["predicted_shift"] for row in rows]),
        controls={
            row["gain_db"]: {kind: np.array(drawn) for kind, drawn in row["controls"].items()}
            for row in rows
            if row["controls"]
        },
    )


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


# ---- over clips ------------------------------------------------------------------------------------------------------


def _of_some(responses: Sequence[Response]) -> Sequence[Response]:
    if not responses:
        raise InputError("responses must be at least one, got none")
    return responses


def direction_rate(responses: Sequence[Response], *, gains_db: Sequence[float] | None = None) -> float:
    """Share 0..1 of versions that moved the right way; at ``gains_db``, by default at all gains."""
    kept = [
        right
        for each in _of_some(responses)
        for gain_db, right in zip(each.gains_db, each.right, strict=True)
        if gains_db is None or gain_db in gains_db
    ]
    if not kept:
        raise InputError(f"gains_db must be some of the responses' gains, got {gains_db}")
    return float(np.mean(kept))


def monotonicity(responses: Sequence[Response]) -> float:
    """Mean over clips of the responses' ``monotonicity``."""
    return float(np.mean([each.monotonicity for each in _of_some(responses)]))


def pooled_p(responses: Sequence[Response], *, gains_db: Sequence[float] | None = None) -> float:
    """One-sided permutation p-value of the mean shift the right way; at ``gains_db``, by default all with controls.

    The larger of those of the two kinds. InputError where there are no controls, or not as many of each.
    """
    shifts: list[float] = []
    drawn: dict[str, list[Array]] = {kind: [] for kind in CONTROL_KINDS}
    for each in _of_some(responses):
        for place, gain_db in enumerate(each.gains_db.tolist()):
            if gain_db in each.controls and (gains_db is None or gain_db in gains_db):
                shifts.append(float(each.own[place] * each.wanted[place]))
                for kind, values in each.controls[gain_db].items():
                    drawn[kind].append(values * each.wanted[place])
    if not shifts or len({values.size for kind in drawn.values() for values in kind}) > 1:
        raise InputError("responses must have controls, as many at each gain")
    means = [np.mean(values, axis=0) for values in drawn.values()]
    return max(float((1.0 + (mean >= np.mean(shifts)).sum()) / (1.0 + mean.size)) for mean in means)


def calibration(responses: Sequence[Response], *, gains_db: Sequence[float]) -> float:
    """Slope through the origin of measured over predicted shifts at ``gains_db``; 0, with a warning, for none."""
    kept = [np.isin(each.gains_db, gains_db) for each in _of_some(responses)]
    told = np.concatenate([each.predicted[some] for each, some in zip(responses, kept, strict=True)])
    if not told.any():
        return undefined("calibration of predictions that are all 0", 0.0)
    measured = np.concatenate([each.own[some] for each, some in zip(responses, kept, strict=True)])
    return float(told @ measured / (told @ told))


def selectivity(responses: Sequence[Response], *, gain_db: float = 6.0) -> list[dict[str, Any]]:
    """A row for each target and score: mean shift when the target's positive components are turned up by ``gain_db``.

    ``relative``: that shift over the target's own, signed.
    """
    rows = []
    positive = [each for each in _of_some(responses) if each.side == "positive" and gain_db in each.gains_db]
    for target in dict.fromkeys(each.target for each in positive):
        mine = [each for each in positive if each.target == target]
        means = np.mean([each.shifts[each.gains_db == gain_db][0] for each in mine], axis=0)
        own = means[mine[0].names.index(target)]
        rows += [
            {
                "target": target,
                "score": name,
                "shift": float(value),
                "relative": float(value / own) if own else undefined("relative to a target that does not move", 0.0),
                "n_clips": len(mine),
            }
            for name, value in zip(mine[0].names, means, strict=True)
        ]
    return rows


def evaluate(responses: Sequence[Response]) -> list[dict[str, Any]]:
    """A row for each target and side with all metrics, at the gains with controls but for the monotonicity."""
    rows = []
    for target, side in dict.fromkeys((each.target, each.side) for each in _of_some(responses)):
        mine = [each for each in responses if (each.target, each.side) == (target, side)]
        judged = sorted({gain for each in mine for gain in each.controls})
        gains_db = judged or sorted({gain for each in mine for gain in each.gains_db.tolist()})
        rows.append(
            {
                "target": target,
                "side": side,
                "n_clips": len(mine),
                "direction_rate": direction_rate(mine, gains_db=gains_db),
                "direction_rate_all_gains": direction_rate(mine),
                "monotonicity": monotonicity(mine),
                "calibration": calibration(mine, gains_db=gains_db),
                "control_p": pooled_p(mine) if judged else None,
            }
        )
    return rows
