"""What the versions of a batch did, target by target, from the store of ``emomod batch``: nothing is computed again.

A window counts as right when its version moved the target as its name says, enhanced up and weakened down. Windows of
one file are drawn together for intervals.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emomod.batch.clips_table import read_clips_table
from emomod.batch.store import read_record
from emomod.batch.tables import read_rows
from emomod.errors import InputError
from emomod.labels import spoken
from emomod.output import check_output, new_folder, to_json, write_csv
from emomod.report.sections import About, Section, markdown, render_sections
from emomod.rescoring import CONTROL_KINDS
from emomod.result import DIRECTIONS
from evaluation.report import SUMMARY
from evaluation.sections import told
from evaluation.store import Rows
from evaluation.summary import mean_with_interval

FIGURES = ("right", "shift", "moves_most", *(f"beats_{kind}" for kind in CONTROL_KINDS), "surrogate_r2")
DIGITS = {"shift": 3}


def rows_of_store(store: str | Path) -> Rows:
    """A row for each window, target and version; InputError where there is no store, or nothing in it."""
    read_record(Path(store))
    try:
        found = [
            {
                "clip": run["path"],
                "song": run["clip_sha256"],
                "start": run["start"],
                "target": run["target"],
                "version": version,
                "gain_db": run["gain_db"],
                "before": run["before"],
                "shift": run[f"shift_{version}"],
                "right": run[f"shift_{version}"] * direction > 0,
                "moves_most": run[f"moved_further_{version}"] == 0,
                **{f"beats_{kind}": run[f"share_beaten_{kind}_{version}"] for kind in CONTROL_KINDS},
                "surrogate_r2": run["surrogate_r2"],
            }
            for run in read_rows(store, "runs")
            for version, direction in DIRECTIONS.items()
        ]
    except TypeError:
        raise InputError(f"{store}: its tables lack figures, which no run leaves out; make the store anew") from None
    if not found:
        raise InputError(f"{store}: holds no finished window; see `emomod store verify {store}`")
    return sorted(found, key=lambda row: (str(row["target"]), str(row["clip"]), row["start"] or 0.0, row["version"]))


def summarise_batch(rows: Rows) -> dict[str, dict[str, dict[str, Any]]]:
    """Means with 95 % intervals over files, by target and version."""
    groups: dict[tuple[str, str], Rows] = {}
    for row in rows:
        groups.setdefault((row["target"], row["version"]), []).append(row)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (target, version), mine in groups.items():
        figures = {name: mean_with_interval(mine, name) for name in FIGURES}
        found.setdefault(target, {})[version] = {"n_windows": len(mine), **figures}
    return found


def evaluate_store(store: str | Path, out: str | Path, *, command: str) -> dict[str, Any]:
    """Write batch.csv, summary.json, report.md and report.html into the folder ``out``; return the summary."""
    check_output(out, inputs=[store])
    rows, record = rows_of_store(store), read_record(Path(store))
    summary: dict[str, Any] = {
        "batch": summarise_batch(rows),
        "n_windows": len({(row["clip"], row["start"]) for row in rows}),
        "n_files": len({row["song"] for row in rows}),
        "left_out": left_out(Path(store)),
        "command": command,
        **{name: dict(record.get(name) or {}) for name in ("recipe", "model", "versions")},
    }
    about, sections = _about(summary), [_section(summary["batch"])]
    with new_folder(out, inputs=[store]) as folder:
        write_csv(folder / "batch.csv", rows)
        (folder / SUMMARY).write_text(to_json(summary) + "\n", encoding="utf-8")
        (folder / "report.md").write_text(markdown(about, sections), encoding="utf-8")
        (folder / "report.html").write_text(render_sections(about, sections, pictures={}), encoding="utf-8")
    return summary


def left_out(store: Path) -> list[str]:
    """What the figures lack: windows that failed, or a run that has not ended."""
    clips = read_clips_table(store)
    if clips is None:
        return ["the last run of the batch has not ended: its other windows are not among these"]
    failed = sum(row["state"] != "done" for row in clips)
    return [f"{failed} windows or clips of the batch failed, and are not among these"] if failed else []


def _section(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Section:
    rows = tuple(
        (
            f"{spoken(target)}, {version}",
            str(figures["n_windows"]),
            *(told(figures[name], DIGITS.get(name, 2)) for name in FIGURES),
        )
        for target, versions in found.items()
        for version, figures in versions.items()
    )
    text = (
        "Every version was written, read and scored. Right way: the share of windows whose target moved as the version "
        "says. Moves most: no other score moved as far. Beats random changes: the share of random changes of the same "
        "number of components, or of the same energy, that moved the target less. R2 is the surrogate's, on mixtures "
        "that its fit has not seen."
    )
    header = ("target, version", "windows", "right way", "shift", "moves most", "beats count", "beats energy", "R2")
    return Section("Did the versions do what their names say?", text, header, rows)


def _about(summary: Mapping[str, Any]) -> About:
    return About(
        title="Evaluation of a batch",
        lead=(
            f"{summary['n_windows']} windows of {summary['n_files']} files, changed by the model "
            f"{summary['model']['name']}. Brackets are 95 % intervals over files."
        ),
        made="Read from the tables of the store.",
        command=summary["command"],
        details={"Recipe": summary["recipe"], "Model": summary["model"], "Versions": summary["versions"]},
        files=("batch.csv", "summary.json", "report.md"),
        warnings=tuple(summary["left_out"]),
    )
