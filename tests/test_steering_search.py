"""Objective, solver and search, mostly on models that are linear in gains in dB, where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes import decibel_problem, grid_components, grid_problem
from scipy.optimize import linprog, minimize
from small_runs import small_predictor

from emomod.steering.objective import AIM, BEHIND, DRIFT, HOLD, MOST, OVERTAKEN, SIZE, objective_of
from emomod.steering.request import Limit, Request
from emomod.steering.search import CLOSE, HELD_CLOSE, is_met, most_there_is, search
from emomod.steering.solve import Found, convex_start, descend, solve

SHARES = (0.25, 0.5, 0.75, 1.0)
EVERYWHERE = np.ones(8, dtype=bool)
AUDIBLE = np.array([0.3, 0.2, 0.15, 0.1, 0.1, 0.08, 0.05, 0.02])


def slopes_of(seed=0, n_names=4, n_parts=8, *, size=0.01):
    """[n_names, n_parts]: scores that move by some hundredths a dB."""
    return size * np.random.default_rng(seed).normal(size=(n_names, n_parts))


def asked(shifts, *, hold=(), n_names=4, **settings):
    request = Request({f"score{k}": shift for k, shift in shifts.items()}, tuple(f"score{k}" for k in hold), **settings)
    return objective_of(request, tuple(f"score{k}" for k in range(n_names)), spread=np.linspace(0.1, 0.2, n_names))


def found_for(problem, objective, *, most_changed=None, shares=SHARES):
    return search(problem, objective, shares=shares, most_changed=most_changed, announce=lambda text: None)


def value_by_hand(objective, shifts, gains, parts, *, overtaken=OVERTAKEN):
    """The formula of emomod.steering.objective, written out for shifts [n_models, n_names]."""
    total = 0.0
    for of_model in shifts:
        left = []
        for k, (wanted, held) in enumerate(zip(objective.wanted, objective.held, strict=True)):
            if np.isinf(wanted):
                total -= MOST * of_model[k] * np.sign(wanted) / objective.spread[k] / len(shifts)
            elif np.isfinite(wanted):
                total += objective.aim * ((of_model[k] - wanted) / AIM) ** 2 / len(shifts)
            elif held:
                total += objective.aim * (of_model[k] / HOLD) ** 2 / len(shifts)
            else:
                left.append(abs(of_model[k]) / objective.spread[k])
        total += DRIFT * float(np.mean(np.square(left or [0.0]))) / len(shifts)
        asked_for = [abs(w) / s for w, s in zip(objective.wanted, objective.spread, strict=True) if np.isfinite(w)]
        if asked_for:
            total += overtaken * sum(max(each - BEHIND * min(asked_for), 0.0) ** 2 for each in left) / len(shifts)
    square = np.average(gains**2, weights=parts.audible)
    rough = sum(
        length * (gains[one] - gains[other]) ** 2
        for (one, other), length in zip(parts.edges, parts.lengths, strict=True)
    )
    return total + SIZE * (square + objective.smoothness * rough)


@pytest.mark.parametrize("shifts", ({0: 0.1}, {0: 0.1, 3: -0.2}, {1: np.inf}, {1: -np.inf}))
@pytest.mark.parametrize("hold", ((), (2,)))
def test_objective_against_its_formula_written_out(rng, shifts, hold):
    problem = decibel_problem(slopes_of(), audible=AUDIBLE)
    objective = replace(asked(shifts, hold=hold, smoothness=0.7), aim=3.0)
    moved, gains = 0.1 * rng.normal(size=(3, 4)), rng.normal(size=8)
    value = objective.of_scores(torch.from_numpy(moved)) + objective.of_gains(torch.from_numpy(gains), problem.parts)
    assert float(value) == pytest.approx(value_by_hand(objective, moved, gains, problem.parts), rel=1e-9)


def test_misses_against_arithmetic():
    shifts = np.array([0.07, 0.5, 0.02, -0.4])
    np.testing.assert_allclose(asked({0: 0.1}, hold=(2,)).misses(shifts), [0.03, 0.0, -0.02, 0.0])
    np.testing.assert_allclose(asked({1: np.inf}, hold=(2,)).misses(shifts), [0.0, 0.0, -0.02, 0.0])
    np.testing.assert_allclose(asked({0: 0.1, 3: -0.5}).part_way(0.5).misses(shifts), [-0.02, 0.0, 0.0, 0.15])


def test_is_met_against_its_limits():
    objective = asked({0: 0.1}, hold=(2,))
    for miss, drift, met in ((0.9, 0.9, True), (1.1, 0.0, False), (-1.1, 0.0, False), (0.0, 1.1, False)):
        assert is_met(objective, np.array([0.1 + miss * CLOSE, 9.0, drift * HELD_CLOSE, 9.0])) is met
    assert is_met(asked({0: -0.01}), np.array([-0.0091, 0.0, 0.0, 0.0]))
    assert not is_met(asked({0: -0.01}), np.array([-0.0089, 0.0, 0.0, 0.0]))
    assert is_met(asked({0: np.inf}), np.zeros(4))


def test_within_budget_against_arithmetic(rng):
    parts, gains = decibel_problem(slopes_of(), audible=AUDIBLE).parts, 5.0 * rng.normal(size=8)
    size = parts.size_db(gains)
    for budget, factor in ((size / 3.0, 1.0 / 3.0), (2.0 * size, 1.0), (None, 1.0)):
        objective = asked({0: 0.1}, budget_db=budget)
        np.testing.assert_allclose(objective.within_budget(torch.from_numpy(gains), parts).numpy(), factor * gains)
    at_rest = torch.zeros(8, dtype=torch.float64, requires_grad=True)
    total = asked({0: 0.1}, budget_db=1.0).within_budget(at_rest, parts).sum()
    assert torch.isfinite(torch.autograd.grad(total, at_rest)[0]).all()


@pytest.mark.parametrize("shifts", ({0: 0.1}, {0: 0.1, 3: -0.05}))
@pytest.mark.parametrize("smoothness", (0.0, 2.0))
@pytest.mark.parametrize("bound", (9.0, 2.0))
def test_convex_start_against_scipy_minimising_the_formula(shifts, smoothness, bound):
    problem = decibel_problem(slopes_of(), audible=AUDIBLE, bound_db=bound)
    objective = asked(shifts, hold=(2,), smoothness=smoothness)
    ours = convex_start(problem, objective, allowed=EVERYWHERE)

    def value(gains):
        return value_by_hand(objective, (problem.slopes @ gains)[None], gains, problem.parts, overtaken=0.0)

    theirs = minimize(
        value, np.zeros(8), method="L-BFGS-B", bounds=[(-bound, bound)] * 8, options={"ftol": 1e-15, "gtol": 1e-10}
    ).x
    assert value(ours) <= value(theirs) + 1e-6
    np.testing.assert_allclose(ours, theirs, atol=0.01)
    assert np.abs(ours).max() == pytest.approx(bound) or bound == 9.0


def test_convex_start_against_least_squares_in_closed_form():
    slopes = slopes_of(n_names=1, n_parts=3)
    problem = decibel_problem(slopes)
    objective = asked({0: 0.05}, n_names=1)
    column = slopes.T / AIM
    closed = np.linalg.solve(column @ column.T + SIZE / 3.0 * np.eye(3), column[:, 0] * 0.05 / AIM)
    np.testing.assert_allclose(convex_start(problem, objective, allowed=np.ones(3, dtype=bool)), closed, rtol=1e-6)


def test_convex_start_against_the_promise_only_what_is_allowed_changes():
    allowed = np.arange(8) % 2 == 0
    problem = decibel_problem(slopes_of())
    problem = replace(problem, parts=replace(problem.parts, bounds_db=np.where(np.arange(8) == 2, 0.0, 9.0)))
    objective = asked({0: 0.1})
    found = solve(problem, objective, np.ones(8), allowed=allowed)
    for gains in (convex_start(problem, objective, allowed=allowed), found.gains_db):
        np.testing.assert_array_equal(gains != 0.0, allowed & (np.arange(8) != 2))


@pytest.mark.parametrize("bound", (9.0, 2.0))
def test_descend_against_the_convex_start_which_is_exact_for_a_linear_model(bound):
    problem = decibel_problem(slopes_of(), audible=AUDIBLE, bound_db=bound)
    objective = asked({0: 0.1}, hold=(2,), smoothness=0.5)
    exact = convex_start(problem, objective, allowed=EVERYWHERE)
    found = descend(problem, objective, np.zeros(8), allowed=EVERYWHERE)
    value = [value_by_hand(objective, (problem.slopes @ g)[None], g, problem.parts) for g in (exact, found.gains_db)]
    assert value[1] == pytest.approx(value[0], rel=0.01, abs=0.01)
    np.testing.assert_allclose(found.shifts[0], problem.slopes @ found.gains_db, atol=1e-5)


def test_descend_against_theory_the_mean_of_two_models():
    one, other = slopes_of(0), slopes_of(1)
    problem = decibel_problem(one, others=(other,))
    objective = asked({0: 0.08})
    found = descend(problem, objective, np.zeros(8), allowed=EVERYWHERE)
    assert found.shifts.shape == (2, 4)
    np.testing.assert_allclose(found.shifts[:, 0], [0.08, 0.08], atol=0.005)
    alone = descend(decibel_problem(one), objective, np.zeros(8), allowed=EVERYWHERE)
    assert abs(other[0] @ alone.gains_db - 0.08) > 0.02


@pytest.mark.parametrize("smooth", (True, False))
def test_search_against_the_promise_the_request_is_met_in_growing_steps(smooth):
    problem, objective = decibel_problem(slopes_of(), audible=AUDIBLE, smooth=smooth), asked({0: 0.1}, hold=(2,))
    steps = found_for(problem, objective)
    assert tuple(step.share for step in steps) == SHARES
    for step in steps:
        assert is_met(objective.part_way(step.share), step.found.shifts[0])
        np.testing.assert_allclose(step.found.shifts[0], problem.slopes @ step.found.gains_db, atol=1e-5)
    sizes = [problem.parts.size_db(step.found.gains_db) for step in steps]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.5 * sizes[-1]


def bent(scores):
    """A curve that a straight line from 0 is far off: a third of the way is lost at .1."""
    return torch.where(scores.abs() < 0.03, scores, 0.03 * scores.sign() + 0.5 * (scores - 0.03 * scores.sign()))


def test_search_against_the_promise_a_model_without_gradients_is_steered_where_its_surrogate_is_off():
    problem, objective = decibel_problem(slopes_of(), smooth=False, curve=bent), asked({0: 0.1}, hold=(2,))
    first = problem.found(convex_start(problem, objective, allowed=EVERYWHERE))
    assert abs(objective.misses(first.shifts[0])[0]) > 0.02
    assert is_met(objective, found_for(problem, objective)[-1].found.shifts[0])


def test_search_against_the_promise_sterner_tries_reach_what_the_first_misses():
    objective = asked({0: 0.1}, n_names=1)
    slopes = 0.0005 * np.array([[1.0, -1.0, 0.8, 1.2, -0.9, 1.1, -1.0, 1.0]])
    problem = decibel_problem(slopes, bound_db=40.0)  # large gains are needed, which cost more than a miss
    first = descend(problem, objective, np.zeros(8), allowed=EVERYWHERE)
    assert not is_met(objective, first.shifts[0])
    assert np.abs(first.gains_db).max() < 39.0
    told: list[str] = []
    steps = search(problem, objective, shares=(1.0,), most_changed=None, announce=told.append)
    assert is_met(objective, steps[-1].found.shifts[0])
    assert "what was asked is not met yet: going further" in told


@pytest.mark.parametrize("smooth", (True, False))
@pytest.mark.parametrize("shifts", ({0: 0.1}, {0: 0.4}, {0: np.inf}, {0: -np.inf}))
@pytest.mark.parametrize("budget", (0.5, 1.5))
def test_search_against_the_promise_bounds_and_budget_are_kept(smooth, shifts, budget):
    problem = decibel_problem(slopes_of(), audible=AUDIBLE, smooth=smooth, bound_db=3.0)
    for step in found_for(problem, asked(shifts, budget_db=budget)):
        assert np.abs(step.found.gains_db).max() <= 3.0 + 1e-9
        assert problem.parts.size_db(step.found.gains_db) <= budget + 1e-9


@pytest.mark.parametrize("smooth", (True, False))
@pytest.mark.parametrize("n", (1, 2, 4, 8, 20))
@pytest.mark.parametrize("shift", (0.1, np.inf))
def test_search_against_the_promise_no_more_than_so_many_parts_change(smooth, n, shift):
    problem = decibel_problem(slopes_of(), audible=AUDIBLE, smooth=smooth)
    for step in found_for(problem, asked({0: shift}), most_changed=n):
        assert 0 < np.count_nonzero(step.found.gains_db) <= n


def test_search_against_theory_the_parts_that_matter_are_chosen():
    slopes = np.full((1, 8), 1e-4)
    slopes[0, [2, 5]] = 0.02
    gains = found_for(decibel_problem(slopes), asked({0: 0.1}, n_names=1), most_changed=2)[-1].found.gains_db
    assert np.flatnonzero(gains).tolist() == [2, 5]


@pytest.mark.parametrize("smooth", (True, False))
def test_search_against_the_promise_smoothness_makes_neighbours_more_alike(smooth):
    problem, rough = decibel_problem(slopes_of(), smooth=smooth), []
    for smoothness in (0.0, 3.0, 30.0):
        found = found_for(problem, asked({0: 0.1}, smoothness=smoothness))[-1].found
        assert is_met(asked({0: 0.1}), found.shifts[0])
        rough.append(float((problem.parts.differences @ found.gains_db) @ (problem.parts.differences @ found.gains_db)))
    assert rough[1] < 0.9 * rough[0]
    assert rough[2] < 0.9 * rough[1]


def most_by_linear_programming(slopes, target, sign, *, bound, held=()):
    """The farthest that a linear score goes within bounds while others do not move at all."""
    rows = slopes[list(held)] if held else None
    sides = np.zeros(len(held)) if held else None
    found = linprog(-sign * slopes[target], A_eq=rows, b_eq=sides, bounds=[(-bound, bound)] * slopes.shape[1])
    return float(slopes[target] @ found.x)


@pytest.mark.parametrize("smooth", (True, False))
@pytest.mark.parametrize("sign", (1.0, -1.0))
@pytest.mark.parametrize("seed", (0, 1))
def test_most_against_the_bound_of_a_linear_model(smooth, sign, seed):
    slopes = slopes_of(seed)
    problem = decibel_problem(slopes, smooth=smooth)
    most = sign * 9.0 * np.abs(slopes[0]).sum()
    farthest = found_for(problem, asked({0: sign * np.inf}))[-1].found.shifts[0, 0]
    assert 0.95 <= farthest / most <= 1.0 + 1e-4
    objective = asked({0: sign * 5.0})
    refused = found_for(problem, objective)[-1].found
    assert not is_met(objective, refused.shifts[0])
    told = most_there_is(problem, objective, from_=refused).shifts[0, 0]
    assert 0.95 <= told / most <= 1.0 + 1e-4


@pytest.mark.parametrize("seed", (0, 1, 2))
def test_most_against_linear_programming_where_others_are_held(seed):
    slopes = slopes_of(seed)
    problem, objective = decibel_problem(slopes), asked({0: 5.0}, hold=(1, 2))
    most = most_by_linear_programming(slopes, 0, 1.0, bound=9.0, held=(1, 2))
    found = found_for(problem, objective)[-1].found
    for shifts in (
        most_there_is(problem, objective, from_=found).shifts[0],
        found_for(problem, asked({0: np.inf}, hold=(1, 2)))[-1].found.shifts[0],
    ):
        assert np.abs(shifts[[1, 2]]).max() <= HELD_CLOSE
        assert 0.9 * most <= shifts[0] <= most + 0.05


@pytest.mark.parametrize("smooth", (True, False))
def test_most_against_theory_of_a_budget(smooth):
    slopes, budget = slopes_of(n_names=1), 0.7
    problem = decibel_problem(slopes, audible=AUDIBLE, smooth=smooth)
    most = budget * np.sqrt((slopes[0] ** 2 / AUDIBLE).sum())  # by Cauchy and Schwarz
    best = budget * (slopes[0] / AUDIBLE) / np.sqrt((slopes[0] ** 2 / AUDIBLE).sum())
    assert np.abs(best).max() < 9.0
    found = found_for(problem, asked({0: np.inf}, n_names=1, budget_db=budget))[-1].found
    assert 0.97 <= found.shifts[0, 0] / most <= 1.0 + 1e-4


def test_most_there_is_against_the_bound_of_so_many_parts():
    slopes = slopes_of(n_names=1)
    problem, objective = decibel_problem(slopes), asked({0: 5.0}, n_names=1)
    found = found_for(problem, objective, most_changed=2)[-1].found
    told = most_there_is(problem, objective, from_=found, most_changed=2).shifts[0, 0]
    assert told <= 9.0 * np.sort(np.abs(slopes[0]))[-2:].sum() + 1e-4
    assert told < 0.9 * most_there_is(problem, objective, from_=found).shifts[0, 0]


def test_most_there_is_against_itself_what_was_found_where_nothing_is_better():
    problem, objective = decibel_problem(slopes_of()), asked({0: 5.0})
    unheard = Found(np.ones(8), np.array([[9.0, 0.0, 0.0, 0.0]]))
    assert most_there_is(problem, objective, from_=unheard) is unheard


def test_search_against_itself_the_same_to_the_bit():
    for smooth in (True, False):
        one, other = (
            found_for(
                decibel_problem(slopes_of(), smooth=smooth, curve=bent), asked({0: 0.1}, hold=(1,)), most_changed=5
            )
            for _ in range(2)
        )
        for first, second in zip(one, other, strict=True):
            np.testing.assert_array_equal(first.found.gains_db, second.found.gains_db)
            np.testing.assert_array_equal(first.found.shifts, second.found.shifts)


def test_search_against_the_network_through_the_sound():
    request = Request({"articulation": 0.01}, ("dissonance",), limits=(Limit(200.0, 20000.0, 2.0),), max_gain_db=6.0)
    bounds, predictor = request.bounds_db(grid_components().locations()), small_predictor()
    problem = grid_problem(predictor, bounds_db=bounds)
    names = predictor.names
    found = found_for(problem, objective_of(request, names, spread=np.full(15, 0.15)))[-1].found
    assert found.shifts[0, names.index("articulation")] == pytest.approx(0.01, abs=0.002)
    assert abs(found.shifts[0, names.index("dissonance")]) < 0.005
    assert sorted(set(bounds)) == [2.0, 6.0]
    assert (np.abs(found.gains_db) <= bounds + 1e-9).all()
    again = problem.hearing.scores(problem.parts.spread(found.gains_db)[None])[:, 0] - problem.before
    np.testing.assert_array_equal(found.shifts, again)
