"""What an explanation costs, by the number of masks, components and scores and by the length of the sound.

    python -m benchmarks.scaling --out docs/results/performance

One thing is varied at a time: 2048 masks, grids of time and frequency, the bundled clip (repeated where a longer sound
is needed, explained as one window), the default model. More scores than the model has are its scores again. Masks that
no fit has seen, of which an explanation scores 256 more by default, are left out. Seconds are medians over turns in
one process; the exponent is the slope of the logarithm of the seconds over that of what is varied: 1 is in proportion,
0 is no matter.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.measuring import (
    Heard,
    Row,
    about,
    apart,
    made_by,
    note,
    page_of,
    predictor_of,
    seconds_of,
    write_results,
)
from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.audio import SAMPLE_RATE, read_clip
from emomod.cli.options import clip_path
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.components.layered import LayeredComponents
from emomod.markdown import table
from emomod.model.predictor import Predictor

FIELDS, SECONDS = (6, 4), 10.0  # of the grid and of the sound where something else is varied


@dataclass(frozen=True)
class Plan:
    """What is varied."""

    n_masks: int = 2048  # where something else is varied
    masks: tuple[int, ...] = (512, 1024, 2048, 4096, 8192)
    grids: tuple[tuple[int, int], ...] = ((6, 4), (12, 8), (24, 16), (48, 20))
    seconds: tuple[float, ...] = (2.5, 5.0, 10.0, 20.0, 30.0)
    scores: tuple[int, ...] = (1, 7, 50, 500)
    turns: int = 3


QUICK = Plan(64, (64, 128), ((2, 2), (4, 4)), (1.0, 2.0), (1, 7), 1)


def sound_cut(*, seconds: float = SECONDS, fields: tuple[int, int] = FIELDS) -> LayeredComponents:
    """The bundled clip, repeated or cut off to last ``seconds``, in a grid of columns x rows."""
    y = np.resize(read_clip(clip_path("demo")).y, round(seconds * SAMPLE_RATE))
    return cut(sound_of(y), f"grid:columns={fields[0]},rows={fields[1]}")


def with_scores(predictor: Predictor, n: int) -> Heard:
    """The model with ``n`` scores that know no layer between them."""

    def scores(sounds: torch.Tensor) -> torch.Tensor:
        found = predictor(sounds)
        return found.repeat(1, -(-n // found.shape[1]))[:, :n]

    return Heard(predictor, scores, None, tuple(f"score {index}" for index in range(n)))


def jobs_of(plan: Plan, predictor: Predictor) -> list[tuple[str, float, Callable[[], object]]]:
    """What is varied, its value, and an explanation of it."""
    usual = sound_cut()

    def job(components: LayeredComponents, n_masks: int, model: Predictor | Heard) -> Callable[[], object]:
        settings = LimeSettings(n_perturbations=n_masks, n_held_out=2)
        return lambda: explain_with_lime(model, components, settings=settings)

    found: list[tuple[str, float, Callable[[], object]]] = []
    found += [("masks", n, job(usual, n, predictor)) for n in plan.masks]
    for fields in plan.grids:
        components = sound_cut(fields=fields)
        found.append(("components", components.n_components, job(components, plan.n_masks, predictor)))
    for seconds in plan.seconds:
        found.append(("seconds of sound", seconds, job(sound_cut(seconds=seconds), plan.n_masks, predictor)))
    found += [("scores", n, job(usual, plan.n_masks, with_scores(predictor, n))) for n in plan.scores]
    return found


def measure(turns: int, *, quick: bool) -> Row:
    """In a process of its own: a row for each value of what is varied, as {"rows": ...}."""
    plan = QUICK if quick else Plan(turns=turns)
    jobs = jobs_of(plan, predictor_of(None))
    jobs[0][2]()  # libraries are warm
    times = []
    for turn in range(plan.turns):
        times.append([seconds_of(job) for _, _, job in jobs])
        note(f"turn {turn}: {sum(times[-1]):.1f} s")
    medians = np.median(times, axis=0)
    found = zip(jobs, medians, strict=True)
    return {"rows": [{"varied": each[0], "value": each[1], "seconds": float(seconds)} for each, seconds in found]}


def exponents(rows: Sequence[Row]) -> dict[str, float]:
    """By what is varied: the slope of log seconds over the log of its values."""
    found = {}
    for varied in dict.fromkeys(row["varied"] for row in rows):
        mine = [row for row in rows if row["varied"] == varied]
        logs = np.log([[row["value"], row["seconds"]] for row in mine])
        found[varied] = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
    return found


def page(rows: Sequence[Row]) -> str:
    """The page."""
    pieces = []
    for varied, exponent in exponents(rows).items():
        mine = [row for row in rows if row["varied"] == varied]
        cells = [
            [f"{row['value']:g}", f"{row['seconds']:.2f}", f"{row['seconds'] / mine[0]['seconds']:.2f}"] for row in mine
        ]
        header = [varied, "seconds", "times the first"]
        pieces += [f"## By {varied}: exponent {exponent:.2f}", table(header, cells, is_number=[True] * 3)]
    return page_of("What an explanation costs", about(__doc__), *pieces, made_by("benchmarks/scaling.py"))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=Plan.turns)
    parser.add_argument("--quick", action="store_true", help="tiny numbers that mean nothing, to see that it works")
    parser.add_argument("--out", type=Path, required=True, help="folder for scaling.md and .csv")
    arguments = parser.parse_args(argv)
    rows = apart(measure, turns=arguments.turns, quick=arguments.quick)["rows"]
    write_results(arguments.out, "scaling", page=page(rows), tables={"scaling": rows}, figures=exponents(rows))


if __name__ == "__main__":
    main()
