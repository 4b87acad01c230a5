"""emomod compare: versions of a song side by side."""

import argparse
from typing import Any

from emomod.cli.options import add_model, add_output, announcer, clip_path, finish_progress, print_json


def add(commands: Any) -> None:
    """Compare versions of a song: scores, effects, and what makes one angrier than the other."""
    parser = commands.add_parser("compare", help=add.__doc__, description=add.__doc__)
    parser.add_argument(
        "clips", nargs="+", type=clip_path, metavar="FILE", help="two to six; long files are averaged over windows"
    )
    add_output(parser)
    add_model(parser)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Compare the files and print what differs."""
    from emomod.many_clips import compare
    from emomod.model.load import load_model
    from emomod.stages import Stages

    predictor = load_model(arguments.model, device=arguments.device)
    record = compare(arguments.clips, out=arguments.out, predictor=predictor, stages=Stages(announcer())).record
    finish_progress()
    if arguments.json:
        print_json(record)
    else:
        print(summary(record))
    return 0


def summary(record: dict[str, Any]) -> str:
    """Return what a person wants to know of a comparison."""
    lines = [f"{version['label']}  {version['file']}" for version in record["versions"]]
    lines += ["", *record["sentences"].values()]
    lines += [f"warning: {warning}" for warning in record["warnings"]]
    return "\n".join([*lines, "", f"{record['out']}/compare.html"])
