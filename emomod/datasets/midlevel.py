"""The Mid-level dataset: 5000 clips of 15 s, rated by listeners on seven perceptual qualities.

Aljanaki & Soleymani, A Data-driven Approach to Mid-level Perceptual Musical Feature Modeling, ISMIR 2018. Ratings are
1..10. The column "atonality" holds tonal stability and "mode" holds minorness.
"""

from dataclasses import replace
from pathlib import Path

from emomod.datasets.clips import (
    ARTIST,
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
from emomod.datasets.ratings import Numbered, Ratings, by_number, read_ratings
from emomod.datasets.tables import Table, find_entry, find_table, read_table

DATASET = "midlevel"
COLUMNS = {
    "melody": "melodiousness",
    "articulation": "articulation",
    "rhythm_complexity": "rhythm_complexity",
    "rhythm_stability": "rhythm_stability",
    "dissonance": "dissonance",
    "atonality": "tonal_stability",
    "mode": "minorness",
}
HIGHEST = 10.0
N_CLIPS = 5000
TABLES = "metadata_annotations"  # the folder of both tables; they may also lie beside the folder of the sounds
NOBODY = frozenset({"", "-", "?", "n/a", "nan", "none", "unknown", "unknown artist"})  # no artist's name


def load_midlevel(folder: str | Path, *, skip_bad: bool = False) -> RatedClips:
    """Find the clips of the Mid-level dataset in ``folder``, with seven labels each; sounds are found but not read.

    A clip's group is its artist; a clip without one is a group of its own. DatasetError (an InputError) lists every
    problem of the tables and of what belongs together. With ``skip_bad`` the clips in question are left out instead
    and the result's ``left_out`` lists why; files that cannot be used as a whole stay an error.
    """
    root, problems = check_root(folder), list[Problem]()
    annotations = _table(root, "annotations", columns=("song_id", *COLUMNS), separator=",", problems=problems)
    metadata = _table(root, "metadata", columns=("song id", "Artist"), separator=";", problems=problems)
    sounds = find_sounds(root, ("audio",), problems=problems)
    ratings, songs = _ratings(annotations, problems=problems), _songs(metadata, problems=problems)
    if ratings is not None and sounds is not None:
        match_sounds(ratings, sounds, number="song_id", problems=problems)
    if ratings is not None and songs is not None:
        _match_metadata(ratings, songs, problems=problems)
    if ratings is None or songs is None or sounds is None:
        raise DatasetError(problems)
    clips = rated_clips(DATASET, ratings, sounds, _groups(songs))
    left_out = settle(problems, skip_bad=skip_bad, n_left=len(clips))
    return replace(clips, left_out=left_out, notes=(*published(ratings, N_CLIPS), *_notes(clips)))


def _table(root: Path, stem: str, *, columns: tuple[str, ...], separator: str, problems: list[Problem]) -> Table | None:
    inner = find_entry(root, TABLES)
    folders = [folder for folder in (inner, root) if folder is not None]
    if (path := find_table(folders, stem)) is None:
        problems.append(Problem(str(root / TABLES / f"{stem}.csv"), None, "there is no such file"))
        return None
    return read_table(path, columns=columns, separator=separator, problems=problems)


def _ratings(annotations: Table | None, *, problems: list[Problem]) -> Ratings | None:
    if annotations is None:
        return None
    return read_ratings(annotations, number="song_id", scores=COLUMNS, high=HIGHEST, problems=problems)


def _songs(metadata: Table | None, *, problems: list[Problem]) -> Numbered | None:
    return None if metadata is None else by_number(metadata, "song id", problems=problems)


def _match_metadata(ratings: Ratings, songs: Numbered, *, problems: list[Problem]) -> None:
    """Append to ``problems`` what stands in one of the two tables only."""
    for rows, other in ((ratings, songs), (songs, ratings)):
        for song, row in rows.seen.items():
            if song not in other.seen:
                problems.append(Problem(rows.file, row, f"{Path(other.file).name} has no row with song_id {song}"))


def _groups(songs: Numbered) -> dict[int, str]:
    """The artist of each song, or the song itself."""
    artists = {song: plain_name(row.cells["Artist"]) for song, row in songs.rows.items()}
    return {song: f"{SONG}{DATASET}/{song}" if name in NOBODY else ARTIST + name for song, name in artists.items()}


def _notes(clips: RatedClips) -> tuple[str, ...]:
    alone = sum(group.startswith(SONG) for group in clips.groups)
    told = f"clips without an artist in the metadata: {alone}; each is a group of its own"
    return (told,) if alone else ()
