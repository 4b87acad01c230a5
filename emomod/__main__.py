"""``python -m emomod``, and the command ``emomod``."""

import sys

from emomod.cli.process import keep_huge_pages


def command() -> int:
    """Run the command of this process."""
    keep_huge_pages()
    from emomod.cli.main import main  # not before: the process that starts anew loads it once more

    return main()


if __name__ == "__main__":
    sys.exit(command())
