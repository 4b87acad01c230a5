"""Read scores of real music as parts in beats: melody, accompaniment, bass, drums.

MIDI files are read with mido, MusicXML files with partitura. Beats are quarter notes. A part is the melody when its
name says so, else the highest part that mostly plays one note at a time; in a file of one part the highest notes are
(the skyline of Uitdenbogerd & Zobel, ACM Multimedia 1999).
"""

import re
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.midi import DRUM_CHANNEL, KeyStroke, read_strokes
from emomod.corpus.music_files import MOST_BEATS, open_midi, open_musicxml
from emomod.errors import InputError

MIDI_SUFFIXES = (".mid", ".midi")
XML_SUFFIXES = (".musicxml", ".xml", ".mxl")
MELODY_WORDS = re.compile(r"melod|vocal|voice|lead|sing|solo|sopran", re.IGNORECASE)
BASS_WORDS = re.compile(r"\bbass", re.IGNORECASE)
GRID = 0.25  # beats: the finest subdivision that the start of the first beat is aligned to
DEFAULT_BEAT_SECONDS = 0.5
SAME_TIME = 0.05  # beats: onsets closer than this are one chord


@dataclass(frozen=True, eq=False)
class SongPart:
    """One part of a song, ordered by onset; all arrays are of one length."""

    role: str  # melody, harmony, bass or drums
    onset: NDArray[np.float64]  # beats from the first beat
    held: NDArray[np.float64]  # beats
    pitch: NDArray[np.intp]  # MIDI keys
    velocity: NDArray[np.intp]  # 1..127

    def only(self, chosen: NDArray[np.bool_], *, role: str | None = None) -> "SongPart":
        """The notes where ``chosen`` [n] is true, as a part of another role if one is given."""
        return SongPart(
            role or self.role, self.onset[chosen], self.held[chosen], self.pitch[chosen], self.velocity[chosen]
        )


@dataclass(frozen=True, eq=False)
class Song:
    """A piece of music in beats."""

    name: str
    parts: tuple[SongPart, ...]
    beats_per_bar: int
    beat_seconds: float  # the tempo that covers most of the song

    @property
    def n_beats(self) -> int:
        """Number of beats until the last note begins."""
        return int(max(part.onset[-1] for part in self.parts)) + 1


def find_songs(folder: str | Path) -> dict[str, Path]:
    """MIDI and MusicXML files in ``folder`` and below by name, sorted by path; InputError if there are none.

    A name is the path without suffix, or with it where another file would have the same name.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"scores {root}: there is no such folder")
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in MIDI_SUFFIXES + XML_SUFFIXES)
    if not paths:
        raise InputError(f"scores {root}: holds no {', '.join(MIDI_SUFFIXES + XML_SUFFIXES)} file")
    full = {path.relative_to(root).as_posix(): path for path in paths}
    short = {name: name.removesuffix(path.suffix) for name, path in full.items()}
    taken = Counter([*full, *short.values()])
    return {short[name] if taken[short[name]] == 1 else name: path for name, path in full.items()}


def read_song(path: str | Path, *, name: str | None = None) -> Song:
    """Read a MIDI or MusicXML file; InputError when it cannot be read or has fewer than eight pitched notes."""
    source = Path(path)
    if source.suffix.lower() in MIDI_SUFFIXES:
        parts, meter, beat_seconds = _read_midi_parts(source)
    elif source.suffix.lower() in XML_SUFFIXES:
        parts, meter, beat_seconds = _read_xml_parts(source)
    else:
        raise InputError(f"{source}: must be one of {', '.join(MIDI_SUFFIXES + XML_SUFFIXES)}")
    if sum(part.onset.size for part in parts if part.role != "drums") < 8:
        raise InputError(f"{source}: has fewer than eight notes")
    parts = _with_roles(parts)
    if not all(np.isfinite(part.onset).all() and part.onset.max() <= MOST_BEATS for part in parts if part.onset.size):
        raise InputError(f"{source}: must be at most {MOST_BEATS} beats long")
    start = _first_downbeat(parts, meter)
    moved = [SongPart(part.role, part.onset - start, part.held, part.pitch, part.velocity) for part in parts]
    kept = [part.only(part.onset >= -SAME_TIME) for part in moved]
    return Song(name or source.stem, tuple(part for part in kept if part.onset.size), meter, beat_seconds)


def _part(role: str, strokes: Iterable[KeyStroke], *, unit: float) -> SongPart:
    """Key strokes in any unit of time as a part in beats of ``unit``."""
    rows = sorted((s.onset / unit, s.pitch, max(s.duration / unit, 0.05), s.velocity) for s in strokes)
    onset, pitch, held, velocity = (np.array(column) for column in zip(*rows, strict=True))
    return SongPart(role, onset, held, pitch.astype(np.intp), velocity.astype(np.intp))


def _read_midi_parts(path: Path) -> tuple[list[SongPart], int, float]:
    """Parts with a role where the track's name tells it (else ""), beats in a bar, seconds a beat."""
    file = open_midi(path)
    parts: list[SongPart] = []
    for track in file.tracks:
        strokes = read_strokes(track)
        for channel in sorted({stroke.channel for stroke in strokes}):
            role = "drums" if channel == DRUM_CHANNEL else _named_role(str(track.name))
            mine = [stroke for stroke in strokes if stroke.channel == channel]
            parts.append(_part(role, mine, unit=file.ticks_per_beat))
    length = max((float(part.onset[-1]) for part in parts), default=0.0)
    return parts, _meter(file), _main_tempo(file, length=length)


