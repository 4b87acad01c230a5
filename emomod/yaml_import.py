"""The library that reads YAML comes with extras; whoever lacks it is told which."""

from importlib import import_module
from typing import Any

from emomod.errors import InputError


def import_yaml(*, extra: str) -> Any:
    """The module; InputError names the ``extra`` of emomod that brings it."""
    try:
        return import_module("yaml")
    except ImportError:
        raise InputError(f'pyyaml was not found; install it with: python -m pip install "emomod[{extra}]"') from None
