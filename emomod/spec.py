"""Texts that name a thing and its options, such as "slic:n_segments=200": taken apart, and made into dataclasses.

A dataclass is what a name stands for; its fields are the options: each a str, an int, a float or a bool, or None.
"""

import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from emomod.errors import InputError

T = TypeVar("T")
BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
LONGEST = 8000  # characters of a text, twice the longest path
WANTED = {int: "a whole number", float: "a number", bool: "true or false"}


def split_spec(text: str) -> tuple[str, dict[str, str]]:
    """Return name and options of a text "name" or "name:option=value,option=value"; InputError for another form.

    A value holds no comma; all else is allowed, and blanks around it are left out.

    >>> split_spec("slic:n_segments=200, compactness=0.1")
    ('slic', {'n_segments': '200', 'compactness': '0.1'})
    """
    if "\0" in str(text) or len(str(text)) > LONGEST:
        raise InputError(f"options must be at most {LONGEST} characters, none of them of code 0, got {text!r:.80}")
    name, colon, rest = str(text).partition(":")
    options: dict[str, str] = {}
    for part in rest.split(",") if colon else ():
        option, equals, value = (each.strip() for each in part.partition("="))
        if not option or not equals or not value:
            raise InputError(f'options must look like "name:option=value,option=value", got {text!r}')
        if option in options:
            raise InputError(f"each option must be given once, got {option} twice in {text!r}")
        options[option] = value
    if not name.strip():
        raise InputError(f'a name must come first, as in "name:option=value", got {text!r}')
    return name.strip(), options


def known(what: str, name: str, names: Iterable[str]) -> str:
    """Return ``name`` if it is one of ``names``; InputError tells them all, and the one that may be meant."""
    choices = list(names)
    if name in choices:
        return name
    near = get_close_matches(str(name), choices, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(f"{what} must be one of {', '.join(choices) or 'none'}, got {name!r}{hint}")


def build(cls: type[T], options: Mapping[str, str], *, what: str) -> T:
    """Return the dataclass ``cls`` with ``options``, texts, as its fields; ``what`` is its name in messages.

    InputError where there is no such option, a text is not of its type, an option is missing, or ``cls`` refuses it.
    """
    kinds, given = _kinds(cls), {}
    for name, text in options.items():
        given[name] = _value(f"{name} of {what}", text, kinds[known(f"option of {what}", name, kinds)])
    missing = [name for name, default in _defaults(cls).items() if default is MISSING and name not in given]
    if missing:
        raise InputError(f"{what} must be given {', '.join(missing)}, as in {what}:{missing[0]}=...")
    try:
        return cls(**given)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None


def options_of(cls: type[Any]) -> list[dict[str, Any]]:
    """Return name, type and default of every option of a dataclass; the default is None where one must be given.

    Options that a dataclass takes by keyword alone, such as those that many have in common, come last.
    """
    defaults = _defaults(cls)
    return [
        {
            "name": name,
            "type": " or ".join("none" if kind is type(None) else kind.__name__ for kind in kinds),
            "default": None if defaults[name] is MISSING else defaults[name],
        }
        for name, kinds in _kinds(cls).items()
    ]


def first_line(cls: type[Any]) -> str:
    """Return the first line of a docstring, without its full stop: what a user sees of a class."""
    return (cls.__doc__ or "").strip().partition("\n")[0].rstrip(".")


def _defaults(cls: type[Any]) -> dict[str, Any]:
    return {
        field.name: field.default_factory() if field.default_factory is not MISSING else field.default
        for field in sorted(fields(cls), key=lambda field: bool(field.kw_only))
        if field.init
    }


def _kinds(cls: type[Any]) -> dict[str, tuple[type, ...]]:
    """The types that each option of a dataclass may have."""
    hints = get_type_hints(cls)
    return {name: _alternatives(hints[name]) for name in _defaults(cls)}


def _alternatives(hint: Any) -> tuple[type, ...]:
    """Return the types of ``int | None`` or of ``int``."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _value(what: str, text: str, kinds: tuple[type, ...]) -> Any:
    """Return ``text`` as the first of ``kinds`` that it can be."""
    if type(None) in kinds and text.lower() == "none":
        return None
    wanted = next((kind for kind in kinds if kind is not type(None)), str)
    try:
        return BOOLS[text.lower()] if wanted is bool else wanted(text)
    except (KeyError, ValueError):
        rule = WANTED.get(wanted, f"of type {wanted.__name__}") + (" or none" if type(None) in kinds else "")
        raise InputError(f"{what} must be {rule}, got {text!r}") from None
