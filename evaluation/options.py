"""The options of ``python -m evaluation`` and ``emomod evaluate``; light, so that help comes at once."""

import argparse
from pathlib import Path

EXPERIMENTS = (
    "stability",
    "inputs",
    "fidelity",
    "faithfulness",
    "sanity",
    "truth",
    "confounder",
    "methods",
    "kinds",
    "sweep",
    "steering",
)
PRESETS = ("quick", "paper")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of an evaluation."""
    parser.add_argument(
        "experiment",
        choices=("all", *EXPERIMENTS, "batch", "report"),
        help="what is evaluated; batch: the store of a batch; report: the pages, again",
    )
    parser.add_argument("--preset", choices=PRESETS, default="quick", help="half an hour (default), or over night")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results; a stopped run goes on there")
    parser.add_argument("--clip", type=Path, nargs="+", default=[], metavar="FILE", help="clips beside rendered ones")
    parser.add_argument("--scores", type=Path, metavar="DIR", help="MIDI files; clips come from songs kept for tests")
    parser.add_argument("--store", type=Path, metavar="STORE", help="of `emomod batch`, for batch")
    parser.add_argument("--model", metavar="MODEL", help="other than the one that ships, as for emomod run")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda where there is one")
