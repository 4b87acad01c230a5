"""emomod store: is what a batch left whole?"""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import announcer, finish_progress, needs_extra, print_json


def add(commands: Any) -> None:
    """Look after the store of a batch."""
    group = commands.add_parser("store", help=add.__doc__, description=add.__doc__)
    parts = group.add_subparsers(required=True, metavar="COMMAND", dest="part")
    about = "Compare every file with the hash it was written with, and say what has to be done again."
    parser = parts.add_parser("verify", help=about, description=about)
    parser.add_argument("store", type=Path, metavar="STORE", help="what `emomod batch` wrote")
    parser.add_argument("--repair", action="store_true", help="remove damaged folders, make the tables anew")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON on standard output")
    parser.set_defaults(run=needs_extra(execute, extra="batch"))


def execute(arguments: argparse.Namespace) -> int:
    """Verify; the exit code is 1 where something has to be done again."""
    from emomod.batch.verify import verify_store
    from emomod.stages import Stages

    found = verify_store(arguments.store, repair=arguments.repair, stages=Stages(announcer()))
    finish_progress()
    if arguments.json:
        print_json(found.as_dict())
    else:
        print(found.as_text())
    return 0 if found.healthy else 1
