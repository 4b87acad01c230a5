"""Charts of a steered clip: what was turned up and down, who carried the shift, and what a shift costs.

Gains are dB, the size of a change is their root mean square over what is audible. Orange is up, blue is down, grey is
chance.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.figures import BLUE, GREY, ORANGE, WIDTH, draw_gains, draw_parts, draw_weight_maps
from emomod.labels import spoken
from emomod.report.pictures import player_strip, to_the_end
from emomod.steered import Steered
from emomod.steering.parts import audible_shares

MOST_OF_IT = 0.95  # of the change, which the pictures show; the rest is many small or hardly audible parts
MOST_SHOWN = 4  # scores with a picture of their own
ROOM = 0.03  # width of the cloud of random changes, as a share of the axis

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


def turned(steered: Steered) -> tuple[Indices, Indices]:
    """The components that were turned up, and those that were turned down: the fewest that make up most of the change.

    The change is the mean square gain over what is audible.
    """
    gains = steered.gains_db
    change = audible_shares(steered.explanation.where, steered.log_spectrogram.cpu().numpy()) * gains**2
    order = np.argsort(-change, kind="stable")
    before = np.cumsum(change[order]) - change[order]
    chosen = np.sort(order[before < MOST_OF_IT * change.sum()])
    return chosen[gains[chosen] > 0], chosen[gains[chosen] < 0]


def shown_names(steered: Steered) -> list[str]:
    """The scores that were asked for, or of many those that moved most, in their own order."""
    asked = list(steered.request.shifts)
    kept = sorted(asked, key=lambda name: -abs(steered.shift[steered.names.index(name)]))[:MOST_SHOWN]
    return [name for name in asked if name in kept]


def steer_figures(steered: Steered) -> dict[str, Figure]:
    """The figures of the page by name; "parts" is absent where nothing that sounds has a name."""
    seconds = _seconds(steered)
    log_spectrogram, where = to_the_end(steered.log_spectrogram, steered.explanation.where, seconds=seconds)
    up, down = turned(steered)
    names = shown_names(steered)
    shares = steered.shares[[steered.names.index(name) for name in names]]
    figures = {
        "gains": draw_gains(log_spectrogram, where, steered.gains_db, up=up, down=down, seconds=seconds),
        "shares": draw_weight_maps(where, shares, titles=[spoken(name) for name in names], label="share in the shift"),
        "cost": draw_cost(steered),
    }
    locations = steered.explanation.locations
    if len({location.part for location in locations}) > 1:
        figures["parts"] = draw_parts(
            locations,
            shares[0],
            name=names[0],
            seconds=seconds,
            label="share in the shift",
            title="Share of each part in the shift of {}, moment by moment",
        )
    return figures


def steer_strip(steered: Steered) -> dict[str, object]:
    """What the player of the page moves over."""
    seconds = _seconds(steered)
    pictures = to_the_end(steered.log_spectrogram, steered.explanation.where, seconds=seconds)
    alt = "Spectrogram; parts that were turned up in orange, parts that were turned down in blue"
    return player_strip(*pictures, steered.gains_db, sides=turned(steered), seconds=seconds, alt=alt)


def _seconds(steered: Steered) -> float:
    return steered.waveforms["original"].size / SAMPLE_RATE


def draw_cost(steered: Steered) -> Figure:
    """Draw the shift of each score that was asked for against the size of the change, and what else is as large."""
    names = shown_names(steered)
    n_columns = min(2, len(names))
    n_rows = -(-len(names) // n_columns)
    figure = Figure(figsize=(WIDTH, 0.6 + 3.2 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, sharex=True, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        _cost_panel(axes, steered, name)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=8.5)
    figure.supxlabel("size of the change (dB, root mean square over what is audible)", fontsize=9)
    return figure


def _cost_panel(axes: Axes, steered: Steered, name: str) -> None:
    row, controls = steered.names.index(name), steered.controls
    sizes = np.array([0.0, *(point.size_db for point in steered.points)])
    shifts = np.array([0.0, *(float(point.shift[row]) for point in steered.points)])
    colour = ORANGE if steered.request.shifts[name] > 0 else BLUE
    random = controls.random[:, row]
    spread = np.linspace(-ROOM, ROOM, random.size) * sizes.max()
    axes.axhline(0.0, color="black", linewidth=0.6, zorder=1)
    if np.isfinite(asked := steered.request.shifts[name]):
        axes.axhline(asked, color=colour, linewidth=0.9, linestyle="--", zorder=1, label="asked")
    axes.scatter(sizes[-1] + spread, random, s=16, color=GREY, alpha=0.7, linewidths=0, label="random parts", zorder=2)
    axes.scatter(sizes[-1], controls.level[row], s=42, marker="x", color="black", label="all parts alike", zorder=3)
    if controls.equaliser is not None:
        axes.scatter(
            controls.equaliser.size_db,
            controls.equaliser.shift[row],
            s=48,
            marker="D",
            facecolors="white",
            edgecolors="black",
            label="equaliser",
            zorder=4,
        )
    axes.plot(sizes, shifts, color=colour, linewidth=2.2, marker="o", markersize=5, label="steered", zorder=5)
    for point, size, shift in zip(steered.points, sizes[1:], shifts[1:], strict=True):
        place = (-7, 3 if colour == ORANGE else -10)
        axes.annotate(
            f"{100 * point.share:.0f} %", (size, shift), place, textcoords="offset points", ha="right", fontsize=8
        )
    axes.set_title(f"Shift of {spoken(name)}", loc="left", fontsize=10)
    axes.set_xlim(left=0.0)
    axes.margins(y=0.12)
    axes.spines[["top", "right"]].set_visible(False)
