"""Ways to run the network: the same weights, as fast as this machine can.

"network" is the module as it is written, in which gradients and training run. "torch" folds batch norms into the
convolutions, lays memory out channels-last and takes sounds in batches that fit into caches. "ncnn" computes
convolutions with fewer multiplications; it is the fastest in float32 on a CPU, and optional. "tf32" is "torch" on the
tensor cores of an NVIDIA GPU, which round what they multiply to 11 bits. "bfloat16" is "torch" with 8 bits of precision
from the second convolution on: fast where the hardware has it. Its weights differ by up to a percent; those of "tf32"
have not been measured. Neither is chosen unasked. docs/performance.md has what each step brings.

On a CPU a sound's scores by every engine but "network" are the same to the bit, whatever else is in its batch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from emomod.errors import InputError
from emomod.model.ncnn_network import NcnnFeatures, has_ncnn
from emomod.model.network import EmotionNetwork, padded

ENGINES = ("network", "torch", "tf32", "bfloat16", "ncnn")
BATCH_SIZES = {"cpu": 4, "cuda": 256}  # by type of device; on a CPU more would leave the caches

Scores = Callable[[torch.Tensor], torch.Tensor]


def best_engine(device: torch.device) -> str:
    """Return the fastest engine in float32 for a device."""
    return "ncnn" if device.type == "cpu" and has_ncnn() else "torch"


def build_engine(name: str, network: EmotionNetwork, device: torch.device) -> Scores:
    """Return ``network`` as a callable from log spectrograms [n, n_bands, n_frames] to scores [n, n_names], float32.

    Weights are copied: a network that is trained on needs another engine. InputError where the engine cannot run on
    the device.
    """
    if name == "network":
        return network
    with torch.no_grad():
        folded = fold_batch_norms(network)
    if name == "ncnn":
        if device.type != "cpu":
            raise InputError(f"engine ncnn runs on the CPU alone, got device {device.type}")
        return _Engine(folded, NcnnFeatures(folded))
    folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if name == "tf32" and device.type != "cuda":
        raise InputError(f"engine tf32 runs on an NVIDIA GPU alone, got device {device.type}")
    features = _Bfloat16(folded, device) if name == "bfloat16" else folded.features
    return _Engine(folded, _InBatches(features, device, tf32=name == "tf32"))


def fold_batch_norms(network: EmotionNetwork) -> EmotionNetwork:
    """Return a copy of a network in evaluation mode whose convolutions do what their batch norms did."""
    folded = deepcopy(network)
    for layer in folded.trunk:
        if isinstance(layer, nn.Sequential):
            convolution, norm = layer[0], layer[1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                layer[0], layer[1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return folded


class _Engine:
    """Features of the convolutional part, and the linear layers on top."""

    def __init__(self, network: EmotionNetwork, features: Scores) -> None:
        self._network, self._features = network, features

    def __call__(self, spectrograms: torch.Tensor) -> torch.Tensor:
        scores = _linear(self._network.head, self._features(spectrograms))
        emotion = self._network.emotion
        return scores if emotion is None else torch.cat([scores, _linear(emotion, scores)], dim=1)


class _InBatches:
    """Features in batches of one size: libraries choose kernels by it, which round differently."""

    def __init__(self, features: Scores, device: torch.device, *, tf32: bool) -> None:
        self._features, self._size, self._on_cpu = features, BATCH_SIZES[device.type], device.type == "cpu"
        self._tf32 = tf32

    def __call__(self, spectrograms: torch.Tensor) -> torch.Tensor:
        n = len(spectrograms)
        missing = -n % self._size if self._on_cpu else 0  # on a GPU single sounds would take as long as many
        filled = torch.cat([spectrograms, spectrograms[-1:].expand(missing, -1, -1)]) if missing else spectrograms
        with _precision(spectrograms.device, tf32=self._tf32):
            found = [self._features(batch) for batch in torch.split(filled, self._size)]
        return torch.cat(found)[:n]


@contextmanager
def _precision(device: torch.device, *, tf32: bool) -> Iterator[None]:
    """On a GPU, let convolutions round to 11 bits or not, whatever the process has set."""
    if device.type != "cuda":
        yield
        return
    cudnn = torch.backends.cudnn
    kept = {"enabled": cudnn.enabled, "benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
    with cudnn.flags(**kept, allow_tf32=tf32):
        yield


def _linear(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """A linear layer row by row: a matrix product rounds as the number of rows has it."""
    return (x[:, None] * layer.weight).sum(dim=2) + layer.bias


class _Bfloat16:
    """The convolutional part with all but the first convolution, the last mean and sums in bfloat16."""

    def __init__(self, folded: EmotionNetwork, device: torch.device) -> None:
        if device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            raise InputError("engine bfloat16 needs a CPU that computes in it, which this one does not")
        self._first, self._others = folded.trunk[0], deepcopy(folded.trunk[1:-2]).bfloat16()

    def __call__(self, spectrograms: torch.Tensor) -> torch.Tensor:
        first = self._first(padded(spectrograms)[:, None].contiguous(memory_format=torch.channels_last))
        features: torch.Tensor = self._others(first.bfloat16()).float().mean(dim=(2, 3))
        return features
