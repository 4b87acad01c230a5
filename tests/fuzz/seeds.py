"""Valid files of every kind, small, written by the package's own writers where it has them."""

import io
import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
from fakes import tiny_checkpoint
from small_datasets import xlsx
from small_scores import small_score

from emomod.component_map import Location, map_of_labels
from emomod.component_weights import ComponentWeights
from emomod.corpus.clip_files import write_clip, write_score_midi
from emomod.corpus.stems import Stems, part_names
from emomod.corpus.store import write_shard
from emomod.datasets import prepare
from emomod.explanation import Explanation, compute_effects
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.spectrogram import FRONT_END, N_BANDS
from tests.fuzz import study as of

FOLDER = TemporaryDirectory()
CONFIG = b"variant: a2mid2e\nwidth: 0.25\nrounds: 2\nautocast: false\ncorpora: [a, b]\nlearning_rate: 2e-3\n"
PLAN = b"""title: Fuzz
items:
- {name: a, clip: a.wav}
- {name: b, clip: b.wav, start: 1.5, song: a song}
- {name: c, clip: c.wav}
targets: [energy, sad]
gains_db: [3, 6.0]
trial_type: pair
lists: 2
conditions_per_item: 2
rule: bh:0.05
"""
YAML = b'a: [1, 2.5, .nan, yes, null, "text"]\nb: {c: d, e: [f, {g: -1e3}]}\nlong: >\n  two\n  lines\n# a remark\n'
MUSICXML = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="3.1"><part-list><score-part id="P1"><part-name>Melody</part-name></score-part></part-list>
<part id="P1">%s</part></score-partwise>"""
MEASURE = """<measure number="%d">%s%s</measure>"""
ATTRIBUTES = """<attributes><divisions>2</divisions><key><fifths>0</fifths></key>
<time><beats>4</beats><beat-type>4</beat-type></time><clef><sign>G</sign><line>2</line></clef></attributes>"""
NOTE = "<note><pitch><step>%s</step><octave>4</octave></pitch><duration>2</duration><type>quarter</type></note>"


def _sound(form: str, **options: str) -> bytes:
    file, times = io.BytesIO(), np.arange(8000) / 8000
    y = 0.5 * np.sin(2 * np.pi * 440 * times)
    soundfile.write(file, np.stack([y, 0.5 * y], axis=1), 8000, format=form, **options)
    return file.getvalue()


def wavs() -> list[bytes]:
    """One second of two channels: whole numbers, floats, and more than four gigabytes' header."""
    return [_sound("WAV", subtype=subtype) for subtype in ("PCM_16", "FLOAT", "ULAW")] + [_sound("RF64"), _sound("W64")]


def flacs() -> list[bytes]:
    """The same as FLAC, and an hour of one pressure in a few kB."""
    file = io.BytesIO()
    soundfile.write(file, np.full(1000 * 3600, 9999, dtype=np.int16), 1000, format="FLAC")
    return [_sound("FLAC"), file.getvalue()]


def oggs() -> list[bytes]:
    """The same as OGG."""
    return [_sound("OGG", subtype="VORBIS"), _sound("OGG", subtype="OPUS")]


def mp3s() -> list[bytes]:
    """The same as mp3, with and without a tag."""
    plain = _sound("MP3")
    return [plain, b"ID3\x04\x00\x00\x00\x00\x00\x40" + bytes(64) + plain]


def aiffs() -> list[bytes]:
    """The same as AIFF."""
    return [_sound("AIFF")]


@cache
def checkpoints() -> list[bytes]:
    """A small network with a card."""
    card = {"figures": {"test_r": {"energy": 0.8}}, "spread": {"energy": 0.1}, "scale": [0, 1], "notes": ["a"]}
    return [tiny_checkpoint(Path(FOLDER.name) / "a.safetensors", width=0.02, **card).read_bytes()]


@cache
def explanation() -> Path:
    """The folder of an explanation of six components."""
    rng, k = np.random.default_rng(1), 6
    labels = np.repeat([np.arange(k)], N_BANDS, axis=0).repeat(2, axis=1)
    n = len(SCORE_NAMES)
    fits = {name: np.full(n, 0.5) for name in ("intercepts", "neighbourhood_r2", "fit_r2")}
    drawn = {name: rng.random((n, k)) for name in ("weights", "standard_errors", "p_values")}
    weights = ComponentWeights(names=SCORE_NAMES, clip_r2=0.9, n_masks=16, **fits, **drawn)
    places = tuple(Location(0.1 * i, 0.1 * i + 0.1, 0.1 * i, 50.0, 5000.0) for i in range(k))
    midlevel = rng.random(len(MIDLEVEL_NAMES))
    effects = compute_effects(published_layer(), midlevel)
    record = {
        "clip": {"path": "a.wav", "sha256": "0" * 64, "start": 0.0},
        "model": {"name": "a", "sha256": "", "scale": [0.0, 1.0]},
        "components": {"text": "slic", "kinds": ["slic"]},
    }
    made = Explanation(SCORE_NAMES, rng.random(n), effects, weights, map_of_labels(labels), places, record)
    folder = Path(FOLDER.name) / "explanation"
    made.save(folder)
    return folder


@cache
def corpus() -> Path:
    """A corpus of one shard of two clips."""
    folder = Path(FOLDER.name) / "corpus"
    folder.mkdir()
    (folder / "corpus.json").write_text(json.dumps({"settings": {"n_clips": 2, "shard_size": 40, "seconds": 1.0}}))
    arrays: dict[str, Any] = {
        "spectrograms": np.zeros((2, N_BANDS, 4), dtype=np.float16),
        "songs": np.array(["a", "b"]),
    }
    arrays |= {"labels": np.full((2, 7), 0.5), "raw": np.full((2, 7), 0.5)}
    write_shard(folder / "shard_0000.npz", arrays)
    return folder


