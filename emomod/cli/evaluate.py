"""emomod evaluate: is an explanation stable, faithful and true?"""

import argparse
import warnings
from typing import Any

from emomod.cli.options import add_output, print_json, print_progress
from evaluation.options import add_arguments


def add(commands: Any) -> None:
    """Measure explanations: stability, fidelity, faithfulness, sanity, planted truth, response to gains."""
    parser = commands.add_parser("evaluate", help=add.__doc__, description=add.__doc__)
    add_arguments(parser)
    add_output(parser, folder=False)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Run the experiments and print what they found."""
    from emomod.undefined import UndefinedWarning
    from evaluation.command import run, summary_words

    with warnings.catch_warnings():
        warnings.simplefilter("once", UndefinedWarning)
        warnings.showwarning = lambda message, *_, **__: print_progress(f"note: {message}")
        summary = run(arguments, log=print_progress)
    if arguments.json:
        print_json(summary)
    else:
        print(f"{summary_words(summary)}\n{arguments.out}/report.html")
    return 0
