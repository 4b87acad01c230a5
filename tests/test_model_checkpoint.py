import hashlib
import json

import numpy as np
import pytest
import torch
from fakes import CARD, tiny_checkpoint
from safetensors import safe_open
from safetensors.torch import save_file

from emomod.errors import InputError
from emomod.model.checkpoint import load_checkpoint, save_checkpoint
from emomod.model.network import ARCHITECTURES, EmotionNetwork
from emomod.spectrogram import FRONT_END


def rewritten(path, *, card=None, tensors=None, metadata=None):
    """Change what a checkpoint holds: keys of the card, tensors (None removes one), or all of its metadata."""
    with safe_open(path, framework="pt") as stored:
        kept = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        text = stored.metadata()["card"]
    kept = {name: tensor for name, tensor in (kept | (tensors or {})).items() if tensor is not None}
    full = {key: value for key, value in (json.loads(text) | (card or {})).items() if value is not None}
    save_file(kept, path, metadata={"card": json.dumps(full)} if metadata is None else metadata)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_checkpoint_against_itself_round_trip_in_half_precision(tmp_path, architecture):
    network = EmotionNetwork(architecture, width=0.05).eval()
    path = save_checkpoint(tmp_path / "a.safetensors", network, CARD)
    loaded = load_checkpoint(path)
    for name, tensor in network.state_dict().items():
        expected = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(loaded.network.state_dict()[name], expected)
    assert not loaded.network.training
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    told = {"architecture": architecture, "width": 0.05, "names": list(network.names), "front_end": FRONT_END}
    assert loaded.card == CARD | told
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_checkpoint_against_itself_its_layer_is_the_networks_last(tmp_path):
    loaded = load_checkpoint(tiny_checkpoint(tmp_path / "a.safetensors", mid_to_emotion="fitted"))
    layer, last = loaded.mid_to_emotion, loaded.network.emotion
    assert layer is not None
    assert last is not None
    assert layer.name == "fitted"
    assert layer.weights.dtype == np.float64
    np.testing.assert_array_equal(layer.weights, last.weight.detach().numpy())
    np.testing.assert_array_equal(layer.intercepts, last.bias.detach().numpy())
    assert load_checkpoint(tiny_checkpoint(tmp_path / "b.safetensors", architecture="a2e")).mid_to_emotion is None


