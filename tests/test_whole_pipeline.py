"""From scores to an explanation by a model of one's own, through the command line only, as README tells it."""

import csv
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from small_songs import CHORDS, MELODY, write

from emomod.cli.main import build_parser, main
from emomod.corpus.store import load_corpus
from emomod.datasets.splits import split_groups
from emomod.labels import MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.checkpoint import load_checkpoint
from emomod.model.predictor import load_predictor
from emomod.training.scoring import pearson_r

N_CLIPS, SEED = 60, 5
CONFIG = """
width: 0.1
rounds: 20
round_clips: 128
window_seconds: 4
learning_rate: 1.0e-2
dropout: 0.0
device: cpu
"""


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with three songs of 32 beats, and a configuration."""
    root = tmp_path_factory.mktemp("pipeline")
    (root / "songs").mkdir()
    for name, meter, up in (("a", (4, 4), 0), ("b", (4, 4), 5), ("c", (3, 4), -3)):
        melody = [(8 * phrase + beat, key + up) for phrase in range(4) for beat, key in MELODY]
        chords = [(8 * phrase + beat, key + up) for phrase in range(4) for beat, key in CHORDS]
        write(root / "songs" / f"{name}.mid", [("Melody", 0, melody), ("Piano", 1, chords)], meter=meter)
    (root / "tiny.yaml").write_text(CONFIG)
    return root


@pytest.fixture(scope="module")
def corpus(place):
    """A corpus of the numpy synthesiser, half of it from the songs."""
    words = ["--clips", N_CLIPS, "--seed", SEED, "--synthesiser", "numpy", "--scores", place / "songs"]
    command(["corpus", "render", *words, "--spectrograms-only", "--workers", 1, "--out", place / "corpus"])
    return place / "corpus"


@pytest.fixture(scope="module")
def checkpoint(place, corpus):
    return trained(place, corpus, "mine.safetensors")


def command(words):
    """Run a command line that must succeed."""
    assert main([str(word) for word in words]) == 0


def trained(place, corpus, name):
    command(["train", "--config", place / "tiny.yaml", "--corpus", corpus, "--seed", SEED, "--out", place / name])
    return place / name


@pytest.mark.parametrize("page", ["choosing", "corpus", "training", "effects", "other_models"])
def test_the_documented_commands_are_understood(page):
    text = (Path(__file__).parents[1] / "docs" / f"{page}.md").read_text(encoding="utf-8")
    lines = [line.partition("#")[0] for line in text.splitlines() if line.startswith("emomod ")]
    assert len(lines) >= 3
    for line in lines:
        assert callable(build_parser().parse_args(shlex.split(line)[1:]).run)


def test_the_corpus_has_composed_clips_and_clips_of_every_song(corpus):
    with (corpus / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == N_CLIPS
    songs = {row["song"] for row in rows}
    assert {"a", "b", "c"} < songs
    assert sum(song.startswith("composed ") for song in songs) > N_CLIPS // 5
    labels = np.array([[float(row[name]) for name in MIDLEVEL_NAMES] for row in rows])
    assert labels.min() >= 0.1
    assert labels.max() <= 0.9
    assert (labels.std(axis=0) > 0.1).all()


def test_the_checkpoint_says_where_it_comes_from(checkpoint):
    card = load_checkpoint(checkpoint).card
    (source,) = card["corpus"]["sources"]
    assert (source["folder"], source["n_clips"]) == ("corpus", N_CLIPS)
    assert (source["scores"]["folder"], source["scores"]["n_songs"]) == ("songs", 3)
    assert "3 songs of songs" in card["training_data"]
    rendering, training = card["commands"]
    assert rendering.startswith(f"emomod corpus render --clips {N_CLIPS} --seed {SEED} --synthesiser numpy")
    assert training.startswith("emomod train --config tiny --corpus corpus ")
    assert set(card["figures"]["test_r"]) <= set(MIDLEVEL_NAMES)


def test_the_network_has_learned_something_of_what_it_was_shown(corpus, checkpoint):
    found, predict = load_corpus(corpus), load_predictor(checkpoint, device="cpu")
    seen = split_groups([f"song: {song}" for song in found.songs], seed=SEED).train
    with torch.inference_mode():
        scores = predict(torch.from_numpy(found.spectrograms[seen]).float()).numpy()[:, : len(MIDLEVEL_NAMES)]
    assert (
        np.mean(pearson_r(scores, found.labels[seen])) > 0.2
    )  # by chance 0 +- .06; seeds give .3 to .7, by the round that is best


def test_the_same_seed_gives_the_same_checkpoint_to_the_byte(place, corpus, checkpoint, tmp_path):
    shutil.copy(place / "tiny.yaml", tmp_path)
    again = trained(tmp_path, corpus, checkpoint.name)
    assert again.read_bytes() == checkpoint.read_bytes()


def test_a_run_explains_with_that_checkpoint_and_says_so(checkpoint, tmp_path, capsys):
    model = ["--model", checkpoint, "--device", "cpu", "--json"]
    command(["predict", "demo", *model])
    (heard,) = json.loads(capsys.readouterr().out)
    assert np.isfinite([*heard["midlevel"].values(), *heard["emotion"].values()]).all()
    few = ["--masks", 256, "--controls", 3, "--rule", "top:9"]
    command(["run", "demo", "--target", "articulation", "--out", tmp_path / "out", *few, *model])
    record = json.loads(capsys.readouterr().out)
    assert record == json.loads((tmp_path / "out" / "run.json").read_text())
    assert np.isfinite([record["shifts"]["enhanced"][name] for name in SCORE_NAMES]).all()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert str(load_checkpoint(checkpoint).card["name"]) in page


@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="FluidSynth is not installed")
def test_a_clip_of_fluidsynth_has_its_stems_score_and_labels(place, tmp_path):
    words = ["--clips", 1, "--seed", SEED, "--scores", place / "songs", "--score-share", 1, "--out", tmp_path / "one"]
    command(["corpus", "render", *words])
    (clip,) = (tmp_path / "one" / "clips").iterdir()
    told = json.loads((clip / "labels.json").read_text())
    assert told["song"] in ("a", "b", "c")
    names = [f"stem_{part['name']}" for part in told["parts"]] + ["rest", "mix"]
    assert {path.name for path in clip.iterdir()} == {*(f"{name}.flac" for name in names), "score.mid", "labels.json"}
    *parts, mix = (soundfile.read(clip / f"{name}.flac")[0] for name in names)
    assert np.abs(mix).max() > 0.01
    assert np.array_equal(np.sum(parts, axis=0), mix)
