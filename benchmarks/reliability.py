"""Does a job end as it should when it is killed, when files are broken, when there is a lot to do?

    python -m benchmarks.reliability --json
    python -m benchmarks.reliability --kills 50 --tiny 10000
    python -m benchmarks.reliability --parts kills fuzz

It writes reliability.md and .json, tables and a picture into docs/results; parts that are not run keep their figures.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT, Row, made_by, note, page_of, told, write_results
from benchmarks.reliability_batch import TINY_SECONDS, compare_workers, long_file, memory_of_many
from benchmarks.reliability_kills import Effort, count_kills, fuzz
from emomod.markdown import table
from emomod.output import to_json

NAME, PICTURE = "reliability", "reliability_memory.png"
HEADLINES = ("kills", "bit_equal", "fuzz_inputs", "tracebacks", "hangs", "two_worker_speedup")
Figures = dict[str, Any]


def measure(parts: Sequence[str], arguments: argparse.Namespace, folder: Path) -> Figures:
    """The figures of the ``parts``, by part."""
    quick = arguments.quick
    effort = Effort(5 if quick else arguments.kills, 100 if quick else arguments.inputs, arguments.seed, quick)
    n_tiny, minutes = (6, 0.3) if quick else (arguments.tiny, arguments.minutes)
    ways: dict[str, Callable[[], Any]] = {
        "kills": lambda: count_kills(effort, folder / "kills"),
        "fuzz": lambda: fuzz(effort),
        "workers": lambda: compare_workers(folder / "workers", quick=quick),
        "memory": lambda: memory_of_many(folder / "memory", n_clips=n_tiny, picture=arguments.out / PICTURE),
        "long": lambda: long_file(folder / "long", minutes=minutes),
    }
    found: Figures = {}
    for part in parts:
        note(part)
        found[part] = {"made": made_by("benchmarks/reliability.py"), "found": ways[part]()}
    return found


def headlines(figures: Mapping[str, Any]) -> Row:
    """What is asked first; None of a part that was not run."""
    found = {part: each["found"] for part, each in figures.items()}
    kills, read, workers = found.get("kills", []), found.get("fuzz", {}), found.get("workers", {})
    return {
        "kills": sum(row["kills"] for row in kills) if kills else None,
        "bit_equal": sum(row["bit_equal"] for row in kills) if kills else None,
        **{name: read.get(name) for name in ("fuzz_inputs", "tracebacks", "hangs")},
        "two_worker_speedup": workers.get("speedup_of_clips_seconds"),
    }


# ---- the page --------------------------------------------------------------------------------------------------------


def page(figures: Mapping[str, Any]) -> str:
    """The page: of each part what was done, what was found, where it was made."""
    pieces = []
    for part, write in SECTIONS.items():
        if part in figures:
            pieces += [*write(figures[part]["found"]), figures[part]["made"]]
    return page_of("Reliability", *pieces)


def _kills_section(rows: Sequence[Row]) -> list[str]:
    header = ["command", "kills", "then bit-equal", "s of an undisturbed run"]
    shown = [[row["command"], str(row["kills"]), str(row["bit_equal"]), told(row["usual_seconds"])] for row in rows]
    how = (
        "Each command was started as a process of its own, and SIGKILL ended it and all that it had started at a "
        "moment drawn evenly between its start and its usual end, up to three times in a row; then the same command "
        "ran to its end. Bit-equal are kills after which every file, hidden ones too, was that of an undisturbed run "
        "to the bit, none missing and none too many; only seconds are left out, which run.json, the card of a "
        "checkpoint and the table of rounds tell, and of a batch only the folders of the clips are compared. After "
        "each kill all that lay in the place of a result could be read whole. `study serve` was killed while people "
        "answered; there bit-equal says that every answer that the server had confirmed was stored once, as it was "
        "given."
    )
    return ["## Kills", how, table(header, shown)]


def _fuzz_section(found: Row) -> list[str]:
    how = (
        f"`python -m tests.fuzz` gave {found['fuzz_inputs']} broken files to the readers of emomod. A reader has to "
        f"read, or to refuse with one line. Tracebacks: {found['tracebacks']}; hangs: {found['hangs']}; more memory "
        f"than is due: {found['over_memory']}."
    )
    return ["## Broken files", how]


def _workers_section(row: Row) -> list[str]:
    header = ["seconds", "1 worker", "2 workers", "ratio"]
    names = {"clips_seconds": "from the first clip given out to the last one done", "seconds": "the whole command"}
    shown = [
        [what, *(told(row[f"{name}_{n}"]) for n in (1, 2)), told(row[f"speedup_of_{name}"], ".2f")]
        for name, what in names.items()
    ]
    same = "are equal to the bit" if row["same_numbers"] else "DIFFER"
    how = (
        f"`emomod batch` on {row['n_clips']} clips of {row['clip_seconds']:g} s with {row['n_masks']} masks and one "
        "control of each kind, by one worker and by two, on the same machine one after the other. The first line is "
        "the stage *clips* that the command tells, in which each worker loads the model. But for seconds, all files "
        f"of all clips {same}."
    )
    return ["## Two workers", how, table(header, shown)]


def _memory_section(found: Sequence[Any]) -> list[str]:
    row = found[0]
    header = ["RSS (MiB)", "when all had started", "near the end"]
    shown = [
        [who, *(told(row[f"{name}_{when}_mib"], ".0f") for when in ("first", "last"))]
        for name, who in (("driver", "driver"), ("workers", "two workers, together"))
    ]
    how = (
        f"`emomod batch` with two workers on {row['n_tiny']} clips of {TINY_SECONDS:g} s, in "
        f"{row['tiny_seconds']:.0f} s. The memory that its processes hold was sampled up to three times a second; the "
        "figures are medians of the second and of the last but one tenth of the samples. The most of all together: "
        f"{row['tiny_peak_mib']:.0f} MiB. The process that renews the tables now and then is not in them: it lives for "
        "seconds."
    )
    picture = f"![Memory of the driver and of the workers over time]({PICTURE})"
    return ["## Memory over many clips", how, table(header, shown), picture]


def _long_section(row: Row) -> list[str]:
    how = (
        f"A file of {row['minutes']:g} minutes, every window, few masks. `emomod run --all-windows` held at most "
        f"{row['run_peak_mib']:.0f} MiB (as the system tells it at the end of the process), `emomod batch` with one "
        f"worker {row['batch_peak_mib']:.0f} MiB (driver and worker together, sampled up to three times a second)."
    )
    return ["## Memory of a long file", how]


SECTIONS: dict[str, Callable[[Any], list[str]]] = {
    "kills": _kills_section,
    "fuzz": _fuzz_section,
    "workers": _workers_section,
    "memory": _memory_section,
    "long": _long_section,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="over all commands (default 50)")
    parser.add_argument("--inputs", type=int, default=10_000, help="broken files (default 10000)")
    parser.add_argument("--tiny", type=int, default=10_000, metavar="N", help="tiny clips (default 10000)")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the long file (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of kills (default 1)")
    parser.add_argument("--parts", nargs="+", choices=tuple(SECTIONS), default=list(SECTIONS), help="default: all")
    parser.add_argument("--quick", action="store_true", help="tiny numbers that mean nothing, to see that it works")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results", help="default: docs/results")
    arguments = parser.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    stored = arguments.out / f"{NAME}.json"
    figures: Figures = json.loads(stored.read_text(encoding="utf-8"))["parts"] if stored.is_file() else {}
    for part in arguments.parts:
        with tempfile.TemporaryDirectory() as folder:
            figures |= measure([part], arguments, Path(folder))
        found = headlines(figures) | {"parts": figures}
        write_results(arguments.out, NAME, page=page(figures), tables=_tables(figures), figures=found)
    print(to_json({name: found[name] for name in HEADLINES}) if arguments.json else page(figures))


def _tables(figures: Mapping[str, Any]) -> dict[str, Sequence[Row]]:
    """The tables beside the page."""
    found: dict[str, Sequence[Row]] = {}
    if "kills" in figures:
        found["reliability_kills"] = figures["kills"]["found"]
    if "memory" in figures:
        found["reliability_memory"] = figures["memory"]["found"][1]
    return found


if __name__ == "__main__":
    main()
