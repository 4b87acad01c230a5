"""Pictures of arrays: spectrograms with components, weights in time and frequency, effects.

Conventions: orange speaks for, blue speaks against, grey is neutral; spectrograms are grey, loud is dark, so that
colour always means something. Time is in seconds, frequency in Hz on the bands' logarithmic axis. Every drawing is a
matplotlib Figure that belongs to nobody (no pyplot); ``png_bytes`` and ``svg_text`` turn it into something to show.

The model sees a clip up to its last whole frame; with the frames of ``reach_end`` a picture covers it to its end.
"""

import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy.typing import ArrayLike, NDArray

from emomod.audio import SAMPLE_RATE
from emomod.component_map import ComponentMap, Location
from emomod.labels import MIDLEVEL_NAMES, spoken
from emomod.spectrogram import HOP_LENGTH, band_frequencies

ORANGE, BLUE, GREY = "#e66100", "#0072b2", "#8c8c8c"
DIVERGING = LinearSegmentedColormap.from_list("emomod", [BLUE, "#f4f4f4", ORANGE])
LOUDNESS_MAP = "gray_r"
SIDE_MAPS = {  # the quietest cell of a side still differs from white
    "positive": LinearSegmentedColormap.from_list("for", ["#fde6d3", ORANGE, "#5c2700"]),
    "negative": LinearSegmentedColormap.from_list("against", ["#d8eaf5", BLUE, "#00283f"]),
}
TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000)
WIDTH = 8.0  # inches; with DPI, twice the 800 pixels at which pictures are meant to be read
DPI = 200
ZOOM = 4  # pixels of a cell in the pictures of components
FRAME_SECONDS = HOP_LENGTH / SAMPLE_RATE


def png_bytes(figure: Figure, *, dpi: int = DPI) -> bytes:
    """Return a figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def svg_text(figure: Figure) -> str:
    """Return a figure as an SVG document; the same figure gives the same text."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "emomod"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def pixels_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels [n_rows, n_columns, 4], the first row on top, as a PNG file."""
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png")
    return buffer.getvalue()


def hz_label(frequency: float) -> str:
    """Write a frequency for an axis.

    >>> hz_label(200), hz_label(2000)
    ('200', '2k')
    """
    return f"{frequency / 1000:g}k" if frequency >= 1000 else f"{frequency:g}"


def rows_of(frequencies: ArrayLike) -> NDArray[np.float64]:
    """Return where frequencies (Hz) lie on the axis of bands, in (fractional) rows from the bottom."""
    centres = band_frequencies()
    rows: NDArray[np.float64] = np.interp(np.log(frequencies), np.log(centres), np.arange(centres.size))
    return rows


def time_span(n_frames: int) -> tuple[float, float]:
    """Return the times (s) of a picture's left and right edge; each of its ``n_frames`` is centred on its time."""
    return -0.5 * FRAME_SECONDS, (n_frames - 0.5) * FRAME_SECONDS


def reach_end(n_frames: int, seconds: float) -> NDArray[np.intp]:
    """Return the frames of a picture that covers a clip of ``seconds``: all ``n_frames``, the last one repeated.

    Changing a cell of the last frame changes the sound up to the clip's end, so this is where that cell is.

    >>> reach_end(15, 0.5).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 14, 14]
    """
    wanted = max(math.ceil(seconds / FRAME_SECONDS + 0.5), n_frames)
    return np.minimum(np.arange(wanted), n_frames - 1)


def _loudness_scale(log_spectrogram: NDArray[np.floating]) -> Normalize:
    return Normalize(0.0, max(float(np.quantile(log_spectrogram, 0.998)), 1e-6), clip=True)


