"""What each kind of components costs with each method: seconds and memory, in one run on one machine.

    python benchmarks/kinds_and_methods.py --out docs/results/kinds_and_methods.md

The bundled clip, the default model, all its scores. Each cell is a process of its own, which cuts the sound and weighs
the components; methods that draw masks get as many as evaluation.methods gives them. Seconds are those of weighing,
beside them in brackets how many times the bare forward passes of lime's masks on the default segments that is. Memory
is the most that a process held, libraries and model included. The stems are the clip below and above 400 Hz; the
separator is Open-Unmix of two targets at full width with random weights, which takes the time of a real one.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from scipy.signal import butter, sosfilt

from emomod.attribution.methods import METHODS, explain_with
from emomod.audio import SAMPLE_RATE, read_clip
from emomod.cli.options import clip_path
from emomod.components.base import sound_of
from emomod.components.kinds import KINDS, cut
from emomod.markdown import table
from emomod.mixtures import score_mixtures
from emomod.model.predictor import load_predictor
from emomod.torchaudio_import import import_torchaudio
from evaluation.methods import settings_of

TYPED = {kind: kind for kind in KINDS} | {
    "stems": "stems:low=FOLDER/low.wav,high=FOLDER/high.wav x time:seconds=1",
    "separation": "separation:network=openunmix,weights=FOLDER/unmix.pth x time:seconds=1",
    "nmf": "nmf:n=12",
    "hpss": "hpss x octaves",
}
BARE = "bare passes"  # of the forward pass, as many as lime's masks on the default segments
N_BARE = 2048


def peak_mib() -> float:
    """The most memory that this process has held, in MiB."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 2**20 if sys.platform == "darwin" else held / 2**10


def write_parts(folder: Path) -> None:
    """Write two stems of the bundled clip, and the weights of a separator."""
    y = read_clip(clip_path("demo")).y
    low = sosfilt(butter(4, 400.0, fs=SAMPLE_RATE, output="sos"), y).astype(np.float32)
    for name, stem in {"low": low, "high": y - low}.items():
        soundfile.write(folder / f"{name}.wav", stem, SAMPLE_RATE, subtype="FLOAT")
    import_torchaudio()
    models = import_module("openunmix.model")
    torch.manual_seed(0)
    targets = {name: models.OpenUnmix(nb_bins=2049, nb_channels=2, max_bin=1487) for name in ("vocals", "drums")}
    separator = models.Separator(targets, niter=1, n_fft=4096, n_hop=1024, sample_rate=44100.0)
    torch.save(separator.state_dict(), folder / "unmix.pth")


def explain_once(components: str, method: str) -> dict[str, Any]:
    """In a process of its own: cut and explain once."""
    predictor, sound = load_predictor(device="cpu"), sound_of(read_clip(clip_path("demo")).y)
    predictor(sound.spectrogram.log_spectrogram[None].repeat(16, 1, 1))  # libraries are warm
    began = time.perf_counter()
    made = cut(sound, components)
    cutting, began = time.perf_counter() - began, time.perf_counter()
    if method == BARE:
        score_mixtures(predictor, made, np.ones((N_BARE, made.n_components), dtype=np.float32))
    else:
        explain_with(predictor, made, settings=settings_of(method, n_components=made.n_components))
    seconds = time.perf_counter() - began
    return {"n": made.n_components, "cutting": cutting, "seconds": seconds, "mib": peak_mib()}


def run_once(components: str, method: str) -> dict[str, float]:
    """One cell in another process."""
    command = [sys.executable, __file__, "--cell", components, method]
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return dict(zip(("n", "cutting", "seconds", "mib"), map(float, words), strict=True))


def measure(folder: Path) -> list[dict[str, Any]]:
    """A row for each kind, cells by method."""
    rows = []
    for kind, typed in TYPED.items():
        components = typed.replace("FOLDER", str(folder))
        cells = {}
        for method in METHODS:
            cells[method] = run_once(components, method)
            print(f"{kind}, {method}: {cells[method]['seconds']:.1f} s", file=sys.stderr)
        rows.append({"kind": typed.replace("FOLDER/", ""), "cells": cells})
    return rows


def markdown(rows: list[dict[str, Any]], bare: dict[str, float]) -> str:
    """The page."""
    seconds, memory = [], []
    for row in rows:
        cells = list(row["cells"].values())
        n, cutting = f"{cells[0]['n']:.0f}", f"{min(cell['cutting'] for cell in cells):.2f}"
        told = [f"{cell['seconds']:.1f} ({cell['seconds'] / bare['seconds']:.2f})" for cell in cells]
        seconds.append([f"`{row['kind']}`", n, cutting, *told])
        memory.append([f"`{row['kind']}`", *(f"{cell['mib']:.0f}" for cell in cells)])
    about = "\n\n".join((__doc__ or "").strip().split("\n\n")[2:])
    made = (
        f"{N_BARE} bare passes took {bare['seconds']:.1f} s. Made on {datetime.now(UTC).date()} by "
        f"benchmarks/kinds_and_methods.py in {torch.get_num_threads()} threads, torch {torch.__version__}. Machines "
        "differ, the ratios less."
    )
    pieces = [
        "# What kinds and methods cost",
        about,
        "## Seconds",
        table(["components", "K", "cutting", *METHODS], seconds),
        "## Memory (MiB)",
        table(["components", *METHODS], memory),
        made,
    ]
    return "\n\n".join(pieces) + "\n"


def main() -> None:
    """Measure, or explain once for a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Markdown file; default: standard output")
    parser.add_argument("--cell", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        print(*explain_once(*arguments.cell).values())
        return
    with tempfile.TemporaryDirectory() as folder:
        write_parts(Path(folder))
        page = markdown(measure(Path(folder)), run_once("felzenszwalb", BARE))
    if arguments.out:
        arguments.out.write_text(page, encoding="utf-8")
    else:
        print(page)


if __name__ == "__main__":
    main()
