"""Inputs read by children that are watched: a child that takes too long, or too much memory, or dies, is a find.

A child is forked once everything is loaded, may take ``MOST_MEMORY`` more than that, and reads one input after another;
its place is taken by a new one whenever something went wrong.
"""

import multiprocessing
import os
import resource
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from tests.fuzz.mutations import mutated
from tests.fuzz.targets import TARGETS, run

MOST_SECONDS = 10.0  # for an input
MOST_MEMORY = 1 << 30  # bytes that an input may take
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Find:
    """An input that a reader cannot stand."""

    target: str
    what: str  # traceback, hang or memory
    where: str  # of a traceback its error and the place in the package, so that equal ones are known
    told: str  # what the child said of it
    content: bytes


def content_of(target: str, number: int) -> bytes:
    """The input of a number, the same on every call; inputs 0, 1, ... are the seeds as they are."""
    seeds = TARGETS[target].seeds()
    if number < len(seeds):
        return seeds[number]
    return mutated(seeds[number % len(seeds)], TARGETS[target].kind, seed=number)


class Child:
    """A process that reads inputs; it ends with what is run in its context."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Fork, once all seeds are there, so that parent and child have the same."""
        _made()
        self.pipe, end = FORK.Pipe()
        self.process = FORK.Process(target=_serve, args=(end,), daemon=True)
        self.process.start()
        end.close()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def check(self, target: str, content: bytes) -> Find | None:
        """Read an input; what is wrong with how it was read, if something is."""
        with suppress(OSError):
            self.pipe.send((target, content))
        try:
            if not self.pipe.poll(MOST_SECONDS):
                return self._replaced(target, content, "hang", f"it takes longer than {MOST_SECONDS:g} s")
            what, where, told = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return self._replaced(target, content, "traceback", f"the process died ({self.process.exitcode})")
        if what == "memory":
            return self._replaced(target, content, what, told)
        return Find(target, what, where, told, content) if what else None

    def _replaced(self, target: str, content: bytes, what: str, told: str) -> Find:
        self.__exit__()
        self.start()
        return Find(target, what, told, told, content)


@cache
def _made() -> None:
    for target in TARGETS.values():
        target.seeds()
        if target.around is not None:
            target.around()


def finds(target: str, n_inputs: int, *, first: int = 0) -> Iterator[Find]:
    """Yield what is found by inputs ``first`` .. ``first + n_inputs - 1`` of a target."""
    with Child() as child:
        for number in range(first, first + n_inputs):
            if found := child.check(target, content_of(target, number)):
                yield found


def _serve(pipe: Connection) -> None:
    """Read inputs until the pipe closes; never leave a core file or anything on standard error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 1 << 30
    with suppress(ValueError, OSError):
        allowed = pages * resource.getpagesize() + MOST_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(EOFError, OSError):
        while True:
            target, content = pipe.recv()
            pipe.send(_outcome(target, content))


def _outcome(target: str, content: bytes) -> tuple[str, str, str]:
    """What happened (nothing, a traceback, too much memory), where, and in words."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        run(TARGETS[target], content)
    except MemoryError:
        return "memory", "", traceback.format_exc()[-2000:]
    except BaseException as error:
        return "traceback", _place(error), traceback.format_exc()[-2000:]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return ("memory", "", f"it took {grown >> 20} MB") if grown > MOST_MEMORY else ("", "", "")


def _place(error: BaseException) -> str:
    """The kind of an error and the last line of the package on the way to it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/emomod/" in frame.filename or "/listening_study/" in frame.filename]
    last = (ours or list(frames))[-1]
    return f"{type(error).__name__} {Path(last.filename).name}:{last.name}"
