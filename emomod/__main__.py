"""``python -m emomod``."""

import sys

from emomod.cli.main import main

sys.exit(main())
