"""Bradley-Terry-Davidson: closed forms, recovery of what was simulated, separable answers."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from emomod.errors import InputError
from emomod.undefined import UndefinedWarning
from listening_study.analysis.preference import fit_preference

COLUMNS = ["participant", "phase", "trial_type", "condition", "other", "position", "response"]


def pairs(*rows):
    """Rows of condition, other, position, response, count."""
    spread = [("p", "main", "pair", *row[:4]) for row in rows for _ in range(row[4])]
    return pd.DataFrame(spread, columns=COLUMNS)


def simulated(rng, worths, *, order, tie, n):
    rows = []
    for _ in range(n):
        first, second = rng.choice(len(worths), size=2, replace=False)
        logs = np.array([worths[first], worths[second] + order, tie + (worths[first] + worths[second]) / 2])
        outcome = rng.choice(3, p=np.exp(logs) / np.exp(logs).sum())
        response = (1, -1, 0)[outcome]
        if rng.random() < 0.5:
            rows.append((f"c{first}", f"c{second}", 1, response, 1))
        else:
            rows.append((f"c{second}", f"c{first}", 2, -response, 1))
    return pairs(*rows)


def test_two_conditions_against_theory():
    """Balanced orders, 60 : 30 wins: log worth log 2, standard error sqrt(1/60 + 1/30)."""
    table = pairs(("a", "b", 1, 1, 30), ("a", "b", 2, 1, 30), ("a", "b", 1, -1, 15), ("a", "b", 2, -1, 15))
    found = fit_preference(table, reference="b", penalty=1e-8)
    assert found.conditions == ("b", "a")
    assert found.worths[1].value == pytest.approx(np.log(2), abs=1e-6)
    assert found.worths[1].se == pytest.approx(np.sqrt(1 / 60 + 1 / 30), rel=1e-5)
    assert found.order.value == pytest.approx(0.0, abs=1e-6)
    assert found.tie is None
    assert not found.separable


def test_ties_and_order_against_theory():
    """Three free shares in each order and three parameters of equal worths: all of them are met.

    First 20, second 40, tie 30: order = 40 / 20, tie = 30 / 20 (worths 1, tie 1.5, order 2).
    """
    table = pairs(
        ("a", "b", 1, 1, 20), ("a", "b", 1, -1, 40), ("a", "b", 1, 0, 30),
        ("a", "b", 2, -1, 20), ("a", "b", 2, 1, 40), ("a", "b", 2, 0, 30),
    )  # fmt: skip
    found = fit_preference(table, reference="a", penalty=1e-8)
    assert found.worths[1].value == pytest.approx(0.0, abs=1e-6)
    assert found.order.value == pytest.approx(np.log(2.0), abs=1e-5)
    assert found.tie is not None
    assert found.tie.value == pytest.approx(np.log(1.5), abs=1e-5)


def test_preference_against_itself_names_and_sides_do_not_matter(rng):
    table = simulated(rng, [0.0, 0.5, -0.5], order=0.3, tie=-0.5, n=300)
    turned = table.assign(
        condition=table["other"], other=table["condition"], position=3 - table["position"], response=-table["response"]
    )
    one, two = fit_preference(table, reference="c0"), fit_preference(turned, reference="c0")
    for name in one.conditions:
        assert one.difference(name, "c0").value == pytest.approx(two.difference(name, "c0").value, abs=1e-6)
    other = fit_preference(table, reference="c1")
    assert_allclose(
        [other.difference("c2", "c0").value, other.difference("c2", "c0").se],
        [one.difference("c2", "c0").value, one.difference("c2", "c0").se],
        rtol=1e-5,
    )
    assert other.difference("c2", "c1").value == other.worths[other.conditions.index("c2")].value


def test_preference_against_what_was_simulated(rng):
    """Errors in standard errors are of mean 0 and variance 1: 60 studies, 4 parameters."""
    worths, order, tie = [0.0, 0.8, -0.5], 0.4, -0.7
    errors = []
    for _ in range(60):
        found = fit_preference(simulated(rng, worths, order=order, tie=tie, n=250), reference="c0")
        assert found.tie is not None
        told = [found.difference("c1", "c0"), found.difference("c2", "c0"), found.order, found.tie]
        truth = (*worths[1:], order, tie)
        errors.append([(each.value - true) / each.se for each, true in zip(told, truth, strict=True)])
    assert_allclose(np.mean(errors, axis=0), 0.0, atol=0.45)  # 3.5 standard errors of a mean of 60
    assert np.mean(np.square(errors)) == pytest.approx(1.0, abs=0.35)
    assert np.mean(np.abs(errors) < 1.96) >= 0.90


def test_preference_against_choix(rng):
    choix = pytest.importorskip("choix")
    table = simulated(rng, [0.0, 0.7, -0.4, 0.2], order=0.0, tie=-np.inf, n=400)
    number = {f"c{k}": k for k in range(4)}
    wins = [
        (number[row.condition], number[row.other]) if row.response > 0 else (number[row.other], number[row.condition])
        for row in table.itertuples()
    ]
    theirs = choix.ilsr_pairwise(4, wins)
    found = fit_preference(table, reference="c0", penalty=1e-8)
    ours = [found.difference(f"c{k}", "c0").value for k in range(4)]
    assert_allclose(ours, theirs - theirs[0], atol=0.02)  # they have no order effect


def test_separable_pairs_stay_finite_and_are_told():
    table = pairs(("a", "b", 1, 1, 10), ("a", "b", 2, 1, 10))
    with pytest.warns(UndefinedWarning, match="separable pairs"):
        found = fit_preference(table, reference="b")
    assert found.separable
    assert 3.0 < found.worths[1].value < 15.0
    assert found.worths[1].low < 3.0  # and nobody could tell how much
    always_second = pairs(("a", "b", 1, -1, 10), ("a", "b", 2, 1, 10))
    with pytest.warns(UndefinedWarning, match="separable pairs"):
        found = fit_preference(always_second, reference="b")
    assert found.order.value > 3.0
    assert found.worths[1].value == pytest.approx(0.0, abs=1e-6)


def test_identical_pairs_against_theory_tell_of_the_order_only():
    some = (("a", "b", 1, 1, 20), ("a", "b", 2, 1, 20), ("a", "b", 1, -1, 10), ("a", "b", 2, -1, 10))
    found = fit_preference(pairs(*some, ("a", "a", 1, -1, 60), ("a", "a", 1, 1, 20)), reference="b", penalty=1e-8)
    without = fit_preference(pairs(*some), reference="b", penalty=1e-8)
    assert without.order.value == pytest.approx(0.0, abs=1e-6)
    assert found.order.value > 0.5
    assert found.worths[1].value == pytest.approx(without.worths[1].value, abs=0.1)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pairs(("a", "b", 3, 1, 5)), "position must be 1 or 2"),
        (pairs(("a", "b", 1, 2, 5)), "response .1, 0 or -1"),
        (pairs(("a", "b", 1, 1, 5), ("c", "d", 1, 1, 5)), "connected by pairs, got 2 groups of a, c, b, d"),
        (pairs(("x", "b", 1, 1, 5)), "reference must be one of x, b, got 'a'"),
        (pairs(("a", "b", 1, 1, 5)).assign(trial_type="ccr"), "trial_type must be pair, got ccr"),
        (pairs(("a", "b", 1, 1, 5)).drop(columns="position"), "missing: position"),
    ],
)
def test_preference_iv(table, message):
    with pytest.raises(InputError, match=message):
        fit_preference(table, reference="a")
