import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from emomod.alone import alone
from emomod.errors import InputError
from emomod.output import RECORDS, check_output, finite, new_folder, scores_file, tidy, to_json


def write_into(out, mark="run.json", text="{}"):
    with new_folder(out) as folder:
        (folder / mark).write_text(text)
        (folder / "figures").mkdir()
    return out


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_new_folder_against_the_design_appears_whole(tmp_path):
    out = tmp_path / "a" / "b"  # parents are made
    with new_folder(out) as folder:
        (folder / "run.json").write_text("{}")
        assert not out.exists()
        assert folder.parent == out.parent  # the same disk, so that it can be moved in one step
    assert names(out) == ["run.json"]
    assert names(out.parent) == ["b"]
    assert out.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", (RuntimeError, KeyboardInterrupt, InputError))
@pytest.mark.parametrize("earlier", (False, True))
def test_new_folder_against_the_design_or_not_at_all(tmp_path, error, earlier):
    out = tmp_path / "out"
    if earlier:
        write_into(out, text="earlier")

    def fail():
        with new_folder(out) as folder:
            (folder / "run.json").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == (["out"] if earlier else [])
    assert not earlier or (out / "run.json").read_text() == "earlier"


@pytest.mark.parametrize("mark", sorted(RECORDS))
def test_new_folder_against_the_design_replaces_an_earlier_output(tmp_path, mark):
    out = write_into(tmp_path / "out", mark=mark, text="earlier")
    (out / "report.html").write_text("")
    write_into(out, text="new")
    assert names(out) == ["figures", "run.json"]
    assert (out / "run.json").read_text() == "new"
    (tmp_path / "empty").mkdir()
    assert names(write_into(tmp_path / "empty")) == ["figures", "run.json"]


def test_new_folder_regression_a_link_to_a_folder(tmp_path):
    write_into(tmp_path / "real", text="earlier")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_into(tmp_path / "link", text="new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "run.json").read_text() == "new"
    assert names(tmp_path) == ["link", "real"]


KILLED = """
import os, signal, sys
from pathlib import Path
from emomod import output

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "while it replaces":
    real, output.os = os.replace, type("os", (), {"__getattr__": lambda self, name: getattr(os, name)})()
    output.os.replace = lambda one, other: killed() if str(one).endswith(".partial") else real(one, other)
with output.new_folder(sys.argv[1]) as folder:
    (folder / "run.json").write_text("half")
    killed() if sys.argv[2] == "while it writes" else None
"""


@pytest.mark.parametrize("when", ("while it writes", "while it replaces"))
@pytest.mark.parametrize("earlier", (False, True))
def test_new_folder_against_the_design_what_a_killed_process_leaves_goes(tmp_path, when, earlier):
    out = tmp_path / "out"
    if earlier:
        write_into(out, text="earlier")
    killed = subprocess.run([sys.executable, "-c", KILLED, out, when], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert any(name.endswith(".partial") for name in names(tmp_path))
    assert out.exists() == (earlier and when == "while it writes")
    tidy(out)
    assert names(tmp_path) == (["out"] if earlier else [])
    assert not earlier or (out / "run.json").read_text() == "earlier"
    write_into(out, text="new")
    assert names(tmp_path) == ["out"]
    assert (out / "run.json").read_text() == "new"


def test_tidy_against_the_design_living_processes_and_other_outputs_are_left_alone(tmp_path):
    others = (".out.a.partial", ".other.b.partial", ".out.scores", "out.c.partial", ".out.d.earlier")
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / "out").mkdir()
    with alone(tmp_path / others[0]):
        tidy(tmp_path / "out")
        assert names(tmp_path) == sorted({*others, "out"} - {".out.d.earlier"})
    tidy(tmp_path / "out")
    assert names(tmp_path) == sorted({*others, "out"} - {".out.d.earlier", ".out.a.partial"})
    tidy(tmp_path / "absent" / "out")


def test_new_folder_against_the_design_kept_scores_go_when_the_folder_is_there(tmp_path):
    scores = scores_file(tmp_path / "out")
    scores.write_text("")
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out"):
        raise RuntimeError
    assert scores.is_file()
    write_into(tmp_path / "out")
    assert names(tmp_path) == ["out"]


@pytest.fixture
def read_only(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


@pytest.mark.parametrize("below", (".", "new", "new/deeper"))
def test_new_folder_iv_read_only(read_only, below):
    with pytest.raises(InputError, match=r"out: the folder .*locked is read-only"):
        write_into(read_only / below)
    assert not names(read_only)


def test_new_folder_iv_an_earlier_output_in_a_read_only_folder(tmp_path):
    out = write_into(tmp_path / "a" / "out", text="earlier")
    out.chmod(0o555)
    with pytest.raises(InputError, match="read-only"):
        write_into(out)
    out.chmod(0o755)
    assert (out / "run.json").read_text() == "earlier"


def test_new_folder_iv_foreign(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="is not empty, and not an earlier result of emomod alone"):
        write_into(tmp_path)
    for out in (tmp_path / "thesis.tex", tmp_path / "thesis.tex" / "out"):
        with pytest.raises(InputError, match=r"out: .*thesis\.tex is a file, not a folder"):
            write_into(out)
    assert names(tmp_path) == ["thesis.tex"]
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("name", ("thesis.tex", "run.json.bak", "00000.0s"))
def test_new_folder_iv_an_earlier_output_with_something_else_in_it(tmp_path, name):
    out = write_into(tmp_path / "out", text="earlier")
    (out / name).write_text("mine")
    with pytest.raises(InputError, match="not an earlier result of emomod alone"):
        write_into(out)
    assert (out / name).read_text() == "mine"


def test_check_output_iv_what_is_still_needed(tmp_path, monkeypatch):
    out = write_into(tmp_path / "out", text="earlier")
    for needed in (out, out / "original.wav"):
        with pytest.raises(InputError, match=r"would be replaced, but .* lies in it; name another folder"):
            check_output(out, inputs=[needed])
    monkeypatch.chdir(out)
    with pytest.raises(InputError, match="would be replaced"):
        check_output(".")


def test_new_folder_against_the_design_parents_disappear_too(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "a" / "b" / "c"):
        raise RuntimeError
    assert not names(tmp_path)


def test_check_output_against_theory_is_absolute_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_output("a") == tmp_path / "a"
    assert not names(tmp_path)


def test_to_json_against_json_knows_no_nan():
    value = {
        "a": [1.5, float("nan"), (float("inf"), -float("inf"))],
        "b": {"c": np.float64("nan"), "d": None, "e": "x"},
    }
    expected = {"a": [1.5, None, [None, None]], "b": {"c": None, "d": None, "e": "x"}}
    assert finite(value) == expected
    assert json.loads(to_json(value)) == expected
