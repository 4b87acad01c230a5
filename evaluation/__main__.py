"""python -m evaluation ...: the same as emomod evaluate ...; with "annotators" first, as emomod study export ..."""

import sys

from emomod.cli.main import main
from emomod.cli.process import keep_huge_pages


def words_of(given: list[str]) -> list[str]:
    """The words of the emomod command that is meant."""
    return ["study", "export", *given[1:]] if given[:1] == ["annotators"] else ["evaluate", *given]


if __name__ == "__main__":
    keep_huge_pages()
    sys.exit(main(words_of(sys.argv[1:])))
