"""Engines: the same network in other ways; what differs is rounding, and neighbours in a batch never matter."""

import os
import pickle
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
import torch
from fakes import tiny_checkpoint

from emomod.errors import EmomodError, InputError
from emomod.model import engines, ncnn_network
from emomod.model.engines import ENGINES, best_engine, build_engine, fold_batch_norms
from emomod.model.ncnn_network import NcnnFeatures, has_ncnn
from emomod.model.network import ARCHITECTURES, MIN_FRAMES, EmotionNetwork
from emomod.model.predictor import load_predictor

CPU = torch.device("cpu")
needs_ncnn = pytest.mark.skipif(not has_ncnn(), reason="ncnn is not installed")
with_ncnn = ["torch", pytest.param("ncnn", marks=needs_ncnn)]
bfloat16_here = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def network_of(architecture="a2mid2e-joint", *, width=0.1, seed=0):
    """A network as it could come out of training: batch norms have seen data."""
    torch.manual_seed(seed)
    network = EmotionNetwork(architecture, width=width).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.get_buffer("running_mean"), -0.2, 0.2)
            torch.nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2.0)
            module.weight.data.uniform_(0.5, 2.0)
            module.bias.data.uniform_(-0.2, 0.2)
        elif isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return network


def sounds_of(n=5, n_frames=60, seed=0):
    sounds = torch.rand(n, 149, n_frames, generator=torch.Generator().manual_seed(seed))
    return sounds * torch.linspace(0.2, 1.5, n)[:, None, None]


@torch.inference_mode()
def scores_by(name, network, sounds):
    return build_engine(name, network, CPU)(sounds).numpy()


