"""The answers of which one is chosen, in tools that have them as a list: values, and the words of our own page."""

from listening_study.page_texts import page_texts
from listening_study.responses import CHOICES


def choices_of(kind: str, *, language: str) -> list[tuple[str, str]]:
    """Values and words of the answers to a trial of ``kind``; none where versions are rated by numbers.

    >>> choices_of("pair", language="en")
    [('first', 'A'), ('same', 'No difference'), ('second', 'B')]
    """
    texts = page_texts(language)
    if kind == "pair":
        return list(zip(CHOICES[kind], ("A", texts["no_difference"], "B"), strict=True))
    if kind == "abx":
        return [(value, texts["abx_is"].format(name=name)) for value, name in zip(CHOICES[kind], "AB", strict=True)]
    if kind == "ccr":
        return [(str(step), words) for step, words in zip(range(-3, 4), texts["ccr"], strict=True)]
    return []
