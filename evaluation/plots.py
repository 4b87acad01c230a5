"""The plots of an evaluation, as a paper would print them; intervals are those of the summary."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emomod.figures import BLUE, DIVERGING, GREY, ORANGE, WIDTH
from emomod.labels import MIDLEVEL_NAMES, spoken

Summary = Mapping[str, Any]
DESIGN_STYLES = {"iid": (GREY, "o"), "paired": (BLUE, "s"), "hadamard": (ORANGE, "^")}
INK, AMBER = "#1d1d1f", "#f2c14e"
NOTHING = {"value": None, "low": None, "high": None}


def _tidy(axes: Axes) -> None:
    axes.grid(color="#ececef", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _ends(estimate: Mapping[str, Any]) -> tuple[float, float]:
    """How far an interval reaches below and above its value; 0 where there is none."""
    value = estimate["value"]
    if value is None:
        return 0.0, 0.0
    low, high = (value if estimate[end] is None else estimate[end] for end in ("low", "high"))
    return abs(value - low), abs(high - value)


def draw_stability(summary: Summary) -> Figure:
    """Jaccard index of the 30 largest weights of two runs, by the number of masks."""
    by_off = summary["stability_jaccard"]
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    for axes, (off, designs) in zip(
        np.atleast_1d(figure.subplots(1, len(by_off), sharey=True)), by_off.items(), strict=True
    ):
        for design, by_count in designs.items():
            colour, marker = DESIGN_STYLES[design]
            counts, values = [int(count) for count in by_count], [each["value"] for each in by_count.values()]
            spread = np.array([_ends(each) for each in by_count.values()]).T
            axes.errorbar(counts, values, spread, color=colour, marker=marker, label=design, capsize=2, markersize=4)
        axes.set_xscale("log", base=2)
        axes.set_title(f"off: {off}", fontsize=9, loc="left")
        axes.set_xlabel("masks", fontsize=9)
        _tidy(axes)
    figure.axes[0].set_ylabel("Jaccard of the top 30", fontsize=9)
    figure.axes[0].set_ylim(0, 1)
    figure.axes[0].legend(fontsize=8, frameon=False)
    return figure


def _bars(groups: Mapping[str, Mapping[str, Mapping[str, Any]]], colours: Sequence[str], *, label: str) -> Figure:
    """Bars of estimates side by side: ``groups`` by what a bar means, then by what stands on the axis."""
    names = list(next(iter(groups.values())))
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes, width = figure.subplots(), 0.8 / len(groups)
    for place, ((told, estimates), colour) in enumerate(zip(groups.items(), colours, strict=True)):
        at = np.arange(len(names)) + (place - (len(groups) - 1) / 2) * width
        known = [estimates[name] for name in names]
        spread = np.array([_ends(each) for each in known]).T
        heights = [np.nan if each["value"] is None else each["value"] for each in known]
        axes.bar(at, heights, 0.9 * width, yerr=spread, color=colour, label=told, capsize=2)
    axes.set_xticks(range(len(names)), [spoken(name) for name in names], fontsize=8, rotation=30, ha="right")
    axes.set_ylabel(label, fontsize=9)
    _tidy(axes)
    axes.grid(axis="x", visible=False)
    axes.margins(x=0.01)
    axes.legend(
        fontsize=8, frameon=False, ncols=len(groups), loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2
    )
    return figure


def draw_fidelity(summary: Summary) -> Figure:
    """R2 at the distribution of the fit, by meaning of off and score."""
    by_off = summary["neighbourhood_r2"]
    return _bars(
        {f"off: {off}": found for off, found in by_off.items()}, (GREY, BLUE, ORANGE)[: len(by_off)], label="R²"
    )


def draw_truth(summary: Summary) -> Figure:
    """Area under the ROC curve of what is known to carry a feature, by question."""
    questions = summary["truth"]
    groups = {question: found["auc"] for question, found in questions.items()}
    names = list(summary["truth_auc"])
    groups = {question: {name: found.get(name, NOTHING) for name in names} for question, found in groups.items()}
    figure = _bars(groups, (ORANGE, BLUE, GREY, INK, AMBER)[: len(groups)], label="ROC area")
    figure.axes[0].axhline(0.5, color=INK, linewidth=0.8)
    figure.axes[0].set_ylim(0, 1)
    return figure


def draw_responses(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Mean shift by gain of every mid-level score, with the middle half of the clips, for both sides."""
    targets = [name for name in MIDLEVEL_NAMES if any(row["target"] == name for row in rows)]
    targets = targets or list(dict.fromkeys(row["target"] for row in rows))
    n_columns = min(4, len(targets))
    n_rows = -(-len(targets) // n_columns)
    figure = Figure(figsize=(WIDTH, 2.1 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, target in zip(panels, targets, strict=False):
        for side, colour in (("positive", ORANGE), ("negative", BLUE)):
            mine = [row for row in rows if row["target"] == target and row["side"] == side]
            gains = sorted({row["gain_db"] for row in mine})
            shifts = [[row["shift"] for row in mine if row["gain_db"] == gain_db] for gain_db in gains]
            if not gains:
                continue
            quartiles = np.array([np.percentile(values, (25, 75)) for values in shifts]).T
            axes.fill_between(gains, *quartiles, color=colour, alpha=0.2, linewidth=0)
            axes.plot(gains, [np.mean(values) for values in shifts], color=colour, marker=".", label=side)
        axes.axhline(0.0, color=INK, linewidth=0.8)
        axes.set_title(spoken(target), fontsize=9, loc="left")
        _tidy(axes)
    for axes in panels[max(len(targets) - n_columns, 0) : len(targets)]:  # nothing is below
        axes.tick_params(labelbottom=True)
    for axes in panels[len(targets) :]:
        axes.set_visible(False)
    panels[0].legend(fontsize=8, frameon=False)
    figure.supxlabel("gain of the components (dB)", fontsize=9)
    figure.supylabel("shift of the score", fontsize=9)
    return figure


def draw_selectivity(summary: Summary) -> Figure:
    """What else moves: mean shift of every score (columns) for each target (rows), positive components up by 6 dB."""
    rows = summary["selectivity"]
    targets, scores = (list(dict.fromkeys(row[key] for row in rows)) for key in ("target", "score"))
    values = np.array([row["shift"]["value"] for row in rows]).reshape(len(targets), len(scores))
    figure = Figure(figsize=(WIDTH, 0.32 * len(targets) + 1.2), layout="constrained")
    axes = figure.subplots()
    largest = max(float(np.abs(values).max()), 1e-9)
    _table(axes, values, rows=targets, columns=scores, scale=Normalize(-largest, largest), form="{:+.2f}")
    axes.set_ylabel("target", fontsize=9)
    return figure


def _table(
    axes: Axes, values: NDArray[np.float64], *, rows: Sequence[str], columns: Sequence[str], scale: Normalize, form: str
) -> None:
    """Values [n_rows, n_columns] as coloured cells with their numbers; NaN stays white."""
    axes.imshow(values, cmap=DIVERGING, norm=scale, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        told = "" if np.isnan(value) else form.format(value).replace("-", "−")
        axes.text(column, row, told, ha="center", va="center", fontsize=6.5)
    axes.set_xticks(range(len(columns)), [spoken(name) for name in columns], fontsize=8, rotation=40, ha="right")
    axes.set_yticks(range(len(rows)), [spoken(name) for name in rows], fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _value(estimate: Mapping[str, Any] | None) -> float:
    return float("nan") if estimate is None or estimate["value"] is None else float(estimate["value"])


def draw_methods(summary: Summary) -> Figure:
    """Rank correlation of the weights of every two methods, a panel for each kind of components."""
    by_kind = summary["methods"]
    n_columns = min(2, len(by_kind))
    n_rows = -(-len(by_kind) // n_columns)
    figure = Figure(figsize=(WIDTH, 2.9 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, (kind, by_method) in zip(panels, by_kind.items(), strict=False):
        names = list(by_method)
        values = np.array([[_value(by_method[one].get(f"spearman_{other}")) for other in names] for one in names])
        _table(axes, values, rows=names, columns=names, scale=Normalize(-1.0, 1.0), form="{:.2f}")
        axes.set_title(kind, fontsize=9, loc="left")
    for axes in panels[len(by_kind) :]:
        axes.set_visible(False)
    return figure


def draw_kinds(summary: Summary) -> Figure:
    """Area under the ROC curve of carriers, and how often the drums are found, by components and method."""
    by_kind = summary["kinds"]
    names = list(dict.fromkeys(method for by_method in by_kind.values() for method in by_method))
    figure = Figure(figsize=(WIDTH, 0.3 * len(by_kind) + 1.6), layout="constrained")
    shown = {"roc_auc": "area under the ROC curve of carriers", "found": "drums found, share of bad clips"}
    for axes, (column, title) in zip(figure.subplots(1, 2, sharey=True), shown.items(), strict=True):
        values = np.array(
            [[_value(by_method.get(name, {}).get(column)) for name in names] for by_method in by_kind.values()]
        )
        _table(axes, values, rows=list(by_kind), columns=names, scale=Normalize(0.0, 1.0), form="{:.2f}")
        axes.set_title(title, fontsize=9, loc="left")
    return figure


def draw_all(summary: Summary, sweep_rows: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Every plot that the summary has figures for, by name."""
    drawers: dict[str, tuple[str, Callable[[Summary], Figure]]] = {
        "stability": ("stability_jaccard", draw_stability),
        "fidelity": ("neighbourhood_r2", draw_fidelity),
        "truth": ("truth_auc", draw_truth),
        "selectivity": ("selectivity", draw_selectivity),
        "methods": ("methods", draw_methods),
        "kinds": ("kinds", draw_kinds),
    }
    found = {name: draw(summary) for name, (key, draw) in drawers.items() if summary.get(key)}
    return found | ({"responses": draw_responses(sweep_rows)} if sweep_rows else {})
