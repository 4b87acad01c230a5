"""Cells of text that no spreadsheet runs as a formula.

A spreadsheet runs a cell that begins with = + - @ as a formula, also behind a tab or a line's end. So a text that does
gets an apostrophe in front, and so does one that begins with an apostrophe; whoever reads it takes one away. Numbers
are left alone.
"""

from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def escaped(text: str) -> str:
    """The text as a cell that no spreadsheet runs as a formula.

    >>> escaped("=1+1"), escaped("'tis"), escaped("a=1")
    ("'=1+1", "''tis", 'a=1')
    """
    return f"'{text}" if text.startswith(FORMULA) else text


def unescaped(cell: str) -> str:
    """The text that ``escaped`` made a cell of; a cell that it cannot have made stays as it is.

    >>> unescaped("'=1+1"), unescaped("''tis"), unescaped("a=1"), unescaped("'tis")
    ('=1+1', "'tis", 'a=1', "'tis")
    """
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def plain_cell(value: Any) -> Any:
    """A value for a CSV writer: texts escaped, everything else as it is."""
    return escaped(value) if isinstance(value, str) else value
