"""Real scores: read into parts with roles and beats, or refused with the file's name."""

import struct
import warnings

import mido
import numpy as np
import pytest
from numpy.testing import assert_allclose
from small_songs import CHORDS, MELODY, PPQ, write

from emomod.corpus.song import SongPart, find_songs, read_song, skyline
from emomod.errors import InputError


def test_parts_have_roles_by_their_names(tmp_path):
    path = write(
        tmp_path / "a.mid",
        [("Strings", 0, CHORDS), ("Lead Vocals", 1, MELODY), ("E. Bass", 2, [(0, 36), (4, 36)]), ("Kit", 9, [(0, 36)])],
    )
    song = read_song(path)
    assert [part.role for part in song.parts] == ["harmony", "melody", "bass", "drums"]
    assert song.beats_per_bar == 4
    assert song.beat_seconds == 0.5
    assert_allclose(song.parts[1].onset, range(8), atol=1e-9)
    assert_allclose(song.parts[1].held, 1.0)
    assert song.parts[1].pitch.tolist() == [key for _, key in MELODY]


def test_without_names_the_high_part_of_single_notes_leads(tmp_path):
    song = read_song(write(tmp_path / "a.mid", [("", 0, CHORDS), ("", 1, MELODY)]))
    assert [part.role for part in song.parts] == ["harmony", "melody"]


def test_parts_that_are_named_alike_keep_the_role_of_their_name(tmp_path):
    tracks = [("Vocal 1", 0, MELODY), ("Vocal 2", 1, MELODY), ("Bass 1", 2, [(0, 36)]), ("Bass 2", 3, [(0, 40)])]
    roles = [part.role for part in read_song(write(tmp_path / "a.mid", tracks)).parts]
    assert roles == ["melody", "melody", "bass", "bass"]


def test_a_song_of_basses_has_no_melody(tmp_path):
    song = read_song(write(tmp_path / "a.mid", [("Bass 1", 0, MELODY), ("Bass 2", 1, CHORDS)]))
    assert [part.role for part in song.parts] == ["bass", "bass"]


def test_a_single_part_is_split_at_its_top_line(tmp_path):
    song = read_song(write(tmp_path / "a.mid", [("Piano", 0, [*CHORDS, *MELODY])]))
    assert [part.role for part in song.parts] == ["melody", "harmony"]
    assert song.parts[0].pitch.tolist() == [key for _, key in MELODY]
    assert sorted(song.parts[1].pitch.tolist()) == sorted(key for _, key in CHORDS)


def test_skyline_against_theory_notes_under_a_held_one_are_not_the_line():
    onset, held = np.array([0.0, 1.0, 2.0]), np.array([4.0, 1.0, 1.0])
    part = SongPart("harmony", onset, held, np.array([80, 60, 76]), np.full(3, 90))
    assert skyline(part).tolist() == [True, False, True]  # 60 is more than a fifth below, 76 is not


@pytest.mark.parametrize(
    ("meter", "expected"), [((3, 4), 3), ((6, 8), 3), ((2, 4), 2), ((1, 4), 4), (None, 4), ((5, 8), 4)]
)
def test_meter_against_theory(tmp_path, meter, expected):
    assert read_song(write(tmp_path / "a.mid", [("", 0, MELODY)], meter=meter)).beats_per_bar == expected


def test_the_first_bar_begins_where_low_notes_begin_whatever_the_offset(tmp_path):
    """A file that begins 1.083 beats late: the grid is found, and the bar by its bass."""
    late = [(on + 1.083, key) for on, key in MELODY]
    bass = [(on + 1.083, 40) for on in (0, 4)]
    song = read_song(write(tmp_path / "a.mid", [("melody", 0, late), ("bass", 1, bass)]))
    assert_allclose(song.parts[0].onset, range(8), atol=0.01)


def test_tempo_is_that_of_most_of_the_song(tmp_path):
    path = write(tmp_path / "a.mid", [("", 0, MELODY)], tempo=1_000_000)
    file = mido.MidiFile(path)
    file.tracks[0].append(mido.MetaMessage("set_tempo", tempo=400_000, time=2 * PPQ))
    file.save(path)
    assert read_song(path).beat_seconds == pytest.approx(0.4)


MUSIC_XML = """<?xml version="1.0"?>
<score-partwise version="3.1"><part-list><score-part id="P1"><part-name>Voice</part-name></score-part>
<score-part id="P2"><part-name>Cello</part-name></score-part></part-list>
<part id="P1">{lead}</part><part id="P2">{low}</part></score-partwise>"""


