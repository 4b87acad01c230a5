"""Taggrams against scores that are known for every window."""

import csv

import numpy as np
import pytest
import soundfile
from fakes import sound_file
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE, read_clip
from emomod.errors import InputError
from emomod.model.other import Model
from emomod.model.predictor import score_waveform
from emomod.taggrams import Taggram, taggram

NAMES = tuple(f"tag {index}" for index in range(25))
STEPS = (0.1, 0.4, 0.0, 0.3, 0.2)  # level in each second; the third is silent


def levels(waveforms):
    """Name k gets the largest sample, less k thousandths."""
    return np.abs(waveforms).max(axis=1, keepdims=True) - np.arange(25) / 1000


@pytest.fixture(scope="module")
def model():
    return Model(levels, names=NAMES, window_seconds=1.0)


@pytest.fixture
def stairs(tmp_path):
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    y = np.concatenate([level * np.cos(2 * np.pi * 441 * time) for level in STEPS])
    soundfile.write(tmp_path / "stairs.wav", y, SAMPLE_RATE, subtype="FLOAT")
    return tmp_path / "stairs.wav"


def test_taggram_against_theory(model, stairs):
    found = taggram(stairs, predictor=model)
    np.testing.assert_allclose(found.starts, [0.0, 1.0, 3.0, 4.0])
    np.testing.assert_allclose(found.scores[:, 0], [0.1, 0.4, 0.3, 0.2], atol=1e-4)
    np.testing.assert_allclose(found.scores[:, 24], found.scores[:, 0] - 0.024, atol=1e-6)
    assert found.names == NAMES
    assert found.path == str(stairs)
    assert (found.window_seconds, found.hop_seconds) == (1.0, 1.0)
    np.testing.assert_allclose(found.means[:1], [0.25], atol=1e-4)


def test_taggram_against_theory_hops(model, stairs):
    found = taggram(stairs, predictor=model, hop_seconds=0.5)
    np.testing.assert_allclose(found.starts, [0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 3.5, 4.0])  # 2.0 is silent
    np.testing.assert_allclose(found.scores[:, 0], [0.1, 0.4, 0.4, 0.4, 0.3, 0.3, 0.3, 0.2], atol=1e-4)
    assert found.hop_seconds == 0.5
    for start, row in zip(found.starts, found.scores, strict=True):
        alone = score_waveform(model, read_clip(stairs, start=float(start), seconds=1.0).y)
        np.testing.assert_allclose(row, alone, atol=1e-6)


def test_taggram_against_theory_a_file_shorter_than_a_window(model, tmp_path):
    for hop in (None, 0.5):
        found = taggram(sound_file(tmp_path, seconds=0.75), predictor=model, hop_seconds=hop)
        assert found.scores.shape == (1, 25)
        assert found.window_seconds == pytest.approx(0.75, abs=1e-4)
        found.draw()


def test_top_and_rows_against_the_scores():
    scores = np.array([[0.1, 0.5, 0.5, 0.2], [0.3, 0.5, 0.5, 0.0]])
    found = Taggram(("a", "b", "c", "d"), np.array([0.0, 3.0]), scores, "x.wav", 3.0, 3.0)
    assert found.top(3) == ("b", "c", "a")  # ties in the order of the names
    assert found.top(100) == ("b", "c", "a", "d")
    assert found.rows()[1] == {"start": 3.0, "a": 0.3, "b": 0.5, "c": 0.5, "d": 0.0}
    with pytest.raises(InputError, match="n must be a whole number of at least 1, got 0"):
        found.top(0)


def test_draw_against_the_scores(model, stairs):
    found = taggram(stairs, predictor=model, hop_seconds=0.5)
    figure = found.draw()
    assert isinstance(figure, Figure)
    axes = figure.axes[0]
    (image,) = axes.images
    cells: NDArray[np.float64] = np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)
    assert cells.shape == (20, 9)
    np.testing.assert_allclose(np.delete(cells, 4, axis=1), found.scores[:, :20].T)  # the highest means are the first
    assert np.isnan(cells[:, 4]).all()  # silent
    assert [label.get_text() for label in axes.get_yticklabels()] == list(NAMES[:20])
    left, right, bottom, top = image.get_extent()
    assert (left, right) == (0.25, 4.75)  # a window from 0 to 1 s lies around 0.5 s
    assert top < bottom  # the highest on top
    assert axes.get_xlim() == (0.0, 5.0)
    assert axes.get_title(loc="left") == "Scores of 20 of 25 names: darker is higher"
    dark, light = image.to_rgba(np.array([0.4, 0.1]))[:, :3]
    assert dark.sum() < light.sum() < 3.0  # the lowest is not the white of silence


def test_save_against_the_scores(model, stairs, tmp_path):
    found = taggram(stairs, predictor=model)
    folder = found.save(tmp_path / "new" / "folder")
    assert sorted(path.name for path in folder.iterdir()) == ["taggram.csv", "taggram.png"]
    with open(folder / "taggram.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["start", *NAMES]
    assert [float(row["start"]) for row in rows] == [0.0, 1.0, 3.0, 4.0]
    assert float(rows[1]["tag 3"]) == pytest.approx(0.397, abs=1e-4)
    assert (folder / "taggram.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    found.save(folder)  # again
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"folder: .*file cannot be written"):
        found.save(tmp_path / "file")


def test_repr_html_against_the_scores(model, stairs):
    html = taggram(stairs, predictor=model)._repr_html_()
    assert "stairs.wav: 4 windows of 1 s" in html
    assert ">tag 9<" in html
    assert ">tag 10<" not in html  # ten names
    assert "0.250" in html  # the mean of the first
    assert "0.400" in html  # its highest
    assert html.count("<img ") == 1
    assert 'alt="Scores over time in 4 windows of 1 s, highest on the mean: tag 0, tag 1' in html


def test_taggram_iv(model, tmp_path):
    for hop, told in ((0.0, r"0\.01\.\.1, got 0"), (1.5, r"0\.01\.\.1, got 1.5"), (float("nan"), "got nan")):
        with pytest.raises(InputError, match=f"hop_seconds must be a finite number in .*{told}"):
            taggram(sound_file(tmp_path), predictor=model, hop_seconds=hop)
    with pytest.raises(InputError, match="there is no such file"):
        taggram(tmp_path / "none.wav", predictor=model)
    soundfile.write(tmp_path / "silent.wav", np.zeros(3 * SAMPLE_RATE), SAMPLE_RATE)
    for distance in (None, 0.5):
        with pytest.raises(InputError, match="is silent"):
            taggram(tmp_path / "silent.wav", predictor=model, hop_seconds=distance)
