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
from dataclasses import asdict
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
    column = changed.shifts[0].names.index(changed.target)
    passed = []
    for version, direction in DIRECTIONS.items():
        shift = figures["shifts"][version][changed.target]
        beaten = min(control["share_beaten"] for control in figures["controls"][version].values())
        spread = max(float(control.shifts[:, column].std()) for control in changed.shift_of(version).controls)
        row |= {f"shift_{version}": shift, f"beaten_{version}": beaten, f"times_{version}": abs(shift) / spread}
        passed.append(shift * direction > 0 and beaten >= WANTED)
    further = sorted({name for names in figures["moved_further"].values() for name in names}, key=SCORE_NAMES.index)
    return row | {"passed": all(passed), "moved_further": ", ".join(further) or "none"}


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


HEADER = """# Closed loop: every score as the target

Model {model}; {gain_db:g} dB on {sides} components by {rule}. Beside each version stand {n_controls} random changes of
the same count and as many of the same energy. All scores are of written files, read back. "beaten" is the smaller share
over both kinds of control, "SDs" the shift over the larger of their standard deviations; a target passes with both
shares at least {wanted:g} and both signs right. Made by benchmarks/closed_loop.py.

Passing means that the explanation found parts that this model reacts to, and that the written files move its score as
said. It does not mean that listeners hear it, nor that nothing else moves: the last column names the other scores that
moved at least as far as the target in one of the two versions.

| clip | target | parts | R2 | enhanced | SDs | beaten | weakened | SDs | beaten | passes | moved as far |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def markdown(rows: list[dict[str, Any]], settings: ModifySettings, model: str) -> str:
    """Return the table as Markdown."""
    lines = [HEADER.format(model=model, wanted=WANTED, **asdict(settings))]
    for row in rows:
        cells = (
            f"{row['clip']} | {row['target']} | {row['n_positive']} | {row['surrogate_r2']:.2f}",
            *(
                f"{row[f'shift_{version}']:+.3f} | {row[f'times_{version}']:.1f} | {row[f'beaten_{version}']:.2f}"
                for version in DIRECTIONS
            ),
            f"{'yes' if row['passed'] else 'no'} | {row['moved_further']}",
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
