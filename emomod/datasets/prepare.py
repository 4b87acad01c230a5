"""Turn the sounds of a dataset into spectrograms on disk, once, for training to read.

A folder of prepared clips holds one float16 file a sound, named by the sound's SHA-256 in a folder named by the front
end, and ``prepared.json``, which lists the clips and is written last. So a run that was stopped goes on where it was, a
sound that was replaced is read anew, and another front end never meets old files. 15 s take 140 kB.
"""

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from emomod.alone import alone
from emomod.audio import SAMPLE_RATE, file_sha256, read_clip
from emomod.datasets.clips import RatedClips
from emomod.datasets.problems import Problem, ordered, settle
from emomod.errors import InputError
from emomod.labelled_clips import LabelledClips
from emomod.labels import SCORE_NAMES
from emomod.output import to_json
from emomod.reading.arrays import npy_form, read_npy
from emomod.reading.json_files import read_object
from emomod.spectrogram import FRONT_END, HOP_LENGTH, N_BANDS, compute_spectrogram

FORMAT = 1  # of prepared.json and of the files beside it
RECORD = "prepared.json"
LONGEST = 120.0  # s; clips of these datasets have 10 to 30 s, so a longer file is another sound
REPORTED = 100  # sounds between two lines of progress
Log = Callable[[str], None]


@dataclass(frozen=True)
class Heard:
    """What reading a sound gave."""

    sha256: str  # of the sound file; "" when it cannot be read
    seconds: float
    fault: str | None  # what is wrong with it


def read_sound(path: Path) -> Heard:
    """Read a sound as a whole, to see whether that can be done."""
    try:
        clip = read_clip(path, seconds=LONGEST)
        _check_length(clip.file_seconds)
    except (InputError, OSError) as fault:
        return Heard("", 0.0, _said(fault, path))
    return Heard(clip.sha256, clip.seconds, None)


def check_sounds(clips: RatedClips, *, log: Log = lambda _: None) -> tuple[list[Heard], list[Problem]]:
    """Read the sounds of all ``clips``; return what was found of each, and a problem for each that cannot be used."""
    heard = list(_all(read_sound, clips.sounds, verb="read", log=log))
    return heard, _problems(clips, heard)


def prepare(
    clips: RatedClips, out: str | Path, *, skip_bad: bool = False, log: Log = lambda _: None
) -> tuple[RatedClips, list[Heard]]:
    """Write the spectrograms of all ``clips`` into the folder ``out``, or those that are missing; then its record.

    Returns the clips that are prepared. Sounds that cannot be read raise DatasetError (an InputError) after all others
    were written; with ``skip_bad`` their clips are left out, and the record lists why. InputError when ``out`` is
    neither new nor a folder of prepared clips, cannot be written, or another run is at work on it.
    """
    folder = _claim(Path(out))
    store = folder / _store_name()
    with alone(folder):
        for left in (*folder.glob(".*.partial"), *folder.glob("spectrograms-*/.*.partial")):  # by a run that was killed
            left.unlink()
        heard = list(_all(lambda path: _write_sound(path, store), clips.sounds, verb="prepared", log=log))
        good = [index for index, sound in enumerate(heard) if sound.fault is None]
        unread = settle(_problems(clips, heard), skip_bad=skip_bad, n_left=len(good))
        kept = clips.only(good, left_out=ordered((*clips.left_out, *unread)))
        sounds = [heard[index] for index in good]
        text = to_json(_record(kept, sounds)) + "\n"
        _write(folder / RECORD, lambda file: file.write(text.encode()))
    return kept, sounds


def load_prepared(folder: str | Path) -> LabelledClips:
    """Load prepared clips with whole spectrograms (5000 of 15 s: 700 MB); InputError when something is missing."""
    record = _read_record(Path(folder))
    store = Path(folder) / _store_name()
    labels = [[np.nan if label is None else label for label in clip["labels"]] for clip in record["clips"]]
    return LabelledClips(
        tuple(clip["name"] for clip in record["clips"]),
        tuple(clip["group"] for clip in record["clips"]),
        [_load(store / f"{clip['sound']}.npy") for clip in record["clips"]],
        np.array(labels, dtype=np.float64).reshape(-1, len(SCORE_NAMES)),
    )


def prepared_dataset(folder: str | Path) -> str:
    """Which dataset prepared clips come from, such as midlevel+soundtracks; InputError as ``load_prepared``."""
    return str(_read_record(Path(folder))["dataset"])


