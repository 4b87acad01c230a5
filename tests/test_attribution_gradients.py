from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam, Saliency
from fakes import grid_components, linear_predict, tiny_checkpoint, tones
from games import Game, Network
from scipy import stats

from emomod.attribution.grad_cam import GradCamSettings, explain_with_grad_cam
from emomod.attribution.gradients import (
    GradientSettings,
    IntegratedGradientsSettings,
    SmoothGradSettings,
    explain_with_gradient,
    explain_with_integrated_gradients,
    explain_with_smoothgrad,
)
from emomod.components.base import Layers, sound_of
from emomod.components.layered import layered
from emomod.components.off import switched
from emomod.errors import EmomodError, InputError
from emomod.labels import SCORE_NAMES
from emomod.mixtures import model_inputs
from emomod.model.mid_to_emotion import published_layer
from emomod.model.predictor import Takes, load_predictor
from emomod.spectrogram import stft

LOW = 10**-0.3
SLOPES = (
    (GradientSettings, explain_with_gradient),
    (SmoothGradSettings, explain_with_smoothgrad),
    (IntegratedGradientsSettings, explain_with_integrated_gradients),
)
METHODS = (*SLOPES, (GradCamSettings, explain_with_grad_cam))
NAMES = ("a", "b", "c")


def curved(gains):
    """Scores that are not linear in gains: a square, a product, a bent one."""
    return torch.stack([gains.square().sum(dim=1), gains[:, :3].prod(dim=1), torch.tanh(gains @ SIGNS)], dim=1)


SIGNS = torch.tensor([1.0, -1.0, 0.5] * 4).double()


def drawn_gains(settings, n_components, *, low):
    """The points of SmoothGrad, as its documentation says."""
    noise = np.random.default_rng(settings.seed).standard_normal((settings.n_samples, n_components))
    return np.abs(1.0 + settings.noise * (1.0 - low) * noise)


@pytest.fixture(scope="module")
def components():
    return grid_components()


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return load_predictor(tiny_checkpoint(tmp_path_factory.mktemp("gradients") / "t.safetensors"), device="cpu")


@pytest.mark.parametrize(("kind", "explain"), SLOPES)
@pytest.mark.parametrize(("off", "left"), (("silence", 0.0), ("-6dB", LOW), ("-20dB", 0.1)))
def test_slopes_against_theory_a_linear_model_is_recovered(rng, components, kind, explain, off, left):
    truth, layer = rng.normal(size=(7, 12)), published_layer()
    predict = Game(components, lambda gains: gains @ torch.from_numpy(truth).T, SCORE_NAMES, layer)
    found = explain(predict, components, settings=kind(off=off))
    np.testing.assert_allclose(found.weights[:7], (1 - left) * truth, atol=1e-5)
    np.testing.assert_allclose(found.weights[7:], layer.weights @ found.weights[:7], atol=1e-12)
    np.testing.assert_allclose(found.intercepts[:7], left * truth.sum(axis=1), atol=1e-5)
    np.testing.assert_allclose(found.neighbourhood_r2, 1.0, atol=1e-6)
    assert np.isnan(found.fit_r2).all()
    assert (found.standard_errors is None) == (kind is not SmoothGradSettings)


def test_gradient_against_theory_of_curved_scores(components):
    found = explain_with_gradient(Game(components, curved, NAMES), components, settings=GradientSettings())
    at_one = torch.tanh(SIGNS.sum())
    np.testing.assert_allclose(found.weights[0], (1 - LOW) * 2.0, atol=1e-5)
    np.testing.assert_allclose(found.weights[1], (1 - LOW) * np.array([1.0] * 3 + [0.0] * 9), atol=1e-5)
    np.testing.assert_allclose(found.weights[2], (1 - LOW) * (1 - at_one**2) * SIGNS, atol=1e-5)