def spectrogram_pixels(log_spectrogram: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return a spectrogram [n_bands, n_frames] as pixels [n_bands, n_frames, 4], low frequencies at the bottom."""
    coloured = ScalarMappable(_loudness_scale(log_spectrogram), LOUDNESS_MAP)
    pixels: NDArray[np.uint8] = coloured.to_rgba(log_spectrogram[::-1], bytes=True)
    return pixels


def side_pixels(
    log_spectrogram: NDArray[np.floating], where: ComponentMap, *, chosen: ArrayLike, side: str
) -> NDArray[np.uint8]:
    """Return the spectrogram of the ``chosen`` components alone as pixels [n_bands, n_frames, 4], clear elsewhere.

    A cell that they share with others is the clearer, the less of it is theirs.

    ``side``, positive or negative, says the colour; loud is dark, on the scale of the whole spectrogram.
    """
    pixels: NDArray[np.uint8] = ScalarMappable(_loudness_scale(log_spectrogram), SIDE_MAPS[side]).to_rgba(
        log_spectrogram[::-1], bytes=True
    )
    theirs = where.spread(np.isin(np.arange(where.n_components), np.asarray(chosen, dtype=np.intp)))
    pixels[..., 3] = np.round(255.0 * theirs[::-1].clip(max=1.0))
    return pixels


def _borders(labels: NDArray[np.intp]) -> NDArray[np.bool_]:
    """True for the pixels at the edge of their label's area."""
    padded = np.pad(labels, 1, constant_values=-1)
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    edges: NDArray[np.bool_] = np.any([neighbour != labels for neighbour in neighbours], axis=0)
    return edges


def component_pixels(
    where: ComponentMap, weights: NDArray[np.floating], *, chosen: ArrayLike, colour: str
) -> NDArray[np.uint8]:
    """Return the ``chosen`` components as pixels [ZOOM * n_bands, ZOOM * n_frames, 4], clear elsewhere.

    They are filled the stronger the larger their absolute weight is beside the largest of all weights [K], and
    outlined where they share no cells.
    """
    picked = np.asarray(chosen, dtype=np.intp)
    strength = np.abs(weights[picked]) / max(float(np.abs(weights).max()), 1e-12)
    fill, outline = np.zeros(weights.size), np.zeros(weights.size)
    fill[picked], outline[picked] = 0.06 + 0.74 * strength, 0.4 + 0.6 * strength
    if where.labels is None:
        opacity = _zoomed(where.spread(fill))
    else:
        labels = _zoomed(where.labels)
        opacity = np.where(_borders(labels), outline[labels], fill[labels])
    pixels = np.empty((*opacity.shape, 4), dtype=np.uint8)
    pixels[..., :3] = np.round(255.0 * np.array(to_rgb(colour)))
    pixels[..., 3] = np.round(255.0 * opacity.clip(max=1.0))
    return pixels


def _zoomed(cells: NDArray[Any]) -> NDArray[Any]:
    """Cells [n_bands, n_frames] as pixels, low frequencies at the bottom."""
    return cells[::-1].repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)


def _time_frequency_axes(
    axes: Axes, n_bands: int, n_frames: int, *, seconds: float | None = None, ticks_hz: Sequence[int] = TICKS_HZ
) -> None:
    """Seconds from 0 to the clip's or else the picture's end, Hz at the bands' rows."""
    end = seconds or time_span(n_frames)[1]
    ticks = [hz for hz in ticks_hz if rows_of(hz) <= n_bands - 1]
    axes.set_yticks(rows_of(ticks), [hz_label(hz) for hz in ticks], fontsize=8)
    axes.set(xlim=(0.0, end), ylim=(-0.5, n_bands - 0.5), xlabel="time (s)", ylabel="frequency (Hz)")


def _show(axes: Axes, pixels: NDArray[np.uint8], n_bands: int, n_frames: int) -> None:
    extent = (*time_span(n_frames), -0.5, n_bands - 0.5)
    axes.imshow(pixels, extent=extent, aspect="auto", origin="upper", interpolation="antialiased")


def draw_spectrogram(
    log_spectrogram: NDArray[np.floating],
    *,
    title: str = "The sound: darker is louder",
    seconds: float | None = None,
) -> Figure:
    """Draw a log spectrogram [n_bands, n_frames] of a clip of ``seconds``."""
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    axes = figure.subplots()
    _show(axes, spectrogram_pixels(log_spectrogram), *log_spectrogram.shape)
    _time_frequency_axes(axes, *log_spectrogram.shape, seconds=seconds)
    axes.set_title(title, loc="left")
    return figure


