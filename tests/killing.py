"""Commands that are killed at random moments, run again to their end, and compared with one that nobody disturbed.

A job is a command of ``emomod`` that writes below the folder in which it runs. It is started as a process of its own
with its own process group, which SIGKILL ends at a moment drawn between its start and its usual end; some times in a
row; then it runs to its end. What lies in its folder must then be, file by file and to the bit, what an undisturbed
run leaves, no file more; only times, named in TIMES, may differ. And after each kill emomod's own readers must be able
to read whatever lies in the place of a result.
"""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

Check = Callable[[Path], None]
LONGEST = 600.0  # s that any command may take
IN_A_ROW = 3  # kills before a command may run to its end
TMP = "tmp"  # the folder for temporary files, beside the one in which the command runs
TIMES = {  # by pattern of a file's name: patterns of the keys that lead to what tells how long, or hashes that
    "run.json": ("seconds",),
    "manifest.json": ("files", "*run.json"),
    "*.safetensors": ("card", "training", "hours"),
    "*.safetensors.csv": ("clips_per_second",),
}


@dataclass(frozen=True)
class Job:
    """A command whose output is compared."""

    name: str
    words: tuple[str, ...]  # after ``emomod``; paths of what it writes are relative to the folder in which it runs
    check: Check  # reads all results in that folder; raises where one is there and not whole
    compared: str = "**/*"  # a pattern of the files that must be equal
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Killed:
    """What came of killing a job."""

    name: str
    kills: int  # that hit a running command
    bit_equal: int  # those of them after which it ended, run again, with the output of an undisturbed run
    usual_seconds: float  # of an undisturbed run
    moments: tuple[float, ...]  # of the kills, s since the start of the command
    differing: tuple[str, ...]  # files that were not equal, not there or too many


def emomod(job: Job, folder: Path) -> "subprocess.Popen[str]":
    """Start the job in ``folder``, in a process group of its own."""
    temporary = folder.with_name(f"{folder.name}.{TMP}")
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "emomod", *job.words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(temporary), **job.environment},
    )


def run_to_end(job: Job, folder: Path) -> float:
    """Run the job undisturbed in ``folder``; return its seconds. Raises RuntimeError with its words where it fails."""
    began = time.perf_counter()
    process = emomod(job, folder)
    try:
        _, said = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        kill_group(process)
        raise RuntimeError(f"{job.name}: did not end within {LONGEST:g} s") from None
    if process.returncode:
        raise RuntimeError(f"{job.name}: ended with {process.returncode}: {said[-2000:]}")
    return time.perf_counter() - began


def kill_group(process: "subprocess.Popen[str]") -> None:
    """SIGKILL to the process and to all that it started; return when they are gone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + LONGEST
    while processes_of(process.pid):
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes of the group {process.pid} outlive it")
        time.sleep(0.01)


def processes_of(group: int) -> list[int]:
    """Processes of a group that run; none where the system does not tell."""
    return [process for process, _, of in processes() if of == group]


def processes() -> Iterator[tuple[int, int, int]]:
    """Each process that runs: itself, its parent, its group."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent, group = path.read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()[:3]
            if state not in "ZX":
                yield int(path.parent.name), int(parent), int(group)


def killed_at(job: Job, folder: Path, *, moment: float) -> bool:
    """Start the job and kill it after ``moment`` (s); False where it had ended by itself."""
    process = emomod(job, folder)
    try:
        _, said = process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        kill_group(process)
        return True
    if process.returncode:
        raise RuntimeError(f"{job.name}: ended with {process.returncode}: {said[-2000:]}")
    return False


def kill_and_compare(job: Job, folder: Path, *, n_kills: int, seed: int, in_a_row: int = IN_A_ROW) -> Killed:
    """Kill the job ``n_kills`` times, at most ``in_a_row`` before it is run to its end, and compare what it leaves."""
    rng, undisturbed = np.random.default_rng(seed), new(folder / "undisturbed")
    usual = run_to_end(job, undisturbed)
    job.check(undisturbed)
    wanted = contents(undisturbed, job.compared)
    moments: list[float] = []
    equal, differing = 0, list[str]()
    while len(moments) < n_kills:
        place, hits = new(folder / f"killed_{len(moments)}"), 0
        for _ in range(min(in_a_row, n_kills - len(moments))):
            moment = float(rng.uniform(0.0, usual))
            if not killed_at(job, place, moment=moment):
                break
            job.check(place)
            moments.append(moment)
            hits += 1
        run_to_end(job, place)
        job.check(place)
        found = differences(wanted, contents(place, job.compared))
        equal += hits if not found else 0
        differing += [f"{place.name}: {name}" for name in found]
        forget(place)
    forget(undisturbed)
    return Killed(job.name, len(moments), equal, usual, tuple(moments), tuple(differing))


def new(folder: Path) -> Path:
    """An empty folder."""
    folder.mkdir(parents=True)
    return folder


def forget(folder: Path) -> None:
    """Remove the folder and that of temporary files."""
    for each in (folder, folder.with_name(f"{folder.name}.{TMP}")):
        shutil.rmtree(each, ignore_errors=True)


# ---- what is compared ------------------------------------------------------------------------------------------------


def contents(folder: Path, pattern: str = "**/*") -> dict[str, str]:
    """A digest of every file below ``folder``, hidden ones too, by its path; without what TIMES names.

    Of pages also without the folder's own path, since they tell the command with the whole path of its output.
    """
    found = {}
    for path in sorted(path for path in folder.glob(pattern) if path.is_file()):
        held = timeless(path)
        held = held.replace(os.fsencode(folder.resolve()), b"") if path.suffix == ".html" else held
        found[str(path.relative_to(folder))] = hashlib.sha256(held).hexdigest()
    return found


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Names whose digests are not the same, or that only one of the two has."""
    return sorted(name for name in {**wanted, **found} if wanted.get(name) != found.get(name))


def timeless(path: Path) -> bytes:
    """What a file holds, without the times that TIMES names for it."""
    keys = next((keys for pattern, keys in TIMES.items() if fnmatch(path.name, pattern)), None)
    if keys is None:
        return path.read_bytes()
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return repr([{k: v for k, v in row.items() if k not in keys} for row in csv.DictReader(file)]).encode()
    held, rest = _json_of(path)
    _leave_out(held, keys)
    return json.dumps(held, sort_keys=True).encode() + rest


def _json_of(path: Path) -> tuple[Any, bytes]:
    """The JSON of a file, and what else it holds; the card and the tensors of a checkpoint."""
    if path.suffix != ".safetensors":
        return json.loads(path.read_text(encoding="utf-8")), b""
    with safe_open(path, framework="numpy") as stored:
        tensors = {name: stored.get_tensor(name) for name in sorted(stored.keys())}
        held = {name: json.loads(text) for name, text in stored.metadata().items()}
    return held, b"".join(name.encode() + tensor.tobytes() for name, tensor in tensors.items())


def _leave_out(value: Any, keys: Sequence[str]) -> None:
    """Remove what patterns of keys lead to; KeyError where that is nothing, so that no name in TIMES is in vain."""
    found = [key for key in value if fnmatch(key, keys[0])]
    if not found:
        raise KeyError(keys[0])
    for key in found:
        if keys[1:]:
            _leave_out(value[key], keys[1:])
        else:
            del value[key]


def leftovers(folder: Path) -> list[Path]:
    """What is hidden or partial below ``folder``."""
    marks = (".partial", ".earlier", ".lock")
    return [path for path in folder.rglob("*") if path.name.startswith(".") or path.suffix in marks]
