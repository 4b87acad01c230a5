"""A local linear model of the scores over masks, from sufficient statistics that do not grow with the number of masks.

Conventions: masks [n, K] are 0/1, scores are [n, T]. The model is weighted ridge regression with an intercept that
is not penalised: it minimises sum_i v_i (y_i - a - x_i b)^2 + alpha |b|^2, as LIME does (Ribeiro, Singh, Guestrin, KDD
2016, where v_i is the kernel of the distance to the unchanged sound).

Standard errors: with P = (X'VX + alpha D)^-1, where D is the identity but 0 for the intercept, the estimate is P X'Vy,
so that for noise of equal variance s^2 its covariance is s^2 P X'V^2X P. s^2 is the weighted residual sum of squares
over sum(v) - trace(P X'V^2X); t values have n - trace(P X'VX) degrees of freedom. For unit weights and alpha = 0
this is ordinary least squares. In a fold-over design interactions of two components cancel within each pair of
complementary masks: they are in the residuals but do not disturb the weights. There s^2 comes from the
half-differences d of the pairs, which follow d = (x - 1/2) b: s^2 / 2 is their residual sum of squares over n / 2 -
trace(P X'X) + 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import stdtr

from emomod.checks import check_number
from emomod.errors import InputError

Array = NDArray[np.float64]
SINGULAR = 1e-10  # share of a column that the others do not explain; what is below is rounding


def cosine_kernel(masks: NDArray[np.bool_], *, width: float) -> Array:
    """Return LIME's weights [n] of masks: exp(-d^2 / 2 width^2), d = 1 - sqrt(share of components that are on)."""
    distance = 1.0 - np.sqrt(masks.mean(axis=1))
    kernel: Array = np.exp(-(distance**2) / (2.0 * width**2))
    return kernel


def two_sided_p_values(weights: Array, standard_errors: Array, *, degrees_of_freedom: float) -> Array:
    """Return the p-values of t tests that weights are zero; a weight without error is 0 or is not, for certain."""
    certain = np.where(weights == 0, 0.0, np.inf)
    t = np.divide(np.abs(weights), standard_errors, out=certain, where=standard_errors > 0)
    values: Array = 2.0 * stdtr(degrees_of_freedom, -t)  # scipy.stats takes long to load
    return values


