import numpy as np
import pytest
from fakes import grid_components
from hypothesis import given, settings
from hypothesis import strategies as st

from emomod.component_weights import Selection
from emomod.errors import InputError
from emomod.modification import CEILING, amplitude, plan_gains, render_versions


def selection(positive=(1, 4), negative=(0, 7)):
    return Selection("articulation", "top:4", np.array(positive, dtype=int), np.array(negative, dtype=int))


@pytest.fixture(scope="module")
def components():
    return grid_components()


@pytest.mark.parametrize(("gain_db", "factor"), ((0.0, 1.0), (6.0, 1.9952623), (-6.0, 0.5011872), (20.0, 10.0)))
def test_amplitude_against_theory(gain_db, factor):
    assert amplitude(gain_db) == pytest.approx(factor, rel=1e-7)


UP, DOWN = 1.9952623149688795, 0.5011872336272722  # 6 dB


@pytest.mark.parametrize(
    ("sides", "enhanced", "weakened"),
    (
        ("positive", {1: UP, 4: UP}, {1: DOWN, 4: DOWN}),
        ("negative", {0: DOWN, 7: DOWN}, {0: UP, 7: UP}),
        ("both", {1: UP, 4: UP, 0: DOWN, 7: DOWN}, {1: DOWN, 4: DOWN, 0: UP, 7: UP}),
    ),
)
def test_plan_against_theory(sides, enhanced, weakened):
    plan = plan_gains(selection(), n_components=12, gain_db=6.0, sides=sides)
    np.testing.assert_allclose(plan.enhanced, [enhanced.get(k, 1.0) for k in range(12)], rtol=1e-12)
    np.testing.assert_allclose(plan.weakened, [weakened.get(k, 1.0) for k in range(12)], rtol=1e-12)
    np.testing.assert_array_equal(plan.original, np.ones(12))
    np.testing.assert_array_equal(np.flatnonzero(plan.positive), [1, 4])
    np.testing.assert_array_equal(np.flatnonzero(plan.negative), [0, 7])
    assert set(plan.positive) == set(plan.negative) == {0.0, 1.0}
    assert list(plan.versions()) == ["original", "enhanced", "weakened", "positive", "negative"]


@given(gain_db=st.floats(0, 40), sides=st.sampled_from(("positive", "negative", "both")))
@settings(max_examples=20)
def test_plan_against_theory_weakening_undoes_enhancing(gain_db, sides):
    plan = plan_gains(selection(), n_components=12, gain_db=gain_db, sides=sides)
    np.testing.assert_allclose(plan.enhanced * plan.weakened, 1.0, rtol=1e-12)


def test_plan_against_theory_no_gain_or_nothing_selected_changes_nothing():
    for plan in (
        plan_gains(selection(), n_components=12, gain_db=0.0, sides="both"),
        plan_gains(selection((), ()), n_components=12, gain_db=6.0, sides="both"),
    ):
        np.testing.assert_array_equal(plan.enhanced, np.ones(12))
        np.testing.assert_array_equal(plan.weakened, np.ones(12))


@pytest.mark.parametrize("gain_db", (6.0, 40.0))
def test_versions_against_theory_none_clips_and_all_share_one_gain(components, gain_db):
    plan = plan_gains(selection(range(12), ()), n_components=12, gain_db=gain_db)
    versions = render_versions(components, plan)
    peaks = {name: float(np.abs(y).max()) for name, y in versions.waveforms.items()}
    assert max(peaks.values()) <= 1.0
    loudest = 0.5 * amplitude(gain_db)  # the clip's peak is 0.5 and all of it is turned up
    factor = min(1.0, CEILING / loudest)
    assert versions.static_gain_db == pytest.approx(20 * np.log10(factor), abs=1e-3)
    for name, gains in plan.versions().items():
        np.testing.assert_allclose(versions.waveforms[name], factor * components.render(gains), atol=1e-6)


def test_versions_against_theory_no_gain_where_none_would_clip(components):
    versions = render_versions(components, plan_gains(selection(), n_components=12, gain_db=1.0))
    assert versions.static_gain_db == 0.0
    np.testing.assert_array_equal(versions.waveforms["original"], components.render(np.ones(12)))
    parts = versions.waveforms["positive"] + versions.waveforms["negative"]
    rest = components.render(~np.isin(np.arange(12), [1, 4, 0, 7]))
    np.testing.assert_allclose(parts + rest, versions.waveforms["original"], atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "message"),
    (
        ({"gain_db": -1.0}, "gain_db must be a finite number in 0..40, got -1"),
        ({"gain_db": 41.0}, "gain_db must be a finite number in 0..40"),
        ({"gain_db": np.nan}, "gain_db must be a finite number"),
        ({"gain_db": "loud"}, "gain_db must be a number, got 'loud'"),
        ({"sides": "left"}, "sides must be one of positive, negative, both, got 'left'"),
    ),
)
def test_plan_iv(changed, message):
    with pytest.raises(InputError, match=message):
        plan_gains(selection(), **({"n_components": 12, "gain_db": 6.0} | changed))
