"""Standard MIDI files: read a score, or write many, each in its own stretch of time, for one run of a synthesiser.

Stretch i begins at ``i * slot_seconds``. Controllers are reset and sounds cut 20 ms before a stretch begins, so that
nothing of a clip reaches the next one; scores must leave that time free. Resolution: 0.1 ms.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emomod.corpus.music_files import import_mido, open_midi
from emomod.corpus.score import Note, Part, Score
from emomod.errors import InputError

TICKS_PER_BEAT = 5000
TEMPO = 500000  # microseconds a beat: 10 000 ticks a second
TICKS_PER_SECOND = TICKS_PER_BEAT * 1_000_000 // TEMPO
RESET_AHEAD = TICKS_PER_SECOND // 50
DRUM_CHANNEL, PEDAL = 9, 64
MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)

Event = tuple[int, int, str, dict[str, int]]  # ticks, rank among events of the same tick, kind of message, its values
VolumeOf = Callable[[Part], int]  # MIDI volume 0..127 of a part


@dataclass(frozen=True)
class KeyStroke:
    """A key of a MIDI channel from its press until it is silent, in the unit of time of the messages."""

    onset: float
    duration: float  # >= 0
    pitch: int
    velocity: int
    channel: int  # 0..15; DRUM_CHANNEL is percussion


def full_volume(part: Part) -> int:
    """The volume controller that gives a part its own level: amplitude goes with the square of the controller."""
    return max(1, round(127 * float(np.sqrt(part.level))))


def _reset(start: int) -> list[Event]:
    """All sound off, then all controllers reset, on every channel, a little before ``start``."""
    return [
        (max(0, start - RESET_AHEAD), rank, "control_change", {"channel": channel, "control": control})
        for channel in range(16)
        for rank, control in ((0, 120), (1, 121))
    ]


def _part_events(part: Part, *, channel: int, start: int, stop: int, volume: int) -> list[Event]:
    program = 0 if part.is_drums else part.program
    events: list[Event] = [
        (start, 2, "control_change", {"channel": channel, "control": 7, "value": volume}),
        (start, 2, "program_change", {"channel": channel, "program": program}),
    ]
    for note in part.notes:
        begin = start + round(note.onset * TICKS_PER_SECOND)
        end = min(begin + max(1, round(note.duration * TICKS_PER_SECOND)), stop - RESET_AHEAD)
        if begin < end:
            key = {"channel": channel, "note": note.pitch}
            events.append((begin, 4, "note_on", {**key, "velocity": note.velocity}))
            events.append((end, 3, "note_off", key))
    return events


def _score_events(score: Score, *, start: int, stop: int, volume_of: VolumeOf) -> list[Event]:
    events, melodic = _reset(start), iter(MELODIC_CHANNELS)
    for part in score.parts:
        channel = DRUM_CHANNEL if part.is_drums else next(melodic, None)
        if channel is None:
            raise InputError(f"a score must have at most {len(MELODIC_CHANNELS)} melodic parts")
        events += _part_events(part, channel=channel, start=start, stop=stop, volume=volume_of(part))
    return events


def write_midi(
    path: str | Path, scores: Sequence[Score], *, slot_seconds: float, volume_of: VolumeOf = full_volume
) -> Path:
    """Write ``scores`` one after another, ``slot_seconds`` apart, as a MIDI file of one track; return its path."""
    mido = import_mido()
    slot = round(slot_seconds * TICKS_PER_SECOND)
    events: list[Event] = []
    for index, score in enumerate(scores):
        events += _score_events(score, start=index * slot, stop=(index + 1) * slot, volume_of=volume_of)
    events += _reset(len(scores) * slot)
    events.sort(key=lambda event: event[:2])
    track, now = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=TEMPO)]), 0
    for ticks, _, kind, values in events:
        track.append(mido.Message(kind, time=ticks - now, **values))
        now = ticks
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(track)
    file.save(path)
    return Path(path)


def read_midi(path: str | Path, *, seconds: float) -> Score:
    """Read the first ``seconds`` of a MIDI file as one part of harmony; sustain pedals are honoured.

    All channels but the drums' are played by the first program that the file names. Beats are not known: half a second
    each. Raises InputError when the file cannot be read or has no note in that time.
    """
    file = open_midi(path)
    try:
        messages = list(file)
    except (TypeError, ValueError, ArithmeticError) as error:  # tracks that follow each other; a tempo of 0
        raise InputError(f"{path}: cannot be read as MIDI ({error!s:.200})") from None
    programs = [message.program for message in messages if message.type == "program_change"]
    strokes = [s for s in read_strokes(messages) if s.channel != DRUM_CHANNEL and s.onset < seconds]
    notes = tuple(Note(s.onset, max(s.duration, 0.01), s.pitch, s.velocity) for s in strokes)
    beats = tuple(0.5 * beat for beat in range(2 * int(np.ceil(seconds)) + 2))
    return Score((Part("harmony", (programs or [0])[0], notes),), seconds, beats)


def read_strokes(messages: Iterable[Any]) -> list[KeyStroke]:
    """The key strokes of messages whose times count from the one before, ordered by onset; pedals hold keys."""
    now, pedals = 0.0, dict.fromkeys(range(16), False)
    sounding: dict[tuple[int, int], tuple[float, int, bool]] = {}  # onset, velocity, key still down
    strokes: list[KeyStroke] = []

    def end(key: tuple[int, int]) -> None:
        onset, velocity, _ = sounding.pop(key)
        strokes.append(KeyStroke(onset, now - onset, key[1], velocity, key[0]))

    for message in messages:
        now += message.time
        if message.type in ("note_on", "note_off"):
            key, starts = (message.channel, message.note), message.type == "note_on" and message.velocity > 0
            if key in sounding and (starts or not pedals[message.channel]):
                end(key)
            elif key in sounding:
                sounding[key] = (*sounding[key][:2], False)
            if starts:
                sounding[key] = (now, message.velocity, True)
        elif message.type == "control_change" and message.control == PEDAL:
            pedals[message.channel] = message.value >= 64
            if message.value < 64:
                for key in [k for k, held in sounding.items() if k[0] == message.channel and not held[2]]:
                    end(key)
    for key in list(sounding):
        end(key)
    return sorted(strokes, key=lambda stroke: (stroke.onset, stroke.pitch))
