"""Models by what names them on the command line: what is found, and what is said where nothing is."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from emomod.errors import InputError
from emomod.model.origin import find_object, takes_nothing
from emomod.model.other import Model, load_other

MODEL = """
from emomod.model.other import Model

def scores(waveforms):
    return waveforms[:, :2]

model = Model(scores, names=("a", "b"))
"""


@pytest.fixture
def write(tmp_path, monkeypatch) -> Iterator[Callable[[str, str], Path]]:
    """A function that writes a Python file into the current folder, which is a new one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    yield write_file
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_load_other_against_the_module_in_the_current_folder(write):
    write("origin_one.py", MODEL)
    model = load_other("origin_one:model", device="cpu")
    assert model.origin == "origin_one:model"
    assert model.names == ("a", "b")
    assert sys.modules["origin_one"].model.origin == ""  # the user's own is left as it is
    assert model.scorer is sys.modules["origin_one"].scores


def test_load_other_against_packages_and_attributes(write):
    write("origin_package/__init__.py", "")
    write("origin_package/deep.py", MODEL + "\nclass Zoo:\n    best = model\n")
    assert load_other("origin_package.deep:Zoo.best", device="cpu").name == "scores"


def test_load_other_against_a_file_and_its_neighbour(write, tmp_path, monkeypatch):
    write("there/origin_neighbour.py", "names = ('x', 'y')")
    write(
        "there/torch.py",  # called as a library is
        "from dataclasses import dataclass\nfrom origin_neighbour import names\n" + MODEL.replace('("a", "b")', "names")
        + "@dataclass\nclass Settings:\n    n: int = 1\n",
    )  # fmt: skip
    model = load_other("there/torch.py:model", device="cpu")
    assert model.names == ("x", "y")
    assert model.origin == "there/torch.py:model"
    assert torch.tensor(1) == 1
    with pytest.raises(InputError, match=r"there is no module there\.torch_no"):
        load_other("there.torch_no:model", device="cpu")


def test_load_other_against_a_function_that_makes_the_model(write):
    write(
        "origin_factory.py", MODEL + "\ndef make(width=3):\n    return Model(scores, names=('a',) * 1, name='made')\n"
    )
    assert load_other("origin_factory:make", device="cpu").name == "made"


def test_load_other_against_the_device(write, monkeypatch):
    write("origin_device.py", MODEL)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert load_other("origin_device:model").device.type == "cpu"
    with pytest.raises(InputError, match="device must be cpu"):
        load_other("origin_device:model", device="cuda")
    moved = []

    def to(self, device):
        moved.append(device)
        return self

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(Model, "to", to)
    load_other("origin_device:model")
    assert moved == [torch.device("cuda")]


WRAP = "wrap it: model = Model({}, names=(...), sample_rate=..., window_seconds=...)"
IV = {
    "no colon": ("origin_iv", "model must be module:name, file.py:name or file.onnx, got 'origin_iv'"),
    "no name": ("origin_iv:", "model must be module:name, file.py:name or file.onnx, got 'origin_iv:'"),
    "no module": ("origin_no:model", "there is no module origin_no, neither installed nor in the current folder"),
    "no package": ("origin_no.sub:model", "there is no module origin_no.sub, neither installed nor in"),
    "no file": ("absent.py:model", "absent.py: there is no such file"),
    "no object": ("origin_iv:models", "origin_iv has no 'models'; it has Model, scores, model, net, Factory, number, "),
    "no attribute": ("origin_iv:model.x", "origin_iv has no 'model.x'; it has "),
    "a function": (
        "origin_iv:scores",
        "origin_iv:scores must be an emomod Model, got a function; " + WRAP.format("scores"),
    ),
    "a network": ("origin_iv:net", "origin_iv:net must be an emomod Model, got a Linear; " + WRAP.format("net")),
    "a number": ("origin_iv:number", "origin_iv:number must be an emomod Model, got a int; wrap it: "),
    "what a function makes": ("origin_iv:wrong", "origin_iv:wrong must be an emomod Model, got a dict; wrap it: "),
    "what a class makes": ("origin_iv:Factory", "origin_iv:Factory must be an emomod Model, got a Factory; wrap it: "),
    "a function that raises": (
        "origin_iv:fails",
        "origin_iv:fails cannot make a model: KeyError: 'weights' (origin_iv.py, line 14)",
    ),
    "a bad card": ("origin_iv:bad", "names must be a list of words, one a score, got ()"),
}


@pytest.mark.parametrize(("origin", "told"), IV.values(), ids=list(IV))
def test_load_other_iv(write, origin, told):
    text = "import torch\nnet = torch.nn.Linear(2, 2)\nclass Factory: pass\nnumber = 3\ndef wrong(): return {}\n"
    write(
        "origin_iv.py",
        MODEL + text + "def fails():\n    return {}['weights']\ndef bad():\n    return Model(scores, names=())\n",
    )
    with pytest.raises(InputError, match=f"^{re.escape(told)}") as caught:
        load_other(origin, device="cpu")
    assert "\n" not in str(caught.value)


BROKEN = {
    "raises": ("x = 1\nraise RuntimeError('no\\nweights')", "RuntimeError: no weights (origin_broken.py, line 2)"),
    "raises in a call": ("def f():\n    1 / 0\nf()", "ZeroDivisionError: division by zero (origin_broken.py, line 2)"),
    "raises in a library": ("import json\n\njson.loads('{')", "(origin_broken.py, line 3)"),
    "is no Python": ("x = 1\ny = = 2", "SyntaxError: invalid syntax (origin_broken.py, line 2)"),
    "needs what is not there": (
        "import origin_not_installed",
        "ModuleNotFoundError: No module named 'origin_not_installed' (origin_broken.py, line 1)",
    ),
    "ends Python": ("import sys\nsys.exit(3)", "SystemExit: 3 (origin_broken.py, line 2)"),
    "has a bad card": (
        "from emomod.model.other import Model\nModel(print, names=())",
        "InputError: names must be a list of words, one a score, got () (origin_broken.py, line 2)",
    ),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=list(BROKEN))
@pytest.mark.parametrize("origin", ("origin_broken:model", "origin_broken.py:model"))
def test_load_other_iv_code_that_raises_on_import(write, text, told, origin):
    write("origin_broken.py", text)
    with pytest.raises(
        InputError, match=rf"^{origin.rpartition(':')[0]} cannot be imported: .*{re.escape(told)}"
    ) as caught:
        load_other(origin, device="cpu")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None


def test_find_object_against_itself_the_path_is_searched_once_more_for_new_files(write):
    write("origin_first.py", "x = 1")
    assert find_object("origin_first:x") == 1
    write("origin_second.py", "x = 2")
    assert find_object("origin_second:x") == 2
    assert sys.path.count(str(Path.cwd())) == 1


def test_takes_nothing_against_signatures():
    assert takes_nothing(lambda: 1)
    assert takes_nothing(lambda x=1, *y, **z: 1)
    assert not takes_nothing(lambda x: 1)
    assert not takes_nothing(3)
    assert not takes_nothing(len)