def measure(number, notes, *, head=False):
    attributes = (
        "<attributes><divisions>1</divisions><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    )
    pitched = "".join(
        f"<note><pitch><step>{step}</step><octave>{octave}</octave></pitch><duration>{length}</duration></note>"
        for step, octave, length in notes
    )
    return f'<measure number="{number}">{attributes if head else ""}{pitched}</measure>'


def test_musicxml_is_read_as_midi_is(tmp_path):
    pytest.importorskip("partitura")
    lead = "".join(measure(n, [("C", 5, 1), ("D", 5, 1), ("E", 5, 1)], head=n == 1) for n in (1, 2, 3))
    low = "".join(measure(n, [("C", 3, 3)], head=n == 1) for n in (1, 2, 3))
    path = tmp_path / "waltz.musicxml"
    path.write_text(MUSIC_XML.format(lead=lead, low=low))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        song = read_song(path)
    assert [part.role for part in song.parts] == ["melody", "harmony"]
    assert song.beats_per_bar == 3
    assert_allclose(song.parts[0].onset, range(9), atol=1e-9)
    assert song.parts[0].pitch.tolist() == [72, 74, 76] * 3
    assert_allclose(song.parts[1].held, 3.0)


def test_songs_are_found_by_name(tmp_path):
    (tmp_path / "b").mkdir()
    write(tmp_path / "b" / "two.MID", [("", 0, MELODY)])
    write(tmp_path / "a.mid", [("", 0, MELODY)])
    (tmp_path / "notes.txt").write_text("no score")
    assert list(find_songs(tmp_path)) == ["a", "b/two"]


def test_songs_of_one_name_keep_their_suffix(tmp_path):
    names = ["a.mid", "a.midi", "a.xml", "b.mid", "c.mid", "c.mid.mid", "sub/a.mid"]
    (tmp_path / "sub").mkdir()
    for name in names:
        (tmp_path / name).touch()
    found = find_songs(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found.values()] == names
    assert list(found) == ["a.mid", "a.midi", "a.xml", "b", "c", "c.mid.mid", "sub/a"]


def midi_bytes(*, division, events=b""):
    """A MIDI file of one track: ``events``, eight notes one after another, the end."""
    notes = b"".join(bytes([0, 0x90, 60, 90, 100, 0x80, 60, 0]) for _ in range(8))
    track = events + notes + b"\x00\xff\x2f\x00"
    head = struct.pack(">4sIHHh", b"MThd", 6, 0, 1, division)
    return head + struct.pack(">4sI", b"MTrk", len(track)) + track


def test_a_file_written_by_hand_is_read_too(tmp_path):
    (tmp_path / "good.mid").write_bytes(midi_bytes(division=100, events=b"\x00\xff\x59\x02\x01\x00"))
    assert_allclose(read_song(tmp_path / "good.mid").parts[0].onset, range(8), atol=1e-9)


def test_songs_iv(tmp_path):
    with pytest.raises(InputError, match="there is no such folder"):
        find_songs(tmp_path / "none")
    with pytest.raises(InputError, match=r"holds no \.mid"):
        find_songs(tmp_path)
    (tmp_path / "x.mid").write_bytes(b"MThd nothing")
    with pytest.raises(InputError, match=r"x\.mid: cannot be read as MIDI"):
        read_song(tmp_path / "x.mid")
    (tmp_path / "empty.mid").touch()
    with pytest.raises(InputError, match=r"empty\.mid: cannot be read as MIDI \(EOFError\)$"):
        read_song(tmp_path / "empty.mid")
    (tmp_path / "key.mid").write_bytes(midi_bytes(division=480, events=b"\x00\xff\x59\x02\x40\x05"))
    with pytest.raises(InputError, match=r"key\.mid: cannot be read as MIDI"):
        read_song(tmp_path / "key.mid")
    for division in (0, -25 * 256 + 40):  # a film's 25 frames a second, of 40 ticks
        (tmp_path / "division.mid").write_bytes(midi_bytes(division=division))
        with pytest.raises(InputError, match=rf"division\.mid: must count .* got a division of {division}$"):
            read_song(tmp_path / "division.mid")
    (tmp_path / "x.xml").write_text("<score")
    with pytest.raises(InputError, match=r"x\.xml: cannot be read as MusicXML"):
        read_song(tmp_path / "x.xml")
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(InputError, match="must be one of"):
        read_song(tmp_path / "x.txt")
    with pytest.raises(InputError, match="fewer than eight notes"):
        read_song(write(tmp_path / "few.mid", [("", 0, MELODY[:3])]))
