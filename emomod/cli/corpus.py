"""emomod corpus: sounds to train on, with labels computed from their scores."""

import argparse
import os
from pathlib import Path
from typing import Any

from emomod.cli import corpus_pairs
from emomod.cli.options import print_json, print_progress


def add(commands: Any) -> None:
    """Make a training corpus."""
    parser = commands.add_parser("corpus", help=add.__doc__, description=add.__doc__)
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    render = kinds.add_parser("render", help="compose and render clips with score-derived labels")
    add_render_arguments(render)
    render.set_defaults(run=execute)
    corpus_pairs.add(kinds)


def add_render_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod corpus render``."""
    parser.add_argument("--clips", type=int, required=True, dest="n_clips", metavar="N", help="number of clips of 10 s")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="clip i depends on S and i only (default 0)")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the corpus; a stopped run goes on"
    )
    parser.add_argument(
        "--synthesiser", choices=("fluidsynth", "numpy"), default="fluidsynth", help="default: fluidsynth"
    )
    parser.add_argument("--scores", type=Path, metavar="DIR", help="MIDI and MusicXML files to arrange clips from")
    parser.add_argument(
        "--score-share", type=float, default=0.6, metavar="P", help="share of clips from the scores (default 0.6)"
    )
    parser.add_argument(
        "--couples", action="store_true", help="every second clip is the one before it with one planted change"
    )
    parser.add_argument(
        "--held-out", action="store_true", help="a test corpus: songs and instruments that no other corpus has"
    )
    parser.add_argument(
        "--spectrograms-only", action="store_true", help="for training: no mix, stems and score of each clip (2 MB)"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, dest="n_workers", metavar="N", help="default: all cores"
    )
    parser.add_argument("--soundfont", type=Path, metavar="FILE", help="General MIDI soundfont (default: the system's)")


def execute(arguments: argparse.Namespace) -> int:
    """Render and print what was made."""
    print_json(render_command(arguments))
    return 0


def render_command(arguments: argparse.Namespace) -> dict[str, Any]:
    """Render a corpus; return its description."""
    from emomod.corpus.render import render_corpus
    from emomod.corpus.store import CorpusSettings

    settings = CorpusSettings(
        arguments.n_clips,
        seed=arguments.seed,
        synthesiser=arguments.synthesiser,
        soundfont=None if arguments.soundfont is None else str(arguments.soundfont),
        scores=None if arguments.scores is None else str(arguments.scores),
        score_share=arguments.score_share,
        stems=not arguments.spectrograms_only,
        couples=arguments.couples,
        held_out=arguments.held_out,
    )
    made = render_corpus(arguments.out, settings, n_workers=arguments.n_workers, log=print_progress)
    return {"corpus": str(arguments.out), **made}
