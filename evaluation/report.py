"""A page and Markdown tables of an evaluation, from its CSVs and its summary."""

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from emomod.errors import InputError
from emomod.labels import SCORE_NAMES, spoken
from emomod.report.content import flatten
from emomod.report.page import read_part, render_template
from emomod.report.pictures import write_figures
from emomod.report.words import number
from emomod.training.markdown import table
from evaluation.plots import draw_all
from evaluation.store import Rows

SUMMARY, TEMPLATE = "summary.json", "evaluation.html.j2"
FILES = ("summary.json", "*.csv", "report.md", "figures/")


@dataclass(frozen=True)
class Section:
    """A part of the report."""

    title: str
    text: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    plot: str = ""  # name of the figure that belongs to it


def told(estimate: Mapping[str, Any] | None, digits: int = 2) -> str:
    """An estimate with its interval, or a dash where there is none."""
    if estimate is None or estimate["value"] is None:
        return "–"
    value = number(estimate["value"], digits)
    if estimate["low"] is None or estimate["high"] is None:
        return value
    return f"{value} [{number(estimate['low'], digits)}, {number(estimate['high'], digits)}]"


def _known(names: Mapping[str, Any]) -> list[str]:
    return [name for name in SCORE_NAMES if name in names] or list(names)


# ---- sections --------------------------------------------------------------------------------------------------------


def _sweep(summary: Mapping[str, Any]) -> list[Section]:
    rows = tuple(
        (
            f"{spoken(row['target'])}, {row['side']}",
            str(row["n_clips"]),
            number(row["direction_rate"], 2),
            number(row["monotonicity"], 2),
            number(row["calibration"], 2),
            number(row["control_p_median"], 3),
            number(row["controls_beaten"], 2),
        )
        for row in summary["responses"]
    )
    text = (
        "Components that an explanation names were turned up and down; every version was written, read and scored. "
        f"The score moved the right way in {told(summary['direction_rate'])} of the versions beside which controls "
        f"stand; the median p-value among random changes is {number(summary['control_p'], 3)}. Calibration is the "
        "measured shift over the one that the surrogate predicts. Controls beaten: share of versions with p < .05."
    )
    header = ("target, side", "clips", "right way", "monotonicity", "calibration", "median p", "controls beaten")
    targets, scores = (list(dict.fromkeys(row[key] for row in summary["selectivity"])) for key in ("target", "score"))
    shifts = {(row["target"], row["score"]): row["shift"] for row in summary["selectivity"]}
    matrix = tuple((spoken(one), *(number(shifts[one, other], 2) for other in scores)) for one in targets)
    also = "Mean shift of every score (columns) when the positive components of a target (rows) are turned up by 6 dB."
    return [
        Section("Does the score follow the gain?", text, header, rows, "responses"),
        Section("What else moves", also, ("target", *map(spoken, scores)), matrix, "selectivity"),
    ]


def _truth(summary: Mapping[str, Any]) -> list[Section]:
    keys = ("truth_auc", "truth_energy_auc", "truth_random_auc", "truth_average_precision", "truth_pointing_game")
    rows = tuple((spoken(name), *(told(summary[key][name]) for key in keys)) for name in _known(summary["truth_auc"]))
    text = (
        "Clips with one planted change: how well the weights of the feature rank the cells that carry it. Beside the "
        "area under the ROC curve stand those of the components' energy and of random weights."
    )
    header = ("feature", "ROC area", "of energy", "of chance", "average precision", "pointing game")
    return [Section("Does it find what was planted?", text, header, rows, "truth")]


def _confounder(summary: Mapping[str, Any]) -> list[Section]:
    names, keys = ("confounded", "clean"), ("confounder_rate", "fooled", "loudest_rate", "fair_accuracy", "n_clips")
    found = {name: summary[f"confounder_{name}"] for name in names}
    rows = tuple((name, *(number(found[name][key], 2 if key != "n_clips" else 0) for key in keys)) for name in names)
    text = (
        "A classifier of guitars and pianos was trained on clips in which drums play with every guitar (confounded), "
        "and one on clips in which they play with either (clean). Clips are pianos with drums. Drums first: the top "
        "component of the explanation is one of the drums."
    )
    header = ("trained on", "drums first", "taken for a guitar", "drums loudest", "accuracy on fair clips", "clips")
    return [Section("Does it give a bad classifier away?", text, header, rows)]


def _fidelity(summary: Mapping[str, Any]) -> list[Section]:
    by_off = summary["neighbourhood_r2"]
    names = _known(next(iter(by_off.values())))
    rows = [(spoken(name), *(told(by_off[off][name]) for off in by_off)) for name in names]
    rows.append(("the 2019 notebook's R², at the clip alone", *(told(summary["clip_r2"][off]) for off in by_off)))
    text = (
        "R² of the surrogate on mixtures that its fit has not seen, drawn as those of the fit. The last row is another "
        "thing: over the targets at the unchanged clip, which says nothing about mixtures."
    )
    header = ("score", *(f"off: {off}" for off in by_off))
    return [Section("Does the surrogate fit?", text, header, tuple(rows), "fidelity")]


def _stability(summary: Mapping[str, Any]) -> list[Section]:
    names = ("stability_jaccard", "stability_jaccard_selected", "stability_relative_error")
    rows = tuple(
        (f"{off}, {design}", count, *(told(summary[name][off][design][count]) for name in names))
        for off, designs in summary["stability_jaccard"].items()
        for design, counts in designs.items()
        for count in counts
    )
    enough = "; ".join(
        f"{row['off']}, {row['design']}: {row['n_masks'] or 'none that was tried'}"
        for row in summary.get("smallest_counts", [])
    )
    text = (
        "The same clips explained again with other masks. Fewest masks at which the Jaccard index of the 30 largest "
        f"weights is .9 in the mean: {enough}. Error: of the weights, relative to a run with many more masks."
    )
    header = ("off, design", "masks", "Jaccard of the top 30", "Jaccard of the selected", "error")
    return [Section("Is it stable?", text, header, rows, "stability")]


