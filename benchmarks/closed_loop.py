"""Does the change do what was said? Every mid-level feature (and emotion) as the target, on given clips.

    python benchmarks/closed_loop.py demo ../shared/data/clips/soundtracks_set1_001.mp3 --out
    docs/results/closed_loop.md

Each clip is explained once; then every target is enhanced and weakened by the gain, written, read back and re-scored
beside random controls. A target counts when it moves up when enhanced and down when weakened, each further than 95 %
of both kinds of control.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from emomod.cli.options import clip_path
from emomod.labels import SCORE_NAMES
from emomod.model.predictor import Predictor, load_predictor
from emomod.pipeline import ModifySettings, explain, modify
from emomod.result import DIRECTIONS, Modification

WANTED = 0.95  # share of the controls that a shift has to beat


def judge(changed: Modification) -> dict[str, Any]:
    """Return the figures of one target."""
    figures = changed.as_dict()
    row: dict[str, Any] = {"target": changed.target, "n_positive": figures["n_positive"]}
    passed = []
    for version, direction in DIRECTIONS.items():
        shift = figures["shifts"][version][changed.target]
        beaten = min(control["share_beaten"] for control in figures["controls"][version].values())
        row |= {f"shift_{version}": shift, f"beaten_{version}": beaten}
        passed.append(shift * direction > 0 and beaten >= WANTED)
    return row | {"passed": all(passed)}


def measure(clip: str, predictor: Predictor, settings: ModifySettings) -> list[dict[str, Any]]:
    """Explain ``clip`` once and judge every target."""
    path, rows = clip_path(clip), []
    explanation = explain(path, predictor=predictor)
    for target in SCORE_NAMES:
        with tempfile.TemporaryDirectory() as folder:
            changed = modify(
                path, explanation, target=target, out=Path(folder) / "out", settings=settings, predictor=predictor
            )
        r2 = float(explanation.weights.neighbourhood_r2[explanation.weights.index(target)])
        rows.append({"clip": Path(path).name} | judge(changed) | {"surrogate_r2": r2})
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def markdown(rows: list[dict[str, Any]], settings: ModifySettings, model: str) -> str:
    """Return the table as Markdown."""
    lines = [
        "# Closed loop: every score as the target",
        "",
        f"Model {model}; {settings.gain_db:g} dB on {settings.sides} components by {settings.rule}. Controls:",
        f"{settings.n_controls} random changes of the same count and as many of the same energy beside each.",
        'All scores are of written files, read back. "beaten" is the smaller share over both kinds of control; a',
        f"target passes with both shares >= {WANTED:g} and both signs right. Made by benchmarks/closed_loop.py.",
        "",
        "| clip | target | components | surrogate R2 | enhanced | beaten | weakened | beaten | passes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            f"{row['clip']} | {row['target']} | {row['n_positive']} | {row['surrogate_r2']:.2f}",
            *(f"{row[f'shift_{version}']:+.3f} | {row[f'beaten_{version}']:.2f}" for version in DIRECTIONS),
            "yes" if row["passed"] else "no",
        )
        lines.append(f"| {' | '.join(cells)} |")
    for clip in dict.fromkeys(row["clip"] for row in rows):
        for level, names in (("mid-level features", SCORE_NAMES[:7]), ("emotions", SCORE_NAMES[7:])):
            passed = sum(row["passed"] for row in rows if row["clip"] == clip and row["target"] in names)
            lines.append(f"\n{clip}: {passed} of {len(names)} {level} pass.")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--gain-db", type=float, default=6.0)
    parser.add_argument("--out", type=Path, help="Markdown file; default: standard output")
    arguments = parser.parse_args()
    predictor, settings = load_predictor(arguments.checkpoint), ModifySettings(gain_db=arguments.gain_db)
    rows = [row for clip in arguments.clips for row in measure(clip, predictor, settings)]
    text = markdown(rows, settings, predictor.checkpoint.card["name"])
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
