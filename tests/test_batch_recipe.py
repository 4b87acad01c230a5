from dataclasses import replace

import pytest
from fakes import tiny_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from emomod.batch.recipe import Recipe, read_recipe, recipe_of
from emomod.batch.store import key_of
from emomod.errors import InputError
from emomod.model.predictor import load_predictor
from emomod.pipeline import ModifySettings

WHOLE = """
targets: [articulation, energy]
windows: all
components: "hpss x beats"
method: "lime:n_perturbations=100"
modify: {gain_db: 3, sides: both, rule: "top:5", bits: 16, n_controls: 9}
keep: [report]
model: other.safetensors
seed: 7
"""


def test_read_recipe_against_the_design_every_field(tmp_path):
    (tmp_path / "recipe.yaml").write_text(WHOLE)
    assert read_recipe(tmp_path / "recipe.yaml") == Recipe(
        ("articulation", "energy"),
        "all",
        "hpss x beats",
        "lime:n_perturbations=100",
        ModifySettings(3, "both", "top:5", 16, 9),
        ("report",),
        "other.safetensors",
        7,
    )


def test_recipe_of_against_the_design_defaults_are_those_of_a_run():
    assert recipe_of({"targets": "energy"}) == Recipe(("energy",))
    settings = recipe_of({"targets": ["energy"]}).settings(3.0)
    assert (settings.start, settings.modify) == (3.0, ModifySettings())


def test_method_settings_against_the_design_the_seed():
    seeds = [
        recipe_of({"targets": "energy", "seed": 5, "method": method}).method_settings
        for method in ("lime", "lime:seed=2", "occlusion")
    ]
    assert [getattr(each, "seed", None) for each in seeds] == [5, 2, getattr(seeds[2], "seed", None)]
    assert recipe_of({"targets": "energy", "seed": 5}).settings(0.0).modify.seed == 5


@pytest.mark.parametrize(
    ("given", "wrong"),
    (
        ({}, "targets must be given"),
        ({"target": "energy"}, "field of a recipe must be one of .*did you mean targets"),
        ({"targets": []}, "targets must be at least one"),
        ({"targets": ["energy", "energy"]}, "none twice"),
        ({"targets": [1]}, "targets must be a list of texts"),
        ({"targets": {"energy": 1}}, "targets must be a list of texts"),
        ({"targets": None}, "targets must be a list of texts"),
        ({"windows": "some"}, "windows must be first or all|windows must be one of"),
        ({"windows": ["all"]}, "windows must be a text"),
        ({"components": "squares"}, "squares"),
        ({"components": 3}, "components must be a text"),
        ({"method": "guess"}, "guess"),
        ({"method": "lime:n_perturbations=many"}, "n_perturbations of lime must be a whole number"),
        ({"modify": 6}, "modify must be fields with values"),
        ({"modify": {"gain": 6}}, "field of modify must be one of .*did you mean gain_db"),
        ({"modify": {"seed": 6}}, "field of modify must be one of"),
        ({"modify": {"gain_db": "6"}}, "gain_db of modify must be a number, got '6'"),
        ({"modify": {"gain_db": True}}, "gain_db of modify must be a number"),
        ({"modify": {"gain_db": float("nan")}}, "gain_db must be"),
        ({"modify": {"sides": 1}}, "sides of modify must be a text"),
        ({"modify": {"bits": 8}}, "bits must be"),
        ({"modify": {"n_controls": 2.5}}, "n_controls must be"),
        ({"keep": ["all"]}, "keep must be one of"),
        ({"keep": 1}, "keep must be a list of texts"),
        ({"model": 1}, "model must be a text"),
        ({"seed": -1}, "seed must be"),
        ({"seed": True}, "seed must be"),
        ({"seed": "1"}, "seed must be"),
    ),
)
def test_recipe_of_iv(given, wrong):
    with pytest.raises(InputError, match=wrong):
        recipe_of(({"targets": "energy"} if given and "target" not in given else {}) | given)


def test_read_recipe_iv_names_the_file_and_the_line(tmp_path):
    path = tmp_path / "recipe.yaml"
    for text, wrong in (
        ("targets: [energy]\nseed: -1\n", "recipe.yaml: seed must be"),
        ("targets: [energy\n", "recipe.yaml: cannot be read .line"),
        ("targets: !!python/object:os.system [energy]\n", "a tag, which is not allowed"),
        ("- energy\n", "field: value"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=wrong):
            read_recipe(path)


def test_check_model_iv(tmp_path):
    predictor = load_predictor(tiny_checkpoint(tmp_path / "t.safetensors"))
    Recipe(("energy",)).check_model(predictor)
    with pytest.raises(InputError, match="joy"):
        Recipe(("energy", "joy")).check_model(predictor)


BASE = Recipe(("energy",))


@pytest.mark.parametrize(
    "other",
    (
        replace(BASE, targets=("happy",)),
        replace(BASE, components="grid"),
        replace(BASE, method="occlusion"),
        replace(BASE, method="lime:n_perturbations=100"),
        replace(BASE, modify=ModifySettings(3)),
        replace(BASE, seed=1),
    ),
)
def test_sha256_against_the_design_of_all_that_results_depend_on(other):
    assert other.sha256 != BASE.sha256


def test_sha256_against_the_design_of_the_seed_of_controls_too():
    assert replace(BASE, method="occlusion", seed=1).sha256 != replace(BASE, method="occlusion").sha256


@pytest.mark.parametrize(
    "other",
    (
        replace(BASE, windows="all"),
        replace(BASE, keep=()),
        replace(BASE, model="x.safetensors"),
        replace(BASE, method="lime:n_perturbations=2048"),  # the default
    ),
)
def test_sha256_against_the_design_and_of_nothing_else(other):
    assert other.sha256 == BASE.sha256


@given(st.tuples(*[st.sampled_from(("a" * 64, "b" * 64))] * 3), st.floats(0, 1e5), st.floats(0, 1e5))
def test_key_of_against_the_design_two_keys_are_equal_where_all_is(shas, start, other_start):
    key = key_of(shas[0], start, shas[1], shas[2])
    assert len(key) == 20
    assert set(key) <= set("0123456789abcdef")
    assert (key == key_of(shas[0], other_start, shas[1], shas[2])) == (start == other_start)
    assert (key == key_of(shas[1], start, shas[0], shas[2])) == (shas[0] == shas[1])


def test_recipe_regression_whole_numbers_are_those_of_the_default():
    whole, broken = (recipe_of({"targets": ["fear"], "modify": {"gain_db": gain}}) for gain in (6, 6.0))
    assert whole.sha256 == broken.sha256 == recipe_of({"targets": ["fear"]}).sha256
    assert whole.resolved() == broken.resolved()


@pytest.mark.parametrize("components", ("stems:voice=v.wav,band=b.wav", "separation:network=hdemucs,weights=w.pt"))
def test_recipe_iv_components_that_lie_in_files(components):
    with pytest.raises(InputError, match="must be known by their text, not lie in files"):
        recipe_of({"targets": ["fear"], "components": components})
