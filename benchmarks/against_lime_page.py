"""Figures and page of emomod beside lime, from what benchmarks.against_lime has measured.

Ratios above 1 speak for emomod, but for memory, which is that of many masks over few. A figure that was not measured,
or that no number of masks reached, is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from benchmarks.measuring import DEFAULT_WIDTH, Row, made_by, median_ratio, page_of, told, write_results
from emomod.attribution.lime import LimeSettings
from emomod.figures import BLUE, GREY, ORANGE, WIDTH, png_bytes
from emomod.markdown import table
from emomod.output import whole_file
from evaluation.stability import TOP, jaccard, largest, over_pairs

Array = NDArray[np.float64]

LIME, SAME_ENGINE, AS_LIME = "lime", "lime, our engine", "emomod, as lime"
OWN, SILENCE, PRECISE = "emomod", "emomod, silence", "emomod, precise"
STYLES = {LIME: (GREY, "o"), OWN: (ORANGE, "^"), SILENCE: (BLUE, "s"), PRECISE: (ORANGE, "*")}


@dataclass(frozen=True, eq=False)
class Measured:
    """Rows of runs, of one width."""

    width: float
    throughput: list[Row]
    memory: list[Row]  # few masks, many masks, in turns
    overhead: Row
    stability: list[Row]  # none where the network is not trained


def lime_is_faster_quiet(throughput: Sequence[Row]) -> bool:
    """Whether lime is faster where OpenMP's threads wait quietly."""
    return bool(np.median(_seconds(throughput, LIME)) <= np.median(_seconds(throughput, LIME, quiet=False)))


def _seconds(rows: Sequence[Row], explainer: str, *, quiet: bool = True) -> list[float]:
    return [row["seconds"] for row in rows if (row["explainer"], row["quiet"]) == (explainer, quiet)]


def _memory(measured: Measured) -> tuple[list[float], list[float]]:
    """MiB with few and with many masks, by turn."""
    held = [float(row["mib"]) for row in measured.memory]
    return held[::2], held[1::2]


def stability_table(rows: Sequence[Row]) -> list[Row]:
    """A row for each explainer and number of masks, with the stability of its runs."""
    found = []
    for name, count in dict.fromkeys((row["explainer"], row["n_masks"]) for row in rows):
        mine = [row for row in rows if (row["explainer"], row["n_masks"]) == (name, count)]
        weights = np.array([row["weights"] for row in mine])  # [n_seeds, 7, K]
        found.append(
            {
                "explainer": name,
                "n_masks": round(float(np.mean([row["n_masks_taken"] for row in mine]))),
                "seconds": float(np.median([row["seconds"] for row in mine])),
                "mib": float(np.median([row["mib"] for row in mine])),
                "jaccard": over_pairs(mean_jaccard, weights),
                "error": over_pairs(mean_error, weights),
                "turns": [row["seconds"] for row in mine],
            }
        )
    return found


def mean_jaccard(first: Array, second: Array) -> float:
    """Mean over scores of the Jaccard index of the largest weights of two runs [T, K]."""
    return float(np.mean([jaccard(largest(a, TOP), largest(b, TOP)) for a, b in zip(first, second, strict=True)]))


def mean_error(first: Array, second: Array) -> float:
    """Mean over scores of the relative error of one run's weights [T, K], from its distance to another."""
    apart = np.linalg.norm(first - second, axis=1)
    return float(np.mean(apart / np.sqrt(np.linalg.norm(first, axis=1) ** 2 + np.linalg.norm(second, axis=1) ** 2)))


def as_stable(rows: Sequence[Row], explainer: str) -> Row | None:
    """The row of the fewest masks with which ``explainer`` is as stable as lime is with its most, by both measures."""
    lime = lime_at_its_most(rows)
    found = [
        row
        for row in rows
        if row["explainer"] == explainer and row["jaccard"] >= lime["jaccard"] and row["error"] <= lime["error"]
    ]
    return min(found, key=lambda row: int(row["n_masks"]), default=None)


def lime_at_its_most(rows: Sequence[Row]) -> Row:
    """The row of lime with the most masks."""
    return max((row for row in rows if row["explainer"] == LIME), key=lambda row: int(row["n_masks"]))


