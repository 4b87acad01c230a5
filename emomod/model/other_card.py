"""What a card of somebody else's model may say; each check returns its argument in the form that is kept."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_count, check_number
from emomod.errors import InputError
from emomod.reading.json_files import read_object

RATES = (1000, 192000)  # Hz
OWN_KEYS = ("name", "sample_rate", "window_seconds", "names", "takes", "scale", "notes", "figures")
SETTINGS = ("name", "sample_rate", "window_seconds", "names", "takes", "scale")


def check_names(names: Any) -> tuple[str, ...]:
    """Return the names of the scores: words, at least one, none twice."""
    if isinstance(names, str) or not isinstance(names, (list, tuple)) or not names:
        raise InputError(f"names must be a list of words, one a score, got {names!r}")
    if wrong := [name for name in names if not isinstance(name, str) or not name.strip() or not name.isprintable()]:
        raise InputError(f"names must be words, got {wrong[0]!r}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"names must be there once each, got {twice[0]!r} twice")
    if "start" in names:
        raise InputError("names must not have 'start', which is what tables call the beginning of a window")
    return tuple(names)


def check_rate(sample_rate: Any, *, takes: str) -> int:
    """Return a sample rate as whole Hz; a model of spectrograms has none of its own."""
    whole = isinstance(sample_rate, float) and math.isfinite(sample_rate) and sample_rate == int(sample_rate)
    rate = check_count("sample_rate", int(sample_rate) if whole else sample_rate, low=RATES[0])
    if rate > RATES[1]:
        raise InputError(f"sample_rate must be at most {RATES[1]} Hz, got {rate}")
    if takes == "spectrogram" and rate != SAMPLE_RATE:
        raise InputError(f"sample_rate must be left out where the model takes emomod's spectrograms, got {rate}")
    return rate


def check_scale(scale: Any) -> tuple[float, float]:
    """Return the lowest and the highest score."""
    if not isinstance(scale, (list, tuple)) or len(scale) != 2:
        raise InputError(f"scale must be the lowest and the highest score, got {scale!r}")
    low, high = (check_number("scale", end) for end in scale)
    if low >= high:
        raise InputError(f"scale must be the lowest before the highest score, got {low:g}, {high:g}")
    return low, high


def check_about(about: Any) -> dict[str, Any]:
    """Return what else a card says, as JSON can hold it."""
    if not isinstance(about, Mapping) or not all(isinstance(key, str) for key in about):
        raise InputError(f"about must be words and what they stand for, got {about!r}")
    if taken := [key for key in about if key in OWN_KEYS]:
        raise InputError(f"about must leave {', '.join(OWN_KEYS)} alone, got {taken[0]!r}")
    try:
        json.dumps(dict(about), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"about must be what JSON can hold ({error})") from None
    return dict(about)


def read_card(path: Path) -> dict[str, Any]:
    """Return the card that lies beside an ONNX file, which says at least the names of the scores."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        example = '{"names": ["happy", "calm"], "sample_rate": 16000, "window_seconds": 3.0}'
        raise InputError(f"{path}: needs a card beside it, {beside.name}, such as {example}")
    card = read_object(beside)
    if "names" not in card:
        raise InputError(f"{beside}: must be a JSON object with names, a list of words, one a score")
    return card
