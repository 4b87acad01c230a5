"""The experiments: each takes the clips of a run and gives rows, piece by piece, so that it can go on after a stop."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.attribution.common import held_out_masks
from emomod.attribution.lime import explain_with_lime, lime_curve
from emomod.component_map import map_of_labels
from emomod.component_weights import ComponentWeights, select_components
from emomod.components.base import Components, sound_of
from emomod.components.kinds import cut
from emomod.components.off import off_gain
from emomod.corpus.codecs import mp3, through_codec
from emomod.corpus.pair_clips import HeardPair, draw_pairs, hear_pairs
from emomod.corpus.pairs import KINDS
from emomod.corpus.render import Studio, open_studio
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.labels import spoken
from emomod.model.companions import companions_of
from emomod.model.predictor import Predict, Predictor, ScoringModel
from emomod.perturbation import least_perturbations
from emomod.steering.robustness import later
from evaluation import confounder, faithfulness, fidelity, kinds, methods, sanity, stability, steering, sweep, truth
from evaluation.carriers import HeardCarrier, draw_carriers, hear_carriers
from evaluation.cases import RENDERED, Case, cut_stems, rendered_cases
from evaluation.preset import Preset
from evaluation.random_labels import train_on_permuted_labels
from evaluation.store import Rows, Store

N_RANDOM_MODELS = 3  # draws of weights at each depth
STRETCH_SECONDS = 2.0  # of parts over time
NOISE_DB, SHIFT_SECONDS, MP3_KBIT_S = 60.0, 0.01, 128.0
N_SMALL_CHANGES = 3  # of the sound, for its largest effect on the explanation
Wave = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Job:
    """All that an experiment needs."""

    predictor: ScoringModel
    cases: list[Case]  # the first n_stability and n_sanity of them for these
    corpus: CorpusSettings  # that pairs are drawn from
    preset: Preset
    store: Store
    log: Callable[[str], None]
    known: dict[str, ComponentWeights] = field(default_factory=dict)  # explanations of the preset, by clip

    def explain_case(self, case: Case) -> ComponentWeights:
        """The explanation of a clip with the preset's settings, which several experiments need."""
        if case.name not in self.known:
            self.known[case.name] = self.explain(case.components)
        return self.known[case.name]

    def explain(self, components: Components, **changes: Any) -> ComponentWeights:
        """The explanation of the preset, with other settings where ``changes`` says so."""
        return explain_with_lime(self.predictor, components, settings=replace(self.preset.lime, **changes))

    def over(self, experiment: str, cases: list[Case], make: Callable[[Case], Rows]) -> Rows:
        """Rows of all ``cases``, the clip's name and song first."""
        found: Rows = []
        for number, case in enumerate(cases):
            rows = self.store.piece(experiment, case.name, lambda case=case: make(case))  # type: ignore[misc]
            found += [{"clip": case.name, "song": case.song, **row} for row in rows]
            self.log(f"{experiment}: clip {number + 1} of {len(cases)}")
        return found

    @property
    def targets(self) -> tuple[str, ...]:
        """The model's scores."""
        return self.predictor.names


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


# ---- truth -----------------------------------------------------------------------------------------------------------


def truth_of_weights(job: Job) -> Rows:
    """How explanations rank what is known to carry a feature; see evaluation.truth for the questions."""
    studio = open_studio(job.corpus)
    return [*_truth_of_carriers(job, studio), *_truth_of_pairs(job, studio)]


def _truth_of_carriers(job: Job, studio: Studio) -> Rows:
    drawn = draw_carriers(job.corpus, studio=studio, count=job.preset.n_carriers)
    found: Rows = []
    for feature, carriers in drawn.items():
        for number, heard in enumerate(hear_carriers(carriers, studio=studio)):
            make = partial(_ranked_carrier, job, heard, segments=number < job.preset.n_pairs)
            rows = job.store.piece("truth", f"{feature}_{number:03d}", make)
            about = {"kind": "carrier", "number": number, "song": heard.drawn.song}
            found += [{**about, **row} for row in rows]
            job.log(f"truth: part {number + 1} of {len(carriers)} that carries {spoken(feature)}")
    return found


def _ranked_carrier(job: Job, heard: HeardCarrier, *, segments: bool) -> Rows:
    carrier, rows = heard.drawn.carrier, Rows()
    about = {"feature": carrier.feature, "version": "before", "effect": carrier.effect}
    stretches = {"parts": 1, "parts over time": round(carrier.score.seconds / STRETCH_SECONDS)}
    for question, n_segments in stretches.items():
        components = cut_stems(heard.stems, n_stretches=n_segments, device=job.predictor.device)
        weights = explain_with_lime(job.predictor, components, settings=job.preset.lime_of_parts)
        row = weights.weights[weights.index(carrier.feature)]
        rows.append({"question": question, **about, **truth.evaluate_parts(heard, components, row)})
    if segments:
        rows.append({"question": "segments", **about, **_ranked_cells(job, truth.cells_of_carrier(heard))})
    return rows


