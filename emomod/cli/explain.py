"""emomod explain: why the model hears what it hears."""

import argparse
from typing import Any

from emomod.cli.options import (
    add_clip,
    add_explanation,
    add_model,
    add_output,
    add_rule,
    add_seed,
    add_start,
    announcer,
    finish_progress,
    method_settings,
    print_json,
    resolved_name,
    selection_rule,
)


def add(commands: Any) -> None:
    """Explain a window of a clip for all scores and save the explanation."""
    parser = commands.add_parser("explain", help=add.__doc__, description=add.__doc__)
    add_clip(parser)
    parser.add_argument(
        "--target",
        metavar="NAME",
        help="the score to put into words (default: the highest emotion, or score)",
    )
    add_output(parser)
    add_start(parser)
    add_rule(parser)
    add_seed(parser)
    add_explanation(parser)
    add_model(parser)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Explain, save, and print what was found."""
    from emomod.component_weights import select_components
    from emomod.labels import EMOTION_NAMES
    from emomod.model.load import load_model
    from emomod.pipeline import explain
    from emomod.sentences import explain_in_words
    from emomod.stages import Stages
    from emomod.weight_precision import precision_in_words

    method, rule = method_settings(arguments), selection_rule(arguments)
    predictor = load_model(arguments.model, device=arguments.device)
    if arguments.target:
        arguments.target = predictor.check_name(resolved_name(arguments.target, predictor.names))
    explanation = explain(
        arguments.clip,
        start=arguments.start,
        components=arguments.components,
        method=method,
        out=arguments.out,
        predictor=predictor,
        stages=Stages(announcer()),
    )
    finish_progress()
    emotions = [name for name in explanation.names if name in EMOTION_NAMES and explanation.effects]
    target = arguments.target or max(emotions or explanation.names, key=explanation.score)
    sentence = explain_in_words(explanation, select_components(explanation.weights, target=target, rule=rule))
    if arguments.json:
        print_json({"sentence": sentence, **as_dict(explanation)})
    else:
        notes = [note for part in ("components", "model") for note in explanation.record[part]["notes"]]
        told = "".join(f"note: {note}\n" for note in notes)
        precise = precision_in_words(explanation.weights, target=target)
        told = f"{precise}\n{told}" if precise else told
        print(f"{sentence}\n\n{told}{arguments.out}/explanation.npz, explanation.json")
    return 0


def as_dict(explanation: Any) -> dict[str, Any]:
    """Return scores, effects by emotion and surrogate R2 by score, with the explanation's record."""
    from emomod.labels import EMOTION_NAMES
    from emomod.weight_precision import precision_of

    effects, precision = explanation.effects, precision_of(explanation.weights)
    return {
        "scores": dict(zip(explanation.names, explanation.scores.tolist(), strict=True)),
        "effects": effects and {emotion: effects.of(emotion) for emotion in EMOTION_NAMES},
        "surrogate_r2": dict(zip(explanation.names, explanation.weights.neighbourhood_r2.tolist(), strict=True)),
        "n_masks": explanation.weights.n_masks,
        "precision": precision.as_dict(explanation.names) if precision else None,
        **explanation.record,
    }
