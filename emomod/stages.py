"""The stages of a long job: what runs, how far it is, how long each stage took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Event:
    """What happens in a job: a stage begins, goes on, does something or has ended."""

    kind: Literal["stage", "progress", "tell", "ended"]
    stage: str
    seconds: float = 0.0  # since the stage began
    done: int | None = None  # of progress
    total: int | None = None
    what: str = ""  # the stage does

    def __str__(self) -> str:
        """The event in words.

        >>> str(Event("progress", "explaining", done=16, total=2048))
        'explaining: 16 of 2048'
        """
        told = f"{self.done} of {self.total}" if self.kind == "progress" else self.what
        return f"{self.stage}: {told}" if told else self.stage


Announce = Callable[[Event], None]


def silent(event: Event) -> None:
    """Announce nothing."""


class Stages:
    """Times named stages and announces what happens in them."""

    def __init__(self, announce: Announce = silent) -> None:
        self._announce = announce
        self._name = ""
        self._began = time.perf_counter()
        self._seconds: dict[str, float] = {}

    def anew(self) -> "Stages":
        """Stages that are announced in the same way, with no time spent yet."""
        return Stages(self._announce)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what runs inside as ``name``; times of the same name add up."""
        self._name = name
        self._announce(Event("stage", name))
        began = self._began = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            self._seconds[name] = self._seconds.get(name, 0.0) + seconds
            self._announce(Event("ended", name, seconds))

    def progress(self, done: int, total: int) -> None:
        """Announce how far the present stage is."""
        self._announce(Event("progress", self._name, time.perf_counter() - self._began, done, total))

    def tell(self, what: str) -> None:
        """Announce what the present stage does."""
        self._announce(Event("tell", self._name, time.perf_counter() - self._began, what=what))

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of each stage so far, to the millisecond, and their total."""
        rounded = {name: round(seconds, 3) for name, seconds in self._seconds.items()}
        return rounded | {"total": round(sum(self._seconds.values()), 3)}
