"""What an explanation costs on an NVIDIA GPU, and what rounding there does to the weights.

    python -m benchmarks.gpu --out docs/results/performance

Speed: mixtures of the bundled clip that the network scores a second, by way to run it and by size of batch, medians
over passes after two that do not count. Engines of emomod cut batches into ones of their own.

Weights: as in benchmarks.engines, an explanation of each clip with the default design and 2048 masks beside that of
engine "torch" in full float32 with the same masks: the largest relative error |w - w0| / |w0| over all scores, and how
many of the components that stand out are others. "The CPU" is engine "torch" on the CPU.

50 000 masks: the seconds of one explanation from masks to weights, the second time in a process, and of its bare passes
of the network on the same mixtures.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.engines import compare
from benchmarks.measuring import (
    DEFAULT_WIDTH,
    FULL_WIDTH,
    ROOT,
    Row,
    about,
    checkpoint_of,
    heard_by,
    note,
    page_of,
    seconds_of,
    write_results,
)
from emomod.attribution.common import held_out_masks
from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.audio import read_clip
from emomod.cli.options import clip_path
from emomod.component_weights import select_components
from emomod.components.base import sound_of
from emomod.components.kinds import DEFAULT, cut
from emomod.components.layered import LayeredComponents
from emomod.markdown import table
from emomod.model.engines import Scores, best_engine, build_engine, fold_batch_norms
from emomod.model.network import EmotionNetwork, padded
from emomod.model.predictor import load_predictor

GPU, CPU = torch.device("cuda"), torch.device("cpu")
STRICT = "engine torch"
Build = Callable[[EmotionNetwork], Scores]


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    widths: tuple[float, ...] = (DEFAULT_WIDTH, FULL_WIDTH)
    batches: tuple[int, ...] = (16, 64, 256, 1024)
    seconds: float = 0.5  # of passes, for each batch size
    n_masks: int = LimeSettings().n_perturbations
    many: int = 50_000


QUICK = Plan((DEFAULT_WIDTH,), (16, 64), 0.05, 1026, 1026)


def _tf32(allowed: bool) -> AbstractContextManager[None]:
    cudnn = torch.backends.cudnn
    kept = {"enabled": cudnn.enabled, "benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
    return cudnn.flags(**kept, allow_tf32=allowed)


def _with_tf32(scores: Scores) -> Scores:
    def found(sounds: torch.Tensor) -> torch.Tensor:
        with _tf32(allowed=True):
            return scores(sounds)

    return found


def _folded(network: EmotionNetwork) -> EmotionNetwork:
    return fold_batch_norms(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


class _Fused(nn.Module):
    """A convolution, its bias and what is above zero in one call of cuDNN."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the next layer takes."""
        at = self.layer
        n_around: Any = at.padding
        return torch.cudnn_convolution_relu(x, at.weight, at.bias, at.stride, n_around, at.dilation, at.groups)


def _fused(network: EmotionNetwork) -> Scores:
    folded = _folded(network)
    for place, layer in enumerate(folded.trunk):
        if isinstance(layer, nn.Sequential):
            folded.trunk[place] = _Fused(layer[0])  # type: ignore[arg-type]
    return _with_tf32(folded)


def _half(network: EmotionNetwork) -> Scores:
    """float16 from the second convolution on."""
    folded = _folded(network)
    first, others = folded.trunk[0], folded.trunk[1:-2].half()

    def scores(sounds: torch.Tensor) -> torch.Tensor:
        with _tf32(allowed=False):
            early = first(padded(sounds)[:, None].contiguous(memory_format=torch.channels_last))
        return folded.scores_of(others(early.half()).float().mean(dim=(2, 3)))

    return scores


def _measured(network: EmotionNetwork, memory_format: torch.memory_format) -> Scores:
    """float32 by the kernels that cuDNN finds to be fastest, by trying them."""
    folded = fold_batch_norms(network).to(memory_format=memory_format)  # type: ignore[call-overload]

    def scores(sounds: torch.Tensor) -> torch.Tensor:
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=False):
            return torch.cat([folded(batch) for batch in torch.split(sounds, 256)])

    return scores


def _compiled(network: EmotionNetwork) -> Scores:
    return _with_tf32(torch.compile(_folded(network)))


