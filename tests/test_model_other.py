"""Models of other people: what they are given, what may come back, their cards, and what is refused."""

import functools
import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import tones
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.errors import EmomodError, InputError
from emomod.model.other import Model, ModuleModel
from emomod.model.predictor import Differentiable, ScoringModel, checked_scores, score_waveform
from emomod.spectrogram import compute_spectrogram

NAMES = ("loud", "rough")


def loud_and_rough(waveforms):
    """Level and mean step: two scores that are easily computed by hand."""
    return np.stack([np.abs(waveforms).mean(axis=1), np.abs(np.diff(waveforms, axis=1)).mean(axis=1)], axis=1)


class Net(torch.nn.Module):
    """A network on waveforms of any length, with something of all that evaluation mode changes."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layers = torch.nn.Sequential(
                torch.nn.Conv1d(1, 8, 64, stride=16), torch.nn.BatchNorm1d(8), torch.nn.Softplus(), torch.nn.Dropout()
            )
            self.head = torch.nn.Linear(8, 2)

    def forward(self, waveforms):
        return torch.sigmoid(self.head(self.layers(waveforms[:, None]).mean(dim=2)))


class Listener:
    """A model that keeps what it was given."""

    def __init__(self) -> None:
        self.heard: NDArray[Any] = np.zeros(0)

    def __call__(self, sounds):
        self.heard = sounds
        return np.zeros((len(sounds), 2))


@pytest.fixture(scope="module")
def sounds():
    return torch.from_numpy(np.array([tones(1.0, seed=seed) for seed in range(3)]))


def test_model_against_its_function(sounds):
    model: ScoringModel = Model(loud_and_rough, names=NAMES)  # the protocol that jobs ask for
    np.testing.assert_allclose(model(sounds), loud_and_rough(sounds.numpy()), rtol=1e-6)
    np.testing.assert_allclose(score_waveform(model, sounds[1].numpy()), loud_and_rough(sounds[1:2].numpy())[0])
    assert model.names == NAMES
    assert model.takes == "waveform"
    assert model.device == torch.device("cpu")
    assert model.origin == ""
    assert model.window_seconds == 10.0
    assert Model(loud_and_rough, names=NAMES).mid_to_emotion is None
    assert not isinstance(model, Differentiable)  # a function has no gradients


def test_model_against_the_contract_what_a_function_is_given(sounds):
    listener = Listener()
    Model(listener, names=NAMES)(sounds.double())
    assert isinstance(listener.heard, np.ndarray)
    assert listener.heard.dtype == np.float32
    assert listener.heard.flags.c_contiguous
    np.testing.assert_array_equal(listener.heard, sounds)
    listener.heard[:] = 0.0
    assert sounds.any()  # it was a copy


def test_model_against_theory_a_sine_arrives_as_that_sine():
    listener, time = Listener(), np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    sine = torch.from_numpy(np.sin(2 * np.pi * 1000 * time).astype(np.float32))
    Model(listener, names=NAMES, sample_rate=16000, window_seconds=3.0)(sine[None])
    assert listener.heard.shape == (1, 48000)
    expected = np.sin(2 * np.pi * 1000 * np.arange(48000) / 16000)
    np.testing.assert_allclose(listener.heard[0, 800:-800], expected[800:-800], atol=1e-3)  # its ends are cut off
    assert np.abs(np.fft.rfft(listener.heard[0])).argmax() / 3.0 == 1000.0  # Hz


@pytest.mark.parametrize("sample_rate", (8000, 16000, 22050, 44100))
@pytest.mark.parametrize("window_seconds", (0.5, 2.9852, 3.0))
def test_model_against_the_card_a_whole_window_has_the_length_that_the_model_expects(sample_rate, window_seconds):
    listener = Listener()
    model = Model(listener, names=NAMES, sample_rate=sample_rate, window_seconds=window_seconds)
    n = round(window_seconds * SAMPLE_RATE)  # as read_clip cuts it
    model(torch.rand(2, n))
    assert listener.heard.shape == (2, round(window_seconds * sample_rate))
    model(torch.rand(2, n // 2))
    assert listener.heard.shape == (2, round(n // 2 / SAMPLE_RATE * sample_rate))  # shorter stays shorter


def test_model_against_the_contract_spectrograms():
    listener = Listener()
    model = Model(listener, names=NAMES, takes="spectrogram", window_seconds=1.0)
    spectrogram = compute_spectrogram(tones(1.0)).log_spectrogram
    assert checked_scores(model, model(torch.stack([spectrogram] * 2)), n=2).shape == (2, 2)
    assert listener.heard.shape == (2, 149, 31)
    np.testing.assert_array_equal(listener.heard[1], spectrogram)
    images = torch.ones(1, 149, 10)
    model(images)
    listener.heard[:] = 0.0
    assert images.all()  # it was a copy
    with pytest.raises(InputError, match="sounds must be within window_seconds, 1 s: 31 frames, got 32"):
        model(torch.zeros(1, 149, 32))


def test_model_iv_sounds_that_are_too_long(sounds):
    model = Model(loud_and_rough, names=NAMES, window_seconds=0.5)
    with pytest.raises(InputError, match=r"within window_seconds, 0.5 s: 11025 samples at 22050 Hz, got 22050"):
        model(sounds)


@pytest.mark.parametrize(
    "kind",
    (
        lambda scores: scores,
        torch.from_numpy,
        lambda scores: torch.nn.Parameter(torch.from_numpy(scores)),
        lambda scores: scores.tolist(),
        lambda scores: [tuple(row) for row in scores],
        lambda scores: [list(torch.from_numpy(row)) for row in scores],
    ),
    ids=("numpy", "torch", "with gradients", "lists", "tuples", "lists of tensors"),
)
def test_model_against_itself_kinds_of_output(sounds, kind):
    model = Model(lambda waveforms: kind(loud_and_rough(waveforms)), names=NAMES)
    found = checked_scores(model, model(sounds), n=3)
    np.testing.assert_allclose(found, loud_and_rough(sounds.numpy()), rtol=1e-6)
    assert not model(sounds).requires_grad


def test_module_against_the_module(sounds):
    net = Net()
    model = Model(net, names=NAMES, window_seconds=1.0)
    assert isinstance(model, ModuleModel)
    assert isinstance(model, Differentiable)
    assert model.module is net
    assert not net.training
    with torch.no_grad():
        assert torch.equal(model(sounds), net(sounds))
    assert not model(sounds).requires_grad
    assert model.differentiable(sounds).requires_grad
    np.testing.assert_allclose(model.differentiable(sounds).detach(), model(sounds))


def test_module_against_itself_after_it_was_trained_on(sounds):
    net = Net()
    model, before = Model(net, names=NAMES), Model(net, names=NAMES)(sounds)
    net.train()
    assert torch.equal(model(sounds), before)  # neither dropout nor the batch's statistics
    assert not net.training


def test_module_against_finite_differences():
    """Through the resampler and a network in double precision."""
    model = Model(Net().double(), names=NAMES, sample_rate=16000, window_seconds=1.0)
    assert isinstance(model, ModuleModel)
    generator = torch.Generator().manual_seed(0)
    y = 0.1 * torch.randn(1, 2000, generator=generator, dtype=torch.float64)
    direction = torch.randn(1, 2000, generator=generator, dtype=torch.float64)
    given = y.clone().requires_grad_()
    model.differentiable(given)[0, 1].backward()
    step = 1e-5
    slope = (model(y + step * direction) - model(y - step * direction))[0, 1] / (2 * step)
    assert given.grad is not None
    assert abs(float(slope)) > 1e-4
    assert float((given.grad * direction).sum()) == pytest.approx(float(slope), rel=1e-6)


def test_module_against_the_contract_types_and_scripts(sounds):
    doubled = Model(Net().double(), names=NAMES)
    assert doubled(sounds).dtype == torch.float64
    np.testing.assert_allclose(doubled(sounds), Model(Net(), names=NAMES)(sounds), atol=1e-6)
    bare = Model(torch.nn.AdaptiveAvgPool1d(2), names=NAMES)  # no parameters
    np.testing.assert_allclose(bare(sounds)[:, 0], sounds[:, :11025].mean(dim=1), atol=1e-7)


def test_module_iv(sounds):
    class Cut(torch.nn.Module):
        def __init__(self, change):
            super().__init__()
            self.change = change

        def forward(self, waveforms):
            return self.change(waveforms[:, :2])

    cut = Model(Cut(lambda scores: scores.detach()), names=NAMES, name="cut")
    assert isinstance(cut, ModuleModel)
    assert cut(sounds).shape == (3, 2)
    with pytest.raises(EmomodError, match=r"the model cut lets no gradients through \(detach, no_grad, or numpy"):
        cut.differentiable(sounds.clone().requires_grad_())
    with pytest.raises(EmomodError, match=r"must give real numbers \[n, 2\], got a tuple"):
        Model(Cut(lambda scores: (scores, 1)), names=NAMES)(sounds)
    with pytest.raises(EmomodError, match=r"must give real numbers \[n, 2\], got torch.complex64 \[3, 2\]"):
        Model(Cut(lambda scores: scores.to(torch.complex64)), names=NAMES)(sounds)


@pytest.mark.parametrize(
    ("output", "told"),
    (
        (None, "a NoneType"),
        ("happy", "a str"),
        ([["a", "b"]] * 3, r"<U1 \[3, 2\]"),
        (np.zeros((3, 2), dtype=complex), r"complex128 \[3, 2\]"),
        (torch.zeros(3, 2, dtype=torch.complex64), r"torch.complex64 \[3, 2\]"),
        ([[0.1, 0.2], [0.3], [0.4, 0.5]], "a list whose parts are of different lengths or kinds"),
        ({"happy": 0.1}, "a dict"),
    ),
    ids=repr,
)
def test_model_iv_output_that_is_no_numbers(sounds, output, told):
    model = Model(lambda waveforms: output, names=NAMES, name="mine")
    with pytest.raises(EmomodError, match=rf"the model mine must give real numbers \[n, 2\], got {told}$"):
        model(sounds)


@pytest.mark.parametrize(
    ("output", "told"),
    (
        (np.zeros(3), r"scores of shape \(3, 2\), got \(3,\)"),
        (np.zeros((2, 3)), r"scores of shape \(3, 2\), got \(2, 3\)"),
        (np.full((3, 2), np.nan), "finite scores, got 6 that are not"),
    ),
)
def test_model_iv_output_of_another_shape_or_not_finite(sounds, output, told):
    model = Model(lambda waveforms: output, names=NAMES)
    with pytest.raises(EmomodError, match=told):
        checked_scores(model, model(sounds), n=3)


def test_model_iv_a_model_that_raises(sounds):
    def broken(waveforms):
        return waveforms @ np.zeros((7, 2))

    line = broken.__code__.co_firstlineno + 1
    place, given = rf"\(test_model_other.py, line {line}\)", r"it was given float32 \[3, 22050\]"
    told = f"the model broken raises ValueError: matmul: .* {place}; {given}$"
    with pytest.raises(EmomodError, match=told) as caught:
        Model(broken, names=NAMES)(sounds)
    assert isinstance(caught.value.__cause__, ValueError)  # all of it for those who call from Python
    assert "\n" not in str(caught.value)
    with pytest.raises(EmomodError, match=f"the model Linear raises RuntimeError: .*; {given}$"):
        Model(torch.nn.Linear(7, 2), names=NAMES)(sounds)


def test_card_against_what_was_said():
    said: dict[str, Any] = {"names": ["loud", "rough"], "sample_rate": 44100.0, "window_seconds": 3, "scale": [-1, 1]}
    model = Model(loud_and_rough, **said, about={"license": "MIT"})
    card = json.loads(json.dumps(model.card))
    high = "the model is given 44100 Hz, but emomod's sounds hold nothing above 11025 Hz"
    assert card == {
        "license": "MIT",
        "name": "loud_and_rough",
        "sample_rate": 44100,
        "window_seconds": 3.0,
        "names": ["loud", "rough"],
        "takes": "waveform",
        "scale": [-1.0, 1.0],
        "notes": [high],
        "figures": {},
    }
    assert Model(loud_and_rough, names=NAMES, sample_rate=16000).card["notes"] == []


def test_names_of_models_against_what_they_are_called():
    def called(scorer):
        return Model(scorer, names=NAMES).name

    assert called(loud_and_rough) == "loud_and_rough"
    assert called(functools.partial(loud_and_rough)) == "loud_and_rough"
    assert called(Listener()) == "Listener"
    assert called(Listener().__call__) == "__call__"
    assert called(Net()) == "Net"
    assert called(lambda waveforms: waveforms) == "model"
    assert Model(Net(), names=NAMES, name="mine").name == "mine"


def test_sha256_of_functions_against_their_file():
    expected = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    for scorer in (loud_and_rough, functools.partial(loud_and_rough), Listener(), Listener().__call__):
        assert Model(scorer, names=NAMES).sha256 == expected
    assert Model(math.fsum, names=NAMES).sha256 == ""  # written in C
    assert (
        Model(torch.nn.Flatten(), names=NAMES).sha256
        == hashlib.sha256(Path(str(torch.nn.modules.flatten.__file__)).read_bytes()).hexdigest()
    )


def test_sha256_of_modules_against_their_numbers():
    net = Net()
    model = Model(net, names=NAMES)
    first = model.sha256
    assert len(first) == 64
    assert Model(Net(), names=NAMES).sha256 == first
    assert Model(Net(seed=1), names=NAMES).sha256 != first
    with torch.no_grad():
        net.head.bias[0] += 1e-6
    assert model.sha256 != first  # it is asked anew, since modules are trained on
    assert Model(Net().double(), names=NAMES).sha256 != first
    buffers = torch.nn.BatchNorm1d(2, affine=False)
    before = Model(buffers, names=NAMES).sha256
    assert buffers.running_mean is not None
    buffers.running_mean += 1.0
    assert Model(buffers, names=NAMES).sha256 != before


def test_check_name_against_the_names():
    model = Model(loud_and_rough, names=NAMES)
    assert model.check_name("rough") == "rough"
    with pytest.raises(InputError, match="target must be one of loud, rough, got 'happy'"):
        model.check_name("happy")


def test_to_against_the_contract():
    model = Model(loud_and_rough, names=NAMES, about={"by": "me"})
    moved = model.to(torch.device("meta"))
    assert (moved.device.type, model.device.type) == ("meta", "cpu")
    assert moved.card == model.card
    module = Model(Net(), names=NAMES).to(torch.device("meta"))
    assert isinstance(module, ModuleModel)
    assert module.device.type == "meta"
    assert next(module.module.parameters()).device.type == "meta"
    assert Model(Net().to("meta"), names=NAMES).device.type == "meta"  # where its parameters are


IV = {
    "scorer must be a callable, a torch.nn.Module or the path of an .onnx file, got a int": {"scorer": 3},
    "scorer must be a callable, a torch.nn.Module or the path of an .onnx file, got a Model": {
        "scorer": Model(loud_and_rough, names=NAMES)
    },
    "scorer must be an object, got the class Net; write Net()": {"scorer": Net},
    "names must be a list of words, one a score, got ()": {"names": ()},
    "names must be a list of words, one a score, got 'happy'": {"names": "happy"},
    "names must be a list of words, one a score, got None": {"names": None},
    "names must be words, got 3": {"names": ("happy", 3)},
    "names must be words, got ''": {"names": ("",)},
    "names must be words, got 'a\\nb'": {"names": ("a\nb",)},
    "names must be there once each, got 'happy' twice": {"names": ("happy", "sad", "happy")},
    "takes must be one of waveform, spectrogram, got 'mel'": {"takes": "mel"},
    "sample_rate must be a whole number of at least 1000, got 0": {"sample_rate": 0},
    "sample_rate must be a whole number of at least 1000, got -16000": {"sample_rate": -16000},
    "sample_rate must be a whole number of at least 1000, got 16000.5": {"sample_rate": 16000.5},
    "sample_rate must be a whole number of at least 1000, got nan": {"sample_rate": float("nan")},
    "sample_rate must be a whole number of at least 1000, got '16k'": {"sample_rate": "16k"},
    "sample_rate must be at most 192000 Hz, got 16000000": {"sample_rate": 16000000},
    "sample_rate must be left out where the model takes emomod's spectrograms, got 16000": {
        "sample_rate": 16000,
        "takes": "spectrogram",
    },
    "window_seconds must be a finite number in 0.5..inf, got 0.1": {"window_seconds": 0.1},
    "window_seconds must be a number, got 'long'": {"window_seconds": "long"},
    "scale must be the lowest before the highest score, got 1, 0": {"scale": (1, 0)},
    "scale must be the lowest before the highest score, got 1, 1": {"scale": (1.0, 1.0)},
    "scale must be the lowest and the highest score, got 1": {"scale": 1},
    "scale must be a finite number in -inf..inf, got inf": {"scale": (0, float("inf"))},
    "about must be words and what they stand for, got 'MIT'": {"about": "MIT"},
    "about must leave name, sample_rate, window_seconds, names, takes, scale, notes, figures alone, got 'names'": {
        "about": {"names": ["x"]}
    },
    "about must be what JSON can hold (Object of type ndarray is not JSON serializable)": {
        "about": {"mean": np.zeros(2)}
    },
}


@pytest.mark.parametrize(("told", "wrong"), IV.items(), ids=list(IV))
def test_model_iv(told, wrong):
    with pytest.raises(InputError, match=f"^{re.escape(told)}$"):
        Model(**({"scorer": loud_and_rough, "names": NAMES} | wrong))
