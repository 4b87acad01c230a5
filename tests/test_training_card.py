"""The card of a model and what it says of rated phrases: figures that are told are figures that were measured."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fakes import tiny_checkpoint
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from emomod.corpus.midi import write_midi
from emomod.corpus.score import Note, Part, Score
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.checkpoint import Checkpoint, load_checkpoint
from emomod.training import card as card_module
from emomod.training import validation
from emomod.training.card import model_card, table
from emomod.training.scoring import predict_scores
from emomod.training.validation import RatedPhrases, load_phrases, rate_phrases, roc_area

SR = 22050


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def score_of(*parts, seconds=4.0):
    return Score(parts, seconds, (0.0, 1.0, 2.0))


@given(seed=st.integers(0, 999), ties=st.booleans())
def test_roc_area_against_scipy(seed, ties):
    rng = np.random.default_rng(seed)
    scores, positive = rng.normal(size=30), rng.random(30) < 0.5
    scores, positive[:2] = np.round(scores) if ties else scores, (True, False)
    u = mannwhitneyu(scores[positive], scores[~positive]).statistic
    assert roc_area(scores, positive) == pytest.approx(u / (positive.sum() * (~positive).sum()))


class LoudnessNetwork(torch.nn.Module):
    """Hears how loud it is: valence falls with it, energy rises."""

    names = (*MIDLEVEL_NAMES, *EMOTION_NAMES)

    def forward(self, spectrograms):
        level = spectrograms.mean(dim=(1, 2))
        signs = torch.tensor([{"valence": -1.0, "energy": 1.0}.get(name, 0.0) for name in self.names])
        return level[:, None] * signs


def test_phrases_against_theory_windows_count_up_to_the_last_onset(monkeypatch):
    """A phrase of 12 s has one window of 10 s: what sounds after it must not matter."""
    quiet, loud = (Score((Part("harmony", 0, tuple(Note(float(k), 0.5, 60, 90) for k in range(n))),), 30.0,
                   tuple(np.arange(0, 31, 0.5).tolist())) for n in (13, 25))  # fmt: skip
    heard = {13: (0.1, 0.1, 0.9), 25: (0.5, 0.3, 0.1)}  # share of tones by window; 25 s are two windows and a half
    rng = np.random.default_rng(0)

    def render(scores, soundfont):
        return [
            np.concatenate([rng.normal(0, level, 10 * SR) * (np.arange(10 * SR) % SR < level * SR) for level in
                            heard[len(score.parts[0].notes)]]).astype(np.float32) for score in scores]  # fmt: skip

    monkeypatch.setattr(validation, "render_scores", render)
    n_windows: list[int] = []

    def counted(network, images):
        n_windows.append(len(images))
        return predict_scores(network, images)

    monkeypatch.setattr(validation, "predict_scores", counted)
    phrases = RatedPhrases((quiet, loud), np.array([True, False]), np.array([False, True]))
    found = rate_phrases(LoudnessNetwork(), phrases)  # type: ignore[arg-type]
    assert n_windows == [1, 2]
    assert found["energy"] == found["valence"] == 1.0
    assert found["onset density"] == 0.0  # 13 onsets in 12 s are denser than 25 in 24 s
    assert set(found) == {"valence", "energy", "key clarity", "onset density"}


def test_ratings_against_the_data_zero_is_not_high(tmp_path):
    for name in ("a.mid", "b.mid", "c.mid"):
        write_midi(tmp_path / name, [score_of(Part("melody", 0, (Note(0.0, 1.0, 60, 90),)))], slot_seconds=4.0)
    (tmp_path / "labels.csv").write_text("file,valence,arousal\na.mid,1,0\nb.mid,-1,2.5\nc.mid,0,-3\n")
    phrases = load_phrases(tmp_path)
    assert phrases.valence.tolist() == [True, False, False]
    assert phrases.arousal.tolist() == [False, True, False]
    assert all(score.seconds == 30.0 for score in phrases.scores)


def test_table_against_markdown():
    assert table(["feature", "a", "b"], [["x", "1", "2"]]).split("\n") == [
        "| feature | a | b |",
        "| --- | ---: | ---: |",
        "| x | 1 | 2 |",
    ]


FIGURES: dict[str, Any] = {
    "test_r": {name: 0.1 * place for place, name in enumerate(MIDLEVEL_NAMES, start=1)},
    "carry_over_r": {name: 0.05 * place for place, name in enumerate(MIDLEVEL_NAMES, start=1)},
}
CARD: dict[str, Any] = {
    "name": "toy", "architecture": "a2mid2e", "width": 0.05, "window_seconds": 10.0, "mid_to_emotion": "published-2019",
    "training": {"learning_rate": 0.002, "epochs": 3}, "versions": {"torch": "2.6"}, "corpus": {"soundfont": None},
    "training_data": "40 clips", "figures": FIGURES, "n_test": 400, "n_carry_over": 100, "limitations": "A toy.",
    "carry_over_synthesiser": "numpy", "commands": ["emomod corpus render", "emomod train"],
}  # fmt: skip


@pytest.fixture
def checkpoint(tmp_path):
    network = load_checkpoint(tiny_checkpoint(tmp_path / "t.safetensors")).network
    return Checkpoint(network, CARD, "t", "0" * 64)


def test_card_against_its_figures(checkpoint):
    text = model_card(checkpoint, checks=["## A check\n\nDone."])
    assert "| melodiousness | 0.10 | 0.05 |" in text
    assert "| mean | 0.40 | 0.20 |" in text  # of 0.1 .. 0.7
    assert "Standard errors are at most 0.10." in text  # 1 / sqrt(100)
    assert "Learnt least: melodiousness and articulation." in text
    assert "emomod corpus render\nemomod train\n```" in text
    assert "learning rate 0.002, epochs 3" in text
    assert "soundfont or synthesiser: NumPy synthesiser" in text
    n_weights = sum(parameter.numel() for parameter in checkpoint.network.parameters())
    assert f"width 0.05, {n_weights / 1e6:.2f} million weights, windows of 10 s" in text
    assert text.index("## A check") < text.index("## Limitations\n\nA toy.")
    assert text.startswith("# Model card: toy\n\n")


def test_card_against_its_figures_without_another_synthesiser(checkpoint):
    figures = {"test_r": FIGURES["test_r"]}
    text = model_card(replace(checkpoint, card=CARD | {"figures": figures}))
    assert "| mean | 0.40 |\n" in text + "\n"
    assert "another synthesiser" not in text
    assert "Standard errors are at most 0.05." in text  # 1 / sqrt(400)


def test_card_on_phrases_against_theory(checkpoint, monkeypatch):
    measured = {"valence": 0.61, "energy": 0.72, "key clarity": 0.53, "onset density": 0.84}
    monkeypatch.setattr(card_module, "rate_phrases", lambda network, phrases: measured)
    monkeypatch.setattr(card_module, "load_phrases", lambda folder: RatedPhrases((None,) * 5, *[np.zeros(5)] * 2))  # type: ignore[arg-type]
    text = card_module.on_phrases(checkpoint, None)  # type: ignore[arg-type]
    assert "| valence | 0.61 | key clarity of the score: 0.53 |" in text
    assert "| arousal | 0.72 | onset density of the score: 0.84 |" in text
    assert text.startswith("## Phrases that listeners rated\n\n5 phrases")


def test_card_against_its_arguments(checkpoint, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(card_module, "load_checkpoint", lambda path: checkpoint)
    monkeypatch.setattr(card_module, "on_phrases", lambda found, folder: f"## Phrases in {folder.name}")
    monkeypatch.setattr(card_module, "beside_published", lambda found, clip, published: f"## {clip} {published}")
    card_module.main(["--phrases", str(tmp_path / "rated"), "--clip", "a.wav", "--published", "a.json"])
    text = capsys.readouterr().out
    assert text.index("## Phrases in rated") < text.index("## a.wav a.json") < text.index("## Limitations")
    card_module.main(["--clip", "a.wav"])
    assert "a.wav" not in capsys.readouterr().out


def test_card_beside_published_against_theory(checkpoint, monkeypatch, tmp_path):
    theirs = {"midlevel_predictions": [0.5] * 7, "emotion_predictions": [0.25] * 8, "clip": "clip 1"}
    (tmp_path / "p.json").write_text(json.dumps(theirs))
    ours = torch.tensor([[0.6] * 7 + [0.0] * 8])
    heard = []

    def read(clip, *, seconds):
        heard.append((clip, seconds))
        return SimpleNamespace(y=np.zeros(SR, dtype=np.float32))

    monkeypatch.setattr(card_module, "read_clip", read)
    monkeypatch.setattr(card_module, "compute_spectrogram", lambda y: SimpleNamespace(log_spectrogram=torch.ones(2)))
    fake = replace(checkpoint, network=lambda spectrograms: ours)
    text = card_module.beside_published(fake, tmp_path / "a.wav", published=tmp_path / "p.json")
    assert heard == [(tmp_path / "a.wav", 10.0)]
    assert "Mean absolute difference: 0.10 over mid-level features, 0.25 over emotions." in text
    assert "| articulation | 0.60 | 0.50 |" in text
    assert "| valence | 0.00 | 0.25 |" in text
    assert "The first window of clip 1," in text
