import warnings
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from fakes import grid_components, linear_predict, tiny_checkpoint
from lime.lime_image import LimeImageExplainer

from emomod.attribution import lime
from emomod.attribution.lime import PARITY, LimeSettings, explain_with_lime, lime_curve
from emomod.errors import EmomodError, InputError
from emomod.labels import MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.model.predictor import Takes, load_predictor
from emomod.perturbation import mask_blocks

ARRAYS = ("weights", "standard_errors", "p_values", "intercepts", "neighbourhood_r2", "fit_r2")


def quick(**settings):
    return LimeSettings(n_perturbations=64, n_held_out=16, **settings)


@pytest.fixture(scope="module")
def components():
    return grid_components()  # 12 of them


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return load_predictor(tiny_checkpoint(tmp_path_factory.mktemp("lime") / "t.safetensors"), device="cpu")


@pytest.mark.parametrize("design", ("iid", "paired", "hadamard"))
@pytest.mark.parametrize(("off", "left"), (("silence", 0.0), ("-6dB", 10**-0.3), ("-20dB", 0.1)))
def test_lime_against_theory_a_linear_model_is_recovered(rng, components, design, off, left):
    truth = rng.normal(size=(7, 12))
    settings = LimeSettings(n_perturbations=100, n_held_out=32, design=design, off=off, alpha=0.0)
    found = explain_with_lime(linear_predict(components, truth), components, settings=settings)
    np.testing.assert_allclose(found.weights, (1 - left) * truth, atol=1e-5)  # mix works in float32
    np.testing.assert_allclose(found.intercepts, left * truth.sum(axis=1), atol=1e-5)
    np.testing.assert_allclose(found.neighbourhood_r2, 1.0, atol=1e-6)
    np.testing.assert_allclose(found.fit_r2, 1.0, atol=1e-6)
    assert found.clip_r2 == pytest.approx(1.0, abs=1e-6)


def test_lime_against_theory_two_levels_of_a_linear_model(rng, components):
    truth, layer = rng.normal(size=(7, 12)), published_layer()
    predict = linear_predict(components, truth, layer, SCORE_NAMES)
    found = explain_with_lime(predict, components, settings=quick(off="silence", alpha=0.0))
    assert found.names == SCORE_NAMES
    np.testing.assert_allclose(found.weights[:7], truth, atol=1e-5)
    np.testing.assert_allclose(found.weights[7:], layer.weights @ truth, atol=1e-5)
    np.testing.assert_allclose(found.intercepts[7:], layer.intercepts, atol=1e-5)
    assert found.weights[:, 3] @ np.eye(15)[found.index("sad")] == pytest.approx(
        layer.weights[6] @ truth[:, 3], abs=1e-5
    )


def test_lime_against_lime_image(components, predictor, monkeypatch):
    """The whole of lime_image on the same masks: its mixtures, its kernel, its ridge."""
    spectrum = components.mix(torch.ones(1, 12))[0].numpy()

    def classify(images):
        return predictor(torch.from_numpy(np.ascontiguousarray(images[..., 0], dtype=np.float32)))[:, :7].numpy()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = LimeImageExplainer(kernel_width=0.25, random_state=3).explain_instance(
            spectrum, classify, hide_color=0, top_labels=7, num_samples=200, random_seed=0,
            segmentation_fn=lambda image: components.regions,
        )  # fmt: skip
    masks = np.random.RandomState(3).randint(0, 2, 200 * 12).reshape(200, 12).astype(bool)
    masks[0] = True
    blocks = lambda *a, **k: mask_blocks(*a, **k) if "first_block" in k else iter([masks])  # noqa: E731
    monkeypatch.setattr(lime, "mask_blocks", blocks)
    settings = LimeSettings(n_perturbations=200, design="iid", off="silence", kernel_width=0.25, n_held_out=16)
    found = explain_with_lime(predictor, components, settings=settings)
    for target in range(7):
        theirs = np.array([weight for _, weight in sorted(told.local_exp[target])])
        np.testing.assert_allclose(found.weights[target], theirs, atol=1e-6)
        assert found.intercepts[target] == pytest.approx(told.intercept[target], abs=1e-6)
    last = told.top_labels[0]  # lime keeps the fit of the target that it did last, which is the largest
    assert found.fit_r2[last] == pytest.approx(told.score, abs=1e-6)
    assert found.intercepts[last] + found.weights[last].sum() == pytest.approx(told.local_pred[0], abs=1e-6)


@pytest.mark.parametrize("batch_size", (1, 3, 7, 32))
def test_lime_against_itself_batches_do_not_matter(components, predictor, batch_size):
    one, other = (
        explain_with_lime(predictor, components, settings=quick(batch_size=size)) for size in (16, batch_size)
    )
    for name in ("weights", "standard_errors", "intercepts"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-6)
    for name in ("p_values", "neighbourhood_r2", "fit_r2"):  # quotients of such numbers, here of float32's noise
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-3)


@pytest.mark.parametrize("batch_size", (1, 7, 32))
def test_lime_against_itself_batches_do_not_matter_to_the_default_model(components, batch_size):
    shipped = load_predictor(device="cpu")
    one, other = (explain_with_lime(shipped, components, settings=quick(batch_size=size)) for size in (16, batch_size))
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-6)


def test_lime_against_itself_a_seed_gives_the_same_to_the_bit(components, predictor):
    runs = [explain_with_lime(predictor, components, settings=quick(seed=seed, design="iid")) for seed in (1, 1, 2)]
    for name in ARRAYS:
        assert np.array_equal(getattr(runs[0], name), getattr(runs[1], name))
    assert not np.array_equal(runs[0].weights, runs[2].weights)
    assert runs[0].clip_r2 == runs[1].clip_r2