HEAD = "head.weight"
MISFITS = {
    "card lacks keys": ({"card": {"name": None, "figures": None}}, "its card lacks name, figures"),
    "no card": ({"metadata": {}}, "carries no emomod card"),
    "card is no JSON": ({"metadata": {"card": "{"}}, "its card is not JSON"),
    "other architecture": ({"card": {"architecture": "vgg"}}, "architecture must be one of a2e, .*, got 'vgg'"),
    "wider": ({"card": {"width": 0.1}}, r"trunk\S+ must have shape .* \(a checkpoint of another shape\)"),
    "another shape": ({"tensors": {HEAD: torch.zeros(7, 99)}}, r"head.weight must have shape \[7, 13\], got \[7, 99\]"),
    "front end": (
        {"card": {"front_end": FRONT_END | {"n_bands": 80, "hop_length": 512}}},
        "trained on another front end; hop_length, n_bands differ",
    ),
    "more front end": ({"card": {"front_end": FRONT_END | {"whitened": True}}}, "another front end; extra keys differ"),
    "names": ({"card": {"names": ["groove"]}}, "its scores must be melodiousness, .*, tender, got \\['groove'\\]"),
    "names of no kind": ({"card": {"names": 5}}, "its scores must be melodiousness, .*, tender, got 5"),
    "card is a number": ({"metadata": {"card": "3"}}, "must be JSON objects"),
    "front end is null": ({"card": {"front_end": "none"}}, "must be JSON objects"),
    "window": ({"card": {"window_seconds": 0.1}}, r"window_seconds must be a finite number in 0\.5\.\.60, got 0\.1"),
    "window of no kind": ({"card": {"window_seconds": "ten"}}, "window_seconds must be a number, got 'ten'"),
    "NaN": ({"tensors": {HEAD: torch.full((7, 13), torch.nan)}}, "head.weight must be finite"),
    "width beyond all": ({"card": {"width": 10**9}}, r"width must be a finite number in 0\.01\.\.4"),
    "width of no kind": ({"card": {"width": "0.05"}}, "width must be a number, got '0.05'"),
    "window beyond all": ({"card": {"window_seconds": 1e9}}, r"window_seconds must be a finite number in 0\.5\.\.60"),
    "name of no kind": ({"card": {"name": ["a"]}}, r"name of its card must be text, got \['a'\]"),
    "figures of no kind": ({"card": {"figures": 3}}, "figures of its card must be an object, got 3"),
    "test_r of no kind": ({"card": {"figures": {"test_r": [1]}}}, "test_r of its card must be an object"),
    "test_r beyond 1": ({"card": {"figures": {"test_r": {"a": 2}}}}, "test_r of a must be a finite number"),
    "spread of no kind": ({"card": {"spread": {"a": "b"}}}, "spread of a must be a number, got 'b'"),
    "scale of one": ({"card": {"scale": [1]}}, "scale must be the lowest before the highest"),
    "scale upside down": ({"card": {"scale": [1, 0]}}, "scale must be the lowest before the highest"),
    "depth": ({"metadata": {"card": "[" * 10**5}}, "its card is not JSON"),
    "whole numbers": ({"tensors": {HEAD: torch.zeros(7, 13, dtype=torch.int32)}}, "head.weight must be of type F16 or"),
    "beyond floats": (
        {"tensors": {HEAD: torch.full((7, 13), 1e300, dtype=torch.float64)}},
        "head.weight must be finite",
    ),
    "a tensor less": ({"tensors": {HEAD: None}}, "weights are of another network; head.weight is in one"),
    "a tensor more": ({"tensors": {"extra": torch.zeros(1)}}, "weights are of another network; extra is in one"),
}


@pytest.mark.parametrize(("change", "message"), MISFITS.values(), ids=MISFITS)
def test_load_checkpoint_iv(tmp_path, change, message):
    path = tiny_checkpoint(tmp_path / "a.safetensors")
    rewritten(path, **change)
    with pytest.raises(InputError, match=rf"a\.safetensors: .*{message}"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", (b"", b"no safetensors at all", b"\x00" * 64))
def test_load_checkpoint_iv_not_safetensors(tmp_path, content):
    with pytest.raises(InputError, match="there is no such checkpoint"):
        load_checkpoint(tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="is not a safetensors file"):
        load_checkpoint(tmp_path / "a.safetensors")


def test_load_checkpoint_against_theory_r_that_is_not_defined_is_allowed(tmp_path):
    path = tiny_checkpoint(tmp_path / "a.safetensors")
    rewritten(path, card={"figures": {"test_r": {"energy": None, "sad": float("nan"), "happy": 0.5}}})
    assert load_checkpoint(path).card["figures"]["test_r"]["happy"] == 0.5


def test_load_checkpoint_iv_a_header_too_long(tmp_path):
    (tmp_path / "a.safetensors").write_bytes((1 << 21).to_bytes(8, "little") + b" " * (1 << 21))
    with pytest.raises(InputError, match="its header claims 2097152 bytes"):
        load_checkpoint(tmp_path / "a.safetensors")


def test_load_checkpoint_iv_cut_off(tmp_path):
    path = tiny_checkpoint(tmp_path / "a.safetensors")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="is not a safetensors file"):
        load_checkpoint(path)


def test_save_checkpoint_iv_leaves_nothing_behind(tmp_path):
    network = EmotionNetwork(width=0.05)
    with pytest.raises(InputError, match=r"card must have .*; window_seconds, training_data, figures missing"):
        save_checkpoint(tmp_path / "a.safetensors", network, {"name": "a"})
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "none" / "a.safetensors"):
        with pytest.raises(InputError, match="cannot be written"):
            save_checkpoint(path, network, CARD)
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]
