"""Conditions: the versions of an item that listeners compare, by name.

- ``original``: the clip resynthesised with nothing changed, so that versions differ in the manipulation alone
- ``TARGET enhanced 6 dB``, ``... weakened ...``: the target's positive components up, or down, by the gain
- ``TARGET opposite 6 dB``: the target's negative components up, which should lower it
- ``TARGET sham 6 dB``: random components of the same energy as the positive ones, up by the gain
- ``TARGET steered 2 of 5``: a given version, which has two fifths of what it was steered by (see series)
- ``softer``: the original 12 dB softer, for catch trials that everybody must get right
"""

from dataclasses import dataclass
from typing import ClassVar

from emomod.checks import check_choice, check_count, check_number
from emomod.labels import SCORE_NAMES
from emomod.modification import MAX_GAIN_DB

VERSIONS = ("enhanced", "weakened", "opposite", "sham")
ORIGINAL, SOFTER = "original", "softer"
SOFTER_DB = -12.0


@dataclass(frozen=True)
class Condition:
    """A manipulation of an item."""

    target: str  # a score of the model
    version: str  # one of VERSIONS
    gain_db: float  # > 0

    def __post_init__(self) -> None:
        check_choice("targets", self.target, SCORE_NAMES)
        check_choice("versions", self.version, VERSIONS)
        check_number("gains_db", self.gain_db, low=0.1, high=MAX_GAIN_DB)

    @property
    def name(self) -> str:
        """What it is called in tables.

        >>> Condition("energy", "enhanced", 6.0).name
        'energy enhanced 6 dB'
        """
        return f"{self.target} {self.version} {self.gain_db:g} dB"


@dataclass(frozen=True)
class Step:
    """A version of an item that was steered before: a share of what was asked for."""

    target: str  # the score that was steered
    step: int  # from 1
    n_steps: int
    version: ClassVar[str] = "steered"

    def __post_init__(self) -> None:
        check_choice("targets", self.target, SCORE_NAMES)
        check_count("steps", self.n_steps)

    @property
    def name(self) -> str:
        """What it is called in tables.

        >>> Step("articulation", 2, 5).name
        'articulation steered 2 of 5'
        """
        return f"{self.target} {self.version} {self.step} of {self.n_steps}"
