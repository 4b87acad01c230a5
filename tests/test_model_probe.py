"""The probe: models that can be explained pass, and each kind that cannot is told by its name."""

import re

import numpy as np
import pytest
import torch
from fakes import tiny_checkpoint, tones

from emomod.errors import EmomodError, InputError
from emomod.model.other import Model
from emomod.model.predictor import Takes, load_predictor
from emomod.model.probe import ALONE, SAME, probe

Y = tones(1.0)


def level(waveforms):
    """Scores that lie within 0..1 and change with the sound."""
    return np.stack([np.abs(waveforms).max(axis=1), np.abs(waveforms[:, :500]).mean(axis=1)], axis=1)


def model(scorer, **settings):
    return Model(scorer, **({"names": ("happy", "calm")} | settings))


def test_probe_against_models_that_can_be_explained(tmp_path):
    assert probe(model(level), Y) == ()
    assert probe(model(lambda cells: 0.5 * level(cells[:, 20]), takes="spectrogram"), Y) == ()
    assert probe(load_predictor(tiny_checkpoint(tmp_path / "t.safetensors"), device="cpu"), Y) == ()


def test_probe_against_itself_the_sound_is_left_as_it_is():
    y = Y.copy()
    probe(model(lambda waveforms: level(waveforms.__imul__(2.0))), y)
    assert np.array_equal(y, Y)


def test_probe_against_models_that_write_into_what_they_are_given():
    class Halving:
        names, mid_to_emotion, device = ("happy",), None, torch.device("cpu")
        takes: Takes = "waveform"

        def __call__(self, sounds, /):
            return sounds.mul_(0.5).abs().amax(dim=1, keepdim=True)

    assert probe(Halving(), Y) == ()  # a card is not needed


def test_probe_iv_a_model_that_is_not_deterministic():
    rng = np.random.default_rng(0)
    told = (
        r"must give the same scores for the same sounds, but (happy|calm) differs by 0\.\d+ when they are given again"
    )
    with pytest.raises(EmomodError, match=told):
        probe(model(lambda waveforms: level(waveforms) + 0.1 * rng.random((len(waveforms), 2))), Y)
    calls = []

    def jumping(waveforms):
        calls.append(1)
        return level(waveforms) + np.array([0.5 * (len(calls) > 1), 0.0])

    with pytest.raises(EmomodError, match=r"but happy differs by 0\.5 when they are given again"):
        probe(model(jumping), Y)

    class Dropping(torch.nn.Module):
        def forward(self, waveforms):
            return torch.nn.functional.dropout(waveforms[:, :4410].abs(), training=True).mean(dim=1, keepdim=True)

    with pytest.raises(EmomodError, match="dropout or random numbers"):
        probe(Model(Dropping(), names=("happy",)), Y)


@pytest.mark.parametrize("share", (0.5, 2.0))
def test_probe_against_its_tolerance(share):
    """Differences are counted in units of the scale, here 0..10."""
    calls = []

    def drifting(waveforms):
        calls.append(1)
        return 10.0 * level(waveforms) * [1.0, 0.0] + [0.0, 10.0 * SAME * share * (len(calls) % 2)]

    wrapped = model(drifting, scale=(0, 10), names=("happy", "calm"))
    if share < 1:
        assert len(probe(wrapped, Y)) == 1  # calm does not change with the sound
    else:
        with pytest.raises(EmomodError, match=r"calm differs by 0\.0002 when"):
            probe(wrapped, Y)


def test_probe_iv_a_model_that_hears_its_batch():
    told = r"must score every sound by itself, but (happy|calm) differs by 0\.\d+ beside other sounds \(batch norm in"
    with pytest.raises(EmomodError, match=told):
        probe(model(lambda waveforms: level(waveforms) / level(waveforms).sum(axis=0)), Y)
    with pytest.raises(EmomodError, match=told):
        probe(model(lambda waveforms: level(waveforms / np.abs(waveforms).max()) * [1, 0] + level(waveforms).mean()), Y)

    class Normalising(torch.nn.Module):
        def forward(self, waveforms):
            frames = waveforms[:, :800].view(-1, 2, 400).abs().mean(dim=2)
            return torch.nn.functional.batch_norm(frames, None, None, training=True)

    with pytest.raises(EmomodError, match=told):
        probe(model(Normalising()), Y)
    assert ALONE > SAME


@pytest.mark.parametrize(
    ("output", "told"),
    (
        (np.zeros((4, 3)), r"must give scores of shape \(4, 2\), got \(4, 3\)"),
        (np.full((4, 2), np.nan), "must give finite scores, got 8 that are not"),
        ("happy", r"must give real numbers \[n, 2\], got a str"),
    ),
)
def test_probe_iv_output(output, told):
    with pytest.raises(EmomodError, match=told):
        probe(model(lambda waveforms: output), Y)
    with pytest.raises(
        EmomodError, match=r"the model <?\w+>? raises ZeroDivisionError: .* \(test_model_probe.py, line \d+\)"
    ):
        probe(model(lambda waveforms: 1 / 0), Y)
    with pytest.raises(InputError, match="must not be silent"):
        probe(model(level), np.zeros(22050, dtype=np.float32))


def test_probe_against_scales_that_do_not_fit():
    remarks = probe(model(lambda waveforms: 7.0 * level(waveforms), names=("happy", "calm")), Y)
    assert remarks == (f"happy is {7 * np.abs(Y).max():.3g}, outside of the scale 0 to 1 that the model's card states",)
    assert probe(model(lambda waveforms: 7.0 * level(waveforms), scale=(0.0, 7.0)), Y) == ()


def test_probe_against_scores_that_stay():
    (remark,) = probe(model(lambda waveforms: level(waveforms) * [1.0, 0.0]), Y)
    assert remark.startswith("calm did not change when the sound was turned down, reversed and cut")
    (remark,) = probe(model(lambda waveforms: np.full((len(waveforms), 3), 0.5), names=("a", "b", "c")), Y)
    assert remark.startswith("a and 2 others did not change")


def test_probe_against_models_that_cannot_hear_silence():
    def normalised(waveforms):
        with np.errstate(invalid="ignore", divide="ignore"):
            return level(waveforms / np.abs(waveforms).max(axis=1, keepdims=True)) * [0.0, 1.0] + level(waveforms)

    (remark,) = probe(model(normalised, scale=(0.0, 2.0)), Y)
    assert re.fullmatch(r"parts cannot be switched off to silence: in silence, the model must give finite .*", remark)
