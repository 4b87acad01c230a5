"""Stimuli that differ in nothing but the manipulation, and studies that come back from disk."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from fakes import sound_file, tones
from small_runs import small_predictor
from small_studies import LIME, small_plan, small_study

from emomod.audio import SAMPLE_RATE
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from emomod.loudness import loudness
from emomod.rescoring import score_file
from listening_study import stimuli
from listening_study.conditions import ORIGINAL, SOFTER
from listening_study.levels import dithered, faded, true_peak_db
from listening_study.package import make_study, read_study
from listening_study.plan import Item, items_of, write_plan
from listening_study.stimuli import check_delivered, equally_long, matched_levels, read_clips


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return small_study(tmp_path_factory.mktemp("study"), versions=("enhanced", "weakened", "opposite", "sham"))


# ---- levels ----------------------------------------------------------------------------------------------------------


def test_true_peak_against_theory():
    """A sine at a quarter of the rate, its samples 45 degrees beside the crests: 3.01 dB above the largest sample."""
    n = np.arange(8000)
    y = 0.5 * np.sin(np.pi / 2 * n + np.pi / 4) * np.hanning(8000)
    assert true_peak_db(y) == pytest.approx(20 * np.log10(0.5), abs=0.1)
    assert true_peak_db(y) - 20 * np.log10(np.abs(y).max()) == pytest.approx(3.01, abs=0.1)
    assert true_peak_db(np.zeros(100)) == -np.inf


def test_fades_against_theory():
    y = faded(np.ones(SAMPLE_RATE))
    n = round(0.02 * SAMPLE_RATE)
    assert np.all(np.diff(y[:n]) > 0)
    assert np.array_equal(y, y[::-1])
    assert np.all(y[n:-n] == 1.0)
    assert y[0] < 1e-4
    assert faded(np.ones(1)).tolist() == [1.0]


def test_dither_against_theory(rng):
    """The mean of many roundings of a level between two steps is that level, which rounding alone never gives."""
    step = 2.0**-15
    y = np.full(200_000, 0.3 * step)
    rounded = np.round(dithered(y, rng=rng) / step) * step
    assert rounded.mean() == pytest.approx(0.3 * step, abs=0.01 * step)
    assert rounded.var() == pytest.approx(0.25 * step**2, rel=0.02)  # a third of a step of noise, whatever the level


# ---- the gate --------------------------------------------------------------------------------------------------------


def test_delivered_versions_against_their_files(study):
    for each in study.stimuli.values():
        y, rate = soundfile.read(study.path(each))
        assert (rate, y.ndim) == (SAMPLE_RATE, 1)
        assert soundfile.info(study.path(each)).subtype == "PCM_16"
        original, _ = soundfile.read(study.path(study.stimulus(each.item, ORIGINAL)))
        assert y.size == original.size
        wanted = loudness(original) - (12.0 if each.condition == SOFTER else 0.0)
        assert loudness(y) == pytest.approx(wanted, abs=0.1)
        assert true_peak_db(y) <= -1.0
        assert np.abs(y[[0, -1]]).max() < 1e-3
        assert np.array_equal(each.scores, score_file(small_predictor(), study.path(each), seconds=2.5))
    assert len({study.path(each).stat().st_size for each in study.stimuli.values()}) == 1


def test_versions_against_what_was_asked_for(study):
    conditions = [ORIGINAL, SOFTER, *(condition.name for condition in study.plan.conditions)]
    assert sorted((each.item, each.condition) for each in study.stimuli.values()) == sorted(
        (item.name, name) for item in study.plan.items for name in conditions
    )
    for item in study.plan.items:
        same = study.stimulus(item.name, ORIGINAL)
        assert (same.n_changed, study.stimulus(item.name, SOFTER).n_changed) == (0, 0)
        for target in study.plan.targets:
            enhanced, weakened = (study.stimulus(item.name, f"{target} {v} 6 dB") for v in ("enhanced", "weakened"))
            assert enhanced.n_changed == weakened.n_changed > 0
            assert study.predicted(item.name, enhanced.condition, target) > 0
            assert study.predicted(item.name, weakened.condition, target) < 0
            assert study.predicted(item.name, ORIGINAL, target) == 0.0


def test_names_tell_nothing(study):
    names = {path.name for path in (study.folder / "stimuli").iterdir()}
    assert names == {f"{token}.wav" for token in study.stimuli}
    assert all(len(name) == 19 for name in names)
    told = b"".join(path.read_bytes() for path in (study.folder / "stimuli").iterdir()).lower()
    words = {word for condition in study.plan.conditions for word in condition.name.split() if len(word) > 3}
    assert not [word for word in [*words, *(item.name for item in study.plan.items)] if word.encode() in told]


def test_a_study_comes_back_from_disk(study):
    again = read_study(study.folder)
    assert again.lists == study.lists
    assert again.names == SCORE_NAMES
    assert again.stimuli.keys() == study.stimuli.keys()
    for token, each in study.stimuli.items():
        other = again.stimuli[token]
        assert (other.item, other.condition, other.sha256) == (each.item, each.condition, each.sha256)
        np.testing.assert_allclose(other.scores, each.scores, rtol=1e-5)
    with (study.folder / "private" / "lists.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(map(len, study.lists))
    assert {token for row in rows for token in row["heard"].split()} <= set(study.stimuli)


def test_a_study_against_itself(study, tmp_path):
    (tmp_path / "again").mkdir()
    plan = replace(study.plan, items=small_plan(tmp_path / "again").items)
    again = make_study(plan, tmp_path / "out", predictor=small_predictor(), method=LIME)
    assert {t: each.sha256 for t, each in again.stimuli.items()} == {t: e.sha256 for t, e in study.stimuli.items()}


def test_a_changed_study_is_refused(tmp_path):
    made = small_study(tmp_path, repeats=0, catch=0, targets=("energy",))
    each = next(iter(made.stimuli.values()))
    whole = made.path(each).read_bytes()
    made.path(each).write_bytes(whole[:-2] + b"\x01\x01")
    with pytest.raises(InputError, match=f"{each.token}.wav was changed after it was made"):
        read_study(made.folder)
    made.path(each).unlink()
    with pytest.raises(InputError, match=f"{each.token}.wav is missing"):
        read_study(made.folder)
    made.path(each).write_bytes(whole)
    write_plan(made.folder / "private" / "study.yaml", replace(made.plan, seed=5))
    with pytest.raises(InputError, match="was changed after the stimuli were made"):
        read_study(made.folder)
    with pytest.raises(InputError, match="holds no study"):
        read_study(tmp_path)


def test_a_changed_key_is_refused(tmp_path):
    made = small_study(tmp_path, repeats=0, catch=0, targets=("energy",))
    key = made.folder / "private" / "key.csv"
    key.write_text(key.read_text().replace("enhanced", "weakened"))
    with pytest.raises(InputError, match=r"key\.csv was changed after the stimuli were made"):
        read_study(made.folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lufs": -22.8}, "energy enhanced 6 dB: lies [+]0.20 LU from where it should"),
        ({"true_peak_db": -0.9}, "energy enhanced 6 dB: has a true peak of -0.90 dBTP"),
        ({"sha256": "a"}, "original, energy enhanced 6 dB: are the same file"),
    ],
)
def test_the_gate_iv(study, change, says):
    item = study.plan.items[0].name
    original, version = (study.stimulus(item, name) for name in (ORIGINAL, "energy enhanced 6 dB"))
    fixed = [replace(each, lufs=-23.0, true_peak_db=-3.0, sha256=s) for each, s in ((original, "a"), (version, "b"))]
    check_delivered(fixed)
    with pytest.raises(InputError, match=says):
        check_delivered([fixed[0], replace(fixed[1], **change)])


def test_levels_iv():
    y = 0.3 * tones(2.0).astype(np.float64)
    assert matched_levels({ORIGINAL: y, "a": 0.5 * y})["a"] == pytest.approx(
        matched_levels({ORIGINAL: y, "a": 0.5 * y})[ORIGINAL] + 6.02, abs=0.01
    )
    with pytest.raises(InputError, match="a: is silent"):
        matched_levels({ORIGINAL: y, "a": 0 * y})
    with pytest.raises(InputError, match=r"a: is 30\.5 dB softer than the original"):
        matched_levels({ORIGINAL: y, "a": 0.03 * y})


def test_peaks_attenuate_the_whole_item():
    """An impulse over a soft tone: peaks leave no room for -23 LUFS, so all versions lie as much below."""
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    y = 0.01 * np.sin(2 * np.pi * 440 * time)
    y[SAMPLE_RATE] = 0.9
    gains = matched_levels({ORIGINAL: y, "a": y})
    assert gains[ORIGINAL] == gains["a"]
    assert true_peak_db(y) + gains["a"] == pytest.approx(-1.05, abs=0.01)


def test_clips_are_cut_to_the_shortest_or_refused(tmp_path):
    paths = [
        sound_file(tmp_path, name=f"{name}.wav", seconds=seconds)
        for name, seconds in (("a", 2.0), ("b", 2.005), ("c", 2.1))
    ]
    clips = read_clips(items_of(paths), seconds=10.0)
    cut = equally_long(clips[:2])
    assert [clip.y.size for clip in cut] == [clips[0].y.size] * 2
    assert np.array_equal(cut[1].y, clips[1].y[: clips[0].y.size])
    with pytest.raises(InputError, match=r"equally long: .*a\.wav has 2\.000 s from 0 s on, .*c\.wav has 2\.100 s"):
        equally_long(clips)


def test_studies_iv(tmp_path, monkeypatch):
    plan, predictor = small_plan(tmp_path), small_predictor()
    gone = replace(plan, items=(*plan.items, Item("gone", str(tmp_path / "gone.wav"))))
    soundfile.write(tmp_path / "silent.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    silent = replace(plan, items=(*plan.items, Item("quiet", str(tmp_path / "silent.wav"))))
    for broken, says in ((gone, "item gone: .*gone.wav"), (silent, "item quiet: .*is silent")):
        with pytest.raises(InputError, match=says):
            make_study(broken, tmp_path / "out", predictor=predictor, method=LIME)
        assert not (tmp_path / "out").exists()
    emotions = small_predictor(two_levels=False)
    with pytest.raises(InputError, match="target must be one of valence"):
        make_study(plan, tmp_path / "out", predictor=emotions, method=LIME)
    with pytest.raises(InputError, match="item clip0: articulation enhanced 6 dB: no positive component stands out"):
        make_study(replace(plan, rule="ratio:0"), tmp_path / "out", predictor=predictor, method=LIME)
    monkeypatch.setattr(stimuli, "TOLERANCE_LU", -1.0)
    with pytest.raises(InputError, match=r"item clip0: original: lies \+0.00 LU"):
        make_study(plan, tmp_path / "out", predictor=predictor, method=LIME)
    assert not (tmp_path / "out").exists()