def _all(job: Callable[[Path], Heard], paths: tuple[Path, ...], *, verb: str, log: Log) -> Iterator[Heard]:
    """Do a job for all sounds, as many at a time as there are processors; results are in order."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for done, heard in enumerate(pool.map(job, paths), start=1):
            if done % REPORTED == 0 or done == len(paths):
                log(f"{verb} {done} of {len(paths)} sounds")
            yield heard
    finally:
        pool.shutdown(cancel_futures=True)


def _problems(clips: RatedClips, heard: list[Heard]) -> list[Problem]:
    return [
        Problem(file, row, f"its sound {path} cannot be used: {sound.fault}")
        for (file, row), path, sound in zip(clips.sources, clips.sounds, heard, strict=True)
        if sound.fault is not None
    ]


def _check_length(seconds: float) -> None:
    if seconds > LONGEST:
        raise InputError(f"is {seconds:.0f} s long, and clips of this dataset are no longer than {LONGEST:g} s")


def _said(fault: InputError | OSError, path: Path) -> str:
    """What is wrong with a sound, without its path, which the problem names anyway."""
    if isinstance(fault, OSError):
        return f"cannot be read ({fault.strerror})"
    return str(fault).removeprefix(f"{path}: ")


def _store_name() -> str:
    """The folder of this front end's spectrograms."""
    key = json.dumps([FORMAT, FRONT_END], sort_keys=True).encode()
    return f"spectrograms-{hashlib.sha256(key).hexdigest()[:8]}"


def _claim(folder: Path) -> Path:
    """Return ``folder``, made if need be; it must be empty or hold prepared clips."""
    if folder.is_dir():
        names = {path.name for path in folder.iterdir()}
        if names and not any(name == RECORD or name.startswith("spectrograms-") for name in names):
            raise InputError(f"out: {folder} is neither empty nor a folder of prepared clips; name another")
    try:
        (folder / _store_name()).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"out: {folder} cannot be written ({error.strerror})") from None
    return folder


def _write_sound(path: Path, store: Path) -> Heard:
    """Write the spectrogram of a sound unless it is there."""
    try:
        sha256 = file_sha256(path)
        if (n_frames := _n_frames(store / f"{sha256}.npy")) is not None:
            return Heard(sha256, n_frames * HOP_LENGTH / SAMPLE_RATE, None)
        clip = read_clip(path, seconds=LONGEST)
        _check_length(clip.file_seconds)
    except (InputError, OSError) as fault:
        return Heard("", 0.0, _said(fault, path))
    spectrogram = compute_spectrogram(clip.y).log_spectrogram.numpy().astype(np.float16)
    _write(store / f"{clip.sha256}.npy", lambda file: np.save(file, spectrogram, allow_pickle=False))
    return Heard(clip.sha256, clip.seconds, None)


def _n_frames(stored: Path) -> int | None:
    """Frames of a stored spectrogram; None when it is not there or not whole."""
    try:
        shape, dtype = npy_form(stored)
    except InputError:
        return None
    return shape[1] if dtype == np.float16 and len(shape) == 2 and shape[0] == N_BANDS else None


def _load(stored: Path) -> NDArray[np.float16]:
    try:
        spectrogram: NDArray[np.float16] = read_npy(stored)
    except InputError as error:
        raise InputError(f"{error}; prepare the dataset again") from None
    if spectrogram.dtype != np.float16 or spectrogram.ndim != 2 or spectrogram.shape[0] != N_BANDS:
        raise InputError(
            f"{stored}: must be float16 [{N_BANDS}, n_frames], got {spectrogram.dtype} {spectrogram.shape}; "
            "prepare the dataset again"
        )
    return spectrogram


def _write(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file as a whole or not at all; threads that write the same file do not meet."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        with partial.open("wb") as file:
            write(file)
        os.replace(partial, target)
    except OSError as error:
        raise OSError(error.errno, f"cannot be written ({error.strerror})", str(target)) from None
    finally:
        partial.unlink(missing_ok=True)


def _record(clips: RatedClips, heard: list[Heard]) -> dict[str, Any]:
    """What prepared.json says."""
    return {
        "format": FORMAT,
        "front_end": FRONT_END,
        "score_names": SCORE_NAMES,
        "dataset": clips.dataset,
        "notes": clips.notes,
        "left_out": [asdict(problem) for problem in clips.left_out],
        "clips": [
            {"name": name, "group": group, "sound": sound.sha256, "labels": labels}
            for name, group, sound, labels in zip(clips.names, clips.groups, heard, clips.labels.tolist(), strict=True)
        ],
    }


def _read_record(folder: Path) -> dict[str, Any]:
    """What prepared.json says; InputError when it is not there, not whole, or of another front end."""
    path = folder / RECORD
    if not path.is_file():
        raise InputError(f"{folder}: holds no prepared clips; make them with `emomod dataset prepare`")
    try:
        record = read_object(path)
        made = (record["format"], record["front_end"], tuple(record["score_names"]))
        whole = isinstance(record.get("dataset"), str) and all(map(_is_clip, record["clips"]))
    except InputError as error:
        raise InputError(f"{error}; prepare the dataset again") from None
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error!r}); prepare the dataset again") from None
    if made != (FORMAT, FRONT_END, SCORE_NAMES) or not whole:
        raise InputError(f"{path}: was made by another version of emomod; prepare the dataset again")
    return record


def _is_clip(found: Any) -> bool:
    """Whether it is what prepared.json says of a clip."""
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in ("name", "group", "sound")):
        return False
    labels = found.get("labels")
    if not isinstance(labels, list) or len(labels) != len(SCORE_NAMES):
        return False
    numbers = all(label is None or isinstance(label, (int, float)) for label in labels)
    return numbers and re.fullmatch("[0-9a-f]{64}", found["sound"]) is not None
