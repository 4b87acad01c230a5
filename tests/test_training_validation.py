"""Checks of a model on rated MIDI phrases: areas under the ROC curve, their intervals, and the count of looks."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import shared
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import bootstrap, mannwhitneyu
from sklearn.metrics import roc_auc_score

from emomod.bootstrap import Estimate, draw_groups, draw_within, estimate
from emomod.corpus.fluidsynth import SOUNDFONTS
from emomod.corpus.midi import read_midi, write_midi
from emomod.corpus.score import Note, Part, Score
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from emomod.model.predictor import Takes, load_predictor
from emomod.training import validation
from emomod.training.validation import (
    RatedPhrases,
    load_phrases,
    rate_phrases,
    read_looks,
    record_look,
    roc_area,
    roc_area_within,
    series_coverage,
)

NOTES = (Note(0.25, 0.5, 60, 90), Note(0.25, 0.5, 64, 90), Note(1.0, 0.5, 67, 70))
SR = 22050


def score_of(notes, seconds=12.0, program=5):
    return Score((Part("harmony", program, tuple(notes)),), seconds, (0.0, 0.5, 1.0))


class LoudnessPredict:
    """Hears how loud it is: valence falls with it, energy rises."""

    names = SCORE_NAMES
    mid_to_emotion = None
    takes: Takes = "spectrogram"
    device = torch.device("cpu")

    def __init__(self):
        self.n_windows: list[int] = []

    def __call__(self, spectrograms):
        self.n_windows.append(len(spectrograms))
        signs = torch.tensor([{"valence": -1.0, "energy": 1.0}.get(name, 0.0) for name in self.names])
        return spectrograms.mean(dim=(1, 2))[:, None] * signs


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "phrases"
    made.mkdir()
    calm = score_of(Note(2.0 * place, 1.9, key, 60) for place, key in enumerate((60, 63, 67, 63, 60)))
    busy = score_of(Note(0.2 * place, 0.1, 60 + place % 12, 110) for place in range(50))
    for name, score in (("a.mid", calm), ("b.mid", busy)):
        write_midi(made / name, [score], slot_seconds=12.0)
    (made / "labels.csv").write_text("file,series,valence,arousal\na.mid,x,1,-1\nb.mid,x,-1,1\n")
    return made


def test_a_midi_file_comes_back_against_itself(tmp_path):
    read = read_midi(write_midi(tmp_path / "x.mid", [score_of(NOTES)], slot_seconds=12.0), seconds=12.0)
    assert read.parts[0].program == 5
    assert [note.pitch for note in read.parts[0].notes] == [60, 64, 67]
    assert_allclose([note.onset for note in read.parts[0].notes], [0.25, 0.25, 1.0], atol=2e-4)
    assert_allclose([note.duration for note in read.parts[0].notes], 0.5, atol=2e-4)


def test_the_pedal_holds_notes_against_theory(tmp_path):
    import mido

    def message(kind, seconds, **values):
        return mido.Message(kind, time=round(seconds * 1000), **values)

    track = mido.MidiTrack(
        [
            mido.MetaMessage("set_tempo", tempo=1_000_000),
            message("control_change", 0.0, control=64, value=127),
            message("note_on", 0.0, note=60, velocity=90),
            message("note_off", 0.5, note=60),
            message("control_change", 1.5, control=64, value=0),
            message("note_on", 1.0, note=62, velocity=90),
            message("note_off", 0.5, note=62),
        ]
    )
    file = mido.MidiFile(type=0, ticks_per_beat=1000)
    file.tracks.append(track)
    file.save(tmp_path / "x.mid")
    notes = read_midi(tmp_path / "x.mid", seconds=5.0).parts[0].notes
    assert [(note.onset, note.duration, note.pitch) for note in notes] == [(0.0, 2.0, 60), (3.0, 0.5, 62)]


def test_roc_area_against_theory(rng):
    high = np.array([False, False, True, True])
    assert roc_area([1, 2, 3, 4], high) == 1.0
    assert roc_area([4, 3, 2, 1], high) == 0.0
    assert roc_area([1, 1, 1, 1], high) == 0.5
    scores, labels = rng.random(60), rng.random(60) < 0.4
    assert_allclose(roc_area(scores, labels) + roc_area(-scores, labels), 1.0)


def rated(seed, *, n=40, ties=False):
    """Scores, ratings with both kinds, and series of random phrases."""
    rng = np.random.default_rng(seed)
    scores, positive = rng.normal(size=n), rng.random(n) < 0.5
    positive[:2] = True, False
    return np.round(scores) if ties else scores, positive, tuple(rng.choice(list("abc"), n))


@given(seed=st.integers(0, 999), ties=st.booleans())
def test_roc_area_against_scikit_learn_and_scipy(seed, ties):
    scores, positive, _ = rated(seed, ties=ties)
    area = roc_area(scores, positive)
    assert area == pytest.approx(roc_auc_score(positive, scores))
    u = mannwhitneyu(scores[positive], scores[~positive]).statistic
    assert area == pytest.approx(u / (positive.sum() * (~positive).sum()))


@given(seed=st.integers(0, 999), ties=st.booleans())
def test_areas_of_draws_against_scikit_learn_with_weights(seed, ties):
    scores, positive, series = rated(seed, ties=ties)
    counts = draw_groups(series, rng=seed, n_draws=5)
    pairs = np.ones((positive.sum(), (~positive).sum()))
    found = validation._areas(scores, positive, pairs=pairs, counts=counts)
    expected = [roc_auc_score(positive, scores, sample_weight=weights) for weights in counts]
    assert_allclose(found, expected)


@given(seed=st.integers(0, 999))
def test_area_within_series_against_scikit_learn(seed):
    scores, positive, series = rated(seed)
    areas, weights = [], []
    for group in set(series):
        here = np.array(series) == group
        if len(set(positive[here])) == 2:
            areas.append(roc_auc_score(positive[here], scores[here]))
            weights.append(positive[here].sum() * (~positive[here]).sum())
    assert roc_area_within(scores, positive, series) == pytest.approx(np.average(areas, weights=weights))


def test_area_within_series_against_theory_what_tells_series_apart_does_not_help(rng):
    """Two series, one rated high and one low for the most part: a score of the series alone is worth nothing."""
    series = ("x",) * 10 + ("y",) * 10
    positive = np.array([True] * 9 + [False] + [False] * 9 + [True])
    scores = np.repeat([1.0, 0.0], 10)
    assert roc_area(scores, positive) == 0.9
    assert roc_area_within(scores, positive, series) == 0.5
    assert np.isnan(roc_area_within(scores, np.repeat([True, False], 10), series))


@given(seed=st.integers(0, 99))
def test_draws_against_theory_groups_stay_together(seed):
    groups = tuple(np.random.default_rng(seed).choice(list("abcd"), 20))
    counts = draw_groups(groups, rng=seed, n_draws=50)
    for group in set(groups):
        members = counts[:, np.array(groups) == group]
        assert (members == members[:, :1]).all()
    first = [groups.index(group) for group in set(groups)]
    assert (counts[:, first].sum(axis=1) == len(first)).all()  # as many groups as there are
    within = draw_within(groups, rng=seed, n_draws=50)
    for group in set(groups):
        members = np.array(groups) == group
        assert (within[:, members].sum(axis=1) == members.sum()).all()


def test_intervals_against_scipy(rng):
    values = rng.normal(size=200)
    counts = draw_groups([str(index) for index in range(200)], rng=1)
    found = estimate(float(values.mean()), counts @ values / 200)
    expected = bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", random_state=np.random.default_rng(2)
    ).confidence_interval
    assert_allclose([found.low, found.high], expected, atol=0.15 * (expected.high - expected.low))
    assert found.low < found.value < found.high


def test_intervals_iv_draws_without_a_figure_do_not_count():
    assert estimate(0.5, np.array([np.nan, 0.4, 0.4])) == Estimate(0.5, 0.4, 0.4)
    assert np.isnan(estimate(0.5, np.array([np.nan])).low)


def test_phrases_against_theory_windows_count_up_to_the_last_onset(monkeypatch):
    """A phrase of 12 s has one window of 10 s: what sounds after it must not matter."""
    quiet, loud = (score_of([Note(float(k), 0.5, 60, 90) for k in range(n)], seconds=30.0) for n in (13, 25))
    heard = {13: (0.1, 0.1, 0.9), 25: (0.5, 0.3, 0.1)}  # share of tones by window; 25 s are two windows and a half
    rng = np.random.default_rng(0)

    def window(level):
        return rng.normal(0, level, 10 * SR) * (np.arange(10 * SR) % SR < level * SR)

    def render(scores, soundfont):
        return [
            np.concatenate([window(level) for level in heard[len(score.parts[0].notes)]]).astype(np.float32)
            for score in scores
        ]

    monkeypatch.setattr(validation, "render_scores", render)
    phrases = RatedPhrases((quiet, loud), ("x", "x"), np.array([True, False]), np.array([False, True]))
    predict = LoudnessPredict()
    areas = {area.measure: area for area in rate_phrases(predict, phrases)}
    assert predict.n_windows == [1, 2]
    assert areas["model's energy"].overall == areas["model's valence"].overall == Estimate(1.0, 1.0, 1.0)
    assert areas["onset density"].within.value == 0.0  # 13 onsets in 12 s are denser than 25 in 24 s
    assert [(area.rating, area.measure) for area in areas.values()] == [
        ("valence", "model's valence"),
        ("valence", "key clarity"),
        ("arousal", "model's energy"),
        ("arousal", "onset density"),
    ]


@pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not any(Path(font).is_file() for font in SOUNDFONTS),
    reason="FluidSynth or its soundfont is not installed",
)
def test_phrases_are_rated_against_theory(folder):
    torch.set_num_threads(1)
    areas = {area.measure: area.overall.value for area in rate_phrases(load_predictor(), load_phrases(folder))}
    assert areas["onset density"] == 1.0
    assert areas["key clarity"] == 1.0
    assert areas["model's energy"] == 1.0


def test_phrases_against_the_data_all_is_piano(tmp_path):
    for name in ("a.mid", "b.mid", "c.mid"):
        write_midi(tmp_path / name, [score_of(NOTES, program=40)], slot_seconds=12.0)
    table = "file,series,valence,arousal\na.mid,x,1,-1\nb.mid,y,-1,1\nc.mid,y,-1,-1\n"
    (tmp_path / "labels.csv").write_text(table)
    phrases = load_phrases(tmp_path)
    assert phrases.valence.tolist() == [True, False, False]
    assert phrases.arousal.tolist() == [False, True, False]
    assert phrases.series == ("x", "y", "y")
    assert all(score.seconds == 30.0 for score in phrases.scores)
    assert {part.program for score in phrases.scores for part in score.parts} == {0}


@pytest.mark.parametrize("rating", ["high", "nan", "0", "", "2.5", "inf"])
def test_phrases_iv_a_rating_is_1_or_minus_1(folder, rating):
    (folder / "labels.csv").write_text(f"file,series,valence,arousal\na.mid,x,1,-1\nb.mid,x,1,{rating}\n")
    with pytest.raises(InputError, match=f"row 3: arousal must be 1 or -1, got '{rating}'"):
        load_phrases(folder)


@pytest.mark.parametrize(("onset", "n_windows"), [(4.0, 1), (14.9, 1), (15.0, 2), (24.9, 2), (25.0, 3)])
def test_windows_that_are_heard_against_their_rule(onset, n_windows, rng):
    heard = LoudnessPredict()
    validation._mean_scores(
        heard, rng.standard_normal(30 * SR).astype(np.float32), score_of([Note(onset, 0.5, 60, 90)], 30.0)
    )
    assert heard.n_windows == [n_windows]


def test_phrases_iv(folder, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_phrases(tmp_path / "none")
    (folder / "b.mid").write_bytes(b"no MIDI")
    with pytest.raises(InputError, match="cannot be read as MIDI"):
        load_phrases(folder)
    (folder / "labels.csv").write_text("name,mood\na.mid,1\n")
    with pytest.raises(InputError, match="must have the columns"):
        load_phrases(folder)
    with pytest.raises(InputError, match="at least one note"):
        read_midi(
            write_midi(tmp_path / "late.mid", [score_of([Note(9.0, 1.0, 60, 90)])], slot_seconds=12.0), seconds=5.0
        )
    with pytest.raises(InputError, match="both high and low"):
        roc_area([1.0, 2.0], np.array([True, True]))


def test_looks_against_itself_are_counted_with_their_reasons(tmp_path):
    table = tmp_path / "looks.csv"
    assert read_looks(table) == []
    record_look(table, checkpoint="a" * 64, why=" first, of all ")
    record_look(table, checkpoint="b" * 64, why="second")
    looks = read_looks(table)
    assert [(look["checkpoint"], look["why"]) for look in looks] == [("a" * 64, "first, of all"), ("b" * 64, "second")]
    with table.open(newline="") as file:
        assert next(csv.reader(file)) == ["date", "checkpoint", "why"]
    assert [path.name for path in tmp_path.iterdir()] == ["looks.csv"]


def test_looks_iv(tmp_path):
    with pytest.raises(InputError, match="needs a reason"):
        record_look(tmp_path / "looks.csv", checkpoint="a", why=" ")
    with pytest.raises(InputError, match=r"cannot be written, .* run this in the repository"):
        record_look(tmp_path / "none" / "looks.csv", checkpoint="a", why="x")
    (tmp_path / "looks.csv").write_text("date,why\n2026-01-01,x\n")
    with pytest.raises(InputError, match="must have the columns"):
        read_looks(tmp_path / "looks.csv")


SIZES = (8, 9, 4, 40, 4, 9, 6, 16)  # of the series of the rated phrases


def series_of(sizes: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"series {place}" for place, size in enumerate(sizes) for _ in range(size))


def test_intervals_of_few_unequal_series_are_too_narrow():
    assert 0.82 < series_coverage(series_of(SIZES)) < 0.91  # what the card says: not .95


def test_intervals_of_many_equal_series_hold_what_they_promise():
    assert series_coverage(series_of((3,) * 40), n_sets=300) == pytest.approx(0.95, abs=0.03)


def test_the_sizes_of_the_series_are_those_of_the_rated_phrases():
    with shared("labelled_phrases/labels.csv").open(newline="", encoding="utf-8") as file:
        found = Counter(row["series"] for row in csv.DictReader(file))
    assert sorted(found.values()) == sorted(SIZES)
