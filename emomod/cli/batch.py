"""emomod batch: the whole job on many clips."""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import announcer, finish_progress, needs_extra, print_json, print_progress

MAX_NAMED = 5  # failures that are told on the terminal


def add(commands: Any) -> None:
    """Explain, modify and re-score many clips as a recipe says, on this machine or a cluster."""
    parser = commands.add_parser("batch", help=add.__doc__, description=add.__doc__)
    parser.add_argument(
        "clips", type=Path, metavar="CLIPS", help="a CSV with a column path, or a folder of sound files"
    )
    parser.add_argument("--recipe", type=Path, required=True, metavar="YAML", help="what is done to every clip")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="STORE", help="where results go; what is there is not done again"
    )
    parser.add_argument(
        "--workers", type=int, dest="n_workers", metavar="N", help="processes on this machine (default: one a core)"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster that is running: tcp://host:8786")
    parser.add_argument(
        "--split",
        default="clips",
        help="what workers are given: clips (default), or masks, for a few clips with many masks",
    )
    parser.add_argument("--retries", type=int, default=2, metavar="N", help="where another try may help (default 2)")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="of each worker; default: cuda where there is one")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")
    parser.set_defaults(run=needs_extra(execute, extra="batch"))


def execute(arguments: argparse.Namespace) -> int:
    """Run the batch; the exit code is 1 where a clip failed."""
    from emomod.batch.run import run_batch
    from emomod.stages import Stages

    result = run_batch(
        arguments.clips,
        arguments.recipe,
        out=arguments.out,
        n_workers=arguments.n_workers,
        scheduler=arguments.scheduler,
        split=arguments.split,
        retries=arguments.retries,
        device=arguments.device,
        stages=Stages(announcer()),
        log=print_progress,
    )
    finish_progress()
    if arguments.json:
        print_json(result.as_dict())
    else:
        print(summary(result))
    return 1 if result.failed else 0


def summary(result: Any) -> str:
    """Return what a person wants to know of a batch."""
    kept = f", {result.n_kept} of them from before" if result.n_kept else ""
    lines = [f"{result.n_done} windows are done{kept} ({result.seconds['total']:.0f} s)"]
    if failed := result.failed:
        lines.append(f"{len(failed)} failed (see {result.folder}/clips.csv):")
        lines += [f"  {each.path}: {each.error.removeprefix(f'{each.path}: ')}" for each in failed[:MAX_NAMED]]
        lines += [f"  and {len(failed) - MAX_NAMED} more"] if len(failed) > MAX_NAMED else []
    return "\n".join([*lines, "", f"{result.folder}/tables/runs, tables/shifts (Parquet), clips.csv"])
