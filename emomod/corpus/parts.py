"""Write the parts of a clip in beats: melody, harmony, bass and drums over given chords."""

import numpy as np

from emomod.corpus.harmony import Chord, chord_at, nearest_key
from emomod.corpus.instruments import Instrument, instrument
from emomod.corpus.playing import Event
from emomod.corpus.rhythm import draw_drums, draw_onsets, draw_rhythm_style
from emomod.corpus.style import Style


def _held(onsets: list[float], n_beats: int, *, longest: float = 4.0) -> list[float]:
    """Beats from each onset to the next one."""
    return [min(later - beat, longest) for beat, later in zip(onsets, [*onsets[1:], float(n_beats)], strict=True)]


def _accent(beat: float, beats_per_bar: int) -> float:
    return 1.0 if beat % beats_per_bar == 0 else 0.8 if beat % 1 == 0 else 0.6


def draw_melody(rng: np.random.Generator, style: Style, chords: tuple[Chord, ...], *, n_beats: int) -> list[Event]:
    """A line that moves by steps of the chord's scale, with the style's share of leaps and some repeated notes."""
    rhythm = draw_rhythm_style(rng, density=style.density, syncopation=style.syncopation)
    onsets = draw_onsets(rng, rhythm, n_beats=n_beats, beats_per_bar=style.beats_per_bar)
    range_ = instrument(style.programs[0])
    centre = float(np.clip(rng.normal(72, 6), range_.low + 5, range_.high - 5))
    repeats, pitch, events = (float(rng.choice((0.05, 0.15, 0.5), p=(0.5, 0.4, 0.1))), centre, [])
    for beat, held in zip(onsets, _held(onsets, n_beats), strict=True):
        chord = chord_at(chords, beat)
        if rng.random() >= repeats:
            pitch = _next_pitch(rng, pitch, chord=chord, style=style, centre=centre)
        key = fold_into_range(_on_scale(pitch, chord, strong=beat % 1 == 0), range_)
        events.append(Event(beat, held, key, _accent(beat, style.beats_per_bar)))
        pitch = float(key)
    return events


def _next_pitch(rng: np.random.Generator, pitch: float, *, chord: Chord, style: Style, centre: float) -> float:
    """A step or a leap from ``pitch``, drawn back towards ``centre``."""
    up = rng.random() < 0.5 - 0.06 * np.clip(pitch - centre, -7, 7)
    size = (
        int(rng.integers(4, 15))
        if rng.random() < style.leaps
        else 24 / len(chord.scale) / 2 * rng.choice((1.0, 1.0, 1.4))
    )
    return float(pitch + (size if up else -size))


def _on_scale(pitch: float, chord: Chord, *, strong: bool) -> int:
    """The nearest key of the scale; on strong beats the nearest chord tone, where one is within two semitones."""
    scale = min((nearest_key(tone, to=pitch) for tone in chord.scale), key=lambda key: abs(key - pitch))
    tone = min((nearest_key(tone, to=pitch) for tone in chord.tones), key=lambda key: abs(key - pitch))
    return tone if strong and abs(tone - pitch) <= 2 else scale


def fold_into_range(key: int, range_: Instrument) -> int:
    """``key`` moved by octaves into an instrument's range."""
    while key < range_.low:
        key += 12
    while key > range_.high:
        key -= 12
    return key


def _voicing(rng: np.random.Generator, chord: Chord, *, centre: float, range_: Instrument, spread: bool) -> list[int]:
    """Keys of a chord near ``centre``, close or spread over two octaves, in ascending order."""
    keys = [nearest_key(tone, to=centre + (rng.choice((-7, 7)) if spread else 0)) for tone in chord.tones]
    return sorted({fold_into_range(key, range_) for key in keys})


def draw_harmony(rng: np.random.Generator, style: Style, chords: tuple[Chord, ...], *, n_beats: int) -> list[Event]:
    """Chords as a pad, in blocks, or broken."""
    figure = str(rng.choice(("pad", "block", "broken"), p=(0.3, 0.38, 0.32)))
    rhythm = draw_rhythm_style(rng, density=style.density, syncopation=style.syncopation)
    onsets = draw_onsets(rng, rhythm, n_beats=n_beats, beats_per_bar=style.beats_per_bar)
    if figure == "pad":
        onsets = [float(chord.start) for chord in chords]
    range_ = instrument(style.programs[1])
    centre = float(np.clip(rng.normal(60, 6), range_.low + 5, range_.high - 5))
    spread, order = (bool(rng.random() < 0.3), rng.choice(("up", "down", "alberti", "any")))
    events: list[Event] = []
    for index, (beat, held) in enumerate(zip(onsets, _held(onsets, n_beats, longest=16), strict=True)):
        keys = _voicing(rng, chord_at(chords, beat), centre=centre, range_=range_, spread=spread)
        if figure == "broken":
            keys = [keys[_broken_index(rng, index, n_tones=len(keys), order=str(order))]]
        events += [Event(beat, held, key, _accent(beat, style.beats_per_bar)) for key in keys]
    return events


def _broken_index(rng: np.random.Generator, index: int, *, n_tones: int, order: str) -> int:
    """Which tone of the chord comes at place ``index`` of a broken chord."""
    if order == "any":
        return int(rng.integers(n_tones))
    if order == "alberti":
        return min((0, 2, 1, 2)[index % 4], n_tones - 1)
    return index % n_tones if order == "up" else n_tones - 1 - index % n_tones


def draw_bass(rng: np.random.Generator, style: Style, chords: tuple[Chord, ...], *, n_beats: int) -> list[Event]:
    """Roots, roots and fifths, a walking line, or a pedal point."""
    figure = str(rng.choice(("root", "fifth", "walk", "pedal", "rhythm"), p=(0.32, 0.2, 0.16, 0.08, 0.24)))
    onsets = [float(beat) for beat in range(0, n_beats, 1 if figure == "walk" else max(1, style.beats_per_bar // 2))]
    if figure == "root":
        onsets = [float(chord.start) for chord in chords]
    if figure == "rhythm":
        rhythm = draw_rhythm_style(rng, density=style.density, syncopation=style.syncopation)
        onsets = draw_onsets(rng, rhythm, n_beats=n_beats, beats_per_bar=style.beats_per_bar)
    range_, low = instrument(style.programs[2]), float(rng.uniform(34, 46))
    events = []
    for index, (beat, held) in enumerate(zip(onsets, _held(onsets, n_beats, longest=8), strict=True)):
        chord = chord_at(chords, beat)
        tone = chords[0].tones[0] if figure == "pedal" else chord.tones[0]
        if figure == "fifth" and index % 2:
            tone = chord.tones[min(2, len(chord.tones) - 1)]
        if figure == "walk" and index % 2:
            tone = chord.scale[int(rng.integers(len(chord.scale)))]
        key = fold_into_range(nearest_key(tone, to=low), range_)
        events.append(Event(beat, held, key, _accent(beat, style.beats_per_bar)))
    return events


def draw_drum_events(rng: np.random.Generator, style: Style, *, n_beats: int) -> list[Event]:
    """A drum pattern, bar after bar."""
    bar_length = style.beats_per_bar
    density = float(np.clip(style.density + rng.normal(0, 0.15), 0.05, 1.0))
    pattern = draw_drums(rng, density=density, syncopation=style.syncopation, beats_per_bar=bar_length)
    return [
        Event(bar + beat, 0.2, key, loudness)
        for bar in range(0, n_beats, bar_length)
        for beat, key, loudness in pattern.hits
        if rng.random() >= pattern.variation and bar + beat < n_beats
    ]