@pytest.mark.parametrize("names", (("valence", "energy"), ("groove",)))
def test_lime_against_theory_any_names_without_a_layer(rng, components, names):
    truth = rng.normal(size=(len(names), 12))
    predict = linear_predict(components, truth, names=names)
    found = explain_with_lime(predict, components, settings=quick(alpha=0.0))
    assert found.names == names
    assert found.weights.shape == (len(names), 12)
    assert np.isnan(found.clip_r2) == (len(names) == 1)


def test_lime_against_theory_noise_is_fitted_but_not_foretold(components):
    class Noise:
        names, mid_to_emotion, device = ("noise",), None, torch.device("cpu")
        takes: Takes = "spectrogram"

        def __call__(self, spectrograms, /):
            return torch.sin(1e3 * spectrograms.double().sum(dim=(1, 2)))[:, None]

    settings = LimeSettings(n_perturbations=18, n_held_out=64, design="iid", alpha=0.0, kernel_width=None)
    found = explain_with_lime(Noise(), components, settings=settings)
    assert found.fit_r2[0] > 0.5  # 13 numbers for 18 scores
    assert found.neighbourhood_r2[0] < 0.0  # on masks that the fit has not seen


def test_lime_against_the_design_progress_is_told(components, predictor):
    told = []
    settings = LimeSettings(n_perturbations=40, n_held_out=8, batch_size=16)
    explain_with_lime(predictor, components, settings=settings, progress=lambda *numbers: told.append(numbers))
    assert told[-1] == (40, 40)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_parity_against_the_notebook():
    assert (PARITY.n_perturbations, PARITY.design, PARITY.off, PARITY.kernel_width, PARITY.alpha) == (
        50_000, "iid", "silence", 0.25, 1.0,
    )  # fmt: skip
    assert LimeSettings(**asdict(PARITY)) == PARITY


@pytest.mark.parametrize(
    ("answer", "message"),
    (
        (lambda n: torch.full((n, 7), torch.nan), "must give finite scores, got 112 that are not"),
        (lambda n: torch.full((n, 7), -torch.inf), "must give finite scores"),
        (lambda n: torch.zeros(n, 6), r"must give scores of shape \(16, 7\), got \(16, 6\)"),
        (lambda n: torch.zeros(n + 1, 7), r"must give scores of shape \(16, 7\), got \(17, 7\)"),
        (lambda n: torch.zeros(7), r"must give scores of shape \(16, 7\), got \(7,\)"),
    ),
)
def test_lime_iv_scores(components, answer, message):
    class Broken:
        names, mid_to_emotion, device = MIDLEVEL_NAMES, None, torch.device("cpu")
        takes: Takes = "spectrogram"

        def __call__(self, spectrograms, /):
            return answer(len(spectrograms))

    with pytest.raises(EmomodError, match=message):
        explain_with_lime(Broken(), components, settings=quick())


@pytest.mark.parametrize(("design", "least"), (("iid", 14), ("paired", 26), ("hadamard", 26)))
def test_lime_iv_too_few_masks(components, predictor, design, least):
    with pytest.raises(
        InputError, match=f"n_perturbations must be at least {least} for 12 components .* {design}, got"
    ):
        explain_with_lime(predictor, components, settings=LimeSettings(n_perturbations=least - 1, design=design))


@pytest.mark.parametrize(
    ("setting", "message"),
    (
        ({"n_perturbations": 1}, "n_perturbations must be a whole number of at least 2"),
        ({"n_held_out": 1}, "n_held_out must be a whole number of at least 2"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
        ({"design": "sobol"}, "design must be one of"),
        ({"off": "loud"}, "off must be a cut in dB"),
        ({"alpha": -1.0}, "alpha must be a finite number"),
        ({"kernel_width": 0.0}, "kernel_width must be a finite number"),
        ({"seed": -1}, "a seed must be >= 0"),
    ),
)
def test_lime_settings_iv(setting, message):
    with pytest.raises(InputError, match=message):
        LimeSettings(**setting)


@pytest.mark.parametrize("settings", (quick(), quick(design="iid", off="silence", kernel_width=0.25)))
def test_a_curve_against_single_runs(components, predictor, settings):
    counts, told = [28, 64, 100], []
    curve = lime_curve(
        predictor, components, settings=settings, counts=counts, progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (100, 100)
    assert [done for done, _ in told] == sorted({done for done, _ in told})  # no mask is scored twice
    for count, found in zip(counts, curve, strict=True):
        alone = explain_with_lime(predictor, components, settings=replace(settings, n_perturbations=count))
        for name in ARRAYS:
            np.testing.assert_allclose(getattr(found, name), getattr(alone, name), rtol=1e-6, atol=1e-9)


def test_a_curve_iv(components, predictor):
    def curve(counts, **settings):
        return lime_curve(predictor, components, settings=quick(**settings), counts=counts)

    with pytest.raises(InputError, match=r"n_perturbations must be at least 26 for 12 components .*, got 0"):
        curve([])
    with pytest.raises(InputError, match=r"n_perturbations must be at least 26 .*, got 20"):
        curve([20, 64])
    with pytest.raises(InputError, match=r"counts of masks must ascend, got \[64, 32\]"):
        curve([64, 32])
    with pytest.raises(InputError, match=r"counts of masks must be even for the design paired, got \[27, 64\]"):
        curve([27, 64], design="paired")
    assert len(curve([27, 64], design="iid")) == 2
