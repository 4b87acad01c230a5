"""Counterfactual pairs: the same clip twice, with exactly one planted change, so that the truth about it is known.

A pair names the mid-level feature that should move, and which way, from the version before to the version after. It
is made from any score, composed or arranged. ``Pair.changed`` comes from comparing the two scores, not from what was
meant, and ``draw_pair`` drops a pair whose labels hardly move, or the wrong way: chance may move notes onto the grid, a
cluster may be among others.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from emomod.checks import check_choice, check_rng
from emomod.corpus.labels import raw_labels, scaled_labels
from emomod.corpus.pair_candidates import (
    Candidates,
    Parts,
    clear_key,
    clear_mode,
    leading_parts,
    ringing_parts,
    room_for_a_cluster,
    room_for_a_rhythm,
    steady_parts,
)
from emomod.corpus.score import Note, Score
from emomod.corpus.versions import (
    Versions,
    cluster,
    jitter,
    modulation,
    parallel_mode,
    staccato,
    syncopated,
    without_part,
)
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES

LEAST_SHIFT = 0.05  # of the label, whose clips lie between .1 and .9


@dataclass(frozen=True)
class ChangedNote:
    """A note, or a stretch of one, that is in one version only. What is heard rings on after its end."""

    version: str  # before or after: the version that has it
    part: int
    start: float  # s
    stop: float  # s, the end as written or the end of the clip
    pitch: int  # MIDI key, or the key of a drum


@dataclass(frozen=True)
class Pair:
    """A score in two versions."""

    kind: str  # a key of KINDS
    before: Score
    after: Score
    parts: Parts  # the parts that differ
    changed: tuple[ChangedNote, ...]  # ordered by start

    @property
    def feature(self) -> str:
        """The mid-level feature that should move."""
        return KINDS[self.kind].feature

    @property
    def direction(self) -> int:
        """1 when the feature should rise from before to after, -1 when it should fall."""
        return KINDS[self.kind].direction

    @property
    def spans(self) -> tuple[tuple[float, float], ...]:
        """The stretches of time (s) in which the versions differ, as written: ascending, apart from each other."""
        merged: list[tuple[float, float]] = []
        for note in self.changed:
            if merged and note.start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], note.stop))
            else:
                merged.append((note.start, note.stop))
        return tuple(merged)

    @property
    def keys(self) -> tuple[int, int] | None:
        """Lowest and highest MIDI key that differ; None where only drums do. Partials lie above the lowest."""
        keys = [note.pitch for note in self.changed if not self.after.parts[note.part].is_drums]
        return (min(keys), max(keys)) if keys else None

    @property
    def label_shift(self) -> float:
        """How far the feature's label (0..1) moves, positive the right way; InputError for drums alone."""
        before, after = (scaled_labels(raw_labels(score)) for score in (self.before, self.after))
        return float(self.direction * (after - before)[MIDLEVEL_NAMES.index(self.feature)])

    def played_by(self, prepare: Callable[[Score], Score]) -> "Pair":
        """The pair without the notes that an instrument cannot sound, as ``Studio.prepare`` takes them out."""
        return _paired(self.kind, prepare(self.before), prepare(self.after), self.parts)


@dataclass(frozen=True)
class Kind:
    """A kind of pair."""

    feature: str
    direction: int  # 1 or -1, from before to after
    says: str  # what differs, for tables
    candidates: Callable[[Score], Candidates]
    write: Callable[[Score, Parts, np.random.Generator], Versions]


def applicable(score: Score, kind: str) -> bool:
    """Whether ``score`` has what a pair of ``kind`` needs."""
    return bool(_kind(kind).candidates(score))


def make_pair(score: Score, kind: str, rng: int | np.random.Generator) -> Pair:
    """Make a pair of ``kind`` (a key of KINDS) from ``score``; InputError where it is not applicable."""
    chosen, rng = _kind(kind), check_rng(rng)
    candidates = chosen.candidates(score)
    if not candidates:
        raise InputError(f"the score must have what a pair of kind {kind} needs; ask applicable() first")
    parts = candidates[int(rng.integers(len(candidates)))]
    before, after = chosen.write(score, parts, rng)
    return _paired(kind, before, after, parts)


