"""What each way to run the network brings in speed, and what it does to the weights of an explanation.

    python -m benchmarks.engines --out docs/results/performance

Speed: mixtures of the bundled clip a second, over those of the network as it is written in batches of 16, each way in
a process of its own (threads of different libraries disturb each other), processes in turns, medians over turns. Ways
are run in batches of several sizes; engines of emomod cut these into batches of their own. The full width is that of
the 2019 network, here with random weights.

Weights: an explanation of each clip with the default design and 2048 masks, the default model, beside that of engine
"network" with the same masks: the largest relative error |w - w0| / |w0| over all scores, and how many of the
components that stand out (`select_components`, default rule, all scores) are others.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.engine_ways import BASE, COMPILED, LAID_OUT, WAYS
from benchmarks.measuring import (
    DEFAULT_WIDTH,
    FULL_WIDTH,
    Row,
    about,
    apart,
    checkpoint_of,
    components_of,
    heard_by,
    made_by,
    median_ratio,
    note,
    page_of,
    predictor_of,
    seconds_of,
    told,
    write_results,
)
from emomod.attribution.common import held_out_masks
from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.component_weights import select_components
from emomod.components.kinds import DEFAULT
from emomod.markdown import table
from emomod.model.engines import Scores

BASE_BATCH = 16
LONGEST = 600.0  # s, that getting ready and all passes of a way may take


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    widths: tuple[float, ...] = (DEFAULT_WIDTH, FULL_WIDTH)
    batches: tuple[int, ...] = (1, 4, 8, BASE_BATCH, 32)
    seconds: float = 0.7  # of passes, for each batch size
    turns: int = 5
    n_masks: int = LimeSettings().n_perturbations
    components: str = DEFAULT
    ways: tuple[str, ...] = tuple(WAYS)

    @property
    def ways_here(self) -> list[str]:
        """Those that can be tried on this machine."""
        return [name for name in self.ways if WAYS[name].can()]


QUICK = Plan((DEFAULT_WIDTH,), (4, BASE_BATCH), 0.01, 1, 64, "grid", (BASE, "engine torch"))


def speeds(way: str, checkpoint: str | None, batches: Sequence[int], seconds: float) -> Row:
    """Mixtures a second by size of batch, and the seconds that it took to get ready; in a process of its own."""
    network, clip = predictor_of(checkpoint, engine="network").checkpoint.network, components_of()
    masks = held_out_masks(clip.n_components, n_masks=max(batches), seed=0)
    sounds = clip.mix(torch.from_numpy(np.where(masks, np.float32(1.0), np.float32(0.5))))
    began = time.perf_counter()
    with torch.no_grad():
        scores = WAYS[way].build(network)
    with torch.inference_mode():
        scores(sounds[: batches[-1]])
        ready = time.perf_counter() - began
        found = {str(size): _speed(scores, sounds[:size], seconds=seconds) for size in batches}
    return {"ready": ready, "speeds": found}


def _speed(scores: Scores, sounds: torch.Tensor, *, seconds: float) -> float:
    """Sounds a second: the median over at least three passes that take ``seconds`` in all."""
    for _ in range(2):  # libraries are warm
        scores(sounds)
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        times.append(seconds_of(lambda: scores(sounds)))
    return len(sounds) / float(np.median(times))


def weights_by(way: str, clip: str, components: str, n_masks: int) -> Row:
    """Weights [T][K] of the default explanation and what stands out, as {score: [component * side]}."""
    predictor = predictor_of(None, engine="network")
    cut = components_of(clip, components)
    with torch.no_grad():
        scores = WAYS[way].build(predictor.checkpoint.network)
    settings = LimeSettings(n_perturbations=n_masks, n_held_out=2)
    found = explain_with_lime(heard_by(predictor, scores), cut, settings=settings)
    sides = [select_components(found, target=name) for name in found.names]
    chosen = [[*(1 + each.positive).tolist(), *(-1 - each.negative).tolist()] for each in sides]
    return {"weights": found.weights.tolist(), "chosen": chosen}


def measure_speeds(plan: Plan) -> list[Row]:
    """A row for each width, turn and way."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for width in plan.widths:
            checkpoint = checkpoint_of(width, Path(folder))
            failed: set[str] = set()
            for turn in range(plan.turns):
                for way in (each for each in plan.ways_here if each not in failed):
                    batches = [BASE_BATCH] if way == COMPILED else list(plan.batches)
                    given: dict[str, Any] = {
                        "way": way,
                        "checkpoint": checkpoint,
                        "batches": batches,
                        "seconds": plan.seconds,
                    }
                    try:
                        found = apart(speeds, timeout=LONGEST, **given)
                    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                        note(f"width {width:g}, {way}: {error}")
                        failed.add(way)
                        continue
                    rows.append({"width": width, "turn": turn, "way": way, **found})
                    note(f"width {width:g}, turn {turn}, {way}: {found['speeds'][str(BASE_BATCH)]:.1f} a second")
    return rows


