"""emomod study: plans and stimuli on the command line."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from fakes import sound_file, tiny_checkpoint
from small_studies import small_study

from emomod.cli.main import main
from emomod.cli.study_serve import named
from listening_study.package import read_study
from listening_study.plan import read_plan


def test_design_and_stimuli_against_themselves(tmp_path, capsys):
    clips = [str(sound_file(tmp_path, name=f"{name}.wav", seed=seed)) for seed, name in enumerate("abc")]
    plan = tmp_path / "study.yaml"
    words = ["study", "design", *clips, "--target", "energy", "tonal stability", "--out", str(plan)]
    assert main([*words, "--versions", "enhanced", "weakened", "--lists", "2", "--seed", "3"]) == 0
    told = capsys.readouterr().out
    assert "3 clips, 4 versions of each beside the original; 2 lists of " in told
    found = read_plan(plan)
    assert found.targets == ("energy", "tonal_stability")
    assert (found.lists, found.seed, found.distance) == (2, 3, 1)
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny.safetensors"))
    make = ["study", "stimuli", str(plan), "--model", checkpoint, "--device", "cpu", "--masks", "1200"]
    assert main([*make, "--out", str(tmp_path / "study")]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[1].startswith("energy enhanced 6 dB           ")
    assert f"18 sounds in {tmp_path / 'study' / 'stimuli'}" in told
    study = read_study(tmp_path / "study")
    assert study.plan.items[0].clip == clips[0]
    assert main([*make, "--out", str(tmp_path / "again"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["token"]: row["sha256"] for row in rows} == {t: e.sha256 for t, e in study.stimuli.items()}


def test_short_clips_are_told(tmp_path, capsys):
    clip = str(sound_file(tmp_path, name="a.wav", seconds=3.0))
    assert main(["study", "design", clip, "--target", "energy", "--out", str(tmp_path / "a.yaml")]) == 0
    assert capsys.readouterr().out.startswith("the clips are only 3.0 s long; the model hears up to 10 s\n1 clip, ")
    assert main(["study", "design", "demo", "--target", "energy", "--out", str(tmp_path / "b.yaml")]) == 0
    assert capsys.readouterr().out.startswith("1 clip, ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["design", "demo", "--target", "groove", "--out", "{}/new.yaml"], "targets must be one of melodiousness"),
        (
            ["design", "none.wav", "--target", "sad", "--out", "{}/new.yaml"],
            "none.wav: there is no such file",
        ),
        (["design", "{}/old.yaml", "--target", "sad", "--out", "{}/new.yaml"], "old.yaml: cannot be decoded as sound"),
        (["design", "demo", "--target", "sad", "--out", "{}/none/x.yaml"], "x.yaml: cannot be written, since"),
        (["design", "demo", "--target", "sad", "--out", "{}/old.yaml"], "is there already; name a new file"),
        (["design", "demo", "demo", "--target", "sad", "--out", "{}/new.yaml"], "items must be at least one and none"),
        (["design", "demo", "--target", "sad", "--language", "fr", "--out", "{}/new.yaml"], "language must be one of"),
        (["stimuli", "{}/old.yaml", "--out", "{}/study"], "must hold lines of `field: value`"),
    ],
)
def test_commands_iv(tmp_path, capsys, words, says):
    (tmp_path / "old.yaml").write_text("- 1\n")
    assert main(["study", *(word.format(tmp_path) for word in words)]) == 1
    assert says in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.yaml"]


@pytest.mark.parametrize("tool", ["jspsych", "webmushra", "psychopy", "label-studio", "csv"])
def test_exports_and_imports_against_their_modules(tmp_path, capsys, tool):
    study = small_study(tmp_path)
    out = tmp_path / "export"
    assert main(["study", "export", str(study.folder), "--to", tool, "--out", str(out)]) == 0
    assert f"{out}: see README there" in capsys.readouterr().out
    assert any(path.name.startswith("README") for path in out.iterdir())
    (tmp_path / "empty.csv").write_text("nothing\n")
    words = ["study", "import", str(study.folder), str(tmp_path / "empty.csv"), "--from", tool]
    assert main([*words, "--out", str(tmp_path / "answers.csv")]) == 1
    assert "empty.csv" in capsys.readouterr().err
    assert not (tmp_path / "answers.csv").exists()
    assert main([*words, "--out", str(tmp_path / "empty.csv")]) == 1
    assert "is there already; name a new file" in capsys.readouterr().err
    if tool != "jspsych":
        assert main(["study", "export", str(study.folder), "--to", tool, "--out", "x", "--jspsych", "y"]) == 1
        assert f"--jspsych belongs to --to jspsych, got --to {tool}" in capsys.readouterr().err


def test_the_evaluation_exports_to_annotators_too(tmp_path):
    study = small_study(tmp_path)
    run = [sys.executable, "-m", "evaluation", "annotators", str(study.folder), "--to", "csv", "--out"]
    told = subprocess.run([*run, str(tmp_path / "sheets")], capture_output=True, text=True, check=True).stdout
    assert told == f"{tmp_path / 'sheets'}: see README there\n"
    again = tmp_path / "again"
    assert main(["study", "export", str(study.folder), "--to", "csv", "--out", str(again)]) == 0
    names = sorted(path.relative_to(again) for path in again.rglob("*"))
    assert names == sorted(path.relative_to(tmp_path / "sheets") for path in (tmp_path / "sheets").rglob("*"))


@pytest.mark.parametrize(
    ("host", "said"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("lab.example", "lab.example"), ("0.0.0.0", socket.gethostname())],
)
def test_addresses_can_be_opened(host, said):
    assert named(host) == said


def test_a_served_study_is_there_and_ends(tmp_path):
    study = small_study(tmp_path)
    words = [sys.executable, "-m", "emomod", "study", "serve", str(study.folder), "--port", "0"]
    command = [*words, "--db", f"sqlite:///{tmp_path / 'study.db'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        lines = [running.stdout.readline() for _ in range(4)]
        address = lines[0].split()[1]
        with urllib.request.urlopen(f"{address}api/study", timeout=30) as answer:
            assert json.load(answer)["language"] == "en"
        running.send_signal(signal.SIGINT)
        running.wait(timeout=30)
    assert lines[2].startswith("token:")
    assert (tmp_path / "study.db").is_file()


def test_serving_iv(tmp_path, capsys):
    assert main(["study", "serve", str(tmp_path), "--db", f"sqlite:///{tmp_path / 'study.db'}"]) == 1
    told = capsys.readouterr()
    assert "holds no study" in told.err
    assert told.out == ""
    assert main(["study", "serve", str(tmp_path), "--consent", str(tmp_path / "none.txt")]) == 1
    assert "consent: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
