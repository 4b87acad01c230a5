"""Graded series: folders of ``emomod steer CLIP --shift NAME=SHIFT --steps N --out DIR`` as versions of an item.

DIR/original.wav is heard beside N versions: DIR/steps/step_1.wav ... step_{N-1}.wav, which have 1/N, 2/N ... of what
was asked for, and DIR/steered.wav, which has all of it. Without ``--steps`` that is the only one. DIR/steer.json tells
what was asked.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from emomod.errors import InputError

RECORD = "steer.json"
MAKE = "`emomod steer CLIP --shift NAME=SHIFT --steps N --out DIR` makes a series"


@dataclass(frozen=True)
class Series:
    """What lies in such a folder."""

    steered: str  # the score that was steered and its wanted shift, such as articulation=+0.2 or articulation=max
    original: Path
    steps: tuple[Path, ...]  # files of growing shares of the shift


def read_series(folder: str | Path) -> Series:
    """What was steered in ``folder``, and the files; InputError where it is no series of one score, or lacks a file."""
    source = Path(folder)
    if not (source / RECORD).is_file():
        raise InputError(f"{source}: is a folder without {RECORD}; {MAKE}")
    try:
        record = json.loads((source / RECORD).read_text(encoding="utf-8"))
        asked, settings = dict(record["requested"]), record["settings"]
        n_steps = int(settings["n_steps"]) if settings["write_steps"] else 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{source}: {RECORD} cannot be read ({error!r})") from None
    if len(asked) != 1:
        raise InputError(f"{source}: a series must be steered in one score, got {', '.join(asked) or 'none'}")
    ((name, shift),) = asked.items()
    between = (source / "steps" / f"step_{step}.wav" for step in range(1, n_steps))
    series = Series(
        steered=f"{name}={shift}" if isinstance(shift, str) else f"{name}={shift:+g}",
        original=source / "original.wav",
        steps=(*between, source / "steered.wav"),
    )
    for path in (series.original, *series.steps):
        if not path.is_file():
            raise InputError(f"{source}: {path.relative_to(source)} is missing; steer the clip anew")
    return series
