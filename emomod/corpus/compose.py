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
from emomod.corpus.parts import Event, draw_bass, draw_drum_events, draw_harmony, draw_melody
from emomod.corpus.score import Note, Part, Score
from emomod.corpus.style import Style, draw_style

FOREIGN_INTERVALS = (1, -1, 6, 2, 11)  # semitones of an added note
Writer = Callable[..., list[Event]]
WRITERS: dict[str, Writer] = {"melody": draw_melody, "harmony": draw_harmony, "bass": draw_bass}


def compose(rng: int | np.random.Generator, *, seconds: float = 10.0) -> Score:
    """Compose and play a clip of ``seconds`` (at least 1 s); the same generator state gives the same score."""
    rng = check_rng(rng)
    check_number("seconds", seconds, low=1.0, high=600.0)
    while True:
        style = draw_style(rng)
        n_beats = int(np.ceil(seconds / style.beat_seconds * 1.4)) + 2
        beats = _draw_beats(rng, style, n_beats=n_beats)
        chords = draw_chords(rng, style.harmony, n_beats=n_beats)
        parts = tuple(_draw_part(rng, role, style=style, chords=chords, beats=beats) for role in style.roles)
        parts = tuple(_within(part, seconds) for part in parts)
        if sum(len(part.notes) for part in parts if not part.is_drums) >= 3:
            return Score(parts, seconds, tuple(beats.tolist()), style.beats_per_bar)


def _within(part: Part, seconds: float) -> Part:
    """The notes of a part that start at least 50 ms before the end."""
    notes = tuple(note for note in part.notes if note.onset < seconds - 0.05)
    return Part(part.role, part.program, notes, part.level)


def _draw_beats(rng: np.random.Generator, style: Style, *, n_beats: int) -> NDArray[np.float64]:
    """Times [n_beats] of the beats in seconds: steady, wandering, or slowing down and speeding up."""
    wander = rng.normal(0.0, style.drift, n_beats)
    if style.drift > 0.02 and rng.random() < 0.4:
        wander = np.linspace(0.0, rng.choice((-3.0, 3.0)) * style.drift, n_beats) + 0.3 * wander
    lengths = style.beat_seconds * np.exp(np.clip(wander, -0.8, 0.8))
    return np.concatenate([[0.0], np.cumsum(lengths[:-1])])


def _draw_part(
    rng: np.random.Generator, role: str, *, style: Style, chords: tuple[Chord, ...], beats: NDArray[np.float64]
) -> Part:
    """Write one part and play it."""
    n_beats = beats.size
    level = float(10 ** (-rng.uniform(0, 12 if role != "melody" else 6) / 20))
    if role == "drums":
        events = draw_drum_events(rng, style, n_beats=n_beats)
        return Part(role, 0, _play(rng, events, style=style, beats=beats, hold=1.0), level)
    program = style.programs[("melody", "harmony", "bass").index(role)]
    events = WRITERS[role](rng, style, chords, n_beats=n_beats)
    events = _strained(rng, events, style=style, low=instrument(program).low)
    if style.pedal and role != "melody":
        events = [Event(e.beat, max(e.held, chord_at(chords, e.beat).stop - e.beat), e.pitch, e.accent) for e in events]
    hold = float(np.clip(style.hold * np.exp(rng.normal(0, 0.35)), 0.08, 1.15))
    return Part(role, program, _play(rng, events, style=style, beats=beats, hold=hold), level)


def _strained(rng: np.random.Generator, events: list[Event], *, style: Style, low: int) -> list[Event]:
    """Move some notes by a semitone or two and add foreign ones, as the style says."""
    strained = []
    for event in events:
        pitch = event.pitch
        if rng.random() < style.displaced:
            pitch += int(rng.choice((-2, -1, 1, 2)))
        strained.append(Event(event.beat, event.held, pitch, event.accent))
        if rng.random() < style.foreign:
            added = pitch + int(rng.choice(FOREIGN_INTERVALS, p=(0.35, 0.25, 0.2, 0.1, 0.1)))
            strained.append(Event(event.beat, event.held, max(added, low), event.accent))
    return strained


def _play(
    rng: np.random.Generator, events: list[Event], *, style: Style, beats: NDArray[np.float64], hold: float
) -> tuple[Note, ...]:
    """Turn events into notes in seconds, with jitter, articulation and dynamics."""
    last = beats.size - 1.001
    swell = float(rng.choice((-0.25, 0.0, 0.0, 0.25)))
    notes = {}
    for event in events:
        if event.beat > last:
            continue
        begin = float(np.interp(event.beat, np.arange(beats.size), beats))
        end = float(np.interp(min(event.beat + event.held, last), np.arange(beats.size), beats))
        onset = max(0.0, begin + float(rng.normal(0, style.jitter)))
        duration = max(0.05, (end - begin) * hold * float(np.exp(rng.normal(0, 0.08))))
        loudness = (
            style.loudness * (0.55 + 0.45 * event.accent) + swell * event.beat / last + float(rng.normal(0, 0.03))
        )
        velocity = int(np.clip(round(127 * loudness), 20, 120))
        notes[(round(onset, 2), event.pitch)] = Note(onset, duration, event.pitch, velocity)
    return tuple(sorted(notes.values(), key=lambda note: (note.onset, note.pitch)))
