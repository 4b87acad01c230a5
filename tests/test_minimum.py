"""The lowest versions that pyproject.toml allows, as requirements."""

import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "minimum.py"))
lower_bounds, main = SCRIPT["lower_bounds"], SCRIPT["main"]
PROJECT = {
    "dependencies": ["numpy>=1.26", "torch>=2.6"],
    "optional-dependencies": {
        "fast": ["ncnn>=1.0.2"],
        "study": ["pyyaml>=6.0", "psycopg[binary]>=3.2"],
        "train": ["pyyaml>=6.0"],
        "test": ["emomod[fast,train]", "lime==0.2.0.1", "pytest>=8.2", "atheris>=3; sys_platform == 'linux'"],
    },
}


@pytest.mark.parametrize(
    ("extras", "also", "found"),
    [
        ([], [], {}),
        (["fast"], [], {"ncnn": "1.0.2"}),
        (["study", "train"], [], {"pyyaml": "6.0", "psycopg": "3.2"}),
        (["test"], [], {"ncnn": "1.0.2", "pyyaml": "6.0", "lime": "0.2.0.1", "pytest": "8.2", "atheris": "3"}),
        (["fast"], ["pytest"], {"ncnn": "1.0.2", "pytest": "8.2"}),
        ([], ["atheris"], {"atheris": "3"}),
    ],
)
def test_lower_bounds_against_theory(extras, also, found):
    assert lower_bounds(PROJECT, extras, also) == {"numpy": "1.26", "torch": "2.6", **found}


@pytest.mark.parametrize(
    ("dependencies", "extras", "message"),
    [
        (["numpy"], [], "'numpy' has no lower bound"),
        (["numpy<3"], [], "'numpy<3' has no lower bound"),
        (["pyyaml>=5.4"], ["train"], "pyyaml has two lower bounds, 5.4 and 6.0"),
        ([], ["sing"], "no extra 'sing'"),
    ],
)
def test_lower_bounds_iv(dependencies, extras, message):
    with pytest.raises(SystemExit, match=message):
        lower_bounds(PROJECT | {"dependencies": dependencies}, extras)


def test_requirements_against_pyproject(capsys):
    assert main(["components", "--also", "pytest", "--instead", "torch==9.9"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = lower_bounds(project, ["components"], ["pytest"])
    assert first == f"# torch: 9.9 instead of its lower bound {bounds['torch']}"
    assert lines == [f"{name}=={version}" for name, version in sorted((bounds | {"torch": "9.9"}).items())]
    assert {"librosa", "scikit-learn", "pytest"} < bounds.keys()
    with pytest.raises(SystemExit, match="--instead must name one of"):
        main(["--instead", "tensorflow==1"])


def test_every_extra_has_one_lower_bound_a_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert len(lower_bounds(project, project["optional-dependencies"])) > 40
