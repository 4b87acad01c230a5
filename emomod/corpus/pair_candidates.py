"""What a score must have for a pair of each kind, and which of its parts may then change.

Each function returns the candidates: groups of parts that change together, none where the score does not allow the
change, or would hide it: a cluster among clusters, a jitter where there is no pulse, another mode without a key.
"""

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.instruments import UNDAMPED, instrument
from emomod.corpus.midi import MELODIC_CHANNELS
from emomod.corpus.score import Note, Part, Score, note_table
from emomod.corpus.timing import beat_positions, pulse_clarity
from emomod.corpus.tonality import dissonance, pitch_classes
from emomod.corpus.versions import (
    LOWERED,
    RAISED,
    krumhansl_keys,
    onset_groups,
    pitched_parts,
    sounding_keys,
    temperley_keys,
)

AUDIBLE_SHARE = 0.2  # of the loudness of all notes: what a part must have for its change to be heard
WIDEST_DENSE_GAP = 0.2  # s between onsets, below which held and short notes hardly differ
RINGING = 0.8  # s, decay from which on an instrument's notes differ when they are held
STEADY_SECONDS = 0.03  # deviation from the grid, below which a part is in time
CLEAR_PULSE = 0.35  # autocorrelation of the onsets
MOST_OTHERS = 1.5  # onsets a beat of the other parts, beside which a part's rhythm is heard
CONSONANT = 0.5  # dissonance (minus Huron's consonance) up to which a cluster is heard as one
MOST_NOISE = 0.5  # share of the loudness that drums may have beside a cluster
CLEAR_KEY, CLEAR_MODE = 0.8, 0.1  # correlation with the best key; its lead over every key of the other mode
THIRD = 0.1  # share of the sounding time of all pitch classes

Parts = tuple[int, ...]  # indices of the parts that change together
Candidates = tuple[Parts, ...]  # what may be changed in a score; empty: nothing


def _loudness(part: Part, *, seconds: float) -> float:
    return part.level**2 * sum((note.velocity / 127) ** 4 for note in part.notes if note.onset < seconds)


def _audible(score: Score) -> set[int]:
    """Parts that have a fair share of the loudness."""
    loudness = [_loudness(part, seconds=score.seconds) for part in score.parts]
    return {index for index, value in enumerate(loudness) if value >= AUDIBLE_SHARE * sum(loudness)}


def _gaps(part: Part) -> NDArray[np.float64]:
    """Seconds between the part's onsets [n_groups - 1]."""
    return np.diff([group[0].onset for group in onset_groups(part.notes)])


def ringing_parts(score: Score) -> Candidates:
    """Parts with room between their notes, on instruments that sound as long as they are held, and no longer."""
    return tuple(
        (index,)
        for index in pitched_parts(score)
        if index in _audible(score)
        and instrument(score.parts[index].program).decay >= RINGING
        and score.parts[index].program not in UNDAMPED
        and (gaps := _gaps(score.parts[index])).size >= 5
        and np.median(gaps) >= WIDEST_DENSE_GAP
    )


def room_for_a_cluster(score: Score) -> Candidates:
    """Room for one more instrument in a clip that is not full of semitones, or of drums, itself."""
    loudness = [_loudness(part, seconds=score.seconds) for part in score.parts]
    noise = sum(value for value, part in zip(loudness, score.parts, strict=True) if part.is_drums)
    if not 0 < len(pitched_parts(score)) < len(MELODIC_CHANNELS) or noise > MOST_NOISE * sum(loudness):
        return ()
    return ((len(score.parts),),) if dissonance(sounding_keys(score)) <= CONSONANT else ()


def _off_grid(score: Score, part: Part) -> float:
    """RMS deviation (s) of the part's onsets from the nearest quarter or third of a beat."""
    position = beat_positions(score, np.array([group[0].onset for group in onset_groups(part.notes)]))
    errors = [np.sqrt(np.mean((position - np.round(position * grid) / grid) ** 2)) for grid in (4, 3)]
    return float(min(errors) * np.diff(score.beats).mean())


def _in_time(score: Score) -> bool:
    return all(_off_grid(score, part) <= STEADY_SECONDS for part in score.parts if part.notes)