def test_integrated_gradients_against_theory_of_curved_scores(components):
    settings = IntegratedGradientsSettings(off="silence", n_steps=8)
    found = explain_with_integrated_gradients(Game(components, curved, NAMES), components, settings=settings)
    np.testing.assert_allclose(found.weights[0], 1.0, atol=1e-5)
    np.testing.assert_allclose(found.weights[1], [1 / 3] * 3 + [0.0] * 9, atol=1e-5)
    np.testing.assert_allclose(found.weights[2], torch.tanh(SIGNS.sum()) * SIGNS / SIGNS.sum(), atol=1e-4)


@pytest.mark.parametrize("off", ("silence", "-6dB", "mean", "background"))
def test_integrated_gradients_against_theory_weights_sum_to_the_change(components, predictor, off):
    settings = IntegratedGradientsSettings(off=off, n_steps=200, n_held_out=2)
    found = explain_with_integrated_gradients(predictor, components, settings=settings)
    above, low = switched(components, off)
    on, without = predictor(above.mix(torch.tensor([[1.0] * 12, [low] * 12]))).double().numpy()
    np.testing.assert_allclose(found.weights.sum(axis=1), on - without, atol=0.01 * np.abs(on - without).max())
    np.testing.assert_allclose(found.intercepts, without, atol=0.01 * np.abs(on - without).max())


@pytest.mark.parametrize("target", (0, 6, 14))
def test_slopes_against_captum_of_one_target(components, predictor, target):
    def score(gains):
        return predictor.differentiable(components.mix(gains))[:, target]

    def on():
        return torch.ones(1, 12, requires_grad=True)

    theirs = Saliency(score).attribute(on(), abs=False)[0].numpy()
    found = explain_with_gradient(predictor, components, settings=GradientSettings(n_held_out=2))
    np.testing.assert_allclose(found.weights[target], (1 - LOW) * theirs, atol=1e-6)
    theirs = (
        IntegratedGradients(score).attribute(on(), baselines=LOW * torch.ones(1, 12), n_steps=9)[0].detach().numpy()
    )
    settings = IntegratedGradientsSettings(n_held_out=2, n_steps=9)
    found = explain_with_integrated_gradients(predictor, components, settings=settings)
    np.testing.assert_allclose(found.weights[target], theirs, atol=1e-6)


def test_slopes_against_theory_they_are_sums_over_cells(components, predictor):
    """The chain rule, by hand: slopes by the cells of the spectrogram times the cells' slopes by a gain."""
    spectrogram = components.mix(torch.ones(1, 12)).requires_grad_()
    (by_cell,) = torch.autograd.grad(predictor.differentiable(spectrogram)[0, 3], spectrogram)
    magnitudes = (
        10.0 ** spectrogram.detach().double() - 1.0
    )  # log10(1 + g m) has the slope m / (1 + m) / ln 10 at g = 1
    cells = (by_cell * magnitudes / (1.0 + magnitudes) / np.log(10.0)).numpy().ravel()
    expected = np.bincount(components.regions.ravel(), cells)
    found = explain_with_gradient(predictor, components, settings=GradientSettings(off="silence", n_held_out=2))
    np.testing.assert_allclose(found.weights[3], expected, atol=1e-6)


@pytest.mark.parametrize("noise", (0.15, 1.0))
def test_smoothgrad_against_its_definition(components, noise):
    settings = SmoothGradSettings(off="silence", n_samples=20, noise=noise, seed=5)
    found = explain_with_smoothgrad(Game(components, curved, NAMES), components, settings=settings)
    assert found.standard_errors is not None
    assert found.p_values is not None
    gains = drawn_gains(settings, 12, low=0.0)
    others = np.stack([np.roll(gains[:, :3], shift, axis=1) for shift in (1, 2)]).prod(axis=0)
    np.testing.assert_allclose(found.weights[0], 2.0 * gains.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.weights[1, :3], others.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.standard_errors[0], 2.0 * stats.sem(gains, axis=0), rtol=1e-4)
    np.testing.assert_allclose(found.p_values[1, :3], stats.ttest_1samp(others, 0.0).pvalue, rtol=1e-3)
    assert found.p_values[1, 3:].tolist() == [1.0] * 9  # nothing ever depends on the other components


