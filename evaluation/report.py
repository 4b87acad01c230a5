"""A page and Markdown tables of an evaluation, from its CSVs and its summary."""

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emomod.errors import InputError
from emomod.markdown import table
from emomod.output import whole_file
from emomod.reading.json_files import read_object
from emomod.report.pictures import write_figures
from emomod.report.sections import About, markdown, render_sections
from evaluation.plots import draw_all
from evaluation.sections import sections_of
from evaluation.store import Rows

SUMMARY = "summary.json"
FILES = ("summary.json", "*.csv", "report.md", "figures/")


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary in a folder of results; InputError where there is none that can be read."""
    try:
        return read_object(folder / SUMMARY)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{folder}: holds no results of an evaluation that can be read ({error})") from None


def _sweep_rows(folder: Path) -> Rows:
    """The rows of the sweep, if there is one, with what is drawn of them as numbers."""
    source = folder / "sweep.csv"
    if not source.is_file():
        return []
    with source.open(newline="", encoding="utf-8") as file:
        return [{**row, "gain_db": float(row["gain_db"]), "shift": float(row["shift"])} for row in csv.DictReader(file)]


def write_report(folder: Path) -> Path:
    """Write report.html, report.md and figures/ beside the results in ``folder``; return the page's path."""
    summary = read_summary(folder)
    sections = sections_of(summary)
    if not sections:
        raise InputError(f"{folder / SUMMARY}: has no figures to report")
    shutil.rmtree(folder / "figures", ignore_errors=True)
    pictures = write_figures(draw_all(summary, _sweep_rows(folder)), folder / "figures")
    about = _about(summary)
    told_runs = [[name, run["made"], f"`{run['command']}`", run["machine"]] for name, run in summary["runs"].items()]
    made = table(("experiment", "finished", "command", "machine"), told_runs, is_number=[False] * 4)
    text = f"{markdown(about, sections, drawn=tuple(pictures))}\n## How it was made\n\n{made}\n"
    page = render_sections(about, sections, pictures=pictures)
    for name, content in {"report.md": text, "report.html": page}.items():
        with whole_file(folder / name) as partial:
            partial.write_text(content, encoding="utf-8")
    return folder / "report.html"


def _about(summary: Mapping[str, Any]) -> About:
    given = f", and {', '.join(summary['clips'])}" if summary["clips"] else ""
    *_, last = summary["runs"].values()
    return About(
        title="Evaluation of explanations",
        lead=(
            f"Whether explanations of the model {summary['model']['name']} are stable, faithful and true. Preset "
            f"{summary['preset']}, rendered clips{given}. "
            "Brackets are 95 % intervals over songs, of which a composed clip is one."
        ),
        made=f"Finished on {last['made']}. Rendered clips come from instruments that no training corpus has.",
        command=last["command"],
        details={key: summary[key.lower()] for key in ("Runs", "Settings", "Versions", "Model", "Music")},
        files=FILES,
        warnings=tuple(f"{name}: {why}" for name, why in summary["left_out"].items()),
    )
