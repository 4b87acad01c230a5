import json
from dataclasses import fields

import numpy as np
import pytest
import torch
from fakes import grid_components
from games import Game, Network

from emomod.attribution.common import MethodSettings
from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.attribution.methods import METHODS, describe, explain_with, name_of, parse_method
from emomod.attribution.shapley import KernelShapSettings
from emomod.component_weights import select_components
from emomod.components.base import Layers, sound_of
from emomod.components.layered import layered
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.surrogate import two_sided_p_values

ADDITIVE = [name for name in METHODS if name != "grad_cam"]  # which shares out the score, not its change
QUICK = {"n_perturbations": 64, "n_held_out": 16, "alpha": 0.0, "batch_size": 64}


def quick(name, **changes):
    known = {field.name for field in fields(METHODS[name].settings)}
    return METHODS[name].settings(**{key: value for key, value in (QUICK | changes).items() if key in known})


@pytest.fixture(scope="module")
def components():
    return grid_components()


def test_methods_against_the_issue():
    assert list(METHODS) == [
        "lime", "kernel_shap", "banzhaf", "occlusion", "gradient", "smoothgrad", "integrated_gradients", "grad_cam",
    ]  # fmt: skip


@pytest.mark.parametrize("off", ("silence", "-12dB"))
@pytest.mark.parametrize("name", ADDITIVE)
def test_methods_against_theory_a_linear_model_has_one_answer(rng, components, name, off):
    truth, layer = rng.normal(size=(7, 12)), published_layer()
    predict = Game(components, lambda gains: gains @ torch.from_numpy(truth).T, SCORE_NAMES, layer)
    found = explain_with(predict, components, settings=quick(name, off=off))
    low = 0.0 if off == "silence" else 10**-0.6
    np.testing.assert_allclose(found.weights[:7], (1 - low) * truth, atol=1e-4)
    np.testing.assert_allclose(found.weights[7:], layer.weights @ found.weights[:7], atol=1e-9)
    np.testing.assert_allclose(found.intercepts[:7], low * truth.sum(axis=1), atol=1e-4)
    np.testing.assert_allclose(found.intercepts[7:], layer.weights @ found.intercepts[:7] + layer.intercepts, atol=1e-9)
    np.testing.assert_allclose(found.neighbourhood_r2, 1.0, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_methods_against_themselves_names_come_back(name):
    settings = METHODS[name].settings()
    assert name_of(settings) == name
    assert parse_method(name) == settings
    assert isinstance(settings, MethodSettings)
    assert parse_method(f"{name}:off=silence,n_held_out=32,batch_size=4") == METHODS[name].settings(
        off="silence", n_held_out=32, batch_size=4
    )


@pytest.mark.parametrize("name", METHODS)
def test_methods_state_the_uncertainty_that_they_have(components, name):
    layers = torch.nn.Conv2d(1, 1, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    predict = Network(torch.nn.Sequential(*layers), ("score",))
    found = explain_with(predict, components, settings=quick(name))
    assert (found.standard_errors is None) == (METHODS[name].settings.uncertainty == "none")
    assert (found.standard_errors is None) == (found.p_values is None)
    assert select_components(found, target="score").rule == ("highest:1" if found.p_values is None else "bh:0.05")


def test_methods_take_components_over_a_rest(rng):
    """A third of the sound always sounds: all off is not silence, and what is off is still known."""
    sound = sound_of(grid_components().render(np.ones(12)))
    transform = sound.spectrogram.transform
    layers = Layers(("one", "two"), torch.stack([transform / 6, transform / 2]), shared_phase=False, rest=transform / 3)
    components = layered(sound, layers=layers)

    class Loudness(torch.nn.Module):
        def forward(self, spectrograms):
            return (10.0 ** spectrograms.double() - 1.0).mean(dim=(2, 3))

    predict = Network(Loudness(), ("loud",))
    whole = float(predict(components.mix(torch.ones(1, 2)))[0, 0])
    for name in ADDITIVE:
        found = explain_with(predict, components, settings=quick(name, off="silence"))
        np.testing.assert_allclose(found.weights[0] / whole, [1 / 6, 1 / 2], atol=1e-5)


def test_describe_against_the_settings():
    entries = describe()
    assert json.loads(json.dumps(entries)) == entries
    for entry, (name, method) in zip(entries, METHODS.items(), strict=True):
        assert entry["name"] == name
        assert entry["summary"]
        assert not entry["summary"].endswith(".")
        defaults = {option["name"]: option["default"] for option in entry["options"]}
        assert defaults == vars(method.settings())
        assert list(defaults)[-3:] == ["off", "n_held_out", "batch_size"]  # what all have comes last
        for key in ("assumes", "uncertainty", "reference"):
            assert len(entry[key]) >= 4
        assert " 20" in entry["reference"]  # a year
        assert entry["assumes"].endswith(".")


@pytest.mark.parametrize(
    ("text", "message"),
    (
        ("kernelshap", r"method must be one of lime, kernel_shap, .*, got 'kernelshap'; did you mean kernel_shap\?"),
        ("magic", "method must be one of .*, got 'magic'$"),
        ("lime:n_pertubations=5", r"option of lime must be one of .*; did you mean n_perturbations\?"),
        ("occlusion:seed=1", "option of occlusion must be one of off, n_held_out, batch_size, got 'seed'"),
        ("lime:n_perturbations=many", "n_perturbations of lime must be a whole number, got 'many'"),
        ("lime:off=loud", "lime: off must be"),
        ("lime:kernel_width=-1", "lime: kernel_width must be a finite number"),
        ("lime n_perturbations=5", "method must be one of"),
        ("lime:n_perturbations", "options must look like"),
    ),
)
def test_parse_method_iv(text, message):
    with pytest.raises(InputError, match=message):
        parse_method(text)


def test_parse_method_against_what_is_meant():
    assert parse_method("lime:design=iid,off=silence,kernel_width=0.25") == LimeSettings(
        design="iid", off="silence", kernel_width=0.25
    )
    assert parse_method("lime:kernel_width=none") == LimeSettings(kernel_width=None)
    wanted = KernelShapSettings(n_perturbations=4096, off="silence")
    assert parse_method("kernel_shap:n_perturbations=4096,off=silence") == wanted


def test_explain_with_against_the_methods_own_function(components):
    predict = Game(components, lambda gains: gains.square(), names=tuple("abcdefghijkl"))
    told, settings = [], quick("lime")
    one = explain_with(predict, components, settings=settings, progress=lambda *numbers: told.append(numbers))
    other = explain_with_lime(predict, components, settings=settings)
    assert np.array_equal(one.weights, other.weights)
    assert told[-1] == (64, 64)


def test_explain_with_iv(components):
    predict = Game(components, lambda gains: gains, names=tuple("abcdefghijkl"))
    with pytest.raises(InputError, match=r"settings must be one of LimeSettings, .*, got MethodSettings"):
        explain_with(predict, components, settings=MethodSettings())


def test_two_sided_p_values_against_theory():
    weights, errors = np.array([[0.0, 1.96, -1.96, 0.3]]), np.array([[0.0, 1.0, 1.0, 0.0]])
    p_values = two_sided_p_values(weights, errors, degrees_of_freedom=1e9)
    np.testing.assert_allclose(p_values, [[1.0, 0.05, 0.05, 0.0]], atol=1e-4)
