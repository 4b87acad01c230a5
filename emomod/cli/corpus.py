"""emomod corpus: sounds to train on, with labels computed from their scores."""

import argparse
from typing import Any

from emomod.cli.options import print_json
from emomod.training.commands import add_render_arguments, render_command


def add(commands: Any) -> None:
    """Make a training corpus."""
    parser = commands.add_parser("corpus", help=add.__doc__, description=add.__doc__)
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    render = kinds.add_parser("render", help="compose and render clips with score-derived labels")
    add_render_arguments(render)
    render.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Render and print what was made."""
    print_json(render_command(arguments))
    return 0
