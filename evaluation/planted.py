"""Experiments on what is known to be there: parts that carry a feature, planted changes, a confounder."""

from dataclasses import replace
from functools import partial

from emomod.attribution.lime import explain_with_lime
from emomod.component_map import map_of_labels
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.corpus.pair_clips import HeardPair, draw_pairs, hear_pairs
from emomod.corpus.pairs import KINDS
from emomod.corpus.render import Studio, open_studio
from emomod.labels import spoken
from evaluation import confounder, kinds, methods, truth
from evaluation.carriers import LARGE_EFFECT, HeardCarrier, draw_carriers, hear_carriers
from evaluation.cases import cut_stems
from evaluation.job import Job
from evaluation.store import Rows

STRETCH_SECONDS = 2.0  # of parts over time


def truth_of_weights(job: Job) -> Rows:
    """How explanations rank what is known to carry a feature; see evaluation.truth for the questions."""
    studio = open_studio(job.corpus)
    return [*_truth_of_carriers(job, studio), *_truth_of_large(job, studio), *_truth_of_pairs(job, studio)]


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


def _truth_of_large(job: Job, studio: Studio) -> Rows:
    """Carriers of large effect, in clips that nothing else is drawn from: a seed of their own."""
    corpus = replace(job.corpus, seed=job.corpus.seed + 1)
    drawn = draw_carriers(corpus, studio=studio, count=job.preset.n_large, least=LARGE_EFFECT)
    found: Rows = []
    for feature, carriers in drawn.items():
        for number, heard in enumerate(hear_carriers(carriers, studio=studio)):
            make = partial(_ranked_parts, job, heard, truth.LARGE, n_stretches=1)
            rows = job.store.piece("truth", f"large_{feature}_{number:03d}", make)
            found += [{"kind": "carrier", "number": number, "song": heard.drawn.song, **row} for row in rows]
            job.log(f"truth: part {number + 1} of {len(carriers)} that carries {spoken(feature)}, large effect")
    return found


def _ranked_carrier(job: Job, heard: HeardCarrier, *, segments: bool) -> Rows:
    n_stretches = round(heard.drawn.carrier.score.seconds / STRETCH_SECONDS)
    rows = [
        *_ranked_parts(job, heard, "parts", n_stretches=1),
        *_ranked_parts(job, heard, "parts over time", n_stretches=n_stretches),
    ]
    if segments:
        rows.append({**_about("segments", heard), **_ranked_cells(job, truth.cells_of_carrier(heard))})
    return rows


def _ranked_parts(job: Job, heard: HeardCarrier, question: str, *, n_stretches: int) -> Rows:
    components = cut_stems(heard.stems, n_stretches=n_stretches, device=job.predictor.device)
    weights = explain_with_lime(job.predictor, components, settings=job.preset.lime_of_parts)
    row = weights.weights[weights.index(heard.drawn.carrier.feature)]
    effect = truth.model_effect(job.predictor, heard, components)
    return [{**_about(question, heard), "model_effect": effect, **truth.evaluate_parts(heard, components, row)}]


def _about(question: str, heard: HeardCarrier) -> dict[str, str | float]:
    carrier = heard.drawn.carrier
    return {"question": question, "feature": carrier.feature, "version": "before", "effect": carrier.effect}


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
