"""YAML that the reader of webMUSHRA takes for what it is.

That reader takes a list that begins on its parent's dash for a string, 0123 for octal, and bare dates for time stamps.
So every text is quoted as JSON does it, without escapes of letters beyond ASCII, and a mapping or list within a list
begins on a line of its own.
"""

import json
from collections.abc import Iterator
from typing import Any

from emomod.errors import InputError


def to_yaml(value: dict[str, Any]) -> str:
    """A mapping of texts, numbers, truth values, lists and mappings as YAML; keys are letters, digits and _.

    >>> print(to_yaml({"a": "x", "b": [{"c": 1}, "y"]}), end="")
    a: "x"
    b:
      -
        c: 1
      - "y"
    """
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> Iterator[str]:
    pairs = [(f"{_key(key)}:", each) for key, each in value.items()] if isinstance(value, dict) else []
    for head, each in pairs or [("-", each) for each in value]:
        if not isinstance(each, (dict, list)):
            yield f"{head} {json.dumps(each, ensure_ascii=False)}"
        elif not each:
            raise InputError(f"yaml: {head} must not be empty")
        else:
            yield head
            yield from (f"  {line}" for line in _lines(each))


def _key(key: str) -> str:
    if not (key.isascii() and key.isidentifier()):
        raise InputError(f"yaml: keys must be letters, digits and _, got {key!r}")
    return key
