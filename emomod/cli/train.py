"""emomod train: a checkpoint from a corpus."""

import argparse
from typing import Any

from emomod.cli.options import print_json
from emomod.training.commands import add_train_arguments, train_command


def add(commands: Any) -> None:
    """Train a network on a corpus and write a checkpoint with its card."""
    parser = commands.add_parser("train", help=add.__doc__, description=add.__doc__)
    add_train_arguments(parser)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Train and print the card's figures."""
    print_json(train_command(arguments))
    return 0
