"""What all tests share."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell runs in the background is told to ignore it
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(440)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium browser, or a skip; of a module, since its loop and another one cannot both run."""
    from browsers import chromium

    with chromium() as found:
        yield found


@pytest.fixture
def tool_folder() -> Callable[[str], Path]:
    """A function that gives the folder with another tool's own code, or skips where there is none."""

    def find(name: str) -> Path:
        folder = Path(__file__).parents[1] / ".proofs" / name
        if not (folder / "ready").is_file():
            pytest.skip(f"needs {name}: make proofs")
        return folder

    return find


@pytest.fixture
def run_with_tool(tool_folder, tmp_path) -> Callable[..., str]:
    """A function that runs a script by a Python of its own with another tool's packages, and gives what it prints."""

    def run(name: str, script: str, *arguments: str | Path) -> str:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        told = os.environ | {"PYTHONPATH": str(tool_folder(name)), "HOME": str(tmp_path)}  # PsychoPy writes to HOME
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path, env=told)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
