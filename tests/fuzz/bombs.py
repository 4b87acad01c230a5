"""Small files that ask for much: time, memory, or a place where they have no business."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import soundfile
from small_datasets import xlsx

from tests.fuzz import seeds
from tests.fuzz.study import study

GIGABYTE = 1 << 30
LAUGHS = "".join(f"l{k}: &l{k} [{', '.join([f'*l{k - 1}' if k else 'ha'] * 9)}]\n" for k in range(10))
ENTITIES = "".join(f"<!ENTITY l{k} '{f'&l{k - 1};' * 10 if k else 'ha'}'>" for k in range(10))


def _wav(*, channels: int = 1, rate: int = 22050, bits: int = 16, claimed: int = 44100, given: int = 44100) -> bytes:
    """A WAV file whose header says what it is told to say."""
    block = channels * bits // 8 % 65536
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block % 2**32, block, bits)
    data = b"data" + struct.pack("<I", claimed) + b"\x10" * given
    return b"RIFF" + struct.pack("<I", 36 + claimed) + b"WAVE" + b"fmt " + struct.pack("<I", 16) + form + data


def _pressure(rate: int, seconds: int, *, channels: int = 1) -> bytes:
    """FLAC of one pressure throughout, which takes next to no space and is not silent."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, channels, format="FLAC") as sound:
        for _ in range(seconds):
            sound.write(np.full((rate, channels), 9999, dtype=np.int16))
    return file.getvalue()


def _long_flac() -> bytes:
    """A FLAC file that claims to hold 2**36 - 1 samples, which is all that its header can."""
    content = bytearray(seeds.flacs()[0])
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    return bytes(content)


def _packed(member: str, size: int, *, claimed: int | None = None, head: bytes = b"") -> bytes:
    """A zip file with one member of ``size`` zeros after ``head``, which may claim to have less."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    begin = deflate.compress(head) + deflate.flush(zlib.Z_FULL_FLUSH)
    megabyte = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)  # and so again and again
    data, sum_ = begin + megabyte * (size >> 20) + deflate.flush(), zlib.crc32(head)
    for _ in range(size >> 20):
        sum_ = zlib.crc32(bytes(1 << 20), sum_)
    told = len(head) + (size >> 20 << 20) if claimed is None else claimed
    name = member.encode()
    sizes = struct.pack("<IIIHH", sum_, len(data), told, len(name), 0)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + name + data
    central = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0) + sizes
    central += struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    return local + central + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


def _array_head(shape: str, kind: str = "<f8") -> bytes:
    told = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(told)) + told


def _with_member(content: bytes, name: str, data: bytes) -> bytes:
    """A zip file with one of its members replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, data if info.filename == name else old.read(info))
    return file.getvalue()


def _sheet(rows: str) -> bytes:
    sheet = f'<?xml version="1.0"?><worksheet><sheetData>{rows}</sheetData></worksheet>'
    return _with_member(xlsx([["a"]]), "xl/worksheets/sheet1.xml", sheet.encode())


def _cell(place: str) -> str:
    return f'<row r="{place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}"><c r="{place}"><v>1</v></c></row>'


