"""What rendering a corpus and training on it cost, as times within one run, in one thread each.

    python benchmarks/training_speed.py --out docs/results/training_speed.md

Rendering: clips of a corpus with and without stems. Training: steps of the network at three widths on noise.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from emomod.corpus.render import render_corpus
from emomod.corpus.store import CorpusSettings
from emomod.labelled_clips import LabelledClips
from emomod.labels import SCORE_NAMES
from emomod.markdown import table
from emomod.spectrogram import N_BANDS
from emomod.training.fit import fit_network
from emomod.training.sense import synthesiser_at_hand
from emomod.training.settings import TrainingSettings

WIDTHS = (0.25, 0.5, 1.0)
N_CLIPS = 40
STEPS = 12


def seconds_of(job: Callable[[], object]) -> float:
    """Wall time of ``job``."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def rendering_seconds(*, stems: bool) -> float:
    """Seconds a clip, the start (songs, levels of the soundfont) measured with one clip and taken off."""
    few = CorpusSettings(1, seed=1, synthesiser=synthesiser_at_hand(), stems=stems)
    many = replace(few, n_clips=N_CLIPS)
    with tempfile.TemporaryDirectory() as folder:
        start = seconds_of(lambda: render_corpus(Path(folder) / "few", few))
        whole = seconds_of(lambda: render_corpus(Path(folder) / "many", many))
    return (whole - start) / (N_CLIPS - 1)


def training_seconds(width: float) -> float:
    """Seconds a clip of training steps alone, in bfloat16 and batches of 16."""
    rng = np.random.default_rng(0)
    settings = TrainingSettings(width=width, rounds=1, round_clips=16 * STEPS)
    n = 40
    clips = LabelledClips(
        tuple(map(str, range(n))),
        tuple(map(str, range(n))),
        rng.random((n, N_BANDS, settings.n_frames)).astype(np.float16),
        rng.random((n, len(SCORE_NAMES))),
    )
    with tempfile.TemporaryDirectory() as folder:
        return fit_network(clips, settings, state_path=Path(folder) / "state", device="cpu").seconds / (16 * STEPS)


def report() -> str:
    """The page."""
    found = {
        "rendering, spectrograms only": rendering_seconds(stems=False),
        "rendering, with stems": rendering_seconds(stems=True),
    } | {f"a training step, width {width:g}": training_seconds(width) for width in WIDTHS}
    unit = found["a training step, width 0.5"]
    rows = [[what, f"{1000 * value:.0f}", f"{value / unit:.2f}"] for what, value in found.items()]
    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} cores for training, one for rendering"
    return (
        "# What a corpus and its training cost\n\n"
        "Made by benchmarks/training_speed.py; machines differ, the ratios less. "
        f"{threads}; synthesiser {synthesiser_at_hand()}; torch {torch.__version__}.\n\n"
        + table(["for each clip of 10 s", "ms", "width 0.5 = 1"], rows)
        + "\n"
    )


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    out.write_text(report(), encoding="utf-8")
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
