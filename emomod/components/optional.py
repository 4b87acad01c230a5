"""The one place that imports a library which only some kinds of components need."""

import warnings
from importlib import import_module
from typing import Any

from emomod.errors import InputError


def import_optional(name: str, *, extra: str) -> Any:
    """Import the library ``name``; InputError with the command to run where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="IProgress not found")  # of tqdm, which some of them import
            return import_module(name)
    except ModuleNotFoundError as error:
        library = name.partition(".")[0]
        if (error.name or "").partition(".")[0] != library:
            raise
        raise InputError(
            f'{library} is not installed; install it with: python -m pip install "emomod[{extra}]"'
        ) from None
