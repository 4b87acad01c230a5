"""Faithfulness of explanations to the model."""

import numpy as np
import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max as captum_sensitivity_max
from fakes import grid_components, linear_predict
from numpy.testing import assert_allclose

from emomod.component_weights import Selection, complexity
from emomod.errors import InputError
from emomod.model.predictor import Takes
from emomod.undefined import UndefinedWarning
from evaluation import faithfulness
from evaluation.curves import deletion_curves, insertion_curves
from evaluation.faithfulness import (
    MixtureScores,
    SideShift,
    infidelity,
    sensitivity_max,
    side_shift,
    sparseness,
)

TRUTH = np.array([3.0, -2.0, 1.0, 0.0, -1.0, 0.5]) / 10


def linear(gains):
    """A model whose truth is known: .4 and 1 less a unit of gain is worth TRUTH."""
    return 0.4 + gains @ TRUTH


def curved(gains):
    """A model with two components that act together."""
    return linear(gains) + 0.2 * gains[:, 0] * gains[:, 1]


def test_mixture_scores_against_theory(rng):
    components, truth = grid_components(), rng.normal(size=(7, 12))
    predict, asked = linear_predict(components, truth), []

    class Counted:
        names, mid_to_emotion, device = predict.names, None, predict.device
        takes: Takes = "spectrogram"

        def __call__(self, spectrograms):
            asked.append(len(spectrograms))
            return predict(spectrograms)

    scores, gains = MixtureScores(Counted(), components), rng.random((5, 12))
    assert_allclose(scores.of("dissonance")(gains), gains @ truth[4], atol=1e-5)
    assert_allclose(scores.of("minorness")(gains.copy()), gains @ truth[6], atol=1e-5)
    assert asked == [5]
    with pytest.raises(InputError, match="target must be one of melodiousness"):
        scores.of("joy")


@pytest.mark.parametrize(
    ("curves_of", "ends", "sign"), [(deletion_curves, (0.55, 0.4), -1), (insertion_curves, (0.4, 0.55), 1)]
)
def test_curves_against_theory(curves_of, ends, sign):
    found = curves_of(linear, TRUTH, n_steps=6, n_random=400)
    assert_allclose(found.share, np.arange(7) / 6)
    for curve in (found.ordered, *found.random):
        assert (curve[0], curve[-1]) == pytest.approx(ends)
    assert_allclose(np.diff(found.ordered), sign * np.sort(TRUTH)[::-1])
    assert found.area == pytest.approx((found.ordered[:-1] + found.ordered[1:]).sum() / 12)
    assert sign * found.area >= (sign * found.random_areas).max() - 1e-12  # no order is better than the true one
    assert found.random_areas.mean() == pytest.approx(np.mean(ends), abs=3 * found.random_areas.std() / 20)
    assert found.gap == pytest.approx(sign * (found.area - found.random_areas.mean()))
    assert found.p_value <= 3 / 401


def test_deletion_and_insertion_against_theory_are_two_things():
    """Components that act together: what is lost with the first is not what is won with it."""

    def both(gains):
        return gains[:, 0] * gains[:, 1] + 0.1 * gains[:, 2]

    first, second = (curves_of(both, [1.0, 0.5, 0.2]).area for curves_of in (deletion_curves, insertion_curves))
    assert first == pytest.approx((1.1 / 2 + 0.1 + 0.1 + 0.0) / 3)
    assert second == pytest.approx((0.0 + 0.0 + 1.0 + 1.1 / 2) / 3)


def test_curves_against_theory_of_a_wrong_and_of_a_random_explanation(rng):
    right, wrong = (deletion_curves(linear, sign * TRUTH, n_random=400).gap for sign in (1, -1))
    assert wrong == pytest.approx(-right, rel=0.2)
    values = [deletion_curves(linear, rng.normal(size=6), n_random=50, seed=k).p_value for k in range(60)]
    assert np.mean(values) == pytest.approx(0.5, abs=0.12)  # uniform: a standard error is .037