def _engine(name: str, device: torch.device = GPU) -> Build:
    return lambda network: build_engine(name, network, device)


WAYS: dict[str, Build] = {
    "as written, TF32": lambda network: _with_tf32(
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    ),
    STRICT: _engine("torch"),
    "float32, kernels tried": lambda network: _measured(network, torch.channels_last),
    "float32, kernels tried, channels first": lambda network: _measured(network, torch.contiguous_format),
    "engine tf32": _engine("tf32"),
    "engine bfloat16": _engine("bfloat16"),
    "TF32, layers fused": _fused,
    "float16": _half,
    "torch.compile, TF32": _compiled,
}


def finished(job: Callable[[], object]) -> float:
    """Wall time of ``job`` and of what it left to the GPU."""

    def whole() -> None:
        job()
        torch.cuda.synchronize()

    torch.cuda.synchronize()
    return seconds_of(whole)


def components_of(clip: str) -> LayeredComponents:
    """A clip cut into the default components, mixed on the GPU."""
    return cut(sound_of(read_clip(clip_path(clip)).y), DEFAULT, device=GPU)


def network_of(checkpoint: str | None, device: str = "cuda") -> EmotionNetwork:
    """A network of its own."""
    return load_predictor(checkpoint, device=device, engine="network").checkpoint.network


@torch.inference_mode()
def speed(scores: Scores, sounds: torch.Tensor, *, seconds: float) -> float:
    """Sounds a second."""
    for _ in range(2):
        scores(sounds)
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        times.append(finished(lambda: scores(sounds)))
    return len(sounds) / statistics.median(times)


def measure_speeds(plan: Plan, folder: Path) -> list[Row]:
    """A row for each width, way and batch."""
    rows, clip = [], components_of("demo")
    masks = held_out_masks(clip.n_components, n_masks=max(plan.batches), seed=0)
    sounds = clip.mix(torch.from_numpy(np.where(masks, np.float32(1.0), np.float32(0.5))).to(GPU))
    for width in plan.widths:
        for way, build in WAYS.items():
            began = time.perf_counter()
            try:
                with torch.no_grad():
                    scores = build(network_of(checkpoint_of(width, folder)))
                found = {size: speed(scores, sounds[:size], seconds=plan.seconds) for size in plan.batches}
            except RuntimeError as error:
                note(f"width {width:g}, {way}: {error}")
                continue
            note(f"width {width:g}, {way}: {found} in {time.perf_counter() - began:.1f} s")
            rows += [{"width": width, "way": way, "batch": size, "a_second": each} for size, each in found.items()]
    return rows


def weights_by(scores: Scores, clip: LayeredComponents, n_masks: int) -> Row:
    """Weights and what stands out, as benchmarks.engines compares them."""
    settings = LimeSettings(n_perturbations=n_masks, n_held_out=2)
    model = heard_by(load_predictor(device=str(clip.device), engine="network"), scores)
    found = explain_with_lime(model, clip, settings=settings)
    sides = [select_components(found, target=name) for name in found.names]
    chosen = [[*(1 + each.positive).tolist(), *(-1 - each.negative).tolist()] for each in sides]
    return {"weights": found.weights.tolist(), "chosen": chosen}


def measure_weights(plan: Plan, clips: Sequence[str]) -> list[Row]:
    """A row for each clip and way, and one for the CPU."""
    rows = []
    for clip in clips:
        cut_clip = components_of(clip)
        reference = weights_by(WAYS[STRICT](network_of(None)), cut_clip, plan.n_masks)
        ways = {way: build for way, build in WAYS.items() if way != STRICT}
        for way, build in ways.items():
            try:
                with torch.no_grad():
                    found = weights_by(build(network_of(None)), cut_clip, plan.n_masks)
            except RuntimeError as error:
                note(f"{way}: {error}")
                continue
            rows.append({"clip": Path(clip).name, "way": way, **compare(found, reference)})
            note(f"{rows[-1]}")
        on_cpu = cut(sound_of(read_clip(clip_path(clip)).y), DEFAULT)
        found = weights_by(_engine("torch", CPU)(network_of(None, "cpu")), on_cpu, plan.n_masks)
        rows.append({"clip": Path(clip).name, "way": "the CPU", **compare(found, reference)})
        note(f"{rows[-1]}")
    return rows


