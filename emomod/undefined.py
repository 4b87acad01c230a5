"""The warning that a figure is not defined for what it was given."""

import warnings


class UndefinedWarning(UserWarning):
    """A figure is not defined for its input and took the value that its docstring names."""


def undefined(what: str, value: float) -> float:
    """Return ``value``, with a warning that says why."""
    warnings.warn(f"{what}: taken as {value:g}", UndefinedWarning, stacklevel=3)
    return value
