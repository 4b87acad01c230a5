"""Write the model card of a checkpoint as Markdown: ``python -m emomod.training.card > docs/model_card.md``.

The card is written from the checkpoint, from docs/results/model_checks.json and from docs/phrase_looks.csv, so that it
can be written again in a second; no number is typed. The options measure: each puts its check into that JSON file
first, and every use of ``--phrases`` is a look at the rated phrases that goes into the CSV file with its reason.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emomod.corpus.store import COMPOSER_VERSION
from emomod.datasets.splits import PROTOCOLS
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, spoken
from emomod.markdown import table
from emomod.model.checkpoint import Checkpoint, default_checkpoint_path, load_checkpoint
from emomod.model.companions import companion_paths
from emomod.model.predictor import load_predictor
from emomod.training.check_sections import check_sections
from emomod.training.model_checks import (
    RESULTS,
    check_clip,
    check_pairs,
    check_phrases,
    check_robustness,
    check_unseen,
    read_checks,
    record_check,
)
from emomod.training.validation import read_looks, record_look

LOOKS = Path("docs/phrase_looks.csv")


def model_card(checkpoint: Checkpoint, *, checks: Sequence[str] = ()) -> str:
    """The card of ``checkpoint`` as Markdown; ``checks`` are sections to put before the limitations."""
    card = checkpoint.card
    commands = "\n".join(card["commands"])
    sections = [
        f"# Model card: {card['name']}\n\n{_what_it_is(checkpoint)}",
        f"## Training\n\n{_how_it_was_made(card)}\n\nMade by\n\n```\n{commands}\n```{_other_composer(card)}",
        f"## How well the labels are predicted\n\n{_figures(card)}",
        *checks,
        *([f"## Companions\n\n{_companions()}"] if checkpoint.path == str(default_checkpoint_path()) else []),
        f"## Limitations\n\n{card['limitations']}",
    ]
    return "\n\n".join(section for section in sections) + "\n"


def _what_it_is(checkpoint: Checkpoint) -> str:
    card = checkpoint.card
    n_weights = sum(parameter.numel() for parameter in checkpoint.network.parameters())
    return (
        "This page is written by `python -m emomod.training.card`; every number is read from the checkpoint or was "
        "measured by that command.\n\n"
        f"Architecture {card['architecture']}, width {card['width']:g}, {n_weights / 1e6:.2f} million "
        f"weights, windows of {card['window_seconds']:g} s. The emotions are the linear layer {card['mid_to_emotion']} "
        f"on top of the mid-level features. The file's sha256 is `{checkpoint.sha256}`."
    )


def _other_composer(card: dict[str, Any]) -> str:
    """That the commands now give other clips, where the corpora were made by another version of the composer."""
    sources = card.get("corpus", {}).get("sources", [])
    versions = {source.get("composer_version") for source in sources} - {None, COMPOSER_VERSION}
    if not versions:
        return ""
    made = " and ".join(str(version) for version in sorted(versions))
    return (
        f"\n\nwith version {made} of the composer. This release has version {COMPOSER_VERSION}: from the same seeds it "
        "draws other clips, and some measures behind the labels differ."
    )


def _how_it_was_made(card: dict[str, Any]) -> str:
    settings = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in card["training"].items())
    versions = ", ".join(f"{key} {value}" for key, value in card["versions"].items())
    protocol = card["training"].get("split", "groups")  # cards of before had no other
    sounds = card["corpus"].get("soundfont") or "NumPy synthesiser"
    return (
        f"{card['training_data']} (soundfont or synthesiser: {sounds}); {PROTOCOLS[protocol]}. "
        f"Settings: {settings}. Versions: {versions}."
    )


def _figures(card: dict[str, Any]) -> str:
    """Pearson r of each feature on held-out clips."""
    r = card["figures"]["test_r"]
    names = [name for name in (*MIDLEVEL_NAMES, *EMOTION_NAMES) if name in r]
    rows = [*([spoken(name), f"{r[name]:.2f}"] for name in names), ["mean", f"{sum(r.values()) / len(names):.2f}"]]
    least = " and ".join(spoken(name) for name in sorted(r, key=r.get)[:2])
    text = (
        f"Pearson r between the model's score and the label on {card['n_test']} held-out clips. These come from the "
        "same corpora as the training clips: they show what was learnt, not how well it carries over to recordings. "
        f"If clips were independent, standard errors would be at most {card['n_test'] ** -0.5:.2f}; clips of one song "
        f"are not, so they are larger where songs have several. Learnt least: {least}."
    )
    return f"{text}\n\n{table(['feature', 'held-out clips'], rows)}"


def _companions() -> str:
    """Pearson r of the models that ship beside the default one."""
    others = [load_checkpoint(path) for path in companion_paths()]
    names = [name for name in MIDLEVEL_NAMES if all(name in other.card["figures"]["test_r"] for other in others)]
    rows = [
        [
            Path(other.path).stem,
            *(f"{other.card['figures']['test_r'][name]:.2f}" for name in names),
            f"{other.card['figures']['mean_test_r']:.2f}",
        ]
        for other in others
    ]
    versions = {source["composer_version"] for other in others for source in other.card["corpus"]["sources"]}
    commands = "\n".join(command for other in others for command in other.card["commands"] if " train " in command)
    text = (
        "Other models that ship, by which a change is told that one network alone hears ([steering.md](steering.md)): "
        "the same network, trained from other seeds for half as long, on clips of the same settings by version "
        f"{' and '.join(map(str, sorted(versions)))} of the composer. Pearson r on their own held-out clips, as above."
    )
    return f"{text}\n\n{table(['model', *map(spoken, names), 'mean'], rows)}\n\n```\n{commands}\n```"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m emomod.training.card", description=main.__doc__)
    parser.add_argument("--checkpoint", type=Path, help="default: the one that ships")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"JSON with the checks (default: {RESULTS})")
    parser.add_argument("--phrases", type=Path, metavar="DIR", help="measure on rated MIDI phrases; needs --why")
    parser.add_argument("--why", help="reason for this look at the phrases")
    parser.add_argument("--clip", type=Path, help="measure a recording whose published scores are known")
    parser.add_argument("--published", type=Path, help="JSON with its published scores")
    parser.add_argument("--ratings", type=Path, help="CSV with listeners' ratings of it (Soundtracks dataset)")
    parser.add_argument("--test-corpus", type=Path, nargs="+", metavar="DIR", help="measure on corpora made to test")
    parser.add_argument("--robustness", type=int, metavar="N", help="measure N clips in other files")
    parser.add_argument("--pairs", type=int, metavar="N", help="measure N matched pairs of each kind")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Measure what the options ask for, then write the model card to standard output."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if bool(arguments.phrases) != bool(arguments.why):
        parser.error("--phrases and --why go together")
    if bool(arguments.clip) != bool(arguments.published):
        parser.error("--clip and --published go together")
    try:
        _measure(arguments)
        sys.stdout.write(_card(arguments))
    except InputError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def _command(**options: Any) -> str:
    """The command of one check; of absolute paths, which are one machine's own, the last part only."""
    words = ["python", "-m", "emomod.training.card"]
    for name, value in options.items():
        if value is not None:
            values = value if isinstance(value, list) else [value]
            told = [item.name if isinstance(item, Path) and item.is_absolute() else str(item) for item in values]
            words += [f"--{name.replace('_', '-')}", *told]
    return shlex.join(words)


