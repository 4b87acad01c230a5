"""Refresh the pictures of docs/effects.md: effects in small composed clips, and the two halves of the demo compared.

python scripts/effects_pictures.py [IMAGE_FOLDER], by default docs/images. The clips are composed from a fixed seed and
played by the package's own synthesiser, so that the pictures change with the composer and the model
that ships only.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from emomod.audio import read_clip, write_wav
from emomod.cli.options import clip_path
from emomod.corpus.compose import compose
from emomod.corpus.synthesis import synthesise
from emomod.many_clips import compare, effects_of_clips

N_CLIPS, SEED, PEAK = 40, 7, 0.8
MARKED = ("demo", "tune_07", "tune_21")


def write_composed(folder: Path, n_clips: int) -> list[Path]:
    """Write composed clips into ``folder``."""
    made = []
    for index in range(n_clips):
        y = np.asarray(synthesise(compose(np.random.default_rng([SEED, index]), seconds=10.0)))
        made.append(write_wav(folder / f"tune_{index:02d}.wav", PEAK * y / max(float(np.abs(y).max()), 1e-9)))
    return made


def write_halves(folder: Path) -> list[Path]:
    """Write the two halves of the demo, legato and staccato, into ``folder``."""
    y = read_clip(clip_path("demo"), seconds=60.0).y
    halves = (y[: y.size // 2], y[y.size // 2 :])
    return [write_wav(folder / f"{name}.wav", half) for name, half in zip(("legato", "staccato"), halves, strict=True)]


def main(images: Path) -> None:
    """Make the pages in a temporary folder and keep one figure of each."""
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "songs").mkdir()
        write_composed(folder / "songs", N_CLIPS)
        effects_of_clips([folder / "songs", clip_path("demo")], out=folder / "effects", marks=MARKED)
        compare(write_halves(folder), out=folder / "compared")
        for made, kept in (("effects", "effects-energy"), ("compared", "compare-energy")):
            shutil.copy(folder / made / "figures" / "effects_energy.png", images / f"{kept}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/images"))
