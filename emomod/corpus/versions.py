"""Two versions of a score that differ in one thing: short against held notes, with or without a cluster, and so on.

Each function returns the version before and the version after. Either may differ from the score given, but only in the
parts that are named and in that one respect. Both have the same parts in the same order; a part that is silent in one
version has no notes there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.instruments import is_held_out
from emomod.corpus.score import Note, Part, Score, note_table
from emomod.corpus.timing import CHORD_SECONDS
from emomod.corpus.tonality import (
    KRUMHANSL_MAJOR,
    KRUMHANSL_MINOR,
    TEMPERLEY_MAJOR,
    TEMPERLEY_MINOR,
    key_correlations,
    pitch_classes,
    sounding,
)

LEGATO, STACCATO = 0.97, 0.2  # duration / time to the part's next onset
SHORTEST, LONGEST = 0.05, 4.0  # s, of a changed note
CLUSTER = (0, 1, 2)  # semitones
CLUSTER_PROGRAMS = (*range(16, 21), *range(48, 55), *range(88, 92))  # organs, strings, voices, pads: they last
CLUSTER_BEATS = 4
JITTER_SECONDS = 0.06  # standard deviation
REMOTE = (1, -1, 4, -4, 6)  # semitones to keys with few tones in common
REMOTE_BEATS = 2
LOWERED = {4: 3, 9: 8}  # degrees of a major key in semitones above its tonic, and what they are in harmonic minor
RAISED = {3: 4, 8: 9, 10: 11}  # the way back
FIGURES = ((0, 3, 6), (1, 3, 6), (0, 1, 3, 6), (0, 3, 5))  # sixteenths of half a bar: syncopated, never even
LAST_ONSET = 0.05  # s before the end of the clip

Versions = tuple[Score, Score]


def with_part(score: Score, index: int, part: Part) -> Score:
    """``score`` with its part ``index`` replaced."""
    return replace(score, parts=(*score.parts[:index], part, *score.parts[index + 1 :]))


def with_notes(score: Score, index: int, notes: Iterable[Note]) -> Score:
    """``score`` with other notes in its part ``index``, ordered by onset and key."""
    ordered = tuple(sorted(notes, key=lambda note: (note.onset, note.pitch)))
    return with_part(score, index, replace(score.parts[index], notes=ordered))


def onset_groups(notes: Iterable[Note]) -> list[list[Note]]:
    """Notes in groups that begin within 30 ms of the group's first, in order."""
    groups: list[list[Note]] = []
    for note in sorted(notes, key=lambda note: (note.onset, note.pitch)):
        if groups and note.onset - groups[-1][0].onset < CHORD_SECONDS:
            groups[-1].append(note)
        else:
            groups.append([note])
    return groups


def pitched_parts(score: Score) -> list[int]:
    """Indices of the parts that are not drums."""
    return [index for index, part in enumerate(score.parts) if not part.is_drums]


# ---- articulation ----------------------------------------------------------------------------------------------------


def staccato(score: Score, part: int) -> Versions:
    """Before: the part's notes are held until its next onset; after: for a fifth of that time."""
    held, short = (_articulated(score.parts[part].notes, share, end=score.seconds) for share in (LEGATO, STACCATO))
    return with_notes(score, part, held), with_notes(score, part, short)


def _articulated(notes: Iterable[Note], share: float, *, end: float) -> list[Note]:
    groups = onset_groups(notes)
    starts = [group[0].onset for group in groups]
    following = [*starts[1:], max(end, starts[-1] + SHORTEST)]
    return [
        replace(note, duration=float(np.clip(share * (stop - note.onset), SHORTEST, LONGEST)))
        for group, stop in zip(groups, following, strict=True)
        for note in group
    ]


# ---- dissonance ------------------------------------------------------------------------------------------------------


def cluster(score: Score, rng: np.random.Generator) -> Versions:
    """After: a new part holds three neighbouring semitones, moved every four beats; before: it has no notes.

    Its instrument is one that is kept for tests where all of the score's are, else one that is not.
    """
    held_out = all(is_held_out(score.parts[index].program) for index in pitched_parts(score))
    programs = [program for program in CLUSTER_PROGRAMS if is_held_out(program) == held_out]
    program, level = int(rng.choice(programs)), float(rng.uniform(0.7, 1.0))
    starts = [0.0, *(beat for beat in score.beats[CLUSTER_BEATS::CLUSTER_BEATS] if 0.0 < beat < score.seconds - 0.5)]
    notes = [
        Note(start, stop - start, lowest + step, 96)
        for start, stop in zip(starts, [*starts[1:], score.seconds], strict=True)
        for lowest in [int(rng.integers(55, 68))]
        for step in CLUSTER
    ]
    silent = replace(score, parts=(*score.parts, Part("harmony", program, (), level)))
    return silent, with_notes(silent, len(score.parts), notes)


# ---- time ------------------------------------------------------------------------------------------------------------


