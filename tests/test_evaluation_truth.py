"""Whether explanations find what was planted."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes import LinearPredict, grid_components, linear_predict
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.component_map import map_of_labels
from emomod.components.base import sound_of
from emomod.components.layered import layered
from emomod.corpus.labels import raw_labels, scaled_labels
from emomod.corpus.pair_clips import draw_pairs, hear_pairs
from emomod.corpus.pairs import KINDS
from emomod.corpus.render import open_studio
from emomod.corpus.score import Part
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.spectrogram import compute_spectrogram
from evaluation import truth
from evaluation.carriers import carriers_of, draw_carriers, effects_of_parts, hear_carriers
from evaluation.cases import cut_stems
from evaluation.truth import (
    average_precision,
    cells_of_carrier,
    cells_of_pair,
    evaluate,
    evaluate_cells,
    evaluate_parts,
    model_effect,
    pointing_game,
    roc_auc,
)

SETTINGS = CorpusSettings(1, seed=11, synthesiser="numpy", seconds=4.0)


@pytest.fixture(scope="module")
def heard():
    """A pair of each kind."""
    studio = open_studio(SETTINGS)
    drawn = draw_pairs(SETTINGS, studio=studio, kinds=tuple(KINDS), count=1)
    return {kind: next(iter(hear_pairs(pairs, studio=studio))) for kind, pairs in drawn.items()}


@pytest.fixture(scope="module")
def carried():
    """A part that carries a feature, for each feature."""
    studio = open_studio(SETTINGS)
    drawn = draw_carriers(SETTINGS, studio=studio, count=1)
    return {feature: next(iter(hear_carriers(carriers, studio=studio))) for feature, carriers in drawn.items()}


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_rankings_against_sklearn(rows):
    values, changed = (np.array(column) for column in zip(*rows, strict=True))
    if changed.any() and not changed.all():
        assert roc_auc(values, changed) == pytest.approx(roc_auc_score(changed, values))
        assert average_precision(values, changed) == pytest.approx(average_precision_score(changed, values))


def test_rankings_against_theory(rng):
    changed = rng.random(4000) < 0.3
    random = rng.random(4000)
    assert roc_auc(changed * 1.0, changed) == average_precision(changed * 1.0, changed) == 1.0
    assert pointing_game(changed * 1.0, changed) == 1.0
    assert roc_auc(random, changed) == pytest.approx(0.5, abs=0.03)  # a standard error is .01
    assert average_precision(random, changed) == pytest.approx(0.3, abs=0.03)
    assert pointing_game([3.0, 3.0, 1.0], [True, False, True]) == 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_planted_cells_against_the_stems(heard, kind):
    pair = heard[kind].drawn.pair
    planted = cells_of_pair(heard[kind])
    assert planted.feature == pair.feature
    assert not (planted.changed & planted.unchanged).any()
    assert planted.changed.any()
    stems = getattr(heard[kind], planted.version)
    assert np.array_equal(planted.y, stems.mix)
    played = {note.version for note in pair.changed}
    assert planted.version in played
    assert planted.sign == pair.direction * (1 if planted.version == "after" else -1)
    pieces = zip(heard[kind].before.parts, heard[kind].after.parts, strict=True)
    difference = np.sum([after - before for before, after in pieces], axis=0)
    amount = 10.0 ** compute_spectrogram(difference).log_spectrogram.numpy() - 1.0
    assert amount[planted.changed].mean() > 3 * np.append(amount[planted.unchanged], 0.0).mean()


@pytest.mark.parametrize("feature", MIDLEVEL_NAMES)
def test_carriers_against_labels(carried, feature):
    """Without the part the label goes back, without any other it hardly does; its stem alone is taken away."""
    heard, carrier = carried[feature], carried[feature].drawn.carrier
    column = MIDLEVEL_NAMES.index(feature)
    whole = scaled_labels(raw_labels(carrier.score))[column]
    for index, part in enumerate(carrier.score.parts):
        rest = replace(carrier.score, parts=tuple(p for p in carrier.score.parts if p is not part))
        fall = carrier.direction * (whole - scaled_labels(raw_labels(rest))[column]) if rest.has_pitch else 0.0
        if index == carrier.part:
            assert fall == pytest.approx(carrier.effect)
            assert fall >= 0.1
        else:
            assert fall < 0.3 * carrier.effect
    gone = heard.stems.mix.astype(np.float64) - heard.without.mix
    assert np.abs(gone - heard.stems.parts[carrier.part]).max() < 1e-6
    planted = cells_of_carrier(heard)
    assert (planted.version, planted.sign) == ("before", carrier.direction)
    assert np.array_equal(planted.y, heard.stems.mix)


def test_carriers_against_scores_that_have_none(carried):
    score = carried["melodiousness"].drawn.carrier.score
    two = replace(score, parts=score.parts[:2])
    assert len(effects_of_parts(two)) <= 2
    assert carriers_of(two) == []
    effects = [carrier.effect for carrier in carriers_of(score)]
    assert [carrier.effect for carrier in carriers_of(score, least=0.2)] == [each for each in effects if each >= 0.2]
    silent = Part("harmony", 0, ())
    assert len(effects_of_parts(replace(score, parts=(*score.parts, silent)))) == len(effects_of_parts(score))


@pytest.mark.parametrize("n_segments", [1, 4])
def test_truth_of_parts_against_theory(carried, n_segments):
    """A model that hears the carrying part is explained by it; one that hears another is not."""
    for feature, heard in carried.items():
        carrier = heard.drawn.carrier
        components = cut_stems(heard.stems, n_stretches=n_segments)
        part = np.arange(components.n_components) // n_segments
        found = evaluate_parts(heard, components, carrier.direction * (part == carrier.part))
        assert found["roc_auc"] == found["average_precision"] == found["pointing_game"] == 1.0, feature
        assert evaluate_parts(heard, components, -carrier.direction * (part == carrier.part))["roc_auc"] == 0.0
        counts = [int(found[name] or 0) for name in ("n_changed", "n_items")]
        assert 1 <= counts[0] < counts[1] <= components.n_components


def test_model_effect_against_a_linear_model_and_the_sound_without_the_part(carried, rng):
    for feature, heard in carried.items():
        carrier, found = heard.drawn.carrier, compute_spectrogram(heard.stems.mix)
        weights = torch.from_numpy(rng.random((7, *found.log_spectrogram.shape)))
        components = cut_stems(heard.stems, n_stretches=2)
        without = compute_spectrogram(heard.without.mix)
        sounding = [10.0 ** each.log_spectrogram.double() - 1.0 for each in (found, without)]
        lost = sounding[0] - sounding[1] * without.peak / found.peak
        expected = carrier.direction * float((weights[MIDLEVEL_NAMES.index(feature)] * lost).sum())
        assert model_effect(LinearPredict(weights), heard, components) == pytest.approx(expected, rel=1e-3), feature


def test_an_inaudible_part_is_unknown(carried):
    heard = carried["dissonance"]
    parts = heard.stems.parts.copy()
    parts[heard.drawn.carrier.part] *= 1e-4
    faint = replace(heard, stems=replace(heard.stems, parts=parts))
    components = cut_stems(faint.stems, n_stretches=1)
    found = evaluate_parts(faint, components, np.ones(components.n_components))
    assert found["roc_auc"] is None
    assert found["n_changed"] == 0


def test_random_weights_of_parts_against_chance(carried, rng):
    heard = carried["dissonance"]
    components = cut_stems(heard.stems, n_stretches=4)
    drawn = [rng.random(components.n_components) for _ in range(60)]
    found = [evaluate_parts(heard, components, weights)["roc_auc"] for weights in drawn]
    assert np.mean([each for each in found if each is not None]) == pytest.approx(
        0.5, abs=0.1
    )  # a standard error is .02


def test_signs_against_theory(heard):
    told = {kind: (cells_of_pair(pair).version, cells_of_pair(pair).sign) for kind, pair in heard.items()}
    assert told["cluster"] == ("after", 1)  # the cluster speaks for dissonance
    assert told["melody"] == ("before", 1)  # the melody for melodiousness
    assert told["staccato"] == ("before", -1)  # held notes against articulation
    assert told["jitter"] == ("after", -1)  # its notes last as long in both
    assert told["mode"] == ("after", 1)
    assert told["modulation"] == ("after", -1)


def test_truth_against_theory_of_a_model_that_hears_the_cells(heard):
    """A linear model of the changed cells alone: its explanation finds them, but for what segments blur."""
    planted = cells_of_pair(heard["cluster"])
    sound = sound_of(planted.y)
    rows, columns = np.indices(sound.spectrogram.shape)
    grid = rows // 10 * 12 + columns // 11  # 15 x 12 tiles
    _, segments = np.unique(grid, return_inverse=True)
    components = layered(sound, regions=segments.reshape(rows.shape))
    amounts = np.bincount(components.regions.ravel(), weights=planted.changed.ravel())
    predict = linear_predict(components, np.tile(amounts, (7, 1)))
    weights = explain_with_lime(predict, components, settings=LimeSettings(n_perturbations=512, n_held_out=16))
    row = weights.weights[MIDLEVEL_NAMES.index(planted.feature)]
    found = evaluate_cells(planted, map_of_labels(components.regions), row, components.energies())
    assert found["roc_auc"] > 0.85
    assert found["pointing_game"] > 0.9
    assert found["random_roc_auc"] == pytest.approx(0.5, abs=0.05)
    assert found["n_changed"] == planted.changed.sum()
    flipped = evaluate_cells(planted, map_of_labels(components.regions), -row, components.energies())
    assert flipped["roc_auc"] == pytest.approx(1 - found["roc_auc"])


def test_evaluate_against_theory_of_components(rng):
    changed = np.array([True, False, False, True])
    found = evaluate([4.0, 1.0, 2.0, 3.0], [1.0, 4.0, 3.0, 2.0], changed)
    assert (found["roc_auc"], found["energy_roc_auc"]) == (1.0, 0.0)
    assert found["random_pointing_game"] == pytest.approx(0.5, abs=0.15)
    assert found == evaluate([4.0, 1.0, 2.0, 3.0], [1.0, 4.0, 3.0, 2.0], changed, spread=lambda each: each[:4])
    assert truth.METRICS.keys() <= found.keys()


def test_a_clip_without_unchanged_cells_is_unknown():
    found = truth.unknown(n_changed=7, n_items=7)
    assert found["n_items"] == found["n_changed"] == 7
    assert found["roc_auc"] is found["energy_roc_auc"] is None


def test_truth_iv(heard):
    with pytest.raises(InputError, match="changed must be 2 booleans, got int"):
        roc_auc([1.0, 2.0], [0, 1])
    with pytest.raises(InputError, match="true of some items and false of others"):
        average_precision([1.0, 2.0], [True, True])
    with pytest.raises(InputError, match="values must be finite"):
        pointing_game([np.nan, 2.0], [True, False])
    grid = grid_components(4.0)
    with pytest.raises(InputError, match=r"components must be 3 over \(149, 125\), got 12"):
        evaluate_cells(cells_of_pair(heard["mode"]), map_of_labels(grid.regions), [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