@dataclass(frozen=True, eq=False)
class Quality:
    """How well predictions fit scores, as cross products between T targets, so that mixtures of targets follow."""

    residual: Array  # [T, T], weighted cross products of residuals
    total: Array  # [T, T], weighted cross products of scores about their mean

    @property
    def r2(self) -> Array:
        """Coefficient of determination [T]; NaN for a target that does not vary."""
        total, residual = np.diag(self.total), np.diag(self.residual)
        varies = total > 1e-14
        return np.where(varies, 1.0 - residual / np.where(varies, total, 1.0), np.nan)

    def mixed(self, mixing: Array) -> "Quality":
        """Quality for targets that are ``mixing`` [U, T] of these."""
        return Quality(mixing @ self.residual @ mixing.T, mixing @ self.total @ mixing.T)


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Linear models of T targets over K components that share one design."""

    intercepts: Array  # [T], score with all components off
    weights: Array  # [T, K], change of the score when a component is turned on
    unscaled_variances: Array  # [K], variance of a weight for residual variance 1
    residual_covariance: Array  # [T, T]
    degrees_of_freedom: float
    fit: Quality  # on the masks of the fit
    n_masks: int = 0  # of the fit

    @property
    def standard_errors(self) -> Array:
        """[T, K], of the weights."""
        return np.sqrt(np.outer(np.diag(self.residual_covariance).clip(min=0.0), self.unscaled_variances))

    @property
    def p_values(self) -> Array:
        """[T, K], two-sided, of the hypothesis that a weight is zero."""
        return two_sided_p_values(self.weights, self.standard_errors, degrees_of_freedom=self.degrees_of_freedom)

    def predict(self, masks: ArrayLike) -> Array:
        """Return scores [n, T] of masks [n, K]."""
        return np.asarray(masks, dtype=np.float64) @ self.weights.T + self.intercepts

    def mixed(self, mixing: Array, *, offsets: Array) -> "Surrogate":
        """Return the surrogate of targets that are ``mixing`` [U, T] of these plus ``offsets`` [U]; exact."""
        return Surrogate(
            intercepts=mixing @ self.intercepts + offsets,
            weights=mixing @ self.weights,
            unscaled_variances=self.unscaled_variances,
            residual_covariance=mixing @ self.residual_covariance @ mixing.T,
            degrees_of_freedom=self.degrees_of_freedom,
            fit=self.fit.mixed(mixing),
            n_masks=self.n_masks,
        )


class Statistics:
    """Sums over masks and scores; memory is O((K + T)^2), however many masks there are.

    ``fold_over``: the rows given to each ``add`` are pairs, a mask and its complement, and have no kernel.
    """

    def __init__(self, n_components: int, n_targets: int, *, fold_over: bool = False) -> None:
        n = n_components + 1  # the last column is the intercept
        self._n_rows = 0
        self._gram, self._gram_squared = np.zeros((n, n)), np.zeros((n, n))
        self._cross, self._scores = np.zeros((n, n_targets)), np.zeros((n_targets, n_targets))
        self._pairs = _Pairs(n_components, n_targets) if fold_over else None
        self._mean: Array | None = None

    def add(self, masks: NDArray[np.bool_], scores: ArrayLike, kernel: ArrayLike | None = None) -> None:
        """Take in masks [n, K], scores [n, T] and kernel weights [n] (default: 1)."""
        x = np.column_stack([masks, np.ones(len(masks))]).astype(np.float64)
        y = np.asarray(scores, dtype=np.float64)
        if not np.isfinite(y).all():
            raise InputError(f"scores must be finite, got {int((~np.isfinite(y)).sum())} of NaN or infinity")
        if self._mean is None:  # sums are kept about a fixed point near the mean, so that no digits are lost
            self._mean = y.mean(axis=0)
        y = y - self._mean
        self._n_rows += len(x)
        if kernel is None:
            weighted, counts = x, _exact_products(x)
            self._gram += counts
            self._gram_squared += counts
        else:
            weighted = x * np.asarray(kernel, dtype=np.float64)[:, None]
            self._gram += weighted.T @ x
            self._gram_squared += weighted.T @ weighted
        self._cross += weighted.T @ y
        self._scores += (y * weighted[:, -1:]).T @ y
        if self._pairs:
            self._pairs.add(x[:, :-1], y)

    def solve(self, *, alpha: float = 1.0) -> Surrogate:
        """Fit all targets with one factorisation; InputError where there are too few masks for the components."""
        check_number("alpha", alpha, low=0.0)
        if self._mean is None:
            raise InputError("statistics must hold at least one batch of masks before they are solved")
        inverse = self._inverse(alpha)
        coefficients, smoother = inverse @ self._cross, inverse @ self._gram_squared
        quality = self._quality(coefficients)
        used = float(np.trace(inverse @ self._gram))
        if self._pairs:
            freedom = self._pairs.n_pairs - used + 1.0
            noise = 2.0 * self._pairs.residual(coefficients[:-1]) / max(freedom, 1.0)
        else:
            freedom = self._n_rows - used
            noise = quality.residual / (self._gram[-1, -1] - np.trace(smoother))
        if freedom < 0.99:
            n_components = len(inverse) - 1
            raise InputError(
                f"masks must leave rows for noise beside {n_components} components, got {self._n_rows} rows"
            )
        return Surrogate(
            intercepts=coefficients[-1] + self._mean,
            weights=coefficients[:-1].T.copy(),
            unscaled_variances=np.einsum("ij,ji->i", smoother, inverse)[:-1],
            residual_covariance=noise,
            degrees_of_freedom=freedom,
            fit=quality,
            n_masks=self._n_rows,
        )

    def _inverse(self, alpha: float) -> Array:
        """(X'VX + alpha D)^-1; InputError where rounding is all that tells two components apart."""
        penalty = np.full(len(self._gram), alpha)
        penalty[-1] = 0.0
        try:
            factor = cho_factor(self._gram + np.diag(penalty))
            pivots = np.diag(factor[0]) ** 2 / (np.diag(self._gram) + penalty)
            if pivots.min() < SINGULAR:
                raise np.linalg.LinAlgError
        except np.linalg.LinAlgError:
            raise InputError("masks must tell all components apart: draw more of them, or give alpha > 0") from None
        inverse: Array = cho_solve(factor, np.eye(len(penalty)))
        return inverse

    def _quality(self, coefficients: Array) -> Quality:
        sums = self._cross[-1]
        total = self._scores - np.outer(sums, sums) / self._gram[-1, -1]
        return Quality(_residual(self._gram, self._cross, self._scores, coefficients), total)


class _Pairs:
    """Sums over the half-differences of pairs of complementary masks, see the module's docstring."""

    def __init__(self, n_components: int, n_targets: int) -> None:
        self.n_pairs = 0
        self._gram, self._cross = np.zeros((n_components, n_components)), np.zeros((n_components, n_targets))
        self._scores = np.zeros((n_targets, n_targets))

    def add(self, masks: Array, scores: Array) -> None:
        """Take in rows that are pairs; a last row without its complement is left out."""
        n = len(masks) // 2
        x, d = masks[: 2 * n : 2] - 0.5, (scores[: 2 * n : 2] - scores[1 : 2 * n : 2]) / 2.0
        self.n_pairs += n
        self._gram += _exact_products(2.0 * x) / 4.0
        self._cross += x.T @ d
        self._scores += d.T @ d

    def residual(self, weights: Array) -> Array:
        """Cross products [T, T] of what weights [K, T] leave of the half-differences."""
        return _residual(self._gram, self._cross, self._scores, weights)


def _exact_products(x: Array) -> Array:
    """X'X of columns of -1, 0 and 1: sums of fewer than 2^24 of them are exact in float32, which is twice as fast."""
    single = x.astype(np.float32)
    return (single.T @ single).astype(np.float64)


def _residual(gram: Array, cross: Array, scores: Array, coefficients: Array) -> Array:
    """(Y - XB)'(Y - XB) from X'X, X'Y and Y'Y."""
    explained = cross.T @ coefficients
    return scores - explained - explained.T + coefficients.T @ gram @ coefficients


def quality_on(surrogate: Surrogate, masks: ArrayLike, scores: ArrayLike) -> Quality:
    """Return how well ``surrogate`` predicts scores [n, T] of masks [n, K] that it has not seen."""
    y = np.asarray(scores, dtype=np.float64)
    residual, spread = y - surrogate.predict(masks), y - y.mean(axis=0)
    return Quality(residual.T @ residual, spread.T @ spread)
