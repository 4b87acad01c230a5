"""Whether explanations find what was planted."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import grid_components, linear_predict
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.components.segments import SegmentComponents
from emomod.corpus.pair_clips import draw_pairs, hear_pairs
from emomod.corpus.pairs import KINDS
from emomod.corpus.render import open_studio
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.spectrogram import compute_spectrogram
from evaluation import truth
from evaluation.truth import average_precision, evaluate, evaluate_cells, planted_cells, pointing_game, roc_auc

SETTINGS = CorpusSettings(1, seed=11, synthesiser="numpy", seconds=4.0)


@pytest.fixture(scope="module")
def heard():
    """A pair of each kind."""
    studio = open_studio(SETTINGS)
    drawn = draw_pairs(SETTINGS, studio=studio, kinds=tuple(KINDS), count=1)
    return {kind: next(iter(hear_pairs(pairs, studio=studio))) for kind, pairs in drawn.items()}


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
    planted = planted_cells(heard[kind])
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


def test_signs_against_theory(heard):
    told = {kind: (planted_cells(pair).version, planted_cells(pair).sign) for kind, pair in heard.items()}
    assert told["cluster"] == ("after", 1)  # the cluster speaks for dissonance
    assert told["melody"] == ("before", 1)  # the melody for melodiousness
    assert told["staccato"] == ("before", -1)  # held notes against articulation
    assert told["jitter"] == ("after", -1)  # its notes last as long in both
    assert told["mode"] == ("after", 1)
    assert told["modulation"] == ("after", -1)


def test_truth_against_theory_of_a_model_that_hears_the_cells(heard):
    """A linear model of the changed cells alone: its explanation finds them, but for what segments blur."""
    planted = planted_cells(heard["cluster"])
    spectrogram = compute_spectrogram(planted.y)
    rows, columns = np.indices(spectrogram.shape)
    grid = rows // 10 * 12 + columns // 11  # 15 x 12 tiles
    _, segments = np.unique(grid, return_inverse=True)
    components = SegmentComponents(spectrogram, segments.reshape(spectrogram.shape))
    amounts = np.bincount(components.segments.ravel(), weights=planted.changed.ravel())
    predict = linear_predict(components, np.tile(amounts, (7, 1)))
    weights = explain_with_lime(predict, components, settings=LimeSettings(n_perturbations=512, n_held_out=16))
    row = weights.weights[MIDLEVEL_NAMES.index(planted.feature)]
    found = evaluate_cells(planted, components.segments, row, components.energies())
    assert found["roc_auc"] > 0.85
    assert found["pointing_game"] > 0.9
    assert found["random_roc_auc"] == pytest.approx(0.5, abs=0.05)
    assert found["n_changed"] == planted.changed.sum()
    flipped = evaluate_cells(planted, components.segments, -row, components.energies())
    assert flipped["roc_auc"] == pytest.approx(1 - found["roc_auc"])


def test_evaluate_against_theory_of_components(rng):
    changed = np.array([True, False, False, True])
    found = evaluate([4.0, 1.0, 2.0, 3.0], [1.0, 4.0, 3.0, 2.0], changed)
    assert (found["roc_auc"], found["energy_roc_auc"]) == (1.0, 0.0)
    assert found["random_pointing_game"] == pytest.approx(0.5, abs=0.15)
    assert found == evaluate([4.0, 1.0, 2.0, 3.0], [1.0, 4.0, 3.0, 2.0], changed, members=[0, 1, 2, 3])
    assert truth.METRICS.keys() <= found.keys()


def test_a_clip_without_unchanged_cells_is_unknown(heard):
    planted = planted_cells(heard["cluster"])
    found = truth.unknown(replace(planted, unchanged=np.zeros_like(planted.changed)))
    assert found["n_items"] == found["n_changed"] == planted.changed.sum()
    assert found["roc_auc"] is found["energy_roc_auc"] is None


def test_truth_iv(heard):
    with pytest.raises(InputError, match="changed must be 2 booleans, got int"):
        roc_auc([1.0, 2.0], [0, 1])
    with pytest.raises(InputError, match="true of some items and false of others"):
        average_precision([1.0, 2.0], [True, True])
    with pytest.raises(InputError, match="values must be finite"):
        pointing_game([np.nan, 2.0], [True, False])
    grid = grid_components(4.0)
    with pytest.raises(InputError, match=r"segments must be 3 over \(149, 125\), got 12"):
        evaluate_cells(planted_cells(heard["mode"]), grid.segments, [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
