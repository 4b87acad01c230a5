"""Detection: d' and proportions, against theory and simulated observers."""

import numpy as np
import pytest
from scipy import stats

from emomod.errors import InputError
from listening_study.analysis.detection import LARGEST, abx, abx_share, proportion


@pytest.mark.parametrize("d_prime", [0.5, 1.5, 3.0])
def test_abx_share_against_simulated_observers(rng, d_prime):
    a, b, x = rng.normal(size=200_000), rng.normal(d_prime, size=200_000), rng.normal(size=200_000)  # X is an A
    right = np.abs(x - a) < np.abs(x - b)
    assert abx_share(d_prime) == pytest.approx(right.mean(), abs=0.005)  # 4 standard errors


def test_abx_against_its_inverse():
    share = abx_share(1.7)
    n = 10**6
    found = abx(n_right=round(share * n), n=n)
    assert found.value == pytest.approx(1.7, abs=1e-3)
    assert found.low < 1.7 < found.high
    assert abx(n_right=30, n=100).value == 0.0
    perfect = abx(n_right=16, n=16)
    assert 2.0 < perfect.value < perfect.high == LARGEST


def test_proportion_against_theory():
    found = proportion(n_right=12, n=16)
    assert found.p_value == pytest.approx(2 * stats.binom.sf(11, 16, 0.5))
    assert stats.binom.sf(11, 16, found.share.low) == pytest.approx(0.025)
    assert stats.binom.cdf(12, 16, found.share.high) == pytest.approx(0.025)
    assert proportion(n_right=5, n=6, chance=1 / 3).p_value == pytest.approx(stats.binom.sf(4, 6, 1 / 3))


def test_detection_iv():
    with pytest.raises(InputError, match="n_right must be at most n, 2, got 3"):
        proportion(n_right=3, n=2)
    with pytest.raises(InputError, match="d_prime must be a finite number in 0"):
        abx_share(-1.0)
