"""All that the page says, in the language of the plan; questions aside, which are listening_study.questions."""

import hashlib
import json
import math
from functools import cache
from importlib.resources import files
from typing import Any

from emomod.errors import InputError
from listening_study.package import Study
from listening_study.server.settings import ServeSettings
from listening_study.trials import minutes_of

START_MINUTES = 4  # until the first trial: a first guess


@cache
def page_texts(language: str) -> dict[str, Any]:
    """The texts of a language by name; InputError where the page has none."""
    folder = files("listening_study").joinpath("page", "texts")
    known = sorted(each.name.removesuffix(".json") for each in folder.iterdir() if each.name.endswith(".json"))
    if language not in known:
        raise InputError(f"language must be one that the page has, {', '.join(known)}, got {language!r}")
    found: dict[str, Any] = json.loads(folder.joinpath(f"{language}.json").read_text("utf-8"))
    return found


def consent_text(study: Study, settings: ServeSettings) -> str:
    """What participants of the study agree to, paragraphs apart by an empty line."""
    if settings.consent.strip():
        return "\n\n".join(part.strip() for part in settings.consent.split("\n\n") if part.strip())
    texts = page_texts(study.plan.language)
    longest = max(minutes_of(trials) for trials in study.lists)
    minutes = math.ceil((START_MINUTES + longest) / 5) * 5
    headphones = texts["consent_headphones"] if settings.headphone_trials else ""
    contact = texts["contact"].format(contact=settings.contact) if settings.contact else texts["contact_unknown"]
    return "\n\n".join([*(part.format(minutes=minutes, headphones=headphones) for part in texts["consent"]), contact])


def text_sha256(text: str) -> str:
    """The version of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