def test_smoothgrad_against_theory_standard_errors_are_the_spread_over_seeds(components):
    layer = published_layer()

    def midlevel(gains):
        return torch.cat([curved(gains), curved(gains.square()), gains[:, :1].square()], dim=1)

    runs = [
        explain_with_smoothgrad(
            Game(components, midlevel, SCORE_NAMES, layer),
            components,
            settings=SmoothGradSettings(n_samples=12, noise=0.5, n_held_out=2, seed=seed, batch_size=64),
        )
        for seed in range(150)
    ]
    spread = np.std([run.weights for run in runs], axis=0)
    stated = np.sqrt(np.mean([np.square(np.asarray(run.standard_errors)) for run in runs], axis=0))
    varies = spread > 1e-6
    assert varies.sum() > 100
    np.testing.assert_allclose((stated / np.where(varies, spread, 1.0))[varies], 1.0, atol=0.3)
    assert (stated[7:] / spread[7:]).mean() == pytest.approx(1.0, abs=0.05)


@dataclass(frozen=True, eq=False)
class Waves:
    """Scores of waveforms: a projection, and the power of a difference."""

    by: torch.Tensor  # [n_samples]
    names: tuple[str, ...] = ("projection", "roughness")
    mid_to_emotion: None = None
    takes: Takes = "waveform"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    module: torch.nn.Module = field(default_factory=torch.nn.Identity)

    def differentiable(self, waveforms: torch.Tensor, /) -> torch.Tensor:
        y = waveforms.double()
        return torch.stack([y @ self.by, (y[:, 1:] - y[:, :-1]).square().sum(dim=1)], dim=1)

    @torch.no_grad()
    def __call__(self, waveforms: torch.Tensor, /) -> torch.Tensor:
        return self.differentiable(waveforms)


@pytest.fixture(scope="module")
def sources():
    """Two tones with phases of their own, as two layers over a third that always sounds."""
    parts = [0.3 * tones(1.0, seed=seed) for seed in (1, 2, 3)]
    sound = sound_of(np.sum(parts, axis=0))
    transforms = torch.stack([stft(part / np.float32(sound.spectrogram.peak)) for part in parts])
    layers = Layers(("one", "two"), transforms[:2], shared_phase=False, rest=transforms[2])
    return parts, layered(sound, layers=layers)


def test_slopes_against_theory_of_a_model_of_waveforms(rng, sources):
    (one, two, rest), components = sources
    by = rng.normal(size=len(one))
    predict = Waves(torch.from_numpy(by))
    found = explain_with_gradient(predict, components, settings=GradientSettings(off="silence"))
    np.testing.assert_allclose(found.weights[0], [one @ by, two @ by], atol=1e-3)
    steps = [np.diff(part.astype(np.float64)) for part in (one, two, rest)]
    whole = np.sum(steps, axis=0)
    np.testing.assert_allclose(found.weights[1], [2 * steps[0] @ whole, 2 * steps[1] @ whole], rtol=1e-3)
    found = explain_with_integrated_gradients(predict, components, settings=IntegratedGradientsSettings(off="silence"))
    halfway = steps[2] + (steps[0] + steps[1]) / 2  # the mean of the way there
    np.testing.assert_allclose(found.weights[1], [2 * steps[0] @ halfway, 2 * steps[1] @ halfway], rtol=1e-3)


@pytest.mark.parametrize("off", ("mean", "noise_floor", "background"))
def test_slopes_against_finite_differences_above_a_floor(components, off):
    predict, (above, low) = Game(components, curved, NAMES), switched(components, off)
    found = explain_with_gradient(predict, components, settings=GradientSettings(off=off, n_held_out=2))
    gains = 1.0 + 1e-2 * torch.cat([torch.eye(12), -torch.eye(12)])
    up, down = predict(above.mix(gains)).double().numpy().reshape(2, 12, 3)
    np.testing.assert_allclose(found.weights, (up - down).T / 2e-2 * (1 - low), atol=1e-3)
    assert np.abs(found.weights - (1 - low) * 2.0).max() > 0.1  # there is a floor below the slopes


