"""The convolutional part of the network by ncnn, a library of fast inference on CPUs.

It computes 3x3 convolutions by Winograd's minimal filtering, with about a third of the multiplications (Lavin, Gray:
Fast Algorithms for Convolutional Neural Networks, CVPR 2016), in float32 throughout: results differ from PyTorch's by
rounding. Each thread takes a sound of its own: they need not wait for each other, and what else is in a batch cannot
change a result.
"""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from emomod.errors import EmomodError, InputError
from emomod.model.network import EmotionNetwork, padded

MAGIC = 7767517  # opens the description of a network in ncnn's format
RAW_FLOAT32 = b"\0\0\0\0"  # goes before weights that are stored as they are
RELU = "9=1"
IN, OUT = "spectrogram", "features"


def has_ncnn() -> bool:
    """Whether ncnn is installed and can be imported."""
    try:
        import_module("ncnn")
    except (ImportError, OSError):
        return False
    return True


class _Memory(threading.local):
    """What a thread keeps from sound to sound, and does not ask the system for each time; it outlives what is in it."""

    def __init__(self, ncnn: Any) -> None:
        self.layers, self.workspace = ncnn.PoolAllocator(), ncnn.PoolAllocator()


class NcnnFeatures:
    """What a network's convolutional part hears, as a callable on spectrograms.

    ``network`` has its batch norms folded into its convolutions, see emomod.model.engines. InputError where ncnn is not
    installed.
    """

    def __init__(self, network: EmotionNetwork) -> None:
        if not has_ncnn():
            raise InputError('ncnn was not found; install it with: python -m pip install "emomod[fast]"')
        self._ncnn: Any = import_module("ncnn")
        self._net = self._ncnn.Net()
        options = self._net.opt
        options.num_threads = 1
        for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(options, name, False)  # else ncnn takes them where the hardware has them
        layers = list(_layers(network.trunk))
        with tempfile.TemporaryDirectory() as folder:  # ncnn reads weights from files alone
            weights = Path(folder) / "weights.bin"
            weights.write_bytes(b"".join(blob for _, _, blob in layers))
            if self._net.load_param_mem(_description(layers)) or self._net.load_model(str(weights)):
                raise EmomodError("ncnn could not load the network")
        self._memory = _Memory(self._ncnn)
        self._threads: ThreadPoolExecutor | None = None
        self._threads_of = (0, 0)  # process, number

    def __call__(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Return features float32 [n, n_features] of log spectrograms [n, n_bands, n_frames]."""
        sounds = padded(spectrograms).detach().cpu().float().contiguous().numpy()  # ncnn reads from this very memory
        return torch.from_numpy(np.stack(list(self._in_threads()(self._one, sounds))))

    def _in_threads(self) -> Callable[..., Iterator[Any]]:
        """A ``map`` on as many threads as PyTorch has; a process that was forked needs some of its own."""
        n = torch.get_num_threads()
        if n == 1:
            return map
        if self._threads is None or self._threads_of != (os.getpid(), n):
            self._threads, self._threads_of = ThreadPoolExecutor(n), (os.getpid(), n)
        return self._threads.map

    def _one(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        extractor = self._net.create_extractor()
        extractor.set_blob_allocator(self._memory.layers)
        extractor.set_workspace_allocator(self._memory.workspace)
        failed = extractor.input(IN, self._ncnn.Mat(sound[None]))
        failed_too, features = extractor.extract(OUT)
        if failed or failed_too:
            raise EmomodError(f"ncnn could not run the network on a spectrogram of shape {list(sound.shape)}")
        return np.array(features).ravel()  # a copy: the memory is ncnn's


def _layers(trunk: nn.Sequential) -> Iterator[tuple[str, str, bytes]]:
    """Yield kind, parameters and weights of each layer, in ncnn's numbering."""
    for layer in trunk:
        if isinstance(layer, nn.Sequential):
            yield _convolution(layer[0])
        elif isinstance(layer, nn.MaxPool2d):
            yield "Pooling", f"0=0 1={layer.kernel_size} 2={layer.stride} 5=1", b""  # 5=1: what does not fit is left
        elif isinstance(layer, nn.AdaptiveAvgPool2d):
            yield "Pooling", "0=1 4=1", b""  # the mean over all


def _convolution(layer: nn.Module) -> tuple[str, str, bytes]:
    if not isinstance(layer, nn.Conv2d) or layer.bias is None:
        raise EmomodError(f"a convolution with its batch norm folded in was expected, got {layer}")
    weights, bias = (tensor.detach().cpu().float().numpy() for tensor in (layer.weight, layer.bias))
    kernel, stride, padding = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
    shape = f"0={layer.out_channels} 1={kernel} 3={stride} 4={padding} 5=1 6={weights.size}"
    return "Convolution", f"{shape} {RELU}", RAW_FLOAT32 + weights.tobytes() + bias.tobytes()


def _description(layers: list[tuple[str, str, bytes]]) -> str:
    """The network in ncnn's format: a line for each layer, with what goes in and what comes out."""
    names = [IN, *(f"layer{index}" for index in range(1, len(layers))), OUT]
    lines = [f"Input {IN} 0 1 {IN}"]
    for (kind, parameters, _), before, name in zip(layers, names[:-1], names[1:], strict=True):
        lines.append(f"{kind} {name} 1 1 {before} {name} {parameters}")
    return "\n".join([str(MAGIC), f"{len(lines)} {len(lines)}", *lines]) + "\n"
