"""Detection: d' and proportions, against theory and simulated observers."""

import numpy as np
import pytest
from scipy import stats

from emomod.errors import InputError
from listening_study.analysis.detection import LARGEST, abx, abx_share, proportion, yes_no


def test_yes_no_against_theory():
    found = yes_no(hits=69, signals=99, false_alarms=30, noises=99)
    hit, alarm = 69.5 / 100, 30.5 / 100
    assert found.d_prime.value == pytest.approx(stats.norm.ppf(hit) - stats.norm.ppf(alarm))
    assert found.criterion == pytest.approx(0.0, abs=1e-12)
    shifted = yes_no(hits=99, signals=99, false_alarms=0, noises=99)  # finite at rates of 0 and 1
    assert shifted.d_prime.value == pytest.approx(2 * stats.norm.ppf(99.5 / 100))
    assert yes_no(hits=10, signals=99, false_alarms=1, noises=99).criterion > 1.0


@pytest.mark.parametrize("d_prime", [0.0, 1.0, 2.0])
def test_yes_no_against_theory_of_its_interval(rng, d_prime):
    n = 60
    drawn = [rng.binomial(n, stats.norm.cdf(z), size=400) for z in (d_prime / 2, -d_prime / 2)]
    found = [yes_no(hits=int(h), signals=n, false_alarms=int(f), noises=n).d_prime for h, f in zip(*drawn, strict=True)]
    inside = sum(each.low <= d_prime <= each.high for each in found)
    assert inside >= 366  # of 400: the 1 in 1000 quantile of a coverage of 95 %


@pytest.mark.parametrize("model", ["differencing", "independent"])
@pytest.mark.parametrize("d_prime", [0.5, 1.5, 3.0])
def test_abx_share_against_simulated_observers(rng, model, d_prime):
    a, b, x = rng.normal(size=200_000), rng.normal(d_prime, size=200_000), rng.normal(size=200_000)  # X is an A
    if model == "differencing":
        right = np.abs(x - a) < np.abs(x - b)
    else:
        right = (b > a) == (x < d_prime / 2)
    assert abx_share(d_prime, model=model) == pytest.approx(right.mean(), abs=0.005)  # 4 standard errors


@pytest.mark.parametrize("model", ["differencing", "independent"])
def test_abx_against_its_inverse(model):
    share = abx_share(1.7, model=model)
    n = 10**6
    found = abx(n_right=round(share * n), n=n, model=model)
    assert found.value == pytest.approx(1.7, abs=1e-3)
    assert found.low < 1.7 < found.high
    assert abx(n_right=30, n=100, model=model).value == 0.0
    perfect = abx(n_right=16, n=16, model=model)
    assert 2.0 < perfect.value < perfect.high == LARGEST


def test_proportion_against_theory():
    found = proportion(n_right=12, n=16)
    assert found.p_value == pytest.approx(2 * stats.binom.sf(11, 16, 0.5))
    assert stats.binom.sf(11, 16, found.share.low) == pytest.approx(0.025)
    assert stats.binom.cdf(12, 16, found.share.high) == pytest.approx(0.025)
    assert proportion(n_right=5, n=6, chance=1 / 3).p_value == pytest.approx(stats.binom.sf(4, 6, 1 / 3))


def test_detection_iv():
    with pytest.raises(InputError, match="hits must be at most signals, 5, got 6"):
        yes_no(hits=6, signals=5, false_alarms=0, noises=5)
    with pytest.raises(InputError, match="noises must be a whole number of at least 1, got 0"):
        yes_no(hits=1, signals=5, false_alarms=0, noises=0)
    with pytest.raises(InputError, match="model must be one of differencing, independent"):
        abx(n_right=1, n=2, model="guess")
    with pytest.raises(InputError, match="n_right must be at most n, 2, got 3"):
        proportion(n_right=3, n=2)
    with pytest.raises(InputError, match="d_prime must be a finite number in 0"):
        abx_share(-1.0)
