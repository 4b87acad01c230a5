"""All that participants read, in the language of the plan; questions aside, which are listening_study.questions.

Our own page and the exports to other tools say the same.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from emomod.errors import InputError


@cache
def page_texts(language: str) -> dict[str, Any]:
    """The texts of a language by name; InputError where the page has none."""
    folder = files("listening_study").joinpath("page", "texts")
    known = sorted(each.name.removesuffix(".json") for each in folder.iterdir() if each.name.endswith(".json"))
    if language not in known:
        raise InputError(f"language must be one that the page has, {', '.join(known)}, got {language!r}")
    found: dict[str, Any] = json.loads(folder.joinpath(f"{language}.json").read_text("utf-8"))
    return found
