"""The versions of a whole file, joined from those of its windows, and what a model hears in them.

Conventions: sounds are mono at 22 050 Hz, times are seconds of the file. What a window changes is its version minus its
original, as written, with the window's static gain taken off. It is added to the sound of the whole file, so that what
no window changes stays as it is. It fades in and out by raised cosines of 10 ms at the window's edges, but not at
those of the file; where windows overlap they change places in the middle of it, by fades that add up to 1. All versions
share one static gain, chosen so that none clips.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE, places_of, read_blocks, write_blocks
from emomod.model.predictor import ScoringModel
from emomod.modification import CEILING, amplitude
from emomod.output import to_json, whole_file, write_csv
from emomod.pipeline import ModifySettings, predict
from emomod.result import Prediction
from emomod.stages import Stages

CHANGED = ("enhanced", "weakened")
WRITTEN = ("original", *CHANGED)
FILES = (*(f"{name}.wav" for name in WRITTEN), "whole.csv", "whole.json")
N_FADE = 220  # samples: 10 ms
N_LEFT = 32  # samples that rounding may leave behind the last window
N_AROUND = 512  # samples of silence around a change that is shifted by less than one
BLOCK = 10 * SAMPLE_RATE  # samples that are in memory at a time
NUMBER = np.dtype(np.float32)  # of temporary files, that nothing is rounded before the level is known


@dataclass(frozen=True)
class Part:
    """A window whose versions are written."""

    folder: Path
    start: float  # s
    n_samples: int
    static_gain_db: float  # of its versions


def part_of(folder: Path, record: dict[str, Any]) -> Part:
    """What joining needs of the run of a window: its folder, and what its run.json says."""
    n_samples = soundfile.info(folder / "original.wav").frames
    return Part(folder, record["window"]["start"], n_samples, record["static_gain_db"])


def join_windows(
    path: str | Path,
    parts: Sequence[Part],
    *,
    target: str,
    out: Path,
    settings: ModifySettings,
    predictor: ScoringModel,
    stages: Stages,
) -> None:
    """Write whole versions of the file ``path`` into the folder ``out``, hear them, write whole.csv and whole.json.

    ``parts`` are its windows with versions, at least one, by their start. Memory does not go by the file's length; the
    folder needs room for three times the sound in 32 bits while the files are made.
    """
    with stages.stage("joining windows"):
        static_gain_db = _write_versions(path, parts, out=out, bits=settings.bits)
    heard = {name: predict(out / f"{name}.wav", predictor=predictor, stages=stages) for name in WRITTEN}
    rows = list(_rows(heard))
    record = {
        "clip": str(path),
        "target": target,
        "gain_db": settings.gain_db,
        "n_changed": len(parts),
        "n_heard": {name: prediction.n_windows for name, prediction in heard.items()},
        "static_gain_db": static_gain_db,
        "predictions": {name: prediction.levels for name, prediction in heard.items()},
        "shifts": {name: {row["name"]: row[f"shift_{name}"] for row in rows} for name in CHANGED},
    }
    with whole_file(out / "whole.csv") as partial:
        write_csv(partial, rows)
    with whole_file(out / "whole.json") as partial:
        partial.write_text(to_json(record) + "\n", encoding="utf-8")


def _rows(heard: dict[str, Prediction]) -> Iterator[dict[str, Any]]:
    """A row a score: name, level, what was heard in each version, shifts against the original."""
    for level, named in heard["original"].levels.items():
        for name, original in named.items():
            scores = {version: prediction.levels[level][name] for version, prediction in heard.items()}
            shifts = {f"shift_{version}": scores[version] - original for version in CHANGED}
            yield {"name": name, "level": level} | scores | shifts


def _write_versions(path: str | Path, parts: Sequence[Part], *, out: Path, bits: int) -> float:
    """Write the WAV of each version; return the static gain (dB) that they share."""
    with tempfile.TemporaryDirectory(dir=out, prefix=".whole.", suffix=".partial") as folder:
        raw = {name: Path(folder) / name for name in WRITTEN}
        with open(raw["original"], "wb") as file:
            file.writelines(y.tobytes() for y in read_blocks(path))
        changes = list(_changes(path, parts, n_samples=raw["original"].stat().st_size // NUMBER.itemsize))
        for name in CHANGED:
            shutil.copyfile(raw["original"], raw[name])
            _add(raw[name], changes, version=name)
        peak = max(float(np.abs(y).max()) for each in raw.values() for y in _blocks(each))
        factor = min(1.0, CEILING / peak)
        for name, each in raw.items():
            write_blocks(out / f"{name}.wav", (y * np.float32(factor) for y in _blocks(each)), bits=bits)
    return float(20.0 * np.log10(factor))


def _blocks(raw: Path) -> Iterator[NDArray[np.float32]]:
    """Yield a temporary file's sound a block at a time."""
    with open(raw, "rb") as file:
        while data := file.read(BLOCK * NUMBER.itemsize):
            yield np.frombuffer(data, NUMBER)


