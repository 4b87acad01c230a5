"""Charts of effects: how they spread over clips, with single clips marked, and versions side by side.

Orange adds to an emotion, blue takes away, grey is the sum. Clips are marked by letters, so that a chart can be read
without colours; who is who stands beside it on the page.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from emomod.differences import SEEN
from emomod.effects import box_of
from emomod.figures import BLUE, GREY, ORANGE, WIDTH
from emomod.report.words import change

INK = "#1d1d1f"
BOX, LANE, GAP = 0.9, 0.56, 0.3  # heights of a box, of a marked clip's or version's line, and between rows
UNIT = 0.31  # inches
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 1.5, 0.15, 0.06, 0.5  # inches, the same for all emotions
ALL_SHOWN = 200  # clips up to which each has a dot; of more, only those beyond the whiskers


def _rows(n_rows: int, height: float) -> NDArray[np.float64]:
    """Tops of rows of equal ``height``, the last one apart; they count downwards."""
    tops = np.arange(n_rows, dtype=np.float64) * (height + GAP)
    tops[-1] += GAP
    return tops


def _figure(total: float) -> Figure:
    """A figure with room for rows of ``total`` height."""
    height = UNIT * (total + 0.4) + MARGIN_TOP + MARGIN_BOTTOM
    figure = Figure(figsize=(WIDTH, height))
    figure.subplots_adjust(
        left=MARGIN_LEFT / WIDTH,
        right=1 - MARGIN_RIGHT / WIDTH,
        top=1 - MARGIN_TOP / height,
        bottom=MARGIN_BOTTOM / height,
        wspace=0.1,
    )
    return figure


def _name_rows(axes: Axes, names: Sequence[str], middles: NDArray[np.float64]) -> None:
    axes.set_yticks(middles, names, fontsize=9.5)
    axes.get_yticklabels()[-1].set_fontweight("bold")


def _frame(axes: Axes, *, limits: tuple[float, float]) -> None:
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.axvline(0.0, color=INK, linewidth=0.8, zorder=1)
    axes.grid(axis="x", color="#ececef", linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlim(*limits)


def with_room(values: NDArray[np.floating], *, room: float = 0.1) -> tuple[float, float]:
    """Return the range of ``values`` and 0 with some ``room``, as a share of it, at both ends."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    margin = room * max(high - low, 1e-3)
    return low - margin, high + margin


def _box(axes: Axes, values: NDArray[np.floating], middle: float, *, is_sum: bool) -> None:
    """A box of ``values`` [n], and dots for clips."""
    box = box_of(values)
    colour = GREY if is_sum else ORANGE if box.median >= 0 else BLUE
    half = 0.36 * BOX
    axes.hlines(middle, box.whisker_low, box.whisker_high, color=INK, linewidth=1.1, zorder=2)
    for end in (box.whisker_low, box.whisker_high):
        axes.vlines(end, middle - half / 2, middle + half / 2, color=INK, linewidth=1.1, zorder=2)
    axes.barh(middle, box.length, left=box.quartile_low, height=2 * half, color=colour, edgecolor=INK, zorder=3, lw=0.8)
    beyond = (values < box.whisker_low) | (values > box.whisker_high)
    dots = values if values.size <= ALL_SHOWN else values[beyond]
    axes.scatter(dots, np.full(dots.size, middle), s=9, color=INK, alpha=0.5, linewidths=0, zorder=4)
    axes.vlines(box.median, middle - half, middle + half, color=INK, linewidth=2.4, zorder=5)


def _mark(axes: Axes, value: float, middle: float, letter: str) -> None:
    """A letter in a disc at ``value``, and the value beside it."""
    axes.hlines(middle, 0.0, value, color="#c9c9ce", linewidth=0.8, zorder=1)
    axes.scatter([value], [middle], s=80, color=INK, zorder=6)
    axes.text(value, middle, letter, color="white", fontsize=6.5, ha="center", va="center_baseline", zorder=7)
    _write(axes, change(value), (value, middle), right=1.0 if value >= 0 else -1.0, points=7)


def draw_effect_boxes(
    names: Sequence[str], values: NDArray[np.floating], *, marked: Mapping[str, int], limits: tuple[float, float]
) -> Figure:
    """Draw boxes of effects: values [n_clips, n_rows] by row, the last of which is their sum with the base.

    marked: index of a clip by its letter; each has a line of its own below the box, so that none hides another.
    limits: the axis from and to.
    """
    height = BOX + LANE * len(marked)
    tops = _rows(len(names), height)
    total = tops[-1] + height
    figure = _figure(total)
    axes = figure.subplots()
    _name_rows(axes, names, tops + BOX / 2)
    _frame(axes, limits=limits)
    for row, top in enumerate(tops.tolist()):
        _box(axes, values[:, row], top + BOX / 2, is_sum=row == len(names) - 1)
        for lane, (letter, clip) in enumerate(marked.items()):
            _mark(axes, float(values[clip, row]), top + BOX + LANE * (lane + 0.5), letter)
    axes.axhline(tops[-1] - GAP, color=INK, linewidth=0.6)
    axes.set_ylim(total + 0.2, -0.2)
    axes.set_xlabel("effect (the last row is the emotion: base and effects together)", fontsize=8.5)
    return figure


def _bars(axes: Axes, values: NDArray[np.floating], tops: NDArray[np.float64], labels: Sequence[str]) -> None:
    """Bars of values [n_lanes, n_rows], the last row grey; a lane's letter at the left, the value at the end."""
    for (lane, row), value in np.ndenumerate(values):
        middle = tops[row] + LANE * (lane + 0.5)
        colour = GREY if row == len(tops) - 1 else ORANGE if value >= 0 else BLUE
        axes.barh(middle, value, height=0.86 * LANE, color=colour, zorder=2)
        right = 1.0 if value > -SEEN else -1.0
        _write(axes, change(value), (value, middle), right=right, points=4)
        _write(axes, labels[lane], (axes.get_xlim()[0], middle), right=-1.0, points=5)


def _write(axes: Axes, words: str, place: tuple[float, float], *, right: float, points: float) -> None:
    """Write ``words`` some ``points`` to the right (1) or left (-1) of a place, also outside the axes."""
    axes.annotate(
        words,
        place,
        xytext=(right * points, 0),
        textcoords="offset points",
        fontsize=7.5,
        va="center",
        ha="left" if right > 0 else "right",
        annotation_clip=False,
    )


def draw_versions(
    names: Sequence[str],
    values: NDArray[np.floating],
    *,
    labels: Sequence[str],
    limits: tuple[tuple[float, float], tuple[float, float]],
) -> Figure:
    """Draw effects [n_versions, n_rows] side by side, and at the right how far each is from those of the first version.

    The last row is the sum of the others with the base; labels: a letter a version; limits: the ends of both axes.
    """
    height = LANE * len(labels)
    tops = _rows(len(names), height)
    figure = _figure(tops[-1] + height)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    panels = ((left, values, labels, limits[0]), (right, values[1:] - values[0], labels[1:], limits[1]))
    for axes, shown, letters, ends in panels:
        _frame(axes, limits=ends)
        _bars(axes, shown, tops + (height - LANE * len(letters)) / 2, letters)
        axes.axhline(tops[-1] - GAP, color=INK, linewidth=0.6)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    _name_rows(left, names, tops + height / 2)
    left.tick_params(axis="y", pad=14)
    left.set_ylim(tops[-1] + height + 0.2, -0.2)
    left.set_xlabel("effect (with the base the effects sum to the grey row)", fontsize=8.5)
    right.set_xlabel(f"difference to {labels[0]}", fontsize=8.5)
    return figure