def draw_components(
    log_spectrogram: NDArray[np.floating],
    where: ComponentMap,
    weights: NDArray[np.floating],
    *,
    positive: NDArray[np.intp],
    negative: NDArray[np.intp],
    name: str,
    seconds: float | None = None,
) -> Figure:
    """Draw a log spectrogram [n_bands, n_frames] with the components for and against a score; weights [K]."""
    title = f"For {spoken(name)} (orange, {_counted(positive)}) and against it (blue, {_counted(negative)})"
    return _draw_over(
        log_spectrogram,
        where,
        weights,
        sides=(positive, negative),
        words=(title, "weight of a part on the score"),
        seconds=seconds,
    )


def draw_gains(
    log_spectrogram: NDArray[np.floating],
    where: ComponentMap,
    gains_db: NDArray[np.floating],
    *,
    up: NDArray[np.intp],
    down: NDArray[np.intp],
    seconds: float | None = None,
) -> Figure:
    """Draw a log spectrogram [n_bands, n_frames] with the components that were turned up and down; gains [K] in dB."""
    title = f"Turned up (orange, {_counted(up)}) and turned down (blue, {_counted(down)})"
    return _draw_over(
        log_spectrogram, where, gains_db, sides=(up, down), words=(title, "gain of a part (dB)"), seconds=seconds
    )


def _counted(chosen: NDArray[np.intp]) -> str:
    return f"{chosen.size} part{'' if chosen.size == 1 else 's'}"


def _draw_over(
    log_spectrogram: NDArray[np.floating],
    where: ComponentMap,
    values: NDArray[np.floating],
    *,
    sides: tuple[NDArray[np.intp], NDArray[np.intp]],
    words: tuple[str, str],
    seconds: float | None,
) -> Figure:
    """A spectrogram with values [K] of components over it, two ``sides`` of these in orange and blue.

    ``words``: the title, and what the values are.
    """
    figure = draw_spectrogram(log_spectrogram, title=words[0], seconds=seconds)
    axes = figure.axes[0]
    layers = [
        component_pixels(where, values, chosen=chosen, colour=colour)
        for chosen, colour in zip(sides, (ORANGE, BLUE), strict=True)
    ]
    _show(axes, np.where(layers[0][..., 3:] > layers[1][..., 3:], *layers), *log_spectrogram.shape)
    largest = max(float(np.abs(values).max()), 1e-12)
    bar = figure.colorbar(ScalarMappable(Normalize(-largest, largest), DIVERGING), ax=axes, aspect=30, pad=0.015)
    bar.set_label(words[1])
    return figure


