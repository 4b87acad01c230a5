"""What the report says about a run, against what the numbers mean."""

from typing import Any

import pytest

from emomod.report.words import describe_versions, headline, marking, moved_further, p_words, verdict


def record_of(
    enhanced: float, weakened: float, *, p_value: float = 0.01, share: float = 0.97, n: int = 99, n_positive: int = 1
) -> dict[str, Any]:
    control = {"count": {"p_value": p_value, "share_beaten": share, "n": n}}
    return {
        "target": "energy",
        "gain_db": 6.0,
        "n_positive": n_positive,
        "n_negative": 12,
        "settings": {"modify": {"sides": "both" if n_positive else "positive"}},
        "shifts": {"enhanced": {"energy": enhanced}, "weakened": {"energy": weakened}},
        "controls": {"enhanced": control, "weakened": control},
    }


FEW = "With only 3 random changes of each kind this cannot tell much: ask for 19 or more."


@pytest.mark.parametrize(
    ("record", "opening", "ending"),
    [
        (record_of(0.1, -0.1), "Yes", "clearly further than random changes of the same size."),
        (record_of(0.1, -0.1, p_value=0.2, share=0.8), "In part", "moved it as far."),
        (record_of(0.1, -0.1, p_value=0.05, share=1, n=19), "Yes", "of the same size."),
        (record_of(0.1, -0.1, p_value=0.25, share=1, n=3), "So far yes", f"of the same size. {FEW}"),
        (record_of(0.1, -0.1, p_value=0.5, share=2 / 3, n=3), "In part", f"moved it as far. {FEW}"),
        (record_of(0.1, 0.1), "In part", "in one version only."),
        (record_of(-0.1, 0.1), "No:", "did not move the intended way."),
        (record_of(0.0, 0.0), "Nothing moved", "stayed where it was."),
        (record_of(0.0, 0.0, n_positive=0), "Nothing changed, because no part was selected", "stayed where it was."),
        (record_of(0.0, 0.0) | {"gain_db": 0.0}, "Nothing changed, because the gain is 0 dB", "stayed where it was."),
    ],
)
def test_headline_against_theory(record, opening, ending):
    said = headline(record, target="energy")
    assert said.startswith(opening)
    assert said.endswith(ending)


def test_marking_against_theory_too_few_controls_can_mark_nothing():
    assert marking(record_of(0.1, -0.1, n=19)).startswith("Bold changes are larger than nearly all random changes")
    assert marking(record_of(0.1, -0.1, n=18)).startswith("No change is marked")
    assert "only 1 random change of each kind" in marking(record_of(0.1, -0.1, n=1))


@pytest.mark.parametrize("n", [1, 3, 7, 19, 29, 99, 250, 999])
def test_smallest_p_against_theory_is_no_smaller_than_one_of_n_and_one(n):
    control = {"p_value": 1 / (n + 1), "share_beaten": 1.0, "n": n}
    shown = float(p_words(control).split()[2].rstrip(","))
    assert 1 / (n + 1) <= shown <= 1.1 / (n + 1)
    assert f"the smallest that {n} random" in p_words(control)


def test_moved_further_against_theory():
    names = ["tension", "valence", "rhythm_complexity", "happy", "sad", "fear"]
    shifts = dict(zip(names, (-0.5, 0.4, 0.3, 0.2, 0.1, 0.1), strict=True))
    record = record_of(0.1, -0.1) | {"shifts": {"enhanced": shifts, "weakened": shifts}}
    assert moved_further(record) == ""
    assert moved_further(record | {"moved_further": {"enhanced": names, "weakened": names[:1]}}) == (
        "Other scores moved at least as far: enhanced: tension (−0.500), valence (+0.400), rhythm complexity (+0.300), "
        "happy (+0.200), 2 more in the table; weakened: tension (−0.500)."
    )
    assert moved_further(record | {"gain_db": 0.0, "moved_further": {"enhanced": names, "weakened": []}}) == ""


def test_verdict_against_theory():
    controls = record_of(0.1, 0.1)["controls"]["enhanced"]
    right = verdict("enhanced", target="energy", before=0.5, shift=0.0341, controls=controls)
    assert right == (
        "energy went up by 0.034, from 0.500 to 0.534. "
        "That is further up than 97 % of 99 random changes of as many parts (p = 0.01)."
    )
    wrong = verdict("weakened", target="energy", before=0.5, shift=0.1, controls=controls)
    assert "went up by 0.100, from 0.500 to 0.600, which is the wrong way" in wrong
    every = {"count": controls["count"] | {"share_beaten": 1}}
    said = verdict("enhanced", target="a", before=0.5, shift=0.1, controls=every)
    assert said.endswith(
        "all 99 random changes of as many parts (p ≤ 0.01, the smallest that 99 random changes can show)."
    )
    none = {"count": controls["count"] | {"share_beaten": 0.0}}
    assert "than none of the 99 random" in verdict("enhanced", target="a", before=0.5, shift=0.1, controls=none)


def test_versions_against_theory_what_goes_up_and_what_goes_down():
    words = describe_versions(record_of(0.1, -0.1), target="energy")
    assert words["enhanced"] == "the 1 part for energy up by 6 dB and the 12 parts against it down by 6 dB"
    assert words["weakened"] == "the 1 part for energy down by 6 dB and the 12 parts against it up by 6 dB"
