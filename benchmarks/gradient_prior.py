"""Does a prior of gradients save masks?

    python -m benchmarks.gradient_prior --out docs/results/performance

Where a model can be differentiated, the mean slope of the scores by the gains at a few dozen random mixtures is a guess
at the weights, towards which the ridge regression of LIME can shrink (Zhao et al., BayLIME, UAI 2021) in place of
towards zero. Errors are |w - reference| / |reference|, the mean over the seven mid-level features and seeds; the
reference is LIME with many masks of other seeds. The penalty is the best of a few, chosen by that very error, which
flatters the prior. "As many masks" is what plain LIME needs for the same error, by error ~ 1 / sqrt(masks).
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measuring import about, made_by, page_of, write_results
from emomod.attribution.common import neighbourhood
from emomod.attribution.lime import LimeSettings
from emomod.audio import read_clip
from emomod.cli.options import clip_path
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.components.layered import LayeredComponents
from emomod.markdown import table
from emomod.model.predictor import Predictor, load_predictor
from emomod.perturbation import mask_blocks
from emomod.surrogate import Statistics

PENALTIES = (0.0, 30.0, 100.0, 300.0, 1000.0)
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """Masks and their scores, drawn once for all fits."""

    masks: NDArray[np.bool_]
    scores: Array
    seconds: float


def draw(predictor: Predictor, components: LayeredComponents, *, n_masks: int, seed: int) -> Drawn:
    """Score masks of LIME's default design."""
    hood = neighbourhood(predictor, components, LimeSettings())
    blocks = mask_blocks(components.n_components, n_perturbations=n_masks, design="hadamard", seed=seed)
    masks = np.vstack(list(blocks))
    began = time.perf_counter()
    return Drawn(masks, hood.scores(masks), time.perf_counter() - began)


def slopes(predictor: Predictor, components: LayeredComponents, *, n_points: int, seed: int) -> tuple[Array, float]:
    """Mean slopes [7, K] at random mixtures in pairs, as weights, and the seconds that they took."""
    hood = neighbourhood(predictor, components, LimeSettings())
    (masks,) = mask_blocks(components.n_components, n_perturbations=n_points, design="paired", seed=seed + 10_000)
    gains = torch.from_numpy(np.where(masks, 1.0, hood.low).astype(np.float32))
    found, began = np.zeros((hood.n_targets, components.n_components)), time.perf_counter()
    for batch in torch.split(gains, 8):
        at = batch.clone().requires_grad_()
        scores = predictor.differentiable(components.mix(at))
        for target in range(hood.n_targets):
            (slope,) = torch.autograd.grad(scores[:, target].sum(), at, retain_graph=target < hood.n_targets - 1)
            found[target] += slope.double().sum(dim=0).numpy()
    return found / n_points * (1.0 - hood.low), time.perf_counter() - began


def fit(drawn: Drawn, *, prior: Array, alpha: float) -> Array:
    """Weights [7, K] of a ridge regression towards ``prior``."""
    statistics = Statistics(drawn.masks.shape[1], drawn.scores.shape[1], fold_over=True)
    statistics.add(drawn.masks, drawn.scores - drawn.masks @ prior.T)
    weights: Array = statistics.solve(alpha=alpha).weights + prior
    return weights


def error(weights: Array, reference: Array) -> float:
    """|w - reference| / |reference|, the mean over targets."""
    return float(np.mean(np.linalg.norm(weights - reference, axis=1) / np.linalg.norm(reference, axis=1)))


def measure(*, counts: list[int], points: list[int], n_reference: int, n_seeds: int) -> list[dict[str, Any]]:
    """A row for each number of masks and of points."""
    predictor, components = load_predictor(device="cpu"), cut(sound_of(read_clip(clip_path("demo")).y))
    far = draw(predictor, components, n_masks=n_reference, seed=999)
    nothing = np.zeros((far.scores.shape[1], components.n_components))
    reference, rows = fit(far, prior=nothing, alpha=0.0), []
    for count in counts:
        runs = [draw(predictor, components, n_masks=count, seed=seed) for seed in range(n_seeds)]
        plain = {a: np.mean([error(fit(run, prior=nothing, alpha=a), reference) for run in runs]) for a in PENALTIES}
        row = {"masks": count, "points": 0, "seconds": np.median([run.seconds for run in runs])}
        rows.append(row | _best(plain) | {"as_many": float(count)})
        for n in points:
            priors = [slopes(predictor, components, n_points=n, seed=seed) for seed in range(n_seeds)]
            both = list(zip(runs, (prior for prior, _ in priors), strict=True))
            with_prior = {
                a: np.mean([error(fit(run, prior=prior, alpha=a), reference) for run, prior in both]) for a in PENALTIES
            }
            best = _best(with_prior)
            seconds = np.median([run.seconds + took for run, (_, took) in zip(runs, priors, strict=True)])
            as_many = count * (min(plain.values()) / best["error"]) ** 2
            rows.append({"masks": count, "points": n, "seconds": seconds, **best, "as_many": as_many})
    return rows


def _best(errors: dict[float, Any]) -> dict[str, float]:
    alpha = min(errors, key=errors.__getitem__)
    return {"error": float(errors[alpha]), "alpha": alpha}


def markdown(rows: list[dict[str, Any]]) -> str:
    """The page."""
    header = ["masks", "points of the prior", "seconds", "error", "best penalty", "as many masks", "in seconds"]
    cells = []
    for row in rows:
        plain = next(each for each in rows if each["masks"] == row["masks"] and not each["points"])
        in_seconds = plain["seconds"] * row["as_many"] / row["masks"]
        figures = [f"{row['seconds']:.1f}", f"{row['error']:.3f}", f"{row['alpha']:g}"]
        cells.append([str(row["masks"]), str(row["points"]), *figures, f"{row['as_many']:.0f}", f"{in_seconds:.1f}"])
    says = (
        "The last column is the time in which plain LIME has the same error; where it is below that of the row, the "
        "prior does not pay: seven backward passes a point cost more than the masks that they save."
        if all(_loses(row, rows) for row in rows if row["points"])
        else "The last column is the time in which plain LIME has the same error; the prior pays in the rows in which "
        "that is more than the row's own."
    )
    made = made_by("benchmarks/gradient_prior.py")
    return page_of("A prior of gradients", about(__doc__), says, table(header, cells), made)


def _loses(row: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    plain = next(each for each in rows if each["masks"] == row["masks"] and not each["points"])
    return bool(plain["seconds"] * row["as_many"] / row["masks"] < row["seconds"])


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", type=int, nargs="+", default=[1024, 2048])
    parser.add_argument("--points", type=int, nargs="+", default=[16, 64], help="even numbers")
    parser.add_argument("--reference", type=int, default=16384)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder for gradient_prior.md and .csv; default: print the page")
    arguments = parser.parse_args(argv)
    rows = measure(
        counts=arguments.masks, points=arguments.points, n_reference=arguments.reference, n_seeds=arguments.seeds
    )
    if arguments.out:
        write_results(arguments.out, "gradient_prior", page=markdown(rows), tables={"gradient_prior": rows})
    else:
        print(markdown(rows))


if __name__ == "__main__":
    main()
