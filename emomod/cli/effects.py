"""emomod effects: level 1 for a corpus."""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import add_model, add_output, announcer, clip_path, finish_progress, print_error, print_json
from emomod.errors import InputError


def add(commands: Any) -> None:
    """Show how mid-level features make the emotions in many clips, with single clips marked."""
    parser = commands.add_parser("effects", help=add.__doc__, description=add.__doc__)
    parser.add_argument(
        "clips",
        nargs="*",
        type=clip_path,
        metavar="CLIP_OR_FOLDER",
        help="sound files, or folders with them; long files are averaged over windows",
    )
    parser.add_argument("--mark", action="append", default=[], metavar="NAME", help="a clip to mark; can be repeated")
    parser.add_argument(
        "--from",
        dest="table",
        type=Path,
        metavar="CSV",
        help="a table of scores instead of clips: scores.csv of an earlier call, or labels.csv of a corpus",
    )
    add_output(parser)
    add_model(parser)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Hear the clips or read the table; write the page. Clips that cannot be used make the exit code 1."""
    if bool(arguments.clips) == bool(arguments.table):
        raise InputError("name clips or folders, or else a table of scores with --from")
    from emomod.many_clips import effects_of_clips, effects_of_table
    from emomod.model.load import load_model
    from emomod.stages import Stages

    job: dict[str, Any] = {
        "out": arguments.out,
        "marks": arguments.mark,
        "predictor": load_model(arguments.model, device=arguments.device),
        "stages": Stages(announcer()),
    }
    if arguments.table:
        record = effects_of_table(arguments.table, **job).record
    else:
        record = effects_of_clips(arguments.clips, **job).record
    finish_progress()
    for reason in record["unusable"].values():
        print_error(reason)
    if arguments.json:
        print_json(record)
    else:
        print(summary(record))
    return 1 if record["unusable"] else 0


def summary(record: dict[str, Any]) -> str:
    """Return what a person wants to know of a corpus."""
    marked = [f"\n{sentence}" for sentence in record["marked"].values()]
    warnings = ["", *(f"warning: {warning}" for warning in record["warnings"])] if record["warnings"] else []
    return "\n".join([*record["sentences"].values(), *marked, *warnings, "", f"{record['out']}/effects.html"])