def _truth_of_pairs(job: Job, studio: Studio) -> Rows:
    drawn = draw_pairs(job.corpus, studio=studio, kinds=tuple(KINDS), count=job.preset.n_pairs)
    found: Rows = []
    for kind, pairs in drawn.items():
        for number, heard in enumerate(hear_pairs(pairs, studio=studio)):
            rows = job.store.piece("truth", f"{kind}_{number:03d}", partial(_ranked_pair, job, heard))
            found += [{"kind": kind, "number": number, "song": heard.drawn.song, **row} for row in rows]
            job.log(f"truth: pair {number + 1} of {len(pairs)} of kind {kind}")
    return found


def _ranked_pair(job: Job, heard: HeardPair) -> Rows:
    planted, pair = truth.cells_of_pair(heard), heard.drawn.pair
    about = {"feature": planted.feature, "version": planted.version, "effect": pair.label_shift}
    return [{"question": "notes", **about, **_ranked_cells(job, planted)}]


def _ranked_cells(job: Job, planted: truth.PlantedCells) -> dict[str, float | None]:
    if not (planted.changed.any() and planted.unchanged.any()):
        items = planted.changed | planted.unchanged
        return truth.unknown(n_changed=int(planted.changed.sum()), n_items=int(items.sum()))
    components = cut(sound_of(planted.y), device=job.predictor.device)
    weights = job.explain(components)
    row = weights.weights[weights.index(planted.feature)]
    return {**truth.evaluate_cells(planted, map_of_labels(components.regions), row, components.energies())}


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


def kinds_compared(job: Job) -> Rows:
    """Whether kinds of components and methods find what is known to matter: carriers, and the confounder."""
    return [*_kinds_of_carriers(job), *_kinds_of_confounder(job)]


def _kinds_of_carriers(job: Job) -> Rows:
    studio, grid = open_studio(job.corpus), job.preset.grid
    found: Rows = []
    for feature, carriers in draw_carriers(job.corpus, studio=studio, count=grid.n_carriers).items():
        for number, heard in enumerate(hear_carriers(carriers, studio=studio)):
            rows = job.store.piece("kinds", f"{feature}_{number:03d}", partial(_ranked_kinds, job, heard))
            about = {"clip": f"{feature} {number:03d}", "song": heard.drawn.song, "feature": feature}
            found += [{**about, **row} for row in rows]
            job.log(f"kinds: part {number + 1} of {len(carriers)} that carries {spoken(feature)}")
    return found


def _ranked_kinds(job: Job, heard: HeardCarrier) -> Rows:
    grid, planted, rows = job.preset.grid, truth.cells_of_carrier(heard), Rows()
    if not (planted.changed.any() and planted.unchanged.any()):
        return rows
    for kind in (*grid.components, kinds.ORACLE):
        components = kinds.cut_as(kind, planted.y, heard.stems, device=job.predictor.device)
        weights, _ = methods.explain_all(job.predictor, components, grid.methods_of_kinds)
        ranked = kinds.evaluate_carrier(planted, components, weights)
        rows += [{"components": kind, "method": method, **figures} for method, figures in ranked.items()]
    return rows


def _kinds_of_confounder(job: Job) -> Rows:
    grid = job.preset.grid
    settings = replace(job.preset.confounder, synthesiser=job.corpus.synthesiser)

    def make() -> Rows:
        classifier, clips = confounder.confounded_classifier(settings, n_bad=grid.n_bad)
        cut_by = (*grid.components, kinds.ORACLE)
        return kinds.evaluate_confounder(classifier, clips, kinds=cut_by, methods=grid.methods_of_kinds)

    job.log("kinds: training a classifier on confounded clips")
    return job.store.piece("kinds", "confounder", make)


def confounder_found(job: Job) -> Rows:
    """Rows of the guitar-against-piano task, for each classifier and clip."""

    def make() -> Rows:
        return confounder.evaluate(replace(job.preset.confounder, synthesiser=job.corpus.synthesiser))

    job.log("confounder: rendering clips and training two classifiers")
    return job.store.piece("confounder", "task", make)


# ---- sweep -----------------------------------------------------------------------------------------------------------


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
    others = companions_of(job.predictor)

    def make(case: Case) -> Rows:
        weights, off = job.explain_case(case), job.preset.lime.off
        told = steering.SteeredClip(job.predictor, others, case.y, case.components, weights, off, job.preset.steering)
        return told.rows()

    given = [case for case in job.cases if not case.name.startswith(RENDERED)]
    rendered = rendered_cases(job.preset.steering.n_rendered, job.corpus, device=job.predictor.device)
    return job.over("steering", [*given, *rendered], make)


EXPERIMENTS: dict[str, Callable[[Job], Rows]] = {
    "stability": stability_of_masks,
    "inputs": stability_of_inputs,
    "fidelity": fidelity_of_surrogates,
    "faithfulness": faithfulness_of_weights,
    "sanity": sanity_of_explanations,
    "truth": truth_of_weights,
    "confounder": confounder_found,
    "methods": methods_compared,
    "kinds": kinds_compared,
    "sweep": responses_to_gains,
    "steering": steering_met,
}
