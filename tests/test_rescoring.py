import numpy as np
import pytest
import torch
from fakes import LinearPredict, grid_components
from hypothesis import given, settings
from hypothesis import strategies as st

from emomod.audio import quantise, write_wav
from emomod.components.base import sound_of
from emomod.components.layered import layered
from emomod.errors import InputError
from emomod.model.predictor import Takes, score_waveform
from emomod.modification import CEILING
from emomod.rescoring import (
    ControlShifts,
    ScoreShift,
    control_shifts,
    draw_control,
    score_file,
    snr_db,
)

BITS = 16


@pytest.fixture(scope="module")
def components():
    return grid_components(rows=6, columns=4)


@pytest.fixture(scope="module")
def predict(components):
    """Hears components 5 and 6 alone, as a share of the whole: the first score is for them, the second against."""
    heard = torch.from_numpy(np.isin(components.regions, [5, 6]) / components.cell_magnitudes().sum())
    return LinearPredict(torch.stack([heard, -heard]), ("liked", "disliked"))


def changed(chosen, factor, n=24):
    gains = np.ones(n)
    gains[list(chosen)] = factor
    return gains


def test_score_file_against_score_waveform(tmp_path, predict, components):
    y = components.render(np.ones(24))
    path = write_wav(tmp_path / "a.wav", y, bits=24)
    np.testing.assert_allclose(score_file(predict, path), score_waveform(predict, y), rtol=1e-4)


@pytest.mark.parametrize(("noise", "expected"), ((0.1, 20.0), (0.001, 60.0), (1.0, 0.0)))
def test_snr_against_theory(noise, expected):
    reference = np.tile([1.0, -1.0], 500)
    assert snr_db(reference, reference + noise) == pytest.approx(expected)
    assert snr_db(reference, reference) == np.inf


SHIFTS = ControlShifts("count", np.array([[0.1, -0.1], [0.3, -0.3], [-0.5, 0.5], [0.2, 0.0]]), 1.0)


@pytest.mark.parametrize(
    ("shift", "direction", "p_value", "share"),
    (
        (0.3, 1.0, 2 / 5, 3 / 4),  # one control moved as far up
        (0.31, 1.0, 1 / 5, 1.0),  # none did
        (-1.0, 1.0, 5 / 5, 0.0),
        (-0.5, -1.0, 2 / 5, 3 / 4),
        (0.05, -1.0, 2 / 5, 3 / 4),  # one control moved further down
    ),
)
def test_p_value_against_theory(shift, direction, p_value, share):
    assert SHIFTS.p_value(shift, column=0, direction=direction) == pytest.approx(p_value)
    assert SHIFTS.share_beaten(shift, column=0, direction=direction) == pytest.approx(share)


def test_p_values_against_theory_two_sided():
    np.testing.assert_allclose(SHIFTS.p_values(np.array([0.3, -0.05])), [3 / 5, 4 / 5])


def test_p_value_against_theory_calibrated(rng):
    found = [
        ControlShifts("count", rng.normal(size=(19, 1)), 1.0).p_value(float(rng.normal()), column=0, direction=1.0)
        for _ in range(2000)
    ]
    for level in (0.05, 0.25, 0.5):
        assert np.mean(np.array(found) <= level + 1e-9) == pytest.approx(level, abs=0.03)


@given(seed=st.integers(0, 999), n_up=st.integers(0, 6), n_down=st.integers(0, 6))
@settings(max_examples=25)
def test_draw_control_against_theory_same_count(seed, n_up, n_down):
    gains, energies = changed(range(n_up), 2.0), np.random.default_rng(seed).random(24)
    gains[6 : 6 + n_down] = 0.5
    drawn = draw_control(gains, energies, kind="count", rng=seed)
    assert np.array_equal(np.sort(drawn), np.sort(gains))
    assert np.array_equal(drawn, draw_control(gains, energies, kind="count", rng=seed))


@pytest.mark.parametrize("n_chosen", (1, 3, 30))
def test_draw_control_against_theory_same_energy_among_uneven_components(rng, n_chosen):
    energies, gains = rng.lognormal(sigma=2.0, size=300), changed(rng.permutation(300)[:n_chosen], 2.0, n=300)
    drawn = np.array(
        [energies[draw_control(gains, energies, kind="energy", rng=seed) == 2.0].sum() for seed in range(200)]
    )
    ratios = drawn / energies[gains == 2.0].sum()
    assert 0.9 < np.median(ratios) < 1.1
    assert np.quantile(ratios, [0.05, 0.95]) == pytest.approx([1.0, 1.0], abs=0.35)


