"""How far two runs are apart, where it is known."""

import math

import numpy as np
import pytest
import soundfile
from fakes import tones

from emomod.run_differences import SNR_DB, Difference, Differences, SoundDifference, _apart, _sound

IDENTICAL, SAME, DIFFERENT = (Difference(f"{apart}", 3, apart, 1e-5, "fear") for apart in (0.0, 1e-6, 1e-3))
SOUND = SoundDifference("enhanced.wav", False, 97.25)


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([IDENTICAL], "identical"),
        ([IDENTICAL, SAME], "same"),
        ([SAME, DIFFERENT, IDENTICAL], "different"),
        ([Difference("x", 1, math.inf, 1.0)], "different"),
        ([Difference("x", 1, 1.0, 1.0)], "same"),
        ([Difference("x", 1, 1.0, 0.0)], "different"),
        ([SoundDifference("x", True, math.inf), IDENTICAL], "identical"),
        ([SoundDifference("x", False, math.inf)], "same"),
        ([SoundDifference("x", False, SNR_DB)], "same"),
        ([SoundDifference("x", False, SNR_DB - 0.1)], "different"),
        ([SoundDifference("x", False, -math.inf), IDENTICAL], "different"),
    ],
)
def test_verdict_against_theory_is_the_worst_of_all(rows, verdict):
    figures = tuple(row for row in rows if isinstance(row, Difference))
    sounds = tuple(row for row in rows if isinstance(row, SoundDifference))
    assert Differences(figures, sounds, ()).verdict == verdict


def test_sentence_and_table_against_the_differences():
    found = Differences((IDENTICAL, SAME), (SOUND,), ())
    assert found.sentence == (
        "The same within tolerance: of 6 figures and 1 sounds these differ by rounding. "
        "1e-06: 1e-06; enhanced.wav: SNR 97.2 dB."
    )
    lines = found.table().splitlines()
    assert [line.split()[0] for line in lines] == ["compared", "0.0", "1e-06", "enhanced.wav"]
    assert lines[2].split() == ["1e-06", "3", "1e-06", "1e-05", "same", "fear"]
    assert Differences((DIFFERENT, SAME), (), ()).sentence.endswith("beyond tolerance. 0.001: 0.001.")
    assert SoundDifference("x", False, -math.inf).told == "another length"
    assert SoundDifference("x", False, math.inf).told == "other bytes"


@pytest.mark.parametrize(
    ("then", "now", "largest", "where"),
    [
        ({"a": {"b": 1.0, "c": 2.0}}, {"a": {"b": 1.25, "c": 1.0}}, 1.0, "a / c"),
        ({"a": {"b": 1.0}}, {"a": {"b": 1.0}}, 0.0, ""),
        ({"a": {"b": 1.0}}, {"a": {}}, math.inf, "a / b"),
        ({"a": {"b": None}}, {"a": {"b": None}}, 0.0, ""),
        ({"a": {"b": None}}, {"a": {"b": 1.0}}, math.inf, "a / b"),
        ({"a": 3}, {"a": 5}, 2.0, "a"),
        ({}, {}, 0.0, ""),
    ],
)
def test_figures_against_theory_the_largest_difference_and_where(then, now, largest, where):
    found = _apart("x", then, now, ["a"], tolerance=1.0)
    assert (found.largest, found.where) == (largest, where)


def test_figures_against_theory_only_those_that_are_asked_for():
    then, now = {"a": {"p": 1.0, "q": 2.0}}, {"a": {"p": 1.5, "q": 9.0}}
    found = _apart("x", then, now, ["a"], tolerance=1.0, only=("p",))
    assert (found.n, found.largest) == (1, 0.5)


def test_sounds_against_theory(tmp_path, rng):
    y = tones(1.0)
    noise = rng.standard_normal(y.size)
    noise *= np.linalg.norm(y) / np.linalg.norm(noise) * 10 ** (-60 / 20)
    paths = {name: tmp_path / f"{name}.wav" for name in ("then", "same", "float", "noisy", "short")}
    for name in ("then", "same"):
        soundfile.write(paths[name], y, 22050, subtype="PCM_24")
    soundfile.write(paths["float"], soundfile.read(paths["then"])[0], 22050, subtype="FLOAT")
    soundfile.write(paths["noisy"], y + noise, 22050, subtype="PCM_24")
    soundfile.write(paths["short"], y[:-1], 22050, subtype="PCM_24")
    same, float_, noisy, short = (_sound(paths["then"], paths[name], seconds=1.0) for name in list(paths)[1:])
    assert same.verdict == "identical"
    assert (float_.same_bytes, float_.snr_db) == (False, math.inf)
    assert noisy.snr_db == pytest.approx(60.0, abs=0.01)  # 24 bits are far below
    assert short.snr_db == -math.inf