def _tensors(change: Callable[[dict[str, dict[str, object]]], None]) -> bytes:
    """A checkpoint whose header was changed."""
    content = seeds.checkpoints()[0]
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    change(header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def _card(**told: object) -> bytes:
    def change(header: dict[str, dict[str, object]]) -> None:
        card = json.loads(str(header["__metadata__"]["card"])) | told
        header["__metadata__"]["card"] = json.dumps(card)

    return _tensors(change)


def _shape(header: dict[str, dict[str, object]]) -> None:
    header["head.weight"]["shape"] = [2**31, 2**31]


def _record(text: bytes, **told: object) -> bytes:
    return json.dumps(json.loads(text) | told).encode()


def _key(token: str) -> bytes:
    text = (study().folder / "private" / "key.csv").read_text(encoding="utf-8")
    return text.replace(next(iter(study().stimuli)), token).encode()


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "ten hours of FLAC": ("flac", lambda: _pressure(1000, 36_000)),
    "FLAC that claims 2**36 samples": ("flac", _long_flac),
    "a rate of 655 kHz with eight channels": ("flac", lambda: _pressure(655_350, 10, channels=8)),
    "1024 channels": ("wav", lambda: _wav(channels=1024, bits=8, claimed=12_000_000, given=12_000_000)),
    "65535 channels": ("wav", lambda: _wav(channels=65535)),
    "no channel": ("wav", lambda: _wav(channels=0)),
    "a rate of 1 Hz": ("wav", lambda: _wav(rate=1)),
    "a rate of 2**31 - 1 Hz": ("wav", lambda: _wav(rate=2**31 - 1)),
    "a rate of 2**32 - 1 Hz": ("wav", lambda: _wav(rate=2**32 - 1)),
    "a rate of 0 Hz": ("wav", lambda: _wav(rate=0)),
    "data that are not there": ("wav", lambda: _wav(claimed=0x7FFE0000)),
    "mp3 of tags alone": ("mp3", lambda: b"ID3\x04\x00\x00\x00\x00\x00\x00" * 100_000),
    "a header of 2**63 bytes": ("checkpoint", lambda: (2**63).to_bytes(8, "little") + b"{}"),
    "a header of 100 MB": ("checkpoint", lambda: (10**8).to_bytes(8, "little") + b" " * 10**8),
    "a network of width 10**9": ("checkpoint", lambda: _card(width=10**9)),
    "a window of 10**9 s": ("checkpoint", lambda: _card(window_seconds=10**9)),
    "weights of 2**62 numbers": ("checkpoint", lambda: _tensors(_shape)),
    "arrays of 4 GB in a few MB": ("explanation_npz", lambda: _packed("scores.npy", 2 * GIGABYTE)),
    "an array that claims less": ("explanation_npz", lambda: _packed("scores.npy", GIGABYTE, claimed=128)),
    "an array of 2**60 numbers": (
        "explanation_npz",
        lambda: _packed("scores.npy", 1 << 20, head=_array_head("(1152921504606846976,)")),
    ),
    "a packed shard": ("shard", lambda: _packed("labels.npy", GIGABYTE)),
    "a corpus of 10**15 clips": (
        "corpus_json",
        lambda: _record(seeds.one("corpus.json")()[0], settings={"n_clips": 10**15, "shard_size": 1}),
    ),
    "a shard of 10**15 clips": (
        "corpus_json",
        lambda: _record(seeds.one("corpus.json")()[0], settings={"n_clips": 10**15, "shard_size": 10**15}),
    ),
    "a series of 10**15 steps": (
        "series",
        lambda: _record(seeds.one("steer.json")()[0], settings={"n_steps": 10**15, "write_steps": True}),
    ),
    "a sound elsewhere": ("prepared_json", lambda: seeds.one("prepared.json")()[0].replace(b"a" * 64, b"../../x")),
    "a part elsewhere": ("clip_json", lambda: seeds.one("labels.json")()[0].replace(b'"melody"', b'"../../x"')),
    "a stimulus elsewhere": ("study_key", lambda: _key("../../../etc/passwd")),
    "a million columns": ("scores", lambda: b",".join([b"clip"] * 10**6)),
    "a million empty columns": ("answers", lambda: b"," * 10**6),
    "two million rows": ("from_csv", lambda: b"study\n" + b"1\n" * 2_000_000),
    "a field of 10 MB": ("ratings", lambda: b'number\n"' + b"x" * 10**7),
    "a table of 65 MB": ("scores", lambda: b"clip\n" * (65 << 18)),
    "a cell at the end of a sheet": ("sheet", lambda: _sheet(_cell("A1") + _cell("XFD1048576"))),
    "a sheet of 2 GB": ("sheet", lambda: _packed("xl/worksheets/sheet1.xml", 2 * GIGABYTE)),
    "laughs in YAML": ("yaml", LAUGHS.encode),
    "depth in YAML": ("config", lambda: b"a: " + b"[" * 100_000),
    "depth of a block in YAML": ("plan", lambda: b"- " * 100_000),
    "a number of 200 000 digits in YAML": ("config", lambda: b"seed: " + b"9" * 200_000),
    "YAML of 10 MB": ("plan", lambda: b"title: x\n" * 10**6),
    "many small values in YAML": ("yaml", lambda: b"a: [" + b"1," * 65_000 + b"]"),
    "depth in JSON": ("json", lambda: b"[" * 10**6),
    "more depth than is written again": ("explanation_json", lambda: b'{"a":' * 900 + b"1" + b"}" * 900),
    "a number of 10**6 digits in JSON": ("json", lambda: b"9" * 10**6),
    "JSON of 18 MB": ("from_label_studio", lambda: b"[" + b"1," * (9 << 20) + b"1]"),
    "many small values in JSON": ("from_jspsych", lambda: b"[" + b"[]," * (5 << 20) + b"[]]"),
    "a MusicXML file of 2 GB": ("mxl", lambda: _packed("META-INF/container.xml", 2 * GIGABYTE)),
    "laughs in MusicXML": (
        "musicxml",
        f"<!DOCTYPE a [{ENTITIES}]><score-partwise><part-list>&l9;</part-list></score-partwise>".encode,
    ),
    "a file of this machine in MusicXML": (
        "musicxml",
        lambda: b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><score-partwise>&x;</score-partwise>',
    ),
    "a note after 2**70 ticks": (
        "midi",
        lambda: (
            b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60MTrk\x00\x00\x00\x12"
            + b"\xff" * 10
            + b"\x7f\x90\x40\x40\x10\x80\x40\x40"
        ),
    ),
    "a MIDI file of 2 MB": ("midi_notes", lambda: seeds.midis()[0] + bytes(2 << 20)),
    "a plan of 500 lists": (
        "plan",
        lambda: (
            b"title: x\nlists: 500\ntargets: [energy]\nitems:\n"
            + b"".join(b"- {name: i%d, clip: a}\n" % k for k in range(150))
        ),
    ),
    "a plan of all choices": (
        "plan",
        lambda: (
            b"title: x\ntargets: [energy]\nconditions_per_item: 20\nversions: [enhanced, weakened, sham, opposite]\n"
            b"gains_db: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\nitems:\n- {name: a, clip: a}\n- {name: b, clip: a}\n"
        ),
    ),
}
