"""emomod train: a checkpoint from corpora, and the table of the cost of explainability."""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import print_json, print_progress


def add(commands: Any) -> None:
    """Train a network on corpora and write a checkpoint with its card."""
    parser = commands.add_parser("train", help=add.__doc__, description=add.__doc__)
    add_train_arguments(parser)
    parser.set_defaults(run=execute)
    kinds = parser.add_subparsers(metavar="[KIND]")
    table = kinds.add_parser("table", help=table_command.__doc__, description=table_command.__doc__)
    add_table_arguments(table)
    table.set_defaults(run=execute_table)


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod train``."""
    parser.add_argument("--out", type=Path, metavar="FILE", help="the checkpoint (.safetensors); a stopped run goes on")
    add_config(parser)
    parser.add_argument("--seed", type=int, metavar="S", help="of split, weights, order and augmentation")


def add_config(parser: argparse.ArgumentParser) -> None:
    """The configuration and what people override in it."""
    parser.add_argument(
        "--config", default="default", metavar="FILE", help="YAML, or one that ships: quick, default, published"
    )
    parser.add_argument(
        "--corpus",
        "--data",
        dest="corpora",
        action="append",
        metavar="DIR",
        help="a rendered corpus or a prepared dataset; give it once for each",
    )
    parser.add_argument(
        "--split", metavar="KIND", help="how clips are split: groups (default), single-artist, folds or repeated"
    )
    parser.add_argument("--width", type=float, metavar="W", help="scales the channels of the network")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), help="auto: cuda where there is one")


def execute(arguments: argparse.Namespace) -> int:
    """Train and print the card's figures."""
    print_json(train_command(arguments))
    return 0


def train_command(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a checkpoint; return its card."""
    from emomod.training.release import train

    card = train(config_of(arguments, seed=arguments.seed, out=arguments.out), log=print_progress)
    return {"checkpoint": str(arguments.out), **card}


def add_table_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod train table``."""
    add_config(parser)
    parser.add_argument("--seed", type=int, metavar="S", help="of the first split; the next has S + 1")
    parser.add_argument(
        "--splits", type=int, default=5, dest="n_splits", metavar="N", help="splits into train and test (default 5)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="table.csv, table.md, table.png; a stopped run goes on"
    )


def execute_table(arguments: argparse.Namespace) -> int:
    """Train, write the table and print its means."""
    print_json(table_command(arguments))
    return 0


def table_command(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train what the cost of explainability needs over several splits; write its table."""
    from emomod.training.cost_of_explainability import MODELS, TWO_LEVELS, run_table
    from emomod.training.cost_table import write_table

    config = config_of(arguments, seed=arguments.seed)
    table = run_table(config, arguments.out, n_splits=arguments.n_splits, log=print_progress)
    write_table(table, arguments.out)
    means = zip(MODELS, table.with_mean()[..., -1].mean(axis=1).tolist(), strict=True)
    costs = {model: float(table.cost(model)[:, -1].mean()) for model in TWO_LEVELS}
    return {"table": str(arguments.out), "mean_r": dict(means), "cost_of_explainability": costs}


def config_of(arguments: argparse.Namespace, **overrides: Any) -> Any:
    """The TrainingConfig that the arguments ask for."""
    from emomod.training.config import read_config

    return read_config(
        arguments.config,
        corpora=arguments.corpora,
        split=arguments.split,
        width=arguments.width,
        device=arguments.device,
        **overrides,
    )
