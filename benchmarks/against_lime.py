"""Explanations of the bundled clip by emomod and by lime 0.2.0.1, in one run: throughput, memory, stability.

    python benchmarks/against_lime.py --out docs/results/against_lime.md

Both explain the same seven scores of the same model with the same segments. Each explanation is a process of its own;
those of lime and of emomod take turns. "as lime" is emomod with lime's masks (iid, off is silence, its kernel),
"default" with its own (Hadamard, a cut of 6 dB). Stability is the mean Jaccard index of the 30 largest weights of two
runs with other seeds, over all pairs and scores. Memory is the most that a process held, libraries and model included.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.attribution.lime import PARITY, LimeSettings, explain_with_lime
from emomod.audio import read_clip
from emomod.cli.options import clip_path
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.components.layered import LayeredComponents
from emomod.labels import MIDLEVEL_NAMES
from emomod.markdown import table
from emomod.mixtures import BATCH_SIZES
from emomod.model.predictor import Predictor, load_predictor
from evaluation.stability import TOP, jaccard, largest, over_pairs

N_SCORES = len(MIDLEVEL_NAMES)
Weights = NDArray[np.float64]


def with_lime(predictor: Predictor, components: LayeredComponents, *, n_masks: int, seed: int) -> Weights:
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
            batch_size=BATCH_SIZES["cpu"],
            segmentation_fn=lambda image: components.regions,
            random_seed=seed,
        )
    return np.array([[weight for _, weight in sorted(found.local_exp[score])] for score in range(N_SCORES)])


def with_emomod(settings: LimeSettings) -> Callable[..., Weights]:
    """Weights [7, K] of emomod with ``settings``."""

    def explain(predictor: Predictor, components: LayeredComponents, *, n_masks: int, seed: int) -> Weights:
        chosen = replace(settings, n_perturbations=n_masks, n_held_out=2, seed=seed)
        return explain_with_lime(predictor, components, settings=chosen).weights[:N_SCORES]

    return explain


EXPLAINERS = {"lime": with_lime, "emomod, as lime": with_emomod(PARITY), "emomod, default": with_emomod(LimeSettings())}


def peak_mib() -> float:
    """The most memory that this process has held, in MiB."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 2**20 if sys.platform == "darwin" else held / 2**10


def explain_once(arguments: argparse.Namespace) -> None:
    """In a process of its own: explain once, write weights, seconds and memory."""
    predictor = load_predictor(device="cpu")
    components = cut(sound_of(read_clip(clip_path("demo")).y))
    explain = EXPLAINERS[arguments.explainer]
    predictor(components.mix(torch.ones(BATCH_SIZES["cpu"], components.n_components)))  # libraries are warm
    began = time.perf_counter()
    weights = explain(predictor, components, n_masks=arguments.masks, seed=arguments.seed)
    seconds = time.perf_counter() - began
    np.savez(arguments.result, weights=weights, seconds=seconds, mib=peak_mib())


def run_once(explainer: str, n_masks: int, seed: int) -> dict[str, Any]:
    """One explanation in another process."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.npz"
        options = ["--explainer", explainer, "--masks", str(n_masks), "--seed", str(seed), "--result", str(result)]
        subprocess.run([sys.executable, __file__, *options], check=True)
        with np.load(result) as found:
            return {name: found[name] for name in found}


def measure(counts: list[int], *, n_seeds: int) -> list[dict[str, Any]]:
    """A row for each explainer and number of masks; explainers take turns."""
    rows = []
    for count in counts:
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in EXPLAINERS}
        for seed in range(n_seeds):
            for name in EXPLAINERS:
                runs[name].append(run_once(name, count, seed))
                print(f"{count} masks, seed {seed}, {name}: {runs[name][-1]['seconds']:.1f} s", file=sys.stderr)
        for name, mine in runs.items():
            rows.append(
                {
                    "explainer": name,
                    "n_masks": count,
                    "seconds": [float(run["seconds"]) for run in mine],
                    "mib": float(np.median([run["mib"] for run in mine])),
                    "jaccard": stability([run["weights"] for run in mine]),
                }
            )
    return rows


def stability(weights: list[Weights]) -> float:
    """Mean Jaccard index of the largest weights of two runs [7, K], over all pairs and scores."""
    return float(np.mean([over_pairs(_shared, [run[score] for run in weights]) for score in range(N_SCORES)]))


def _shared(first: Weights, second: Weights) -> float:
    return jaccard(largest(first, TOP), largest(second, TOP))


def figures(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The ratios, at the largest number of masks: above 1 speaks for emomod."""
    most = max(row["n_masks"] for row in rows)
    theirs, same, own = (next(r for r in rows if r["explainer"] == n and r["n_masks"] == most) for n in EXPLAINERS)
    as_stable = [row for row in rows if row["explainer"] == "emomod, default" and row["jaccard"] >= theirs["jaccard"]]
    fastest = min((float(np.median(row["seconds"])) for row in as_stable), default=float("nan"))
    turns = zip(theirs["seconds"], same["seconds"], strict=True)
    return {
        "throughput_ratio": float(np.median([one / other for one, other in turns])),
        "memory_ratio": theirs["mib"] / own["mib"],
        "time_to_stability_ratio": float(np.median(theirs["seconds"])) / fastest,
    }


def markdown(rows: list[dict[str, Any]], found: dict[str, float]) -> str:
    """The page."""
    cells = [
        [
            row["explainer"],
            str(row["n_masks"]),
            f"{np.median(row['seconds']):.1f}",
            f"{row['n_masks'] / np.median(row['seconds']):.0f}",
            f"{row['mib']:.0f}",
            f"{row['jaccard']:.2f}",
        ]
        for row in rows
    ]
    most = max(row["n_masks"] for row in rows)
    header = ["explainer", "masks", "seconds", "masks a second", "MiB", "Jaccard of the top 30"]
    says = (
        f"At {most} masks emomod does {found['throughput_ratio']:.1f} times as many masks a second as lime with lime's "
        f"own design. With its defaults it is as stable as lime is with {most} masks in "
        f"{found['time_to_stability_ratio']:.1f} times less time, at "
        "the smallest number of masks of the table that is as stable."
    )
    made = (
        f"Made on {datetime.now(UTC).date()} by benchmarks/against_lime.py in {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}. Machines differ, the ratios less."
    )
    about = (__doc__ or "").split("\n\n")[2].strip()
    return "\n\n".join(["# Beside lime", about, says, table(header, cells), made]) + "\n"


def main() -> None:
    """Measure, or explain once for a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", type=int, nargs="+", default=[1024, 2048, 4096], help="numbers of masks")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="Markdown file; default: standard output")
    parser.add_argument("--json", action="store_true", help="print the ratios alone")
    for name in ("--explainer", "--seed", "--result"):
        parser.add_argument(name, help=argparse.SUPPRESS, type=int if name == "--seed" else str)
    arguments = parser.parse_args()
    if arguments.explainer:
        arguments.masks = arguments.masks[0]
        explain_once(arguments)
        return
    rows = measure(arguments.masks, n_seeds=arguments.seeds)
    found = figures(rows)
    if arguments.json:
        print(json.dumps(found))
    elif arguments.out:
        arguments.out.write_text(markdown(rows, found), encoding="utf-8")
    else:
        print(markdown(rows, found))


if __name__ == "__main__":
    main()
