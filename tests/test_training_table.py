"""The cost of explainability: arithmetic by hand, splits that are shared, runs that go on."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from emomod.cli.main import build_parser
from emomod.cli.train import table_command
from emomod.corpus.render import render_corpus
from emomod.corpus.store import CorpusSettings
from emomod.datasets.splits import PROTOCOLS, splits_of
from emomod.errors import InputError
from emomod.labelled_clips import LabelledClips
from emomod.labels import EMOTION_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.training import cost_of_explainability as module
from emomod.training.config import TrainingConfig
from emomod.training.cost_of_explainability import MODELS, PUBLISHED, CostTable, run_table
from emomod.training.cost_table import draw_table, table_rows, table_text, write_table
from emomod.training.fit import Fit, fit_network
from emomod.training.settings import TrainingSettings
from emomod.training.sources import Source
from emomod.training.targets import new_network

TINY = TrainingSettings(width=0.05, rounds=1, round_clips=16, batch_size=8, window_seconds=1.0)
CONFIG = TrainingConfig("tiny", TINY, ("anywhere",), device="cpu")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def clips(monkeypatch):
    """40 rated clips whose emotions are a layer of their mid-level features, the last ten without emotions."""
    rng = np.random.default_rng(0)
    midlevel = rng.random((40, 7))
    labels = np.hstack([midlevel, published_layer().emotions(midlevel) + 0.01 * rng.standard_normal((40, 8))])
    labels[30:, 7:] = np.nan
    names = tuple(map(str, range(40)))
    found = LabelledClips(names, names, rng.random((40, 149, 31)).astype(np.float16), labels)
    monkeypatch.setattr(module, "load_sources", lambda folders: (Source(folders[0], found, {"dataset": "toy"}),))
    return found


def table_of(r, *, rendered=False):
    """A table in which each model's r [n_models, n_splits] is that of all emotions."""
    return CostTable(np.repeat(np.array(r, dtype=np.float64)[..., None], 8, axis=-1), rendered)


def test_cost_against_hand_values():
    table = table_of([[1.0, 1.0], [0.8, 0.6], [0.7, 0.6], [0.9, 0.4]])
    assert_allclose(table.cost("a2mid2e"), [[0.1] * 9, [0.0] * 9], atol=1e-12)
    assert_allclose(table.cost("a2mid2e-joint"), [[-0.1] * 9, [0.2] * 9], atol=1e-12)
    lines = table_text(table).split("\n")
    assert "over 2 splits" in lines[2]
    assert lines[9] == "| A2E |" + " 0.70 ± 0.14 |" * 9  # standard deviation .1 * sqrt(2), of n - 1
    assert lines[12] == "| CoE of A2Mid2E |" + " +0.05 ± 0.07 |" * 9
    assert lines[13] == "| CoE of A2Mid2E-Joint |" + " +0.05 ± 0.21 |" * 9


def test_mean_against_hand_values_over_the_known_emotions():
    r = np.full((4, 1, 8), np.nan)
    r[:, 0, :2] = [[0.2, 0.4], [0.5, 0.7], [0.1, 0.1], [0.0, 0.6]]
    table = CostTable(r, rendered=False)
    assert_allclose(table.with_mean()[:, 0, 8], [0.3, 0.6, 0.1, 0.3])
    assert_allclose(table.cost("a2mid2e-joint")[0, [0, 1, 8]], [0.5, 0.1, 0.3])
    text = table_text(table)
    assert "| A2E | 0.50 | 0.70 | – | – | – | – | – | – | 0.60 |" in text  # no standard deviation of one split
    assert "on test clips: one split." in text


def test_published_values_against_their_own_means():
    for values in PUBLISHED.values():
        assert values[8] == pytest.approx(np.mean(values[:8]), abs=0.011)  # printed with two digits
    text = table_text(table_of(np.zeros((4, 1))))
    assert "| CoE of A2Mid2E-Joint | -0.01 | +0.01 | +0.02 | +0.06 | +0.02 | +0.01 | -0.04 | +0.03 | +0.01 |" in text