def steady_parts(score: Score) -> Candidates:
    """Drums that are in time, in a clip with a pulse; where there are none, all parts."""
    playing = [index for index, part in enumerate(score.parts) if len(onset_groups(part.notes)) >= 10]
    drums = [index for index in playing if score.parts[index].is_drums and index in _audible(score)]
    if not playing or not _in_time(score) or pulse_clarity(note_table(score), seconds=score.seconds) < CLEAR_PULSE:
        return ()
    return (tuple(drums[:1] or range(len(score.parts))),)


def room_for_a_rhythm(score: Score) -> Candidates:
    """Parts in time that strike often and to the end, while the others strike at most three times in two beats."""
    if not _in_time(score):
        return ()
    n_beats = sum(beat < score.seconds for beat in score.beats)
    found: list[Parts] = []
    for index in sorted(_audible(score)):
        others = [note for place, part in enumerate(score.parts) if place != index for note in part.notes]
        groups = onset_groups(score.parts[index].notes)
        lasting = len(groups) >= 8 and groups[-1][0].onset > 0.6 * score.seconds
        if lasting and len(onset_groups(others)) <= MOST_OTHERS * n_beats:
            found.append((index,))
    return tuple(found)


def clear_key(score: Score) -> Candidates:
    """One clear key, the same in both halves, and enough notes in the second half to leave it."""
    keys = sounding_keys(score)
    found = [krumhansl_keys(pitch_classes(half)) for half in (keys, *np.array_split(keys, 2, axis=1))]
    late = sum(
        score.seconds / 2 <= note.onset < score.seconds for i in pitched_parts(score) for note in _notes(score, i)
    )
    clear = found[0].max() >= CLEAR_KEY and len({int(half.argmax()) for half in found}) == 1
    return (tuple(pitched_parts(score)),) if clear and late >= 12 else ()


def _notes(score: Score, index: int) -> tuple[Note, ...]:
    return score.parts[index].notes


def clear_mode(score: Score) -> Candidates:
    """A clear key, far from those of the other mode, that becomes the parallel key when its third and sixth change.

    The third, which makes the mode, must sound for some time, and longer than the sixth.
    """
    classes = pitch_classes(sounding_keys(score))
    keys = krumhansl_keys(classes)
    best = int(keys.argmax())
    other = keys[:12] if best >= 12 else keys[12:]
    if keys[best] < CLEAR_KEY or keys[best] - other.max() < CLEAR_MODE:
        return ()
    degrees = RAISED if best >= 12 else LOWERED
    third, sixth = (classes[(best + degree) % 12] / classes.sum() for degree in sorted(degrees)[:2])
    if third < THIRD or third < sixth:
        return ()
    moved = classes.copy()
    for degree, target in degrees.items():
        moved[(best + target) % 12] += classes[(best + degree) % 12]
        moved[(best + degree) % 12] -= classes[(best + degree) % 12]
    parallel = (best + 12) % 24
    flips = all(
        find(classes).argmax() == best and find(moved).argmax() == parallel for find in (krumhansl_keys, temperley_keys)
    )
    return (tuple(pitched_parts(score)),) if flips else ()


def leading_parts(score: Score) -> Candidates:
    """A melody that is there for a good part of the time and moves by steps, and something under it."""
    audible = _audible(score)
    beside = [
        index for index in pitched_parts(score) if score.parts[index].role != "melody" and score.parts[index].notes
    ]
    return tuple(
        (index,)
        for index, part in enumerate(score.parts)
        if part.role == "melody" and index in audible and beside and _sings(part, seconds=score.seconds)
    )


def _sings(part: Part, *, seconds: float) -> bool:
    """Ten notes or more, half of the time covered, more steps than leaps."""
    tops = [max(note.pitch for note in group) for group in onset_groups(part.notes)]
    covered = sum(min(note.duration, 1.5) for note in part.notes) / seconds
    moves = np.abs(np.diff(tops))
    return len(tops) >= 10 and covered >= 0.4 and ((moves > 0) & (moves <= 2)).mean() > (moves > 4).mean()
