"""Play what is written: beats in time, strained notes, and events as notes with jitter, articulation and dynamics."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.score import Note
from emomod.corpus.style import Style
from emomod.corpus.timing import CHORD_SECONDS

FOREIGN_INTERVALS = (1, -1, 6, 2, 11)  # semitones of an added note
SHORTEST = 0.05  # s


@dataclass(frozen=True)
class Event:
    """A note before it is played."""

    beat: float
    held: float  # beats until the part's next onset or the end of the chord, or as long as it is written
    pitch: int
    accent: float  # 0..1


def draw_beats(rng: np.random.Generator, style: Style, *, seconds: float, lead_in: int = 0) -> NDArray[np.float64]:
    """Times of the beats in seconds, steady, wandering, slowing down or speeding up; beat ``lead_in`` is at 0 s.

    There is at least one beat after ``seconds``.
    """
    n_beats = lead_in + int(np.ceil(seconds / style.beat_seconds * 2.3)) + 2
    wander = rng.normal(0.0, style.drift, n_beats)
    if style.drift > 0.02 and rng.random() < 0.4:
        wander = np.linspace(0.0, rng.choice((-3.0, 3.0)) * style.drift, n_beats) + 0.3 * wander
    lengths = style.beat_seconds * np.exp(np.clip(wander, -0.8, 0.8))
    times = np.concatenate([[0.0], np.cumsum(lengths[:-1])])
    times -= times[lead_in]
    return np.asarray(times[: int(np.searchsorted(times, seconds, side="right")) + 1])


def held_until(events: list[Event], stop: Callable[[float], float]) -> list[Event]:
    """Events that a pedal holds at least until ``stop(beat)``, a beat."""
    return [replace(event, held=max(event.held, stop(event.beat) - event.beat)) for event in events]


def strain_events(rng: np.random.Generator, events: list[Event], *, style: Style, low: int) -> list[Event]:
    """Move some notes by a semitone or two and add foreign ones, as the style says; none below the key ``low``."""
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


def play_events(
    rng: np.random.Generator,
    events: list[Event],
    *,
    style: Style,
    beats: NDArray[np.float64],
    hold: float,
    seconds: float,
) -> tuple[Note, ...]:
    """Turn events into notes that begin at least 50 ms before ``seconds``; ``beats`` are the times of the beats, s.

    A key that is struck again ends the note before; within 30 ms it is one stroke.
    """
    last = beats.size - 1.001
    swell = float(rng.choice((-0.25, 0.0, 0.0, 0.25)))
    notes = []
    for event in events:
        if event.beat > last:
            continue
        begin = float(np.interp(event.beat, np.arange(beats.size), beats))
        end = float(np.interp(min(event.beat + event.held, last), np.arange(beats.size), beats))
        onset = max(0.0, begin + float(rng.normal(0, style.jitter)))
        duration = max(SHORTEST, (end - begin) * hold * float(np.exp(rng.normal(0, 0.08))))
        loudness = (
            style.loudness * (0.55 + 0.45 * event.accent) + swell * event.beat / last + float(rng.normal(0, 0.03))
        )
        velocity = int(np.clip(round(127 * loudness), 20, 120))
        if onset < seconds - SHORTEST:
            notes.append(Note(onset, duration, event.pitch, velocity))
    return tuple(sorted(_cut_by_the_next(_single_strokes(notes)), key=lambda note: (note.onset, note.pitch)))


def _single_strokes(notes: Iterable[Note]) -> list[Note]:
    """Notes by key and onset; of those of one key that begin within 30 ms, the first, as long as any of them lasts."""
    kept: list[Note] = []
    for note in sorted(notes, key=lambda note: (note.pitch, note.onset)):
        if kept and kept[-1].pitch == note.pitch and note.onset - kept[-1].onset < CHORD_SECONDS:
            lasts = note.onset + note.duration - kept[-1].onset
            kept[-1] = replace(kept[-1], duration=max(kept[-1].duration, lasts))
        else:
            kept.append(note)
    return kept


def _cut_by_the_next(notes: Sequence[Note]) -> list[Note]:
    """Notes, ordered by key and onset, that end no later than the next one of their key begins."""
    cut = []
    for note, later in zip_longest(notes, notes[1:]):
        free = later.onset - note.onset if later is not None and later.pitch == note.pitch else math.inf
        cut.append(replace(note, duration=min(note.duration, free)))
    return cut
