"""Compose and render the demo clip that ships with emomod: fifteen seconds, two contrasting halves.

    python examples/demo_clip.py emomod/data/demo.flac

The first half is sustained (strings and a flute, no drums, D minor), the second half is staccato and percussive
(marimba lead, pizzicato, bass, drums, D major), so that an explanation of "articulation" has something to find. The
composition is part of emomod (MIT). It needs FluidSynth and the FluidR3 GM soundfont (Frank Wen, MIT).
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from emomod.corpus.fluidsynth import find_soundfont, synthesise_midi
from emomod.corpus.midi import write_midi
from emomod.corpus.score import Note, Part, Score

BEAT = 60 / 112  # s
BARS = 7
SECONDS = BARS * 4 * BEAT
FLUTE, STRINGS, CELLO, MARIMBA, PIZZICATO, BASS, PIANO = 73, 48, 42, 12, 45, 32, 0
KICK, SNARE, HAT, CRASH, SHAKER = 36, 38, 42, 49, 70

# (beat, beats held, key) of the lead in each half; the second half answers the first in the parallel major
SLOW_LEAD = [
    (0, 1.5, 74), (1.5, 0.5, 76), (2, 2, 77), (4, 1, 74), (5, 1, 72), (6, 2, 70),
    (8, 1.5, 72), (9.5, 0.5, 74), (10, 2, 69),
]  # fmt: skip
SLOW_CHORDS = [(0, (50, 57, 62, 65)), (4, (46, 58, 62, 65)), (8, (48, 55, 60, 64)), (10, (45, 57, 61, 64))]
QUICK_LEAD = [
    (12, 74), (12.5, 74), (13, 78), (13.75, 81), (14.5, 79), (15, 78), (15.5, 76), (16, 78), (16.5, 76), (17, 74),
    (17.75, 71), (18.5, 74), (19.5, 76), (20, 79), (20.5, 79), (21, 78), (21.75, 76), (22.5, 73), (23, 74), (23.5, 76),
    (24, 78), (24.5, 81), (25, 86),
]  # fmt: skip
QUICK_CHORDS = [(12, (62, 66, 69)), (16, (59, 62, 66)), (20, (55, 59, 62)), (22, (57, 61, 64)), (24, (62, 66, 69))]
QUICK_ROOTS = [(12, 38), (16, 35), (20, 31), (22, 33), (24, 38)]


def note(beat: float, held: float, key: int, velocity: int) -> Note:
    """A note at ``beat``, held for ``held`` beats."""
    return Note(float(beat * BEAT), float(held * BEAT), int(key), velocity)


def sustained_half() -> list[Part]:
    """Flute over strings and cello, legato."""
    lead = [note(beat, held * 1.03, key, 88 + 3 * (index % 3)) for index, (beat, held, key) in enumerate(SLOW_LEAD)]
    ends = [beat for beat, _ in SLOW_CHORDS[1:]] + [12]
    pads = list(zip(SLOW_CHORDS, ends, strict=True))
    chords = [note(beat, end - beat, key, 66) for (beat, keys), end in pads for key in keys[1:]]
    bass = [note(beat, end - beat, keys[0] - 12 if keys[0] > 48 else keys[0], 78) for (beat, keys), end in pads]
    return [
        Part("melody", FLUTE, tuple(lead), level=0.9),
        Part("harmony", STRINGS, tuple(chords), level=0.7),
        Part("bass", CELLO, tuple(bass), level=0.8),
    ]


def quick_half() -> list[Part]:
    """Marimba over pizzicato, plucked bass and piano, staccato; a last chord on the downbeat of bar 7."""
    lead = [note(beat, 0.3, key, 104 if beat % 1 == 0 else 92) for beat, key in QUICK_LEAD]
    chords, bass = [], []
    for (start, keys), (_, root), stop in zip(QUICK_CHORDS, QUICK_ROOTS, (16, 20, 22, 24, 25), strict=True):
        for beat in np.arange(start + 0.5, stop, 1.0):
            chords += [note(beat, 0.22, key, 84) for key in keys]
        bass += [note(beat, 0.4, root + 7 * (beat % 2 == 1.0), 96) for beat in np.arange(start, stop, 1.0)]
    last = [note(25.5, 0.5, key, 110) for key in (50, 62, 66, 69, 74)]
    return [
        Part("melody", MARIMBA, tuple(lead)),
        Part("harmony", PIZZICATO, tuple(chords), level=0.9),
        Part("bass", BASS, tuple(bass)),
        Part("harmony", PIANO, tuple(last), level=0.8),
    ]


def drums() -> Part:
    """A light pattern under the second half."""
    hits = [note(12, 0.1, CRASH, 84), note(25.5, 0.1, KICK, 110), note(25.5, 0.1, CRASH, 90)]
    hits += [note(beat, 0.1, HAT, 72 if beat % 1 else 86) for beat in np.arange(12, 25, 0.5)]
    hits += [note(beat, 0.1, SHAKER, 60) for beat in np.arange(12.25, 25, 0.5)]
    hits += [note(beat + offset, 0.1, KICK, 104) for beat in range(12, 24, 4) for offset in (0, 1.5, 2)]
    hits += [note(beat, 0.1, SNARE, 98) for beat in range(13, 25, 2)]
    return Part("drums", 0, tuple(sorted(hits, key=lambda hit: hit.onset)))


def demo_score() -> Score:
    """The whole piece."""
    beats = tuple(float(beat * BEAT) for beat in range(BARS * 4 + 1))
    return Score((*sustained_half(), *quick_half(), drums()), SECONDS, beats)


def main(target: str) -> None:
    """Render the piece into ``target`` (.flac), mono, 44.1 kHz, 16 bit, peak -1 dBFS."""
    score = demo_score()
    with tempfile.TemporaryDirectory() as folder:
        midi = write_midi(Path(folder) / "demo.mid", [score], slot_seconds=SECONDS)
        wav = Path(folder) / "demo.wav"
        synthesise_midi(midi, wav, soundfont=find_soundfont(), sample_rate=44100, gain=0.4, effects=True)
        stereo, rate = soundfile.read(wav, dtype="float32", always_2d=True)
    y = stereo[: round(SECONDS * rate)].mean(axis=1)
    y[-rate // 5 :] *= np.linspace(1.0, 0.0, y[-rate // 5 :].size, dtype=np.float32)
    soundfile.write(target, y / np.abs(y).max() * 10 ** (-1 / 20), rate, subtype="PCM_16")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "emomod/data/demo.flac")
