"""What the parts of a clip do to its labels."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emomod.corpus.compose import compose
from emomod.corpus.labels import raw_labels, scaled_labels
from emomod.corpus.removals import draw_removal, effects_of_parts
from emomod.corpus.score import Part, Score
from emomod.labels import MIDLEVEL_NAMES


def composed(seed: int) -> Score:
    """A score with drums and two other parts at the least."""
    for index in range(200):
        score = compose(np.random.default_rng([seed, index]))
        if len(score.parts) >= 3 and any(part.is_drums for part in score.parts):
            return score
    raise AssertionError("no such score")


def without(score: Score, index: int) -> Score:
    return replace(score, parts=tuple(part for place, part in enumerate(score.parts) if place != index))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_effects_against_the_labels_of_a_score_without_the_part(seed):
    score = composed(seed)
    whole = scaled_labels(raw_labels(score))
    effects = effects_of_parts(score)
    assert len(effects) >= 2
    for part, found in effects.items():
        assert_allclose(found, whole - scaled_labels(raw_labels(without(score, part))), atol=1e-12)


def test_effects_against_scores_that_have_none():
    score = composed(0)
    pitched = [index for index, part in enumerate(score.parts) if not part.is_drums]
    drums = [index for index, part in enumerate(score.parts) if part.is_drums]
    alone = replace(score, parts=tuple(score.parts[index] for index in (pitched[0], *drums)))
    assert set(effects_of_parts(alone)) == set(range(1, len(alone.parts)))  # the drums can go, the last pitch cannot
    assert effects_of_parts(replace(score, parts=tuple(score.parts[index] for index in drums))) == {}
    silent = replace(score, parts=(*score.parts, Part("harmony", 0, ())))
    assert set(effects_of_parts(silent)) == set(effects_of_parts(score))


def test_a_removal_takes_a_part_that_matters_and_each_of_them_in_turn():
    score = composed(1)
    effects = effects_of_parts(score)
    for column, feature in enumerate(MIDLEVEL_NAMES):
        mattering = {part for part, found in effects.items() if abs(found[column]) >= 0.1}
        drawn = set()
        for seed in range(40):
            versions = draw_removal(score, feature, np.random.default_rng(seed))
            if versions is None:
                assert not mattering
                continue
            before, after = versions
            assert before == score
            (gone,) = [index for index, part in enumerate(after.parts) if part != score.parts[index]]
            assert after.parts[gone] == replace(score.parts[gone], notes=())
            drawn.add(gone)
        assert drawn == mattering
