"""The spread of a checkpoint's scores over the test clips of its corpora, for models whose card does not have it.

python -m emomod.training.spread default.safetensors --corpus mixed-5 --corpus couples-6 > default_spread.json
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emomod.audio import SAMPLE_RATE
from emomod.datasets.splits import splits_of
from emomod.model.checkpoint import load_checkpoint
from emomod.output import to_json
from emomod.spectrogram import n_frames_of
from emomod.training.release import spread_by_name
from emomod.training.scoring import predict_scores
from emomod.training.sources import joined, load_sources


def main(argv: Sequence[str] | None = None) -> None:
    """Print the spread as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--corpus", action="append", required=True, help="a corpus that it was trained on, in order")
    arguments = parser.parse_args(argv)
    checkpoint = load_checkpoint(arguments.checkpoint)
    training, clips = checkpoint.card["training"], joined(load_sources(tuple(arguments.corpus)))
    test = splits_of(training["split"], clips.groups, seed=training["seed"])[0].test
    n_frames = n_frames_of(round(checkpoint.card["window_seconds"] * SAMPLE_RATE))
    scores = predict_scores(checkpoint.network, [clips.spectrograms[index] for index in test], n_frames=n_frames)
    spread = spread_by_name(checkpoint.network.names, scores.std(axis=0, ddof=1, dtype=np.float64))
    command = shlex.join(["python", "-m", "emomod.training.spread", *(argv or sys.argv[1:])])
    told = {"sha256": checkpoint.sha256, "n_clips": len(test), "command": command}
    sys.stdout.write(to_json(told | {"spread": spread}) + "\n")


if __name__ == "__main__":
    main()
