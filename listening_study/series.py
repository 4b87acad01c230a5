"""Graded series: folders of ``emomod steer CLIP --shift NAME=SHIFT --steps N --out DIR`` as versions of an item.

DIR/original.wav is heard beside N versions: DIR/steps/step_1.wav ... step_{N-1}.wav, which have 1/N, 2/N ... of what
was asked for, and DIR/steered.wav, which has all of it. Without ``--steps`` that is the only one. DIR/steer.json tells
what was asked.
"""

from dataclasses import dataclass
from pathlib import Path

from emomod.checks import check_count
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from emomod.reading.json_files import read_object
from emomod.reading.text import path_inside

RECORD = "steer.json"
MOST_STEPS = 50  # nobody listens to more versions of a clip
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
        record = read_object(source / RECORD)
        asked, settings = dict(record["requested"]), record["settings"]
        n_steps = check_count("n_steps", settings["n_steps"]) if settings["write_steps"] else 1
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{source}: {RECORD} cannot be read ({error!s:.200})") from None
    if n_steps > MOST_STEPS:
        raise InputError(f"{source}: a series must have at most {MOST_STEPS} steps, got {n_steps}")
    if len(asked) != 1:
        raise InputError(f"{source}: a series must be steered in one score, got {', '.join(asked) or 'none'}")
    ((name, shift),) = asked.items()
    if name not in SCORE_NAMES or isinstance(shift, bool) or not isinstance(shift, (str, int, float)):
        raise InputError(f"{source}: {RECORD} must tell a score and its shift, got {name!r:.80} and {shift!r:.80}")
    between = (source / "steps" / f"step_{step}.wav" for step in range(1, n_steps))
    series = Series(
        steered=f"{name}={shift}" if isinstance(shift, str) else f"{name}={shift:+g}",
        original=source / "original.wav",
        steps=(*between, source / "steered.wav"),
    )
    for path in (series.original, *series.steps):
        if not path.is_file():
            raise InputError(f"{source}: {path.relative_to(source)} is missing; steer the clip anew")
        path_inside(path, folder=source)
    return series
