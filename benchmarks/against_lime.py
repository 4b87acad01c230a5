"""Explanations by emomod and by lime 0.2.0.1 of the same sound, with the same model and segments, in one run.

    python -m benchmarks.against_lime --out docs/results/performance --pieces build/bench
    python -m benchmarks.against_lime --out docs/results/performance --pieces build/bench --width 1.0
    python -m benchmarks.against_lime --json

Each explanation is a process of its own, and those that are compared take turns; ratios are medians over turns. "lime"
is lime_image with the network as a user of lime has it (engine "network") in lime's batches of 10, with OpenMP's
threads waiting quietly or spinning, whichever makes it faster; "lime, our engine" is given emomod's fastest engine.
"emomod, as lime" draws lime's masks (independent, off is silence, its kernel). "emomod" is the default (Hadamard, a cut
of 6 dB), "emomod, precise" draws masks until it expects its weights to be within 5 %. "emomod, silence" is the default
but for what off means, so that it asks the question that lime asks: what silencing a segment does is another question
than what cutting it by 6 dB does. All explain the seven mid-level scores.

Stability, over all pairs of runs with other seeds and all scores: the mean Jaccard index of the 30 largest weights,
and the mean error |w1 - w2| / sqrt(|w1|^2 + |w2|^2), which is that of one run, relative to its weights. Overhead: an
explanation beside bare passes of the same engine on as many ready-made inputs as it had the model score, in turns in
one process. Memory is the most that a process held, libraries and model included.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.against_lime_page import (
    AS_LIME,
    LIME,
    OWN,
    PRECISE,
    SAME_ENGINE,
    SILENCE,
    Measured,
    figures,
    lime_is_faster_quiet,
    write_page,
)
from benchmarks.measuring import (
    DEFAULT_WIDTH,
    FULL_WIDTH,
    Row,
    about,
    apart,
    checkpoint_of,
    components_of,
    heard_by,
    note,
    peak_mib,
    predictor_of,
    seconds_of,
)
from emomod.attribution.lime import PARITY, LimeSettings, explain_with_lime
from emomod.audio import read_clip
from emomod.cli.options import clip_path
from emomod.components.kinds import DEFAULT
from emomod.components.layered import LayeredComponents
from emomod.labels import MIDLEVEL_NAMES
from emomod.mixtures import BATCH_SIZES
from emomod.model.predictor import Predict, Predictor
from emomod.output import to_json
from emomod.perturbation import least_perturbations
from emomod.provenance import machine, package_version, package_versions
from evaluation.store import Store

N_SCORES = len(MIDLEVEL_NAMES)
PRECISION = 0.05  # relative error of the weights on every score
Weights = NDArray[np.float64]
Run = tuple[str, int, int, bool]  # who explains, masks, seed, whether threads wait quietly


@dataclass(frozen=True)
class Explainer:
    """Who explains, with which engine."""

    engine: str | None  # None is the fastest
    settings: LimeSettings | None  # None is lime itself


EXPLAINERS = {
    LIME: Explainer("network", None),
    SAME_ENGINE: Explainer(None, None),
    AS_LIME: Explainer(None, replace(PARITY, n_held_out=2)),
    OWN: Explainer(None, LimeSettings()),
    SILENCE: Explainer(None, LimeSettings(off="silence")),
    PRECISE: Explainer(None, LimeSettings(precision=PRECISION)),
}


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    turns: int = 5
    seeds: int = 3
    n_masks: int = 2048  # of throughput and overhead
    memory: tuple[int, int] = (5_000, 50_000)
    counts: tuple[tuple[str, tuple[int, ...]], ...] = (  # for stability; lime's largest is what others have to reach
        (LIME, (512, 2048, 8192, 50_000)),
        (OWN, (576, 1024, 1280, 1536, 1792, 2048, 3072, 4096)),
        (SILENCE, (1024, 2048, 4096, 8192, 16_384, 24_576, 32_768)),
        (PRECISE, (50_000,)),  # at most
    )
    components: str = DEFAULT
    clip: str = "demo"
    width: float = DEFAULT_WIDTH


FEW = ((LIME, (32, 64)), (OWN, (64, 96)), (SILENCE, (64, 96)), (PRECISE, (64,)))
QUICK = Plan(1, 2, 64, (64, 128), FEW, "grid")


def explain_once(explainer: str, n_masks: int, seed: int, clip: str, components: str, checkpoint: str | None) -> Row:
    """In a process of its own: seconds and memory of an explanation, its weights [7][K] and how many masks it took."""
    who, cut = EXPLAINERS[explainer], components_of(clip, components)
    predictor = predictor_of(checkpoint, engine=who.engine)
    predictor(cut.mix(torch.ones(BATCH_SIZES["cpu"], cut.n_components)))  # libraries are warm
    began = time.perf_counter()
    if who.settings is None:
        weights, taken = with_lime(predictor, cut, n_masks=n_masks, seed=seed), n_masks
    else:
        found = explain_with_lime(predictor, cut, settings=replace(who.settings, n_perturbations=n_masks, seed=seed))
        weights, taken = found.weights[:N_SCORES], found.n_masks
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "mib": peak_mib(), "weights": weights.tolist(), "n_masks_taken": taken}


def with_lime(predictor: Predict, components: LayeredComponents, *, n_masks: int, seed: int) -> Weights:
    """Weights [7, K] of lime_image."""
    from lime.lime_image import LimeImageExplainer

    def classify(images: NDArray[np.float64]) -> NDArray[np.float32]:
        spectrograms = torch.from_numpy(np.ascontiguousarray(images[..., 0], dtype=np.float32))
        return np.asarray(predictor(spectrograms)[:, :N_SCORES].numpy())

    explainer = LimeImageExplainer(kernel_width=PARITY.kernel_width, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = explainer.explain_instance(
            components.mix(torch.ones(1, components.n_components))[0].numpy(),
            classify,
            hide_color=0,
            labels=range(N_SCORES),
            top_labels=None,
            num_features=components.n_components,
            num_samples=n_masks,
            segmentation_fn=lambda image: components.regions,
            random_seed=seed,
        )
    return np.array([[weight for _, weight in sorted(found.local_exp[score])] for score in range(N_SCORES)])


def explained_and_bare(n_masks: int, turns: int, clip: str, components: str, checkpoint: str | None) -> Row:
    """In a process of its own: seconds of default explanations, and of the bare passes that they take, in turns."""
    predictor, cut = predictor_of(checkpoint), components_of(clip, components)
    settings, scored = LimeSettings(n_perturbations=n_masks), []

    def counted(sounds: torch.Tensor) -> torch.Tensor:
        scored.append(len(sounds))
        return predictor(sounds)

    explain_with_lime(heard_by(predictor, counted), cut, settings=settings)  # libraries are warm
    size = BATCH_SIZES["cpu"]
    ready = cut.mix(torch.rand(8 * size, cut.n_components, generator=torch.Generator().manual_seed(0)).round())
    times: Row = {"scored": sum(scored), "explained": [], "bare": []}
    for _ in range(turns):
        times["explained"].append(seconds_of(lambda: explain_with_lime(predictor, cut, settings=settings)))
        times["bare"].append(seconds_of(lambda: bare_passes(predictor, ready, n=sum(scored), size=size)))
    return times


def bare_passes(predictor: Predictor, ready: torch.Tensor, *, n: int, size: int) -> None:
    """Have ``n`` inputs scored in batches of ``size``, out of ``ready`` ones."""
    for first in range(0, n, size):
        start = first % len(ready)
        predictor(ready[start : start + min(size, n - first)])


class Runs:
    """What is measured; runs that lie in the store are not done again."""

    def __init__(self, plan: Plan, store: Store, checkpoint: str | None) -> None:
        self.plan, self._store = plan, store
        self._sound: dict[str, Any] = {"clip": plan.clip, "components": plan.components, "checkpoint": checkpoint}

    def throughput(self) -> list[Row]:
        """Runs of all who explain as lime does; a turn is one piece, so that neighbours stay neighbours."""
        n, who = self.plan.n_masks, [(LIME, True), (LIME, False), (SAME_ENGINE, True), (AS_LIME, True)]
        rows = []
        for turn in range(self.plan.turns):
            given = [(name, n, turn, quiet) for name, quiet in who]
            rows += self._store.piece("throughput", f"{n}-{turn}", partial(self._explained, given))
        return rows

    def memory(self) -> list[Row]:
        """The default with few and with many masks, in turns."""
        seeds = range(self.plan.seeds)
        return [self._piece("memory", (OWN, count, seed, True)) for seed in seeds for count in self.plan.memory]

    def overhead(self) -> Row:
        """Seconds of default explanations and of bare passes."""
        given: dict[str, Any] = {"n_masks": self.plan.n_masks, "turns": self.plan.turns}
        name = "-".join(map(str, given.values()))
        return self._store.piece("overhead", name, lambda: [apart(explained_and_bare, **given, **self._sound)])[0]

    def stability(self, *, quiet: bool) -> list[Row]:
        """All explainers with all numbers of masks that are enough for so many components, seed by seed."""
        n_components = components_of(self.plan.clip, self.plan.components).n_components
        least = least_perturbations(n_components, design="hadamard")
        return [
            self._piece("stability", (name, count, seed, quiet or name != LIME))
            for seed in range(self.plan.seeds)
            for name, counts in self.plan.counts
            for count in counts
            if name == LIME or count >= least
        ]

    def _piece(self, part: str, run: Run) -> Row:
        return self._store.piece(part, "-".join(map(str, run)), partial(self._explained, [run]))[0]

    def _explained(self, runs: Sequence[Run]) -> list[Row]:
        """Rows of explanations, one after the other, in a process each."""
        rows = []
        for name, n_masks, seed, quiet in runs:
            given: dict[str, Any] = {"explainer": name, "n_masks": n_masks, "seed": seed}
            rows.append({**given, "quiet": quiet, **apart(explain_once, quiet=quiet, **given, **self._sound)})
            note(f"{name}, {n_masks} masks, seed {seed}: {rows[-1]['seconds']:.1f} s, {rows[-1]['mib']:.0f} MiB")
        return rows


def measure(plan: Plan, pieces: Path) -> Measured:
    """Measure all of a plan, or what of it does not lie in ``pieces`` yet."""
    sound = {"clip": read_clip(clip_path(plan.clip)).sha256, "components": plan.components, "width": plan.width}
    record = {**sound, "versions": package_versions() | {"lime": package_version("lime")}, "machine": machine()}
    store = Store(pieces / f"against_lime_{plan.width:g}", record)
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(plan, store, checkpoint_of(plan.width, Path(folder)))
        throughput, memory, overhead = runs.throughput(), runs.memory(), runs.overhead()
        quiet = lime_is_faster_quiet(throughput)
        stability = runs.stability(quiet=quiet) if plan.width == DEFAULT_WIDTH else []
    return Measured(plan.width, throughput, memory, overhead, stability)


def planned(arguments: argparse.Namespace) -> Plan:
    """The plan that the arguments ask for."""
    plan = QUICK if arguments.quick else Plan(turns=arguments.turns, seeds=arguments.seeds)
    clip = arguments.clip if arguments.clip == "demo" else str(Path(arguments.clip).resolve())
    return replace(plan, clip=clip, width=arguments.width)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", default="demo")
    parser.add_argument("--width", type=float, choices=(DEFAULT_WIDTH, FULL_WIDTH), default=DEFAULT_WIDTH)
    parser.add_argument("--turns", type=int, default=Plan.turns)
    parser.add_argument("--seeds", type=int, default=Plan.seeds, help="runs for stability and memory")
    parser.add_argument("--pieces", type=Path, help="folder that keeps finished runs; delete it to measure anew")
    parser.add_argument("--quick", action="store_true", help="tiny numbers that mean nothing, to see that it works")
    parser.add_argument("--json", action="store_true", help="print the figures")
    parser.add_argument("--out", type=Path, help="folder for against_lime*.md, .csv, .json and .png")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(planned(arguments), arguments.pieces or Path(folder))
    if arguments.out:
        write_page(arguments.out, measured, about=about(__doc__))
    if arguments.json or not arguments.out:
        print(to_json(figures(measured)))


if __name__ == "__main__":
    main()
