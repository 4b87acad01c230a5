"""The table of the cost of explainability as CSV, Markdown and a plot, beside the published one."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emomod import markdown
from emomod.datasets.splits import PROTOCOLS
from emomod.figures import WIDTH, png_bytes
from emomod.labels import EMOTION_NAMES
from emomod.output import whole_file, write_csv
from emomod.training.cost_of_explainability import MODELS, PUBLISHED, TWO_LEVELS, CostTable

COLUMNS = (*EMOTION_NAMES, "mean")
SHADES = {"mid2e": "#dedede", "a2e": "#5c5c5c", "a2mid2e": "#b8b8b8", "a2mid2e-joint": "#8c8c8c"}
RENDERED_NOTE = (
    "The emotions of a rendered corpus are a linear function of its mid-level labels by construction. So Mid2E is "
    "exact here, and the cost tests the machinery: it says nothing about what listeners hear."
)


def write_table(table: CostTable, out: str | Path) -> None:
    """Write table.csv (a row a model, split and emotion), table.md and table.png into ``out``, each whole or not."""
    folder = Path(out)
    with whole_file(folder / "table.csv") as partial:
        write_csv(partial, table_rows(table))
    with whole_file(folder / "table.md") as partial:
        partial.write_text(table_text(table))
    with whole_file(folder / "table.png") as partial:
        partial.write_bytes(png_bytes(draw_table(table)))


def table_rows(table: CostTable) -> list[dict[str, Any]]:
    """Rows of variant, split (from 0), emotion and r."""
    return [
        {"variant": model, "split": split, "emotion": emotion, "r": float(r)}
        for model, by_split in zip(MODELS, table.r, strict=True)
        for split, row in enumerate(by_split)
        for emotion, r in zip(EMOTION_NAMES, row, strict=True)
    ]


def table_text(table: CostTable) -> str:
    """The table as Markdown: mean and standard deviation over splits, then the published values."""
    n_splits = table.r.shape[1]
    rows = [[name, *_cells(r)] for name, r in zip(MODELS.values(), table.with_mean(), strict=True)]
    rows += [[f"CoE of {MODELS[model]}", *_cells(table.cost(model), sign="+")] for model in TWO_LEVELS]
    published = [[MODELS[model], *(f"{value:.2f}" for value in values)] for model, values in PUBLISHED.items()]
    published += [
        [f"CoE of {MODELS[model]}", *(f"{value:+.2f}" for value in _published_cost(model))] for model in TWO_LEVELS
    ]
    over = f"mean ± standard deviation over {n_splits} splits" if n_splits > 1 else "one split"
    what = f"Pearson r of each emotion on test clips: {over}."
    cost = "CoE is r of A2E less that of the two-level model: above 0, explanations cost accuracy."
    sections = [
        "# Cost of explainability",
        f"{what} {cost}\n\nSplits (`{table.split}`): {PROTOCOLS[table.split]}.",
        markdown.table(["model", *COLUMNS], rows),
        *([RENDERED_NOTE] if table.rendered else []),
        "## Published (Soundtracks, ISMIR 2019)",
        f"A figure above compares with these only where data and splits are alike: its splits are `{table.split}`.",
        markdown.table(["model", *COLUMNS], published),
    ]
    return "\n\n".join(sections) + "\n"


def _cells(r: NDArray[np.float64], *, sign: str = "") -> list[str]:
    """Mean and standard deviation over the splits of r [n_splits, 9], as text."""
    means, spreads = _over_splits(r)
    cells = []
    for mean, spread in zip(means, spreads, strict=True):
        text = f"{round(mean, 2) + 0.0:{sign}.2f}" if np.isfinite(mean) else "–"
        cells.append(f"{text} ± {spread:.2f}" if np.isfinite(spread) else text)
    return cells


def _over_splits(r: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (n - 1) over the splits of r [n_splits, 9]; NaN for the latter of one split."""
    spread = r.std(axis=0, ddof=1) if len(r) > 1 else np.full(r.shape[1], np.nan)
    return r.mean(axis=0), spread


def _published_cost(model: str) -> NDArray[np.float64]:
    cost: NDArray[np.float64] = np.subtract(PUBLISHED["a2e"], PUBLISHED[model])
    return cost


def draw_table(table: CostTable) -> Figure:
    """Bars of r and of the cost for each emotion and the mean, with standard deviations; diamonds are published."""
    figure = Figure(figsize=(WIDTH, 6.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for place, (model, r) in enumerate(zip(MODELS, table.with_mean(), strict=True)):
        _bars(upper, r, np.array(PUBLISHED[model]), model=model, place=place - 1.5)
    for place, model in enumerate(TWO_LEVELS):
        _bars(lower, table.cost(model), _published_cost(model), model=model, place=place - 0.5)
    upper.set(ylabel="Pearson r")
    upper.axhline(0.0, color="black", linewidth=0.8)
    lower.set(ylabel="cost: r of A2E less this")
    lower.axhline(0.0, color="black", linewidth=0.8)
    lower.set_xticks(range(len(COLUMNS)), COLUMNS)
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
        axes.axvline(len(EMOTION_NAMES) - 0.5, color="#cccccc", linewidth=0.8)
        axes.tick_params(axis="x", length=0)
    upper.legend(ncols=5, fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _bars(
    axes: Axes, r: NDArray[np.float64], published: NDArray[np.float64], *, model: str, place: float, width: float = 0.2
) -> None:
    """One model's bars; r [n_splits, 9]."""
    means, spreads = _over_splits(r)
    x = np.arange(len(COLUMNS)) + place * width
    axes.bar(x, means, width * 0.92, color=SHADES[model], label=MODELS[model])
    if np.isfinite(spreads).any():
        axes.errorbar(x, means, spreads, fmt="none", ecolor="black", elinewidth=0.8, capsize=2)
    label = "published" if model == "mid2e" else None
    axes.scatter(
        x, published, s=14, marker="D", facecolor="white", edgecolor="black", linewidth=0.8, label=label, zorder=3
    )
