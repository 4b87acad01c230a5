"""Responses: how a score follows the gain of the components that an explanation names.

Conventions
-----------
A response is of one clip, one target and one side (positive or negative components). It is right where the score moves
as the side says: up when positive components are turned up, down when negative ones are. evaluation.sweep makes them.

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from emomod.errors import InputError
from emomod.rescoring import CONTROL_KINDS
from emomod.undefined import undefined

Array = NDArray[np.float64]
SIDES = {"positive": 1.0, "negative": -1.0}


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

    def products(self, gains_db: Sequence[float]) -> tuple[float, float]:
        """Numerator and denominator of the slope of measured over predicted shifts at ``gains_db``."""
        kept = np.isin(self.gains_db, gains_db)
        told = self.predicted[kept]
        return float(told @ self.own[kept]), float(told @ told)

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
    measured, told = np.sum([each.products(gains_db) for each in _of_some(responses)], axis=0)
    return float(measured / told) if told else undefined("calibration of predictions that are all 0", 0.0)


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
    """A row for each target and side; all but the monotonicity at ``gains_db``, those with controls."""
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
                "gains_db": gains_db,
                "direction_rate": direction_rate(mine, gains_db=gains_db),
                "direction_rate_all_gains": direction_rate(mine),
                "monotonicity": monotonicity(mine),
                "calibration": calibration(mine, gains_db=gains_db),
                "control_p": pooled_p(mine) if judged else None,
            }
        )
    return rows
