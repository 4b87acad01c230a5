"""emomod doctor: is everything there?"""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import print_json


def add(commands: Any) -> None:
    """Print versions, device and weights, and what is missing with the command that cures it."""
    parser = commands.add_parser("doctor", help=add.__doc__, description=add.__doc__)
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="another than the one that ships")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Print the diagnosis; the exit code is 1 where something needed is missing."""
    from emomod.doctor import diagnose

    diagnosis = diagnose(arguments.checkpoint)
    if arguments.json:
        print_json(diagnosis.as_dict())
    else:
        print(diagnosis.as_text())
    return 0 if diagnosis.healthy else 1
