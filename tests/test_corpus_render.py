"""Rendering a corpus and training on it: repeatable, resumable, and refused where the input is wrong."""

import argparse
import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from emomod.cli.corpus import add_render_arguments, render_command
from emomod.cli.train import add_train_arguments, train_command
from emomod.corpus.labels import scaled_labels
from emomod.corpus.render import Corpus, CorpusSettings, load_corpus, render_corpus
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.checkpoint import load_checkpoint
from emomod.model.mid_to_emotion import published_layer
from emomod.training.augmentation import augment, scale_cells
from emomod.training.card import model_card
from emomod.training.fit import TrainingSettings, fit_network, new_network, pearson_r, predict_midlevel, split_clips
from emomod.training.fit_state import FitState, save_state
from emomod.training.release import train

SMALL = CorpusSettings(24, seed=3, synthesiser="numpy", seconds=2.0, shard_size=8)
TINY = TrainingSettings(width=0.05, epochs=1, batch_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("corpus") / "small"
    render_corpus(made, SMALL)
    return made


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def test_corpus_has_what_it_says(folder):
    corpus = load_corpus(folder)
    assert corpus.spectrograms.shape == (24, 149, 62)
    assert corpus.spectrograms.dtype == np.float16
    assert_allclose(corpus.labels, scaled_labels(corpus.raw))
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert_allclose([float(row["dissonance"]) for row in rows], corpus.labels[:, 4], atol=1e-4)
    assert json.loads((folder / "corpus.json").read_text())["settings"]["n_clips"] == 24


def test_a_clip_depends_on_seed_and_index_only_against_itself(folder, tmp_path):
    render_corpus(tmp_path / "fewer", replace(SMALL, n_clips=5))
    render_corpus(tmp_path / "other", replace(SMALL, n_clips=5, seed=4))
    some, fewer, other = (load_corpus(path) for path in (folder, tmp_path / "fewer", tmp_path / "other"))
    assert np.array_equal(some.spectrograms[:5], fewer.spectrograms)
    assert np.array_equal(some.raw[:5], fewer.raw)
    assert not np.array_equal(other.raw, fewer.raw)


def test_a_stopped_rendering_goes_on_against_itself(folder, tmp_path):
    out = tmp_path / "stopped"
    lines: list[str] = []
    render_corpus(out, SMALL)
    (out / "shard_0001.npz").unlink()
    with pytest.raises(InputError, match="1 shards are missing"):
        load_corpus(out)
    render_corpus(out, SMALL, log=lines.append)
    assert lines == ["rendered 16 of 24 clips"]
    assert np.array_equal(load_corpus(out).spectrograms, load_corpus(folder).spectrograms)


def test_a_corpus_grows_by_full_shards_against_itself(folder, tmp_path):
    lines: list[str] = []
    render_corpus(tmp_path / "small", replace(SMALL, n_clips=8))
    render_corpus(tmp_path / "small", SMALL, log=lines.append)
    assert len(lines) == 2
    assert np.array_equal(load_corpus(tmp_path / "small").spectrograms, load_corpus(folder).spectrograms)


def test_corpus_iv(folder, tmp_path):
    with pytest.raises(InputError, match="made otherwise"):
        render_corpus(folder, replace(SMALL, seed=9))
    (tmp_path / "photo.txt").write_text("mine")
    with pytest.raises(InputError, match="neither empty nor a corpus"):
        render_corpus(tmp_path, SMALL)
    with pytest.raises(InputError, match="cannot be a folder"):
        render_corpus(tmp_path / "photo.txt" / "x", SMALL)
    with pytest.raises(InputError, match="holds no corpus"):
        load_corpus(tmp_path)
    (tmp_path / "corpus.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        load_corpus(tmp_path)
    with pytest.raises(InputError, match="n_clips must be"):
        CorpusSettings(0)
    with pytest.raises(InputError, match="synthesiser must be one of"):
        CorpusSettings(1, synthesiser="kazoo")


def test_scaling_cells_against_theory():
    cells = torch.log10(1 + torch.tensor([0.0, 1.0, 3.0]))
    assert_allclose(scale_cells(cells, torch.tensor(2.0)), torch.log10(1 + torch.tensor([0.0, 2.0, 6.0])), atol=1e-6)


def test_augmentation_against_itself(folder):
    clips = torch.from_numpy(load_corpus(folder).spectrograms[:4].astype(np.float32))
    first, second = (augment(clips, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == clips.shape
    assert (first >= 0).all()
    assert not torch.equal(first, clips)


def test_pearson_r_against_numpy(rng):
    a, b = rng.random((50, 7)), rng.random((50, 7))
    assert_allclose(pearson_r(a, b), [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(7)], rtol=1e-9)
    assert pearson_r(np.ones((5, 7)), b[:5]).tolist() == [0.0] * 7


def test_split_is_a_partition_against_theory():
    split = split_clips(57, seed=0)
    assert sorted(np.concatenate([split.train, split.validation, split.test]).tolist()) == list(range(57))
    assert len(split.validation) == len(split.test) == 5


def test_training_ends_in_a_checkpoint_that_loads(folder, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    add_train_arguments(parser)
    out = tmp_path / "tiny.safetensors"
    card = train(folder, out, TINY, n_carry_over=10)
    loaded = load_checkpoint(out)
    assert loaded.card["mid_to_emotion"] == "published-2019"
    assert loaded.card["figures"] == card["figures"]
    assert set(card["figures"]["test_r"]) == set(MIDLEVEL_NAMES)
    assert loaded.mid_to_emotion is not None
    assert_allclose(loaded.mid_to_emotion.weights, published_layer().weights, atol=1e-3)  # stored in half precision
    scores = loaded.network(torch.zeros(1, 149, 62))
    assert scores.shape == (1, len(MIDLEVEL_NAMES) + len(EMOTION_NAMES))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.safetensors", "tiny.safetensors.csv"]
    text = model_card(loaded)
    assert f"{card['figures']['test_r']['dissonance']:.2f}" in text
    assert "emomod corpus render --clips 24" in text
    assert capsys.readouterr().out == ""


def test_a_stopped_training_goes_on_against_itself(folder, tmp_path, monkeypatch):
    corpus, settings = load_corpus(folder), replace(TINY, epochs=2)
    whole = fit_network(corpus, settings, state_path=tmp_path / "whole.state")

    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_network(corpus, settings, state_path=tmp_path / "parts.state", log=stop)
    lines: list[str] = []
    parts = fit_network(corpus, settings, state_path=tmp_path / "parts.state", log=lines.append)
    assert len(lines) == 1
    assert_allclose(parts.test_r, whole.test_r, atol=1e-6)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, parts.network.state_dict()[name])


def test_training_learns_what_it_is_shown_against_theory(rng, tmp_path):
    level = rng.uniform(0.1, 0.9, 80)
    clips = (rng.uniform(0, 2, (80, 149, 1)) * np.where(np.arange(40) % 8 < 8 * level[:, None, None], 1.0, 0.1)).astype(
        np.float16
    )
    corpus = Corpus(clips, np.tile(level[:, None], 7), np.zeros((80, 7)), {})
    settings = TrainingSettings(width=0.1, epochs=12, batch_size=8, dropout=0.0)
    before = pearson_r(predict_midlevel(new_network(settings), clips), corpus.labels).mean()
    found = fit_network(corpus, settings, state_path=tmp_path / "x.state")
    after = pearson_r(predict_midlevel(found.network, clips), corpus.labels).mean()
    assert after > max(0.8, before)


def test_the_published_layer_stays_as_it_is():
    layer = new_network(TINY).emotion
    assert layer is not None
    assert_allclose(layer.weight.detach(), published_layer().weights, atol=1e-6)
    assert not layer.weight.requires_grad


def test_training_iv(folder, tmp_path):
    with pytest.raises(InputError, match="holds no corpus"):
        train(tmp_path, tmp_path / "x.safetensors", TINY)
    with pytest.raises(InputError, match="in a folder that exists"):
        train(folder, tmp_path / "none" / "x.safetensors", TINY)
    with pytest.raises(InputError, match="number of clips must be"):
        split_clips(9, seed=0)
    with pytest.raises(InputError, match="batch_size must be"):
        TrainingSettings(batch_size=1)
    fit_state = tmp_path / "x.state"
    save_state(fit_state, FitState({}, {}, {}, {"settings": {}}))
    with pytest.raises(InputError, match="other settings"):
        fit_network(load_corpus(folder), TINY, state_path=fit_state)
    fit_state.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="not the state of a training run"):
        fit_network(load_corpus(folder), TINY, state_path=fit_state)


def test_commands_against_itself(folder, tmp_path, capsys):
    render, training = argparse.ArgumentParser(), argparse.ArgumentParser()
    add_render_arguments(render)
    add_train_arguments(training)
    out = tmp_path / "by_command"
    made = render_command(
        render.parse_args(["--clips", "2", "--seed", "3", "--synthesiser", "numpy", "--out", str(out)])
    )
    assert made["settings"]["seed"] == 3
    assert "rendered 2 of 2 clips" in capsys.readouterr().err
    with pytest.raises(InputError, match="number of clips must be"):
        train_command(training.parse_args(["--corpus", str(out), "--out", str(tmp_path / "x.safetensors")]))
    json.dumps(made)
