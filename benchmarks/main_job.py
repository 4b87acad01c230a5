"""How long the main job takes, ``emomod run`` on the bundled clip with default settings, and where its seconds go.

    python -m benchmarks.main_job --out docs/results/performance

Width 0.5 is the model that ships; width 1 is the 2019 network with random weights. Seconds of the whole are those that
a user waits for the command, start and loading included, as medians over turns in which the widths alternate; those of
stages are what the command tells. Shares are of one more run under a profiler, which slows the report most.
"""

import argparse
import cProfile
import inspect
import json
import os
import pstats
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import (
    DEFAULT_WIDTH,
    FULL_WIDTH,
    ROOT,
    Row,
    about,
    apart,
    checkpoint_of,
    made_by,
    note,
    page_of,
    peak_mib,
    predictor_of,
    seconds_of,
    write_results,
)
from emomod.attribution.lime import LimeSettings
from emomod.audio import quantise
from emomod.cli.process import TUNABLES
from emomod.components.kinds import cut
from emomod.components.layered import LayeredComponents
from emomod.data import demo_clip
from emomod.markdown import table
from emomod.model.predictor import Predictor
from emomod.perturbation import mask_blocks
from emomod.pipeline import ModifySettings, RunSettings, run
from emomod.report.page import write_report
from emomod.spectrogram import compute_spectrogram, log_spectrograms
from emomod.surrogate import Statistics

WIDTHS = (DEFAULT_WIDTH, FULL_WIDTH)
TARGET = "articulation"
PARTS: dict[str, tuple[Callable[..., Any], ...]] = {  # none calls another
    "the network": (Predictor.__call__,),
    "mixing": (LayeredComponents.mix,),
    "drawing masks": (mask_blocks,),
    "the linear model": (Statistics.add, Statistics.solve),
    "cutting into components": (cut,),
    "rendering versions and controls": (LayeredComponents.sound,),
    "spectrograms of what is heard": (compute_spectrogram, log_spectrograms),
    "rounding to files' steps": (quantise,),
    "the report": (write_report,),
}
ALL, REST = "all", "the rest"
FEW_WORDS = ["--components", "grid", "--method", "lime:n_held_out=2", "--masks", "64", "--controls", "1"]
FEW: dict[str, Any] = {
    "components": "grid",
    "method": LimeSettings(n_perturbations=64, n_held_out=2),
    "modify": ModifySettings(n_controls=1),
}


def command(*words: str, huge: bool = True) -> str:
    """What ``emomod`` prints; ``huge``: its memory is kept in huge pages, as is usual."""
    told = [sys.executable, "-m", "emomod", *words]
    environment = None if huge else os.environ | {TUNABLES: ""}
    return subprocess.run(
        told, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT, env=environment
    ).stdout


def main_job(checkpoint: str | None, *, quick: bool, huge: bool = True) -> Row:
    """Seconds of the command, and those of its stages as it tells them."""
    printed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        words = ["run", "demo", "--target", TARGET, "--out", f"{folder}/out", "--json"]
        words += FEW_WORDS if quick else []
        words += ["--model", checkpoint] if checkpoint else []
        seconds = seconds_of(lambda: printed.append(command(*words, huge=huge)))
    return {"seconds": seconds, "stages": json.loads(printed[0])["seconds"]}


def profiled(checkpoint: str | None, quick: bool) -> Row:
    """In a process of its own: seconds of each part of the job under a profiler, and the most memory held."""
    predictor, profile = predictor_of(checkpoint), cProfile.Profile()
    settings = RunSettings(**FEW) if quick else RunSettings()
    with tempfile.TemporaryDirectory() as folder:
        profile.runcall(run, demo_clip(), target=TARGET, out=f"{folder}/out", settings=settings, predictor=predictor)
    found: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    parts = {name: sum(_cumulative(found, each) for each in functions) for name, functions in PARTS.items()}
    whole = _cumulative(found, run)
    return {"parts": parts | {REST: whole - sum(parts.values()), ALL: whole}, "mib": peak_mib()}


def _cumulative(found: dict[Any, Any], function: Callable[..., Any]) -> float:
    """Seconds in a function and in what it calls."""
    code = inspect.unwrap(function).__code__
    _, _, _, seconds, _ = found.get((code.co_filename, code.co_firstlineno, code.co_name), (0, 0, 0.0, 0.0, {}))
    return float(seconds)


def measure(turns: int, *, quick: bool) -> list[Row]:
    """A row for each width."""
    with tempfile.TemporaryDirectory() as folder:
        models = {width: checkpoint_of(width, Path(folder)) for width in (WIDTHS[:1] if quick else WIDTHS)}
        jobs: dict[float, list[Row]] = {width: [] for width in models}
        starts: list[float] = []
        for turn in range(turns):
            starts.append(seconds_of(lambda: command("--help")))
            for width, checkpoint in models.items():
                jobs[width].append(main_job(checkpoint, quick=quick))
                note(f"turn {turn}, width {width:g}: {jobs[width][-1]['seconds']:.1f} s")
        profiles = {width: apart(profiled, huge=True, checkpoint=model, quick=quick) for width, model in models.items()}
    return [
        {
            "width": width,
            "help_seconds": float(np.median(starts)),
            "seconds": float(np.median([each["seconds"] for each in mine])),
            "stages": medians([each["stages"] for each in mine]),
            **profiles[width],
        }
        for width, mine in jobs.items()
    ]


def medians(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: float(np.median([row[name] for row in rows])) for name in rows[0]}


def page(rows: Sequence[Row]) -> str:
    """The page."""
    header = [f"width {row['width']:g}" for row in rows]
    told = [["the whole command", *(f"{row['seconds']:.1f}" for row in rows)]]
    stages = [name for name in rows[0]["stages"] if name != "total"]
    told += [["- starting and loading", *(f"{row['seconds'] - row['stages']['total']:.1f}" for row in rows)]]
    told += [[f"- {name}", *(f"{row['stages'][name]:.1f}" for row in rows)] for name in stages]
    shares = [
        [name, *(f"{100 * row['parts'][name] / row['parts'][ALL]:.1f}" for row in rows)] for name in rows[0]["parts"]
    ]
    memory = ", ".join(f"{row['mib']:.0f} MiB at width {row['width']:g}" for row in rows)
    return page_of(
        "The main job",
        about(__doc__),
        table(["seconds", *header], told),
        table(["share of the profiled run (%)", *header], shares),
        f"The most memory that it held: {memory}. `emomod --help` takes {rows[0]['help_seconds']:.2f} s.",
        made_by("benchmarks/main_job.py"),
    )


def flat(rows: Sequence[Row]) -> list[Row]:
    """A row for each width and figure."""
    found = []
    for row in rows:
        figures = {name: row[name] for name in ("help_seconds", "seconds", "mib")}
        figures |= {f"stage: {name}": seconds for name, seconds in row["stages"].items()}
        figures |= {f"profiled: {name}": seconds for name, seconds in row["parts"].items()}
        found += [{"width": row["width"], "figure": name, "value": value} for name, value in figures.items()]
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="tiny numbers that mean nothing, to see that it works")
    parser.add_argument("--out", type=Path, required=True, help="folder for main_job.md, .csv and .json")
    arguments = parser.parse_args(argv)
    rows = measure(1 if arguments.quick else arguments.turns, quick=arguments.quick)
    figures = {f"{row['width']:g}": row for row in rows}
    write_results(arguments.out, "main_job", page=page(rows), tables={"main_job": flat(rows)}, figures=figures)


if __name__ == "__main__":
    main()
