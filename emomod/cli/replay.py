"""emomod replay: does a run give the same once more?"""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import add_model, add_output, announcer, clip_path, finish_progress, print_json


def add(commands: Any) -> None:
    """Make the run that a run.json describes once more, and compare."""
    parser = commands.add_parser("replay", help=add.__doc__, description=add.__doc__)
    parser.add_argument("record", type=Path, metavar="RUN.JSON", help="of emomod run, or the folder that it lies in")
    parser.add_argument("--clip", type=clip_path, metavar="PATH", help="where the clip is now (default: where it was)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the new run (default: it is not kept)")
    add_output(parser, folder=False)
    add_model(parser)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Replay and print the verdict; the exit code is 1 where something else came out."""
    from emomod.replay import replay
    from emomod.stages import Stages

    found = replay(
        arguments.record,
        clip=arguments.clip,
        model=arguments.model,
        device=arguments.device,
        out=arguments.out,
        stages=Stages(announcer()),
    )
    finish_progress()
    if arguments.json:
        print_json(found.as_dict())
    else:
        print(found.as_text())
    return 0 if found.reproduced else 1
