"""What a long file takes of memory: the real commands on it, each in a process of its own.

    python -m benchmarks.long_file --out docs/results/performance
    python -m benchmarks.long_file --minutes 1

The file is the bundled clip over and over, each time from another place on. `emomod run --all-windows` with few masks
and controls, that it is quick: memory does not go by their number. RSS is the memory that a process holds, in MiB: the
most that it ever held, and for windows the medians after the first ten and after the last ten (from /proc, so Linux).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.measuring import about, made_by, page_of, write_results
from emomod.data import demo_clip
from emomod.markdown import table

FEW = 10  # windows at either end
SHIFT = 0.37  # s by which each repetition begins later in the clip
PAUSE = 0.1  # s between two looks at a process
QUICK = ("--components", "grid", "--method", "lime:n_held_out=2", "--masks", "64")
CHANGES = ("--target", "energy", "--rule", "top:9", "--controls", "1")


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    command: str
    seconds: float
    peak_mib: float
    windows: int | None = None  # that were written
    first_mib: float | None = None  # median RSS after each of the first FEW windows
    last_mib: float | None = None  # the same of the last ones


def write_long_file(path: Path, *, minutes: float) -> None:
    """Write the bundled clip over and over, each time from another place on, as a 16-bit WAV."""
    clip, rate = soundfile.read(demo_clip(), dtype="float32", always_2d=True)
    left, turn = round(60 * minutes * rate), 0
    with soundfile.SoundFile(path, "w", rate, clip.shape[1], "PCM_16") as file:
        while left > 0:
            file.write(np.roll(clip, -round(turn * SHIFT * rate), axis=0)[:left])
            left, turn = left - len(clip), turn + 1


def rss_mib(pid: int) -> float:
    """Memory that a process holds now; 0 where that is not told."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def measure(words: Sequence[str | Path], *, n_done: Callable[[], int] | None = None) -> Cost:
    """Run ``emomod`` with arguments; note its memory whenever ``n_done`` says that one more is done."""
    after: list[float] = []
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "emomod", *map(str, words)], stdout=subprocess.DEVNULL)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if n_done is not None and n_done() > len(after) and not pid:
            after.append(rss_mib(process.pid))
        if pid:
            break
        time.sleep(PAUSE)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"emomod {words[0]} ended with {process.returncode}")
    unit = 1024 if sys.platform != "darwin" else 1024**2
    cost = Cost(f"emomod {words[0]}", time.perf_counter() - began, usage.ru_maxrss / unit)
    if n_done is None:
        return cost
    first, last = float(np.median(after[:FEW])), float(np.median(after[-FEW:]))
    return Cost(cost.command, cost.seconds, cost.peak_mib, n_done(), first, last)


def measure_all(folder: Path, *, minutes: float) -> list[Cost]:
    """Predict, explain and run every window of a file of ``minutes``."""
    path, out = folder / "long.wav", folder / "out"
    write_long_file(path, minutes=minutes)
    return [
        measure(["predict", path]),
        measure(["explain", path, "--start", str(30 * minutes), "--out", folder / "explained", *QUICK]),
        measure(
            ["run", path, "--all-windows", "--out", out, *CHANGES, *QUICK],
            n_done=lambda: len(list(out.glob("[0-9]*s"))),
        ),
    ]


def page(costs: Sequence[Cost], *, minutes: float) -> str:
    """The page."""
    header = ["command", "s", "peak MiB", "windows", f"after the first {FEW}", f"after the last {FEW}"]
    rows = [
        [cost.command, f"{cost.seconds:.0f}", f"{cost.peak_mib:.0f}"]
        + ["" if value is None else f"{value:.0f}" for value in (cost.windows, cost.first_mib, cost.last_mib)]
        for cost in costs
    ]
    length = f"The file has {minutes:g} minutes."
    return page_of("A long file", about(__doc__), length, table(header, rows), made_by("benchmarks/long_file.py"))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the file (default 60)")
    parser.add_argument("--out", type=Path, help="folder for long_file.md, .csv and .json; default: print the page")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        costs = measure_all(Path(folder), minutes=arguments.minutes)
    text, rows = page(costs, minutes=arguments.minutes), [asdict(cost) for cost in costs]
    if arguments.out:
        figures = {"minutes": arguments.minutes, "peak_mib": max(cost.peak_mib for cost in costs), "commands": rows}
        write_results(arguments.out, "long_file", page=text, tables={"long_file": rows}, figures=figures)
    else:
        print(text)


if __name__ == "__main__":
    main()
