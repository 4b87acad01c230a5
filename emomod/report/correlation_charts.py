"""Charts of correlations: among the mid-level features, and with the emotions beside the weights of the layer."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from emomod.correlations import Correlations
from emomod.figures import DIVERGING, WIDTH
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, spoken

DARK = 0.5  # luma (ITU-R BT.601) of a cell below which the writing in it is white
LUMA = (0.299, 0.587, 0.114)


def _heat(axes: Axes, values: NDArray[np.floating], *, largest: float, rows: Sequence[str]) -> None:
    """Cells [n_rows, 7] with their numbers; NaN is left white with a dash."""
    scale = Normalize(-largest, largest)
    axes.imshow(np.ma.masked_invalid(values), cmap=DIVERGING, norm=scale, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        words = f"{value:.2f}".replace("-", "−") if np.isfinite(value) else "–"
        is_dark = np.isfinite(value) and float(np.dot(DIVERGING(scale(value))[:3], LUMA)) < DARK
        colour = "white" if is_dark else "black"
        axes.text(column, row, words, ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(MIDLEVEL_NAMES)), [spoken(name) for name in MIDLEVEL_NAMES], fontsize=8.5, rotation=40)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right")
        label.set_rotation_mode("anchor")
    axes.set_yticks(range(len(rows)), [spoken(name) for name in rows], fontsize=8.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def draw_correlations_among(found: Correlations) -> Figure:
    """Draw the correlations among the features, each pair once."""
    figure = Figure(figsize=(0.72 * WIDTH, 4.2), layout="constrained")
    axes = figure.subplots()
    values = np.where(np.tri(len(MIDLEVEL_NAMES), k=-1, dtype=bool), found.among.r, np.nan)
    _heat(axes, values[1:, :-1], largest=1.0, rows=MIDLEVEL_NAMES[1:])
    for text in axes.texts:
        if text.get_text() == "–" and text.get_position()[0] > text.get_position()[1]:
            text.set_visible(False)  # the other half
    axes.set_xticks(range(len(MIDLEVEL_NAMES) - 1), [spoken(name) for name in MIDLEVEL_NAMES[:-1]])
    return figure


def draw_weights_beside_correlations(found: Correlations) -> Figure:
    """Draw the layer's weights, and beside them the correlations; cells whose signs differ clearly are framed."""
    figure = Figure(figsize=(WIDTH, 4.3), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _heat(left, found.weights, largest=max(float(np.abs(found.weights).max()), 1e-9), rows=EMOTION_NAMES)
    _heat(right, found.with_emotions.r, largest=1.0, rows=EMOTION_NAMES)
    left.set_title("weight in the layer", fontsize=10, loc="left")
    right.set_title("correlation in these clips", fontsize=10, loc="left")
    for emotion, feature in found.flips:
        corner = MIDLEVEL_NAMES.index(feature) - 0.47, EMOTION_NAMES.index(emotion) - 0.47
        for axes in (left, right):
            axes.add_patch(Rectangle(corner, 0.94, 0.94, fill=False, edgecolor="black", linewidth=1.8))
    return figure
