"""Correlations with the labels of a test corpus: against NumPy, against theory, and over a small corpus on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from emomod.corpus.render import render_corpus
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.labelled_clips import LabelledClips
from emomod.labels import MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.predictor import Takes
from emomod.training import unseen
from emomod.training.scoring import counted_pearson_r
from emomod.training.sources import Source, clips_of_corpus
from emomod.training.unseen import run_unseen_test


class Recital:
    """A model that knows what it will be asked: its scores are ``answers`` [n, 15], in order."""

    names = SCORE_NAMES
    mid_to_emotion = None
    takes: Takes = "spectrogram"
    device = torch.device("cpu")

    def __init__(self, answers):
        self.answers, self.told = torch.from_numpy(answers), 0

    def __call__(self, spectrograms):
        self.told += len(spectrograms)
        return self.answers[self.told - len(spectrograms) : self.told]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("test-corpus") / "small"
    render_corpus(made, CorpusSettings(20, seed=5, synthesiser="numpy", seconds=2.0, shard_size=20))
    return made


@given(seed=st.integers(0, 999))
def test_r_of_draws_against_numpy(seed):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(15, 3)), rng.normal(size=(15, 3))
    labels[rng.random(labels.shape) < 0.2] = np.nan
    counts = rng.integers(1, 4, size=(4, 15))
    found = counted_pearson_r(scores, labels, counts)
    for draw, weights in enumerate(counts):
        a, b = np.repeat(scores, weights, axis=0), np.repeat(labels, weights, axis=0)
        for column in range(3):
            known = np.isfinite(b[:, column])
            expected = np.corrcoef(a[known, column], b[known, column])[0, 1]
            assert found[draw, column] == pytest.approx(expected)


def test_r_of_draws_iv_what_does_not_vary_has_none():
    counts = np.array([[1, 1, 1], [3, 0, 0]])
    column = np.array([[1.0], [2.0], [4.0]])
    assert_allclose(counted_pearson_r(column, column, counts), [[1.0], [np.nan]])


def test_unseen_against_theory_a_model_that_knows_the_labels(folder):
    clips = clips_of_corpus(folder)
    answers = clips.labels.copy()
    answers[:, 0] *= -1.0
    found = run_unseen_test(Recital(answers), folder)
    assert (found.corpus, found.n_clips, found.n_groups) == ("small", 20, 20)
    assert found.made["settings"]["seed"] == 5
    assert list(found.network) == list(MIDLEVEL_NAMES)
    signs = [-1.0, *[1.0] * 6]
    assert_allclose([figure.value for figure in found.network.values()], signs)
    assert_allclose([figure.low for figure in found.network.values()], signs)
    assert found.network_mean.value == pytest.approx(5 / 7)


def test_unseen_against_itself_chance_lies_in_its_interval_and_chroma_needs_no_network(folder, rng):
    found = run_unseen_test(Recital(rng.random((20, len(SCORE_NAMES)))), folder)
    assert all(figure.low < figure.value < figure.high for figure in found.network.values())
    assert found.network["articulation"].low < 0.5
    same = run_unseen_test(Recital(rng.random((20, len(SCORE_NAMES)))), folder)
    assert found.chroma == same.chroma
    assert set(found.chroma) == {"all", "peaks"}
    assert all(set(figures) == {"tonal_stability", "minorness"} for figures in found.chroma.values())
    assert found.as_dict()["network"]["articulation"]["value"] == found.network["articulation"].value


def test_intervals_draw_whole_songs(monkeypatch, rng):
    n_songs, n_takes = 40, 4  # takes of a song are alike: they say no more than one does
    labels = np.repeat(rng.random((n_songs, len(SCORE_NAMES))), n_takes, axis=0)
    heard = labels + np.repeat(rng.normal(scale=0.3, size=(n_songs, len(SCORE_NAMES))), n_takes, axis=0)
    spectrograms = rng.random((n_songs * n_takes, 149, 31)).astype(np.float16)
    names = tuple(map(str, range(n_songs * n_takes)))

    def widths(groups):
        clips = LabelledClips(names, groups, spectrograms, labels)
        source = Source(Path("takes"), clips, {"settings": {"seed": 1}})
        monkeypatch.setattr(unseen, "load_sources", lambda folders: (source,))
        found = run_unseen_test(Recital(heard), "takes")
        assert found.n_groups == len(set(groups))
        return np.array([figure.high - figure.low for figure in found.network.values()])

    songs = tuple(f"song: {place // n_takes}" for place in range(n_songs * n_takes))
    assert_allclose((widths(songs) / widths(names)).mean(), np.sqrt(n_takes), rtol=0.1)


def test_unseen_iv(tmp_path):
    with pytest.raises(InputError):
        run_unseen_test(Recital(np.zeros((1, 15))), tmp_path)