def figures(measured: Measured) -> dict[str, Any]:
    """What is to be known, by name; the first four are the issue's."""
    quiet = lime_is_faster_quiet(measured.throughput)
    lime, engine, ours = (
        _seconds(measured.throughput, name, quiet=asked)
        for name, asked in ((LIME, quiet), (SAME_ENGINE, True), (AS_LIME, True))
    )
    few, many = _memory(measured)
    extra = median_ratio(measured.overhead["explained"], measured.overhead["bare"]) - 1.0
    same = median_ratio(engine, ours)
    found: dict[str, Any] = {
        "throughput_ratio": median_ratio(lime, ours),
        "time_to_stability_ratio": None,
        "overhead_percent": 100.0 * extra,
        "memory_ratio": median_ratio(many, few),
        "width": measured.width,
        "throughput_ratio_same_engine": same,
        "lime_waits_quietly": quiet,
        "masks_scored_by_default": measured.overhead["scored"],
    }
    return found | (_of_stability(measured.stability, median_ratio(engine, lime)) if measured.stability else {})


def _of_stability(runs: Sequence[Row], engine_over_lime: float) -> dict[str, Any]:
    """Ratios of the times to lime's stability; ``engine_over_lime`` is that of lime's seconds with our engine."""
    rows = stability_table(runs)
    lime = lime_at_its_most(rows)
    found: dict[str, Any] = {
        "lime_masks": lime["n_masks"],
        "lime_jaccard": lime["jaccard"],
        "lime_error": lime["error"],
    }
    for ending, name in (("", OWN), ("_silence", SILENCE)):
        row = as_stable(rows, name)
        ratio = None if row is None else median_ratio(lime["turns"], row["turns"])
        found[f"time_to_stability_ratio{ending}"] = ratio
        found[f"time_to_stability_ratio{ending}_same_engine"] = None if ratio is None else ratio * engine_over_lime
        found[f"masks_to_stability{ending}"] = None if row is None else row["n_masks"]
    default = default_row(rows)
    found |= {f"default_{key}": default[key] for key in ("n_masks", "seconds", "jaccard", "error")}
    return found | {f"lime_{key}_at_equal_time": _at(rows, default["seconds"], key) for key in ("jaccard", "error")}


def default_row(rows: Sequence[Row]) -> Row:
    """The row of emomod whose number of masks is the default, or next to it."""
    mine = (row for row in rows if row["explainer"] == OWN)
    return min(mine, key=lambda row: abs(int(row["n_masks"]) - LimeSettings.n_perturbations))


def _at(rows: Sequence[Row], seconds: float, key: str) -> float:
    """What lime has after ``seconds``, between its numbers of masks by the logarithm of time."""
    lime = sorted((row["seconds"], row[key]) for row in rows if row["explainer"] == LIME)
    return float(np.interp(np.log(seconds), np.log([each for each, _ in lime]), [value for _, value in lime]))


