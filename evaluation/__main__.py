"""python -m evaluation ...: the same as emomod evaluate ..."""

import sys

from emomod.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
