"""emomod corpus pairs: the same clip twice with one planted change, and the truth about it."""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import print_json, print_progress


def add(kinds: Any) -> None:
    """Render counterfactual pairs with stems, MIDI, labels and the cells that differ."""
    parser = kinds.add_parser("pairs", help=add.__doc__, description=add.__doc__)
    add_pairs_arguments(parser)
    parser.set_defaults(run=execute)


def add_pairs_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod corpus pairs``."""
    parser.add_argument(
        "--kind",
        default="all",
        metavar="KIND",
        help="staccato, syncopation, jitter, cluster, modulation, mode, melody, or all (default)",
    )
    parser.add_argument("--count", type=int, required=True, metavar="N", help="number of pairs of each kind")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the music and the changes (default 0)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new or empty folder for the pairs")
    parser.add_argument("--scores", type=Path, metavar="DIR", help="MIDI and MusicXML files to arrange as well")
    parser.add_argument(
        "--held-out", action="store_true", help="from songs and instruments that no training corpus has"
    )
    parser.add_argument(
        "--synthesiser", choices=("fluidsynth", "numpy"), default="fluidsynth", help="default: fluidsynth"
    )
    parser.add_argument("--soundfont", type=Path, metavar="FILE", help="General MIDI soundfont (default: the system's)")


def execute(arguments: argparse.Namespace) -> int:
    """Render and print what was made."""
    print_json(pairs_command(arguments))
    return 0


def pairs_command(arguments: argparse.Namespace) -> dict[str, Any]:
    """Render pairs; return their description."""
    from emomod.corpus.pair_clips import write_pairs
    from emomod.corpus.pairs import KINDS
    from emomod.corpus.store import CorpusSettings

    settings = CorpusSettings(
        1,
        seed=arguments.seed,
        synthesiser=arguments.synthesiser,
        soundfont=None if arguments.soundfont is None else str(arguments.soundfont),
        scores=None if arguments.scores is None else str(arguments.scores),
        held_out=arguments.held_out,
    )
    kinds = tuple(KINDS) if arguments.kind == "all" else (arguments.kind,)
    made = write_pairs(arguments.out, settings, kinds=kinds, count=arguments.count, log=print_progress)
    return {"pairs": str(arguments.out), **made}