@pytest.mark.parametrize(("kind", "explain"), METHODS)
@pytest.mark.parametrize("batch_size", (1, 3, 64))
def test_gradients_against_themselves_batches_do_not_matter(components, predictor, kind, explain, batch_size):
    one, other = (
        explain(predictor, components, settings=kind(n_held_out=16, batch_size=size)) for size in (16, batch_size)
    )
    for name in ("weights", "intercepts"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-6)


@pytest.mark.parametrize(("kind", "explain"), METHODS)
def test_gradients_against_themselves_settings_give_the_same_to_the_bit(components, predictor, kind, explain):
    runs = [explain(predictor, components, settings=kind(n_held_out=16)) for _ in range(2)]
    assert np.array_equal(runs[0].weights, runs[1].weights)
    if kind is SmoothGradSettings:
        other = explain(predictor, components, settings=kind(n_held_out=16, seed=1))
        assert not np.array_equal(runs[0].weights, other.weights)


@pytest.mark.parametrize(("kind", "explain"), METHODS)
def test_gradients_leave_the_network_as_it_was(components, predictor, kind, explain):
    for parameter in predictor.module.parameters():
        parameter.requires_grad_(False)
    explain(predictor, components, settings=kind(n_held_out=2))
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in predictor.module.parameters())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in predictor.module.modules())
    assert not predictor.module.training
    with torch.no_grad():  # also where a caller wants no gradients
        explain(predictor, components, settings=kind(n_held_out=2))
    for parameter in predictor.module.parameters():
        parameter.requires_grad_(True)
    explain(predictor, components, settings=kind(n_held_out=2))
    assert all(parameter.requires_grad and parameter.grad is None for parameter in predictor.module.parameters())


@pytest.mark.parametrize(("kind", "explain", "passes"), ((*SLOPES[0], [2]), (*SLOPES[1], [6, 4]), (*SLOPES[2], [6, 4])))
def test_slopes_against_the_design_one_pass_for_all_targets(components, kind, explain, passes):
    sizes, n_points = [], {SmoothGradSettings: {"n_samples": 10}, IntegratedGradientsSettings: {"n_steps": 10}}

    def counting(gains):
        if gains.requires_grad:
            sizes.append(len(gains))
        return curved(gains)

    told, settings = [], kind(batch_size=6, **n_points.get(kind, {}))
    explain(
        Game(components, counting, NAMES),
        components,
        settings=settings,
        progress=lambda *numbers: told.append(numbers),
    )
    assert sizes == passes  # a batch of one is doubled
    assert told[-1] == ((1, 1) if kind is GradientSettings else (10, 10))


@pytest.mark.parametrize(("kind", "explain"), METHODS)
def test_gradients_iv_a_model_without_them(components, kind, explain):
    predict = linear_predict(components, np.ones((7, 12)))
    method = kind.__name__.removesuffix("Settings")
    with pytest.raises(InputError, match=f"{method} needs a model that can be differentiated.*got LinearPredict; lime"):
        explain(predict, components, settings=kind())


@pytest.mark.parametrize(("kind", "explain"), SLOPES)
def test_slopes_iv_scores_that_have_none(components, kind, explain):
    factor = torch.nn.Parameter(torch.ones(1))
    for scores in (lambda gains: curved(gains.detach()), lambda gains: factor * curved(gains.detach())):
        with pytest.raises(InputError, match="must let gradients through from scores to sounds, none arrive"):
            explain(Game(components, scores, NAMES), components, settings=kind())
    broken = Game(components, lambda gains: (gains[:, :3] - gains[:, :3].detach()).abs().sqrt() + 1.0, NAMES)
    with pytest.raises(EmomodError, match="the model must have finite gradients, got"):
        explain(broken, components, settings=kind())
    with pytest.raises(EmomodError, match=r"must give scores of shape \(\d+, 2\)"):
        explain(Game(components, curved, NAMES[:2]), components, settings=kind())