def speed_table(rows: Sequence[Row]) -> list[Row]:
    """A row for each width, way and batch: the median speed and the median ratio to the base."""
    found = []
    for width, way in dict.fromkeys((row["width"], row["way"]) for row in rows):
        mine = [row for row in rows if (row["width"], row["way"]) == (width, way)]
        base = {row["turn"]: row for row in rows if (row["width"], row["way"]) == (width, BASE)}
        for batch in mine[0]["speeds"]:
            speeds_here = [row["speeds"][batch] for row in mine]
            beside = [base[row["turn"]]["speeds"][str(BASE_BATCH)] for row in mine]
            found.append(
                {
                    "width": width,
                    "way": way,
                    "batch": int(batch),
                    "a_second": float(np.median(speeds_here)),
                    "ratio": median_ratio(speeds_here, beside),
                    "ready_seconds": float(max(row["ready"] for row in mine)),
                }
            )
    return found


def measure_weights(plan: Plan, clips: Sequence[str]) -> list[Row]:
    """A row for each clip and way."""
    rows = []
    for clip in clips:
        given: dict[str, Any] = {"clip": clip, "components": plan.components, "n_masks": plan.n_masks}
        reference = apart(weights_by, way=LAID_OUT, **given)  # as load_predictor lays engine "network" out
        for way in (each for each in plan.ways_here if each not in (LAID_OUT, COMPILED)):
            rows.append(
                {"clip": Path(clip).name, "way": way, **compare(apart(weights_by, way=way, **given), reference)}
            )
            note(f"{rows[-1]}")
    return rows


def compare(found: Row, reference: Row) -> Row:
    """What differs between two explanations."""
    w, truth = np.array(found["weights"]), np.array(reference["weights"])
    errors = np.linalg.norm(w - truth, axis=1) / np.linalg.norm(truth, axis=1)
    pairs = [(set(one), set(other)) for one, other in zip(found["chosen"], reference["chosen"], strict=True)]
    return {
        "relative_error": float(errors.max()),
        "n_selected": sum(len(other) for _, other in pairs),
        "n_changed": sum(len(one ^ other) for one, other in pairs),
    }


def page(speed_rows: Sequence[Row], weight_rows: Sequence[Row], plan: Plan) -> str:
    """The page."""
    pieces = [about(__doc__)]
    for width in dict.fromkeys(row["width"] for row in speed_rows):
        mine = [row for row in speed_rows if row["width"] == width]
        base = next(row for row in mine if (row["way"], row["batch"]) == (BASE, BASE_BATCH))
        cells = []
        for way in dict.fromkeys(row["way"] for row in mine):
            by_batch = {row["batch"]: row for row in mine if row["way"] == way}
            ratios = [told(by_batch[size]["ratio"] if size in by_batch else None, ".2f") for size in plan.batches]
            ready = told(next(iter(by_batch.values()))["ready_seconds"])
            cells.append([way, *ratios, ready])
        header = ["way", *(f"in {size}s" for size in plan.batches), "seconds to get ready"]
        pieces += [
            f"## Speed, width {width:g}",
            f"1 is {base['a_second']:.1f} mixtures of 10 s a second. Getting ready is the longest of all turns.",
            table(header, cells),
        ]
    cells = [
        [
            row["clip"],
            row["way"],
            f"{100 * row['relative_error']:.2g}",
            f"{row['n_changed']} of {row['n_selected']}",
        ]
        for row in weight_rows
    ]
    header = ["clip", "way", "largest error (%)", "selected components that change"]
    pieces += ["## Weights", table(header, cells, is_number=[False, False, True, True])]
    missing = [name for name in WAYS if name not in {row["way"] for row in speed_rows}]
    told_missing = f"Not tried, or without success: {'; '.join(missing)}. " if missing else ""
    return page_of("Ways to run the network", *pieces, told_missing + made_by("benchmarks/engines.py"))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", nargs="*", default=[], help="sound files whose explanations are compared, too")
    parser.add_argument("--turns", type=int, default=Plan.turns)
    parser.add_argument("--quick", action="store_true", help="tiny numbers that mean nothing, to see that it works")
    parser.add_argument("--out", type=Path, required=True, help="folder for engines.md and engines.csv")
    arguments = parser.parse_args(argv)
    plan = QUICK if arguments.quick else Plan(turns=arguments.turns)
    speed_rows = speed_table(measure_speeds(plan))
    weight_rows = measure_weights(plan, ["demo", *(str(Path(clip).resolve()) for clip in arguments.clip)])
    text = page(speed_rows, weight_rows, plan)
    write_results(arguments.out, "engines", page=text, tables={"engines": speed_rows, "engines_weights": weight_rows})


if __name__ == "__main__":
    main()
