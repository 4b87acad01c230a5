"""Fill the table of docs/performance.md with what other benchmarks have written to docs/results/performance.

    python -m benchmarks.performance_page

What no benchmark has written yet is a dash. The text around the table is written by hand. The time to stability needs
a trained network, of which none of full width is at hand; there it is that of the network that ships, times the ratio
of both networks' throughput beside lime's.
"""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.engines import BASE_BATCH
from benchmarks.measuring import DEFAULT_WIDTH, FULL_WIDTH, ROOT, Row, told
from emomod.errors import InputError
from emomod.markdown import table
from emomod.output import whole_file

PAGE, RESULTS = ROOT / "docs" / "performance.md", ROOT / "docs" / "results" / "performance"
BEGIN, END = "<!-- by benchmarks/performance_page.py -->", "<!-- end -->"
WIDTHS = (DEFAULT_WIDTH, FULL_WIDTH)
BESIDE_LIME = {DEFAULT_WIDTH: "against_lime", FULL_WIDTH: f"against_lime_width_{FULL_WIDTH:g}"}
FROM_LIME = (  # what it is, what is aimed at, the figure's name, its form
    ("masks a second, beside lime", "≥ 3 times", "throughput_ratio", ".1f"),
    ("- were lime given our engine", "", "throughput_ratio_same_engine", ".1f"),
    ("time to the stability of lime with 50 000 masks: lime's over ours", "≥ 30", "time_to_stability_ratio", ".0f"),
    ("- were lime given our engine", "", "time_to_stability_ratio_same_engine", ".0f"),
    ("- where off is silence for both", "", "time_to_stability_ratio_silence", ".0f"),
    ("explaining over the bare passes in it (%)", "≤ 5", "overhead_percent", ".1f"),
    ("memory at 50 000 masks over that at 5 000", "≤ 1.05", "memory_ratio", ".2f"),
)
WAYS = ("engine torch", "engine ncnn", "engine bfloat16")


def figures_of(folder: Path, name: str) -> Row:
    """What NAME.json holds; nothing where it is not there."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def rows_of(folder: Path, name: str) -> list[Row]:
    """The rows of NAME.csv as texts; none where it is not there."""
    path = folder / f"{name}.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.is_file() else []


def beside_lime(folder: Path, key: str) -> list[float | None]:
    """A figure of both widths."""
    small, full = (figures_of(folder, BESIDE_LIME[width]) for width in WIDTHS)
    if key.startswith("time_to_stability") and small.get(key) and full:
        return [small[key], small[key] * full["throughput_ratio"] / small["throughput_ratio"]]
    return [small.get(key), full.get(key)]


def gains(folder: Path, way: str) -> list[float | None]:
    """How many times as fast as the network as it is written a way to run it is, of both widths."""
    ratios = {
        float(row["width"]): float(row["ratio"])
        for row in rows_of(folder, "engines")
        if (row["way"], int(row["batch"])) == (way, BASE_BATCH)
    }
    return [ratios.get(width) for width in WIDTHS]


def change(folder: Path, way: str) -> str:
    """What a way does to the weights of the clip for which that is most."""
    rows = [row for row in rows_of(folder, "engines_weights") if row["way"] == way]
    if not rows:
        return ""
    error, n_changed = (max(float(row[key]) for row in rows) for key in ("relative_error", "n_changed"))
    return f"weights within {100 * error:.1g} %, {n_changed:.0f} selected components change"


def summary(folder: Path) -> str:
    """The table of all that is aimed at."""
    job = figures_of(folder, "main_job")
    seconds = [job[f"{width:g}"]["seconds"] if f"{width:g}" in job else None for width in WIDTHS]
    cells = [["`emomod run` on the bundled clip (s)", "≤ 60", *(told(each) for each in seconds)]]
    for what, aim, key, form in FROM_LIME:
        cells.append([what, aim, *(told(each, form) for each in beside_lime(folder, key))])
    hour = figures_of(folder, "long_file")
    if hour:
        what = f"most memory of any command on a file of {hour['minutes']:g} minutes (MiB)"
        cells.append([what, "< 1000", told(hour["peak_mib"], ".0f"), told(None)])
    for way in WAYS:
        note = change(folder, way)
        what = f"{way}, beside the network as it is written" + (f"; {note}" if note else "")
        cells.append([what, "", *(told(each) for each in gains(folder, way))])
    header = ["figure", "aim", *(f"width {width:g}" for width in WIDTHS)]
    return table(header, cells)


def filled(page: str, text: str) -> str:
    """Return a page with ``text`` between its marks; InputError where it does not have them once each, in order."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"page must have {BEGIN} and after it {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main(argv: Sequence[str] | None = None) -> None:
    """Fill the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments: Any = parser.parse_args(argv)
    text = filled(arguments.page.read_text(encoding="utf-8"), summary(arguments.results))
    with whole_file(arguments.page) as partial:
        partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
