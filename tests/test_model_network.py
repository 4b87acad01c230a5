import numpy as np
import pytest
import torch
from fakes import tiny_checkpoint
from torch import nn

from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.network import ARCHITECTURES, MIN_FRAMES, EmotionNetwork
from emomod.model.predictor import load_predictor

# channels in, channels out, kernel, stride, padding; then where pooling and dropout stand
DESIGN = (
    (1, 64, 5, 2, 2), (64, 64, 3, 1, 1), "pool", (64, 128, 3, 1, 1), (128, 128, 3, 1, 1), "pool", (128, 256, 3, 1, 1),
    (256, 256, 3, 1, 1), (256, 384, 3, 1, 1), (384, 512, 3, 1, 1), (512, 256, 3, 1, 0), "average",
)  # fmt: skip


def test_network_against_the_design_layers():
    names = {nn.MaxPool2d: "pool", nn.AdaptiveAvgPool2d: "average"}
    found: list[object] = []
    for module in EmotionNetwork().trunk.modules():
        if isinstance(module, nn.Conv2d):
            kernel, stride, padding = module.kernel_size[0], module.stride[0], int(module.padding[0])
            found.append((module.in_channels, module.out_channels, kernel, stride, padding))
        elif type(module) in names:
            found.append(names[type(module)])
    assert found == list(DESIGN)


@pytest.mark.parametrize(
    ("architecture", "head"), (("a2e", 257 * 8), ("a2mid2e", 257 * 7 + 8 * 8), ("a2mid2e-joint", 257 * 7 + 8 * 8))
)
def test_network_against_theory_parameter_count(architecture, head):
    convolutions = [layer for layer in DESIGN if isinstance(layer, tuple)]
    expected = head + sum(n_in * n_out * kernel**2 + 2 * n_out for n_in, n_out, kernel, *_ in convolutions)
    found = sum(parameter.numel() for parameter in EmotionNetwork(architecture).parameters())
    assert found == expected
    assert round(found / 1e6, 1) == 5.0  # what the design says
    if architecture == "a2mid2e-joint":
        assert found == 4_984_199


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("n_frames", (1, MIN_FRAMES - 1, MIN_FRAMES, 313, 400))
def test_network_against_the_design_shapes(architecture, n_frames):
    network = EmotionNetwork(architecture, width=0.05).eval()
    with torch.inference_mode():
        scores = network(torch.rand(2, 149, n_frames))
    assert scores.shape == (2, len(network.names))
    assert network.names == (EMOTION_NAMES if architecture == "a2e" else MIDLEVEL_NAMES + EMOTION_NAMES)


def test_network_against_theory_short_sounds_are_padded_with_silence():
    network = EmotionNetwork(width=0.05).eval()
    short = torch.rand(1, 149, 10)
    padded = torch.cat([short, torch.zeros(1, 149, MIN_FRAMES - 10)], dim=2)
    with torch.inference_mode():
        assert torch.equal(network(short), network(padded))


@pytest.mark.parametrize("width", (0.05, 0.25, 0.5))
def test_network_against_theory_width_scales_every_channel(width):
    layers = [module for module in EmotionNetwork(width=width).trunk.modules() if isinstance(module, nn.Conv2d)]
    assert [layer.out_channels for layer in layers] == [
        round(width * row[1]) for row in DESIGN if isinstance(row, tuple)
    ]


def test_network_against_theory_emotions_are_linear_in_the_midlevel_scores(tmp_path, rng):
    predictor = load_predictor(tiny_checkpoint(tmp_path / "t.safetensors"), device="cpu")
    spectrograms = torch.from_numpy(rng.random((5, 149, 60), dtype=np.float32))
    scores = predictor(spectrograms).double().numpy()
    layer = predictor.mid_to_emotion
    assert layer is not None
    np.testing.assert_allclose(layer.emotions(scores[:, :7]), scores[:, 7:], atol=1e-6)
    np.testing.assert_allclose(predictor(spectrograms[3:4])[0], scores[3], atol=1e-6)
    assert np.ptp(scores, axis=0).min() > 0  # the fake model hears differences


def test_network_iv():
    with pytest.raises(InputError, match="architecture must be one of a2e, a2mid2e, a2mid2e-joint, got 'vgg'"):
        EmotionNetwork("vgg")
    with pytest.raises(InputError, match="width must be a finite number"):
        EmotionNetwork(width=0)


def test_predictor_iv(tmp_path):
    path = tiny_checkpoint(tmp_path / "t.safetensors", architecture="a2e")
    with pytest.raises(InputError, match=r"target must be one of valence, energy, .*, got 'articulation'"):
        load_predictor(path, device="cpu").check_name("articulation")
    with pytest.raises(InputError, match="device must be one of cpu, cuda, got 'tpu'"):
        load_predictor(path, device="tpu")