def draw_pair(
    score: Score, kind: str, rng: int | np.random.Generator, *, prepare: Callable[[Score], Score]
) -> Pair | None:
    """A pair as ``prepare`` leaves it; None where the score allows none whose label moves the right way.

    A move of less than ``LEAST_SHIFT`` is none. Both versions have notes that are no drum's.
    """
    if not applicable(score, kind):
        return None
    pair = make_pair(score, kind, rng).played_by(prepare)
    sounds = pair.changed and pair.before.has_pitch and pair.after.has_pitch
    return pair if sounds and pair.label_shift >= LEAST_SHIFT else None


def _kind(kind: str) -> Kind:
    return KINDS[check_choice("kind", kind, tuple(KINDS))]


def _paired(kind: str, before: Score, after: Score, parts: Parts) -> Pair:
    return Pair(kind, before, after, parts, compare_scores(before, after))


def compare_scores(before: Score, after: Score) -> tuple[ChangedNote, ...]:
    """What is in one of two scores only; of notes that only end at another time, the time between their ends.

    InputError where the scores differ in more than notes: parts, instruments, levels, beats or length.
    """
    if _frame(before) != _frame(after):
        raise InputError("before and after must have the same parts, instruments, levels, beats and length")
    changed: list[ChangedNote] = []
    for index, (old, new) in enumerate(zip(before.parts, after.parts, strict=True)):
        had, has = set(old.notes), set(new.notes)
        gone, come = [n for n in old.notes if n not in has], [n for n in new.notes if n not in had]
        ends = {_begin(note): note for note in gone}
        lengthened = {_begin(note): note for note in come if _begin(note) in ends}
        for key, note in lengthened.items():
            first, last = sorted((ends[key].onset + ends[key].duration, note.onset + note.duration))
            version = "after" if note.duration > ends[key].duration else "before"
            changed.append(ChangedNote(version, index, first, last, note.pitch))
        for version, notes in (("before", gone), ("after", come)):
            changed += [
                ChangedNote(version, index, note.onset, note.onset + note.duration, note.pitch)
                for note in notes
                if _begin(note) not in lengthened
            ]
    inside = [replace(note, stop=min(note.stop, before.seconds)) for note in changed if note.start < before.seconds]
    return tuple(sorted(inside, key=lambda note: (note.start, note.part, note.pitch, note.version)))


def _frame(score: Score) -> Score | tuple[object, ...]:
    """All of a score but its notes."""
    parts = tuple((part.role, part.program, part.level) for part in score.parts)
    return parts, score.seconds, score.beats, score.beats_per_bar


def _begin(note: Note) -> tuple[float, int, int]:
    return note.onset, note.pitch, note.velocity


KINDS: dict[str, Kind] = {
    "staccato": Kind(
        "articulation",
        1,
        "one part legato, then staccato",
        ringing_parts,
        lambda score, parts, rng: staccato(score, parts[0]),
    ),
    "syncopation": Kind(
        "rhythm_complexity",
        1,
        "one part on the beat, then syncopated",
        room_for_a_rhythm,
        lambda score, parts, rng: syncopated(score, parts[0], rng),
    ),
    "jitter": Kind(
        "rhythm_stability", -1, "drums (without drums: all parts) in time, then loose", steady_parts, jitter
    ),
    "cluster": Kind(
        "dissonance",
        1,
        "without, then with a pad of neighbouring semitones",
        room_for_a_cluster,
        lambda score, parts, rng: cluster(score, rng),
    ),
    "modulation": Kind(
        "tonal_stability",
        -1,
        "in one key, then in remote keys from the middle on",
        clear_key,
        lambda score, parts, rng: modulation(score, rng),
    ),
    "mode": Kind(
        "minorness",
        1,
        "in major, then in the parallel minor",
        clear_mode,
        lambda score, parts, rng: parallel_mode(score),
    ),
    "melody": Kind(
        "melodiousness",
        -1,
        "with its melody, then without",
        leading_parts,
        lambda score, parts, rng: without_part(score, parts[0]),
    ),
}
