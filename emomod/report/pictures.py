"""The figures of a run: which arrays go into which picture."""

from pathlib import Path

from matplotlib.figure import Figure

from emomod.figures import (
    BLUE,
    ORANGE,
    TICKS_HZ,
    component_pixels,
    draw_components,
    draw_controls,
    draw_effects,
    draw_shifts,
    draw_spectrogram,
    hz_label,
    pixels_png,
    png_bytes,
    rows_of,
    spectrogram_pixels,
    svg_text,
    time_span,
)
from emomod.labels import EMOTION_NAMES, spoken
from emomod.notebook import png_uri, svg_uri
from emomod.result import RunResult

CONTROL_TITLES = {"count": "changes of as many parts", "energy": "changes of as much energy"}


def draw_all(result: RunResult) -> dict[str, Figure]:
    """Return the figures of a run by name; "effects" is absent for a model without a mid-level layer."""
    explanation, changed = result.explanation, result.modification
    weights = explanation.weights.weights[explanation.weights.index(changed.target)]
    log_spectrogram, selection = result.log_spectrogram.cpu().numpy(), changed.selection
    figures = {
        "spectrogram": draw_spectrogram(log_spectrogram),
        "explanation": draw_components(
            log_spectrogram,
            explanation.segments,
            weights,
            positive=selection.positive,
            negative=selection.negative,
            name=changed.target,
        ),
        "shifts": draw_shifts(
            explanation.names,
            changed.shifts[0].before,
            {shift.version: shift.shift for shift in changed.shifts},
            target=changed.target,
        ),
        "controls": _draw_controls(result),
    }
    if explanation.effects:
        effects = explanation.effects
        figures["effects"] = draw_effects(effects.values, intercepts=effects.intercepts, emotions=EMOTION_NAMES)
    return figures


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
    """Write every figure as NAME.png into ``folder``, which is made; return them as data URIs for a page.

    On the page a figure with a spectrogram is that PNG, the others are drawings (SVG).
    """
    folder.mkdir()
    uris = {}
    for name, figure in figures.items():
        png = png_bytes(figure)
        (folder / f"{name}.png").write_bytes(png)
        uris[name] = png_uri(png) if name in ("spectrogram", "explanation") else svg_uri(svg_text(figure))
    return uris


def strip(result: RunResult) -> dict[str, object]:
    """Return the bare pictures over which the page's player moves, with the places of their labels in percent."""
    explanation, changed = result.explanation, result.modification
    weights = explanation.weights.weights[explanation.weights.index(changed.target)]
    log_spectrogram, selection = result.log_spectrogram.cpu().numpy(), changed.selection
    n_bands, n_frames = log_spectrogram.shape
    start, end = time_span(n_frames)
    sides = (("positive", selection.positive, ORANGE), ("negative", selection.negative, BLUE))
    layers = {
        side: png_uri(pixels_png(component_pixels(explanation.segments, weights, chosen=chosen, colour=colour)))
        for side, chosen, colour in sides
    }
    rows = {hz_label(hz): (float(rows_of(hz)) + 0.5) / n_bands for hz in TICKS_HZ if hz != TICKS_HZ[0]}
    step = 1 if end <= 12 else 5
    return {
        "spectrogram": png_uri(pixels_png(spectrogram_pixels(log_spectrogram))),
        "layers": layers,
        "start": start,
        "end": end,
        "frequencies": {label: round(100 * height, 2) for label, height in rows.items()},
        "seconds": {
            second: round(100 * (second - start) / (end - start), 2) for second in range(0, int(end) + 1, step)
        },
        "alt": f"Spectrogram; parts for {spoken(changed.target)} in orange, parts against it in blue",
    }
