"""Render scores with the FluidSynth program and a General MIDI soundfont, many clips in one run.

Waveforms are mono at 22 050 Hz. Reverb and chorus are off unless asked for, so that the acoustics of a clip are drawn
by emomod.corpus.acoustics and nowhere else. Programs of a soundfont differ by more than 20 dB in level, and some are
silent in part of the keyboard: emomod.corpus.program_levels measures that, so that the labels count what is heard.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.corpus.midi import VolumeOf, full_volume, write_midi
from emomod.corpus.score import Score
from emomod.errors import InputError

SOUNDFONTS = ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf2/default-GM.sf2")
INSTALL = "apt-get install fluidsynth fluid-soundfont-gm"
GAIN = 0.15  # low enough that no clip is cut off
RELEASE_SECONDS = 1.52  # silence after each clip, so that it does not ring into the next; with 10 s whole blocks


def find_soundfont(soundfont: str | Path | None = None) -> Path:
    """Return ``soundfont``, or the General MIDI soundfont of the system; InputError says how to install one."""
    if soundfont is not None:
        if not Path(soundfont).is_file():
            raise InputError(f"soundfont {soundfont}: there is no such file")
        return Path(soundfont)
    for candidate in SOUNDFONTS:
        if Path(candidate).is_file():
            return Path(candidate)
    raise InputError(f"no General MIDI soundfont was found; install one ({INSTALL}) or name one")


def fluidsynth_version() -> str:
    """First line of ``fluidsynth --version``; InputError says how to install the program."""
    if shutil.which("fluidsynth") is None:
        raise InputError(f"the program fluidsynth was not found; install it with: {INSTALL}")
    answer = subprocess.run(["fluidsynth", "--version"], capture_output=True, text=True, check=False)
    return (answer.stdout + answer.stderr).strip().splitlines()[0]


def synthesise_midi(
    midi: Path, wav: Path, *, soundfont: Path, sample_rate: int, gain: float = GAIN, effects: bool = False
) -> Path:
    """Render a MIDI file into a stereo 16-bit WAV with FluidSynth; ``effects`` switches reverb and chorus on.

    Raises InputError with FluidSynth's own words when it reports an error: it would go on with another soundfont.
    """
    fluidsynth_version()
    switch = "1" if effects else "0"
    options = ["-R", switch, "-C", switch, "-g", f"{gain:g}", "-r", str(sample_rate)]
    command = ["fluidsynth", "-ni", "-q", *options, "-F", str(wav), str(soundfont), str(midi)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in answer.stderr.splitlines() if "error" in line.lower()]
    if answer.returncode != 0 or said or not wav.is_file():
        raise InputError(f"fluidsynth could not render with {soundfont}: {said[0] if said else 'no reason given'}")
    return wav


def render_scores(
    scores: Sequence[Score],
    *,
    soundfont: str | Path | None = None,
    volume_of: VolumeOf = full_volume,
    render_rate: int = 2 * SAMPLE_RATE,
) -> list[NDArray[np.float32]]:
    """Render ``scores``, which must be of one length, in one run; return mono waveforms [n_samples] at 22 050 Hz.

    The waveforms have the length of the score and are not normalised.
    """
    lengths = {score.seconds for score in scores}
    if len(lengths) != 1:
        raise InputError(f"scores must be of one length, got {sorted(lengths)} s")
    seconds = lengths.pop()
    slot = seconds + RELEASE_SECONDS
    with tempfile.TemporaryDirectory() as folder:
        midi = write_midi(Path(folder) / "clips.mid", scores, slot_seconds=slot, volume_of=volume_of)
        font = find_soundfont(soundfont)
        wav = synthesise_midi(midi, Path(folder) / "clips.wav", soundfont=font, sample_rate=render_rate)
        stereo, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    return _cut(stereo.mean(axis=1), len(scores), rate=render_rate, slot=slot, seconds=seconds)


def _cut(y: NDArray[np.float32], n_clips: int, *, rate: int, slot: float, seconds: float) -> list[NDArray[np.float32]]:
    """Cut a long rendering into its clips and bring them to 22 050 Hz."""
    clips = []
    for index in range(n_clips):
        first, length = round(index * slot * rate), round(seconds * rate)
        piece = np.zeros(length, dtype=np.float32)
        found = y[first : first + length]
        piece[: found.size] = found
        clips.append(soxr.resample(piece, rate, SAMPLE_RATE) if rate != SAMPLE_RATE else piece)
    return clips
