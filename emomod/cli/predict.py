"""emomod predict: what the model hears in files."""

import argparse
from typing import TYPE_CHECKING, Any

from emomod.cli.options import add_model, add_output, announcer, clip_path, finish_progress, print_error, print_json
from emomod.errors import EmomodError

if TYPE_CHECKING:
    from emomod.result import Prediction


def add(commands: Any) -> None:
    """Print the mid-level features and emotions that the model hears in sound files."""
    parser = commands.add_parser("predict", help=add.__doc__, description=add.__doc__)
    parser.add_argument("clips", nargs="+", type=clip_path, metavar="FILE", help="wav, flac, ogg or mp3")
    add_output(parser, folder=False)
    add_model(parser)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Predict every file; files that cannot be used are named on standard error and make the exit code 1."""
    from emomod.model.load import load_model
    from emomod.pipeline import predict
    from emomod.stages import Stages

    predictor, stages = load_model(arguments.model, device=arguments.device), Stages(announcer())
    found: list[Prediction] = []
    failed = 0
    for clip in arguments.clips:
        try:
            found.append(predict(clip, predictor=predictor, stages=stages))
        except (EmomodError, OSError) as error:
            failed += 1
            print_error(error)
    finish_progress()
    if arguments.json:
        print_json([prediction.as_dict() for prediction in found])
    elif found:
        print("\n\n".join(table(prediction) for prediction in found))
    return 1 if failed else 0


def table(prediction: "Prediction") -> str:
    """Return the scores of one file as lines with bars that reach over the model's scale."""
    low, high = prediction.scale
    lines = [f"{prediction.file} ({prediction.n_windows} window{'s' if prediction.n_windows > 1 else ''})"]
    for scores in prediction.levels.values():
        for name, score in scores.items():
            bar = "#" * round(30 * min(1.0, max(0.0, (score - low) / (high - low))))
            lines.append(f"  {name:18} {score:6.3f}  {bar}")
    return "\n".join(lines)
