"""The stages of a long job: what runs, how far it is, how long each stage took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Announce = Callable[[str], None]


def silent(text: str) -> None:
    """Announce nothing."""


class Stages:
    """Times named stages and announces them."""

    def __init__(self, announce: Announce = silent) -> None:
        self._announce = announce
        self._name = ""
        self._seconds: dict[str, float] = {}

    def anew(self) -> "Stages":
        """Stages that are announced in the same way, with no time spent yet."""
        return Stages(self._announce)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what runs inside as ``name``; times of the same name add up."""
        self._name = name
        self._announce(name)
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - began

    def progress(self, done: int, total: int) -> None:
        """Announce how far the present stage is."""
        self._announce(f"{self._name}: {done} of {total}")

    def tell(self, what: str) -> None:
        """Announce what the present stage does."""
        self._announce(f"{self._name}: {what}")

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of each stage so far, to the millisecond, and their total."""
        rounded = {name: round(seconds, 3) for name, seconds in self._seconds.items()}
        return rounded | {"total": round(sum(self._seconds.values()), 3)}