@cache
def clip() -> Path:
    """The folder of a rendered clip."""
    score = small_score(seconds=1.0)
    n = len(score.parts)
    stems = Stems(part_names(score), np.full((n, 2205), 0.01, dtype=np.float32), np.zeros(2205, dtype=np.float32))
    return write_clip(Path(FOLDER.name) / "clip", score, stems, facts={"seed": 1})


@cache
def prepared() -> Path:
    """A folder of prepared clips."""
    folder = Path(FOLDER.name) / "prepared"
    store = folder / prepare._store_name()
    store.mkdir(parents=True)
    np.save(store / f"{'a' * 64}.npy", np.zeros((N_BANDS, 4), dtype=np.float16))
    told = {"name": "a/1", "group": "song: a/1", "sound": "a" * 64, "labels": [0.5, None, *[0.1] * 13]}
    record = {"format": 1, "front_end": FRONT_END, "score_names": SCORE_NAMES, "dataset": "a", "clips": [told]}
    (folder / "prepared.json").write_text(json.dumps(record))
    return folder


@cache
def series() -> Path:
    """A folder of a steered clip."""
    folder = Path(FOLDER.name) / "series"
    (folder / "steps").mkdir(parents=True)
    for name in ("original.wav", "steered.wav", "steps/step_1.wav", "steps/step_2.wav"):
        (folder / name).touch()
    record = {"requested": {"energy": 0.2}, "settings": {"n_steps": 3, "write_steps": True}}
    (folder / "steer.json").write_text(json.dumps(record))
    return folder


def one(name: str) -> Callable[[], list[bytes]]:
    """A function that gives the file of that name in the folder that has it."""
    makers = {
        "explanation.json": explanation, "explanation.npz": explanation, "corpus.json": corpus, "labels.json": clip,
        "shard_0000.npz": corpus, "mix.flac": clip, "prepared.json": prepared, "steer.json": series,
    }  # fmt: skip
    return lambda: [(makers[name]() / name).read_bytes()]


def scores() -> list[bytes]:
    """A table of scores with and without emotions."""
    names = ["clip", "file", *MIDLEVEL_NAMES, *EMOTION_NAMES]
    rows = [[f"clip{k}", f"{k}.wav", *["0.5"] * 15] for k in range(4)]
    return ["\n".join(",".join(row[:n]) for row in (names, *rows)).encode() for n in (17, 9)]


def _ratings() -> list[list[str]]:
    return [["number", *EMOTION_NAMES, "TARGET"], *([str(k), *["4.5"] * 8, "HAPPY"] for k in range(1, 5))]


def ratings() -> list[bytes]:
    """Ratings of listeners."""
    return ["\n".join(map(",".join, _ratings())).encode()]


def sheets() -> list[bytes]:
    """The same in Excel's form."""
    return [xlsx(_ratings())]


def configs() -> list[bytes]:
    """A training run."""
    return [CONFIG]


def plans() -> list[bytes]:
    """A study's plan."""
    return [PLAN]


def yamls() -> list[bytes]:
    """What YAML has."""
    return [YAML, PLAN]


def jsons() -> list[bytes]:
    """What JSON has."""
    return [json.dumps({"a": [1, 2.5, None, True, "ä\n"], "b": {"c": [[[1]]]}}).encode()]


def specs() -> list[bytes]:
    """Texts that name a way to cut, to weigh, to choose."""
    texts = ("slic:n_segments=200, compactness=0.1", "beats x octaves", "nmf:n=6 x time:seconds=2", "top:30", "bh:0.05")
    return [text.encode() for text in (*texts, "lime:n_perturbations=512,off=-12dB", "stems:voice=v.wav,band=b.wav")]


def study_folder() -> Path:
    """The folder of a study."""
    return of.study().folder


def of_study(name: str) -> Callable[[], list[bytes]]:
    """A function that gives a file of a study."""
    return lambda: [(study_folder() / "private" / name).read_bytes()]


def answers() -> list[bytes]:
    """Answers in our own table."""
    return [of.table()]


def plain() -> list[bytes]:
    """Answers in plain tables."""
    return [of.plain()]


def psychopy() -> list[bytes]:
    """Answers of PsychoPy."""
    return [of.psychopy()]


def jspsych() -> list[bytes]:
    """Answers of jsPsych."""
    return [json.dumps(of.jspsych()).encode()]


def jspsych_csv() -> list[bytes]:
    """Answers of jsPsych as a table."""
    return [of.jspsych_csv()]


def label_studio() -> list[bytes]:
    """Answers of Label Studio."""
    return [json.dumps(of.label_studio()).encode()]


def webmushra() -> list[bytes]:
    """Answers of webMUSHRA."""
    return [of.webmushra_csv()]


def webmushra_posts() -> list[bytes]:
    """Answers of webMUSHRA as our server keeps them."""
    return [of.webmushra_posts()]


@cache
def midis() -> list[bytes]:
    """A song as MIDI."""
    return [write_score_midi(Path(FOLDER.name) / "a.mid", small_score()).read_bytes()]


def musicxmls() -> list[bytes]:
    """A song as MusicXML."""
    bars = (
        MEASURE % (bar, ATTRIBUTES if bar == 1 else "", "".join(NOTE % step for step in "CDEF")) for bar in (1, 2, 3)
    )
    return [(MUSICXML % "".join(bars)).encode()]


def mxls() -> list[bytes]:
    """The same, compressed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        root = '<container><rootfiles><rootfile full-path="song.musicxml"/></rootfiles></container>'
        archive.writestr("META-INF/container.xml", root)
        archive.writestr("song.musicxml", musicxmls()[0])
    return [file.getvalue()]
