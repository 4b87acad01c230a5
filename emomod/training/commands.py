"""What ``emomod corpus render`` and ``emomod train`` take and do; heavy modules load only when a command runs."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_render_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod corpus render``."""
    parser.add_argument("--clips", type=int, required=True, metavar="N", help="number of clips of 10 s")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="clip i depends on S and i only (default 0)")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the corpus; a stopped run goes on"
    )
    parser.add_argument(
        "--synthesiser", choices=("fluidsynth", "numpy"), default="fluidsynth", help="default: fluidsynth"
    )
    parser.add_argument("--soundfont", type=Path, metavar="FILE", help="General MIDI soundfont (default: the system's)")


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod train``."""
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="made by `emomod corpus render`")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the checkpoint (.safetensors)")
    parser.add_argument("--width", type=float, default=0.5, metavar="W", help="scales the channels (default 0.5)")
    parser.add_argument("--epochs", type=int, default=12, metavar="E", help="at most (default 12)")
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="clips a step (default 16)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of split, weights, augmentation (default 0)")


def _log(line: str) -> None:
    """Progress goes to standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def render_command(arguments: argparse.Namespace) -> dict[str, Any]:
    """Render a corpus; return its description."""
    from emomod.training.corpus import CorpusSettings, render_corpus

    soundfont = None if arguments.soundfont is None else str(arguments.soundfont)
    settings = CorpusSettings(
        arguments.clips, seed=arguments.seed, synthesiser=arguments.synthesiser, soundfont=soundfont
    )
    return {"corpus": str(arguments.out), **render_corpus(arguments.out, settings, log=_log)}


def train_command(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a checkpoint; return its card."""
    from emomod.training.fit import TrainingSettings
    from emomod.training.release import train

    settings = TrainingSettings(
        width=arguments.width, epochs=arguments.epochs, seed=arguments.seed, batch_size=arguments.batch
    )
    card = train(arguments.corpus, arguments.out, settings, log=_log)
    return {"checkpoint": str(arguments.out), **card}
