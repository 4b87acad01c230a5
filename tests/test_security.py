"""What no file of the packages may do, and what no shipped file may be: run or unpickle what comes from outside.

Every rule is shown to find what it is for. docs/security.md says what is trusted, and its limits are those of the code.
"""

import ast
import importlib
import io
import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
PACKAGES = ("emomod", "evaluation", "listening_study", "examples", "benchmarks", "scripts")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
SHIPPED = sorted(
    path
    for package in PACKAGES[:4]
    for path in (ROOT / package).rglob("*")
    if path.is_file() and path.suffix not in (".py", ".pyc")
)
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS = {"eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "torch.load"}
METHODS = {"unsafe_load", "full_load"}  # whatever they are methods of


def forbidden(source: str) -> Iterator[str]:
    """What a file has that it must not have."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (name for name in _imported(node) if name.partition(".")[0] in MODULES or name in CALLS)
        elif isinstance(node, ast.Call):
            yield from _called(node)


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]


def _called(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
    if name == "torch.load" and given.get("weights_only") is True:
        return  # a reader of tensors alone, for the weights of a separation network that a user names
    if name in CALLS or name.rpartition(".")[2] in METHODS:
        yield name
    if given.get("shell"):
        yield "shell"
    if name in ("np.load", "numpy.load", "np.memmap") and given.get("allow_pickle") is not False:
        yield name
    if name in ("import_module", "__import__", "importlib.import_module") and node.args:
        named = getattr(node.args[0], "value", None)
        if isinstance(named, str) and named.partition(".")[0] in MODULES:
            yield named


def is_pickled(content: bytes) -> bool:
    """Whether a file is a pickle, or holds one as PyTorch's and NumPy's files may."""
    if re.match(rb"\x80[\x02-\x05]", content) or b"'descr': '|O'" in content[:200]:
        return True
    if not content.startswith(b"PK"):
        return False
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return any(is_pickled(archive.read(name)) or name.endswith(".pkl") for name in archive.namelist())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_runs_or_unpickles_what_comes_from_outside(path):
    assert list(forbidden(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "planted",
    (
        *(f"import {name}" for name in sorted(MODULES)),
        "from pickle import loads",
        "import joblib.externals",
        "eval('1')",
        "exec(text)",
        "os.system('ls')",
        "from os import system",
        "os.popen(command)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "loader.unsafe_load(text)",
        "from yaml import full_load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "from torch import load",
        "subprocess.run(command, shell=True)",
        "np.load(path)",
        "numpy.load(path, allow_pickle=True)",
        "import_module('pickle')",
        "__import__('marshal')",
    ),
)
def test_a_planted_call_is_found(planted):
    assert list(forbidden(f"def f(path, text):\n    {planted}\n"))


def test_what_is_harmless_is_left_alone():
    source = "import json\nnp.load(path, allow_pickle=False)\nmodel.eval()\nsubprocess.run(['ls'])\nplatform.system()\n"
    assert not list(forbidden(source))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_shipped_file_is_a_pickle(path):
    assert not is_pickled(path.read_bytes())
    assert path.suffix not in (".pkl", ".pickle", ".pt", ".pth", ".joblib")


def test_a_planted_pickle_is_found():
    of_torch, of_numpy, of_npz = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.zeros(1)}, of_torch)
    np.save(of_numpy, np.array([{}], dtype=object), allow_pickle=True)
    np.savez(of_npz, a=np.array([{}], dtype=object))
    for content in (pickle.dumps([1]), *(file.getvalue() for file in (of_torch, of_numpy, of_npz))):
        assert is_pickled(content)
    plain = io.BytesIO()
    np.savez(plain, a=np.zeros(3))
    assert not is_pickled(plain.getvalue())


# ---- the page --------------------------------------------------------------------------------------------------------

LIMIT = re.compile(
    r"^\| (?P<what>[^|]+) \| (?P<told>[^|]+) \| `(?P<module>[\w.]+)\.(?P<name>[A-Z_]+)` \|$", re.MULTILINE
)
UNITS = {"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "h": 3600, "million": 1_000_000}


def limits() -> list[tuple[str, str, str]]:
    """Every limit that docs/security.md tells: what it says, module and name of the constant."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    return [(found["told"], found["module"], found["name"]) for found in LIMIT.finditer(text)]


def test_the_page_tells_limits():
    assert len(limits()) >= 15


@pytest.mark.parametrize(("told", "module", "name"), limits(), ids=lambda part: str(part).strip())
def test_a_limit_on_the_page_is_that_of_the_code(told, module, name):
    value = getattr(importlib.import_module(module), name)
    numbers = [
        float(number.replace(" ", "")) for number in re.findall(r"\d[\d ]*(?:\.\d+)?", told.replace("\u00a0", " "))
    ]
    factor = next((UNITS[word] for word in told.split() if word in UNITS), 1)
    assert [number * factor for number in numbers] == (list(value) if isinstance(value, tuple) else [value])
