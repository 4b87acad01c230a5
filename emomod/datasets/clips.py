"""The clips of a dataset: where their sounds lie, how listeners rated them, and what belongs together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emomod.datasets.problems import DatasetError, Problem
from emomod.datasets.ratings import Ratings, read_number
from emomod.datasets.tables import find_entry
from emomod.labels import SCORE_NAMES

SOUND_SUFFIXES = (".mp3", ".wav", ".flac", ".ogg")
ARTIST, ALBUM, SONG = "artist: ", "album: ", "song: "  # how the name of a group begins: what the group is


@dataclass(frozen=True, eq=False)
class RatedClips:
    """Clips of a dataset; their sounds have been found but not been read."""

    dataset: str
    names: tuple[str, ...]  # dataset and number, such as midlevel/3576
    groups: tuple[
        str, ...
    ]  # what must not be in training and in test at once: "artist: ...", "album: ..." or "song: ..."
    sounds: tuple[Path, ...]
    sources: tuple[tuple[str, int], ...]  # rating file and row of each clip
    labels: NDArray[np.float64]  # [n, 15] in the order of SCORE_NAMES, 0..1; NaN: not rated
    left_out: tuple[Problem, ...] = ()  # what the caller chose to go on without
    notes: tuple[str, ...] = ()  # what a user should know of these clips

    def __len__(self) -> int:
        return len(self.names)

    def only(self, chosen: Sequence[int], *, left_out: tuple[Problem, ...]) -> "RatedClips":
        """The clips of the indices ``chosen``, in that order, with what has been left out by now."""
        return RatedClips(
            self.dataset,
            tuple(self.names[index] for index in chosen),
            tuple(self.groups[index] for index in chosen),
            tuple(self.sounds[index] for index in chosen),
            tuple(self.sources[index] for index in chosen),
            self.labels[list(chosen)],
            left_out,
            self.notes,
        )


@dataclass(frozen=True)
class Sounds:
    """The sound files of a folder by the number of their song."""

    folder: Path
    paths: dict[int, Path]
    doubtful: frozenset[int]  # numbers with more than one file


def plain_name(text: str) -> str:
    """A name as it is compared: without case and without blanks that do not count.

    >>> plain_name("The  Omen ") == plain_name("the omen")
    True
    """
    return " ".join(text.casefold().split())


def check_root(folder: str | Path) -> Path:
    """Return ``folder`` as a Path if it is one; else raise DatasetError."""
    root = Path(folder)
    if not root.is_dir():
        raise DatasetError(
            [Problem(str(root), None, "is a file, not a folder" if root.exists() else "there is no such folder")]
        )
    return root


def published(ratings: Ratings, n_clips: int) -> tuple[str, ...]:
    """What to note when the ratings are not as many as the ``n_clips`` of the published dataset."""
    n_here = len(ratings.seen)
    return (f"clips with ratings: {n_here}; the published dataset has {n_clips}",) if n_here != n_clips else ()


def find_sounds(root: Path, places: Sequence[str], *, problems: list[Problem]) -> Sounds | None:
    """Sound files of the first folder of ``places`` in ``root``; None when there are none. Appends to ``problems``.

    Files that are no sound by their name, and hidden ones, are left alone.
    """
    folders = [folder for place in places if (folder := _descend(root, place)) is not None and folder.is_dir()]
    if not folders:
        problems.append(Problem(str(root / places[0]), None, "there is no such folder; the sounds belong there"))
        return None
    numbered = _numbered(folders[0], problems=problems)
    if not numbered:
        kinds = ", ".join(suffix[1:] for suffix in SOUND_SUFFIXES)
        problems.append(Problem(str(folders[0]), None, f"holds no sound files named by their number ({kinds})"))
        return None
    doubtful = {number: paths for number, paths in numbered.items() if len(paths) > 1}
    for number, paths in doubtful.items():
        names = ", ".join(path.name for path in paths)
        problems.append(Problem(str(paths[0]), None, f"song {number} has more than one sound file: {names}"))
    alone = {number: paths[0] for number, paths in numbered.items() if number not in doubtful}
    return Sounds(folders[0], alone, frozenset(doubtful))


def _numbered(folder: Path, *, problems: list[Problem]) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SOUND_SUFFIXES and not path.name.startswith(".") and path.is_file():
            if (number := read_number(path.stem)) is None:
                problems.append(Problem(str(path), None, "its name is not the number of a song"))
            else:
                found.setdefault(number, []).append(path)
    return found


def _descend(root: Path, place: str) -> Path | None:
    folder: Path | None = root
    for name in place.split("/"):
        folder = find_entry(folder, name) if folder is not None else None
    return folder


def match_sounds(ratings: Ratings, sounds: Sounds, *, number: str, problems: list[Problem]) -> None:
    """Append to ``problems`` each row without a sound and each sound without a row; ``number`` is the rows' column."""
    known = sounds.paths.keys() | sounds.doubtful
    for song, row in ratings.seen.items():
        if song not in known:
            problems.append(Problem(ratings.file, row, f"{number} {song} has no sound file in {sounds.folder}"))
    for song, path in sounds.paths.items():
        if song not in ratings.seen:
            problems.append(Problem(str(path), None, f"{Path(ratings.file).name} has no row with {number} {song}"))


def rated_clips(dataset: str, ratings: Ratings, sounds: Sounds, groups: Mapping[int, str]) -> RatedClips:
    """The clips that have a rating, a sound and a group, in order of their numbers."""
    songs = sorted(ratings.scores.keys() & sounds.paths.keys() & groups.keys())
    return RatedClips(
        dataset,
        tuple(f"{dataset}/{song}" for song in songs),
        tuple(groups[song] for song in songs),
        tuple(sounds.paths[song] for song in songs),
        tuple((ratings.file, ratings.rows[song]) for song in songs),
        np.array([ratings.scores[song] for song in songs]).reshape(len(songs), len(SCORE_NAMES)),
    )
