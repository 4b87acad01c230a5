"""The command line: what it prints, where, and what it leaves behind."""

import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fakes import sound_file, tiny_checkpoint

from emomod.cli import options
from emomod.cli.main import build_parser, main
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES

README = Path(__file__).parent.parent / "README.md"
QUICK = ["--masks", "128", "--controls", "3", "--rule", "top:9"]


@pytest.fixture
def clip(tmp_path):
    return str(sound_file(tmp_path, seconds=2.5))


@pytest.fixture
def model(tmp_path):
    return ["--model", str(tiny_checkpoint(tmp_path / "t.safetensors")), "--device", "cpu"]


def commands():
    return build_parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]


def documented():
    """Command lines of the README's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("emomod ")]


def test_readme_command_lines_are_understood():
    lines = documented()
    assert len(lines) >= 8
    for line in lines:
        build_parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("name", commands())
def test_every_command_has_help_and_stands_in_the_readme(name, capsys):
    assert f"emomod {name}" in README.read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert "usage: emomod" in capsys.readouterr().out


def test_help_loads_no_heavy_library():
    code = (
        "import sys; from emomod.cli.main import build_parser; build_parser().format_help();"
        "print([name for name in ('torch', 'numpy', 'matplotlib', 'scipy') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_predict_against_the_promised_json(clip, model, capsys):
    assert main(["predict", clip, clip, "--json", *model]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["file"] for entry in found] == [clip, clip]
    assert tuple(found[0]["midlevel"]) == MIDLEVEL_NAMES
    assert tuple(found[0]["emotion"]) == EMOTION_NAMES
    assert found[0] == found[1]


def test_predict_names_bad_files_and_keeps_the_good_ones(clip, model, capsys):
    assert main(["predict", "absent.wav", clip, "--json", *model]) == 1
    printed = capsys.readouterr()
    assert [entry["file"] for entry in json.loads(printed.out)] == [clip]
    told = [line for line in printed.err.splitlines() if "listening to" not in line]
    assert told == ["emomod: absent.wav: there is no such file"]


def test_predict_for_people_shows_every_score(clip, model, capsys):
    assert main(["predict", clip, *model]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in MIDLEVEL_NAMES + EMOTION_NAMES)


def test_run_prints_its_record_and_nothing_else_on_standard_output(tmp_path, clip, model, capsys):
    out = tmp_path / "out"
    assert main(["run", clip, "--target", "fear", "--out", str(out), "--json", *QUICK, *model]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == json.loads((out / "run.json").read_text())
    assert [line.split(":")[0] for line in printed.err.splitlines()] == ["emomod"] * len(printed.err.splitlines())
    assert "emomod: explaining" in printed.err


def test_explain_and_modify_against_run(tmp_path, clip, model, capsys):
    explained, changed, whole = (str(tmp_path / name) for name in ("explained", "changed", "whole"))
    assert main(["explain", clip, "--target", "fear", "--masks", "128", "--out", explained, "--json", *model]) == 0
    assert json.loads(capsys.readouterr().out)["sentence"].startswith("Fear is ")
    assert (
        main(
            [
                "modify",
                clip,
                "--explanation",
                explained,
                "--target",
                "fear",
                "--out",
                changed,
                "--json",
                *QUICK[2:],
                *model,
            ]
        )
        == 0
    )
    parts = json.loads(capsys.readouterr().out)
    assert main(["run", clip, "--target", "fear", "--out", whole, "--json", *QUICK, *model]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {key: record[key] for key in parts} == parts
    for name in ("enhanced.wav", "weakened.wav"):
        assert (tmp_path / "changed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_run_on_all_windows_prints_windows_and_the_whole(tmp_path, model, capsys):
    path = str(sound_file(tmp_path, seconds=3.5))
    assert (
        main(
            ["run", path, "--target", "fear", "--out", str(tmp_path / "out"), "--all-windows", "--json", *QUICK, *model]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert [record["window"]["start"] for record in found["windows"]] == [0.0, 1.5]
    assert found["whole"] == json.loads((tmp_path / "out" / "whole.json").read_text())


BAD = {
    "no file": (["absent.wav"], "there is no such file"),
    "no target": (["CLIP", "--target", "loudness"], "target must be one of melodiousness, .*, tender, got 'loudness'"),
    "gain": (["CLIP", "--gain-db", "99"], r"--gain-db must be a finite number in 0\.\.40, got 99"),
    "no number": (["CLIP", "--gain-db", "loud"], "argument --gain-db: invalid float value: 'loud'"),
    "rule": (["CLIP", "--rule", "best"], "rule must look like"),
    "sides": (["CLIP", "--sides", "up"], "sides must be one of positive, negative, both, got 'up'"),
    "design": (["CLIP", "--design", "sobol"], "design must be one of iid, paired, hadamard, exhaustive, got 'sobol'"),
    "off": (["CLIP", "--off", "loud"], "off must be a cut in dB"),
    "masks": (["CLIP", "--masks", "3"], "--masks must be at least"),
    "start": (["CLIP", "--start", "99"], r"start must leave 0\.5 s of"),
    "seed": (["CLIP", "--seed", "-1"], "seed must be >= 0"),
    "checkpoint": (["CLIP", "--model", "absent"], "absent: there is no such checkpoint"),
    "option": (["CLIP", "--louder"], "unrecognized arguments: --louder"),
}


@pytest.mark.parametrize(("words", "message"), BAD.values(), ids=BAD)
def test_run_iv_one_line_exit_code_one_and_nothing_left_behind(tmp_path, clip, model, capsys, words, message):
    words = [clip if word == "CLIP" else word for word in words]
    before = set(tmp_path.iterdir())
    code = main(["run", "--target", "fear", "--out", str(tmp_path / "out"), *QUICK, *model, *words])
    error = [line for line in capsys.readouterr().err.splitlines() if line not in STAGES]
    assert (code, len(error)) == (1, 1)
    assert re.match(f"emomod: .*{message}", error[0])
    assert set(tmp_path.iterdir()) == before


STAGES = {f"emomod: {stage}" for stage in ("reading", "cutting into components", "explaining")}


def test_demo_is_the_bundled_clip_unless_a_file_has_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert soundfile.info(options.clip_path("demo")).duration >= 10
    (tmp_path / "demo").write_bytes(b"")
    assert options.clip_path("demo") == Path("demo")


def test_parity_preset_is_the_system_of_2019():
    arguments = build_parser().parse_args(["run", "demo", "--target", "fear", "--out", "o", "--preset", "parity"])
    lime, modification = options.method_settings(arguments), options.modify_settings(arguments)
    assert (lime.n_perturbations, lime.design, lime.off, lime.kernel_width) == (50_000, "iid", "silence", 0.25)
    assert modification.rule == "ratio:1e-6"


def test_doctor_prints_findings_and_says_so_by_its_exit_code(tmp_path, model, capsys):
    assert main(["doctor", "--json", "--checkpoint", model[1]]) == 0
    assert {finding["state"] for finding in json.loads(capsys.readouterr().out)["findings"]} <= {
        "ok",
        "info",
        "missing",
    }
    assert main(["doctor", "--checkpoint", str(tmp_path / "absent")]) == 1
    assert "absent" in capsys.readouterr().out


def test_interrupt_and_disk_errors_end_with_one_line(monkeypatch, clip, model, capsys):
    for error, code, text in (
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left"), 1, "No space left"),
    ):
        monkeypatch.setattr("emomod.pipeline.predict", lambda *_, raised=error, **__: (_ for _ in ()).throw(raised))
        assert main(["predict", clip, *model]) == code
        assert text in capsys.readouterr().err


def test_module_runs_as_a_program(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(22050), 22050)
    command = [sys.executable, "-m", "emomod", "predict", str(tmp_path / "a.wav")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.endswith("a.wav: is silent\n")


def test_terminated_run_leaves_scores_alone_behind(tmp_path, clip, model):
    command = [sys.executable, "-m", "emomod", "run", clip, "--target", "fear", "--out", str(tmp_path / "out")]
    before, long = {*tmp_path.iterdir(), tmp_path / "log"}, ["--masks", "128", "--controls", "9999", "--rule", "top:9"]
    with open(tmp_path / "log", "w+") as log, subprocess.Popen([*command, *model, *long], stderr=log) as process:
        while "re-scoring" not in (tmp_path / "log").read_text():  # the folder is half-written by then
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.05)
        process.terminate()
        assert process.wait(timeout=60) == 143
    assert set(tmp_path.iterdir()) == {*before, tmp_path / ".out.scores"}


def test_all_windows_and_start_exclude_each_other(clip, model, tmp_path, capsys):
    words = ["run", clip, "--target", "fear", "--out", str(tmp_path / "out"), "--all-windows", "--start", "1", *model]
    assert main(words) == 1
    assert "--start must not be given" in capsys.readouterr().err


def test_modify_does_not_replace_the_explanation_that_it_uses(tmp_path, clip, model, capsys):
    explained = str(tmp_path / "explained")
    assert main(["explain", clip, "--masks", "128", "--out", explained, *model]) == 0
    assert main(["modify", clip, "--explanation", explained, "--target", "fear", "--out", explained, *model]) == 1
    assert "would be replaced" in capsys.readouterr().err
    assert (tmp_path / "explained" / "explanation.npz").exists()
