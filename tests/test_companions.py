"""The models that ship beside the default one."""

import pytest
from fakes import tiny_checkpoint

from emomod.model.companions import companion_paths, companions_of
from emomod.model.predictor import load_predictor
from emomod.training.card import model_card


@pytest.fixture(scope="module")
def default():
    return load_predictor(device="cpu")


def test_companions_against_the_promise_the_same_network_from_other_seeds(default):
    companions = companions_of(default)
    models = [default, *companions]
    assert len(companions) == 2
    assert len({model.card["seed"] for model in models}) == len({model.sha256 for model in models}) == 3
    assert len({model.card["name"] for model in models}) == 3
    assert {model.names for model in models} == {default.names}
    assert {(model.card["width"], model.device, model.engine) for model in models} == {
        (default.card["width"], default.device, default.engine)
    }
    assert min(model.card["figures"]["mean_test_r"] for model in companions) > 0.7


def test_companions_against_the_promise_other_models_have_none(tmp_path):
    assert companions_of(load_predictor(tiny_checkpoint(tmp_path / "t.safetensors"), device="cpu")) == []
    assert companions_of(load_predictor(companion_paths()[0], device="cpu")) == []


def test_model_card_against_the_figures_in_the_checkpoints(default):
    text = model_card(default.checkpoint)
    for companion in companions_of(default):
        (line,) = (line for line in text.splitlines() if line.startswith(f"| companion_{companion.card['seed']} |"))
        assert line.endswith(f"{companion.card['figures']['mean_test_r']:.2f} |")
