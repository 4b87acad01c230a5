"""Mid-level and Soundtracks folders: what belongs together, and everything that does not."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes import shared
from hypothesis import given
from hypothesis import strategies as st
from small_datasets import edit, midlevel_row, soundtracks_row, write_midlevel, write_sound, write_soundtracks, xlsx

from emomod.datasets.clips import RatedClips
from emomod.datasets.link import OFFSET, join, merge_groups
from emomod.datasets.midlevel import COLUMNS, load_midlevel
from emomod.datasets.problems import DatasetError
from emomod.datasets.soundtracks import load_film_excerpts, load_soundtracks
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES, SCORE_NAMES

N_MIDLEVEL = len(MIDLEVEL_NAMES)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    return write_midlevel(root / "midlevel"), write_soundtracks(root / "soundtracks")


@pytest.fixture
def midlevel(made, tmp_path):
    """A copy of three clips to spoil: 1, 2 and 3 by artists A, B and C."""
    return Path(shutil.copytree(made[0], tmp_path / "midlevel"))


@pytest.fixture
def soundtracks(made, tmp_path):
    """A copy of three clips to spoil: 1 and 2 of film X, 3 of film Y."""
    return Path(shutil.copytree(made[1], tmp_path / "soundtracks"))


def annotations(root):
    return root / "metadata_annotations" / "annotations.csv"


def metadata(root):
    return root / "metadata_annotations" / "metadata.csv"


def problems_of(load, root):
    """(path below the folder, row, what) of all problems, without the folder's name."""
    with pytest.raises(DatasetError) as refused:
        load(root)
    return [
        (str(Path(problem.file).relative_to(root)), problem.row, problem.what.replace(f"{root}/", ""))
        for problem in refused.value.problems
    ]


def test_midlevel_against_what_was_written(midlevel):
    clips = load_midlevel(midlevel)
    assert clips.names == ("midlevel/1", "midlevel/2", "midlevel/3")
    assert clips.groups == ("artist: artist a", "artist: artist b", "artist: artist c")
    assert clips.sounds == tuple(midlevel / "audio" / f"{song}.mp3" for song in (1, 2, 3))
    assert clips.sources == tuple((str(annotations(midlevel)), row) for row in (2, 3, 4))
    assert clips.left_out == ()
    assert clips.notes == ("clips with ratings: 3; the published dataset has 5000",)
    for index, song in enumerate((1, 2, 3)):
        ratings = dict(zip(("song_id", *COLUMNS), midlevel_row(song).split(","), strict=True))
        for column, score in COLUMNS.items():
            assert clips.labels[index, SCORE_NAMES.index(score)] == pytest.approx(float(ratings[column]) / 10)
    assert np.isnan(clips.labels[:, N_MIDLEVEL:]).all()


def test_atonality_holds_tonal_stability_and_mode_minorness_against_the_dataset_s_paper():
    assert list(COLUMNS.values()) == list(MIDLEVEL_NAMES)
    assert (COLUMNS["atonality"], COLUMNS["mode"]) == ("tonal_stability", "minorness")


def test_midlevel_s_tables_may_lie_beside_the_sounds_and_in_capitals(midlevel):
    before = load_midlevel(midlevel)
    annotations(midlevel).rename(midlevel / "Annotations.CSV")
    metadata(midlevel).rename(midlevel / "METADATA.csv")
    (midlevel / "metadata_annotations").rmdir()
    edit(midlevel / "METADATA.csv", "song id;Artist", "Song_ID; ARTIST ")
    (midlevel / "audio").rename(midlevel / "Audio")
    (midlevel / "Audio" / "2.mp3").rename(midlevel / "Audio" / "002.MP3")
    after = load_midlevel(midlevel)
    assert after.groups == before.groups
    assert np.array_equal(after.labels, before.labels, equal_nan=True)


def test_midlevel_s_tables_may_be_excel_files(midlevel):
    before = load_midlevel(midlevel)
    for path, separator in ((annotations(midlevel), ","), (metadata(midlevel), ";")):
        rows = [line.split(separator) for line in path.read_text().splitlines()]
        path.with_suffix(".xlsx").write_bytes(xlsx(rows))
        path.unlink()
    after = load_midlevel(midlevel)
    assert after.groups == before.groups
    assert np.array_equal(after.labels, before.labels, equal_nan=True)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".WAV"])
