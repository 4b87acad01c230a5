"""The report of a study: one page, the same tables as Markdown and CSV, and a plot of listeners beside the model."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emomod.labels import spoken
from emomod.output import new_folder, to_json, write_csv
from emomod.provenance import package_versions
from emomod.report.pictures import write_figures
from emomod.report.sections import About, Section, markdown, render_sections
from emomod.report.words import number
from listening_study.analysis.exclusions import Rules
from listening_study.analysis.figures import figures_of
from listening_study.analysis.findings import Findings
from listening_study.analysis.plots import draw_versions
from listening_study.package import Study

FILES = ("analysis.json", "*.csv", "report.md", "figures/")
UNITS = {
    "pair": "-1..1: share of answers for the version less that for the original",
    "ccr": "-3..3 against the original",
    "scale": "steps of the scale from 1 to 9, less the original's",
    "sliders": "points of 100, less the original's",
}


def _agreement(found: Findings) -> list[Section]:
    told = tuple(
        (
            spoken(attribute),
            f"{each.n_listeners} x {each.n_items}",
            str(each.sign),
            str(each.rank),
            number(found.ceilings[attribute].ceiling, 2) if attribute in found.ceilings else "–",
            number(each.test.p_value, 4),
        )
        for attribute, each in found.agreements.items()
    )
    text = (
        "Sign: share of answers in the direction that the model predicts, ties half; .5 is chance. Rank: Spearman's "
        "correlation, over versions of items, of predicted shift and mean answer; its noise ceiling is what a perfect "
        "model would reach with these listeners. p: of no agreement at all, by exchanging predictions. Brackets are "
        "95 % intervals over other listeners and other music."
    )
    header = ("asked about", "listeners x items", "sign", "rank", "ceiling", "p")
    return [Section("Do listeners hear what the model predicts?", text, header, told), _slopes(found)]


def _slopes(found: Findings) -> Section:
    rows = []
    for attribute, each in found.agreements.items():
        model = each.model.effects["predicted"] if each.model else None
        crossed = "–" if model is None else f"{number(model.value, 2)} {_between(model.low, model.high)}"
        rows.append((spoken(attribute), str(each.slope), crossed))
    text = (
        "How far the answers move for a shift of the whole scale (1) of the model's score: by least squares with an "
        "interval over listeners and items, and by a crossed mixed model, whose interval is wide where items are few."
    )
    return Section("How far?", text, ("asked about", "slope", "slope, mixed model"), tuple(rows))


def _between(low: float, high: float) -> str:
    return f"[{number(low, 2)}, {number(high, 2)}]"


def _versions(found: Findings, trial_type: str) -> Section:
    rows = tuple(
        (each.condition, spoken(each.attribute), str(each.human), number(each.model, 3), str(each.n_answers))
        for each in found.versions
    )
    text = (
        f"Mean answer about each version ({UNITS[trial_type]}) beside the model's mean shift on the delivered files. A "
        "sham version has as much changed, in random places."
    )
    return Section(
        "Version by version", text, ("version", "asked about", "listeners", "model", "answers"), rows, "versions"
    )


def _preferences(found: Findings) -> list[Section]:
    rows = [
        (spoken(attribute), name, number(worth.value, 2), _between(worth.low, worth.high))
        for attribute, fit in found.preferences.items()
        for name, worth in zip(fit.conditions[1:], fit.worths[1:], strict=True)
    ]
    rows += [
        (
            spoken(attribute),
            "what comes second",
            number(fit.order.value, 2),
            _between(fit.order.low, fit.order.high),
        )
        for attribute, fit in found.preferences.items()
    ]
    text = (
        "Log worths against the original by the Bradley-Terry-Davidson model, with ties and an effect of the order; "
        "answers are taken as independent, so that the intervals speak of these listeners and this music."
    )
    return (
        [Section("Which version has more of it", text, ("asked about", "version", "log worth", "95 %"), tuple(rows))]
        if rows
        else []
    )


def _selectivity(found: Findings) -> list[Section]:
    matrix = found.selectivity
    if matrix is None:
        return []
    rows = tuple(
        (
            spoken(target),
            *(
                f"{number(matrix.human[row, column], 2)} [{number(matrix.human_low[row, column], 2)}, "
                f"{number(matrix.human_high[row, column], 2)}]; model {number(matrix.model[row, column], 3)}"
                for column in range(len(matrix.asked))
            ),
        )
        for row, target in enumerate(matrix.manipulated)
    )
    text = (
        "Rows were manipulated, columns asked about: mean answer the way of the manipulation, with its interval, and "
        "the model's shift. Off the diagonal is what else is heard to change."
    )
    return [Section("What else is heard to change", text, ("manipulated", *map(spoken, matrix.asked)), rows)]


def _detected(found: Findings) -> list[Section]:
    rows = tuple(
        (each.condition, str(each.right.share), str(each.d_prime), number(each.right.p_value, 4), str(each.right.n))
        for each in found.detected
    )
    text = "Share of right answers (.5 is chance), d' by the differencing model, and the exact binomial p-value."
    return (
        [Section("Can versions be told apart?", text, ("version", "right", "d'", "p", "answers"), rows)] if rows else []
    )


def _exclusions(found: Findings) -> Section:
    ledger = found.screened.ledger
    rows = tuple(
        (
            str(row["participant"]),
            row["rule"].replace("_", " "),
            number(row["figure"], 2),
            number(row["limit"], 2),
            "yes" if row["excluded"] else "no, not known",
        )
        for row in ledger.to_dict("records")
    )
    text = (
        f"{found.screened.n_participants} took part, {found.screened.n_excluded} were left out by rules that were "
        f"fixed beforehand; {found.screened.n_practice} practice answers are not analysed."
    )
    nobody = (("nobody", "–", "–", "–", "–"),)
    return Section("Who was left out", text, ("participant", "rule", "figure", "limit", "left out"), rows or nobody)


def sections_of(found: Findings, trial_type: str) -> list[Section]:
    """Every section that there are figures for."""
    shifts = [*_agreement(found), _versions(found, trial_type)] if found.versions else []
    return [*shifts, *_selectivity(found), *_preferences(found), *_detected(found), _exclusions(found)]


def write_analysis(
    out: str | Path, study: Study, found: Findings, *, rules: Rules, command: str, inputs: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """Write the report and its tables into the new folder ``out``, whole or not at all; return the figures."""
    figures = figures_of(found)
    about = About(
        title=f"Listening study: {study.plan.title}",
        lead=(
            f"{len(study.plan.items)} clips, {len(study.plan.conditions)} versions of each, trials of the type "
            f"{study.plan.trial_type}."
        ),
        made="Predictions are the model's, of the delivered files. Rules, plan and model are listed below.",
        command=command,
        details={
            "Rules": asdict(rules),
            "Plan": asdict(study.plan),
            "Model": study.record["model"],
            "Versions": package_versions(),
        },
        files=FILES,
        warnings=tuple(f"{name}: {why}" for name, why in found.unknown.items()),
        warnings_title="Not known",
    )
    sections = sections_of(found, study.plan.trial_type)
    with new_folder(out, inputs=inputs) as folder:
        pictures = write_figures({"versions": draw_versions(found)} if found.versions else {}, folder / "figures")
        (folder / "report.html").write_text(render_sections(about, sections, pictures=pictures), encoding="utf-8")
        (folder / "report.md").write_text(markdown(about, sections, drawn=tuple(pictures)), encoding="utf-8")
        (folder / "analysis.json").write_text(to_json(figures) + "\n", encoding="utf-8")
        for name in ("agreement", "versions", "ledger"):
            if figures[name]:
                write_csv(folder / f"{name}.csv", figures[name])
    return figures
