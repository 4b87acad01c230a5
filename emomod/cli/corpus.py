"""emomod corpus: sounds to train on, with labels computed from their scores."""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import print_json, print_progress


def add(commands: Any) -> None:
    """Make a training corpus."""
    parser = commands.add_parser("corpus", help=add.__doc__, description=add.__doc__)
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    render = kinds.add_parser("render", help="compose and render clips with score-derived labels")
    add_render_arguments(render)
    render.set_defaults(run=execute)


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


def execute(arguments: argparse.Namespace) -> int:
    """Render and print what was made."""
    print_json(render_command(arguments))
    return 0


def render_command(arguments: argparse.Namespace) -> dict[str, Any]:
    """Render a corpus; return its description."""
    from emomod.corpus.render import CorpusSettings, render_corpus

    soundfont = None if arguments.soundfont is None else str(arguments.soundfont)
    settings = CorpusSettings(
        arguments.clips, seed=arguments.seed, synthesiser=arguments.synthesiser, soundfont=soundfont
    )
    return {"corpus": str(arguments.out), **render_corpus(arguments.out, settings, log=print_progress)}