def test_the_table_tells_its_splits_beside_the_published_values():
    text = table_text(replace(table_of(np.zeros((4, 2))), split="single-artist"))
    assert f"Splits (`single-artist`): {PROTOCOLS['single-artist']}." in text
    assert text.index("its splits are `single-artist`") > text.index("## Published")


def test_rows_are_tidy(tmp_path):
    table = table_of([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]])
    write_table(table, tmp_path)
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(table_rows(table)) == 4 * 2 * 8
    assert rows[3 * 16 + 8 + 7] == {"variant": "a2mid2e-joint", "split": "1", "emotion": "tender", "r": "0.8"}
    assert (tmp_path / "table.md").read_text() == table_text(table)
    assert (tmp_path / "table.png").read_bytes().startswith(b"\x89PNG")


def test_a_rendered_corpus_is_told_to_prove_nothing_about_listeners():
    r = np.zeros((4, 1))
    assert "says nothing about what listeners hear" in table_text(table_of(r, rendered=True))
    assert "says nothing about what listeners hear" not in table_text(table_of(r))


@pytest.mark.parametrize("n_splits", [1, 3])
def test_plot_against_the_table(n_splits):
    r = np.linspace(0.2, 0.9, 4 * n_splits).reshape(4, n_splits)
    upper, lower = draw_table(table_of(r)).axes
    heights = [[patch.get_height() for patch in bars] for bars in upper.containers if len(bars) == 9]
    assert_allclose(heights, np.repeat(r.mean(axis=1)[:, None], 9, axis=1))
    costs = [[patch.get_height() for patch in bars] for bars in lower.containers if len(bars) == 9]
    assert_allclose(costs, np.repeat((r[1] - r[2:]).mean(axis=1)[:, None], 9, axis=1))
    assert [label.get_text() for label in lower.get_xticklabels()] == [*EMOTION_NAMES, "mean"]


def test_models_share_splits_and_a_stopped_table_goes_on(clips, tmp_path, monkeypatch):
    whole = run_table(CONFIG, tmp_path / "whole", n_splits=2)
    assert whole.r.shape == (4, 2, 8)
    assert not whole.rendered
    assert (whole.r[0] > 0.8).all()  # Mid2E reads the layer off the labels
    trained: list[tuple[str, int, int]] = []

    def fit(clips, settings, *, split, **options):
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append((settings.variant, settings.seed, int(split.test.sum())))
        return fit_network(clips, settings, split=split, **options)

    monkeypatch.setattr(module, "fit_network", fit)
    with pytest.raises(KeyboardInterrupt):
        run_table(CONFIG, tmp_path / "parts", n_splits=2)
    done, sums = trained.copy(), {seed: total for _, seed, total in trained}
    trained.clear()
    parts = run_table(CONFIG, tmp_path / "parts", n_splits=2)
    assert [each[:2] for each in done] == [("a2e", 0), ("a2e", 1), ("a2mid2e", 0)]
    assert [each[:2] for each in trained] == [("a2mid2e", 1), ("a2mid2e-joint", 0), ("a2mid2e-joint", 1)]
    assert all(total == sums[seed] for _, seed, total in [*done, *trained])
    assert np.array_equal(parts.r, whole.r, equal_nan=True)
    assert not list((tmp_path / "parts" / "runs").glob("*.state"))