def _named_role(name: str) -> str:
    return "bass" if BASS_WORDS.search(name) else "melody" if MELODY_WORDS.search(name) else ""


def _meter(file: Any) -> int:
    """Quarter notes in a bar by the time signature that a file opens with; 4 where that says nothing of use."""
    for track in file.tracks:
        for message in track:
            if message.type == "time_signature":
                return _usable_meter(message.numerator * 4 / message.denominator)
    return 4


def _usable_meter(quarters: float) -> int:
    return int(quarters) if quarters in (2, 3, 4, 5, 6, 7) else 4


def _main_tempo(file: Any, *, length: float) -> float:
    """Seconds of a beat that hold for most of ``length`` beats."""
    changes = [(0.0, DEFAULT_BEAT_SECONDS)]
    for track in file.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "set_tempo":
                changes.append((ticks / file.ticks_per_beat, message.tempo / 1e6))
    changes.sort(key=lambda change: change[0])
    spans = np.diff([*(beat for beat, _ in changes), max(length, changes[-1][0])])
    order = np.argsort([seconds for _, seconds in changes])
    total = np.cumsum(spans[order])
    middle = order[int(np.searchsorted(total, total[-1] / 2))]
    return float(np.clip(changes[middle][1], 0.2, 2.0))


def _read_xml_parts(path: Path) -> tuple[list[SongPart], int, float]:
    """The same from MusicXML; grace notes are left out, ties are joined."""
    try:
        partitura = import_module("partitura")
    except ImportError:
        raise InputError(
            'partitura was not found, which reads MusicXML; install it with: python -m pip install "emomod[train]"'
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = partitura.load_musicxml(open_musicxml(path)).parts
            tables = [(part.part_name or "", part.note_array(include_time_signature=True)) for part in found]
    except Exception as error:  # the parser raises whatever a broken file makes it raise
        told = str(error).removeprefix(f"{path}: ") if isinstance(error, InputError) else repr(error)
        raise InputError(f"{path}: cannot be read as MusicXML ({told:.200})") from None
    parts = []
    for name, table in tables:
        rows = table[table["duration_quarter"] > 0]
        strokes = [
            KeyStroke(float(row["onset_quarter"]), float(row["duration_quarter"]), int(row["pitch"]), 80, 0)
            for row in rows
        ]
        if strokes:
            parts.append(_part(_named_role(name), strokes, unit=1.0))
    signatures = [table["ts_beats"][0] * 4 / table["ts_beat_type"][0] for _, table in tables if table.size]
    return parts, _usable_meter(float(signatures[0])) if signatures else 4, DEFAULT_BEAT_SECONDS


def _with_roles(parts: list[SongPart]) -> list[SongPart]:
    """Every part with a role: the one that its name says, however many are named alike; the rest accompany.

    Where no part is named as a melody, one becomes it: that which leads among those not named as a bass, if there are
    any, or the top line of a single part.
    """
    named = [part if part.role else part.only(part.onset > -np.inf, role="harmony") for part in parts]
    pitched = [index for index, part in enumerate(named) if part.role != "drums"]
    if any(part.role == "melody" for part in named):
        return named
    if len(pitched) == 1:
        only = pitched[0]
        top = skyline(named[only])
        split = [named[only].only(top, role="melody"), named[only].only(~top)]
        return [*named[:only], *(part for part in split if part.onset.size), *named[only + 1 :]]
    others = [index for index in pitched if named[index].role != "bass"]
    if others:
        lead = max(others, key=lambda index: _leads(named[index]))
        named[lead] = named[lead].only(named[lead].onset > -np.inf, role="melody")
    return named


def _leads(part: SongPart) -> float:
    """How much a part looks like a melody: high, one note at a time, present."""
    alone = float((np.diff(part.onset) > SAME_TIME).mean()) if part.onset.size > 1 else 0.0
    return float(part.pitch.mean() / 12 + 4 * alone + 0.3 * np.log(part.onset.size))


def skyline(part: SongPart) -> NDArray[np.bool_]:
    """Which notes [n] are the highest of their onset and no lower than a fifth below the last such note."""
    chosen = np.zeros(part.onset.size, dtype=bool)
    last = -1
    for group in np.split(np.arange(part.onset.size), np.flatnonzero(np.diff(part.onset) > SAME_TIME) + 1):
        top = int(group[part.pitch[group].argmax()])
        still = last >= 0 and part.onset[last] + part.held[last] > part.onset[top] + SAME_TIME
        if not (still and part.pitch[top] < part.pitch[last] - 7):
            chosen[top], last = True, top
    return chosen


def _first_downbeat(parts: list[SongPart], beats_per_bar: int) -> float:
    """Where the first bar begins, in beats: the grid's offset, and the beat of the bar at which low notes begin."""
    onset = np.concatenate([part.onset for part in parts])
    pitch = np.concatenate([part.pitch for part in parts])
    phase = float(np.angle(np.exp(2j * np.pi * onset / GRID).mean())) / (2 * np.pi) * GRID
    low = (pitch <= np.quantile(pitch, 0.25)) | np.isin(pitch, (35, 36))
    on_beat = np.abs(onset - phase - np.round(onset - phase)) < 0.1
    beats = np.round(onset - phase)[low & on_beat].astype(int) % beats_per_bar
    downbeat = int(np.bincount(beats, minlength=beats_per_bar).argmax())
    first = downbeat + beats_per_bar * np.floor((float(onset.min()) - phase - downbeat) / beats_per_bar)
    return float(first + phase)
