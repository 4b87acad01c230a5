"""Tables in Markdown, of cards and results."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, is_number: Sequence[bool] | None = None) -> str:
    """A Markdown table; ``is_number`` says of each column whether it is aligned so, by default of all but the first."""
    aligned = is_number or [False, *[True] * (len(header) - 1)]
    lines = [header, ["---:" if each else "---" for each in aligned], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
