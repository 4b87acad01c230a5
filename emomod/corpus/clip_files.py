"""One clip on disk, taken apart: the mix, a stem a part, the noise floor, the score as MIDI, the labels.

``mix.flac`` is, sample by sample, the sum of ``stem_*.flac`` and ``rest.flac``: all are integers of 24 bits, and the
mix is added up from the rounded stems. ``score.mid`` has one track a part, named like its stem, with program, level and
a tempo map in which the score's beats are the quarter notes. ``labels.json`` has the labels and what the caller adds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.corpus.labels import raw_labels, scaled_labels
from emomod.corpus.midi import DRUM_CHANNEL, MELODIC_CHANNELS, full_volume
from emomod.corpus.music_files import import_mido
from emomod.corpus.score import Note, Part, Score
from emomod.corpus.stems import Stems, part_names
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.output import new_folder, to_json
from emomod.reading.json_files import read_object
from emomod.reading.text import name_beside

BITS = 24
FULL_SCALE = 1 << (BITS - 1)
MOST_SECONDS = 120  # of a clip that is read; those rendered have at most 60
MOST_PARTS = 64  # of a clip that is read; a MIDI file of ours holds 16
TICKS_PER_BEAT = 9600  # at a beat of 1 s a tick is 0.1 ms


@dataclass(frozen=True, eq=False)
class StoredClip:
    """What a clip's folder holds."""

    mix: NDArray[np.float32]  # [n_samples]
    stems: Stems
    facts: dict[str, Any]  # labels.json


def fit_stems(versions: Sequence[Stems]) -> list[Stems]:
    """Versions of a clip as files give them back: rounded to 24 bits, turned down alike where one would be cut off."""
    sounds = [np.vstack([stems.parts, stems.rest]).astype(np.float64) for stems in versions]
    highest = max(max(float(np.abs(y).max()), float(np.abs(y.sum(axis=0)).max())) for y in sounds)
    gain = min(1.0, (1.0 - max(map(len, sounds)) / FULL_SCALE) / max(highest, 1e-9))
    rounded = [(np.round(gain * y * FULL_SCALE) / FULL_SCALE).astype(np.float32) for y in sounds]
    return [Stems(stems.names, y[:-1], y[-1]) for stems, y in zip(versions, rounded, strict=True)]


def write_clip(folder: str | Path, score: Score, stems: Stems, *, facts: Mapping[str, Any]) -> Path:
    """Write a clip into a new ``folder``, whole or not at all; return its path.

    ``facts`` (seed, synthesiser and the like) go into labels.json. InputError when the stems are not the score's, or
    reach full scale, which ``fit_stems`` prevents.
    """
    if stems.names != part_names(score):
        raise InputError(f"stems must be named as the score's parts {part_names(score)}, got {stems.names}")
    with new_folder(folder) as partial:
        _write_sounds(partial, stems)
        write_score_midi(partial / "score.mid", score)
        (partial / "labels.json").write_text(to_json({**described_score(score), **facts}) + "\n", encoding="utf-8")
    return Path(folder)


def _write_sounds(folder: Path, stems: Stems) -> None:
    """Write the stems, the rest and their sum."""
    sounds = np.vstack([stems.parts, stems.rest]).astype(np.float64)
    steps = np.round(sounds * FULL_SCALE).astype(np.int64)
    steps = np.vstack([steps, steps.sum(axis=0)])
    if np.abs(steps).max() >= FULL_SCALE:
        raise InputError(f"stems and mix must stay within full scale, got a peak of {np.abs(steps).max() / FULL_SCALE}")
    for name, samples in zip((*(f"stem_{name}" for name in stems.names), "rest", "mix"), steps, strict=True):
        _write_flac(folder / f"{name}.flac", samples.astype(np.int32))


def _write_flac(path: Path, steps: NDArray[np.int32]) -> None:
    """Write integers of 24 bits [n_samples] as FLAC; the library wants them at the top of 32 bits."""
    try:
        soundfile.write(path, steps << (32 - BITS), SAMPLE_RATE, format="FLAC", subtype=f"PCM_{BITS}")
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path}: cannot be written ({error})") from None


def described_score(score: Score) -> dict[str, Any]:
    """Labels, parts, length and meter of a score, for JSON."""
    raw = raw_labels(score)
    names = part_names(score)
    parts = [
        {"name": name, "role": part.role, "program": part.program, "level": part.level, "notes": len(part.notes)}
        for name, part in zip(names, score.parts, strict=True)
    ]
    return {
        "labels": dict(zip(MIDLEVEL_NAMES, scaled_labels(raw).tolist(), strict=True)),
        "raw_labels": dict(zip(MIDLEVEL_NAMES, raw.tolist(), strict=True)),
        "parts": parts,
        "seconds": score.seconds,
        "beats_per_bar": score.beats_per_bar,
    }


def read_clip_folder(folder: str | Path) -> StoredClip:
    """Read what ``write_clip`` wrote; InputError when a file is missing or cannot be read."""
    source = Path(folder)
    try:
        facts = read_object(source / "labels.json")
        names = tuple(name_beside(part["name"], what="name of a part") for part in facts["parts"])
        if not 1 <= len(names) <= MOST_PARTS:
            raise InputError(f"it must have 1..{MOST_PARTS} parts, got {len(names)}")
        sounds = [_read_flac(source / f"{name}.flac") for name in ("mix", "rest", *(f"stem_{name}" for name in names))]
        mix, rest, *parts = sounds
        if any(part.shape != mix.shape for part in sounds):
            raise InputError(f"its sounds must be equally long, got {[part.size for part in sounds]} samples")
    except (OSError, ValueError, KeyError, TypeError, soundfile.LibsndfileError) as error:
        raise InputError(f"{source}: is not a clip's folder that can be read ({str(error)[:200]})") from None
    return StoredClip(mix, Stems(names, np.array(parts), rest), facts)