@given(seed=st.integers(0, 999), n_up=st.integers(1, 10), n_down=st.integers(0, 6))
@settings(max_examples=25)
def test_draw_control_against_theory_same_energy(seed, n_up, n_down):
    energies = np.random.default_rng(seed).random(200) + 0.5
    gains = changed(range(n_up), 2.0, n=200)
    gains[100 : 100 + n_down] = 0.5
    drawn = draw_control(gains, energies, kind="energy", rng=seed)
    for factor in np.unique(gains):
        assert energies[drawn == factor].sum() == pytest.approx(
            energies[gains == factor].sum(), abs=2 * 1.5
        )  # a component or two
    assert set(drawn) == set(gains)


def test_draw_control_against_theory_every_component_has_its_turn():
    gains, energies = changed([3, 4], 2.0), np.ones(24)
    for kind in ("count", "energy"):
        drawn = np.array([draw_control(gains, energies, kind=kind, rng=seed) for seed in range(600)])
        share = (drawn != 1.0).mean(axis=0)
        assert np.abs(share - 2 / 24).max() < 5 * np.sqrt(2 / 24 / 600)


@pytest.mark.parametrize("kind", ("count", "energy"))
@pytest.mark.parametrize(("factor", "direction"), ((2.0, 1.0), (0.5, -1.0)))
def test_controls_against_a_planted_model(predict, components, kind, factor, direction):
    gains = changed([5, 6], factor)
    controls = control_shifts(predict, components, gains, kind=kind, n_controls=19, seed=0, bits=BITS)
    shift = score_waveform(predict, components.render(gains)) - score_waveform(predict, components.render(np.ones(24)))
    assert shift[0] * direction > 0
    assert controls.shifts.shape == (19, 2)
    assert controls.p_value(shift[0], column=0, direction=direction) <= 0.05
    assert controls.share_beaten(shift[0], column=0, direction=direction) >= 0.95
    assert controls.p_value(shift[1], column=1, direction=direction) >= 0.95  # the score that they speak against
    assert controls.p_values(shift)[1] <= 0.05
    assert 0.3 < controls.energy_ratio < 3 or kind == "count"


@pytest.mark.parametrize("kind", ("count", "energy"))
def test_controls_against_theory_no_change_proves_nothing(predict, components, kind):
    controls = control_shifts(predict, components, np.ones(24), kind=kind, n_controls=3, seed=0, bits=BITS)
    assert np.abs(controls.shifts).max() < 1e-12
    assert controls.p_value(0.0, column=0, direction=1.0) == 1.0
    assert (controls.p_values(np.zeros(2)) == 1.0).all()
    assert controls.share_beaten(0.0, column=0, direction=1.0) == 0.0


def test_controls_against_theory_a_change_of_silence_has_no_energy_ratio(predict):
    y = np.zeros(22050, dtype=np.float32)
    y[9000] = 0.5
    sound = sound_of(y)
    silent = sound.spectrogram.log_spectrogram.numpy().sum(axis=0) == 0.0
    components = layered(sound, regions=np.where(silent, 0, 1) + np.zeros(sound.spectrogram.shape, dtype=int))
    for gains, ratio in ((changed([0], 2.0, n=2), np.nan), (changed([0, 1], 2.0, n=2), 1.0)):
        found = control_shifts(predict, components, gains, kind="count", n_controls=3, seed=0, bits=BITS)
        assert found.energy_ratio == pytest.approx(ratio, nan_ok=True)


def test_controls_against_itself_more_of_them_begin_with_the_same(predict, components):
    few, many, other = (
        control_shifts(predict, components, changed([5], 2.0), kind="count", n_controls=n, seed=seed, bits=BITS).shifts
        for n, seed in ((2, 0), (4, 0), (4, 1))
    )
    assert np.array_equal(many[:2], few)
    assert not np.array_equal(many, other)


