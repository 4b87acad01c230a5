"""Arrange ten seconds of a real song: other instruments, tempo, key, articulation, timing; parts dropped or added.

Its melody, harmony and form stay real; what the labels measure is varied as widely as in composed clips, because a
network that has only heard songs as they are written learns little of dissonance or key clarity.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_number, check_rng
from emomod.corpus.compose import draw_hold, draw_level
from emomod.corpus.instruments import Instrument, instrument
from emomod.corpus.parts import draw_drum_events, fold_into_range
from emomod.corpus.playing import Event, draw_beats, held_until, play_events, strain_events
from emomod.corpus.retune import Retuning, draw_retuning
from emomod.corpus.score import Part, Score
from emomod.corpus.song import Song, SongPart
from emomod.corpus.style import Style, draw_programs, draw_style
from emomod.errors import InputError

BASS_BELOW = 52  # keys below this may become a bass part
TEMPO_RANGE = 0.4  # natural logarithm of the largest change of tempo
BEAT_SECONDS = (0.28, 1.3)
AS_WRITTEN = 0.45  # chance that the lengths of notes stay as written
EARLY = 0.1  # beats by which a note may come before the beat that it belongs to
ATTEMPTS = 60


@dataclass(frozen=True)
class Plan:
    """What is drawn once for an arrangement."""

    style: Style
    retuning: Retuning
    transposition: int  # semitones
    thinned: float  # share of notes that are left out
    shifted: float  # share of onsets moved by a quarter or half beat
    repeated: float  # beats between strokes that a long note is split into; 0: it is not
    as_written: bool  # lengths of notes as written, else up to the next note


def arrange(song: Song, rng: int | np.random.Generator, *, seconds: float = 10.0, held_out: bool = False) -> Score:
    """Arrange and play ``seconds`` of ``song`` from a drawn beat; the same generator state gives the same score.

    ``held_out`` takes the instruments that are kept for tests, and only those. Raises InputError when no stretch of
    the song has notes enough.
    """
    rng = check_rng(rng)
    check_number("seconds", seconds, low=1.0, high=600.0)
    for _ in range(ATTEMPTS):
        score = _attempt(song, rng, seconds=seconds, held_out=held_out)
        if score is not None:
            return score
    raise InputError(f"{song.name}: no stretch of {seconds:g} s with at least three notes was found")


def _attempt(song: Song, rng: np.random.Generator, *, seconds: float, held_out: bool) -> Score | None:
    style = draw_style(rng, held_out=held_out)
    tempo = song.beat_seconds * float(np.exp(rng.uniform(-TEMPO_RANGE, TEMPO_RANGE)))
    style = replace(style, beat_seconds=float(np.clip(tempo, *BEAT_SECONDS)), beats_per_bar=song.beats_per_bar)
    lead_in = int(rng.integers(song.beats_per_bar))
    beats = draw_beats(rng, style, seconds=seconds, lead_in=lead_in)
    n_bars = max(1, (song.n_beats - beats.size) // song.beats_per_bar + 1)
    start = int(rng.integers(n_bars)) * song.beats_per_bar
    excerpt = [_cut(part, start=start, lead_in=lead_in, n_beats=beats.size) for part in song.parts]
    plan = _draw_plan(rng, style, excerpt, n_beats=beats.size)
    if plan is None:
        return None
    parts = tuple(
        _play_part(rng, part, program=program, plan=plan, beats=beats, seconds=seconds)
        for part, program in _line_up(rng, excerpt, style=style, held_out=held_out)
    )
    if style.roles[-1] == "drums" and not any(part.is_drums for part in parts):
        drums = draw_drum_events(rng, style, n_beats=beats.size)
        drums = [event for event in drums if event.beat >= lead_in]
        notes = play_events(rng, drums, style=style, beats=beats, hold=1.0, seconds=seconds)
        parts = (*parts, Part("drums", 0, notes, draw_level(rng, "drums")))
    if sum(len(part.notes) for part in parts if not part.is_drums) < 3:
        return None
    return Score(parts, seconds, tuple(beats.tolist()), style.beats_per_bar)


def _cut(part: SongPart, *, start: int, lead_in: int, n_beats: int) -> SongPart:
    """The notes of a part that begin between beats ``start + lead_in`` and ``start + n_beats``, counted from start."""
    onset = part.onset - start
    kept = (onset >= lead_in - EARLY) & (onset < n_beats - 1)
    return replace(part, onset=onset.clip(0.0)).only(kept)


def _draw_plan(rng: np.random.Generator, style: Style, parts: list[SongPart], *, n_beats: int) -> Plan | None:
    classes = np.zeros(12)
    for part in parts:
        if part.role != "drums":
            np.add.at(classes, part.pitch % 12, part.held.clip(0.1, 4.0))
    if not classes.any():
        return None
    strain = bool(rng.random() < 0.5)
    return Plan(
        style=style,
        retuning=draw_retuning(rng, classes, strain=strain, n_beats=n_beats),
        transposition=int(rng.integers(-6, 6)),
        thinned=float(rng.uniform(0.1, 0.7)) if rng.random() < 0.25 else 0.0,
        shifted=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.25 else 0.0,
        repeated=float(rng.choice((0.25, 0.5, 1.0))) if rng.random() < 0.15 else 0.0,
        as_written=bool(rng.random() < AS_WRITTEN),
    )


def _line_up(
    rng: np.random.Generator, excerpt: list[SongPart], *, style: Style, held_out: bool
) -> list[tuple[SongPart, int]]:
    """The parts of an excerpt that play, each with its program: those of the style's roles, the bass split off."""
    melody_program, harmony_program, bass_program = style.programs
    chosen: list[tuple[SongPart, int]] = []
    n_harmonies = 0
    for part in excerpt:
        if part.role == "drums" and "drums" in style.roles:
            chosen.append((part, 0))
        if part.role == "melody" and "melody" in style.roles:
            chosen.append((part, melody_program))
        if part.role == "bass" and "bass" in style.roles:
            chosen.append((part, bass_program))
        if part.role == "harmony" and n_harmonies and rng.random() < 0.4:
            continue
        if part.role == "harmony":
            program = (
                draw_programs(rng, held_out=held_out)[1] if n_harmonies and rng.random() < 0.5 else harmony_program
            )
            chosen += _split_bass(part, program, bass_program=bass_program, roles=style.roles)
            n_harmonies += 1
    return [(part, program) for part, program in chosen if part.onset.size]


