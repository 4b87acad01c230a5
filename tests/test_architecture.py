"""The tree is the architecture: what a file may import, what the packages must carry, what an import may cost."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import emomod

ORDER = [
    "data", "errors", "reading", "labels", "checks", "bootstrap", "undefined", "markdown", "alone", "output",
    "provenance", "torchaudio_import", "mp3", "audio", "loudness", "spec", "spectrogram", "ear", "component_map",
    "figures", "notebook", "model", "components", "mixtures", "perturbation", "surrogate", "component_weights",
    "weight_precision", "attribution", "explanation", "sentences", "differences", "effects", "correlations",
    "comparison", "modification", "rescoring", "steering", "steered", "stages", "score_log", "explained", "result",
    "report", "remarks", "pipeline", "whole_file", "windows", "taggrams", "labelled_clips", "corpus",
    "steering_record", "steering_job", "datasets", "training", "score_tables", "many_clips", "batch",
    "run_differences", "replay", "finding", "machine", "doctor", "cli",
]  # fmt: skip
BESIDE = {
    stage: {"report", "remarks", "pipeline", "whole_file", "windows"} for stage in ("corpus", "training")
}  # left alone all the same
COMMANDS = {"evaluation", "listening_study"}  # packages that only the command line loads

PACKAGE = Path(str(emomod.__file__)).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
STAGES = [path for path in FILES if path.parent != PACKAGE or not path.stem.startswith("__")]
ALL_FILES = FILES + sorted(path for name in sorted(COMMANDS) for path in (ROOT / name).rglob("*.py"))


def name_of(path: Path) -> str:
    """emomod/model/network.py -> emomod.model.network; a package is called as its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path) for path in FILES}


def stage_of(module: str) -> str:
    stage = module.split(".")[1]
    assert stage in ORDER, f"emomod.{stage} is a new stage: add it to ORDER"
    return stage


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def imported(path: Path) -> Iterator[str]:
    """Names of the modules that a file imports, wherever in it, and also through import_module("...")."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            below = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES
            yield from below or {node.module}
        elif isinstance(node, ast.Call) and _called(node) == "import_module":
            yield from (
                word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)
            )


def _called(node: ast.Call) -> str | None:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", None)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", STAGES, ids=relative)
def test_a_stage_imports_earlier_stages_only(path):
    stage = stage_of(name_of(path))
    allowed = set(ORDER[: ORDER.index(stage) + 1]) - BESIDE.get(stage, set())
    found = {stage_of(name) for name in imported(path) if name.startswith("emomod.")}
    assert found <= allowed, f"{stage} must not import {', '.join(sorted(found - allowed))}"


@pytest.mark.parametrize("path", ALL_FILES, ids=relative)
def test_imports_name_the_stage(path):
    assert not [n.lineno for n in nodes(path) if isinstance(n, ast.ImportFrom) and n.level], "no relative imports"
    if path in STAGES and stage_of(name_of(path)) != "cli":
        names = set(imported(path))
        assert "emomod" not in names, "write: from emomod.stage import name"
        assert not COMMANDS & {name.split(".")[0] for name in names}, "only the command line loads these"


def test_no_import_cycles():
    graph = {name_of(path): {name for name in imported(path) if name in MODULES} for path in STAGES}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


@pytest.mark.parametrize("path", ALL_FILES, ids=relative)
def test_files_say_what_they_are_for_and_neither_assert_nor_print(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "a file opens with what it is for"
    assert not [n.lineno for n in nodes(path) if isinstance(n, ast.Assert)], "raise InputError instead"
    if "cli" not in path.relative_to(ROOT).parts:
        assert not [n.lineno for n in nodes(path) if isinstance(n, ast.Call) and _called(n) == "print"]


def test_an_import_of_emomod_is_light():
    code = "import sys, emomod; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"numpy", "torch", "matplotlib", "skimage", "emomod.corpus", "emomod.training", *COMMANDS}


def test_the_public_api_is_small_and_there():
    assert len(emomod.__all__) <= 26
    assert len(set(emomod.__all__)) == len(emomod.__all__)
    assert [name for name in emomod.__all__ if not getattr(emomod, name, None)] == []


@pytest.mark.parametrize("package", ["emomod", *sorted(COMMANDS)])
def test_a_package_carries_its_type_marker(package):
    assert (ROOT / package / "py.typed").is_file()