def test_controls_iv(predict, components):
    with pytest.raises(InputError, match="kind must be one of count, energy, got 'size'"):
        draw_control(np.ones(3), np.ones(3), kind="size", rng=0)
    with pytest.raises(InputError, match="n_controls must be a whole number of at least 1"):
        control_shifts(predict, components, np.ones(24), kind="count", n_controls=0, seed=0, bits=BITS)


def test_score_shift_against_theory_is_after_minus_before():
    found = ScoreShift(("a", "b"), "enhanced", np.array([0.5, 0.2]), np.array([0.75, 0.1]), ())
    np.testing.assert_allclose(found.shift, [0.25, -0.1])


def test_score_file_against_theory_ten_seconds_from_the_start(tmp_path, predict, components):
    """The sound begins after twelve seconds of silence."""
    y = components.render(np.ones(24))
    path = write_wav(tmp_path / "a.wav", np.concatenate([np.zeros(12 * 22050, dtype=np.float32), y]), bits=24)
    with pytest.raises(InputError, match="is silent from 0 s to 10 s"):
        score_file(predict, path)
    heard = score_file(predict, path, start=12.0, seconds=1.0)
    np.testing.assert_allclose(heard, score_waveform(predict, y), rtol=1e-3)


@pytest.mark.parametrize(
    ("energies", "chosen", "possible"),
    (
        ([2.0, 1.0, 1.0, 9.0], 0, {(0,), (1, 2)}),  # two units of energy: one component or two
        ([3.0, 3.0, 3.0, 3.0], 2, {(0,), (1,), (2,), (3,)}),
        ([3.0, 2.0, 1.5], 0, {(0,), (1, 2)}),  # a last one may exceed what is missing, where that comes nearer
        ([1.0, 1.0, 100.0, 100.0], 0, {(0,), (1,)}),  # what holds a hundred times as much is never taken
    ),
)
def test_draw_control_against_theory_every_draw_of_the_same_energy(energies, chosen, possible):
    gains = changed([chosen], 2.0, n=len(energies))
    found = {
        tuple(np.flatnonzero(draw_control(gains, np.array(energies), kind="energy", rng=seed) == 2.0).tolist())
        for seed in range(60)
    }
    assert found == possible


class Loud:
    """A model of waveforms that hears how loud they are."""

    names, mid_to_emotion, device = ("loud",), None, torch.device("cpu")
    takes: Takes = "waveform"

    def __call__(self, sounds):
        return sounds.double().square().mean(dim=1, keepdim=True).sqrt()


def test_controls_against_theory_are_at_the_level_of_the_versions(components):
    """A control with the gains of the version moves the score exactly as far, also where the model hears the level."""
    gains = np.full(24, 2.0)
    level = -9.0
    found = control_shifts(Loud(), components, gains, kind="count", n_controls=2, seed=0, bits=24, static_gain_db=level)
    factor = np.float32(10 ** (level / 20))
    versions = (components.render(each) * factor for each in (np.ones(24), gains))
    before, after = (score_waveform(Loud(), quantise(y, bits=24)) for y in versions)
    np.testing.assert_allclose(found.shifts, np.tile(after - before, (2, 1)), atol=1e-9)
    assert found.n_others == 0  # all components are changed, so that there is no other choice


def test_controls_against_theory_that_would_clip_are_compared_at_softer_levels(components):
    gains, whole, levels = changed([5, 6], 50.0), components.render(np.ones(24)), set()
    found = control_shifts(Loud(), components, gains, kind="count", n_controls=6, seed=0, bits=24)
    for index, shift in enumerate(found.shifts):
        drawn = draw_control(gains, components.energies(), kind="count", rng=np.random.default_rng([0, index]))
        y = components.render(drawn)
        beyond_db = 20.0 * np.log10(max(np.abs(y).max(), np.abs(whole).max()) / CEILING)
        level = np.float32(10.0 ** (-max(np.ceil(beyond_db), 0.0) / 20.0))
        assert np.abs(y * level).max() <= CEILING
        before, after = (score_waveform(Loud(), quantise(each * level, bits=24)) for each in (whole, y))
        np.testing.assert_allclose(shift, after - before, atol=1e-6)
        levels.add(float(level))
    assert len(levels) > 1


def test_controls_against_theory_count_the_other_choices(predict, components):
    found = control_shifts(predict, components, changed([5], 2.0), kind="count", n_controls=99, seed=0, bits=BITS)
    assert found.n_others == 23