def _inputs(summary: Mapping[str, Any]) -> list[Section]:
    rows = tuple((name, told(found)) for name, found in summary["inputs_jaccard"].items())
    text = "The explanation of the clip and that of the same clip after a small change of its sound."
    return [Section("Does it survive small changes of the sound?", text, ("change", "Jaccard of the top 30"), rows)]


def _faithfulness(summary: Mapping[str, Any]) -> list[Section]:
    by_metric = summary["faithfulness"]
    names = _known(next(iter(by_metric.values())))
    rows = tuple((spoken(name), *(told(found[name], 3) for found in by_metric.values())) for name in names)
    text = (
        "Deletion and insertion: area between the curves with most negative and with most positive components first, "
        "above 0 if the weights rank well. Lost shift: what the score loses with a side; above 0 is right for the "
        "positive, below 0 for the negative one."
    )
    header = ("score", *(name.replace("_", " ") for name in by_metric))
    return [Section("Is it faithful to the model?", text, header, rows)]


def _sanity(summary: Mapping[str, Any]) -> list[Section]:
    found = summary["sanity_spearman"]
    rows = tuple((name, told(found[name]), told(summary["sanity_survives"][name])) for name in found)
    text = (
        "Rank correlation with the explanation of a model whose weights were drawn anew, and of the model itself "
        "with other masks. An explanation that survives (correlation above half of that) does not depend on what was "
        "learned."
    )
    return [Section("Does it depend on the model?", text, ("model", "Spearman", "share that survives"), rows)]


SECTIONS: dict[str, tuple[str, Callable[[Mapping[str, Any]], list[Section]]]] = {
    "sweep": ("responses", _sweep),
    "truth": ("truth_auc", _truth),
    "confounder": ("confounder_rate", _confounder),
    "fidelity": ("neighbourhood_r2", _fidelity),
    "stability": ("stability_jaccard", _stability),
    "inputs": ("inputs_jaccard", _inputs),
    "faithfulness": ("faithfulness", _faithfulness),
    "sanity": ("sanity_spearman", _sanity),
}  # by the figure of the summary that they need, in the order of the report


def sections_of(summary: Mapping[str, Any]) -> list[Section]:
    """Every section that the summary has figures for."""
    return [section for key, make in SECTIONS.values() if key in summary for section in make(summary)]


# ---- files -----------------------------------------------------------------------------------------------------------


def read_results(folder: Path) -> tuple[dict[str, Any], Rows]:
    """The summary in a folder of results, and the rows of its sweep if there is one."""
    try:
        summary: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: holds no results of an evaluation that can be read ({error})") from None
    if not isinstance(summary, dict) or not (source := folder / "sweep.csv").is_file() or "responses" not in summary:
        return summary, []
    with source.open(newline="", encoding="utf-8") as file:
        numbers = ("gain_db", "shift")
        return summary, [{**row, **{key: float(row[key]) for key in numbers}} for row in csv.DictReader(file)]


def write_report(folder: Path, *, command: str) -> Path:
    """Write report.html, report.md and figures/ beside the results in ``folder``; return the page's path."""
    summary, sweep_rows = read_results(folder)
    sections = sections_of(summary)
    if not sections:
        raise InputError(f"{folder / SUMMARY}: has no figures to report")
    shutil.rmtree(folder / "figures", ignore_errors=True)
    pictures = write_figures(draw_all(summary, sweep_rows), folder / "figures")
    (folder / "report.md").write_text(markdown(summary, sections), encoding="utf-8")
    page = render_template(
        TEMPLATE,
        read=_read_template,
        **_content(summary, sections, pictures, command=command),
        style=Markup(read_part("report.css") + read_part("many.css")),
    )
    target = folder / "report.html"
    target.write_text(page, encoding="utf-8")
    return target


def _read_template(name: str) -> str:
    return files("evaluation").joinpath(name).read_text(encoding="utf-8") if name == TEMPLATE else read_part(name)


def _lead(summary: Mapping[str, Any]) -> str:
    clips = f"{len(summary['clips'])} given" if summary["clips"] else "rendered"
    return (
        f"Whether explanations of the model {summary['model']['name']} are stable, faithful and true; {clips} clips, "
        f"preset {summary['preset']}. Brackets are 95 % intervals over clips."
    )


def _content(
    summary: Mapping[str, Any], sections: Sequence[Section], pictures: Mapping[str, str], *, command: str
) -> dict[str, Any]:
    tables = {"Settings": summary["settings"], "Software": summary["versions"], "Model": summary["model"]}
    return {
        "title": "Evaluation of explanations",
        "lead": _lead(summary),
        "sections": [
            {
                "title": each.title,
                "text": each.text,
                "header": each.header,
                "rows": each.rows,
                "picture": pictures.get(each.plot),
            }
            for each in sections
        ],
        "made": f"Made on {summary['made']}. Rendered clips come from instruments that no training corpus has.",
        "card": {},
        "command": command,
        "details": [{"title": title, "rows": flatten(each)} for title, each in tables.items()],
        "files": FILES,
    }


def markdown(summary: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """The same tables as Markdown."""
    pieces = ["# Evaluation of explanations", _lead(summary), f"Made on {summary['made']}."]
    for each in sections:
        picture = [f"![{each.title}](figures/{each.plot}.png)"] if each.plot else []
        pieces += [f"## {each.title}", each.text, *picture, table(each.header, each.rows)]
    return "\n\n".join(pieces) + "\n"