def _read_flac(path: Path) -> NDArray[np.float32]:
    """Read a sound [n_samples] of a clip; InputError where it is longer than clips are."""
    with soundfile.SoundFile(path) as file:
        if (file.format, file.channels, file.samplerate) != ("FLAC", 1, SAMPLE_RATE):
            raise InputError(f"{path.name} must be FLAC of one channel at {SAMPLE_RATE} Hz")
        if file.frames > MOST_SECONDS * SAMPLE_RATE:
            raise InputError(f"{path.name} must be at most {MOST_SECONDS} s long, got {file.frames / SAMPLE_RATE:.0f}")
        y: NDArray[np.float32] = file.read(dtype="float32")
        return y


# ---- the score as MIDI -----------------------------------------------------------------------------------------------


def write_score_midi(path: str | Path, score: Score) -> Path:
    """Write ``score`` as a standard MIDI file of type 1: tempo map and meter, then a track a part; return its path."""
    mido = import_mido()
    if sum(not part.is_drums for part in score.parts) > len(MELODIC_CHANNELS):
        raise InputError(f"a score must have at most {len(MELODIC_CHANNELS)} melodic parts")
    beats, channels = _beat_times(score), iter(MELODIC_CHANNELS)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(_tempo_track(mido, beats, beats_per_bar=score.beats_per_bar))
    for name, part in zip(part_names(score), score.parts, strict=True):
        channel = DRUM_CHANNEL if part.is_drums else next(channels)
        file.tracks.append(_part_track(mido, part, name=name, channel=channel, beats=beats))
    file.save(path)
    return Path(path)


def _beat_times(score: Score) -> NDArray[np.float64]:
    """Times (s) of the beats, carried on at both ends at the tempo there so that they span the notes and 0 s."""
    beats = np.array(score.beats)
    first, last = beats[1] - beats[0], beats[-1] - beats[-2]
    end = max(note.onset + note.duration for part in score.parts for note in part.notes)
    n_before, n_after = (int(np.ceil(max(gap, 0.0))) for gap in (beats[0] / first, (end - beats[-1]) / last))
    before, after = np.arange(-n_before, 0) * first, np.arange(1, n_after + 2) * last
    return np.concatenate([beats[0] + before, beats, beats[-1] + after])


def _ticks(times: Sequence[float] | NDArray[np.float64], beats: NDArray[np.float64]) -> NDArray[np.intp]:
    """Ticks since 0 s of ``times`` (s)."""
    places = np.interp(times, beats, np.arange(beats.size)) - np.interp(0.0, beats, np.arange(beats.size))
    return np.round(places * TICKS_PER_BEAT).astype(np.intp)


def _track(mido: Any, events: Sequence[tuple[int, Any]]) -> Any:
    """A track of ``events`` (ticks, message), which must be in order."""
    ticks = [at for at, _ in events]
    steps = np.diff(ticks, prepend=0).tolist()
    return mido.MidiTrack([message.copy(time=step) for step, (_, message) in zip(steps, events, strict=True)])


def _tempo_track(mido: Any, beats: NDArray[np.float64], *, beats_per_bar: int) -> Any:
    starts = np.maximum(_ticks(beats[:-1], beats), 0)
    tempi = np.round(np.diff(beats) * 1e6).astype(int)
    running = np.flatnonzero(beats[1:] > 0.0)
    events = [(0, mido.MetaMessage("time_signature", numerator=beats_per_bar, denominator=4))]
    events += [(int(starts[beat]), mido.MetaMessage("set_tempo", tempo=int(tempi[beat]))) for beat in running]
    return _track(mido, events)


def _ends(notes: Sequence[Note]) -> list[float]:
    """When notes, ordered by onset, end (s): at the latest where their key is struck again; a channel has it once."""
    ends, struck = [], dict[int, float]()
    for note in reversed(notes):
        ends.append(min(note.onset + note.duration, struck.get(note.pitch, np.inf)))
        struck[note.pitch] = note.onset
    return ends[::-1]


def _part_track(mido: Any, part: Part, *, name: str, channel: int, beats: NDArray[np.float64]) -> Any:
    events: list[tuple[int, Any]] = []
    notes = sorted(part.notes, key=lambda note: note.onset)
    for note, stop in zip(notes, _ends(notes), strict=True):
        begin, end = _ticks([note.onset, stop], beats).tolist()
        key = {"channel": channel, "note": note.pitch}
        events.append((begin, mido.Message("note_on", **key, velocity=note.velocity)))
        events.append((max(end, begin + 1), mido.Message("note_off", **key)))
    events.sort(key=lambda event: (event[0], event[1].type == "note_on"))
    head = [
        mido.MetaMessage("track_name", name=name),
        mido.Message("program_change", channel=channel, program=0 if part.is_drums else part.program),
        mido.Message("control_change", channel=channel, control=7, value=full_volume(part)),
    ]
    return _track(mido, [*((0, message) for message in head), *events])
