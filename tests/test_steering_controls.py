"""Controls that are as large as a steered change, and whether a shift lasts."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from fakes import decibel_problem, grid_components, grid_problem, tones
from small_runs import small_predictor

from emomod.components.base import sound_of
from emomod.model.predictor import Takes
from emomod.steering.controls import controls_of, equaliser_control, random_gains
from emomod.steering.objective import objective_of
from emomod.steering.request import Request
from emomod.steering.robustness import LATER_SECONDS, WAYS, lasting_shifts, later, softer

SOUND = sound_of(grid_components().render(np.ones(12)))


def asked(shifts, *, predictor=None, **settings):
    names = (predictor or small_predictor()).names
    return objective_of(Request(shifts, **settings), names, spread=np.full(len(names), 0.15))


def controls(problem, gains, *, objective=None, n_random=4, seed=0):
    return controls_of(
        problem,
        objective or asked({"articulation": 0.02}),
        gains,
        sound=SOUND,
        max_gain_db=9.0,
        n_random=n_random,
        seed=seed,
    )


def test_random_gains_against_the_promise_the_same_gains_elsewhere_and_as_large(rng):
    problem, gains = grid_problem(small_predictor()), rng.normal(size=12)
    drawn = [random_gains(problem, gains, rng=np.random.default_rng(seed)) for seed in range(20)]
    for each in drawn:
        assert problem.parts.size_db(each) == pytest.approx(problem.parts.size_db(gains), rel=0.01)
        assert np.abs(each).max() <= 9.0
        ratios = np.sort(each) / np.sort(gains)  # one factor for all
        np.testing.assert_allclose(ratios, ratios[0])
    assert len({each.tobytes() for each in drawn}) == 20


def test_random_gains_against_the_promise_what_bounds_cut_off_goes_to_the_others(rng):
    problem, gains = decibel_problem(np.zeros((1, 40)), bound_db=3.0), np.clip(2.0 * rng.normal(size=40), -3.0, 3.0)
    for seed in range(10):
        each = random_gains(problem, gains * np.where(np.arange(40) < 20, 1.0, 0.2), rng=np.random.default_rng(seed))
        assert np.abs(each).max() <= 3.0
    uneven = replace(problem.parts, audible=np.linspace(1.0, 0.1, 40) / 22.0)
    problem = replace(problem, parts=uneven)
    for seed in range(10):
        each = random_gains(problem, gains, rng=np.random.default_rng(seed))
        assert np.abs(each).max() <= 3.0
        assert uneven.size_db(each) == pytest.approx(uneven.size_db(gains), rel=0.01)


def test_random_gains_against_the_promise_only_parts_that_may_change():
    problem = decibel_problem(np.zeros((1, 8)))
    free = np.arange(8) < 3
    problem = replace(problem, parts=replace(problem.parts, bounds_db=np.where(free, 9.0, 0.0)))
    gains = np.array([2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    for seed in range(10):
        each = random_gains(problem, gains, rng=np.random.default_rng(seed))
        assert not each[~free].any()
        assert problem.parts.size_db(each) == pytest.approx(problem.parts.size_db(gains))


def test_random_gains_where_nothing_was_changed():
    assert not random_gains(decibel_problem(np.zeros((1, 8))), np.zeros(8), rng=np.random.default_rng(0)).any()


def test_controls_of_against_the_linear_model_and_itself(rng):
    slopes, gains = 0.01 * rng.normal(size=(15, 8)), rng.normal(size=8)
    problem, objective = decibel_problem(slopes, smooth=False), asked({"articulation": 0.02})
    one, other = (controls(problem, gains, objective=objective, n_random=3, seed=4) for _ in range(2))
    drawn = [random_gains(problem, gains, rng=np.random.default_rng([4, k])) for k in range(3)]
    np.testing.assert_allclose(one.random, np.array(drawn) @ slopes.T, atol=1e-5)
    np.testing.assert_array_equal(one.random, other.random)
    np.testing.assert_allclose(one.level, problem.parts.size_db(gains) * slopes.sum(axis=1), atol=1e-5)
    assert one.equaliser is None  # the model has no gradients


def test_controls_of_against_theory_level_alone_does_nothing_to_a_model_that_normalises(rng):
    found = controls(grid_problem(small_predictor()), rng.normal(size=12))
    assert found.random.shape == (4, 15)
    assert np.abs(found.random).max() > 1e-3
    np.testing.assert_allclose(found.level, 0.0, atol=1e-5)


@pytest.mark.parametrize("size", (0.3, 1.5))
@pytest.mark.parametrize("shifts", ({"articulation": 0.3}, {"minorness": -np.inf}))
def test_equaliser_control_against_its_budget_and_nothing(size, shifts):
    problem, gains = grid_problem(small_predictor()), np.full(12, size)
    objective = asked(shifts)
    found = controls(problem, gains, objective=objective).equaliser
    assert found.size_db == pytest.approx(size, rel=0.01)  # these requests take all there is
    name, shift = next(iter(shifts.items()))
    moved = found.shift[problem.hearing.predict.names.index(name)]
    assert moved * np.sign(shift) > 0.001
    here, nothing = (float(objective.of_scores(torch.from_numpy(each[None]))) for each in (found.shift, np.zeros(15)))
    assert here < nothing
    heard = problem.hearing.listeners[0].scores(found.equaliser.apply(SOUND.y)[None])[0] - problem.before[0]
    np.testing.assert_allclose(found.shift, heard, atol=1e-12)


def test_equaliser_control_against_the_promise_no_larger_than_needed():
    problem = grid_problem(small_predictor())
    objective = asked({"articulation": 0.003}, budget_db=9.0)
    found = equaliser_control(problem.hearing, objective, SOUND, before=problem.before, max_gain_db=9.0)
    names = problem.hearing.predict.names
    assert found.shift[names.index("articulation")] == pytest.approx(0.003, abs=0.001)
    assert found.size_db < 3.0
    assert np.abs(found.equaliser.gains_db).max() <= 9.0


def test_equaliser_control_where_nothing_was_changed():
    found = controls(grid_problem(small_predictor()), np.zeros(12)).equaliser
    assert found.size_db < 1e-5
    np.testing.assert_allclose(found.shift, 0.0, atol=1e-5)


def test_later_and_softer_against_arithmetic():
    y, n = tones(0.5), round(LATER_SECONDS * 22050)
    assert n == 441
    assert not later(y)[:n].any()
    np.testing.assert_array_equal(later(y)[n:], y[:-n])
    assert later(y).size == y.size
    assert later(y).dtype == np.float32
    np.testing.assert_allclose(softer(y), 0.501187 * y, rtol=1e-5)


def test_lasting_shifts_against_theory_softer_changes_nothing():
    predictor, one, other = small_predictor(), tones(1.0), tones(1.0, seed=1)
    found = lasting_shifts(predictor, one, other, ways=WAYS | {"as it is": np.copy})
    assert list(found) == ["20 ms later", "6 dB softer", "as it is"]
    assert np.abs(found["as it is"]).max() > 0.001
    np.testing.assert_allclose(found["6 dB softer"], found["as it is"], atol=1e-6)
    assert 1e-6 < np.abs(found["20 ms later"] - found["as it is"]).max() < 0.1


@dataclass(frozen=True, eq=False)
class PeakPredict:
    """Its score is the largest sample, plus ``added``."""

    added: float
    names: tuple[str, ...] = ("peak",)
    takes: Takes = "waveform"
    mid_to_emotion: None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __call__(self, sounds: torch.Tensor, /) -> torch.Tensor:
        return sounds.abs().amax(dim=1, keepdim=True) + self.added
