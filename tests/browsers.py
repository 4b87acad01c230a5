"""A Chromium browser for tests, and studies that are quick to take part in."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_studies import small_study

from listening_study.package import Study
from listening_study.trials import draw_lists

PROGRAM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if PROGRAM is None:
        pytest.skip("needs a Chromium browser")
    with playwright.sync_playwright() as found:
        browser = found.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        yield browser
        browser.close()


def quick_study(folder: Path, **changes: object) -> Study:
    """Seven trials a list: four items, practice, two catch trials."""
    small = {"targets": ("energy",), "versions": ("enhanced",), "practice": 1, "repeats": 0}
    return small_study(folder, **small | changes)


def of_kind(study: Study, kind: str) -> Study:
    """The study with its stimuli in trials of another kind."""
    plan = replace(study.plan, trial_type=kind, catch=0)
    return replace(study, plan=plan, lists=draw_lists(plan))
