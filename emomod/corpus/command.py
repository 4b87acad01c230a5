"""The command that renders a corpus again, from what the corpus says of itself; for the cards of models."""

import shlex
from pathlib import Path
from typing import Any

from emomod.corpus.fluidsynth import SOUNDFONTS
from emomod.corpus.store import settings_of

USUAL_SOUNDFONTS = {Path(path).name for path in SOUNDFONTS}


def rendering_command(name: str, description: dict[str, Any]) -> str:
    """The command that renders the corpus in the folder ``name``; ``description``: what its corpus.json says.

    It is of clips of 10 s, as the command line makes them; scores and soundfont are called by their names.
    """
    made, scores, soundfont = settings_of(description), description.get("scores"), description.get("soundfont")
    words = ["emomod", "corpus", "render", "--clips", made.n_clips, "--seed", made.seed]
    words += ["--synthesiser", made.synthesiser]
    if scores:
        words += ["--scores", scores["folder"], "--score-share", made.score_share]
    if soundfont and soundfont not in USUAL_SOUNDFONTS:
        words += ["--soundfont", soundfont]
    flags = {"--couples": made.couples, "--held-out": made.held_out, "--spectrograms-only": not made.stems}
    words += [flag for flag, wanted in flags.items() if wanted]
    return shlex.join(str(word) for word in [*words, "--out", name])
