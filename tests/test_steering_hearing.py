"""From gains to scores: against files written and read, against finite differences."""

import numpy as np
import pytest
import torch
from fakes import DecibelPredict, decibel_problem, grid_components, tones
from small_runs import small_predictor

from emomod.audio import write_wav
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.model.predictor import load_predictor, score_waveforms
from emomod.rescoring import score_file
from emomod.steering.hearing import Hearing, Listener, amplitudes


@pytest.fixture(scope="module")
def hearing():
    """The default model, as it is and 352 samples later, on a sound of 1 s in segments."""
    predictor = load_predictor(device="cpu")
    components = cut(sound_of(tones(1.0)), "grid:columns=4,rows=4")
    return Hearing((Listener(predictor), Listener(predictor, 352)), components)


def some_gains(rng, hearing, n=2):
    return rng.uniform(-9.0, 9.0, (n, hearing.components.n_components))


def test_amplitudes_against_arithmetic():
    found = amplitudes(torch.tensor([0.0, 20.0, -6.0206], dtype=torch.float64))
    np.testing.assert_allclose(found, [1.0, 10.0, 0.5], rtol=1e-6)


def test_hearing_against_files_written_read_and_scored(rng, hearing, tmp_path):
    gains = some_gains(rng, hearing)
    with torch.no_grad():
        sounds = hearing.sound(torch.from_numpy(gains).float())
        ours = hearing.differentiable(sounds).double().numpy()
    for k, each in enumerate(gains):
        y = hearing.components.render(10.0 ** (each / 20.0))
        for listener, later in enumerate((0, 352)):
            moved = np.pad(y, (later, 0))[: y.size]
            write_wav(tmp_path / "it.wav", moved / np.abs(moved).max() * np.float32(0.7), bits=24)
            theirs = score_file(hearing.predict, tmp_path / "it.wav")
            np.testing.assert_allclose(ours[listener, k], theirs, atol=1e-5)
    assert np.abs(ours[:, 0] - ours[:, 1]).max() > 0.01
    np.testing.assert_allclose(hearing.scores(gains), ours, atol=1e-5)


def test_hearing_against_itself_how_many_at_once_does_not_matter(rng, hearing):
    gains = some_gains(rng, hearing, n=6)
    one_by_one = np.concatenate([hearing.scores(each[None]) for each in gains], axis=1)
    np.testing.assert_allclose(hearing.scores(gains), one_by_one, atol=1e-5)
    assert one_by_one.shape == (2, 6, 15)


def test_hearing_against_finite_differences(rng):
    components = grid_components()
    hearing = Hearing((Listener(small_predictor()), Listener(small_predictor(), 352)), components)
    at = torch.from_numpy(rng.uniform(-3.0, 3.0, (1, 12))).requires_grad_()
    scores = hearing.differentiable(hearing.sound(at.float()))[:, 0, :7].sum()
    (slope,) = torch.autograd.grad(scores, at)
    for part in range(0, 12, 3):
        step = 0.1 * np.eye(12)[None, part]
        ahead, behind = (hearing.scores(at.detach().numpy() + side * step)[:, 0, :7].sum() for side in (1, -1))
        assert float(slope[0, part]) == pytest.approx((ahead - behind) / 0.2, abs=0.02 * float(slope.abs().max()))


def test_listener_against_arithmetic_the_sound_comes_later_and_its_end_is_lost():
    predictor, y = small_predictor(), tones(1.0)
    ours = Listener(predictor, 1000).scores(y[None])
    theirs = score_waveforms(predictor, [np.concatenate([np.zeros(1000, dtype=np.float32), y[:-1000]])])
    np.testing.assert_array_equal(ours, theirs)


def test_can_differentiate_only_if_all_models_can():
    smooth, rough = decibel_problem(np.ones((1, 2))), decibel_problem(np.ones((1, 2)), smooth=False)
    assert smooth.hearing.can_differentiate
    assert not rough.hearing.can_differentiate
    assert isinstance(rough.hearing.predict, DecibelPredict)
    assert not Hearing(
        (*smooth.hearing.listeners, *rough.hearing.listeners), smooth.hearing.components
    ).can_differentiate
