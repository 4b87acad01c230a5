"""From what a listener said, in terms of what was presented, to responses that speak of a condition.

What is said
------------
- pair: "first", "same" or "second", the one that has more of what is asked about
- abx: "first" or "second", the one that X is
- ccr: -3..+3, above 0 where the second has more (ITU-T P.800, annex E)
- scale: 1..9
- sliders: 0..100 for each version in the order heard
- None: the trial was shown and not answered
"""

from collections.abc import Sequence
from typing import Any

from emomod.checks import check_number
from emomod.errors import InputError
from listening_study.trials import Trial

FIRST, SAME, SECOND = "first", "same", "second"
CHOICES = {"pair": (FIRST, SAME, SECOND), "abx": (FIRST, SECOND)}
RANGES = {"pair": (-1.0, 1.0), "ccr": (-3.0, 3.0), "sliders": (0.0, 100.0), "scale": (1.0, 9.0), "abx": (0.0, 1.0)}
MISSING = ("", "NA", "null", "None")  # how tools write that there is no answer
Value = str | float | Sequence[float | None] | None


def responses_of(trial: Trial, value: Value) -> list[float | None]:
    """The responses of the trial's rows: one, or of sliders one for each version; InputError where none is allowed."""
    kind, n = trial.trial_type, len(trial.heard) if trial.trial_type == "sliders" else 1
    if value is None:
        return [None] * n
    if kind in CHOICES:
        return [_of_choice(trial, value)]
    values: Sequence[Any] = _several(value, n) if kind == "sliders" else [value]
    low, high = RANGES[kind]
    numbers = [None if each is None else check_number("response", each, low=low, high=high) for each in values]
    turned = kind == "ccr" and trial.position == 1
    return [-each if turned and each else each for each in numbers]


def _several(value: Any, n: int) -> Sequence[Any]:
    if isinstance(value, (str, float, int)) or len(value) != n:
        raise InputError(f"response must be {n} numbers, one for each version, got {value!r}")
    return list(value)


def _of_choice(trial: Trial, value: Any) -> float:
    choices = CHOICES[trial.trial_type]
    if value not in choices:
        raise InputError(f"response must be one of {', '.join(choices)}, got {value!r}")
    if trial.trial_type == "abx":
        return float(trial.heard[choices.index(value)] == trial.heard[2])
    if value == SAME:
        return 0.0
    return 1.0 if (value == FIRST) == (trial.position == 1) else -1.0


def said(trial: Trial, found: Any) -> Value:
    """What a tool's cell or JSON value says; InputError where it is of no kind that the trial allows.

    Of a text, sliders take numbers with blanks between them.
    """
    if isinstance(found, str):
        text = found.strip()
        if text in MISSING:
            return None
        if trial.trial_type in CHOICES:
            return text
        return _numbers(text.split()) if trial.trial_type == "sliders" else _number(text)
    if isinstance(found, (list, tuple)):
        return _numbers(found)
    return None if found is None else _number(found)


def _numbers(found: Sequence[Any]) -> list[float | None]:
    return [None if each is None or each in MISSING else _number(each) for each in found]


def _number(found: Any) -> float:
    if isinstance(found, (bool, dict, list)):
        raise InputError(f"response must be a number, got {found!r}")
    return check_number("response", found)
