"""What a page may send: events, checked against the trials of their participant.

A response is told by what was presented, since the page knows no more, as listening_study.responses says:
pair "first", "same" or "second"; abx "first" or "second"; ccr -3..3; scale 1..9; sliders 0..100 for each version.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from emomod.errors import InputError
from listening_study.responses import CHOICES, RANGES
from listening_study.server.store import ANSWER, FINISH, NewEvent
from listening_study.trials import Trial

KINDS = ("level", "headphones", ANSWER, FINISH)
DEVICES = ("phone", "tablet", "computer")
CONFIDENCES = (1, 5)
MAX_EVENTS, MAX_NAME = 100, 64
NAME = f"[ -~]{{1,{MAX_NAME}}}"  # letters of ASCII that print, and blanks
MAX_MS, MAX_COUNT = 7 * 24 * 3_600_000, 100_000
CHECKS = ("sides", "woods", "huggins")  # of headphones, each right or wrong several times


def parsed_events(found: Any, trials: Sequence[Trial]) -> tuple[list[NewEvent], dict[str, str]]:
    """Events that can be stored, and why others cannot, by key; InputError where it is no list of at most 100 events.

    ``found`` is {"session": name, "events": [{"key", "kind", "trial", "payload"}]}; a trial is its place in the list.
    """
    events = found.get("events") if isinstance(found, dict) else None
    if not isinstance(events, list) or not 0 < len(events) <= MAX_EVENTS:
        raise InputError(f"events must be a list of 1 to {MAX_EVENTS}")
    session = _name("session", found.get("session"))
    good: list[NewEvent] = []
    refused: dict[str, str] = {}
    for each in events:
        key = _name("key", each.get("key") if isinstance(each, dict) else None)
        try:
            good.append(_event(each, key, session, trials))
        except InputError as error:
            refused[key] = str(error)
    return good, refused


def _event(found: Mapping[str, Any], key: str, session: str, trials: Sequence[Trial]) -> NewEvent:
    kind, payload = found.get("kind"), found.get("payload", {})
    if kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}")
    if not isinstance(payload, dict):
        raise InputError("payload must be an object")
    if kind == ANSWER:
        place = _whole("trial", found.get("trial"), high=len(trials) - 1)
        return NewEvent(key, kind, trials[place].trial_id, session, _answer(payload, trials[place]))
    read = {"level": _level, "headphones": _headphones}.get(kind, _nothing)
    return NewEvent(key, kind, None, session, read(payload))


def _answer(payload: Mapping[str, Any], trial: Trial) -> dict[str, Any]:
    confidence, listened = payload.get("confidence"), payload.get("listened_ms")
    if confidence is not None:
        confidence = _whole("confidence", confidence, low=CONFIDENCES[0], high=CONFIDENCES[1])
    if not isinstance(listened, list) or len(listened) != len(trial.heard):
        raise InputError(f"listened_ms must be {len(trial.heard)} numbers, one for each sound")
    return {
        "response": checked_response(payload.get("response"), trial),
        "confidence": confidence,
        "rt_ms": _whole("rt_ms", payload.get("rt_ms"), high=MAX_MS),
        "listened_ms": [_whole("listened_ms", each, high=MAX_MS) for each in listened],
        "n_plays": _whole("n_plays", payload.get("n_plays"), high=MAX_COUNT),
        "n_switches": _whole("n_switches", payload.get("n_switches"), high=MAX_COUNT),
    }


def checked_response(response: Any, trial: Trial) -> Any:
    """A response as it was presented; InputError where the trial has no such answer."""
    kind = trial.trial_type
    if kind == "sliders":
        if not isinstance(response, list) or len(response) != len(trial.heard):
            raise InputError(f"response must be {len(trial.heard)} numbers, one for each version")
        return [_whole("response", each, high=100) for each in response]
    if kind in CHOICES:
        if response not in CHOICES[kind]:
            raise InputError(f"response must be one of {', '.join(CHOICES[kind])}")
        return response
    low, high = RANGES[kind]
    return _whole("response", response, low=round(low), high=round(high))


def _nothing(_: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _level(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"volume": _whole("volume", payload.get("volume"), high=100)}


def _headphones(payload: Mapping[str, Any]) -> dict[str, Any]:
    """How many of how many were right in each check, and whether they passed, by the rules of the publications.

    Woods et al. (Attention, Perception, & Psychophysics 79, 2017): 5 of 6. Milne et al. (Behavior Research Methods 53,
    2021): all. Sides must all be right.
    """
    counts: dict[str, Any] = {}
    for name in CHECKS:
        found = payload.get(name)
        if not isinstance(found, list) or len(found) != 2:
            raise InputError(f"{name} must be two numbers: right, of how many")
        of = _whole(name, found[1], low=1, high=MAX_COUNT)
        counts[name] = [_whole(name, found[0], high=of), of]
    (sides, woods, huggins) = (counts[name] for name in CHECKS)
    passed = sides[0] == sides[1] and 6 * woods[0] >= 5 * woods[1] and huggins[0] == huggins[1]
    return {**counts, "passed": passed}


def _name(name: str, found: Any) -> str:
    if not isinstance(found, str) or not re.fullmatch(NAME, found):
        raise InputError(f"{name} must be 1 to {MAX_NAME} printable letters")
    return found


def _whole(name: str, found: Any, *, low: int = 0, high: int) -> int:
    """A whole number, also where it came as 3.0, which JSON does not tell from 3."""
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not low <= found <= high or found % 1:
        raise InputError(f"{name} must be a whole number in {low}..{high}")
    return int(found)


def join_request(found: Any) -> tuple[str, str, str]:
    """The key, the hash of the consent and the device of a request to join; InputError where it has another form."""
    if not isinstance(found, dict):
        raise InputError("a request to join must be an object")
    device = found.get("device")
    return (
        _name("key", found.get("key")),
        _name("consent_sha256", found.get("consent_sha256")),
        device if device in DEVICES else "other",
    )
