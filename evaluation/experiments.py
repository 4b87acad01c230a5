"""The experiments: each takes the clips of a run and gives rows, piece by piece, so that it can go on after a stop."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from emomod.attribution.common import held_out_masks
from emomod.attribution.lime import explain_with_lime, lime_curve
from emomod.component_weights import ComponentWeights, select_components
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.components.off import off_gain
from emomod.corpus.codecs import mp3, through_codec
from emomod.errors import InputError
from emomod.model.companions import companions_of
from emomod.model.predictor import Predict, Predictor
from emomod.perturbation import least_perturbations
from emomod.steering.robustness import later
from evaluation import faithfulness, fidelity, methods, planted, sanity, stability, steering, sweep
from evaluation.cases import RENDERED, Case, rendered_cases
from evaluation.job import Job
from evaluation.random_labels import train_on_permuted_labels
from evaluation.store import Rows

N_RANDOM_MODELS = 3  # draws of weights at each depth
NOISE_DB, SHIFT_SECONDS, MP3_KBIT_S = 60.0, 0.01, 128.0
N_SMALL_CHANGES = 3  # of the sound, for its largest effect on the explanation
Wave = NDArray[np.float32]


# ---- stability -------------------------------------------------------------------------------------------------------


def stability_of_masks(job: Job) -> Rows:
    """Agreement of repeats for each design, meaning of off, number of masks and score."""
    return job.over("stability", job.cases[: job.preset.n_stability], lambda case: _repeats(job, case))


def _repeats(job: Job, case: Case) -> Rows:
    preset, rows, n = job.preset, Rows(), case.components.n_components
    for off in preset.offs:
        reference = job.explain(case.components, off=off, n_perturbations=preset.reference, seed=preset.lime.seed + 999)
        for design in preset.designs:
            counts = [count for count in preset.counts if count >= least_perturbations(n, design=design)]
            settings = replace(preset.lime, off=off, design=design)
            curves = [
                lime_curve(job.predictor, case.components, settings=replace(settings, seed=seed), counts=counts)
                for seed in range(preset.n_repeats)
            ]
            for place, count in enumerate(counts):
                repeats = [curve[place] for curve in curves]
                about = {"off": off, "design": design, "n_masks": count, "n_components": n}
                rows += [about | row for row in _agreement(repeats, reference, job)]
    return rows


def _agreement(repeats: list[ComponentWeights], reference: ComponentWeights | None, job: Job) -> Rows:
    return [
        {
            "target": target,
            **stability.evaluate(repeats, target=target, rule=job.preset.rule, reference=reference),
            "neighbourhood_r2": float(np.mean([each.neighbourhood_r2[each.index(target)] for each in repeats])),
        }
        for target in job.targets
    ]


def _error(weights: ComponentWeights, reference: ComponentWeights, target: str) -> float:
    row = reference.index(target)
    return stability.relative_error(weights.weights[row], reference.weights[row])


def _noise_level(y: Wave) -> float:
    """Root mean square of the noise that is added to ``y``."""
    return float(np.sqrt((y.astype(np.float64) ** 2).mean()) * 10 ** (-NOISE_DB / 20))


def _noisy(y: Wave) -> Wave:
    return np.asarray(y + np.random.default_rng(0).normal(0.0, _noise_level(y), y.size), dtype=np.float32)


INPUT_CHANGES: dict[str, Callable[[Wave], Wave]] = {
    f"noise at {NOISE_DB:g} dB SNR": _noisy,
    f"{1000 * SHIFT_SECONDS:g} ms later": partial(later, seconds=SHIFT_SECONDS),
    f"mp3 at {MP3_KBIT_S:g} kbit/s": lambda y: through_codec(y, mp3(MP3_KBIT_S)),
}


def stability_of_inputs(job: Job) -> Rows:
    """Agreement of the explanation with that of the clip after a small change of the sound, cut in the same way."""

    def make(case: Case) -> Rows:
        whole, rows = job.explain_case(case), Rows()
        for name, change in INPUT_CHANGES.items():
            other = job.explain(case.changed(change(case.y)))
            rows += [
                {"change": name, **row, "relative_error": _error(other, whole, row["target"])}
                for row in _agreement([whole, other], None, job)
            ]
        return rows

    return job.over("inputs", job.cases[: job.preset.n_stability], make)


# ---- fidelity, faithfulness, sanity ----------------------------------------------------------------------------------


def fidelity_of_surrogates(job: Job) -> Rows:
    """R2 in neighbourhoods near and far, for each meaning of off of the fit."""

    def make(case: Case) -> Rows:
        rows = Rows()
        for off in job.preset.offs:
            weights = job.explain_case(case) if off == job.preset.lime.off else job.explain(case.components, off=off)
            found = fidelity.evaluate(job.predictor, case.components, weights, off=off)
            rows += [{"fit_off": off, **row} for row in found]
        return rows

    return job.over("fidelity", job.cases, make)


class _ChangedSounds:
    """Explanations of a clip after changes of its sound, cut in the same way; none is made twice."""

    def __init__(self, job: Job, case: Case) -> None:
        self._job, self._case = job, case
        self._known = {case.y.tobytes(): job.explain_case(case)}

    def weights_of(self, target: str) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """The weights [K] of ``target`` as a function of the sound [n_samples]."""

        def explain(y: NDArray[np.float64]) -> NDArray[np.float64]:
            sound = y.astype(np.float32)
            if (key := sound.tobytes()) not in self._known:
                self._known[key] = self._job.explain(self._case.changed(sound))
            weights = self._known[key]
            return np.asarray(weights.weights[weights.index(target)], dtype=np.float64)

        return explain


def faithfulness_of_weights(job: Job) -> Rows:
    """All metrics of faithfulness, for each score."""

    def make(case: Case) -> Rows:
        weights, rows = job.explain_case(case), Rows()
        low = off_gain(job.preset.lime.off)
        masks = held_out_masks(case.components.n_components, n_masks=256, seed=job.preset.lime.seed + 1)
        scores = faithfulness.MixtureScores(job.predictor, case.components)
        changed = _ChangedSounds(job, case)
        for target in job.targets:
            selection = select_components(weights, target=target, rule=job.preset.rule)
            values = weights.weights[weights.index(target)]
            found = faithfulness.evaluate(
                scores.of(target),
                values,
                selection,
                weights_off=job.preset.lime.off,
                gains=np.where(masks, 1.0, low),
            )
            largest = faithfulness.sensitivity_max(
                changed.weights_of(target),
                case.y,
                radius=np.sqrt(3.0) * _noise_level(case.y),  # uniform within it is noise of that level
                n_changes=N_SMALL_CHANGES,
            )
            rows.append({"target": target, **found, "sensitivity_max": largest})
        return rows

    return job.over("faithfulness", job.cases, make)


def sanity_of_explanations(job: Job) -> Rows:
    """Similarity to explanations of models with weights drawn anew, one layer deep and all, and of random labels."""
    predictor = job.predictor
    if not isinstance(predictor, Predictor):
        raise InputError(
            "model must be a checkpoint of emomod, whose weights can be drawn anew, to be tested for sanity"
        )

    @cache
    def others() -> dict[str, Predictor]:
        depths = {"head": 1, "all layers": None}
        drawn = {
            f"{name} drawn anew ({seed + 1})": sanity.randomise_weights(predictor, n_layers=n_layers, seed=seed)
            for name, n_layers in depths.items()
            for seed in range(N_RANDOM_MODELS)
        }
        job.log("sanity: training a model on labels that are dealt out at random")
        return {**drawn, "labels dealt out at random": train_on_permuted_labels(predictor, job.corpus)}

    def make(case: Case) -> Rows:
        def explain(predict: Predict, seed: int) -> ComponentWeights:
            return explain_with_lime(predict, case.components, settings=replace(job.preset.lime, seed=seed))

        return sanity.evaluate(explain, job.predictor, others(), targets=job.targets)

    return job.over("sanity", job.cases[: job.preset.n_sanity], make)


# ---- methods, sweep, steering ----------------------------------------------------------------------------------------


def methods_compared(job: Job) -> Rows:
    """Cost, fit, closed loop and agreement of every method on every kind of components."""
    grid = job.preset.grid

    def make(case: Case) -> Rows:
        rows = Rows()
        for kind in grid.components:
            components = cut(sound_of(case.y), kind, device=job.predictor.device)
            found = methods.evaluate(job.predictor, components, methods=grid.methods, targets=job.targets)
            rows += [{"components": kind, **row} for row in found]
        return rows

    return job.over("methods", job.cases[: grid.n_clips], make)


def responses_to_gains(job: Job) -> Rows:
    """A row for each clip, target, side and gain, re-scored from written files; see evaluation.sweep."""

    def make(case: Case) -> Rows:
        responses = sweep.sweep_clip(
            job.predictor,
            case.components,
            job.explain_case(case),
            clip=case.name,
            off=job.preset.lime.off,
            targets=job.targets,
            settings=replace(job.preset.sweep, rule=job.preset.rule),
        )
        return [row for each in responses for row in each.rows()]

    return job.over("sweep", job.cases, make)


def steering_met(job: Job) -> Rows:
    """A row for each clip and request, plain, steered and steered robustly; see evaluation.steering."""
    others, settings, off = companions_of(job.predictor), job.preset.steering, job.preset.lime.off
    given = [case for case in job.cases if not case.name.startswith(RENDERED)]
    rendered = rendered_cases(settings.n_rendered, job.corpus, device=job.predictor.device)
    turns = {case.name: turn for turn, case in enumerate([*given, *rendered])}

    def make(case: Case) -> Rows:
        weights, turn = job.explain_case(case), turns[case.name]
        return steering.SteeredClip(job.predictor, others, case.y, case.components, weights, off, settings, turn).rows()

    return job.over("steering", [*given, *rendered], make)


EXPERIMENTS: dict[str, Callable[[Job], Rows]] = {
    "stability": stability_of_masks,
    "inputs": stability_of_inputs,
    "fidelity": fidelity_of_surrogates,
    "faithfulness": faithfulness_of_weights,
    "sanity": sanity_of_explanations,
    "truth": planted.truth_of_weights,
    "confounder": planted.confounder_found,
    "methods": methods_compared,
    "kinds": planted.kinds_compared,
    "sweep": responses_to_gains,
    "steering": steering_met,
}
