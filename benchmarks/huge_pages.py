"""What memory in huge pages that are kept brings (emomod.cli.process): to engines, and to the main job.

    python -m benchmarks.huge_pages --out docs/results/performance

Each way to run the network in a process of its own whose memory is kept as the command ``emomod`` keeps it, and in one
that leaves it to the C library, in turns that begin with the one or the other; the same for ``emomod run`` on the
bundled clip. Medians over turns, and of the ratios within turns. How much is won depends on whether the system gives
huge pages to all or to those that ask.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.engine_ways import BASE, WAYS
from benchmarks.engines import BASE_BATCH, speeds
from benchmarks.main_job import main_job
from benchmarks.measuring import (
    DEFAULT_WIDTH,
    FULL_WIDTH,
    Row,
    about,
    apart,
    checkpoint_of,
    made_by,
    median_ratio,
    note,
    page_of,
    write_results,
)
from emomod.markdown import table

TRIED = (BASE, "engine torch", "engine ncnn", "engine bfloat16")
JOB = "emomod run"
GIVEN = Path("/sys/kernel/mm/transparent_hugepage/enabled")
POLICIES = {"always": "to all", "madvise": "to those that ask", "never": "to none"}


def measure(turns: int, *, quick: bool) -> list[Row]:
    """A row for each width, way and turn: how fast with huge pages and without."""
    rows = []
    ways = [BASE] if quick else [way for way in TRIED if WAYS[way].can()]
    with tempfile.TemporaryDirectory() as folder:
        for width in (DEFAULT_WIDTH,) if quick else (DEFAULT_WIDTH, FULL_WIDTH):
            checkpoint = checkpoint_of(width, Path(folder))
            for turn in range(turns):
                for way in [*ways, JOB]:
                    speed = _job(checkpoint, quick=quick) if way == JOB else _way(way, checkpoint, quick=quick)
                    found = {huge: speed(huge) for huge in ((True, False) if turn % 2 else (False, True))}
                    rows.append(
                        {"width": width, "way": way, "turn": turn, "with": found[True], "without": found[False]}
                    )
                    note(f"width {width:g}, turn {turn}, {way}: {found[True] / found[False]:.2f} times as fast")
    return rows


def _way(way: str, checkpoint: str | None, *, quick: bool) -> Callable[[bool], float]:
    """Mixtures a second."""
    given: Row = {"way": way, "checkpoint": checkpoint, "batches": [BASE_BATCH], "seconds": 0.01 if quick else 3.0}
    return lambda huge: float(apart(speeds, huge=huge, **given)["speeds"][str(BASE_BATCH)])


def _job(checkpoint: str | None, *, quick: bool) -> Callable[[bool], float]:
    """Runs a second."""
    return lambda huge: 1.0 / float(main_job(checkpoint, quick=quick, huge=huge)["seconds"])


def page(rows: Sequence[Row]) -> str:
    """The page."""
    policy = GIVEN.read_text(encoding="utf-8").partition("[")[2].partition("]")[0] if GIVEN.exists() else "never"
    cells = []
    for width, way in dict.fromkeys((row["width"], row["way"]) for row in rows):
        mine = [row for row in rows if (row["width"], row["way"]) == (width, way)]
        fast, slow = ([row[key] for row in mine] for key in ("with", "without"))
        shown = (f"{1 / x:.1f} s" if way == JOB else f"{x:.1f} a second" for x in map(np.median, (slow, fast)))
        cells.append([f"{width:g}", way, *shown, f"{median_ratio(fast, slow):.2f}"])
    header = ["width", "what", "as the C library has it", "huge pages, kept", "times as fast"]
    told = f"This system gives huge pages {POLICIES.get(policy, policy)}."
    return page_of("Huge pages", about(__doc__), told, table(header, cells), made_by("benchmarks/huge_pages.py"))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="tiny numbers that mean nothing, to see that it works")
    parser.add_argument("--out", type=Path, required=True, help="folder for huge_pages.md and .csv")
    arguments = parser.parse_args(argv)
    rows = measure(1 if arguments.quick else arguments.turns, quick=arguments.quick)
    write_results(arguments.out, "huge_pages", page=page(rows), tables={"huge_pages": rows})


if __name__ == "__main__":
    main()