def draw_sides(
    log_spectrogram: NDArray[np.floating],
    where: ComponentMap,
    *,
    positive: NDArray[np.intp],
    negative: NDArray[np.intp],
    name: str,
    seconds: float | None = None,
) -> Figure:
    """Draw the log spectrogram [n_bands, n_frames] twice: of the components for a score alone, and of those against.

    These are the positive and negative spectrograms of the 2019 paper's Figure 2.
    """
    figure = Figure(figsize=(WIDTH, 6.4), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    sides = (("positive", positive, "for"), ("negative", negative, "against"))
    for axes, (side, chosen, word) in zip(panels, sides, strict=True):
        _show(axes, side_pixels(log_spectrogram, where, chosen=chosen, side=side), *log_spectrogram.shape)
        _time_frequency_axes(axes, *log_spectrogram.shape, seconds=seconds, ticks_hz=TICKS_HZ[1:])  # low axes
        axes.label_outer()
        axes.set_title(f"Only what speaks {word} {spoken(name)} (parts: {chosen.size}); darker is louder", loc="left")
    return figure


def draw_weight_maps(
    where: ComponentMap, weights: NDArray[np.floating], *, titles: Sequence[str], label: str = "weight"
) -> Figure:
    """Draw the weights [n_maps, K] of components in time and frequency, one small map a row, all on one scale.

    ``label`` says what the weights are.
    """
    n_columns = min(4, len(titles))
    n_rows = -(-len(titles) // n_columns)
    figure = Figure(figsize=(WIDTH, 0.5 + max(1.5, 3.2 / n_columns) * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    scale = Normalize(*(float(np.abs(weights).max() or 1.0) * np.array([-1.0, 1.0])))
    for axes, title, row in zip(panels, titles, weights, strict=False):
        _show(axes, ScalarMappable(scale, DIVERGING).to_rgba(where.spread(row)[::-1], bytes=True), *where.shape)
        _time_frequency_axes(axes, *where.shape)
        axes.set_title(title, fontsize=7.5 if n_columns > 2 else 10, loc="left")
        axes.tick_params(labelsize=7)
        axes.label_outer()
        axes.set_yticks(rows_of([100, 1000, 5000]), ["100", "1k", "5k"])
        axes.set(xlabel="", ylabel="")
    for axes in panels[len(titles) :]:
        axes.set_visible(False)
    figure.supxlabel("time (s)", fontsize=9)
    figure.supylabel("frequency (Hz)", fontsize=9)
    figure.colorbar(ScalarMappable(scale, DIVERGING), ax=panels, aspect=40, pad=0.015, label=label)
    return figure


def draw_parts(
    locations: Sequence[Location],
    weights: NDArray[np.floating],
    *,
    name: str,
    seconds: float,
    label: str = "weight",
    title: str = "Weight of each part on {}, moment by moment",
) -> Figure:
    """Draw the weights [K] on a score as one row for each part that sounds, over time; those of one moment add up.

    ``label`` says what the weights are, ``title`` of what: {} is the score.
    """
    parts = list(dict.fromkeys(location.part for location in locations))
    n_columns = math.ceil(seconds / FRAME_SECONDS)
    cells, centres = np.zeros((len(parts), n_columns)), np.arange(n_columns) * FRAME_SECONDS
    for location, weight in zip(locations, weights, strict=True):
        last = location.end >= max(other.end for other in locations)  # its last frame goes on to the clip's end
        inside = (centres >= location.start - 1e-6) & ((centres <= location.end + FRAME_SECONDS / 2) | last)
        cells[parts.index(location.part), inside] += weight
    figure = Figure(figsize=(WIDTH, 1.1 + 0.4 * len(parts)), layout="constrained")
    axes = figure.subplots()
    largest = max(float(np.abs(cells).max()), 1e-12)
    scale = Normalize(-largest, largest)
    extent = (0.0, seconds, len(parts) - 0.5, -0.5)
    axes.imshow(cells, cmap=DIVERGING, norm=scale, extent=extent, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(parts)), parts)
    axes.set_xlabel("time (s)")
    axes.set_title(title.format(spoken(name)), loc="left")
    figure.colorbar(ScalarMappable(scale, DIVERGING), ax=axes, aspect=12, pad=0.015, label=label)
    return figure


def _bar_colours(values: NDArray[np.floating]) -> list[str]:
    return [ORANGE if value >= 0 else BLUE for value in values]


def _effect_panel(axes: Axes, effects: NDArray[np.floating], base: float, *, limit: float) -> None:
    values = np.append(effects, base)
    rows = np.arange(values.size)
    axes.barh(rows, values, color=[*_bar_colours(effects), GREY], height=0.7)
    axes.axvline(0.0, color="black", linewidth=0.8)
    for row, value in enumerate(values.tolist()):
        words, side = f"{value:+.2f}".replace("-", "−"), "left" if value >= 0 else "right"
        axes.text(value + np.copysign(0.03 * limit, value), row, words, ha=side, va="center", fontsize=7.5)
    axes.set(xlim=(-limit, limit), ylim=(values.size - 0.4, -0.6))
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", labelsize=9, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def draw_effects(effects: NDArray[np.floating], *, intercepts: NDArray[np.floating], emotions: Sequence[str]) -> Figure:
    """Draw what each mid-level feature adds to each emotion: effects [n_emotions, 7], intercepts [n_emotions]."""
    figure = Figure(figsize=(WIDTH, 5.4), layout="constrained")
    panels = figure.subplots(2, -(-len(emotions) // 2), sharex=True, sharey=True).ravel()
    limit = 1.6 * max(float(np.abs(effects).max()), float(np.abs(intercepts).max()), 1e-3)
    for axes, emotion, row, base in zip(panels, emotions, effects, intercepts, strict=True):
        _effect_panel(axes, row, float(base), limit=limit)
        axes.set_title(f"{spoken(emotion)} = {row.sum() + base:.2f}", fontsize=10)
    panels[0].set_yticks(range(len(MIDLEVEL_NAMES) + 1), [*(spoken(name) for name in MIDLEVEL_NAMES), "base"])
    figure.suptitle("What each quality adds (orange) to each emotion or takes away (blue)", fontsize=12)
    figure.supxlabel("part of the emotion's score (with the grey base the bars sum to it)", fontsize=9)
    return figure
