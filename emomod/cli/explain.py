"""emomod explain: why the model hears what it hears."""

import argparse
from typing import Any

from emomod.cli.options import (
    add_clip,
    add_lime,
    add_model,
    add_output,
    add_seed,
    add_start,
    lime_settings,
    print_json,
)


def add(commands: Any) -> None:
    """Explain a window of a clip for all scores and save the explanation."""
    parser = commands.add_parser("explain", help=add.__doc__, description=add.__doc__)
    add_clip(parser)
    parser.add_argument("--target", metavar="NAME", help="the score to put into words (default: the highest emotion)")
    add_output(parser)
    add_start(parser)
    add_seed(parser)
    add_lime(parser)
    add_model(parser)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Explain, save, and print what was found."""
    from emomod.component_weights import select_components
    from emomod.labels import EMOTION_NAMES
    from emomod.model.predictor import load_predictor
    from emomod.output import new_folder
    from emomod.pipeline import explain
    from emomod.sentences import explain_in_words

    predictor = load_predictor(arguments.checkpoint, device=arguments.device)
    if arguments.target:
        predictor.check_name(arguments.target)
    with new_folder(arguments.out) as folder:
        explanation = explain(
            arguments.clip, start=arguments.start, settings=lime_settings(arguments), predictor=predictor
        )
        explanation.save(folder)
    target = arguments.target or max(EMOTION_NAMES, key=explanation.score)
    sentence = explain_in_words(explanation, select_components(explanation.weights, target=target))
    if arguments.json:
        scores = dict(zip(explanation.names, explanation.scores.tolist(), strict=True))
        r2 = dict(zip(explanation.names, explanation.weights.neighbourhood_r2.tolist(), strict=True))
        effects = (
            {emotion: explanation.effects.of(emotion) for emotion in EMOTION_NAMES} if explanation.effects else None
        )
        print_json(
            {"sentence": sentence, "scores": scores, "effects": effects, "surrogate_r2": r2, **explanation.record}
        )
    else:
        print(f"{sentence}\n\n{arguments.out}/explanation.npz, explanation.json")
    return 0
