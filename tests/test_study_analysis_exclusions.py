"""Exclusions: rules fixed beforehand, and a ledger of whom they left out."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from emomod.errors import InputError
from listening_study.analysis.exclusions import Rules, catch_share, repeat_share, screen

COLUMNS = [
    "participant", "phase", "trial_type", "item", "attribute", "condition", "other", "response", "headphone_pass",
]  # fmt: skip
OFF = Rules(least_catch_share=None, least_repeat_share=None, least_answers_share=None)


def row(who="a", phase="main", item="x", response=1.0, *, kind="pair", other="original", passed=True):
    return who, phase, kind, item, "articulation", "up", other, response, passed


OTHERS = row("z"), row("z", item="y", response=-1.0)


def table(*rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def ledger(answers, **rules):
    told = screen(table(*answers, *OTHERS), rules=dataclasses.replace(OFF, **rules)).ledger
    return told[told["participant"] != "z"].to_dict("records")


def test_nobody_is_dropped_without_a_rule_and_practice_never_counts():
    found = screen(table(row(), row(phase="practice"), row("b", "catch")), rules=OFF)
    assert found.kept["phase"].tolist() == ["main", "catch"]
    assert (found.n_participants, found.n_excluded, found.n_practice) == (2, 0, 1)
    assert found.ledger.empty
    assert list(found.ledger) == ["participant", "rule", "figure", "limit", "excluded"]


@pytest.mark.parametrize(
    ("answers", "rules", "figure"),
    [
        ([row(), *[row(phase="catch", response=r) for r in (1, 1, -1, 0)]], {"least_catch_share": 0.75}, 0.5),
        ([row(), row(item="y"), row(phase="repeat"), row(phase="repeat", item="y", response=0)],
         {"least_repeat_share": 0.75}, 0.5),
        ([row(passed=False)], {"headphones": True}, 0.0),
        ([row(), row(response=np.nan), row(response=np.nan)], {"least_answers_share": 0.5}, 1 / 3),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_each_rule_against_theory(answers, rules, figure):
    """Broken with the figure told; and not broken where the limit is the figure itself."""
    name, limit = next(iter(rules.items()))
    wanted = {"participant": "a", "rule": name, "figure": pytest.approx(figure), "limit": float(limit)}
    assert ledger(answers, **rules) == [wanted | {"excluded": True}]
    if name != "headphones":
        assert ledger(answers, **rules | {name: figure}) == []


def test_the_figures_of_everyone_are_told_whatever_the_rules():
    answers = [row(), row(phase="repeat", response=0), row("b"), row("b", "catch"), row("b", response=np.nan)]
    told = screen(table(*answers), rules=OFF).listeners.set_index("participant")
    assert list(told) == ["catch_share", "repeat_share", "answers_share", "headphones", "excluded"]
    np.testing.assert_equal(told.loc["a"].tolist(), [np.nan, 0.0, 1.0, 1.0, False])
    np.testing.assert_equal(told.loc["b"].tolist(), [1.0, np.nan, 0.5, 1.0, False])


def test_all_broken_rules_are_in_the_ledger():
    answers = [row(passed=False), row(phase="catch", response=-1.0), row("b"), row("b", phase="practice")]
    found = screen(table(*answers), rules=dataclasses.replace(OFF, headphones=True, least_catch_share=0.5))
    told = found.ledger[found.ledger["excluded"]]
    assert told["rule"].tolist() == ["least_catch_share", "headphones"]
    assert found.n_excluded == 1
    assert found.kept["participant"].tolist() == ["b"]


def test_what_is_not_known_is_told_and_only_an_unchecked_headphone_excludes():
    rules = {"least_catch_share": 0.5, "least_repeat_share": 0.5, "headphones": True}
    told = ledger([row(passed=None)], **rules)
    assert {each["rule"]: each["excluded"] for each in told} == {name: name == "headphones" for name in rules}
    assert all(np.isnan(each["figure"]) for each in told)


def test_catch_share_against_theory_identical_pairs_have_no_right_answer():
    assert np.isnan(catch_share(table(row(phase="catch", other="up"))))
    assert catch_share(table(row(phase="catch"), row(phase="catch", response=np.nan))) == 0.5


def test_repeat_share_against_theory_of_scales():
    answers = table(
        row(kind="scale", other=np.nan, response=5.0), row(phase="repeat", kind="scale", other=np.nan, response=6.0),
        row(phase="repeat", kind="scale", other=np.nan, response=7.0), row(phase="repeat", kind="scale", item="new"),
    )  # fmt: skip
    assert repeat_share(answers, tolerance=1.0) == 0.5
    assert repeat_share(answers, tolerance=2.0) == 1.0


def test_exclusions_iv():
    with pytest.raises(
        InputError,
        match=r"rules must leave somebody, but leave out all participants \(1\), by headphones: headphone check",
    ):
        screen(table(row(passed=False)), rules=dataclasses.replace(OFF, headphones=True))
    with pytest.raises(InputError, match="missing: headphone_pass"):
        screen(table(row()).drop(columns="headphone_pass"), rules=OFF)
    with pytest.raises(InputError, match=r"least_catch_share must be a finite number in 0..1, got 75"):
        Rules(least_catch_share=75)
