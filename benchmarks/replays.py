"""How far the same run comes out otherwise with another engine or number of threads, for which replay has tolerances.

    python -m benchmarks.replays --out docs/results

The bundled clip, two targets, default settings; each run is a process of its own, and is compared with one of the
engine ncnn in one thread. Weights are in parts of the largest on a score.
"""

import argparse
import tempfile
from pathlib import Path

import torch

from benchmarks.measuring import Row, about, apart, made_by, page_of, write_results
from emomod.data import demo_clip
from emomod.markdown import table
from emomod.model.predictor import load_predictor
from emomod.pipeline import run
from emomod.run_differences import differences, outcome_of

NAME = "replays"
TARGETS = ("articulation", "sad")
WAYS = (
    ("ncnn", 1),
    ("ncnn", 1),
    ("ncnn", 2),
    ("torch", 1),
    ("network", 1),
)  # engine, threads; the first is the yardstick


def run_once(engine: str, threads: int, target: str, out: str) -> Row:
    """One run into a folder."""
    torch.set_num_threads(threads)
    run(demo_clip(), target=target, out=out, predictor=load_predictor(engine=engine, device="cpu"))
    return {}


def compared(folder: Path) -> list[Row]:
    """A row for each way and target: the largest difference of each kind of figure, and whether sounds are the same."""
    rows = []
    for target in TARGETS:
        for place, (engine, threads) in enumerate(WAYS):
            out = folder / f"{target}-{place}"
            apart(run_once, engine=engine, threads=threads, target=target, out=str(out))
            if not place:
                continue
            found = differences(outcome_of(folder / f"{target}-0"), outcome_of(out))
            rows.append(
                {
                    "target": target,
                    "engine": engine,
                    "threads": threads,
                    "verdict": found.verdict,
                    **{each.what: each.largest for each in found.figures},
                    "same_sounds": all(each.same_bytes for each in found.sounds),
                }
            )
    return rows


def page(rows: list[Row]) -> str:
    """The rows, the tolerances, how it was made."""
    figures = [name for name in rows[0] if name not in ("target", "engine", "threads", "verdict", "same_sounds")]
    header = ["target", "engine", "threads", "verdict", *figures, "sounds"]
    shown = [
        [
            row["target"],
            row["engine"],
            str(row["threads"]),
            row["verdict"],
            *(f"{row[name]:.1e}" if row[name] else "0" for name in figures),
            "the same bytes" if row["same_sounds"] else "others",
        ]
        for row in rows
    ]
    return page_of("Replays", about(__doc__), table(header, shown), made_by(NAME))


def main() -> None:
    """Run, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = compared(Path(folder))
    write_results(arguments.out, NAME, page=page(rows), tables={NAME: rows})
    print(page(rows))


if __name__ == "__main__":
    main()
