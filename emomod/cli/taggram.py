"""emomod taggram: what a model hears, window by window."""

import argparse
from typing import Any

from emomod.cli.options import add_clip, add_model, add_output, print_json


def add(commands: Any) -> None:
    """Score every window of a sound and draw the scores over time."""
    parser = commands.add_parser("taggram", help=add.__doc__, description=add.__doc__)
    add_clip(parser)
    parser.add_argument(
        "--hop",
        type=float,
        dest="hop_seconds",
        metavar="S",
        help="s from window to window (default: as even as covers the file)",
    )
    add_output(parser)
    add_model(parser)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Score, draw, and print the names of highest mean."""
    from emomod.model.load import load_model
    from emomod.output import new_folder
    from emomod.taggrams import LISTED, taggram

    predictor = load_model(arguments.model, device=arguments.device)
    with new_folder(arguments.out, inputs=[arguments.clip]) as folder:
        found = taggram(arguments.clip, predictor=predictor, hop_seconds=arguments.hop_seconds)
        found.save(folder)
    if arguments.json:
        print_json(found.rows())
        return 0
    means = dict(zip(found.names, found.means.tolist(), strict=True))
    lines = [f"{name:18} {means[name]:6.3f}" for name in found.top(LISTED)]
    heard = f"{len(found.starts)} windows of {found.window_seconds:g} s; mean scores:"
    print("\n".join([heard, *lines, "", f"{arguments.out}/taggram.png, taggram.csv"]))
    return 0
