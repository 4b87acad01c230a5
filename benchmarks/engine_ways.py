"""Ways to run the network that benchmarks.engines compares: as it is written, the engines of emomod, other libraries.

A way takes a network in evaluation mode, which it may change, and gives a callable from log spectrograms [n, n_bands,
n_frames] on the CPU to scores. All use as many threads as torch does.
"""

import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from emomod.model.engines import Scores, build_engine, fold_batch_norms
from emomod.model.ncnn_network import has_ncnn
from emomod.model.network import EmotionNetwork

CPU = torch.device("cpu")
BASE = "as written"
LAID_OUT, COMPILED = "channels last", "torch.compile"


def _as_written(network: EmotionNetwork) -> Scores:
    return network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload,no-any-return]


def _channels_last(network: EmotionNetwork) -> Scores:
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _frozen(network: EmotionNetwork) -> Scores:
    example = torch.rand(2, 149, 313)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short sounds, which are padded, would need another trace
        traced = torch.jit.trace(_as_written(fold_batch_norms(network)), example)  # type: ignore[no-untyped-call]
    return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


def _compiled(network: EmotionNetwork) -> Scores:
    inductor: Any = import_module("torch._inductor.config")
    inductor.force_disable_caches = True  # the seconds are those of the first time
    return torch.compile(_channels_last(fold_batch_norms(network)))


def _a_thread_each(network: EmotionNetwork) -> Scores:
    """A sound per thread, where torch of itself puts all threads to each layer."""
    folded, n_threads = _channels_last(fold_batch_norms(network)), torch.get_num_threads()
    pool = ThreadPoolExecutor(n_threads, initializer=lambda: torch.set_num_threads(1))

    @torch.inference_mode()
    def one(sound: torch.Tensor) -> torch.Tensor:
        return folded(sound)

    return lambda sounds: torch.cat(list(pool.map(one, torch.split(sounds, 1))))


def _onnx(network: EmotionNetwork, folder: Path) -> str:
    path = str(folder / "network.onnx")
    axes = {"spectrograms": {0: "n"}, "scores": {0: "n"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter is the older one: the newer one needs another package
        torch.onnx.export(
            _as_written(network),  # type: ignore[arg-type]
            (torch.rand(1, 149, 313),),
            path,
            input_names=["spectrograms"],
            output_names=["scores"],
            dynamic_axes=axes,
            dynamo=False,
        )
    return path


def _onnxruntime(network: EmotionNetwork) -> Scores:
    runtime: Any = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = _onnx(network, Path(folder))
        session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda sounds: torch.from_numpy(session.run(None, {"spectrograms": sounds.numpy()})[0])


def _openvino(precision: str) -> Callable[[EmotionNetwork], Scores]:
    def build(network: EmotionNetwork) -> Scores:
        core: Any = import_module("openvino").Core()
        options = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        with tempfile.TemporaryDirectory() as folder:
            compiled = core.compile_model(core.read_model(_onnx(network, Path(folder))), "CPU", options)
        return lambda sounds: torch.from_numpy(compiled(sounds.numpy())[0].copy())

    return build


def _engine(name: str) -> Callable[[EmotionNetwork], Scores]:
    return lambda network: build_engine(name, network, CPU)


@dataclass(frozen=True)
class Way:
    """A way to run the network."""

    build: Callable[[EmotionNetwork], Scores]  # of a network in evaluation mode
    can: Callable[[], bool] = lambda: True  # whether it can be tried here


def _bfloat16_here() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


WAYS = {
    BASE: Way(_as_written),
    LAID_OUT: Way(_channels_last),
    "engine torch": Way(_engine("torch")),
    "engine bfloat16": Way(_engine("bfloat16"), _bfloat16_here),
    "engine ncnn": Way(_engine("ncnn"), has_ncnn),
    "torch, a sound per thread": Way(_a_thread_each),
    "torch.jit, frozen": Way(_frozen),
    COMPILED: Way(_compiled),
    "ONNX Runtime": Way(_onnxruntime, lambda: bool(find_spec("onnx") and find_spec("onnxruntime"))),
    "OpenVINO": Way(_openvino("f32"), lambda: bool(find_spec("openvino"))),
    "OpenVINO, bfloat16": Way(_openvino("bf16"), lambda: bool(find_spec("openvino"))),
}
