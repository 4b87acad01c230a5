"""Explanations must depend on what the model has learned."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes import component_weights, grid_components, linear_predict, tiny_checkpoint

from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.labelled_clips import LabelledClips
from emomod.labels import MIDLEVEL_NAMES
from emomod.model.predictor import load_predictor
from evaluation import random_labels, sanity
from evaluation.random_labels import permute_labels, train_on_permuted_labels
from evaluation.sanity import compare, randomise_weights, weighted_layers


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return load_predictor(tiny_checkpoint(tmp_path_factory.mktemp("sanity") / "t.safetensors"), device="cpu")


@pytest.fixture(scope="module")
def components():
    return grid_components(rows=8, columns=5)


def weights_of(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("n_layers", [1, 3, None])
def test_randomised_weights_against_theory(predictor, n_layers):
    before = weights_of(predictor.checkpoint.network)
    state = torch.random.get_rng_state()
    changed = weights_of(randomise_weights(predictor, n_layers=n_layers, seed=3).checkpoint.network)
    assert torch.equal(state, torch.random.get_rng_state())
    layers = [name for name in weighted_layers(predictor.checkpoint.network) if name != "emotion"]
    assert layers[-1] == "head"
    drawn = layers[-n_layers:] if n_layers else layers
    for name, tensor in before.items():
        layer = name.rpartition(".")[0]
        convolution = name.endswith("weight") and tensor.ndim in (2, 4)
        if layer not in drawn:
            assert torch.equal(tensor, changed[name]), name
        elif convolution:  # norms are drawn to ones, which some are already
            assert not torch.equal(tensor, changed[name]), name
    after = weights_of(predictor.checkpoint.network)
    assert all(torch.equal(before[name], after[name]) for name in before)
    again = weights_of(randomise_weights(predictor, n_layers=n_layers, seed=3).checkpoint.network)
    assert all(torch.equal(again[name], changed[name]) for name in changed)


def test_permuted_labels_against_theory(rng):
    labels = rng.random((50, 15))
    names = tuple(map(str, range(50)))
    clips = LabelledClips(names, names, np.zeros((50, 149, 4), dtype=np.float16), labels, tuple(["a"] * 2 + [""] * 48))
    found = permute_labels(clips, seed=1)
    assert sorted(found.labels.tolist()) == sorted(labels.tolist())
    assert (found.labels != labels).any(axis=1).mean() > 0.8
    assert set(found.couples) == {""}
    assert found.names == clips.names


def test_a_model_of_permuted_labels_against_itself(predictor, monkeypatch):
    monkeypatch.setattr(random_labels, "N_CLIPS", 24)
    monkeypatch.setattr(random_labels, "N_PASSES", 2)
    before = weights_of(predictor.checkpoint.network)
    music = CorpusSettings(1, synthesiser="numpy", seconds=2.0)
    first, again = (train_on_permuted_labels(predictor, music, seed=1) for _ in range(2))
    drawn, same = (weights_of(each.checkpoint.network) for each in (first, again))
    assert all(torch.equal(drawn[name], same[name]) for name in drawn)
    assert all(torch.equal(before[name], tensor) for name, tensor in weights_of(predictor.checkpoint.network).items())
    assert not torch.equal(drawn["head.weight"], before["head.weight"])
    assert torch.equal(drawn["emotion.weight"], before["emotion.weight"])
    assert first.names == predictor.names
    assert not first.checkpoint.network.training


def explain_with(components):
    def explain(predict, seed):
        settings = LimeSettings(n_perturbations=128, n_held_out=8, seed=seed)
        return explain_with_lime(predict, components, settings=settings)

    return explain


def test_sanity_against_theory_of_linear_models(rng, components):
    truth = rng.normal(size=(7, 40))
    same, other = linear_predict(components, truth), linear_predict(components, rng.normal(size=(7, 40)))
    rows = sanity.evaluate(
        explain_with(components), same, {"the same": same, "another": other}, targets=("minorness", "dissonance")
    )
    assert [(row["target"], row["model"]) for row in rows[:3]] == [
        ("minorness", name) for name in ("itself", "the same", "another")
    ]
    for row in rows:
        assert row["survives"] == {"itself": None, "the same": True, "another": False}[row["model"]]
        if row["model"] != "another":
            assert row["spearman"] > 0.999
        else:
            assert abs(row["spearman"]) < 0.5


def test_sanity_against_theory_an_explainer_that_ignores_the_model_is_flagged(rng, components, predictor):
    energies = np.tile(components.energies(), (15, 1))

    def explain(predict, seed):
        return component_weights(energies, np.zeros_like(energies), predict.names)

    rows = sanity.evaluate(explain, predictor, {"random": randomise_weights(predictor)}, targets=("valence",))
    assert [row["survives"] for row in rows] == [None, True]


def test_a_network_explained_by_lime_does_not_survive(components, predictor):
    others = {f"seed {seed}": randomise_weights(predictor, seed=seed) for seed in range(4)}
    rows = sanity.evaluate(explain_with(components), predictor, others, targets=MIDLEVEL_NAMES)
    survived = np.mean([row["survives"] for row in rows if row["model"] != "itself"])
    assert survived < 0.3
    assert min(row["spearman"] for row in rows if row["model"] == "itself") > 0.8


def test_compare_against_theory():
    first = component_weights(np.array([[1.0, 2.0, -3.0]]), np.zeros((1, 3)), ("x",))
    second = component_weights(np.array([[-1.0, -2.0, 3.0]]), np.zeros((1, 3)), ("x",))
    found = compare(first, second, target="x", k=2)
    assert found == {"spearman": pytest.approx(-1.0), "spearman_absolute": pytest.approx(1.0), "jaccard_top": 1.0}


def test_sanity_iv(components, predictor):
    with pytest.raises(InputError, match="n_layers must be at most 19, got 99"):
        randomise_weights(predictor, n_layers=99)
    with pytest.raises(InputError, match="others must be at least one model"):
        sanity.evaluate(explain_with(components), predictor, {}, targets=("valence",))
    with pytest.raises(InputError, match="target must be one of"):
        sanity.evaluate(explain_with(components), predictor, {"x": predictor}, targets=("joy",))
    one = component_weights(np.ones((1, 2)), np.ones((1, 2)), ("x",))
    with pytest.raises(InputError, match="must have the same scores and number of components"):
        compare(one, replace(one, names=("y",)), target="x")
