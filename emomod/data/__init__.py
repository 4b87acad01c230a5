"""Files that ship with emomod: demo.flac, made by examples/demo_clip.py."""

from importlib.resources import files
from pathlib import Path


def demo_clip() -> Path:
    """Return the path of the bundled clip, 15 s of an own composition."""
    return Path(str(files("emomod.data") / "demo.flac"))
