"""The report of a run."""

from pathlib import Path

from emomod.result import RunResult


def write_report(result: RunResult, folder: Path) -> None:
    """Write report.html and figures/*.png into ``folder``."""
