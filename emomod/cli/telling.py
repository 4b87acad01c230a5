"""What a command tells while it runs, on standard error: a text for people, or JSON lines for programs (--log-json).

A line of JSON holds at least "time" (UTC), "event", "stage", "done", "total" and "seconds": since the stage began, or,
where "stage" is null, since the command did. Events: "stage" (one begins), "progress", "tell" ("what" it does), "ended"
(the stage), "error" ("kind", "message") and, last, "end" ("exit_code", "stages" with the seconds of each,
"peak_memory_bytes" of this process).
"""

import json
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from emomod.stages import Announce, Event

REST_S = 1.0  # between lines of progress, so that the log of a job of hours stays readable; the last one always comes
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in


class Teller(Protocol):
    """A way to tell on standard error."""

    def announcer(self) -> Announce:
        """Return what tells the events of stages."""
        ...

    def line(self, text: str) -> None:
        """Tell a line of progress of a job without stages."""
        ...

    def error(self, message: str, *, kind: str) -> None:
        """Tell what went wrong."""
        ...

    def crash(self, error: Exception) -> bool:
        """Tell an error that nobody has foreseen; False where Python shall show it."""
        ...

    def clear(self) -> None:
        """End the line that progress was written on."""
        ...

    def end(self, code: int) -> None:
        """Tell that the command ends with an exit code."""
        ...


class TextTeller:
    """For people: one line that is rewritten on a terminal, else a line a stage."""

    def announcer(self) -> Announce:
        """Return what tells the events of stages."""
        terminal, seen = sys.stderr.isatty(), set[str]()

        def announce(event: Event) -> None:
            if terminal and event.kind != "ended":
                print(f"\r\033[Kemomod: {event}", end="", file=sys.stderr, flush=True)
            elif not terminal and event.stage not in seen:
                seen.add(event.stage)
                print(f"emomod: {event.stage}", file=sys.stderr, flush=True)

        return announce

    def line(self, text: str) -> None:
        """Print a line."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def error(self, message: str, *, kind: str) -> None:  # noqa: ARG002 - a person is told by the message
        """Print what went wrong, in one line."""
        self.clear()
        print(f"emomod: {' '.join(message.split())}", file=sys.stderr)

    def crash(self, error: Exception) -> bool:  # noqa: ARG002 - Python shows it
        """Leave it to Python."""
        return False

    def clear(self) -> None:
        """End the line that progress was written on."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def end(self, code: int) -> None:
        """A person sees the end."""


class JsonTeller:
    """For programs: a JSON object a line."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._rested = -REST_S
        self._stages: dict[str, float] = {}

    def announcer(self) -> Announce:
        """Return what tells the events of stages."""
        return self._announce

    def _announce(self, event: Event) -> None:
        if event.kind == "ended":
            self._stages[event.stage] = self._stages.get(event.stage, 0.0) + event.seconds
        if event.kind == "progress":
            now = time.perf_counter()
            if now - self._rested < REST_S and event.done != event.total:
                return
            self._rested = now
        told = {"what": event.what} if event.kind == "tell" else {}
        self._write(event.kind, event.seconds, stage=event.stage, done=event.done, total=event.total, **told)

    def line(self, text: str) -> None:
        """Write a line of progress."""
        self._write("tell", self._seconds, what=text)

    def error(self, message: str, *, kind: str) -> None:
        """Write what went wrong."""
        self._write("error", self._seconds, kind=kind, message=" ".join(message.split()))

    def crash(self, error: Exception) -> bool:
        """Write an error that nobody has foreseen, with where it happened."""
        where = [line.rstrip() for line in traceback.format_exception(error)]
        self._write("error", self._seconds, kind=type(error).__name__, message=str(error), traceback=where)
        return True

    def clear(self) -> None:
        """There is nothing to clear."""

    def end(self, code: int) -> None:
        """Write the last line."""
        stages = {name: round(seconds, 3) for name, seconds in self._stages.items()}
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_BYTES
        self._write("end", self._seconds, exit_code=code, stages=stages, peak_memory_bytes=memory)

    @property
    def _seconds(self) -> float:
        """Since the command began."""
        return time.perf_counter() - self._began

    def _write(self, event: str, seconds: float, **told: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        common = {"time": now, "event": event, "stage": None, "done": None, "total": None, "seconds": round(seconds, 3)}
        sys.stderr.write(json.dumps(common | told) + "\n")
        sys.stderr.flush()


class _Present:
    """What the command that runs tells by."""

    teller: Teller = TextTeller()


def present() -> Teller:
    """Return what the command that runs tells by."""
    return _Present.teller


@contextmanager
def telling(teller: Teller) -> Iterator[None]:
    """Tell by ``teller`` what runs inside; a JSON log holds Python's warnings, too."""
    earlier, _Present.teller = _Present.teller, teller
    try:
        with warnings.catch_warnings():
            if isinstance(teller, JsonTeller):
                warnings.showwarning = lambda message, *_, **__: teller.line(f"warning: {message}")
            yield
    finally:
        _Present.teller = earlier
