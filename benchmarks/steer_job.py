"""How long steering takes, ``emomod steer`` on the bundled clip with default settings, and where its seconds go.

    python -m benchmarks.steer_job --out docs/results/performance

As much articulation as gains of 2 dB root mean square bring, which any network can be asked for. Width 0.5 is the model
that ships; width 1 is the 2019 network with random weights. Seconds of the whole are those that a user waits for the
command, start and loading included, as medians over turns in which the widths alternate; those of stages are what the
command tells.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.main_job import WIDTHS, command, medians
from benchmarks.measuring import Row, about, checkpoint_of, made_by, note, page_of, seconds_of, write_results
from emomod.markdown import table

REQUEST = ["--shift", "articulation=max", "--budget-db", "2"]
FEW_WORDS = ["--components", "grid", "--masks", "64"]


def steer_job(checkpoint: str | None, *, quick: bool) -> dict[str, float]:
    """Seconds of the command as "whole", and those of its stages as it tells them."""
    printed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        words = ["steer", "demo", *REQUEST, "--out", f"{folder}/out", "--json"]
        words += FEW_WORDS if quick else []
        words += ["--model", checkpoint] if checkpoint else []
        seconds = seconds_of(lambda: printed.append(command(*words)))
    return {"whole": seconds, **json.loads(printed[0])["seconds"]}


def measure(turns: int, *, quick: bool) -> list[Row]:
    """A row for each width: medians of the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        models = {width: checkpoint_of(width, Path(folder)) for width in (WIDTHS[:1] if quick else WIDTHS)}
        jobs: dict[float, list[dict[str, float]]] = {width: [] for width in models}
        for turn in range(turns):
            for width, checkpoint in models.items():
                jobs[width].append(steer_job(checkpoint, quick=quick))
                note(f"turn {turn}, width {width:g}: {jobs[width][-1]['whole']:.1f} s")
    return [{"width": width, **medians(mine)} for width, mine in jobs.items()]


def page(rows: Sequence[Row]) -> str:
    """The page."""
    stages = [name for name in rows[0] if name not in ("width", "whole", "total")]
    told = [["the whole command", *(f"{row['whole']:.1f}" for row in rows)]]
    told += [["- starting and loading", *(f"{row['whole'] - row['total']:.1f}" for row in rows)]]
    told += [[f"- {name}", *(f"{row[name]:.1f}" for row in rows)] for name in stages]
    header = ["seconds", *(f"width {row['width']:g}" for row in rows)]
    return page_of("Steering", about(__doc__), table(header, told), made_by("benchmarks/steer_job.py"))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="tiny numbers that mean nothing, to see that it works")
    parser.add_argument("--out", type=Path, required=True, help="folder for steer_job.md, .csv and .json")
    arguments = parser.parse_args(argv)
    rows = measure(1 if arguments.quick else arguments.turns, quick=arguments.quick)
    figures = {f"{row['width']:g}": row for row in rows}
    write_results(arguments.out, "steer_job", page=page(rows), tables={"steer_job": rows}, figures=figures)


if __name__ == "__main__":
    main()
