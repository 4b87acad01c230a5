"""What participants agree to, and its version."""

import hashlib
import math

from listening_study.package import Study
from listening_study.page_texts import page_texts
from listening_study.server.settings import ServeSettings
from listening_study.trials import minutes_of

START_MINUTES = 4  # until the first trial: a first guess


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
