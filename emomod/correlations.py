"""How mid-level features hang together in many clips, and with each emotion, beside the weights of the layer.

Intervals are R. A. Fisher's (Metron 1, 1921): ``arctanh(r)`` is nearly normal with standard deviation
``1 / sqrt(n - 3)`` for independent clips. The variance inflation factor of a feature is ``1 / (1 - R2)`` of its
regression on the other features (Belsley, Kuh, Welsch: Regression Diagnostics, 1980; on rules of thumb O'Brien,
Quality & Quantity 41, 2007). Six features fit few clips whatever they are: of seven independent ones the largest
factor has a median of 7 at 10 clips, 2.9 at 15 and 1.5 at 30, so that there are none below FEW. A weight whose sign
is not that of the correlation is the mark of suppression (Conger, Educational and Psychological Measurement 34, 1974).
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES

CONFIDENCE = 0.95
FEW = 30  # clips below which they say little, and nothing of inflation
FLAT = 1e-9  # standard deviation up to which a score counts as the same in all clips
COLLINEAR = 1e-10  # share of a feature's variance that is its own, up to which there is none


@dataclass(frozen=True, eq=False)
class Pairwise:
    """Pearson correlations with intervals; NaN where they are not defined."""

    r: NDArray[np.float64]  # [p, q]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def correlate(x: NDArray[np.floating], y: NDArray[np.floating]) -> Pairwise:
    """Correlate the columns of ``x`` [n, p] with those of ``y`` [n, q], n >= 2; intervals need n >= 4."""
    n = len(x)
    a, b = (values - values.mean(axis=0) for values in (x, y))
    norms = np.outer(_norms(a), _norms(b))
    r = np.clip(a.T @ b / norms, -1.0, 1.0)
    if n < 4:
        return Pairwise(r, np.full_like(r, np.nan), np.full_like(r, np.nan))
    reach = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) / np.sqrt(n - 3)
    with np.errstate(divide="ignore"):
        z = np.arctanh(r)
    return Pairwise(r, np.tanh(z - reach), np.tanh(z + reach))


def _norms(centred: NDArray[np.floating]) -> NDArray[np.float64]:
    """Lengths of columns [n, p]; NaN for those that do not vary."""
    lengths = np.sqrt((centred**2).sum(axis=0))
    return np.where(lengths > FLAT * np.sqrt(len(centred)), lengths, np.nan)


def inflation_factors(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Variance inflation factors [p] of the columns of ``x`` [n, p].

    Infinite for a column that the others make up, NaN for one that does not vary; all NaN for fewer than FEW clips.
    """
    n, p = x.shape
    centred = x - x.mean(axis=0)
    lengths = _norms(centred)
    if n < FEW:
        return np.full(p, np.nan)
    found = np.full(p, np.nan)
    unit = np.where(np.isnan(lengths), 0.0, centred / lengths)
    for column in np.flatnonzero(~np.isnan(lengths)):
        others = np.delete(unit, column, axis=1)
        fitted = others @ np.linalg.lstsq(others, unit[:, column], rcond=None)[0]
        own = float(((unit[:, column] - fitted) ** 2).sum())
        found[column] = 1.0 / own if own > COLLINEAR else np.inf
    return found


@dataclass(frozen=True, eq=False)
class Correlations:
    """Correlations among the features and with the emotions, beside the weights."""

    n: int  # clips
    among: Pairwise  # [7, 7]
    with_emotions: Pairwise  # [8, 7]
    slopes: NDArray[np.float64]  # [8, 7], change of the emotion for a change of 1 of the feature, others as they come
    inflation: NDArray[np.float64]  # [7]; NaN where it is not defined, as in fewer than FEW clips
    weights: NDArray[np.float64]  # [8, 7], change of the emotion for a change of 1 of the feature, others held

    @property
    def flips(self) -> list[tuple[str, str]]:
        """(emotion, feature) whose correlation is clearly of the other sign than the weight, the largest first.

        Clearly: the interval leaves out 0.
        """
        pairs = self.with_emotions
        clear = (pairs.low > 0) | (pairs.high < 0)
        wrong = clear & (self.weights * pairs.r < 0)
        order = np.argsort(-np.abs(np.where(wrong, self.weights * pairs.r, 0.0)), axis=None, kind="stable")
        cells = [divmod(int(flat), len(MIDLEVEL_NAMES)) for flat in order[: int(wrong.sum())]]
        return [(EMOTION_NAMES[row], MIDLEVEL_NAMES[column]) for row, column in cells]

    @property
    def strongest(self) -> list[tuple[str, str]]:
        """Pairs of features, the most correlated first; those not defined are left out."""
        rows, columns = np.triu_indices(len(MIDLEVEL_NAMES), k=1)
        r = np.abs(self.among.r[rows, columns])
        order = [k for k in np.argsort(-r, kind="stable") if np.isfinite(r[k])]
        return [(MIDLEVEL_NAMES[rows[k]], MIDLEVEL_NAMES[columns[k]]) for k in order]

    def rows(self) -> list[dict[str, Any]]:
        """One row a pair, for correlations.csv: a, b (a feature), n, r with its interval, weight and slope."""
        found = [
            {"a": MIDLEVEL_NAMES[i], "b": MIDLEVEL_NAMES[j], "n": self.n, **_cell(self.among, int(i), int(j))}
            | {"weight": "", "slope": ""}
            for i, j in zip(*np.triu_indices(len(MIDLEVEL_NAMES), k=1), strict=True)
        ]
        for i, emotion in enumerate(EMOTION_NAMES):
            for j, feature in enumerate(MIDLEVEL_NAMES):
                beside = {"weight": float(self.weights[i, j]), "slope": float(self.slopes[i, j])}
                found.append({"a": emotion, "b": feature, "n": self.n, **_cell(self.with_emotions, i, j), **beside})
        return found

    def as_dict(self) -> dict[str, Any]:
        """Figures for JSON."""
        return {
            "n": self.n,
            "confidence": CONFIDENCE,
            "pairs": self.rows(),
            "variance_inflation": dict(zip(MIDLEVEL_NAMES, self.inflation.tolist(), strict=True)),
            "weight_against_correlation": [list(pair) for pair in self.flips],
        }


def _cell(pairs: Pairwise, row: int, column: int) -> dict[str, float]:
    return {name: float(getattr(pairs, name)[row, column]) for name in ("r", "low", "high")}


def correlate_scores(
    midlevel: NDArray[np.floating], emotions: NDArray[np.floating], weights: NDArray[np.floating]
) -> Correlations:
    """Correlate features [n, 7] with each other and with emotions [n, 8]; weights [8, 7] are those of the layer."""
    with_emotions = correlate(emotions, midlevel)
    spreads = np.outer(emotions.std(axis=0), 1.0 / np.where((s := midlevel.std(axis=0)) > FLAT, s, np.nan))
    return Correlations(
        len(midlevel),
        correlate(midlevel, midlevel),
        with_emotions,
        with_emotions.r * spreads,
        inflation_factors(midlevel),
        np.asarray(weights, dtype=np.float64),
    )
