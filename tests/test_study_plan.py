"""Plans and their trials: read, written, refused, balanced."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from listening_study.conditions import ORIGINAL, SOFTER
from listening_study.plan import Item, StudyPlan, items_of, read_plan, write_plan
from listening_study.questions import LOUDNESS, languages, question_about
from listening_study.trials import draw_lists

ITEMS = tuple(Item(f"item {k}", f"{k}.wav") for k in range(6))
PLAN = StudyPlan("Pilot", ITEMS, ("articulation", "energy"), lists=4)


def of_phase(trials, phase):
    return [trial for trial in trials if trial.phase == phase]


def test_files_of_one_name_are_told_apart_by_their_folders():
    names = [item.name for item in items_of(["x/a.wav", "y/a.wav", "y/b.wav"])]
    assert names == ["x_a", "y_a", "b"]


def test_questions_in_all_languages():
    assert languages() == ("de", "en")
    for attribute in (*SCORE_NAMES, LOUDNESS):
        texts = [question_about(attribute, language=language) for language in languages()]
        assert len({text.pair for text in texts}) == 2
        assert all(text.pair.endswith("?") and text.scale.endswith("?") for text in texts)
        assert all(text.low != text.high for text in texts)
    with pytest.raises(InputError, match="language must be one of de, en, got 'fr'"):
        question_about("sad", language="fr")
    with pytest.raises(InputError, match="attribute must be one of melodiousness"):
        question_about("groove")


def test_a_plan_comes_back_from_its_file(tmp_path):
    plan = replace(
        PLAN, items=items_of([tmp_path / "clips" / "a.wav", tmp_path / "clips" / "b.wav"]), gains_db=(3.0, 6.0)
    )
    path = write_plan(tmp_path / "study.yaml", plan)
    assert read_plan(path) == plan
    assert "clip: clips/a.wav" in path.read_text()
    assert path.read_text().startswith("# A listening study")
    path.write_text("title: x\ntargets: [sad]\nitems:\n- {name: a, clip: a.wav}\n")
    assert read_plan(path) == StudyPlan("x", (Item("a", str(tmp_path / "a.wav")),), ("sad",))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- 1", "must hold lines of `field: value`"),
        ("title: x", "items must be there"),
        ("colour: red", "colour is not a field; there are title, items"),
        ("title: x\ntargets: [groove]\nitems: [{name: a, clip: a}]", "targets must be one of melodiousness"),
        ("title: x\ntargets: sad\nitems: [{name: a, clip: a}]", "targets must be a list, got 'sad'"),
        ("title: x\ntargets: [sad, sad]\nitems: [{name: a, clip: a}]", "targets must be at least one and none twice"),
        ("title: x\ntargets: [sad]\nitems: []", "items must be at least one and none twice, got none"),
        ("title: x\ntargets: [sad]\nitems: [{name: a}]", "items: number 1: items must have a name and a clip"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a, x: 1}]", "items: number 1 must have name, clip, start"),
        ("title: x\ntargets: [sad]\nitems: [a]", "items: number 1 must have name, clip, start"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\ngains_db: [a]", "gains_db must be a number, got 'a'"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\nversions: [up]", "versions must be one of enhanced"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\nlists: 1.5", "lists must be a whole number"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\ntrial_type: mushra", "trial_type must be one of pair"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\nlanguage: fr", "language must be one of de, en"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\nrule: most", "rule"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\nconditions_per_item: 4", "at most the 3 that a"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\nlists: 501", "lists must be at most 500, got 501"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\npractice: 51", "practice must be at most 50, got 51"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\nlists: '4'", "lists must be a whole number"),
        (
            "title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\ngains_db: [1, 2, 3, 4, 5]\nconditions_per_item: 7",
            "must have at most 1000 choices",
        ),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\nversions: [[a]]", "versions must be texts, got ['a']"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\nrule: [a]", "rule must be text, got ['a']"),
        ("title: x\ntargets: [{a: b}]\nitems: [{name: a, clip: a}]", "targets must be texts, got {'a': 'b'}"),
        ("title: x\ntargets: [sad]\nitems: [{name: [a], clip: a}]", "1: name must be text of one line, got ['a']"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a, start: .nan}]", "start must be a finite number"),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a, start: 1e9}]", "start must be a finite number"),
        (
            "title: x\nlists: 500\ntargets: [sad]\nitems:"
            + "".join(f"\n- {{name: {k}, clip: a}}" for k in range(99)),
            "cannot be balanced",
        ),
        ("title: x\ntargets: [sad]\nitems: [{name: a, clip: a}]\ntitle: y", "the key 'title' a second time"),
        ("a: [", "cannot be read"),
    ],
)  # fmt: skip
def test_plans_iv(tmp_path, text, says):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_plan(path)
    assert f"plan {path}: " in str(caught.value)
    assert says in str(caught.value)


def test_a_plan_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(tmp_path / "none.yaml")


def test_lists_against_theory():
    lists = draw_lists(PLAN)
    assert len(lists) == 4
    for number, trials in enumerate(lists):
        assert [trial.place for trial in trials] == list(range(len(trials)))
        assert len({trial.trial_id for trial in trials}) == len(trials)
        assert {trial.list for trial in trials} == {number}
        main = of_phase(trials, "main")
        assert len(main) == 6 * 3 * 2
        heard = Counter((trial.item, trial.condition) for trial in main)
        assert set(heard.values()) == {1}  # each version of each item once, about its own target alone
        assert all(trial.condition.startswith(trial.attribute) for trial in main)
        changes = sum(a.attribute != b.attribute for a, b in pairwise(main))
        assert changes == 1  # one attribute a pass
        first = sum(trial.position == 1 for trial in main)
        assert first == len(main) / 2
        assert len(of_phase(trials, "practice")) == 4
        assert len(of_phase(trials, "repeat")) == 2
        assert len(of_phase(trials, "catch")) == 2
    assert draw_lists(PLAN) == lists
    assert draw_lists(replace(PLAN, seed=1)) != lists


def test_twins_against_theory_differ_in_sides_alone():
    first, second, *_ = draw_lists(PLAN)
    for one, other in zip(first, second, strict=True):
        assert (one.item, one.condition, one.attribute, one.phase) == (
            other.item,
            other.condition,
            other.attribute,
            other.phase,
        )
        if one.phase == "main":
            assert one.heard == other.heard[::-1]


def test_songs_are_apart_in_whole_lists():
    items = tuple(Item(f"{song}{k}", "x.wav", song=song) for song in "abcd" for k in range(2))
    for distance in (1, 2):
        for trials in draw_lists(replace(PLAN, items=items, distance=distance)):
            for place, trial in enumerate(trials):
                if trial.phase != "practice":
                    assert trial.song not in [t.song for t in trials[max(0, place - distance) : place]]


def test_each_round_is_balanced_against_theory():
    """Over items and lists each version stands in each round, and follows each other version, equally often."""
    plan = replace(PLAN, targets=("articulation",), lists=12, repeats=0, catch=0, practice=0)
    follows: Counter[tuple[str, str]] = Counter()
    rounds: Counter[tuple[int, str]] = Counter()
    for trials in draw_lists(plan):
        for item in {trial.item for trial in trials}:
            versions = [trial.condition.split()[1] for trial in trials if trial.item == item]
            follows.update(pairwise(versions))
            rounds.update(enumerate(versions))
    assert len(set(follows.values())) == len(set(rounds.values())) == 1


def test_some_conditions_of_each_item_are_balanced_against_theory():
    plan = replace(PLAN, targets=("articulation",), conditions_per_item=2, lists=6, repeats=0, catch=0)
    heard: Counter[tuple[str, str]] = Counter()
    for trials in draw_lists(plan):
        main = of_phase(trials, "main")
        assert len(main) == 12
        assert set(Counter(trial.item for trial in main).values()) == {2}
        heard.update((trial.item, trial.condition) for trial in main)
    assert set(heard.values()) == {4}  # of the six lists, each item and version in as many


def test_some_conditions_of_each_target_against_theory():
    plan = replace(PLAN, asked="all", conditions_per_item=1, lists=6, repeats=0, catch=0)
    for trials in draw_lists(plan):
        heard = Counter((t.attribute, t.item, t.condition.split()[0]) for t in of_phase(trials, "main"))
        assert heard == dict.fromkeys([(a, i.name, b) for a in PLAN.targets for i in ITEMS for b in PLAN.targets], 1)


def test_ratings_always_have_the_original_against_theory():
    plan = replace(PLAN, trial_type="scale", conditions_per_item=1, lists=6, repeats=0)
    for trials in draw_lists(plan):
        heard = Counter((t.attribute, t.item, t.condition == ORIGINAL) for t in of_phase(trials, "main"))
        assert heard == dict.fromkeys([(a, i.name, o) for a in PLAN.targets for i in ITEMS for o in (True, False)], 1)


@pytest.mark.parametrize("trial_type", ["scale", "sliders"])
def test_lists_without_sides_all_differ(trial_type):
    lists = draw_lists(replace(PLAN, trial_type=trial_type))
    orders = {tuple((t.attribute, t.item, t.condition, t.heard) for t in trials) for trials in lists}
    assert len(orders) == len(lists)


def test_repeats_and_catch_trials_against_theory():
    for trials in draw_lists(replace(PLAN, repeats=5, catch=2, asked="all")):
        for trial in of_phase(trials, "repeat"):
            (original,) = [
                t
                for t in of_phase(trials, "main")
                if (t.item, t.condition, t.attribute) == (trial.item, trial.condition, trial.attribute)
            ]
            assert original.place < trial.place
            assert trial.heard == original.heard[::-1]
        catch = of_phase(trials, "catch")
        assert sorted(trial.other for trial in catch) == [ORIGINAL] * 2 + [SOFTER] * 2
        assert {trial.condition for trial in catch} == {ORIGINAL}  # which is the louder one, or equal
        assert {trial.attribute for trial in catch if trial.other == SOFTER} == {LOUDNESS}
        assert all(trial.heard == (ORIGINAL, ORIGINAL) for trial in catch if trial.other == ORIGINAL)
        assert all(sorted(trial.heard) == [ORIGINAL, SOFTER] for trial in catch if trial.other == SOFTER)
        attributes = [trial.attribute for trial in trials if trial.attribute != LOUDNESS]
        assert sum(a != b for a, b in pairwise(attributes)) == 1


def test_asking_about_all_attributes_against_theory():
    (trials, *_) = draw_lists(replace(PLAN, asked="all"))
    pairs = Counter((trial.attribute, trial.condition.split()[0]) for trial in of_phase(trials, "main"))
    assert pairs == dict.fromkeys([(a, b) for a in PLAN.targets for b in PLAN.targets], 18)


def test_other_kinds_of_trials_against_theory():
    scale = draw_lists(replace(PLAN, trial_type="scale"))[0]
    assert {len(trial.heard) for trial in scale} == {1}
    assert Counter(trial.condition == ORIGINAL for trial in of_phase(scale, "main")) == {False: 36, True: 12}
    assert not of_phase(scale, "catch")
    sliders = draw_lists(replace(PLAN, trial_type="sliders"))[0]
    main = of_phase(sliders, "main")
    assert len(main) == 12
    assert all(
        sorted(trial.heard) == sorted([ORIGINAL, *(c.name for c in PLAN.conditions_of(trial.attribute))])
        for trial in main
    )
    assert len({trial.heard.index(ORIGINAL) for trial in main}) > 1
    abx = of_phase(draw_lists(replace(PLAN, trial_type="abx"))[0], "main")
    assert all(trial.heard[2] in trial.heard[:2] and set(trial.heard) == {trial.condition, ORIGINAL} for trial in abx)
    assert 0.2 < np.mean([trial.heard[2] == trial.condition for trial in abx]) < 0.8


def test_trials_iv():
    with pytest.raises(InputError, match="repeats must be at most the 36 trials of a list, got 37"):
        draw_lists(replace(PLAN, repeats=37))
    with pytest.raises(InputError, match="distance must be smaller, got 6"):
        draw_lists(replace(PLAN, distance=6))
