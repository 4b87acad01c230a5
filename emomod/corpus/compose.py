"""Compose a clip: draw a style, write its parts over chords, and play them, in seconds and with a human's faults.

Variety of structure matters most for what a network learns here: with plain music alone, dissonance and key clarity
are hardly learnt. So line-ups, textures, tonality, timing and articulation are drawn widely and independently.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_number, check_rng
from emomod.corpus.harmony import Chord, chord_at, draw_chords
from emomod.corpus.instruments import instrument
from emomod.corpus.parts import draw_bass, draw_drum_events, draw_harmony, draw_melody
from emomod.corpus.playing import Event, draw_beats, held_until, play_events, strain_events
from emomod.corpus.score import Part, Score
from emomod.corpus.style import Style, draw_style

Writer = Callable[..., list[Event]]
WRITERS: dict[str, Writer] = {"melody": draw_melody, "harmony": draw_harmony, "bass": draw_bass}


def compose(rng: int | np.random.Generator, *, seconds: float = 10.0, held_out: bool = False) -> Score:
    """Compose and play a clip of ``seconds`` (at least 1 s); the same generator state gives the same score.

    ``held_out`` takes the instruments that are kept for tests (emomod.corpus.instruments), and only those.
    """
    rng = check_rng(rng)
    check_number("seconds", seconds, low=1.0, high=600.0)
    while True:
        style = draw_style(rng, held_out=held_out)
        beats = draw_beats(rng, style, seconds=seconds)
        chords = draw_chords(rng, style.harmony, n_beats=beats.size)
        parts = tuple(
            _draw_part(rng, role, style=style, chords=chords, beats=beats, seconds=seconds) for role in style.roles
        )
        if sum(len(part.notes) for part in parts if not part.is_drums) >= 3:
            return Score(parts, seconds, tuple(beats.tolist()), style.beats_per_bar)


def draw_level(rng: np.random.Generator, role: str) -> float:
    """Factor of amplitude of a part; a melody is no more than 6 dB down, others up to 12 dB."""
    return float(10 ** (-rng.uniform(0, 12 if role != "melody" else 6) / 20))


def draw_hold(rng: np.random.Generator, style: Style) -> float:
    """Share 0.08..1.15 of the time to the next note that a part holds its notes, around the style's."""
    return float(np.clip(style.hold * np.exp(rng.normal(0, 0.35)), 0.08, 1.15))


def _draw_part(
    rng: np.random.Generator,
    role: str,
    *,
    style: Style,
    chords: tuple[Chord, ...],
    beats: NDArray[np.float64],
    seconds: float,
) -> Part:
    """Write one part and play it."""
    level = draw_level(rng, role)
    if role == "drums":
        events = draw_drum_events(rng, style, n_beats=beats.size)
        return Part(role, 0, play_events(rng, events, style=style, beats=beats, hold=1.0, seconds=seconds), level)
    program = style.program(role)
    events = WRITERS[role](rng, style, chords, n_beats=beats.size)
    events = strain_events(rng, events, style=style, low=instrument(program).low)
    hold = draw_hold(rng, style)  # with a pedal, too, so that all that is drawn after it stays the same
    if style.rings(role):
        events, hold = held_until(events, lambda beat: chord_at(chords, beat).stop), 1.0
    return Part(role, program, play_events(rng, events, style=style, beats=beats, hold=hold, seconds=seconds), level)