def agree(found, expected):
    """Same but for rounding in float32."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", with_ncnn)
def test_engines_against_the_network_float32(name, architecture):
    network, sounds = network_of(architecture), sounds_of()
    expected = scores_by("network", network, sounds)
    found = scores_by(name, network, sounds)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert np.ptp(expected, axis=0).min() > 1e-4  # else anything would agree
    agree(found, expected)


@pytest.mark.parametrize("n_frames", (1, MIN_FRAMES - 1, MIN_FRAMES, 61, 313))
@pytest.mark.parametrize("name", with_ncnn)
def test_engines_against_the_network_lengths_of_sounds(name, n_frames):
    network, sounds = network_of(), sounds_of(2, n_frames)
    agree(scores_by(name, network, sounds), scores_by("network", network, sounds))


@pytest.mark.parametrize("width", (0.03, 0.5))
@pytest.mark.parametrize("name", with_ncnn)
def test_engines_against_the_network_widths(name, width):
    network, sounds = network_of(width=width), sounds_of(2)
    agree(scores_by(name, network, sounds), scores_by("network", network, sounds))


@pytest.mark.skipif(not bfloat16_here, reason="this CPU does not compute in bfloat16")
def test_bfloat16_against_the_network():
    network, sounds = network_of(), sounds_of()
    expected, found = scores_by("network", network, sounds), scores_by("bfloat16", network, sounds)
    assert found.dtype == np.float32
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert 1e-6 < error < 2e-2  # 8 bits, and no more than those


@pytest.mark.parametrize("batch_size", (1, 2, 3, 8, 11))
@pytest.mark.parametrize("name", with_ncnn)
def test_engines_against_themselves_batches_do_not_matter_to_the_bit(name, batch_size):
    engine, sounds = build_engine(name, network_of(), CPU), sounds_of(11)
    with torch.inference_mode():
        parts = [engine(batch) for batch in sounds.split(batch_size)]
        assert torch.equal(torch.cat(parts), engine(sounds))


@pytest.mark.parametrize("name", with_ncnn)
def test_engines_against_themselves_sounds_that_are_no_block_of_memory(name):
    engine, sounds = build_engine(name, network_of(), CPU), sounds_of(4)
    turned = sounds.transpose(1, 2).contiguous().transpose(1, 2)
    with torch.inference_mode():
        assert not turned.is_contiguous()
        assert torch.equal(engine(turned), engine(sounds))
        assert torch.equal(engine(sounds[::2]), engine(sounds)[::2])


@pytest.mark.parametrize("name", with_ncnn)
def test_engines_against_the_design_all_of_the_weights_are_copied(name):
    network, sounds = network_of(), sounds_of()
    engine = build_engine(name, network, CPU)
    with torch.inference_mode():
        before = engine(sounds)
        for tensor in (network.head.weight, next(network.trunk.parameters())):
            tensor.mul_(2.0)
        assert torch.equal(engine(sounds), before)


def test_fold_batch_norms_against_the_network():
    network = network_of()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    folded = fold_batch_norms(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])  # the network itself is as it was
    with torch.inference_mode():
        agree(folded(sounds_of()).numpy(), network(sounds_of()).numpy())


def test_best_engine_against_the_design(monkeypatch):
    monkeypatch.setattr(engines, "has_ncnn", lambda: True)
    assert best_engine(CPU) == "ncnn"
    assert best_engine(torch.device("cuda")) == "torch"
    monkeypatch.setattr(engines, "has_ncnn", lambda: False)
    assert best_engine(CPU) == "torch"


@pytest.mark.parametrize("name", with_ncnn)
def test_load_predictor_against_the_design_its_engine(tmp_path, name):
    path, sounds = tiny_checkpoint(tmp_path / "t.safetensors"), sounds_of()
    assert load_predictor(path, device="cpu").engine == best_engine(CPU)
    found, expected = (load_predictor(path, device="cpu", engine=each)(sounds).numpy() for each in (name, "network"))
    agree(found, expected)


def test_load_predictor_against_the_design_gradients_are_those_of_any_engine(tmp_path):
    path, sounds = tiny_checkpoint(tmp_path / "t.safetensors"), sounds_of(2)
    found = []
    for name in ("network", best_engine(CPU)):
        predictor, at = load_predictor(path, device="cpu", engine=name), sounds.clone().requires_grad_()
        predictor.differentiable(at).sum().backward()
        found.append(at.grad)
    assert found[0].abs().max() > 0
    assert torch.equal(found[0], found[1])


def test_engines_iv(tmp_path, monkeypatch):
    path = tiny_checkpoint(tmp_path / "t.safetensors")
    with pytest.raises(InputError, match=f"engine must be one of {', '.join(ENGINES)}, got 'onnx'"):
        load_predictor(path, device="cpu", engine="onnx")
    with pytest.raises(InputError, match="engine ncnn runs on the CPU alone, got device cuda"):
        build_engine("ncnn", network_of(), torch.device("cuda"))
    with pytest.raises(InputError, match="engine tf32 runs on an NVIDIA GPU alone, got device cpu"):
        load_predictor(path, device="cpu", engine="tf32")(sounds_of(1))
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    with pytest.raises(InputError, match="engine bfloat16 needs a CPU that computes in it"):
        build_engine("bfloat16", network_of(), CPU)
    monkeypatch.setattr(ncnn_network, "has_ncnn", lambda: False)
    with pytest.raises(InputError, match=r'ncnn was not found; .*: python -m pip install "emomod\[fast\]"'):
        build_engine("ncnn", network_of(), CPU)


@needs_ncnn
def test_ncnn_iv():
    with pytest.raises(EmomodError, match="a convolution with its batch norm folded in was expected"):
        NcnnFeatures(network_of())
    engine = build_engine("ncnn", network_of(), CPU)
    with pytest.raises(EmomodError, match=r"ncnn could not run the network on a spectrogram of shape \[0, 60\]"):
        engine(torch.zeros(1, 0, 60))


@pytest.mark.parametrize("name", with_ncnn)
def test_predictors_can_be_copied_and_pickled_after_they_scored(tmp_path, name):
    predictor = load_predictor(tiny_checkpoint(tmp_path / "t.safetensors"), device="cpu", engine=name)
    expected = predictor(sounds_of())
    for other in (deepcopy(predictor), pickle.loads(pickle.dumps(predictor))):
        assert torch.equal(other(sounds_of()), expected)


@needs_ncnn
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_ncnn_in_a_process_that_was_forked():
    """In a process of its own, whose only threads are those of the engine."""
    script = """
import os, numpy as np, torch
from emomod.model.engines import fold_batch_norms
from emomod.model.ncnn_network import NcnnFeatures
from emomod.model.network import EmotionNetwork
torch.set_num_threads(2)
sounds = torch.from_numpy(np.random.default_rng(0).random((3, 149, 40), dtype=np.float32))
hear = NcnnFeatures(fold_batch_norms(EmotionNetwork(width=0.05).eval()))
expected = hear(sounds).numpy()
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(hear(sounds).numpy(), expected) else 3)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0