def jitter(score: Score, parts: Sequence[int], rng: np.random.Generator) -> Versions:
    """After: every onset of the parts comes early or late, by 60 ms standard deviation."""
    after = score
    for index in parts:
        moved = [
            replace(note, onset=float(np.clip(note.onset + shift, 0.0, score.seconds - LAST_ONSET)))
            for group in onset_groups(score.parts[index].notes)
            for shift in [float(np.clip(rng.normal(), -2.5, 2.5)) * JITTER_SECONDS]
            for note in group
        ]
        after = with_notes(after, index, moved)
    return score, after


def syncopated(score: Score, part: int, rng: np.random.Generator) -> Versions:
    """Before: the part plays on the beats; after: a syncopated figure in sixteenths, the same keys at the same time."""
    figure = FIGURES[int(rng.integers(len(FIGURES)))]
    places = np.array([place / 4 for half in range(0, 4 * len(score.beats), 8) for place in (half + np.array(figure))])
    beats, notes = np.array(score.beats), score.parts[part].notes
    plain = _retimed(notes, beats, end=score.seconds)
    complex_ = _retimed(notes, _times_of(places, beats), end=score.seconds)
    return with_notes(score, part, plain), with_notes(score, part, complex_)


def _times_of(places: NDArray[np.float64], beats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times (s) of ``places`` in beats that lie between the first and the last beat."""
    inside = places[places <= beats.size - 1]
    return np.interp(inside, np.arange(beats.size), beats)


def _retimed(notes: Iterable[Note], times: NDArray[np.float64], *, end: float) -> list[Note]:
    """Strike at each of ``times`` the group of notes that the part struck last, as long as it goes on playing."""
    groups = onset_groups(notes)
    starts = np.array([group[0].onset for group in groups])
    last = float(starts[-1] + np.median(np.diff(starts)))
    kept = times[(times >= starts[0] - CHORD_SECONDS) & (times < min(last, end - LAST_ONSET)) & (times >= 0.0)]
    following = np.append(kept[1:], min(last, end))
    found: list[Note] = []
    for time, stop in zip(kept.tolist(), following.tolist(), strict=True):
        group = groups[max(0, int(np.searchsorted(starts, time + CHORD_SECONDS, side="right")) - 1)]
        found += [replace(note, onset=time, duration=max(SHORTEST, 0.8 * (stop - time))) for note in group]
    return found


# ---- tonality --------------------------------------------------------------------------------------------------------


def modulation(score: Score, rng: np.random.Generator) -> Versions:
    """After: from the middle on, all pitched parts jump to another remote key every two beats."""
    times = np.array([beat for beat in score.beats if beat >= score.seconds / 2 - 0.25][::REMOTE_BEATS])
    shifts = [0]
    for _ in times:
        shifts.append(int(rng.choice([shift for shift in REMOTE if shift != shifts[-1]])))
    after = score
    for index in pitched_parts(score):
        moved = [
            replace(note, pitch=_in_keyboard(note.pitch + shifts[int(np.searchsorted(times, note.onset + 0.06))]))
            for note in score.parts[index].notes
        ]
        after = with_notes(after, index, moved)
    return score, after


def _in_keyboard(pitch: int) -> int:
    return pitch - 12 if pitch > 108 else pitch + 12 if pitch < 21 else pitch


def parallel_mode(score: Score) -> Versions:
    """Before: major; after: the parallel minor (third and sixth a semitone lower). One is the score itself."""
    correlations = krumhansl_keys(pitch_classes(sounding_keys(score)))
    tonic, is_minor = int(correlations.argmax()) % 12, correlations.argmax() >= 12
    changed = score
    for index in pitched_parts(score):
        degrees = RAISED if is_minor else LOWERED
        notes = [_on_degree(note, degrees, tonic=tonic) for note in score.parts[index].notes]
        changed = with_notes(changed, index, notes)
    return (changed, score) if is_minor else (score, changed)


def _on_degree(note: Note, degrees: dict[int, int], *, tonic: int) -> Note:
    degree = (note.pitch - tonic) % 12
    return replace(note, pitch=note.pitch + degrees.get(degree, degree) - degree)


def krumhansl_keys(classes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Krumhansl-Kessler correlations [24] of pitch classes [12] with the 12 major, then the 12 minor keys."""
    return key_correlations(classes, major=KRUMHANSL_MAJOR, minor=KRUMHANSL_MINOR)


def temperley_keys(classes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same with Temperley's profiles."""
    return key_correlations(classes, major=TEMPERLEY_MAJOR, minor=TEMPERLEY_MINOR)


def sounding_keys(score: Score) -> NDArray[np.float64]:
    """Power [128, n_frames] of each key over time, drums left out."""
    notes = note_table(score)
    return sounding(notes.only(~notes.is_drum), seconds=score.seconds)


# ---- melody ----------------------------------------------------------------------------------------------------------


def without_part(score: Score, part: int) -> Versions:
    """After: the part is silent."""
    return score, with_notes(score, part, ())
