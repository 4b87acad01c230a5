"""Write the model card of a checkpoint as Markdown: ``python -m emomod.training.card > docs/model_card.md``.

With ``--phrases`` the model is checked on rated MIDI phrases; with ``--clip`` and ``--published`` its scores of a clip
stand beside the published ones of the 2019 system. Every number is read from the checkpoint or computed; none is typed.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from emomod.audio import read_clip
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, spoken
from emomod.model.checkpoint import Checkpoint, load_checkpoint
from emomod.spectrogram import compute_spectrogram
from emomod.training.validation import load_phrases, rate_phrases


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def model_card(checkpoint: Checkpoint, *, checks: Sequence[str] = ()) -> str:
    """The card of ``checkpoint`` as Markdown; ``checks`` are sections to put before the limitations."""
    card = checkpoint.card
    commands = "\n".join(card["commands"])
    sections = [
        f"# Model card: {card['name']}\n\n{_what_it_is(checkpoint)}",
        f"## Training\n\n{_how_it_was_made(card)}\n\nMade by\n\n```\n{commands}\n```",
        f"## How well the labels are predicted\n\n{_figures(card)}",
        *checks,
        f"## Limitations\n\n{card['limitations']}",
    ]
    return "\n\n".join(section for section in sections) + "\n"


def _what_it_is(checkpoint: Checkpoint) -> str:
    card = checkpoint.card
    n_weights = sum(parameter.numel() for parameter in checkpoint.network.parameters())
    return (
        "This page is written by `python -m emomod.training.card`, with checks added by `--phrases`, `--clip` and "
        "`--published`; every number is read from the checkpoint or computed.\n\n"
        f"Architecture {card['architecture']}, width {card['width']:g}, {n_weights / 1e6:.2f} million "
        f"weights, windows of {card['window_seconds']:g} s. The emotions are the linear layer {card['mid_to_emotion']} "
        f"on top of the mid-level features. The file's sha256 is `{checkpoint.sha256}`."
    )


def _how_it_was_made(card: dict[str, Any]) -> str:
    settings = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in card["training"].items())
    versions = ", ".join(f"{key} {value}" for key, value in card["versions"].items())
    sounds = card["corpus"].get("soundfont") or "NumPy synthesiser"
    return (
        f"{card['training_data']} (soundfont or synthesiser: {sounds}); 80 % of them to train on, 10 % to choose the "
        f"best epoch, 10 % held out. Settings: {settings}. Versions: {versions}."
    )


def _figures(card: dict[str, Any]) -> str:
    """Pearson r per feature on held-out clips and on the other synthesiser."""
    figures = card["figures"]
    columns = {"test_r": "held-out clips", "carry_over_r": f"other synthesiser ({card['carry_over_synthesiser']})"}
    present = [key for key in columns if key in figures]
    rows = [[spoken(name), *(f"{figures[key][name]:.2f}" for key in present)] for name in MIDLEVEL_NAMES]
    rows.append(["mean", *(f"{sum(figures[key].values()) / len(MIDLEVEL_NAMES):.2f}" for key in present)])
    least = " and ".join(spoken(name) for name in sorted(figures["test_r"], key=figures["test_r"].get)[:2])
    errors = {key: card[n] ** -0.5 for key, n in (("test_r", "n_test"), ("carry_over_r", "n_carry_over"))}
    text = (
        "Pearson r between the model's score and the label computed from the score of the music, on "
        f"{card['n_test']} held-out clips. These come from the same composer and soundfont as the training clips: they "
        "show what was learnt, not how well it carries over to recordings. "
    )
    if "carry_over_r" in figures:
        text += (
            f"Beside it, the same on {card['n_carry_over']} clips by the same composer, played by another synthesiser "
            "whose sounds were never heard in training. "
        )
    text += f"Standard errors are at most {max(errors[key] for key in present):.2f}. Learnt least: {least}."
    return f"{text}\n\n{table(['feature', *(columns[key] for key in present)], rows)}"


def beside_published(checkpoint: Checkpoint, clip: Path, *, published: Path) -> str:
    """A section with the model's scores of the first window of ``clip`` beside those in the JSON file ``published``."""
    stored = json.loads(published.read_text())
    theirs = [*stored["midlevel_predictions"], *stored["emotion_predictions"]]
    heard = read_clip(clip, seconds=float(checkpoint.card["window_seconds"]))
    with torch.inference_mode():
        ours = checkpoint.network(compute_spectrogram(heard.y).log_spectrogram[None])[0].tolist()
    names = [*MIDLEVEL_NAMES, *EMOTION_NAMES]
    rows = [[spoken(name), f"{a:.2f}", f"{b:.2f}"] for name, a, b in zip(names, ours, theirs, strict=True)]
    n_mid = len(MIDLEVEL_NAMES)
    errors = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
    mid_error, emotion_error = sum(errors[:n_mid]) / n_mid, sum(errors[n_mid:]) / len(EMOTION_NAMES)
    text = (
        f"The first window of {stored['clip']}, which was neither trained on nor used to choose anything. "
        f"Mean absolute difference: {mid_error:.2f} over mid-level features, {emotion_error:.2f} over emotions. "
        "One clip proves nothing; it is here because its published scores are known."
    )
    return f"## One real recording\n\n{text}\n\n{table(['score', 'this model', 'published (2019)'], rows)}"


def on_phrases(checkpoint: Checkpoint, folder: Path) -> str:
    """A section with the areas under the ROC curve on the rated phrases in ``folder``."""
    phrases = load_phrases(folder)
    found = rate_phrases(checkpoint.network, phrases)
    rows = [
        ["valence", f"{found['valence']:.2f}", f"key clarity of the score: {found['key clarity']:.2f}"],
        ["arousal", f"{found['energy']:.2f}", f"onset density of the score: {found['onset density']:.2f}"],
    ]
    text = (
        f"{len(phrases.scores)} phrases of game music for piano, the first 30 s of each, rendered dry; listeners rated "
        "the sign of valence and arousal. Area under the ROC curve (.5 is chance) of the model's valence and energy, "
        "and of one plain measure that needs no model. Nothing was trained, tuned or chosen on these phrases."
    )
    return f"## Phrases that listeners rated\n\n{text}\n\n{table(['rating', 'this model', 'without a model'], rows)}"


def main(argv: list[str] | None = None) -> None:
    """Write the card to standard output."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", type=Path, help="default: the one that ships")
    parser.add_argument("--clip", type=Path, help="a recording whose published scores are known")
    parser.add_argument("--published", type=Path, help="JSON with its published scores")
    parser.add_argument("--phrases", type=Path, help="folder of rated MIDI phrases, see emomod.training.validation")
    arguments = parser.parse_args(argv)
    checkpoint, sections = load_checkpoint(arguments.checkpoint), []
    if arguments.phrases:
        sections.append(on_phrases(checkpoint, arguments.phrases))
    if arguments.clip and arguments.published:
        sections.append(beside_published(checkpoint, arguments.clip, published=arguments.published))
    sys.stdout.write(model_card(checkpoint, checks=sections))


if __name__ == "__main__":
    main()
