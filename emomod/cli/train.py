"""emomod train: a checkpoint from a corpus."""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import print_json, print_progress


def add(commands: Any) -> None:
    """Train a network on a corpus and write a checkpoint with its card."""
    parser = commands.add_parser("train", help=add.__doc__, description=add.__doc__)
    add_train_arguments(parser)
    parser.set_defaults(run=execute)


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod train``."""
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="made by `emomod corpus render`")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the checkpoint (.safetensors)")
    parser.add_argument("--width", type=float, default=0.5, metavar="W", help="scales the channels (default 0.5)")
    parser.add_argument("--epochs", type=int, default=12, metavar="E", help="at most (default 12)")
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="clips a step (default 16)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of split, weights, augmentation (default 0)")


def execute(arguments: argparse.Namespace) -> int:
    """Train and print the card's figures."""
    print_json(train_command(arguments))
    return 0


def train_command(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a checkpoint; return its card."""
    from emomod.training.fit import TrainingSettings
    from emomod.training.release import train

    settings = TrainingSettings(
        width=arguments.width, epochs=arguments.epochs, seed=arguments.seed, batch_size=arguments.batch
    )
    card = train(arguments.corpus, arguments.out, settings, log=print_progress)
    return {"checkpoint": str(arguments.out), **card}
