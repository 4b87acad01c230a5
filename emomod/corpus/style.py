"""The plan of a clip: everything that is drawn once, before any note."""

from dataclasses import dataclass

import numpy as np

from emomod.corpus.harmony import HarmonyStyle, draw_harmony_style
from emomod.corpus.instruments import BASS_PROGRAMS, ENSEMBLES, HARMONY_PROGRAMS, MELODY_PROGRAMS, is_held_out

PITCHED_ROLES = ("melody", "harmony", "bass")
LINE_UPS = (
    (("melody", "harmony", "bass", "drums"), 0.26),
    (("melody", "harmony", "bass"), 0.24),
    (("melody", "harmony"), 0.16),
    (("harmony", "bass"), 0.07),
    (("harmony", "bass", "drums"), 0.07),
    (("harmony",), 0.06),
    (("melody",), 0.05),
    (("melody", "bass", "drums"), 0.04),
    (("melody", "bass"), 0.05),
)  # which parts play, and how often


@dataclass(frozen=True)
class Style:
    """The plan of a clip."""

    roles: tuple[str, ...]
    programs: tuple[int, int, int]  # of PITCHED_ROLES
    harmony: HarmonyStyle
    beat_seconds: float
    beats_per_bar: int
    density: float  # 0..1, see RhythmStyle
    syncopation: float  # 0..1
    leaps: float  # 0..1, share of leaps in melodies
    hold: float  # factor of duration that the players aim at: .15 staccato .. 1.1 legato
    loudness: float  # velocity 0..1
    jitter: float  # s, standard deviation of single onsets
    drift: float  # standard deviation of the logarithm of each beat's length
    foreign: float  # share of notes that get a neighbour a semitone, tritone or cluster away
    displaced: float  # share of notes that are moved by a semitone or two
    pedal: bool  # notes ring until the chord or the bar changes

    def rings(self, role: str) -> bool:
        """Whether the pedal holds the notes of ``role``: the melody's only where all pitched roles have one program."""
        programs = {self.program(each) for each in self.roles if each != "drums"}
        return self.pedal and role != "drums" and (role != "melody" or len(programs) == 1)

    def program(self, role: str) -> int:
        """The program of a pitched role."""
        return self.programs[PITCHED_ROLES.index(role)]


def draw_style(rng: np.random.Generator, *, held_out: bool = False) -> Style:
    """Draw a plan; nearly half of the clips are plain (tonal, in time), the others strained in some respects.

    Its instruments are those kept for tests if ``held_out``, else the others.
    """
    strain = 0.0 if rng.random() < 0.42 else 1.0
    line_up = LINE_UPS[rng.choice(len(LINE_UPS), p=[odds for _, odds in LINE_UPS])][0]
    beats_per_bar = int(rng.choice((4, 3, 2), p=(0.72, 0.22, 0.06)))
    return Style(
        roles=line_up,
        programs=draw_programs(rng, held_out=held_out),
        harmony=draw_harmony_style(rng, strain=strain, beats_per_bar=beats_per_bar),
        beat_seconds=float(np.exp(rng.uniform(np.log(0.34), np.log(1.15)))),
        beats_per_bar=beats_per_bar,
        density=float(rng.beta(1.5, 2.6)),
        syncopation=float(rng.beta(0.8, 2.0)),
        leaps=float(rng.beta(0.8, 1.8)),
        hold=float(np.exp(rng.uniform(np.log(0.12), np.log(1.15)))),
        loudness=float(rng.uniform(0.35, 0.9)),
        jitter=_maybe(rng, 0.5 * strain, low=0.015, high=0.1, otherwise=float(rng.uniform(0.0, 0.012))),
        drift=_maybe(rng, 0.45 * strain, low=0.03, high=0.3, otherwise=float(rng.choice((0.0, 0.008)))),
        foreign=_maybe(rng, 0.45 * strain, low=0.1, high=0.9),
        displaced=_maybe(rng, 0.3 * strain, low=0.08, high=0.7),
        pedal=bool(rng.random() < 0.2),
    )


def _maybe(rng: np.random.Generator, chance: float, *, low: float, high: float, otherwise: float = 0.0) -> float:
    """A number from low..high with ``chance``, else ``otherwise``."""
    return float(rng.uniform(low, high)) if rng.random() < chance else otherwise


def draw_programs(rng: np.random.Generator, *, held_out: bool) -> tuple[int, int, int]:
    """Programs of melody, harmony, bass: half of the time an ensemble that exists, else any three."""

    def allowed(programs: tuple[int, ...]) -> bool:
        return all(is_held_out(program) == held_out for program in programs)

    if rng.random() < 0.5:
        ensembles = [ensemble for ensemble in ENSEMBLES if allowed(ensemble)]
        return ensembles[rng.integers(len(ensembles))]
    pools = (MELODY_PROGRAMS, HARMONY_PROGRAMS, BASS_PROGRAMS)
    melody, harmony, bass = (int(rng.choice([program for program in pool if allowed((program,))])) for pool in pools)
    return melody, harmony, bass
