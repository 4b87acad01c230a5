"""The command that renders a corpus again, from what the corpus says of itself; for the cards of models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emomod.corpus.fluidsynth import SOUNDFONTS

USUAL_SOUNDFONTS = {Path(path).name for path in SOUNDFONTS}


def rendering_command(name: str, description: Mapping[str, Any]) -> str:
    """The command that renders the corpus in the folder ``name``; ``description``: what its corpus.json says."""
    made, scores, soundfont = description["settings"], description.get("scores"), description.get("soundfont")
    words = ["emomod corpus render", f"--clips {made['n_clips']} --seed {made['seed']}"]
    words.append(f"--synthesiser {made['synthesiser']}")
    if scores:
        words.append(f"--scores {scores['folder']} --score-share {made['score_share']:g}")
    if soundfont and soundfont not in USUAL_SOUNDFONTS:
        words.append(f"--soundfont {soundfont}")
    words += [option for key, option in (("couples", "--couples"), ("held_out", "--held-out")) if made.get(key)]
    return " ".join([*words, *([] if made.get("stems") else ["--spectrograms-only"]), f"--out {name}"])
