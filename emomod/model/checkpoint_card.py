"""What the card of a checkpoint must say, and of which kind that must be, since others read it without looking."""

from pathlib import Path
from typing import Any

from emomod.audio import MIN_SECONDS
from emomod.checks import check_number
from emomod.errors import InputError
from emomod.model.network import ARCHITECTURES
from emomod.reading.json_files import parse_json
from emomod.spectrogram import FRONT_END

LONGEST_WINDOW = 60.0  # s, as in training; a window is what memory goes by
CARD_KEYS = ("name", "architecture", "width", "names", "front_end", "window_seconds", "training_data", "figures")
TEXTS = ("name", "architecture", "training_data", "mid_to_emotion")
OBJECTS = ("front_end", "figures", "spread", "training", "corpus", "versions")


def read_checkpoint_card(source: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """Return the card in the metadata of the file ``source``; InputError names the file and what is wrong."""
    if "card" not in metadata:
        raise InputError(f"{source}: carries no emomod card; write it with emomod.model.checkpoint.save_checkpoint")
    try:
        card = parse_json(metadata["card"])
    except InputError as error:
        raise InputError(f"{source}: its card is not JSON ({error})") from None
    if not isinstance(card, dict) or not isinstance(card.get("front_end", {}), dict):
        raise InputError(f"{source}: its card and the front end in it must be JSON objects")
    if missing := [key for key in CARD_KEYS if key not in card]:
        raise InputError(f"{source}: its card lacks {', '.join(missing)}")
    try:
        _check_kinds(card)
        _check_figures(card)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    if card["front_end"] != FRONT_END:
        differing = [key for key in FRONT_END if card["front_end"].get(key) != FRONT_END[key]]
        raise InputError(f"{source}: was trained on another front end; {', '.join(differing) or 'extra keys'} differ")
    return card


def _check_kinds(card: dict[str, Any]) -> None:
    """Refuse texts, objects and lists that are something else."""
    for kind, what, names in ((str, "text", TEXTS), (dict, "an object", OBJECTS), (list, "a list", ("notes",))):
        for name in names:
            if not isinstance(card.get(name, kind()), kind):
                raise InputError(f"{name} of its card must be {what}, got {card[name]!r:.80}")
    if card["architecture"] not in ARCHITECTURES:
        raise InputError(f"architecture must be one of {', '.join(ARCHITECTURES)}, got {card['architecture'][:80]!r}")


def _check_figures(card: dict[str, Any]) -> None:
    """Refuse numbers that are none, or beyond what a network of ours can have."""
    _number("window_seconds", card["window_seconds"], low=MIN_SECONDS, high=LONGEST_WINDOW)
    _number("width", card["width"], low=0.01, high=4.0)
    told = card["figures"].get("test_r")
    if not isinstance(told, (dict, type(None))):
        raise InputError(f"test_r of its card must be an object, got {told!r:.80}")
    known = {name: r for name, r in (told or {}).items() if r is not None and r == r}  # NaN: not defined
    for what, figures, low, high in (("test_r", known, -1.0, 1.0), ("spread", card.get("spread", {}), 0.0, 1000.0)):
        for name, figure in figures.items():
            _number(f"{what} of {name[:80]}", figure, low=low, high=high)
    low, high = card["scale"] if _is_pair(card.get("scale", [])) else (0.0, 1.0)
    if "scale" in card and not (_is_pair(card["scale"]) and _number("scale", low) < _number("scale", high)):
        raise InputError(f"scale must be the lowest before the highest score, got {card['scale']!r:.80}")


def _is_pair(found: Any) -> bool:
    return isinstance(found, list) and len(found) == 2


def _number(name: str, found: Any, *, low: float = -1e9, high: float = 1e9) -> float:
    """A number as JSON has it; a text of digits is none."""
    if isinstance(found, (str, bool)):
        raise InputError(f"{name} must be a number, got {found!r:.80}")
    return check_number(name, found, low=low, high=high)
