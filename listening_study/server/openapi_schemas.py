"""What is sent and taken, as JSON Schema; every limit and name is the one that the code itself checks by."""

from dataclasses import fields
from typing import Any

from listening_study.responses import CHOICES, RANGES
from listening_study.server.answers import (
    CHECKS,
    CONFIDENCES,
    DEVICES,
    KINDS,
    MAX_COUNT,
    MAX_EVENTS,
    MAX_MS,
    NAME,
)
from listening_study.server.codes import PARTICIPANT
from listening_study.server.participants import MAX_CODE
from listening_study.server.store import ANSWER, FINISH
from listening_study.trial_questions import Asked

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
YES_NO: Schema = {"type": "boolean"}
A_NAME: Schema = {"type": "string", "pattern": f"^{NAME}$"}
A_PARTICIPANT: Schema = {"type": "string", "pattern": f"^{PARTICIPANT}$"}
LEVEL, HEADPHONES = KINDS[:2]


def whole(low: int, high: int | None = None, **more: Any) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": low, **({} if high is None else {"maximum": high}), **more}


def several(items: Schema, **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": items, **more}


def thing(*optional: str, **properties: Schema) -> Schema:
    """An object that has all ``properties`` but the ``optional`` ones."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def reference(name: str) -> Schema:
    """A schema of ``schemas`` by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> dict[str, Schema]:
    """All schemas by name."""
    return {
        "Error": thing(error={**TEXT, "description": "why, in a line"}),
        "Closed": thing(error=TEXT, code={**TEXT, "description": "by which all that is stored can be deleted"}),
        "About": _about(),
        "Join": _join(),
        "Joined": thing(participant=A_PARTICIPANT),
        "Withdraw": thing(code={**TEXT, "maxLength": MAX_CODE, "description": "as it was given out, however typed"}),
        "Deleted": thing(deleted={"const": True}),
        "State": _state(),
        "Trial": _trial(),
        "Events": thing(session=A_NAME, events=several(reference("Event"), minItems=1, maxItems=MAX_EVENTS)),
        "Event": {"oneOf": [reference(name) for name in ("Level", "Headphones", "Answer", "Finish")]},
        "Level": _event(LEVEL, thing(volume=whole(0, 100))),
        "Headphones": _event(HEADPHONES, _headphones()),
        "Answer": _event(ANSWER, _answer(), trial=whole(0, description="its place in the list")),
        "Finish": _event(FINISH, {"type": "object"}, "payload"),
        "Taken": _taken(),
    }


def _about() -> Schema:
    words = {"type": ["string", "array"], "items": TEXT}
    return thing(
        language=TEXT,
        heading=TEXT,
        texts={"type": "object", "additionalProperties": words},
        consent=thing(text=TEXT, sha256=TEXT),
        headphone_trials=whole(0),
        least_listened_ms=whole(0),
    )


def _join() -> Schema:
    device = {"description": f"one of {', '.join(DEVICES)}; all else is kept as other"}
    key = {**A_NAME, "description": "made by the page: who asks twice by one key joins once"}
    return thing("device", key=key, consent_sha256={**A_NAME, "description": "of the text in About"}, device=device)


def _state() -> Schema:
    return thing(
        trials=several(reference("Trial")),
        done=several(whole(0), description="places of the trials that are answered"),
        steps=several({"enum": [LEVEL, HEADPHONES]}),
        volume={"type": ["integer", "null"], "minimum": 0, "maximum": 100},
        finished=YES_NO,
        code={**TEXT, "description": "by which all that is stored can be deleted"},
    )


def _trial() -> Schema:
    told = {each.name: YES_NO if each.type is bool else TEXT for each in fields(Asked)}
    return thing(**{**told, "kind": {"enum": sorted(RANGES)}, "sounds": several(TEXT, minItems=1)})


def _event(kind: str, payload: Schema, *optional: str, **more: Schema) -> Schema:
    return thing(*optional, key=A_NAME, kind={"const": kind}, payload=payload, **more)


def _headphones() -> Schema:
    counts = {"type": "array", "prefixItems": [whole(0, MAX_COUNT), whole(1, MAX_COUNT)], "minItems": 2, "maxItems": 2}
    return thing(**{name: {**counts, "description": "right, of how many"} for name in CHECKS})


def _answer() -> Schema:
    choices = sorted({choice for each in CHOICES.values() for choice in each})
    scales = {name: span for name, span in RANGES.items() if name not in CHOICES and name != "sliders"}
    low, high = min(span[0] for span in scales.values()), max(span[1] for span in scales.values())
    sliders = several(whole(*map(round, RANGES["sliders"])), minItems=1)
    said = "; ".join(
        [
            *(f"{name}: {', '.join(each)}" for name, each in CHOICES.items()),
            *(f"{name}: {span[0]:g}..{span[1]:g}" for name, span in scales.items()),
            "sliders: a number for each version",
        ]
    )
    return thing(
        "confidence",
        response={"anyOf": [{"enum": choices}, whole(round(low), round(high)), sliders], "description": said},
        confidence={"type": ["integer", "null"], "minimum": CONFIDENCES[0], "maximum": CONFIDENCES[1]},
        rt_ms=whole(0, MAX_MS),
        listened_ms=several(whole(0, MAX_MS), minItems=1, description="of each sound of the trial"),
        n_plays=whole(0, MAX_COUNT),
        n_switches=whole(0, MAX_COUNT),
    )


def _taken() -> Schema:
    return thing(
        stored=several(A_NAME, description="keys that are on the disk, now or since earlier"),
        refused={
            "type": "object",
            "additionalProperties": TEXT,
            "description": "why, by key; it will not be taken later",
        },
        done=several(whole(0)),
    )