@pytest.mark.parametrize("protocol", ["single-artist", "folds", "repeated"])
def test_a_table_uses_the_splits_of_its_protocol(clips, tmp_path, monkeypatch, protocol):
    artists = replace(clips, groups=tuple(f"artist: {n if n < 20 else n // 2}" for n in range(40)))
    monkeypatch.setattr(module, "load_sources", lambda folders: (Source(folders[0], artists, {"dataset": "toy"}),))
    used: list[tuple[list[int], ...]] = []

    def fit(clips, settings, *, split, **options):
        used.append((split.train.tolist(), split.validation.tolist(), split.test.tolist()))
        return Fit(network, 1, r, r, r, split, 1.0)

    network, r = new_network(replace(TINY, variant="a2mid2e-joint"), clips.labels), np.full(15, 0.5)
    monkeypatch.setattr(module, "fit_network", fit)
    config = replace(CONFIG, settings=replace(TINY, split=protocol))
    found = run_table(config, tmp_path / "t", n_splits=2)
    expected = splits_of(protocol, artists.groups, n_splits=2, seed=0)
    assert found.split == protocol
    assert used == 3 * [(s.train.tolist(), s.validation.tolist(), s.test.tolist()) for s in expected]


def test_table_iv(clips, tmp_path):
    run_table(CONFIG, tmp_path / "a", n_splits=1)
    with pytest.raises(InputError, match="results of other settings or clips"):
        run_table(replace(CONFIG, settings=replace(TINY, width=0.06)), tmp_path / "a", n_splits=1)
    (tmp_path / "a" / "runs" / "a2e-0.json").write_text("{}")
    with pytest.raises(InputError, match="is not a result of this table"):
        run_table(CONFIG, tmp_path / "a", n_splits=1)
    (tmp_path / "photo.txt").write_text("mine")
    with pytest.raises(InputError, match="neither empty nor a table that was begun"):
        run_table(CONFIG, tmp_path, n_splits=1)
    with pytest.raises(InputError, match="n_splits must be"):
        run_table(CONFIG, tmp_path / "b", n_splits=0)


@pytest.mark.parametrize("left", [[], ["runs.json.partial"]])
def test_a_table_that_was_killed_at_once_can_begin_again(clips, tmp_path, left):
    (tmp_path / "t" / "runs").mkdir(parents=True)
    for name in left:
        (tmp_path / "t" / "runs" / name).write_text('{"settings"')
    assert run_table(CONFIG, tmp_path / "t", n_splits=1).r.shape == (4, 1, 8)
    assert not (tmp_path / "t" / "runs" / "runs.json.partial").exists()


def test_a_table_iv_runs_of_somebody_else(clips, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "marathon.gpx").write_text("mine")
    with pytest.raises(InputError, match="neither empty nor a table that was begun"):
        run_table(CONFIG, tmp_path, n_splits=1)
    (tmp_path / "runs" / "runs.json").write_text('{"settings"')
    with pytest.raises(InputError, match=r"runs.json: cannot be read \("):
        run_table(CONFIG, tmp_path, n_splits=1)


def test_a_table_appears_whole_or_stays_as_it_was(tmp_path, monkeypatch):
    (tmp_path / "table.png").write_bytes(b"earlier")

    def fail(self, content):
        with self.open("wb") as file:
            file.write(content[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(InputError, match=r"table\.png: cannot be written \(No space"):
        write_table(table_of(np.zeros((4, 1))), tmp_path)
    assert (tmp_path / "table.png").read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv", "table.md", "table.png"]


def test_the_command_writes_the_table_of_a_rendered_corpus(tmp_path):
    render_corpus(tmp_path / "c", CorpusSettings(30, synthesiser="numpy", seconds=1.0, shard_size=30))
    (tmp_path / "t.yaml").write_text("rounds: 1\nround_clips: 16\nbatch_size: 8\nwindow_seconds: 1\nwidth: 0.05\n")
    options = ["--config", str(tmp_path / "t.yaml"), "--data", str(tmp_path / "c"), "--splits", "1"]
    arguments = build_parser().parse_args(["train", "table", *options, "--out", str(tmp_path / "out")])
    found = table_command(arguments)
    assert found["mean_r"]["mid2e"] == pytest.approx(1.0)
    assert set(found["mean_r"]) == set(MODELS)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["runs", "table.csv", "table.md", "table.png"]
    assert "says nothing about what listeners hear" in (tmp_path / "out" / "table.md").read_text()
    json.dumps(found)
