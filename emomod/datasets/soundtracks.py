"""The Soundtracks dataset: excerpts of film music, rated by listeners on eight emotions.

Eerola & Vuoskoski, A comparison of the discrete and dimensional models of emotion in music, Psychology of Music 39(1),
2011. Ratings are 1..9. Set 1 has 360 excerpts with sounds 001.mp3 to 360.mp3; of set 2 only the ratings are read.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emomod.datasets.clips import (
    ALBUM,
    SONG,
    RatedClips,
    check_root,
    find_sounds,
    match_sounds,
    plain_name,
    published,
    rated_clips,
)
from emomod.datasets.problems import DatasetError, Problem, settle
from emomod.datasets.ratings import Ratings, by_number, read_ratings
from emomod.datasets.tables import find_table, read_table
from emomod.labels import EMOTION_NAMES, SCORE_NAMES

DATASET = "soundtracks"
HIGHEST = 9.0
N_CLIPS = 360  # of set 1
SOUNDS = ("Soundtrack360_mp3", "mp3/Soundtrack360_mp3", "Set1")  # as it was and is handed out
# What the track list spells in two ways.
RESPELT = {"the portait of a lady": "the portrait of a lady"}  # codespell:ignore portait
BY_SONG = (
    "there is no set1_tracklist.csv: each clip is its own group, and clips of one album may be in training and test"
)


@dataclass(frozen=True, eq=False)
class RatedExcerpts:
    """Ratings of a set without its sounds."""

    numbers: tuple[int, ...]
    labels: NDArray[np.float64]  # [n, 15] in the order of SCORE_NAMES, 0..1; NaN: not rated
    left_out: tuple[Problem, ...]  # what the caller chose to go on without


@dataclass(frozen=True, eq=False)
class FilmExcerpts:
    """Ratings of set 1 and what belongs together, without sounds."""

    numbers: tuple[int, ...]
    groups: tuple[str, ...]  # "album: ..." or "song: ..."
    sources: tuple[tuple[str, int], ...]  # rating file and row of each excerpt
    labels: NDArray[np.float64]  # [n, 15] in the order of SCORE_NAMES, 0..1; NaN: not rated
    left_out: tuple[Problem, ...] = ()  # what the caller chose to go on without
    notes: tuple[str, ...] = ()  # what a user should know of these excerpts


def load_soundtracks_ratings(path: str | Path, *, skip_bad: bool = False) -> RatedExcerpts:
    """Read the mean ratings of set 1 or set 2 from a CSV or Excel file.

    DatasetError (an InputError) lists every problem; with ``skip_bad`` the rows in question are left out instead.
    """
    problems = list[Problem]()
    ratings = _ratings(Path(path), problems=problems)
    if ratings is None:
        raise DatasetError(problems)
    left_out = settle(problems, skip_bad=skip_bad, n_left=len(ratings.scores))
    labels = np.array(list(ratings.scores.values())).reshape(-1, len(SCORE_NAMES))
    return RatedExcerpts(tuple(ratings.scores), labels, left_out)


def load_film_excerpts(folder: str | Path, *, skip_bad: bool = False) -> FilmExcerpts:
    """Read the ratings of set 1 in ``folder`` and the album of each excerpt; no sounds are needed.

    Groups, DatasetError and ``skip_bad`` are those of ``load_soundtracks``.
    """
    root, problems = check_root(folder), list[Problem]()
    ratings = _set_1(root, problems=problems)
    if ratings is None:
        raise DatasetError(problems)
    groups, notes = _groups(root, ratings, problems=problems)
    numbers = tuple(sorted(ratings.scores.keys() & groups.keys()))
    left_out = settle(problems, skip_bad=skip_bad, n_left=len(numbers))
    return FilmExcerpts(
        numbers,
        tuple(groups[number] for number in numbers),
        tuple((ratings.file, ratings.rows[number]) for number in numbers),
        np.array([ratings.scores[number] for number in numbers]).reshape(-1, len(SCORE_NAMES)),
        left_out,
        (*published(ratings, N_CLIPS), *notes),
    )


def load_soundtracks(folder: str | Path, *, skip_bad: bool = False) -> RatedClips:
    """Find the clips of set 1 in ``folder``, with eight labels each; sounds are found but not read.

    A clip's group is its album where set1_tracklist.csv is there, else the clip itself. DatasetError (an InputError)
    lists every problem of the tables and of what belongs together. With ``skip_bad`` the clips in question are left out
    instead and the result's ``left_out`` lists why; files that cannot be used as a whole stay an error.
    """
    root, problems = check_root(folder), list[Problem]()
    ratings = _set_1(root, problems=problems)
    sounds = find_sounds(root, SOUNDS, problems=problems)
    if ratings is None:
        raise DatasetError(problems)
    if sounds is not None:
        match_sounds(ratings, sounds, number="number", problems=problems)
    groups, notes = _groups(root, ratings, problems=problems)
    if sounds is None:
        raise DatasetError(problems)
    clips = rated_clips(DATASET, ratings, sounds, groups)
    left_out = settle(problems, skip_bad=skip_bad, n_left=len(clips))
    return replace(clips, left_out=left_out, notes=(*published(ratings, N_CLIPS), *notes))


def _set_1(root: Path, *, problems: list[Problem]) -> Ratings | None:
    return _ratings(find_table([root], "mean_ratings_set1") or root / "mean_ratings_set1.csv", problems=problems)


def _ratings(path: Path, *, problems: list[Problem]) -> Ratings | None:
    if not path.is_file():
        problems.append(Problem(str(path), None, "there is no such file"))
        return None
    table = read_table(path, columns=("number", *EMOTION_NAMES), separator=",", problems=problems)
    if table is None:
        return None
    scores = {name: name for name in EMOTION_NAMES}
    return read_ratings(table, number="number", scores=scores, high=HIGHEST, problems=problems)


def _groups(root: Path, ratings: Ratings, *, problems: list[Problem]) -> tuple[dict[int, str], tuple[str, ...]]:
    """The group of each song, and what is to be said of them."""
    path = find_table([root], "set1_tracklist")
    if path is None:
        return {song: f"{SONG}{DATASET}/{song}" for song in ratings.seen}, (BY_SONG,)
    table = read_table(path, columns=("Nro", "Album name"), separator=",", problems=problems)
    if table is None:
        raise DatasetError(problems)
    tracks = by_number(table, "Nro", problems=problems)
    albums = {song: plain_name(row.cells["Album name"]) for song, row in tracks.rows.items()}
    for song, album in albums.items():
        if not album:
            problems.append(Problem(tracks.file, tracks.seen[song], "Album name is empty"))
    for song, row in ratings.seen.items():
        if song not in tracks.seen:
            problems.append(Problem(ratings.file, row, f"{path.name} has no row with Nro {song}"))
    for song, row in tracks.seen.items():
        if song not in ratings.seen:
            problems.append(Problem(tracks.file, row, f"{Path(ratings.file).name} has no row with number {song}"))
    return {song: ALBUM + RESPELT.get(album, album) for song, album in albums.items() if album}, ()