@pytest.mark.parametrize(("kind", "explain"), SLOPES)
def test_slopes_of_a_score_that_does_not_depend_on_the_sound(components, kind, explain):
    def scores(gains):
        return torch.stack([gains.sum(dim=1), torch.full((len(gains),), 0.5).double()], dim=1)

    found = explain(Game(components, scores, NAMES[:2]), components, settings=kind())
    assert found.weights[1].tolist() == [0.0] * 12
    assert found.intercepts[1] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("kind", "setting", "message"),
    (
        (GradientSettings, {"off": "loud"}, "off must be"),
        (SmoothGradSettings, {"n_samples": 1}, "n_samples must be a whole number of at least 2"),
        (SmoothGradSettings, {"noise": 0.0}, "noise must be a finite number"),
        (SmoothGradSettings, {"noise": 1.5}, "noise must be a finite number"),
        (SmoothGradSettings, {"seed": -1}, "a seed must be >= 0"),
        (IntegratedGradientsSettings, {"n_steps": 0}, "n_steps must be a whole number of at least 1"),
        (IntegratedGradientsSettings, {"batch_size": 0}, "batch_size must be a whole number of at least 1"),
        (GradCamSettings, {"n_held_out": 1}, "n_held_out must be a whole number of at least 2"),
    ),
)
def test_settings_iv(kind, setting, message):
    with pytest.raises(InputError, match=message):
        kind(**setting)


def network(*, stride=1):
    """Three scores of the means of two maps, each of whose cells hears one of the sound, or stride x stride."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        pooled = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(2, 3))
        convolution = torch.nn.Conv2d(1, 2, stride, stride=stride)
    with torch.no_grad():
        convolution.weight.copy_(
            torch.tensor([1.0, 0.5])[:, None, None, None].expand_as(convolution.weight) / stride**2
        )
        convolution.bias = torch.nn.Parameter(torch.tensor([0.0, -0.4]))
    return torch.nn.Sequential(convolution, torch.nn.ReLU(), pooled)


def test_grad_cam_against_theory_maps_of_single_cells(components):
    model = network()
    found = explain_with_grad_cam(Network(model, NAMES), components, settings=GradCamSettings(off="silence"))
    spectrogram = components.mix(torch.ones(1, 12))
    maps = model[1](model[0](spectrogram[:, None]))[0].detach()  # the mean and the linear layer follow
    weighted = torch.einsum("tc,cbf->tbf", model[2][2].weight.detach(), maps).double() / maps[0].numel()
    expected = [np.bincount(components.regions.ravel(), each.ravel()) for each in weighted]
    np.testing.assert_allclose(found.weights, expected, atol=1e-5)
    score = model(spectrogram[:, None])[0] - model[2][2].bias
    np.testing.assert_allclose(found.weights.sum(axis=1), score.detach(), atol=1e-5)


def test_grad_cam_against_theory_of_a_coarse_map(components):
    found = explain_with_grad_cam(
        Network(network(stride=4), NAMES), components, settings=GradCamSettings(off="silence")
    )
    fine = explain_with_grad_cam(Network(network(), NAMES), components, settings=GradCamSettings(off="silence"))
    for coarse, exact in zip(found.weights, fine.weights, strict=True):
        assert np.corrcoef(coarse, exact)[0, 1] > 0.9  # what a place says is heard there, and nowhere else


def test_grad_cam_against_theory_its_sum_is_the_score_of_emomods_network(components, predictor):
    found = explain_with_grad_cam(predictor, components, settings=GradCamSettings(n_held_out=2))
    score = predictor(components.mix(torch.ones(2, 12)))[0, :7] - predictor.module.head.bias
    np.testing.assert_allclose(found.weights[:7].sum(axis=1), (1 - LOW) * score.detach(), rtol=0.05, atol=1e-3)
    layer = predictor.mid_to_emotion
    np.testing.assert_allclose(found.weights[7:], layer.weights @ found.weights[:7], atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "module"), (("trunk.12.0", "trunk.12.0"), ("trunk.12", "trunk.12.2"), ("", "trunk.12.2"))
)
def test_grad_cam_against_captum(components, predictor, layer, module):
    sound = components.mix(torch.ones(1, 12)).requires_grad_()
    cam = LayerGradCam(predictor.differentiable, predictor.module.get_submodule(module))
    maps = cam.attribute(sound, target=2)
    spread = torch.nn.functional.interpolate(maps, sound.shape[1:], mode="bilinear")[0, 0].detach().double().numpy()
    expected = np.bincount(components.regions.ravel(), spread.ravel()) * maps.numel() / spread.size
    found = explain_with_grad_cam(predictor, components, settings=GradCamSettings(layer=layer, off="silence"))
    np.testing.assert_allclose(found.weights[2], expected, atol=1e-6)


def test_grad_cam_against_theory_components_that_share_cells():
    """Two layers, of a quarter and three quarters of the sound: each has its share of every cell's map."""
    sound = sound_of(tones(1.0))
    transform = sound.spectrogram.transform
    shared = Layers(("little", "much"), torch.stack([0.25 * transform, 0.75 * transform]), shared_phase=True)
    found = explain_with_grad_cam(Network(network(), NAMES), layered(sound, layers=shared), settings=GradCamSettings())
    np.testing.assert_allclose(found.weights[:, 1], 3.0 * found.weights[:, 0], rtol=1e-5)