def test_other_sounds_than_mp3_are_found(midlevel, suffix):
    (midlevel / "audio" / "2.mp3").unlink()
    write_sound(midlevel / "audio" / f"2{suffix}")
    assert load_midlevel(midlevel).sounds[1].name == f"2{suffix}"


def test_files_that_are_no_sounds_are_left_alone(midlevel):
    for name in ("._1.mp3", ".DS_Store", "cover.jpg", "readme.txt"):
        (midlevel / "audio" / name).write_bytes(b"")
    assert len(load_midlevel(midlevel)) == 3


@pytest.mark.parametrize("artist", ["", "  ", "Unknown", "n/a"])
def test_a_clip_without_an_artist_is_a_group_of_its_own_and_noted(midlevel, artist):
    edit(metadata(midlevel), "Artist B", artist)
    clips = load_midlevel(midlevel)
    assert clips.groups[1] == "song: midlevel/2"
    assert clips.notes[1:] == ("clips without an artist in the metadata: 1; each is a group of its own",)


def test_an_artist_s_name_is_compared_without_case_and_blanks(midlevel):
    edit(metadata(midlevel), "Artist B", "  ARTIST   a ")
    assert load_midlevel(midlevel).groups[:2] == ("artist: artist a",) * 2


TABLES = "metadata_annotations"
SPOILT = {
    "sound missing": (
        lambda root: (root / "audio" / "2.mp3").unlink(),
        [(f"{TABLES}/annotations.csv", 3, "song_id 2 has no sound file in audio")],
    ),
    "sound without row": (
        lambda root: write_sound(root / "audio" / "9.mp3"),
        [("audio/9.mp3", None, "annotations.csv has no row with song_id 9")],
    ),
    "sound without number": (
        lambda root: write_sound(root / "audio" / "2 (copy).mp3"),
        [("audio/2 (copy).mp3", None, "its name is not the number of a song")],
    ),
    "two sounds": (
        lambda root: write_sound(root / "audio" / "2.wav"),
        [("audio/2.mp3", None, "song 2 has more than one sound file: 2.mp3, 2.wav")],
    ),
    "annotation without metadata": (
        lambda root: edit(metadata(root), "2;Artist B;jamendo\n", ""),
        [(f"{TABLES}/annotations.csv", 3, "metadata.csv has no row with song_id 2")],
    ),
    "metadata twice": (
        lambda root: edit(metadata(root), "3;Artist C", "2;Artist B;jamendo\n3;Artist C"),
        [(f"{TABLES}/metadata.csv", 4, "song id 2 is already in row 3; neither row can be used")],
    ),
    "rating out of range": (
        lambda root: edit(annotations(root), midlevel_row(2), midlevel_row(2).replace("2,", "2,10.5,", 1)[:-4]),
        [(f"{TABLES}/annotations.csv", 3, "melody must be a rating in 1..10, got 10.5")],
    ),
    "rating empty": (
        lambda root: edit(annotations(root), midlevel_row(2), "2,1,2,3,4,5,6,"),
        [(f"{TABLES}/annotations.csv", 3, "mode is empty")],
    ),
    "row cut off": (
        lambda root: edit(annotations(root), midlevel_row(2), "2,1,2"),
        [(f"{TABLES}/annotations.csv", 3, "must have 8 cells as the header has, got 3")],
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_one_fault_is_one_problem_and_costs_its_clip_only(midlevel, name):
    spoil, expected = SPOILT[name]
    spoil(midlevel)
    assert problems_of(load_midlevel, midlevel) == expected
    clips = load_midlevel(midlevel, skip_bad=True)
    harmless = name.startswith("sound without")
    assert clips.names == (("midlevel/1", "midlevel/2", "midlevel/3") if harmless else ("midlevel/1", "midlevel/3"))
    assert len(clips.left_out) == 1


def test_metadata_without_annotation_and_sound_is_a_problem_each(midlevel):
    edit(annotations(midlevel), midlevel_row(2) + "\n", "")
    assert problems_of(load_midlevel, midlevel) == [
        ("audio/2.mp3", None, "annotations.csv has no row with song_id 2"),
        (f"{TABLES}/metadata.csv", 3, "annotations.csv has no row with song_id 2"),
    ]


def test_a_rating_twice_costs_the_clip_since_nobody_knows_which_is_right(midlevel):
    edit(annotations(midlevel), midlevel_row(3), f"{midlevel_row(3)}\n2,1,2,3,4,5,6,7")
    what = "song_id 2 is already in row 3; neither row can be used"
    assert problems_of(load_midlevel, midlevel) == [(f"{TABLES}/annotations.csv", 5, what)]
    assert load_midlevel(midlevel, skip_bad=True).names == ("midlevel/1", "midlevel/3")


def test_all_faults_come_at_once(midlevel):
    edit(annotations(midlevel), midlevel_row(1), "1,1,2,3,4,5,x,y")
    edit(metadata(midlevel), "song id;Artist;Source", "song id,Artist,Source")
    shutil.rmtree(midlevel / "audio")
    assert problems_of(load_midlevel, midlevel) == [
        ("audio", None, "there is no such folder; the sounds belong there"),
        (f"{TABLES}/annotations.csv", 2, "atonality must be a number, got 'x'"),
        (f"{TABLES}/annotations.csv", 2, "mode must be a number, got 'y'"),
        (f"{TABLES}/metadata.csv", 1, "its cells are separated by commas; save it with semicolons"),
    ]
    edit(metadata(midlevel), "song id,Artist,Source", "song id;Artist;Source")
    assert [row for _, row, _ in problems_of(load_midlevel, midlevel)] == [None, 2, 2]


def test_faults_of_the_metadata_are_named_where_the_annotations_cannot_be_read(midlevel):
    annotations(midlevel).write_bytes(b"")
    edit(metadata(midlevel), "3;Artist C", "2;Artist C")
    edit(metadata(midlevel), "1;Artist A", "one;Artist A")
    assert problems_of(load_midlevel, midlevel) == [
        (f"{TABLES}/annotations.csv", None, "is empty"),
        (f"{TABLES}/metadata.csv", 2, "song id must be a whole number, got 'one'"),
        (f"{TABLES}/metadata.csv", 4, "song id 2 is already in row 3; neither row can be used"),
    ]


def test_ratings_of_rows_whose_number_cannot_be_used_are_checked_too(midlevel):
    edit(annotations(midlevel), midlevel_row(3), f"{midlevel_row(3)}\n2,11,2,3,4,5,6,7\nfour,1,2,3,4,5,6,0")
    assert problems_of(load_midlevel, midlevel) == [
        (f"{TABLES}/annotations.csv", 5, "melody must be a rating in 1..10, got 11"),
        (f"{TABLES}/annotations.csv", 5, "song_id 2 is already in row 3; neither row can be used"),
        (f"{TABLES}/annotations.csv", 6, "mode must be a rating in 1..10, got 0"),
        (f"{TABLES}/annotations.csv", 6, "song_id must be a whole number, got 'four'"),
    ]
    assert load_midlevel(midlevel, skip_bad=True).names == ("midlevel/1", "midlevel/3")


def test_faults_of_the_track_list_are_named_where_there_are_no_sounds(soundtracks):
    shutil.rmtree(soundtracks / "Soundtrack360_mp3")
    edit(soundtracks / "set1_tracklist.csv", "003,Happy", "three,Happy")
    assert [row for _, row, _ in problems_of(load_soundtracks, soundtracks)] == [None, 4, 4]


def replace_by_file(root):
    shutil.rmtree(root)
    root.write_text("")


UNUSABLE: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no annotations": (lambda root: annotations(root).unlink(), f"{TABLES}/annotations.csv", "there is no such file"),
    "no metadata": (lambda root: metadata(root).unlink(), f"{TABLES}/metadata.csv", "there is no such file"),
    "no sounds": (
        lambda root: [path.rename(path.with_suffix(".m4a")) for path in (root / "audio").iterdir()],
        "audio",
        "holds no sound files named by their number (mp3, wav, flac, ogg)",
    ),
    "no folder": (shutil.rmtree, ".", "there is no such folder"),
    "a file": (replace_by_file, ".", "is a file, not a folder"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_without_a_whole_file_or_folder_nobody_goes_on(midlevel, name):
    spoil, file, what = UNUSABLE[name]
    spoil(midlevel)
    assert (file, None, what) in problems_of(load_midlevel, midlevel)
    with pytest.raises(DatasetError):
        load_midlevel(midlevel, skip_bad=True)


def test_soundtracks_against_what_was_written(soundtracks):
    clips = load_soundtracks(soundtracks)
    assert clips.names == ("soundtracks/1", "soundtracks/2", "soundtracks/3")
    assert clips.groups == ("album: film x", "album: film x", "album: film y")
    assert [sound.name for sound in clips.sounds] == ["001.mp3", "002.mp3", "003.mp3"]
    for index, song in enumerate((1, 2, 3)):
        ratings = [float(cell) / 10 for cell in soundtracks_row(song).split(",")[1:9]]
        np.testing.assert_allclose(clips.labels[index, N_MIDLEVEL:], ratings)
    assert np.isnan(clips.labels[:, :N_MIDLEVEL]).all()


@pytest.mark.parametrize("folder", ["mp3/Soundtrack360_mp3", "Set1", "soundtrack360_MP3"])
def test_soundtracks_sounds_lie_where_they_are_handed_out(soundtracks, folder):
    (soundtracks / folder).parent.mkdir(exist_ok=True)
    (soundtracks / "Soundtrack360_mp3").rename(soundtracks / folder)
    assert len(load_soundtracks(soundtracks)) == 3


def test_soundtracks_without_a_track_list_says_what_its_groups_are(soundtracks):
    (soundtracks / "set1_tracklist.csv").unlink()
    clips = load_soundtracks(soundtracks)
    assert clips.groups == ("song: soundtracks/1", "song: soundtracks/2", "song: soundtracks/3")
    assert "clips of one album may be in training and test" in clips.notes[1]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Film Y", " ", ("set1_tracklist.csv", 4, "Album name is empty")),
        ("003,Happy", "004,Happy", ("mean_ratings_set1.csv", 4, "set1_tracklist.csv has no row with Nro 3")),
        ("003,Happy", "004,Happy", ("set1_tracklist.csv", 4, "mean_ratings_set1.csv has no row with number 4")),
        ("Album name", "Film", ("set1_tracklist.csv", 1, None)),
    ],
)
def test_faults_of_the_track_list_are_named(soundtracks, old, new, expected):
    edit(soundtracks / "set1_tracklist.csv", old, new)
    found = problems_of(load_soundtracks, soundtracks)
    assert expected[:2] in [problem[:2] for problem in found]
    assert expected[2] is None or expected in found


def test_soundtracks_ratings_end_at_nine(soundtracks):
    edit(soundtracks / "mean_ratings_set1.csv", soundtracks_row(2), "002,9,9.1,9,9,9,9,9,9,SAD")
    what = "energy must be a rating in 1..9, got 9.1"
    assert problems_of(load_soundtracks, soundtracks) == [("mean_ratings_set1.csv", 3, what)]


def test_the_real_track_list_gives_whole_albums_against_its_text(tmp_path):
    for name in ("mean_ratings_set1.csv", "set1_tracklist.csv"):
        shutil.copy(shared(f"soundtracks/{name}"), tmp_path)
    source = write_sound(tmp_path / "Soundtrack360_mp3" / "001.mp3")
    for song in range(2, 361):
        (source.parent / f"{song:03d}.mp3").symlink_to(source)
    clips = load_soundtracks(tmp_path)
    assert len(clips) == 360
    assert clips.notes == ()
    with (tmp_path / "set1_tracklist.csv").open(newline="") as file:
        albums = [row["Album name"].strip().lower() for row in csv.DictReader(file)]
    albums = [album.replace("portait", "portrait") for album in albums]  # codespell:ignore portait
    assert clips.groups == tuple(f"album: {album}" for album in albums)
    assert len(set(clips.groups)) == 45  # 47 spellings: The Omen with and without a blank, a lady with and without an r


@pytest.fixture
def both(tmp_path):
    """Mid-level with songs 1, 3576, 3577 and 3580; Soundtracks with 1, 2 and 5 of films X, X and Y."""
    songs = (1, OFFSET + 1, OFFSET + 2, OFFSET + 5)
    root = write_midlevel(tmp_path / "midlevel", songs)
    return load_midlevel(root), load_film_excerpts(write_soundtracks(tmp_path / "soundtracks", (1, 2, 5)))


def test_film_excerpts_need_no_sounds_against_the_clips(soundtracks):
    clips = load_soundtracks(soundtracks)
    shutil.rmtree(soundtracks / "Soundtrack360_mp3")
    excerpts = load_film_excerpts(soundtracks)
    assert tuple(f"soundtracks/{number}" for number in excerpts.numbers) == clips.names
    assert (excerpts.groups, excerpts.sources, excerpts.notes) == (clips.groups, clips.sources, clips.notes)
    assert np.array_equal(excerpts.labels, clips.labels, equal_nan=True)


def test_film_excerpts_need_ratings_and_name_every_fault_of_the_tables(soundtracks):
    edit(soundtracks / "mean_ratings_set1.csv", "002,", "002,x")
    edit(soundtracks / "set1_tracklist.csv", "Film Y", "")
    assert [problem[:2] for problem in problems_of(load_film_excerpts, soundtracks)] == [
        ("mean_ratings_set1.csv", 3),
        ("set1_tracklist.csv", 4),
    ]
    some = load_film_excerpts(soundtracks, skip_bad=True)
    assert (some.numbers, len(some.left_out)) == ((1,), 2)
    (soundtracks / "mean_ratings_set1.csv").unlink()
    assert problems_of(load_film_excerpts, soundtracks) == [("mean_ratings_set1.csv", None, "there is no such file")]


def test_join_against_theory_of_the_offset(both):
    midlevel, excerpts = both
    clips = join(midlevel, excerpts)
    assert clips.names == ("midlevel/1", "midlevel/3576", "midlevel/3577", "midlevel/3580")
    assert np.isnan(clips.labels).sum(axis=1).tolist() == [8, 0, 0, 0]
    assert np.array_equal(clips.labels[:, :N_MIDLEVEL], midlevel.labels[:, :N_MIDLEVEL])
    assert np.array_equal(clips.labels[1:, N_MIDLEVEL:], excerpts.labels[:, N_MIDLEVEL:])
    assert (clips.sounds, clips.sources) == (midlevel.sounds, midlevel.sources)
    assert clips.notes[0] == "clips with labels of both datasets: 3"


def test_join_makes_one_group_of_what_shares_an_artist_or_an_album(both):
    clips = join(*both)  # artists A, B, C, D; 3576 and 3577 are both of film X
    assert clips.groups == ("artist: artist a", "artist: artist b", "artist: artist b", "artist: artist d")


def test_join_names_ratings_without_a_clip_and_goes_on_without_them_when_told(both, tmp_path):
    midlevel = both[0]
    excerpts = load_film_excerpts(write_soundtracks(tmp_path / "more", (1, 2, 3, 5)))
    with pytest.raises(DatasetError, match="row 4: number 3 is song 3578 of midlevel, which is not among its clips"):
        join(midlevel, excerpts)
    clips = join(midlevel, excerpts, skip_bad=True)
    assert np.array_equal(clips.labels, join(*both).labels, equal_nan=True)
    assert [problem.row for problem in clips.left_out] == [4]


def test_join_keeps_what_was_left_out(tmp_path):
    midlevel, soundtracks = write_midlevel(tmp_path / "m", (1, 3576)), write_soundtracks(tmp_path / "s", (1, 2))
    (midlevel / "audio" / "1.mp3").unlink()
    edit(soundtracks / "mean_ratings_set1.csv", "002,", "002,x")
    clips = join(load_midlevel(midlevel, skip_bad=True), load_film_excerpts(soundtracks, skip_bad=True))
    assert clips.names == ("midlevel/3576",)
    assert sorted(problem.what.split(" ")[0] for problem in clips.left_out) == ["song_id", "valence"]


def test_join_iv(both):
    with pytest.raises(InputError, match="must be midlevel, got midlevel\\+soundtracks"):
        join(join(*both), both[1])


@given(
    groups=st.lists(
        st.sampled_from([f"{kind}: {name}" for kind in ("artist", "album") for name in "abcd"]), min_size=2
    ),
    data=st.data(),
)
def test_merged_groups_are_connected_components_against_scipy(groups, data):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = st.integers(0, len(groups) - 1)
    same = data.draw(st.lists(st.tuples(place, place), max_size=6))
    alike = [(i, j) for i in range(len(groups)) for j in range(i) if groups[i] == groups[j]] + same
    rows, columns = zip(*alike, strict=True) if alike else ((), ())
    graph = coo_array((np.ones(len(alike)), (rows, columns)), shape=(len(groups), len(groups)))
    _, expected = connected_components(graph, directed=False)
    merged = merge_groups(groups, same=same)
    assert [merged[i] == merged[0] for i in range(len(groups))] == [
        expected[i] == expected[0] for i in range(len(groups))
    ]
    assert len(set(zip(merged, expected, strict=True))) == len(set(merged)) == len(set(expected.tolist()))


def test_clips_of_indices_keep_what_belongs_to_them(both):
    clips: RatedClips = both[0]
    some = clips.only([2, 0], left_out=())
    assert some.names == ("midlevel/3577", "midlevel/1")
    assert some.sources == (clips.sources[2], clips.sources[0])
    assert np.array_equal(some.labels, clips.labels[[2, 0]], equal_nan=True)
