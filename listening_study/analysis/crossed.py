"""The restricted likelihood of crossed random effects, and the fixed effects, of given variances.

y = X b + Z_1 u_1 + ... + Z_m u_m + e, where each u_k has one variance. All follows from V = residual (I + Z D Z'), with
D the variances relative to the residual, by Woodbury's identity from products that are as large as Z has columns, so
that a value takes milliseconds: it is the yardstick for what an optimiser says.

Harville, Maximum likelihood approaches to variance component estimation and to related problems, J. American
Statistical Association 72(358), 1977.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Array = NDArray[np.float64]
FIRST_GUESS = 0.1  # of the residual
ROUNDS = 10
STEPS = (0.0, 0.5, 0.9, 1.1, 2.0)  # factors of a component, to look for a better value
FIRST_STEP = 0.01  # of the residual, for a component of 0
BETTER = 0.01  # of the deviance: less is not worth looking for


class CrossedDesign:
    """Responses y [n], fixed effects X [n, p] and, by name, random effects Z_k [n, n_members]."""

    def __init__(self, y: Array, X: Array, designs: Mapping[str, Array]) -> None:
        self.names = tuple(designs)
        self._sizes = [design.shape[1] for design in designs.values()]
        Z = np.hstack(list(designs.values()))
        right = np.column_stack([X, y])
        self._n, self._p = X.shape
        self._inner, self._mixed, self._outer = Z.T @ Z, Z.T @ right, right.T @ right

    def _reduced(self, relative: Array) -> tuple[Array, float]:
        """[X y]' V^-1 [X y] and log det V, of a residual variance of 1."""
        roots = np.sqrt(np.repeat(relative, self._sizes))
        factor = np.linalg.cholesky(np.eye(roots.size) + roots[:, None] * self._inner * roots)
        scaled = np.linalg.solve(factor, roots[:, None] * self._mixed)
        return self._outer - scaled.T @ scaled, 2.0 * float(np.log(np.diag(factor)).sum())

    def deviance(self, relative: Array) -> float:
        """-2 x the restricted log-likelihood, up to a constant, of variances relative to the best residual one."""
        reduced, log_det = self._reduced(relative)
        fixed = float(np.linalg.slogdet(reduced[:-1, :-1])[1])
        rest = max(self._rest(reduced), np.finfo(float).tiny)  # 0 where the answers have no noise
        return float(log_det + fixed + (self._n - self._p) * np.log(rest))

    def fixed_effects(self, relative: Array, residual: float) -> tuple[Array, Array]:
        """Generalised least squares: estimates [p] and standard errors [p]."""
        reduced, _ = self._reduced(relative)
        covariance = np.linalg.inv(reduced[:-1, :-1])
        return covariance @ reduced[:-1, -1], np.sqrt(residual * np.diag(covariance))

    def best(self) -> Array:
        """Relative variances [m] of the smallest deviance; where the search rests, it goes on from what is better."""
        bounds = [(0.0, None)] * len(self.names)
        relative = np.full(len(self.names), FIRST_GUESS)
        for _ in range(ROUNDS):
            found = optimize.minimize(self.deviance, relative, method="L-BFGS-B", bounds=bounds, tol=1e-10)
            relative = np.asarray(found.x) if found.fun <= self.deviance(relative) else relative
            better = self._better(relative)
            if better is None:
                break
            relative = better
        return relative

    def residual(self, relative: Array) -> float:
        """The best residual variance."""
        return float(self._rest(self._reduced(relative)[0]) / (self._n - self._p))

    def _rest(self, reduced: Array) -> float:
        return float(reduced[-1, -1] - reduced[-1, :-1] @ np.linalg.solve(reduced[:-1, :-1], reduced[:-1, -1]))

    def is_best(self, relative: Array) -> bool:
        """Whether no other value of one component, near or far, has a smaller deviance that is worth it."""
        return self._better(relative) is None

    def _better(self, relative: Array) -> Array | None:
        limit = self.deviance(relative) - BETTER
        for place, size in enumerate(relative):
            for step in STEPS:
                other = relative.copy()
                other[place] = size * step if size > 0 else FIRST_STEP * step
                if self.deviance(other) < limit:
                    return other
        return None
