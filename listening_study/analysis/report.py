"""The report of a study: one page, the same tables as Markdown and CSV, and a plot of listeners beside the model."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emomod.audio import file_sha256
from emomod.bootstrap import Estimate
from emomod.labels import spoken
from emomod.output import new_folder, to_json, write_csv
from emomod.provenance import package_version, package_versions
from emomod.report.pictures import write_figures
from emomod.report.sections import About, Section, markdown, render_sections
from emomod.report.words import number
from listening_study.analysis.exclusions import SAID
from listening_study.analysis.figures import figures_of
from listening_study.analysis.findings import Findings
from listening_study.analysis.mixed import Effect
from listening_study.analysis.plots import draw_versions
from listening_study.package import Study
from listening_study.plan import told_of

TABLES = ("agreement", "versions", "preferences", "selectivity", "detected", "ledger", "listeners")
FILES = ("analysis.json", "*.csv", "report.md", "figures/")
UNITS = {
    "pair": "-1..1: share of answers for the version less that for the original",
    "ccr": "-3..3 against the original",
    "scale": "steps of the scale from 1 to 9, less the original's",
    "sliders": "points of 100, less the original's",
}


def _agreement(found: Findings) -> Section:
    rows = tuple(
        (
            spoken(attribute),
            f"{each.agreement.n_listeners} x {each.agreement.n_items}",
            str(each.agreement.sign),
            str(each.agreement.correlation),
            "–" if each.split_half is None else number(each.split_half.ceiling, 2),
            "–" if each.agreement.test is None else number(each.agreement.test.p_value, 4),
        )
        for attribute, each in found.attributes.items()
    )
    text = (
        "Sign: share of answers in the direction that the model predicts, ties half; .5 is chance. Correlation: "
        "Pearson's, over versions of items, of predicted shift and mean answer; the ceiling is what a perfect model "
        "would reach on average with these listeners, and where they are few, both are rough. p: of no agreement at "
        "all, by exchanging predictions (or turning them round, with one version an item). Sham versions do not count "
        "here. Brackets are 95 % intervals over other listeners and other music; of one "
        "listener, or one clip, there are none."
    )
    header = ("asked about", "listeners x items", "sign", "correlation", "ceiling", "p")
    return Section("Do listeners hear what the model predicts?", text, header, rows)


def _slopes(found: Findings) -> Section:
    rows = []
    for attribute, each in found.attributes.items():
        model = each.agreement.model
        rows.append(
            (spoken(attribute), str(each.agreement.slope), _told(None if model is None else model.effects["predicted"]))
        )
    text = (
        "How far the answers move for a shift of the whole scale (1) of the model's score: by least squares with an "
        "interval over listeners and items, and by a crossed mixed model, whose interval is wide where items are few."
    )
    return Section("How far?", text, ("asked about", "slope", "slope, mixed model"), tuple(rows))


def _listeners(found: Findings) -> Section:
    rows = []
    for attribute, each in found.attributes.items():
        listener, one = each.model_as_listener, each.leave_one_out
        bounds = "–" if one is None else f"{number(one.lower, 2)} to {number(one.upper, 2)}"
        pair = (None, None) if listener is None else (listener.listeners, listener.model)
        rows.append((spoken(attribute), *map(_told, (each.alpha, each.icc, *pair)), bounds))
    text = (
        "Krippendorff's alpha and ICC(2,1) of the answers (1 agreement, 0 chance; the ICC of versions that all heard); "
        "mean correlation of a listener with another, and of the model with a listener; last, of a listener with the "
        "mean of the others and with that of all, between which one listener's ceiling lies."
    )
    header = ("asked about", "alpha", "ICC", "listeners", "model", "one and all")
    return Section("How far do listeners agree with each other?", text, header, tuple(rows))


def _told(figure: Effect | Estimate | None) -> str:
    """A figure with its interval, or a dash."""
    return "–" if figure is None else str(Estimate(figure.value, figure.low, figure.high))


def _versions(found: Findings, trial_type: str) -> Section:
    asked = any(each.confidence is not None for each in found.versions)
    rows = tuple(
        (
            each.condition,
            spoken(each.attribute),
            str(each.human),
            f"{each.model:.3f}",
            *(["–" if each.confidence is None else number(each.confidence, 1)] if asked else []),
            str(each.n_answers),
        )
        for each in found.versions
    )
    text = (
        f"Mean answer about each version ({UNITS[trial_type]}) beside the model's mean shift on the delivered files. A "
        f"sham version has as much changed, in random places.{' Sure: 1 guessing, 5 certain.' if asked else ''}"
    )
    header = ("version", "asked about", "listeners", "model", *(["sure"] if asked else []), "answers")
    return Section("Version by version", text, header, rows, "versions")


def _preferences(found: Findings) -> list[Section]:
    rows = [
        (spoken(attribute), name, _told(worth))
        for attribute, each in found.attributes.items()
        if each.preference
        for name, worth in [
            *zip(each.preference.conditions[1:], each.preference.worths[1:], strict=True),
            ("what comes second", each.preference.order),
        ]
    ]
    text = (
        "Log worths against the original by the Bradley-Terry-Davidson model, with ties and an effect of the order; "
        "answers are taken as independent, so that the intervals speak of these listeners and this music."
    )
    header = ("asked about", "version", "log worth")
    return [Section("Which version has more of it", text, header, tuple(rows))] if rows else []


def _selectivity(found: Findings) -> list[Section]:
    matrix = found.selectivity
    if matrix is None:
        return []
    rows = tuple(
        (
            spoken(target),
            *(
                f"{matrix.human[row, column]:.2f} [{matrix.human_low[row, column]:.2f}, "
                f"{matrix.human_high[row, column]:.2f}]; model {matrix.model[row, column]:.3f}"
                for column in range(len(matrix.asked))
            ),
        )
        for row, target in enumerate(matrix.manipulated)
    )
    text = (
        "Rows were manipulated, columns asked about: mean answer the way of the manipulation, with its interval, and "
        "the model's shift. Off the diagonal is what else is heard to change; selectivity.csv also has whether that is "
        f"less than {matrix.margin:g} (two one-sided tests), and whether listeners and model differ."
    )
    return [Section("What else is heard to change", text, ("manipulated", *map(spoken, matrix.asked)), rows)]


def _detected(found: Findings) -> list[Section]:
    rows = tuple(
        (each.condition, str(each.right.share), str(each.d_prime), number(each.right.p_value, 4), str(each.right.n))
        for each in found.detected
    )
    text = (
        "Share of right answers (.5 is chance), d' by the differencing model, and the exact binomial p-value; answers "
        "are taken as independent, so that all speak of these listeners and this music."
    )
    header = ("version", "right", "d'", "p", "answers")
    return [Section("Can versions be told apart?", text, header, rows)] if rows else []


def _exclusions(found: Findings) -> Section:
    rows = tuple(
        (
            str(row["participant"]),
            SAID[row["rule"]],
            f"{row['figure']:.2f}" if row["figure"] == row["figure"] else "not known",
            f"{row['limit']:.2f}",
            "yes" if row["excluded"] else "no",
        )
        for row in found.screened.ledger.to_dict("records")
    )
    applied = {name: getattr(found.rules, name) for name in SAID if getattr(found.rules, name)}
    told = ", ".join(f"{SAID[name]} {float(limit):g}" for name, limit in applied.items()) or "none"
    text = (
        f"{found.screened.n_participants} took part, {found.screened.n_excluded} were left out. Rules (at least): "
        f"{told}. Practice answers, {found.screened.n_practice} of them, are not analysed.{_repeats(found)}"
    )
    nobody = (("nobody", "–", "–", "–", "–"),)
    return Section("Who was left out", text, ("participant", "rule", "figure", "limit", "left out"), rows or nobody)


def _unknown(found: Findings) -> tuple[str, ...]:
    """What is not known, by the reason."""
    by_reason: dict[str, list[str]] = {}
    for name, why in found.unknown.items():
        by_reason.setdefault(why, []).append(name)
    return tuple(f"{', '.join(names)}: {why}" for why, names in by_reason.items())


def _repeats(found: Findings) -> str:
    """How well the trials that came twice were answered alike."""
    shares = found.screened.listeners["repeat_share"].dropna()
    if not len(shares):
        return ""
    return (
        f" Trials that came twice were answered alike (within {found.rules.repeat_tolerance:g} step of a scale) in "
        f"{100 * shares.mean():.0f} % of cases, mean over all {len(shares)} who had any; listeners.csv has everyone's "
        "figures."
    )


def sections_of(found: Findings, trial_type: str) -> list[Section]:
    """Every section that there are figures for."""
    if not found.versions:
        return [*_detected(found), _exclusions(found)]
    judged = [_agreement(found), _slopes(found), _versions(found, trial_type), _listeners(found)]
    return [*judged, *_selectivity(found), *_preferences(found), _exclusions(found)]


def write_analysis(
    out: str | Path, study: Study, found: Findings, *, seed: int, command: str, inputs: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """Write the report and its tables into the new folder ``out``, whole or not at all; return the figures.

    ``seed`` is that of the analysis, and ``inputs`` the files of answers: both are told in the report.
    """
    figures = figures_of(found)
    about = About(
        title=study.plan.title,
        lead=(
            f"Clips: {len(study.plan.items)}; versions of each beside the original: {len(study.plan.conditions)}; "
            f"trials of the type {study.plan.trial_type}."
        ),
        made="Predictions are the model's, of the delivered files. Rules, plan and model are listed below.",
        command=command,
        details={
            "Rules": asdict(found.rules) | {"seed": seed},
            "Answers": {Path(path).name: file_sha256(path) for path in inputs},
            "Plan": told_of(study.plan),
            "Model": study.record["model"],
            "Versions": {**package_versions(), "pandas": package_version("pandas")},
        },
        files=FILES,
        warnings=_unknown(found),
        warnings_title="Not known",
    )
    sections = sections_of(found, study.plan.trial_type)
    with new_folder(out, inputs=[study.folder, *inputs]) as folder:
        pictures = write_figures({"versions": draw_versions(found)} if found.versions else {}, folder / "figures")
        (folder / "report.html").write_text(render_sections(about, sections, pictures=pictures), encoding="utf-8")
        (folder / "report.md").write_text(markdown(about, sections, drawn=tuple(pictures)), encoding="utf-8")
        (folder / "analysis.json").write_text(to_json(figures) + "\n", encoding="utf-8")
        for name in TABLES:
            if rows := figures[name]:
                write_csv(folder / f"{name}.csv", rows)
    return figures
