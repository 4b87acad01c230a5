"""Broken and hostile files: every find of before, bombs, and some hundred new inputs for every reader."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emomod.errors import InputError
from tests.fuzz import watched
from tests.fuzz.bombs import BOMBS
from tests.fuzz.mutations import CHANGES, mutated
from tests.fuzz.targets import TARGETS, Target, run

FINDS = sorted(path for path in (Path(__file__).parent / "finds").rglob("*") if path.is_file())
LARGEST = 20_000  # bytes of a find that is kept
N_INPUTS = 600


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_reads_its_seeds(name, tmp_path):
    for number, seed in enumerate(TARGETS[name].seeds()):
        refused: list[str] = []
        target = TARGETS[name]

        def read(path: Path) -> None:
            try:
                target.read(path)  # noqa: B023 - called at once
            except InputError as error:
                refused.append(str(error))  # noqa: B023

        run(Target(read, target.file, target.kind, target.seeds, target.around), seed)
        assert not refused, number


@pytest.mark.parametrize("path", FINDS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_find_regression(path):
    assert path.stat().st_size < LARGEST
    run(TARGETS[path.parent.name], path.read_bytes())


def test_there_are_finds_of_targets_alone():
    assert len(FINDS) >= 20
    assert {path.parent.name for path in FINDS} <= set(TARGETS)


@given(name=st.sampled_from([name for name in TARGETS if TARGETS[name].share >= 0.2]), seed=st.integers(0, 2**32))
@settings(max_examples=N_INPUTS)
def test_whatever_comes_is_read_or_refused_by_name(name, seed):
    target = TARGETS[name]
    seeds = target.seeds()
    run(target, mutated(seeds[seed % len(seeds)], target.kind, seed=seed))


@pytest.mark.parametrize("kind", CHANGES)
def test_changes_against_themselves_are_many_and_the_same_on_every_call(kind):
    (content, *_) = next(target.seeds() for target in TARGETS.values() if target.kind == kind)
    drawn = [mutated(content, kind, seed=seed) for seed in range(40)]
    assert drawn == [mutated(content, kind, seed=seed) for seed in range(40)]
    assert len(set(drawn) - {content}) > 20


@pytest.fixture(scope="module")
def child():
    with pytest.MonkeyPatch.context() as patch, watched.Child() as started:
        patch.setattr(watched, "MOST_SECONDS", 120.0)  # on a busy machine; python -m tests.fuzz --bombs takes 10
        yield started


@pytest.mark.parametrize(("target", "make"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_takes_neither_long_nor_much_memory(child, target, make):
    found = child.check(target, make())
    assert found is None, found.told


def _take_long(path: Path) -> None:
    time.sleep(60)


def _take_memory(path: Path) -> None:
    assert np.ones(watched.MOST_MEMORY // 4).sum() > 0


def _raise(path: Path) -> None:
    raise KeyError("a")


def _say_nothing(path: Path) -> None:
    raise InputError("")


def _write_elsewhere(path: Path) -> None:
    (path.parents[1] / "elsewhere").touch()


def _warn(path: Path) -> None:
    np.float32(1) / np.zeros(1)


@pytest.mark.parametrize(
    ("read", "what"),
    (
        (_take_long, "hang"),
        (_take_memory, "memory"),
        (_raise, "traceback"),
        (_say_nothing, "traceback"),
        (_write_elsewhere, "traceback"),
        (_warn, "traceback"),
    ),
)
def test_a_planted_fault_is_found(monkeypatch, read, what):
    monkeypatch.setattr(watched, "MOST_SECONDS", 3.0)
    monkeypatch.setitem(TARGETS, "planted", Target(read, "a", "bytes", lambda: [b"a"]))
    (found,) = watched.finds("planted", 1)
    assert (found.what, found.content) == (what, b"a")
