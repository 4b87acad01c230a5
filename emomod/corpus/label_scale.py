"""Make the fixed scale of the labels from clips of the composer: ``python -m emomod.corpus.label_scale``."""

import json
from pathlib import Path

import numpy as np

from emomod.corpus.compose import compose
from emomod.corpus.labels import draw_quantiles

N_SCORES = 4000
SEED = 20190521


def main() -> None:
    """Write label_scale.json beside this file."""
    scores = (compose(np.random.default_rng([SEED, index])) for index in range(N_SCORES))
    scale = {"n_scores": N_SCORES, "seed": SEED, "quantiles": draw_quantiles(scores)}
    Path(__file__).with_suffix(".json").write_text(json.dumps(scale, indent=1) + "\n")


if __name__ == "__main__":
    main()
