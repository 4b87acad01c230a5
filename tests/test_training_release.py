"""From a configuration and folders of clips to a checkpoint whose card says what happened."""

import argparse
import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from emomod.cli.main import build_parser
from emomod.cli.train import add_train_arguments, config_of, train_command
from emomod.corpus.render import render_corpus
from emomod.corpus.store import CorpusSettings, load_corpus
from emomod.errors import InputError
from emomod.labelled_clips import LabelledClips
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.checkpoint import load_checkpoint
from emomod.model.mid_to_emotion import published_layer
from emomod.training import sources as sources_module
from emomod.training import spread
from emomod.training.config import TrainingConfig, read_config, shipped_configs
from emomod.training.release import train
from emomod.training.settings import TrainingSettings
from emomod.training.sources import clips_of_corpus, joined, load_sources

TINY = TrainingSettings(width=0.05, rounds=1, round_clips=16, batch_size=8, window_seconds=2.0)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("corpus") / "small"
    render_corpus(made, CorpusSettings(24, seed=3, synthesiser="numpy", seconds=2.0, shard_size=24))
    return made


def config_file(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_clips_of_a_corpus_have_seven_labels_and_the_published_layers_emotions(folder):
    clips, corpus = clips_of_corpus(folder), load_corpus(folder)
    assert_allclose(clips.labels[:, :7], corpus.labels)
    assert_allclose(clips.labels[:, 7:], published_layer().emotions(corpus.labels))
    assert clips.groups == tuple(f"song: {song}" for song in corpus.songs)
    assert len(clips) == 24
    assert clips.couples == ("",) * 24


def test_sources_are_joined_without_copies(folder, monkeypatch):
    rated = LabelledClips(("a/1",), ("artist: x",), [np.zeros((149, 70), dtype=np.float16)], np.full((1, 15), np.nan))
    monkeypatch.setattr(sources_module, "load_prepared", lambda path: rated)
    monkeypatch.setattr(sources_module, "prepared_dataset", lambda path: "a")
    prepared = folder.parent / "prepared"
    prepared.mkdir()
    (prepared / "prepared.json").write_text("{}")
    sources = load_sources([folder, prepared])
    clips = joined(sources)
    assert [source.rendered for source in sources] == [True, False]
    assert (clips.names[0], clips.names[24]) == ("0/0", "1/a/1")
    assert len(set(clips.names)) == len(clips) == 25
    assert clips.groups[24] == "artist: x"
    assert np.shares_memory(clips.spectrograms[3], sources[0].clips.spectrograms[3])
    assert joined(sources[:1]) is sources[0].clips


def test_couples_of_joined_sources_stay_apart(folder):
    (plain,) = load_sources([folder])
    pairs = replace(plain, clips=replace(plain.clips, couples=tuple(str(k // 2) for k in range(24))))
    couples = joined([pairs, plain, pairs]).couples
    assert len(couples) == 72
    assert couples[24:48] == ("",) * 24
    assert len(set(couples[:24] + couples[48:])) == 24  # a couple of one corpus is none of another
    assert joined([plain, plain]).couples == ("",) * 48


def test_a_corpus_of_couples_says_which_clips_belong_together(tmp_path):
    settings = CorpusSettings(n_clips=4, seed=3, synthesiser="numpy", seconds=2.0, couples=True)
    render_corpus(tmp_path / "couples", settings)
    assert clips_of_corpus(tmp_path / "couples").couples == ("0", "0", "1", "1")


def test_training_ends_in_a_checkpoint_that_loads(folder, tmp_path, capsys):
    out = tmp_path / "tiny.safetensors"
    card = train(TrainingConfig("tiny", TINY, (str(folder),), str(out)))
    loaded = load_checkpoint(out)
    assert loaded.card["mid_to_emotion"] == "published-2019"
    assert loaded.card["figures"] == card["figures"]
    assert set(card["figures"]["test_r"]) == set(MIDLEVEL_NAMES)
    assert set(card["figures"]["emotion_test_r"]) == set(EMOTION_NAMES)
    assert_allclose(card["figures"]["mean_test_r"], np.mean(list(card["figures"]["test_r"].values())), atol=1e-3)
    assert loaded.mid_to_emotion is not None
    assert_allclose(loaded.mid_to_emotion.weights, published_layer().weights, atol=1e-3)  # stored in half precision
    assert loaded.network(torch.zeros(1, 149, 62)).shape == (1, len(MIDLEVEL_NAMES) + len(EMOTION_NAMES))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.safetensors", "tiny.safetensors.csv"]
    assert {field.name for field in fields(TrainingSettings)} < set(card["training"])
    assert (card["n_train"], card["n_test"], card["window_seconds"]) == (20, 2, 2.0)
    assert str(folder) not in str(card)  # no paths of this machine
    assert capsys.readouterr().out == ""
    spread.main([str(out), "--corpus", str(folder)])
    again = json.loads(capsys.readouterr().out)
    assert (again["sha256"], again["n_clips"]) == (loaded.sha256, 2)
    assert_allclose(list(again["spread"].values()), list(card["spread"].values()), rtol=0.2, atol=1e-7)
    assert list(again["spread"]) == list(loaded.network.names)
    assert min(card["spread"].values()) > 0.0


def test_a_one_level_checkpoint_says_so(folder, tmp_path):
    settings = replace(TINY, variant="a2e")
    card = train(TrainingConfig("tiny", settings, (str(folder),), str(tmp_path / "x.safetensors")))
    assert set(card["figures"]["test_r"]) == set(EMOTION_NAMES)
    assert card["mid_to_emotion"] == "none"
    assert load_checkpoint(tmp_path / "x.safetensors").mid_to_emotion is None


def test_the_cards_commands_make_it_again(folder, tmp_path):
    out = tmp_path / "mine.safetensors"
    config = read_config("quick", corpora=[str(folder)], out=str(out), width=0.05, seed=7, split="repeated")
    small = replace(config, settings=replace(config.settings, rounds=1, round_clips=16, window_seconds=2.0))
    commands = train(small)["commands"]
    rendering, training = (build_parser().parse_args(line.split()[1:]) for line in commands)
    assert (rendering.n_clips, rendering.seed, rendering.synthesiser) == (24, 3, "numpy")
    assert str(rendering.out) == training.corpora[0] == "small"
    told = config_of(training, seed=training.seed, out=training.out)
    assert told == replace(config, corpora=("small",), out="mine.safetensors")


def test_a_name_tells_the_network_its_corpora_and_another_seed(folder, tmp_path):
    def name_of(seed):
        out = str(tmp_path / f"{seed}.safetensors")
        return train(TrainingConfig("tiny", replace(TINY, seed=seed), (str(folder),), out))["name"]

    assert name_of(0) == "a2mid2e-0.05-small"
    assert name_of(3) == "a2mid2e-0.05-small-seed-3"


def test_shipped_configs_can_be_read_by_their_names():
    assert set(shipped_configs()) == {"quick", "default", "companion", "published"}
    for name in shipped_configs():
        assert read_config(name).name == name
    published = read_config("published").settings
    assert (published.variant, published.width, published.dropout) == ("a2mid2e-joint", 1.0, 0.3)
    assert published.couple_weight == 0.0


def test_a_config_is_read_and_overridden(tmp_path):
    path = config_file(tmp_path, "width: 1\nlearning_rate: 2e-3\nautocast: false\ncorpora: one\nout: a.safetensors\n")
    found = read_config(path, corpora=["two", "three"], seed=5, device=None)
    assert found.name == "mine"
    assert found.settings == TrainingSettings(width=1.0, learning_rate=0.002, autocast=False, seed=5)
    assert (found.corpora, found.out, found.device) == (("two", "three"), "a.safetensors", "auto")
    assert read_config(path).corpora == ("one",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("widths: 1", "widths is not a field; there are variant"),
        ("width: wide", "width must be a number, got 'wide'"),
        ("width: true", "width must be a number, got True"),
        ("width: 9", "width must be a finite number in"),
        ("rounds: 2.5", "rounds must be a whole number, got 2.5"),
        ("rounds: true", "rounds must be a whole number, got True"),
        ("autocast: 1", "autocast must be true or false, got 1"),
        ("variant: 3", "variant must be text, got 3"),
        ("variant: mid2e", "variant must be one of a2e, a2mid2e, a2mid2e-joint"),
        ("corpora: {a: b}", "corpora must be a list of folders"),
        ("device: tpu", "device must be one of auto, cpu, cuda"),
        ("- a", "must hold lines"),
        ("a: [", "cannot be read"),
        ("!!python/object/apply:os.getcwd []", "cannot be read"),
    ],
)
def test_config_iv(tmp_path, text, message):
    path = config_file(tmp_path, text)
    with pytest.raises(InputError, match=message) as error:
        read_config(path)
    assert str(path) in str(error.value)


def test_a_missing_library_is_named_with_its_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(InputError, match=r"pyyaml was not found; install it with: .*emomod\[train\]"):
        read_config("quick")


def test_training_iv(folder, tmp_path):
    with pytest.raises(InputError, match="config must be a file or one of companion, default, published, quick, got"):
        read_config("none")
    with pytest.raises(InputError) as refused:
        read_config("quick", width=9.0)
    assert str(refused.value).startswith("width must be")  # the file is not to blame
    with pytest.raises(InputError, match="out must name"):
        train(TrainingConfig("x", TINY, (str(folder),)))
    with pytest.raises(InputError, match="in a folder that exists"):
        train(TrainingConfig("x", TINY, (str(folder),), str(tmp_path / "none" / "x.safetensors")))
    with pytest.raises(InputError, match="corpora must name at least one folder"):
        train(TrainingConfig("x", TINY, (), str(tmp_path / "x.safetensors")))
    with pytest.raises(InputError, match="holds no corpus"):
        train(TrainingConfig("x", TINY, (str(tmp_path),), str(tmp_path / "x.safetensors")))


def test_the_command_trains_what_it_is_told(folder, tmp_path):
    parser = argparse.ArgumentParser()
    add_train_arguments(parser)
    path = config_file(tmp_path, "rounds: 1\nround_clips: 16\nbatch_size: 8\nwindow_seconds: 2\n")
    out = tmp_path / "x.safetensors"
    options = ["--config", str(path), "--corpus", str(folder), "--width", "0.05", "--seed", "4", "--device", "cpu"]
    card = train_command(parser.parse_args([*options, "--out", str(out)]))
    assert (card["training"]["width"], card["training"]["seed"], card["training"]["config"]) == (0.05, 4, "mine")
    assert load_checkpoint(out).card["seed"] == 4
