"""Small folders with the real layout of the research datasets, and short sounds for them."""

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE = 22050
ANNOTATIONS = "song_id,melody,articulation,rhythm_complexity,rhythm_stability,dissonance,atonality,mode"
RATINGS = "number,valence,energy,tension,anger,fear,happy,sad,tender,TARGET"


def write_sound(path: Path, *, hz: float = 440.0, seconds: float = 0.7) -> Path:
    """Write a tone; the name says the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * RATE)) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hz * times), RATE, format=path.suffix[1:].upper())
    return path


def midlevel_row(song: int) -> str:
    """Ratings that are different for each song and column."""
    return ",".join([str(song), *(f"{1 + (song * 7 + column) % 90 / 10:.1f}" for column in range(7))])


def write_midlevel(
    root: Path, songs: Iterable[int] = (1, 2, 3), *, artists: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
) -> Path:
    """Write the Mid-level layout with a short mp3 a song; the i-th song is by the i-th artist."""
    tables, numbers = root / "metadata_annotations", list(songs)
    tables.mkdir(parents=True)
    lines = [ANNOTATIONS.replace(",articulation", ", articulation"), *map(midlevel_row, numbers)]
    (tables / "annotations.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    told = [f"{song};Artist {artists[index % len(artists)]};jamendo" for index, song in enumerate(numbers)]
    (tables / "metadata.csv").write_text("\n".join(["song id;Artist;Source", *told]) + "\n", encoding="utf-8")
    for song in numbers:
        write_sound(root / "audio" / f"{song}.mp3", hz=200.0 + 10 * (song % 100))
    return root


def soundtracks_row(song: int) -> str:
    """Ratings that are different for each song and column."""
    ratings = (f"{1 + (song * 7 + column) % 80 / 10:.2f}" for column in range(8))
    return ",".join([f"{song:03d}", *ratings, "HIGH ENERGY"])


def write_soundtracks(root: Path, songs: Iterable[int] = (1, 2, 3), *, albums: str = "XXYZ") -> Path:
    """Write the layout of Soundtracks set 1, byte order mark and all, with a short mp3 a song."""
    numbers = list(songs)
    root.mkdir(parents=True, exist_ok=True)
    ratings = [RATINGS, *map(soundtracks_row, numbers)]
    (root / "mean_ratings_set1.csv").write_text("\r\n".join(ratings) + "\r\n", encoding="utf-8-sig", newline="")
    told = [f"{song:03d},Happy,Film {albums[i % len(albums)]},6,02:02-02:17" for i, song in enumerate(numbers)]
    tracks = ["Nro,Emotion,Album name,Track,Min:Sec", *told]
    (root / "set1_tracklist.csv").write_text("\n".join(tracks) + "\n", encoding="utf-8")
    for song in numbers:
        write_sound(root / "Soundtrack360_mp3" / f"{song:03d}.mp3", hz=500.0 + 10 * song)
    return root


def edit(path: Path, old: str, new: str) -> None:
    """Replace what stands once in a text file."""
    text = path.read_bytes().decode("utf-8")
    assert text.count(old) == 1
    path.write_bytes(text.replace(old, new).encode("utf-8"))


def xlsx(rows: Sequence[Sequence[str]]) -> bytes:
    """The least that an .xlsx needs; ratings below the header as numbers."""
    main, package = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org"
    office = f"{package}/officeDocument/2006/relationships"
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = (
            f'<c r="{chr(65 + place)}{number}"><v>{cell}</v></c>'
            if number > 1 and place < 9
            else f'<c r="{chr(65 + place)}{number}" t="inlineStr"><is><t>{cell}</t></is></c>'
            for place, cell in enumerate(row)
        )
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{package}/package/2006/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/package/2006/relationships"><Relationship '
        f'Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0"?>{text}')
    return file.getvalue()
