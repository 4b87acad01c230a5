"""emomod steer on the command line: exit codes, one line on errors, what it prints."""

import json
import re

import numpy as np
import pytest
import soundfile
from fakes import sound_file
from small_runs import small_predictor

from emomod import steering_job as job
from emomod.audio import SAMPLE_RATE
from emomod.cli import steer as command
from emomod.cli.main import main
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from emomod.steering.controls import Controls
from emomod.steering.request import Limit

QUICK = ["--masks", "128", "--components", "grid:columns=6,rows=4"]
KEYS = {"sentence", "requested", "reached", "held", "gains_db", "transfer", "shifts", "cost", "seconds", "versions"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A small model in the place of the default one, no page, no companions, no equaliser."""
    monkeypatch.setattr("emomod.model.load.load_model", lambda *_, **__: small_predictor())
    monkeypatch.setattr(job, "write_steer_page", lambda *_: None)
    monkeypatch.setattr(job, "controls_of", lambda *_, **__: Controls(np.zeros((1, 15)), np.zeros(15), None))


@pytest.fixture
def clip(tmp_path):
    return str(sound_file(tmp_path, seconds=1.5))


def run(clip, tmp_path, *words):
    return main(["steer", clip, "--out", str(tmp_path / "out"), *QUICK, *words])


def test_steer_prints_its_record_and_nothing_else_on_standard_output(clip, tmp_path, capsys):
    words = ["--shift", "articulation=+0.01", "--hold", "Dissonance", "--max-gain-db", "8", "--json"]
    assert run(clip, tmp_path, *words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) >= KEYS
    assert printed == json.loads((tmp_path / "out" / "steer.json").read_text())
    assert printed["requested"] == {"articulation": 0.01}
    assert printed["reached"]["articulation"] == pytest.approx(0.01, abs=0.002)
    assert list(printed["held"]) == ["dissonance"]
    assert max(map(abs, printed["gains_db"])) <= 8.0


def test_steer_json_holds_no_infinity(clip, tmp_path, capsys):
    def refuse(name):
        raise ValueError(name)

    assert run(clip, tmp_path, "--shift", "articulation=max", "--budget-db", "0.5", "--json") == 0
    printed = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert printed["requested"] == {"articulation": "max"}
    assert printed["size_db"] <= 0.5 + 1e-6


def test_steer_for_people_says_what_moved_by_what_and_where_it_lies(clip, tmp_path, capsys):
    assert run(clip, tmp_path, "--emotion", "happy=+0.02", "--hold", "energy") == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert re.match(r"Happy \+0\.02 mainly through (more|less) [a-z ]+ \([+-]0\.0\d\)", lines[0])
    assert re.search(r"^happy +\+0\.0\d\d \(asked: \+0\.020\)$", printed, re.MULTILINE)
    assert re.search(r"^energy +[+-]0\.00\d \(asked to stay\)$", printed, re.MULTILINE)
    assert re.search(
        r"^others that moved +\w+ [+-]0\.\d{3}, \w+ [+-]0\.\d{3}, \w+ [+-]0\.\d{3}$", printed, re.MULTILINE
    )
    assert re.search(r"^size of the change +\d\.\d dB root mean square gain; spectral distance", printed, re.MULTILINE)
    assert re.search(r"^of it is left .* -?\d+ % \(20 ms later\), 100 % \(6 dB softer\)$", printed, re.MULTILINE)
    assert "steered.wav" in lines[-1]


def test_steer_writes_steps(clip, tmp_path, capsys):
    assert run(clip, tmp_path, "--shift", "weaken articulation", "--most-changed", "1", "--steps", "3") == 1
    assert "articulation -0.1 cannot be had" in capsys.readouterr().err
    assert run(clip, tmp_path, "--shift", "articulation=-0.01", "--steps", "3", "--bits", "16") == 0
    assert sorted(path.name for path in (tmp_path / "out" / "steps").iterdir()) == ["step_1.wav", "step_2.wav"]
    assert soundfile.info(tmp_path / "out" / "steered.wav").subtype == "PCM_16"


def test_steer_like_another_clip(clip, tmp_path, capsys):
    other = str(sound_file(tmp_path, seconds=1.5, seed=5, name="other.wav"))
    assert run(clip, tmp_path, "--like", other, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed["requested"]) == set(SCORE_NAMES[:7])
    wanted, reached = (np.array([printed[key][name] for name in SCORE_NAMES[:7]]) for key in ("requested", "reached"))
    assert np.linalg.norm(wanted - reached) < 0.7 * np.linalg.norm(wanted)


BAD = {
    "nothing": ([], "--shift or --like must say what is asked"),
    "form": (["--shift", "happy"], 'a shift must look like "happy=\\+0.15"'),
    "not a number": (["--shift", "happy=nan"], 'a shift must look like "happy=\\+0.15"'),
    "name": (["--shift", "hapy=0.1"], "score must be one of melodiousness, .*, got 'hapy'"),
    "held name": (["--shift", "happy=0.1", "--hold", "enrgy"], "score must be one of .*, got 'enrgy'"),
    "twice": (["--shift", "happy=0.1", "--shift", "Happy=0.2"], "--shift must name a score once, got happy twice"),
    "hold and move": (["--shift", "happy=0.1", "--hold", "happy"], "--hold must not name a score that is to move, got"),
    "zero": (["--shift", "happy=0"], "--shift must not be 0, got it for happy"),
    "too far": (["--shift", "happy=+2.0"], "happy cannot be shifted by \\+2: scores go from 0 to 1, and it is"),
    "impossible": (
        ["--shift", "happy=+0.5"],
        "happy \\+0.5 cannot be had by changing parts by at most 9 dB up and down; the most .*: happy \\+0",
    ),
    "budget": (
        ["--shift", "happy=0.1", "--budget-db", "0"],
        "--budget-db must be a finite number in 0.01..40, got 0.0",
    ),
    "gain": (
        ["--shift", "happy=0.1", "--max-gain-db", "0"],
        "--max-gain-db must be a finite number in 0.1..40, got 0.0",
    ),
    "limit": (["--shift", "happy=0.1", "--limit", "20-200"], 'a limit must look like "20-200=3"'),
    "limit's gain": (["--shift", "happy=0.1", "--limit", "20-200=99"], "limit: the gain must be a finite number in 0"),
    "nothing left": (["--shift", "happy=0.1", "--limit", "0-20000=0"], "limits must leave a part of the sound"),
    "few": (["--shift", "happy=0.1", "--most-changed", "0"], "--most-changed must be a whole number of at least 1"),
    "like": (["--shift", "happy=0.1", "--like", "CLIP"], "--like names a clip to come near to, so that no --shift"),
    "like itself": (["--like", "CLIP"], "like: .* is heard as .* is, so that there is nothing to steer"),
    "silence": (["--shift", "happy=0.1", "SILENT"], ".*silent"),
    "steps": (["--shift", "happy=0.1", "--steps", "0"], "--steps must be a whole number of at least 1, got 0"),
    "bits": (["--shift", "happy=0.1", "--bits", "12"], "--bits must be one of 16, 24, got '12'"),
}


@pytest.mark.parametrize(("words", "message"), BAD.values(), ids=BAD)
def test_steer_iv_one_line_exit_code_one_and_nothing_left_behind(clip, tmp_path, capsys, words, message):
    heard = clip
    if "SILENT" in words:
        heard = str(tmp_path / "silent.wav")
        soundfile.write(heard, np.zeros(2 * SAMPLE_RATE), SAMPLE_RATE)
    words = [clip if word == "CLIP" else word for word in words if word != "SILENT"]
    before = set(tmp_path.iterdir())
    assert run(heard, tmp_path, *words) == 1
    printed = capsys.readouterr()
    errors = [line for line in printed.err.splitlines() if line.startswith("emomod: ") and not told(line)]
    assert len(errors) == 1
    assert re.match(f"emomod: {message}", errors[0])
    assert printed.out == ""
    assert set(tmp_path.iterdir()) == before


def told(line):
    """Whether a line is progress."""
    started = ("reading", "cutting", "explaining", "steering", "solving", "looking", "what was asked is not met yet")
    return line.removeprefix("emomod: ").startswith(started)


def test_words_against_the_numbers_that_they_stand_for():
    assert command._shift("weaken tension", SCORE_NAMES) == ("tension", -0.1)
    assert command._shift("enhance Rhythm complexity", SCORE_NAMES) == ("rhythm_complexity", 0.1)
    assert command._shift("Happy=-0.2", SCORE_NAMES) == ("happy", -0.2)
    assert command._shift("energy=max", SCORE_NAMES) == ("energy", np.inf)
    with pytest.raises(InputError, match="a shift must look like"):
        command._shift("weaken", SCORE_NAMES)


def test_options_against_the_request_that_they_make(clip):
    from emomod.cli.main import build_parser

    words = "--shift happy=0.1 --hold energy tension --limit 20-200=3 --limit 4000-9000=0 --budget-db 2 --smooth 1.5"
    arguments = build_parser().parse_args(["steer", clip, "--out", "out", *words.split(), "--most-changed", "7"])
    request = command._request(arguments, small_predictor())
    assert request.shifts == {"happy": 0.1}
    assert request.hold == ("energy", "tension")
    assert request.limits == (Limit(20.0, 200.0, 3.0), Limit(4000.0, 9000.0, 0.0))
    assert (request.budget_db, request.smoothness, request.most_changed, request.nearest) == (2.0, 1.5, 7, False)