def _split_bass(
    part: SongPart, program: int, *, bass_program: int, roles: tuple[str, ...]
) -> list[tuple[SongPart, int]]:
    """An accompaniment as the roles want it: whole, without its low notes, or only these, as bass."""
    low = part.pitch < BASS_BELOW
    pieces = [(part.only(~low), program)] if "harmony" in roles and "bass" in roles else []
    if "harmony" in roles and "bass" not in roles:
        pieces = [(part, program)]
    return [*pieces, (part.only(low, role="bass"), bass_program)] if "bass" in roles else pieces


def _play_part(
    rng: np.random.Generator,
    part: SongPart,
    *,
    program: int,
    plan: Plan,
    beats: NDArray[np.float64],
    seconds: float,
) -> Part:
    """One part of the excerpt in its new sound."""
    style, is_drums = plan.style, part.role == "drums"
    written = part.only(rng.random(part.onset.size) >= plan.thinned)
    onset = _shifted(rng, written.onset, share=plan.shifted)
    held = written.held if plan.as_written else _until_next(onset, n_beats=beats.size)
    rows = zip(onset, held, written.pitch, written.velocity, strict=True)
    events = [
        Event(float(beat), float(length), int(pitch), 0.3 + 0.7 * float(velocity) / 127)
        for beat, length, pitch, velocity in rows
    ]
    if not is_drums:
        events = _repeated(events, every=plan.repeated)
        events = _retuned(events, plan=plan, range_=instrument(program))
        events = strain_events(rng, events, style=style, low=instrument(program).low)
    hold = float(np.exp(rng.normal(0, 0.15))) if plan.as_written or is_drums else draw_hold(rng, style)
    if style.rings(part.role):
        bar = style.beats_per_bar
        events, hold = held_until(events, lambda beat: ((beat + EARLY) // bar + 1) * bar), 1.0
    notes = play_events(rng, events, style=style, beats=beats, hold=hold, seconds=seconds)
    return Part(part.role, 0 if is_drums else program, notes, draw_level(rng, part.role))


def _shifted(rng: np.random.Generator, onset: NDArray[np.float64], *, share: float) -> NDArray[np.float64]:
    """Onsets of which a share comes a quarter or half beat early or late; those of a chord move together."""
    times = np.unique(np.round(onset, 2))
    steps = rng.choice((-0.5, -0.25, 0.25, 0.5), times.size) * (rng.random(times.size) < share)
    moved = onset + steps[np.searchsorted(times, np.round(onset, 2)).clip(0, max(0, times.size - 1))]
    return np.asarray(np.where(moved < onset.min(initial=0.0), onset, moved))


def _until_next(onset: NDArray[np.float64], *, n_beats: int) -> NDArray[np.float64]:
    """Beats from each onset to the part's next later one, at most 4."""
    times = np.append(np.unique(onset), float(n_beats))
    following = times[np.searchsorted(times, onset + 0.05).clip(0, times.size - 1)]
    return np.asarray(np.minimum(following - onset, 4.0).clip(0.1))


def _repeated(events: list[Event], *, every: float) -> list[Event]:
    """Long notes split into strokes ``every`` so many beats, if that is not 0."""
    if not every:
        return events
    return [
        Event(event.beat + step * every, every, event.pitch, event.accent * (1.0 if step == 0 else 0.8))
        for event in events
        for step in range(max(1, round(min(event.held, 4.0) / every)))
    ]


def _retuned(events: list[Event], *, plan: Plan, range_: Instrument) -> list[Event]:
    """Events in the plan's tonality, the part as a whole moved by octaves into an instrument's range."""
    pitches = [plan.retuning.apply(event.pitch, event.beat) + plan.transposition for event in events]
    centre = float(np.median(pitches)) if pitches else 60.0
    octaves = 12 * round((float(np.clip(centre, range_.low + 8, max(range_.low + 8, range_.high - 8))) - centre) / 12)
    return [
        replace(event, pitch=fold_into_range(pitch + octaves, range_))
        for event, pitch in zip(events, pitches, strict=True)
    ]
