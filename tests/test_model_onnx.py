"""ONNX files as models: against the torch module that they were exported from, and what is refused."""

import hashlib
import json
import re
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from fakes import tones

from emomod.errors import EmomodError, InputError
from emomod.model import onnx as ours
from emomod.model.onnx import OnnxScores
from emomod.model.other import Model, ModuleModel, load_other
from emomod.model.predictor import Differentiable

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

NAMES = ("happy", "calm")
N = 16000  # samples that the network takes
INPUT, ONE_INPUT = "its input must be", "must have one input of floating-point numbers"
CELLS = {"takes": "spectrogram"}


class Net(torch.nn.Module):
    """A convolution over waveforms [n, n_samples]."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = torch.nn.Sequential(torch.nn.Conv1d(1, 8, 64, stride=16), torch.nn.BatchNorm1d(8))
            self.head = torch.nn.Linear(8, 2)

    def forward(self, waveforms):
        return torch.sigmoid(self.head(self.layers(waveforms[:, None]).relu().amax(dim=2)))


def export(path, *, dynamic=True, module=None):
    """Write a module as PyTorch does."""
    axes = {"waveforms": {0: "n", 1: "n_samples"}, "scores": {0: "n"}} if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter is the older one: the newer one needs onnxscript
        torch.onnx.export(
            (module or Net()).eval(),
            (torch.zeros(1, N),),
            str(path),
            input_names=["waveforms"],
            output_names=["scores"],
            dynamic_axes=axes,
            dynamo=False,
        )
    return path


def graph(path, *, shape=("n", "t"), kind="FLOAT", n_inputs=1, outputs=("scores",), width=2):
    """Write a file by hand: each output is the mean over time of its input, ``width`` times."""
    info, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    element = getattr(onnx.TensorProto, kind)
    inputs = [info(f"sounds_{index}", element, shape) for index in range(n_inputs)]
    axes = list(range(1, len(shape)))
    nodes = [node("ReduceMean", ["sounds_0", "axes"], ["mean"], keepdims=1)]
    nodes += [node("Reshape", ["mean", "column"], ["means"])]
    nodes += [node("Concat", ["means"] * width, [name], axis=1) for name in outputs]
    constants = [
        onnx.helper.make_tensor("axes", onnx.TensorProto.INT64, [len(axes)], axes),
        onnx.helper.make_tensor("column", onnx.TensorProto.INT64, [2], [-1, 1]),
    ]
    found = [info(name, element, (None, width)) for name in outputs]
    made = onnx.helper.make_graph(nodes, "test", inputs, found, initializer=constants)
    onnx.save(onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.fixture(scope="module")
def sounds():
    return torch.from_numpy(np.array([tones(1.0, seed=seed) for seed in range(5)]))


@pytest.mark.parametrize("dynamic", (True, False))
def test_onnx_against_the_module_that_it_was_exported_from(tmp_path, sounds, dynamic):
    """Without dynamic axes a file takes one sound at a time, of one length."""
    path = export(tmp_path / "net.onnx", dynamic=dynamic)
    settings: dict[str, Any] = {"names": NAMES, "sample_rate": N, "window_seconds": 1.0}
    exported, module = Model(path, **settings), Model(Net(), **settings)
    np.testing.assert_allclose(exported(sounds), module(sounds), atol=1e-6)
    assert np.ptp(exported(sounds).numpy(), axis=0).min() > 1e-3
    assert exported.name == "net"
    assert exported.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not isinstance(exported, (ModuleModel, Differentiable))


def test_onnx_against_theory_types_and_spectrograms(tmp_path, sounds):
    for kind, atol in (("FLOAT", 1e-7), ("DOUBLE", 1e-9), ("FLOAT16", 1e-4)):
        model = Model(str(graph(tmp_path / f"{kind}.onnx", kind=kind)), names=NAMES)
        expected = sounds.mean(dim=1, keepdim=True).expand(5, 2)
        np.testing.assert_allclose(model(sounds), expected, atol=max(atol, 1e-7))
    path = graph(tmp_path / "cells.onnx", shape=("n", 149, "t"))
    cells = Model(path, names=NAMES, takes="spectrogram")
    images = torch.rand(3, 149, 20, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(cells(images)[:, 0], images.mean(dim=(1, 2)), atol=1e-6)


def test_onnx_sha256_against_its_files(tmp_path):
    path = graph(tmp_path / "m.onnx")
    alone = Model(path, names=NAMES).sha256
    (tmp_path / "m.onnx.data").write_bytes(b"weights")
    assert Model(path, names=NAMES).sha256 == hashlib.sha256(path.read_bytes() + b"weights").hexdigest() != alone


def test_load_other_against_the_card_beside_the_file(tmp_path, sounds):
    path = graph(tmp_path / "two.onnx", outputs=("labels", "scores"))
    card = {"names": NAMES, "sample_rate": 8000, "window_seconds": 2.0, "scale": [0, 5], "output": "scores", "by": "me"}
    (tmp_path / "two.json").write_text(json.dumps(card), encoding="utf-8")
    model = load_other(str(path), device="cpu")
    assert model.origin == str(path)
    assert (model.names, model.sample_rate, model.window_seconds, model.scale) == (NAMES, 8000, 2.0, (0.0, 5.0))
    assert model.card["by"] == "me"
    assert "output" not in model.card
    assert model(sounds).shape == (5, 2)


def test_onnx_iv_sounds_of_another_length(tmp_path, sounds):
    model = Model(export(tmp_path / "net.onnx", dynamic=False), names=NAMES, sample_rate=N, window_seconds=1.0)
    told = f"takes sounds of {N} samples or frames alone, got {N // 2}; set sample_rate and window_seconds to that"
    with pytest.raises(EmomodError, match=told):
        model(sounds[:, :11025])


@pytest.mark.parametrize(
    ("file", "settings", "told"),
    (
        ({"shape": ("n", 1, "t")}, {}, f"{INPUT} [n, n_samples] where the model takes a waveform, got [n, 1, t]"),
        ({}, CELLS, f"{INPUT} [n, 149, n_frames] where the model takes a spectrogram, got [n, t]"),
        ({"shape": ("n", 96, "t")}, CELLS, "[n, 149, n_frames] where the model takes a spectrogram, got [n, 96, t]"),
        ({"shape": (8, "t")}, {}, "must take any number of sounds, or one, got 8; export it anew"),
        ({"n_inputs": 2}, {}, f"{ONE_INPUT}, got sounds_0 tensor(float), sounds_1 tensor(float)"),
        ({"kind": "INT32"}, {}, f"{ONE_INPUT}, got sounds_0 tensor(int32)"),
        ({"outputs": ("labels", "odds")}, {}, "has the outputs labels, odds; say which has the scores with output="),
        ({"width": 3}, {}, "names must be 3, as many as "),
    ),
)  # fmt: skip
def test_onnx_iv_files_of_another_form(tmp_path, file, settings, told):
    with pytest.raises(InputError, match=re.escape(told)):
        Model(graph(tmp_path / "m.onnx", **file), names=NAMES, **settings)


def test_onnx_iv_files(tmp_path, monkeypatch):
    path = graph(tmp_path / "m.onnx")
    with pytest.raises(InputError, match="output must be one of scores, got 'odds'"):
        OnnxScores(path, output="odds")
    with pytest.raises(InputError, match=r"none\.onnx: there is no such ONNX file"):
        Model(tmp_path / "none.onnx", names=NAMES)
    with pytest.raises(InputError, match=r"none\.onnx: there is no such ONNX file"):
        load_other(str(tmp_path / "none.onnx"), device="cpu")
    (tmp_path / "text.onnx").write_text("hello", encoding="utf-8")
    with pytest.raises(InputError, match=r"text\.onnx: cannot be loaded as an ONNX file: InvalidProtobuf: "):
        Model(tmp_path / "text.onnx", names=NAMES)

    def absent(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(ours, "import_module", absent)
    with pytest.raises(InputError, match=r'onnxruntime was not found; .*: python -m pip install "emomod\[onnx\]"'):
        Model(path, names=NAMES)


@pytest.mark.parametrize(
    ("card", "told"),
    (
        (None, r"m\.onnx: needs a card beside it, m\.json, such as \{\"names\": "),
        ("{", r"m\.json: cannot be read as JSON \("),
        ("[]", r"m\.json: must be a JSON object, got"),
        ("{}", r"m\.json: must be a JSON object with names"),
        ('{"names": []}', r"names must be a list of words, one a score, got \[\]"),
        ('{"names": ["a", "b"], "sample_rate": "x"}', "sample_rate must be a whole number"),
        ('{"names": ["a", "b"], "notes": "x"}', "about must leave .* alone, got 'notes'"),
    ),
)
def test_load_other_iv_cards(tmp_path, card, told):
    path = graph(tmp_path / "m.onnx")
    if card is not None:
        (tmp_path / "m.json").write_text(card, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        load_other(str(path), device="cpu")