@dataclass(frozen=True)
class _Change:
    """Where in the file a window's change is heard."""

    part: Part
    place: float  # of the window's first sample in the file, in samples
    begin: int  # in the file, where it is first heard
    end: int  # behind its last sample
    fades: tuple[bool, bool]  # in, out

    @property
    def first(self) -> int:
        """The sample of the file that is nearest to the window's first one."""
        return round(self.place)

    def of(self, version: str) -> NDArray[np.float64]:
        """What a version adds to the file [end - begin]."""
        original, changed = (
            np.concatenate(list(read_blocks(self.part.folder / f"{name}.wav"))) for name in ("original", version)
        )
        change = (changed.astype(np.float64) - original) / amplitude(self.part.static_gain_db)
        if change.any() and self.place != self.first:
            change = shifted(change, by=self.place - self.first)
        return np.asarray(change[self.begin - self.first : self.end - self.first] * self._envelope())

    def _envelope(self) -> NDArray[np.float64]:
        gains = np.ones(self.end - self.begin)
        rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(N_FADE) + 0.5) / N_FADE)
        if self.fades[0]:
            gains[:N_FADE] *= rise
        if self.fades[1]:
            gains[-N_FADE:] *= rise[::-1]
        return gains


def shifted(y: NDArray[np.float64], *, by: float) -> NDArray[np.float64]:
    """Return ``y`` [n_samples] later by a part of a sample, as a band-limited sound is between its samples."""
    padded = np.pad(y, N_AROUND)
    turn = np.exp(-2j * np.pi * by * np.fft.rfftfreq(padded.size))
    found: NDArray[np.float64] = np.fft.irfft(np.fft.rfft(padded) * turn, padded.size)[N_AROUND:-N_AROUND]
    return found


def _changes(path: str | Path, parts: Sequence[Part], *, n_samples: int) -> Iterator[_Change]:
    """Yield where each window is heard in the file: from and to the middle of an overlap, with fades around it.

    An overlap shorter than a fade is left alone: each window fades to the original by itself.
    """
    places = places_of(path, [part.start for part in parts])
    begins = [max(0, round(place)) for place in places]
    ends = [min(n_samples, begin + part.n_samples) for begin, part in zip(begins, parts, strict=True)]
    inner = [(begin > 0, end < n_samples - N_LEFT) for begin, end in zip(begins, ends, strict=True)]
    for index in range(len(parts) - 1):
        if ends[index] - begins[index + 1] > N_FADE:
            middle = (ends[index] + begins[index + 1]) // 2
            ends[index], begins[index + 1] = middle + N_FADE // 2, middle - N_FADE // 2
            inner[index], inner[index + 1] = (inner[index][0], True), (True, inner[index + 1][1])
    for part, place, begin, end, fades in zip(parts, places, begins, ends, inner, strict=True):
        yield _Change(part, place, begin, end, fades)


def _add(raw: Path, changes: Sequence[_Change], *, version: str) -> None:
    """Add what a version changes to a temporary file's sound."""
    with open(raw, "r+b") as file:
        for change in changes:
            file.seek(change.begin * NUMBER.itemsize)
            y = np.frombuffer(file.read((change.end - change.begin) * NUMBER.itemsize), NUMBER)
            file.seek(change.begin * NUMBER.itemsize)
            file.write((y + change.of(version)).astype(NUMBER).tobytes())
