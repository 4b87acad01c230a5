"""emomod modify: versions of a clip that was explained before."""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import (
    add_clip,
    add_model,
    add_modification,
    add_output,
    add_seed,
    announcer,
    finish_progress,
    modify_settings,
    print_json,
    resolved_name,
)


def add(commands: Any) -> None:
    """Write versions of a clip from a saved explanation and re-score them."""
    parser = commands.add_parser("modify", help=add.__doc__, description=add.__doc__)
    add_clip(parser)
    parser.add_argument(
        "--explanation", type=Path, required=True, metavar="DIR", help="folder that emomod run or explain wrote"
    )
    add_modification(parser)
    add_output(parser)
    add_seed(parser)
    add_model(parser)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Modify, and print the shifts."""
    from emomod.explanation import load_explanation
    from emomod.model.load import load_model
    from emomod.output import check_output
    from emomod.pipeline import modify
    from emomod.stages import Stages

    settings = modify_settings(arguments)
    check_output(arguments.out, inputs=[arguments.clip, arguments.explanation])
    predictor = load_model(arguments.model, device=arguments.device)
    changed = modify(
        arguments.clip,
        load_explanation(arguments.explanation),
        target=predictor.check_name(resolved_name(arguments.target, predictor.names)),
        out=arguments.out,
        settings=settings,
        predictor=predictor,
        stages=Stages(announcer()),
    )
    finish_progress()
    if arguments.json:
        print_json(changed.as_dict())
    else:
        for row in changed.rows():
            shifts = f"up {row['shift_enhanced']:+.3f}  down {row['shift_weakened']:+.3f}"
            print(f"{row['name']:18} {row['before']:6.3f}  {shifts}")
        print(f"\n{arguments.out}: " + ", ".join(f"{name}.wav" for name in changed.waveforms))
    return 0
