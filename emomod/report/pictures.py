"""The figures of a run: which arrays go into which picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.component_map import ComponentMap
from emomod.figures import (
    BLUE,
    ORANGE,
    TICKS_HZ,
    component_pixels,
    draw_components,
    draw_effects,
    draw_parts,
    draw_sides,
    draw_spectrogram,
    hz_label,
    pixels_png,
    png_bytes,
    reach_end,
    rows_of,
    spectrogram_pixels,
    time_span,
)
from emomod.labels import EMOTION_NAMES, spoken
from emomod.notebook import png_uri
from emomod.report.charts import draw_controls, draw_shifts
from emomod.result import RunResult

CONTROL_TITLES = {"count": "changes of as many parts", "energy": "changes of as much energy"}


@dataclass(frozen=True, eq=False)
class _Scene:
    """What the pictures of a run's target show; arrays reach to the clip's end."""

    seconds: float
    log_spectrogram: NDArray[np.float32]  # [n_bands, n_frames]
    where: ComponentMap
    weights: NDArray[np.float64]  # [K], on the target
    positive: NDArray[np.intp]
    negative: NDArray[np.intp]


def _scene(result: RunResult) -> _Scene:
    explanation, changed = result.explanation, result.modification
    seconds = changed.waveforms["original"].size / SAMPLE_RATE
    return _Scene(
        seconds,
        *to_the_end(result.log_spectrogram, explanation.where, seconds=seconds),
        explanation.weights.weights[explanation.weights.index(changed.target)],
        changed.selection.positive,
        changed.selection.negative,
    )


def to_the_end(
    log_spectrogram: torch.Tensor, where: ComponentMap, *, seconds: float
) -> tuple[NDArray[np.float32], ComponentMap]:
    """A log spectrogram [n_bands, n_frames] and the map of its components, up to the end of a clip of ``seconds``."""
    frames = reach_end(where.shape[1], seconds)
    return log_spectrogram.cpu().numpy()[:, frames], where.at_frames(frames)


def draw_all(result: RunResult) -> dict[str, Figure]:
    """Return the figures of a run by name; "effects" and "parts" are absent where there are none."""
    explanation, changed, scene = result.explanation, result.modification, _scene(result)
    chosen = {"positive": scene.positive, "negative": scene.negative}
    figures = {
        "spectrogram": draw_spectrogram(scene.log_spectrogram, seconds=scene.seconds),
        "explanation": draw_components(
            scene.log_spectrogram,
            scene.where,
            scene.weights,
            **chosen,
            name=changed.target,
            seconds=scene.seconds,
        ),
        "sides": draw_sides(scene.log_spectrogram, scene.where, **chosen, name=changed.target, seconds=scene.seconds),
        "shifts": _draw_shifts(result),
        "controls": _draw_controls(result),
    }
    if len({location.part for location in explanation.locations}) > 1:
        figures["parts"] = draw_parts(explanation.locations, scene.weights, name=changed.target, seconds=scene.seconds)
    if explanation.effects:
        effects = explanation.effects
        figures["effects"] = draw_effects(effects.values, intercepts=effects.intercepts, emotions=EMOTION_NAMES)
    return figures


def _draw_shifts(result: RunResult) -> Figure:
    changed, shown = result.modification, result.shown_names
    rows = [result.explanation.names.index(name) for name in shown]
    shifts = {shift.version: shift.shift[rows] for shift in changed.shifts}
    return draw_shifts(shown, changed.shifts[0].before[rows], shifts, target=changed.target)


def _draw_controls(result: RunResult) -> Figure:
    changed = result.modification
    column = changed.shifts[0].names.index(changed.target)
    observed = {shift.version: float(shift.shift[column]) for shift in changed.shifts}
    controls = {
        (shift.version, control.kind): control.shifts[:, column]
        for shift in changed.shifts
        for control in shift.controls
    }
    kinds = {kind: CONTROL_TITLES.get(kind, kind) for _, kind in controls}
    return draw_controls(observed, controls, target=changed.target, kinds=kinds)


def write_figures(figures: dict[str, Figure], folder: Path) -> dict[str, str]:
    """Write every figure as NAME.png into ``folder``, which is made; return them as data URIs for a page."""
    folder.mkdir()
    uris = {}
    for name, figure in figures.items():
        png = png_bytes(figure)
        (folder / f"{name}.png").write_bytes(png)
        uris[name] = png_uri(png)
    return uris


def strip(result: RunResult) -> dict[str, object]:
    """Return what the player of a run moves over."""
    scene, target = _scene(result), spoken(result.modification.target)
    return player_strip(
        scene.log_spectrogram,
        scene.where,
        scene.weights,
        sides=(scene.positive, scene.negative),
        seconds=scene.seconds,
        alt=f"Spectrogram; parts for {target} in orange, parts against it in blue",
    )


def player_strip(
    log_spectrogram: NDArray[np.float32],
    where: ComponentMap,
    values: NDArray[np.float64],
    *,
    sides: tuple[NDArray[np.intp], NDArray[np.intp]],
    seconds: float,
    alt: str,
) -> dict[str, object]:
    """Return the bare pictures over which a page's player moves, with their places and those of the labels.

    Of the components with values [K], one of the ``sides`` is orange, the other blue. Places are percent of a width
    that stands for the clip, from 0 to "seconds"; the pictures, made of what ``to_the_end`` gives, reach a little
    further.
    """
    n_bands, n_frames = log_spectrogram.shape
    start, end = time_span(n_frames)
    layers = {
        side: png_uri(pixels_png(component_pixels(where, values, chosen=chosen, colour=colour)))
        for side, chosen, colour in zip(("positive", "negative"), sides, (ORANGE, BLUE), strict=True)
    }
    rows = {hz_label(hz): (float(rows_of(hz)) + 0.5) / n_bands for hz in TICKS_HZ if hz != TICKS_HZ[0]}
    return {
        "spectrogram": png_uri(pixels_png(spectrogram_pixels(log_spectrogram))),
        "layers": layers,
        "seconds": seconds,
        "left": round(100 * start / seconds, 3),
        "width": round(100 * (end - start) / seconds, 3),
        "frequencies": {label: round(100 * height, 2) for label, height in rows.items()},
        "ticks": {f"{time:g}": round(100 * time / seconds, 2) for time in _ticks(seconds)},
        "alt": alt,
    }


def _ticks(seconds: float) -> NDArray[np.float64]:
    """Times (s) to write under a clip, a dozen at most."""
    step = next((step for step in (0.1, 0.5, 1.0, 5.0) if seconds <= 12 * step), 60.0)
    return np.round(np.arange(0.0, seconds + 1e-9, step), 1)