def measure_many(plan: Plan, folder: Path) -> list[Row]:
    """A row for each width: an explanation of many masks with the default engine, and its bare passes."""
    rows, clip = [], components_of("demo")
    for width in plan.widths:
        predictor = load_predictor(checkpoint_of(width, folder), device="cuda")
        settings = LimeSettings(n_perturbations=plan.many, n_held_out=2)
        times = []
        for _ in range(3):
            torch.cuda.reset_peak_memory_stats()
            times.append(finished(lambda: explain_with_lime(predictor, clip, settings=settings)))  # noqa: B023
        sounds = clip.mix(torch.ones((256, clip.n_components), device=GPU))
        bare = speed(predictor, sounds, seconds=plan.seconds)
        row = {"width": width, "masks": plan.many, "first_seconds": times[0], "seconds": min(times[1:])}
        rows.append(row | {"bare_seconds": plan.many / bare, "mib": torch.cuda.max_memory_allocated() / 2**20})
        note(f"{rows[-1]}")
    return rows


def main_job() -> float:
    """Seconds of ``emomod run`` on the bundled clip with default settings, start and loading included."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "emomod", "run", "demo", "--target", "articulation", "--out", f"{folder}/out"]
        told = seconds_of(lambda: subprocess.run(words, check=True, cwd=ROOT, capture_output=True))
    note(f"emomod run: {told:.1f} s")
    return told


def page(speeds: Sequence[Row], weights: Sequence[Row], many: Sequence[Row], job: float) -> str:
    """The page."""
    pieces = [about(__doc__)]
    for width in dict.fromkeys(row["width"] for row in speeds):
        mine = [row for row in speeds if row["width"] == width]
        sizes = list(dict.fromkeys(row["batch"] for row in mine))
        cells = [
            [way, *(f"{row['a_second']:.0f}" for row in mine if row["way"] == way)]
            for way in dict.fromkeys(row["way"] for row in mine)
        ]
        pieces += [f"## Mixtures a second, width {width:g}", table(["way", *(f"in {n}s" for n in sizes)], cells)]
    cells = [
        [row["clip"], row["way"], f"{100 * row['relative_error']:.2g}", f"{row['n_changed']} of {row['n_selected']}"]
        for row in weights
    ]
    header = ["clip", "way", "largest error (%)", "selected components that change"]
    pieces += ["## Weights", table(header, cells, is_number=[False, False, True, True])]
    cells = [
        [f"{row['width']:g}", f"{row['seconds']:.2f}", f"{row['bare_seconds']:.2f}", f"{row['mib']:.0f}"]
        for row in many
    ]
    header = ["width", "seconds", "bare passes (s)", "memory of the GPU (MiB)"]
    pieces += [f"## {many[0]['masks']} masks, engine {best_engine(GPU)}", table(header, cells)]
    pieces += ["## The main job", f"`emomod run` on the bundled clip, start and loading included: {job:.1f} s."]
    where = f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}"
    return page_of("On a GPU", *pieces, f"Made on {time.strftime('%Y-%m-%d')} by benchmarks/gpu.py on one {where}.")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", nargs="*", default=[], help="sound files whose explanations are compared, too")
    parser.add_argument("--quick", action="store_true", help="tiny numbers that mean nothing, to see that it works")
    parser.add_argument("--out", type=Path, required=True, help="folder for gpu.md and its tables")
    arguments = parser.parse_args(argv)
    if not torch.cuda.is_available():
        parser.error("this PyTorch finds no NVIDIA GPU that it can use")
    plan = QUICK if arguments.quick else Plan()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many = measure_many(plan, folder)
        speeds = measure_speeds(plan, folder)
    weights = measure_weights(plan, ["demo", *(str(Path(clip).resolve()) for clip in arguments.clip)])
    job = main_job()
    tables: dict[str, Any] = {"gpu": speeds, "gpu_weights": weights, "gpu_many": many}
    write_results(arguments.out, "gpu", page=page(speeds, weights, many, job), tables=tables)


if __name__ == "__main__":
    main()