def draw_stability(rows: Sequence[Row]) -> Figure:
    """Stability against time: Jaccard index and error, each explainer a line over its numbers of masks."""
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    panels, titles = figure.subplots(1, 2), ("Jaccard of the top 30 of two runs", "error of weights")
    for axes, key, title in zip(panels, ("jaccard", "error"), titles, strict=True):
        axes.axhline(lime_at_its_most(rows)[key], color=GREY, linewidth=0.8, linestyle="--")
        for name, (colour, marker) in STYLES.items():
            points = np.array([[row["seconds"], row[key]] for row in rows if row["explainer"] == name])
            size = 11 if marker == "*" else 5
            axes.plot(*points.T, color=colour, marker=marker, markersize=size, label=name)
        axes.set_xscale("log")
        axes.set_xlabel("seconds", fontsize=9)
        axes.set_title(title, fontsize=9, loc="left")
        axes.grid(color="#ececef", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    panels[0].set_ylim(0, 1)
    panels[1].set_yscale("log")
    for axis in (panels[0].xaxis, panels[1].xaxis, panels[1].yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    panels[0].legend(fontsize=8, frameon=False)
    return figure


def page(measured: Measured, about: str) -> str:
    """The page."""
    found, over, (few, many) = figures(measured), measured.overhead, measured.memory[:2]
    held = _memory(measured)
    overhead = (
        f"The default explanation has the model score {over['scored']} inputs in {np.median(over['explained']):.2f} s; "
        f"as many ready-made ones take {np.median(over['bare']):.2f} s. That is {found['overhead_percent']:.1f} % more."
    )
    memory = (
        f"The most that emomod holds is {_told_mib(held[0])} with {few['n_masks']} masks and {_told_mib(held[1])} with "
        f"{many['n_masks']}: {found['memory_ratio']:.3f} times as much."
    )
    pieces = [about, f"All of width {measured.width:g}.", *_throughput(measured)]
    pieces += ["## Overhead", overhead, "## Memory", memory]
    if measured.stability:
        pieces += _stability(stability_table(measured.stability), found)
    return page_of("Beside lime", *pieces, made_by("benchmarks/against_lime.py"))


def _told_mib(held: Sequence[float]) -> str:
    return f"{np.median(held):.0f} MiB ({min(held):.0f} to {max(held):.0f})"


def _throughput(measured: Measured) -> list[str]:
    rows, n_masks = measured.throughput, measured.throughput[0]["n_masks"]
    lime = _seconds(rows, LIME, quiet=lime_is_faster_quiet(rows))
    cells = []
    for name, quiet in dict.fromkeys((row["explainer"], row["quiet"]) for row in rows):
        seconds = _seconds(rows, name, quiet=quiet)
        times = [
            f"{np.median(seconds):.1f}",
            f"{n_masks / np.median(seconds):.0f}",
            f"{median_ratio(lime, seconds):.2f}",
        ]
        cells.append([name, "wait quietly" if quiet else "spin", *times])
    header = ["explainer", "threads", "seconds", "masks a second", "times as fast as lime"]
    return [f"## Throughput at {n_masks} masks", table(header, cells, is_number=[False, False, True, True, True])]


def _stability(rows: Sequence[Row], found: Mapping[str, Any]) -> list[str]:
    forms = {"n_masks": "d", "seconds": ".1f", "mib": ".0f", "jaccard": ".3f", "error": ".3f"}
    cells = [[row["explainer"], *(format(row[key], form) for key, form in forms.items())] for row in rows]
    header = ["explainer", "masks", "seconds", "MiB", "Jaccard of the top 30", "error of weights"]
    least = (
        f"At least as stable as lime is with {found['lime_masks']} masks, by both measures, with the fewest masks of "
        "the table; in brackets, were lime given our engine (its seconds, less by what the engine brings above):"
    )
    default = (
        f"At equal time: in {found['default_seconds']:.1f} s, {found['default_n_masks']} masks give emomod a Jaccard "
        f"index of {found['default_jaccard']:.2f} and an error of {found['default_error']:.3f}; lime reaches "
        f"{found['lime_jaccard_at_equal_time']:.2f} and {found['lime_error_at_equal_time']:.3f}."
    )
    reached = "\n".join(_reached(found, *each) for each in ((OWN, ""), (SILENCE, "_silence")))
    title, picture = f"## Stability of {len(rows[0]['turns'])} runs", "![Stability against time](against_lime.png)"
    return [title, picture, table(header, cells), least, reached, default]


def _reached(found: Mapping[str, Any], name: str, ending: str) -> str:
    ratio, same = (found[f"time_to_stability_ratio{ending}{engine}"] for engine in ("", "_same_engine"))
    if ratio is None:
        return f"- {name}: not with any number of masks of the table"
    return (
        f"- {name}: with {found[f'masks_to_stability{ending}']} masks, in {told(ratio)} ({told(same)}) times less time"
    )


def write_page(out: Path, measured: Measured, *, about: str) -> None:
    """Write against_lime.md, .csv, .json and .png; against_lime_width_W for other widths than that of the default."""
    name = "against_lime" if measured.width == DEFAULT_WIDTH else f"against_lime_width_{measured.width:g}"
    rows = [*measured.throughput, *measured.memory, *measured.stability]
    tables = {name: [{key: value for key, value in row.items() if key != "weights"} for row in rows]}
    write_results(out, name, page=page(measured, about), tables=tables, figures=figures(measured))
    if measured.stability:
        with whole_file(out / f"{name}.png") as partial:
            partial.write_bytes(png_bytes(draw_stability(stability_table(measured.stability))))