def _measure(arguments: argparse.Namespace) -> None:
    """Measure the checks that were asked for; each goes to the file of results as soon as it is there."""
    predictor = load_predictor(arguments.checkpoint, device="cpu")
    checkpoint, given = predictor.checkpoint.sha256, vars(arguments)

    def keep(check: str, figures: Any, *options: str) -> None:
        command = _command(**{option: given[option] for option in options})
        record_check(arguments.results, check, figures, checkpoint=checkpoint, command=command)

    if arguments.phrases:
        figures = check_phrases(predictor, arguments.phrases)
        record_look(LOOKS, checkpoint=checkpoint, why=arguments.why)
        keep("phrases", figures, "phrases", "why")
    if arguments.clip:
        figures = check_clip(predictor, arguments.clip, published=arguments.published, ratings=arguments.ratings)
        keep("clip", figures, "clip", "published", "ratings")
    if arguments.test_corpus:
        keep("unseen", check_unseen(predictor, arguments.test_corpus), "test_corpus")
    if arguments.robustness is not None:
        keep("robustness", check_robustness(predictor, arguments.robustness), "robustness")
    if arguments.pairs is not None:
        keep("pairs", check_pairs(predictor, arguments.pairs), "pairs")


def _card(arguments: argparse.Namespace) -> str:
    checkpoint = load_checkpoint(arguments.checkpoint)
    checks = read_checks(arguments.results, checkpoint=checkpoint.sha256)
    soundfont = checkpoint.card["corpus"].get("soundfont")
    return model_card(checkpoint, checks=check_sections(checks, looks=read_looks(LOOKS), soundfont=soundfont))


if __name__ == "__main__":
    main()