class Residual(torch.nn.Module):
    """Its ReLU is called twice, as in a residual network; the last maps are what it gives at last."""

    def __init__(self):
        super().__init__()
        self.one, self.two = torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Conv2d(4, 4, 3, padding=1)
        self.relu, self.head = torch.nn.ReLU(), torch.nn.Linear(4, 3)

    def forward(self, x):
        before = self.relu(self.one(x))
        return self.head(self.relu(before + self.two(before)).mean(dim=(2, 3)))


def test_grad_cam_against_theory_a_module_that_is_called_twice(components):
    model = Residual().eval()
    found = explain_with_grad_cam(Network(model, NAMES), components, settings=GradCamSettings(off="silence"))
    score = model(components.mix(torch.ones(1, 12))[:, None])[0] - model.head.bias
    np.testing.assert_allclose(found.weights.sum(axis=1), score.detach(), atol=1e-4)


def test_grad_cam_iv(components, predictor, sources):
    with pytest.raises(InputError, match="grad_cam is for models that take spectrograms"):
        explain_with_grad_cam(Waves(torch.ones(22_050).double()), sources[1], settings=GradCamSettings())
    flat = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(1, 3))
    with pytest.raises(InputError, match=r"grad_cam needs a network with convolutions .*Conv2d"):
        explain_with_grad_cam(Network(flat, NAMES), components, settings=GradCamSettings())
    with pytest.raises(InputError, match=r"layer of grad_cam must be one of .*did you mean trunk.12"):
        explain_with_grad_cam(predictor, components, settings=GradCamSettings(layer="trunk.12.z"))
    for layer in ("head", "trunk"):
        with pytest.raises(InputError, match=rf"layer of grad_cam must be a module that gives maps .*: {layer}"):
            explain_with_grad_cam(predictor, components, settings=GradCamSettings(layer=layer))


@pytest.mark.parametrize(("kind", "explain"), METHODS)
def test_gradients_of_the_default_model(components, kind, explain):
    shipped = load_predictor(device="cpu")
    found = explain(shipped, components, settings=kind(n_held_out=16))
    assert found.names == SCORE_NAMES
    assert found.weights.shape == (15, 12)
    assert np.abs(found.weights).max() > 1e-4
    at_clip = shipped(model_inputs(shipped, components, torch.ones(2, 12)))[0].double().numpy()
    np.testing.assert_allclose(found.intercepts + found.weights.sum(axis=1), at_clip, atol=1e-5)
    assert (found.neighbourhood_r2 < 1.0).all()
