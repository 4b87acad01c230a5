"""Cells of text that no spreadsheet runs as a formula.

A spreadsheet runs a cell that begins with = + - @ as a formula, also behind a tab or a line's end. So a text that does
gets an apostrophe in front, and so does one that begins with an apostrophe; whoever reads it takes one away. Numbers,
also where they are written out such as +0.1, are left alone.
"""

import re
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")


def escaped(text: str) -> str:
    """The text as a cell that no spreadsheet runs as a formula.

    >>> escaped("=1+1"), escaped("'tis"), escaped("a=1"), escaped("-1")
    ("'=1+1", "''tis", 'a=1', '-1')
    """
    return f"'{text}" if _is_formula(text) else text


def unescaped(cell: str) -> str:
    """The text that ``escaped`` made a cell of; a cell that it cannot have made stays as it is.

    >>> unescaped("'=1+1"), unescaped("''tis"), unescaped("a=1"), unescaped("'tis")
    ('=1+1', "'tis", 'a=1', "'tis")
    """
    return cell[1:] if cell.startswith("'") and _is_formula(cell[1:]) else cell


def _is_formula(text: str) -> bool:
    return text.startswith(FORMULA) and not NUMBER.fullmatch(text)


def plain_cell(value: Any) -> Any:
    """A value for a CSV writer: texts escaped, everything else as it is."""
    return escaped(value) if isinstance(value, str) else value