def test_curves_against_themselves():
    assert deletion_curves(linear, TRUTH, n_steps=50).share.size == 7  # no more steps than components
    first, same, other = (deletion_curves(linear, TRUTH, seed=seed).random for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    quiet, cut = (deletion_curves(linear, TRUTH, off=off).gap for off in ("silence", "-6dB"))
    assert cut == pytest.approx((1 - 10**-0.3) * quiet)


def test_sides_against_theory():
    up = side_shift(linear, [0, 2], n_components=6, side="positive")
    assert (up.score, up.kept, up.lost) == pytest.approx((0.55, 0.8, 0.15))
    assert (up.kept_shift, up.lost_shift) == pytest.approx((0.25, 0.4))
    assert up.average_increase == 100.0
    assert up.average_drop == 0.0
    assert up.average_gain == pytest.approx(100 * 0.25 / 0.45)
    down = side_shift(linear, [1, 4], n_components=6, side="negative")
    assert (down.score, down.kept, down.lost) == pytest.approx((0.55, 0.1, 0.85))
    assert down.average_increase == 100.0
    assert down.average_gain == pytest.approx(100 * 0.45 / 0.55)
    wrong = side_shift(linear, [1, 4], n_components=6, side="positive")
    assert wrong.average_increase == wrong.average_gain == 0.0
    assert wrong.average_drop == pytest.approx(100 * 0.45 / 0.55)


def test_sides_against_theory_scores_beyond_the_scale_count_as_its_ends():
    beyond = SideShift("positive", 0.5, 1.5, 0.0)
    assert (beyond.average_gain, beyond.kept_shift) == (100.0, 1.0)
    assert SideShift("negative", 0.5, -0.5, 0.0).average_gain == 100.0


def test_infidelity_against_captum(rng):
    slopes, gains = rng.normal(size=6), rng.random((50, 6))

    def perturb(x):
        changed = torch.from_numpy(gains)
        return 1.0 - changed, changed

    for normalise in (False, True):
        theirs = captum_infidelity(
            lambda x: torch.from_numpy(curved(x.numpy())), perturb, torch.ones(1, 6, dtype=torch.float64),
            torch.from_numpy(slopes)[None], n_perturb_samples=50, normalize=normalise, max_examples_per_batch=50,
        )  # fmt: skip
        assert infidelity(curved, slopes, gains, normalise=normalise) == pytest.approx(theirs.item(), rel=1e-6)


def test_infidelity_against_theory(rng):
    gains = rng.random((50, 6))
    assert infidelity(linear, TRUTH, gains) == pytest.approx(0.0, abs=1e-15)
    assert infidelity(linear, 5 * TRUTH, gains, normalise=True) == pytest.approx(0.0, abs=1e-15)
    assert infidelity(linear, np.zeros(6), gains) == pytest.approx((((1 - gains) @ TRUTH) ** 2).mean())


def test_sensitivity_against_captum(rng):
    x, matrix = rng.random((4, 5)), rng.random((4, 5))
    seen = []

    def explain(values):
        seen.append(values)
        return matrix * values**2

    ours = sensitivity_max(explain, x, radius=0.05, n_changes=7, seed=2)
    changed = torch.from_numpy(np.stack(seen[1:]))
    theirs = captum_sensitivity_max(
        lambda inputs: (torch.from_numpy(matrix) * inputs[0] ** 2,), torch.from_numpy(x)[None],
        perturb_func=lambda inputs: (changed,), n_perturb_samples=7, max_examples_per_batch=7,
    )  # fmt: skip
    assert ours == pytest.approx(theirs.item(), rel=1e-6)
    assert np.abs(np.stack(seen[1:]) - x).max() <= 0.05
    assert sensitivity_max(lambda values: np.ones(3), x, radius=0.05) == 0.0


def test_complexity_and_sparseness_against_theory():
    assert complexity(np.ones(8)) == pytest.approx(np.log(8))
    assert complexity([0, -3, 0]) == 0.0
    assert sparseness(np.ones(8)) == pytest.approx(0.0)
    assert sparseness([0, -3, 0, 0]) == pytest.approx(0.75)
    assert sparseness([1.0, 2.0, 3.0]) == pytest.approx(np.mean(np.abs(np.subtract.outer([1, 2, 3], [1, 2, 3]))) / 4)


def test_undefined_metrics_warn():
    with pytest.warns(UndefinedWarning, match="complexity of weights that are all 0: taken as 1.098"):
        assert complexity(np.zeros(3)) == pytest.approx(np.log(3))
    with pytest.warns(UndefinedWarning, match="sparseness"):
        assert sparseness(np.zeros(3)) == 0.0
    with pytest.warns(UndefinedWarning, match="average_drop of a score of 0"):
        assert SideShift("positive", 0.0, 0.5, 0.0).average_drop == 0.0
    with pytest.warns(UndefinedWarning, match="end of its scale"):
        assert SideShift("positive", 1.0, 0.5, 0.0).average_gain == 0.0
    with pytest.warns(UndefinedWarning, match="sensitivity_max"):
        assert sensitivity_max(lambda x: np.zeros(2), [1.0], radius=0.1) == np.inf


def selected(positive, negative):
    return Selection("x", "top:5", *(np.array(side, dtype=np.intp) for side in (positive, negative)))


def test_evaluate_against_theory_of_a_linear_model(rng):
    found = faithfulness.evaluate(
        linear, TRUTH / 2, selected([0, 2, 5], [1, 4]), weights_off="-6.020599913279624dB", gains=rng.random((20, 6))
    )
    assert None not in found.values()
    assert found["infidelity"] == pytest.approx(0.0, abs=1e-12)
    assert found["infidelity_share"] == pytest.approx(0.0, abs=1e-9)
    assert found["deletion_p"] is not None
    assert found["deletion_p"] < 0.15  # six components, 20 random orders
    assert found["positive_lost_shift"] == pytest.approx(0.45)
    assert found["negative_lost_shift"] == pytest.approx(-0.3)
    assert found["sparseness"] == sparseness(TRUTH)
    nothing = faithfulness.evaluate(linear, TRUTH / 2, selected([0], []), weights_off="-6dB", gains=rng.random((20, 6)))
    assert [name for name, value in nothing.items() if value is None] == [
        f"negative_{name}" for name in ("kept_shift", "lost_shift", "average_increase", "average_drop", "average_gain")
    ]


def test_faithfulness_iv():
    with pytest.raises(InputError, match="weights must be finite, got 1"):
        deletion_curves(linear, [np.nan, 1.0])
    with pytest.raises(InputError, match="n_steps must be a whole number of at least 1, got 0"):
        deletion_curves(linear, TRUTH, n_steps=0)
    with pytest.raises(InputError, match="side must be one of positive, negative, got 'both'"):
        side_shift(linear, [0], n_components=6, side="both")
    with pytest.raises(InputError, match=r"chosen must be indices 0\.\.5, at least one, got \[6\]"):
        side_shift(linear, [6], n_components=6, side="positive")
    with pytest.raises(InputError, match="chosen must be indices"):
        side_shift(linear, np.ones(6, dtype=bool), n_components=6, side="positive")
    with pytest.raises(InputError, match="gains must be of 6 components, got 2"):
        infidelity(linear, TRUTH, [[1.0, 1.0]])
    with pytest.raises(InputError, match="radius must be a finite number"):
        sensitivity_max(lambda x: x, [1.0], radius=-1.0)
