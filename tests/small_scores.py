"""A small score in C major or C minor that has all that pairs need: tune, chords, bass and drums, in time."""

from emomod.corpus.score import Note, Part, Score

BEAT = 0.5  # s
TUNE = (0, 1, 2, 1, 2, 3, 4, 3, 2, 1, 2, 3, 2, 1, 0, 0)  # degrees of the scale, one a beat
CHORDS = ((0, 2, 4), (3, 5, 7), (4, 6, 8), (0, 2, 4))  # degrees, one a bar
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11)


def small_score(*, minor: bool = False, tonic: int = 60, seconds: float = 8.0, drums: bool = True) -> Score:
    """Four bars of four beats at 120 a minute, again and again until the end."""
    scale, n_beats = MINOR if minor else MAJOR, round(seconds / BEAT)

    def key(degree: int) -> int:
        return tonic + scale[degree % 7] + 12 * (degree // 7)

    beats = range(n_beats)
    melody = [Note(b * BEAT, 0.4, 12 + key(TUNE[b % 16]), 100) for b in beats]
    harmony = [Note(b * BEAT, 0.4, key(degree), 80) for b in beats for degree in CHORDS[b // 4 % 4]]
    bass = [Note(b * BEAT, 0.8, key(CHORDS[b // 4 % 4][0]) - 24, 80) for b in beats if b % 2 == 0]
    hits = [Note(b * BEAT, 0.1, 36 + b % 2 * 2, 90) for b in beats]
    hits += [Note((b + 0.5) * BEAT, 0.1, 42, 90) for b in beats if b % 2]
    parts = [Part("melody", 73, tuple(melody)), Part("harmony", 0, tuple(harmony)), Part("bass", 32, tuple(bass))]
    parts += [Part("drums", 0, tuple(sorted(hits, key=lambda note: note.onset)))] if drums else []
    return Score(tuple(parts), seconds, tuple(BEAT * beat for beat in range(n_beats + 3)), 4)
