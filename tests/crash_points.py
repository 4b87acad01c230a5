"""A command that is killed each time it is about to touch a file, run again, and compared with an undisturbed run.

    python -m tests.crash_points PLAN.json

One process loads emomod once and makes a copy of itself (fork) for each run, so that a run takes little more than its
work. In the copy an audit hook counts what the command does to files below the folder in which it runs: opening to
write, renaming, removing, making folders. At the n-th of these the copy ends itself by SIGKILL; a file that it was
about to write is left torn: emptied, or with some bytes of nonsense at its end. What libraries written in C do by
themselves is not seen.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.killing import Job, contents, differences, new

TORN = b"\x00torn"
ENDS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NUMBERED = re.compile(r"\d+|(?<=\.)[a-z0-9_]{8}(?=\.partial)")  # parts of names that differ from run to run
MODULES = (  # that are loaded once for all copies; the last by the first step of an optimiser
    "emomod.windows",
    "emomod.model.load",
    "emomod.training.release",
    "emomod.corpus.render",
    "torch._dynamo",
)


@dataclass(frozen=True)
class Point:
    """One place at which a command was killed."""

    number: int
    event: str  # what it was about to do, with the file's name
    differing: tuple[str, ...]  # from an undisturbed run, when it had been run again
    complaint: str  # of the job's reader, right after the kill; empty where it could read what was there


def crash(job: Job, folder: Path, *, every: int = 1) -> list[Point]:
    """Kill the job at the points in a process of its own; return what came of it.

    ``every``: of the points take each n-th, and the last one of every kind: event and file, but for numbers in names.
    """
    plan = {"words": job.words, "check": job.check.__name__, "every": every, "compared": job.compared}
    path = folder / "plan.json"
    path.write_text(json.dumps(plan), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash_points", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | job.environment,
        cwd=Path(__file__).parents[1],
    )
    if done.returncode:
        raise RuntimeError(f"{job.name}: {done.stderr[-3000:]}")
    return [
        Point(**{**point, "differing": tuple(point["differing"])}) for point in json.loads(done.stdout.splitlines()[-1])
    ]


# ---- in the process of its own ---------------------------------------------------------------------------------------


def _all_points(plan: dict[str, Any], folder: Path) -> list[Point]:
    from tests import killed_jobs

    check, words = getattr(killed_jobs, plan["check"]), plan["words"]
    undisturbed, events = new(folder / "undisturbed"), folder / "events.txt"
    if _run(words, undisturbed, told=events):
        raise RuntimeError("the undisturbed run failed")
    wanted, found = contents(undisturbed, plan["compared"]), list[Point]()
    lines = events.read_text(encoding="utf-8").splitlines()
    for number in chosen(lines, every=plan["every"]):
        place = new(folder / f"point_{number}")
        if _run(words, place, kill_at=number, told=folder / "at_work.txt") != signal.SIGKILL:
            raise RuntimeError(f"it ended before point {number}")
        complaint = ""
        try:
            check(place)
        except Exception as error:
            complaint = f"{type(error).__name__}: {error}"
        failed = _run(words, place)
        differing = ["run again, it failed"] if failed else differences(wanted, contents(place, plan["compared"]))
        found.append(Point(number, lines[number - 1], tuple(differing), complaint))
    return found


def chosen(events: Sequence[str], *, every: int) -> list[int]:
    """Numbers (from 1) of each n-th of the ``events``, and of the last one of every kind.

    >>> chosen(["open 1.partial", "open 2.partial", "open 3.partial", "rename a"], every=2)
    [2, 3, 4]
    """
    last = {NUMBERED.sub("#", event): number for number, event in enumerate(events, start=1)}
    return sorted({*last.values(), *range(every, len(events) + 1, every)})


def _run(words: Sequence[str], folder: Path, *, kill_at: int = 0, told: Path | None = None) -> int:
    """Run the command in a copy of this process; return its exit code, or the signal that ended it."""
    child = os.fork()
    if not child:
        try:
            os._exit(_as_child(words, folder, kill_at, told))
        except BaseException:
            traceback.print_exc()
            os._exit(99)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _as_child(words: Sequence[str], folder: Path, kill_at: int, told: Path | None) -> int:
    from emomod.cli.main import main

    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    temporary = folder.with_name(f"{folder.name}.tmp")
    temporary.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    if told:
        sys.addaudithook(_Killer(folder, kill_at, told))
    return main(list(words))


class _Killer:
    """An audit hook that tells each event in a file, and ends the process at the n-th; at 0 at none."""

    def __init__(self, folder: Path, kill_at: int, told: Path) -> None:
        self._folder, self._left, self._asleep = str(folder), kill_at, False
        self._told = open(told, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if self._asleep or not (event in ENDS or (event == "open" and _writes(given))):
            return
        name = _name_of(event, given)
        changes = event == "open" or os.path.lexists(name) == (event != "os.mkdir")
        if not changes or not name.startswith(self._folder + os.sep):
            return
        self._left -= 1
        self._asleep = True
        print(event, name.removeprefix(self._folder), file=self._told, flush=True)
        if not self._left:
            self._end(event, name, given)
        self._asleep = False

    def _end(self, event: str, name: str, given: tuple[Any, ...]) -> None:
        if event == "open" and os.path.isdir(os.path.dirname(name)):  # noqa: PTH112, PTH120
            append = "a" in str(given[1]) or (given[2] & os.O_APPEND)
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC))
            os.write(descriptor, TORN)
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)


def _name_of(event: str, given: tuple[Any, ...]) -> str:
    """The absolute name of the file that an event is about; empty where it has none."""
    path, within = given[0], given[{"os.mkdir": 2, "os.rename": 2}.get(event, 1)] if event != "open" else None
    if not isinstance(path, (str, bytes, os.PathLike)):
        return ""
    folder = Path(f"/proc/self/fd/{within}").readlink() if isinstance(within, int) and within >= 0 else Path.cwd()
    return os.path.normpath(folder / os.fsdecode(path))


def _writes(given: tuple[Any, ...]) -> bool:
    """Whether an "open" event is of a file that is written."""
    _, mode, flags = given
    return bool(set(mode or "") & set("wax+")) or bool(flags & WRITING)


def main() -> None:
    """Run the plan; print what came of it as JSON."""
    from importlib import import_module

    for name in MODULES:
        import_module(name)
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    points = _all_points(plan, Path(sys.argv[1]).parent)
    print(json.dumps([asdict(point) for point in points]))  # noqa: T201


if __name__ == "__main__":
    main()
