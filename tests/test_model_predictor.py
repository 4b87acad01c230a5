"""The seam between emomod and a model: what is refused, and what comes back unchanged."""

import numpy as np
import pytest
import torch
from fakes import LinearPredict, tiny_checkpoint

from emomod.errors import EmomodError, InputError
from emomod.labels import EMOTION_NAMES, SCORE_NAMES
from emomod.model import predictor as seam
from emomod.model.predictor import best_device, checked_scores, load_predictor


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return load_predictor(tiny_checkpoint(tmp_path_factory.mktemp("model") / "t.safetensors"), device="cpu")


@pytest.fixture(scope="module")
def clips():
    return torch.rand(5, 149, 60, generator=torch.Generator().manual_seed(0))


def test_predictor_against_its_network(predictor, clips):
    with torch.inference_mode():
        expected = predictor.checkpoint.network(clips)
    np.testing.assert_allclose(predictor(clips).numpy(), expected.numpy(), atol=1e-5)  # float32, by another engine
    assert not predictor(clips).requires_grad
    assert predictor(clips).dtype == torch.float32
    assert predictor.names == SCORE_NAMES
    assert predictor.window_seconds == 2.0


def test_predictor_against_itself_a_clip_does_not_hear_its_neighbours(predictor, clips):
    one_by_one = np.array([predictor(clip[None])[0].numpy() for clip in clips])
    np.testing.assert_allclose(predictor(clips).numpy(), one_by_one, atol=1e-5)  # float32, in other batches
    assert np.ptp(one_by_one, axis=0).min() > 0


def test_predictor_against_theory_its_emotions_are_the_layer_of_its_features(predictor, clips):
    scores = predictor(clips).double().numpy()
    np.testing.assert_allclose(predictor.mid_to_emotion.emotions(scores[:, :7]), scores[:, 7:], atol=1e-5)


def test_predictor_against_the_design_one_level(tmp_path, clips):
    alone = load_predictor(tiny_checkpoint(tmp_path / "t.safetensors", architecture="a2e"), device="cpu")
    assert alone.mid_to_emotion is None
    assert alone.names == EMOTION_NAMES
    assert alone(clips).shape == (5, 8)
    with pytest.raises(InputError, match=r"target must be one of valence, .*, got 'articulation'"):
        alone.check_name("articulation")
    assert alone.check_name("fear") == "fear"


def test_load_predictor_against_the_design_the_default_is_the_one_that_ships():
    shipped = load_predictor(device="cpu")
    assert shipped.window_seconds == 10.0
    assert shipped.device == torch.device("cpu")
    assert not shipped.checkpoint.network.training


@pytest.mark.parametrize(("available", "device"), [(True, "cuda"), (False, "cpu")])
def test_best_device_against_torch(monkeypatch, available, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert best_device() == device


def test_load_predictor_iv(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="this PyTorch finds no NVIDIA GPU"):
        load_predictor(device="cuda")
    with pytest.raises(InputError, match="device must be one of cpu, cuda, got 'tpu'"):
        load_predictor(device="tpu")
    loaded: list[object] = []
    monkeypatch.setattr(seam, "load_checkpoint", loaded.append)
    with pytest.raises(InputError, match="device must be"):
        load_predictor(tmp_path, device="mps")
    assert not loaded  # the device is looked at first


LINEAR = LinearPredict(torch.zeros(2, 3, 4), ("liked", "disliked"))


@pytest.mark.parametrize("shape", [(3, 1), (2, 2), (6,), (3, 2, 1)])
def test_checked_scores_iv_shape(shape):
    with pytest.raises(EmomodError, match=r"scores of shape \(3, 2\), got \("):
        checked_scores(LINEAR, torch.zeros(shape), n=3)


def test_checked_scores_iv_not_finite():
    scores = torch.zeros(3, 2)
    scores[1, 0], scores[2, 1] = torch.nan, -torch.inf
    with pytest.raises(EmomodError, match="finite scores, got 2 that are not"):
        checked_scores(LINEAR, scores, n=3)


def test_checked_scores_against_itself_values_stay():
    scores = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    found = checked_scores(LINEAR, scores, n=2)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, scores.double().numpy())
