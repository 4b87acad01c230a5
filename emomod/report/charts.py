"""Charts of moved scores: how far each moved, and how far random changes moved the one that was meant."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from emomod.figures import BLUE, GREY, ORANGE, WIDTH
from emomod.labels import MIDLEVEL_NAMES, spoken

COLOURS = {"enhanced": ORANGE, "weakened": BLUE}
MAX_TICKS = 5  # under a panel of controls, so that labels do not run together


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _arrows(axes: Axes, shifts: Mapping[str, NDArray[np.floating]]) -> None:
    for offset, (version, values) in zip((-0.17, 0.17), shifts.items(), strict=True):
        rows = np.arange(values.size) + offset
        axes.hlines(rows, 0.0, values, color=COLOURS[version], linewidth=2.2)
        axes.scatter(values, rows, color=COLOURS[version], s=26, zorder=3, label=version)


def draw_shifts(
    names: Sequence[str], before: NDArray[np.floating], shifts: Mapping[str, NDArray[np.floating]], *, target: str
) -> Figure:
    """Draw how far each version moved each score: before [n_names], shifts [n_names] of "enhanced" and "weakened"."""
    figure = Figure(figsize=(WIDTH, 1.4 + 0.31 * len(names)), layout="constrained")
    axes = figure.subplots()
    _arrows(axes, shifts)
    rows = np.arange(len(names))
    axes.scatter(np.zeros(len(names)), rows, color=GREY, s=20, zorder=2, label="original")
    axes.axvline(0.0, color=GREY, linewidth=0.8, zorder=1)
    marked = names.index(target)
    axes.axhspan(marked - 0.5, marked + 0.5, color="#f0f0f0", zorder=0)
    n_midlevel = sum(name in MIDLEVEL_NAMES for name in names)
    if 0 < n_midlevel < len(names):
        axes.axhline(n_midlevel - 0.5, color="black", linewidth=0.6)
    axes.set_yticks(rows, [f"{spoken(name)}  {score:.2f}" for name, score in zip(names, before, strict=True)])
    axes.get_yticklabels()[marked].set_fontweight("bold")
    largest = 1.15 * max(*(float(np.abs(values).max()) for values in shifts.values()), 1e-3)
    axes.set(
        xlim=(-largest, largest),
        ylim=(len(names) - 0.4, -0.6),
        xlabel="change of the score (score of the original at the left)",
    )
    axes.set_title("How far each score moved", loc="left")
    axes.legend(
        frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1.0, 0.995), handletextpad=0.1, columnspacing=1.0
    )
    _plain(axes)
    return figure


def draw_controls(
    observed: Mapping[str, float],
    controls: Mapping[tuple[str, str], NDArray[np.floating]],
    *,
    target: str,
    kinds: Mapping[str, str],
) -> Figure:
    """Draw how far the score ``target`` moved (``observed``, by version) beside random changes.

    controls: shifts [n] by version and kind; kinds: what each kind of control is, in words.
    """
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    panels = figure.subplots(len(observed), len(kinds), sharex=True, sharey=True, squeeze=False)
    everything = np.concatenate([np.array(list(observed.values())), *controls.values(), np.zeros(1)])
    edges = np.linspace(everything.min(), everything.max() + 1e-9, 41)
    for (version, kind), axes in zip(((v, k) for v in observed for k in kinds), panels.ravel(), strict=True):
        axes.stairs(np.histogram(controls[version, kind], edges)[0], edges, fill=True, color=GREY)
        axes.axvline(observed[version], color=COLOURS[version], linewidth=2.5)
        axes.axvline(0.0, color="black", linewidth=0.6, linestyle=":")
        axes.xaxis.set_major_locator(MaxNLocator(MAX_TICKS - 1))  # it counts intervals
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(f"{version}, beside random {kinds[kind]}", fontsize=9, loc="left")
        _plain(axes)
    figure.suptitle(f"How far {spoken(target)} moved (line) and how far random changes moved it (grey)", fontsize=12)
    figure.supxlabel(f"change of {spoken(target)}", fontsize=9)
    figure.supylabel("number of random changes", fontsize=9)
    return figure
