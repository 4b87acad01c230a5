"""Studies of clips that a run or a batch explained before: nothing is explained again."""

import pytest
from small_batches import small_store

from emomod.errors import InputError
from emomod.model.load import load_model
from listening_study import stimuli
from listening_study.package import make_study, read_study
from listening_study.plan import StudyPlan, items_of, read_plan, write_plan


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return small_store(tmp_path_factory.mktemp("batch"))


def plan_of(items):
    return StudyPlan("T", items, ("articulation",), lists=2, rule="top:9", practice=0, repeats=0, catch=0, distance=0)


@pytest.fixture
def predictor(store):
    return load_model(store.parent / "tiny.safetensors")


def test_items_of_against_the_design_every_window_of_a_store(store):
    items = items_of([store])
    assert sorted(item.name for item in items) == ["clip0", "clip1", "clip2"]
    assert {item.clip for item in items} == {str(store.parent / f"clip{k}.wav") for k in range(3)}
    one = items_of([items[0].explanation])  # the folder of a single run
    assert (one[0].clip, one[0].explanation) == (items[0].clip, items[0].explanation)


def test_make_study_against_itself_kept_explanations_give_the_same_sounds(store, tmp_path, predictor, monkeypatch):
    items = items_of([store])
    plan = read_plan(write_plan(tmp_path / "plan.yaml", plan_of(items)))
    assert [item.explanation for item in plan.items] == [item.explanation for item in items]

    def fail(*_, **__):
        raise AssertionError("explained again")

    monkeypatch.setattr(stimuli, "explain_with", fail)
    study = make_study(plan, tmp_path / "kept", predictor=predictor)
    monkeypatch.undo()
    bare = tuple(type(item)(item.name, item.clip, item.start, song=item.song) for item in items)
    from emomod.attribution.methods import parse_method

    method = parse_method("lime:n_perturbations=256,n_held_out=8")
    other = make_study(plan_of(bare), tmp_path / "anew", predictor=predictor, components="grid", method=method)
    assert {token: each.sha256 for token, each in study.stimuli.items()} == {
        token: each.sha256 for token, each in other.stimuli.items()
    }
    assert read_study(tmp_path / "kept").plan.items[0].explanation == items[0].explanation


def test_make_study_iv_a_clip_that_was_changed(store, tmp_path, predictor):
    item = items_of([store])[0]
    other = type(item)(item.name, str(store.parent / "clip1.wav"), explanation=item.explanation)
    if other.clip == item.clip:
        other = type(item)(item.name, str(store.parent / "clip0.wav"), explanation=item.explanation)
    with pytest.raises(InputError, match="has other content"):
        make_study(plan_of((other,)), tmp_path / "out", predictor=predictor)


def test_items_of_iv_a_batch_that_kept_no_explanations(tmp_path):
    store = small_store(tmp_path, n_clips=1, keep=["sounds"])
    with pytest.raises(InputError, match="holds no explanation; a batch keeps them when"):
        items_of([store])


def test_make_study_iv_another_start_or_another_way_to_explain(store, tmp_path, predictor):
    item = items_of([store])[0]
    later = type(item)(item.name, item.clip, 0.5, explanation=item.explanation)
    with pytest.raises(InputError, match=r"start must be that of the explanation, 0 s, got 0\.5 s"):
        make_study(plan_of((later,)), tmp_path / "out", predictor=predictor)
    with pytest.raises(InputError, match="its explanation lies in"):
        make_study(plan_of((item,)), tmp_path / "out", predictor=predictor, components="hpss")
