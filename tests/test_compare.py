"""Versions of a song compared: differences against theory, words against the design, the page against the record."""

import base64
import csv
import io
import json
import re
import shlex
import shutil
from html import unescape

import numpy as np
import pytest
import soundfile
from fakes import sound_file, tiny_checkpoint, tones
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_runs import SECONDS, small_predictor

from emomod.audio import SAMPLE_RATE
from emomod.cli.main import build_parser, main
from emomod.comparison import Comparison, Version
from emomod.differences import COMPARED, difference_sentence
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES, spoken
from emomod.loudness import loudness
from emomod.many_clips import compare
from emomod.model.mid_to_emotion import published_layer
from emomod.pipeline import predict
from emomod.report import compare_page
from emomod.report.words import change, number, printed

LAYER = published_layer()
NASTY = "<script>alert(1)</script>&"
FEATURES = arrays(np.float64, 7, elements=st.floats(0, 1, width=32))


def version(label, midlevel, *, n_windows=1, jitter=0.0):
    rows = np.tile(np.concatenate([midlevel, LAYER.emotions(midlevel)]), (n_windows, 1))
    rows += jitter * np.linspace(-1, 1, n_windows)[:, None]
    starts = tuple(10.0 * k for k in range(n_windows))
    return Version(label, f"{label}.wav", label, 10.0 * n_windows, starts, rows)


@given(FEATURES, FEATURES)
def test_differences_against_theory_they_add_up_exactly(a, b):
    one, other = version("A", a), version("B", b)
    parts = Comparison((one, other), LAYER).contributions(one, other)
    np.testing.assert_allclose(parts, LAYER.weights * (b - a), atol=1e-15)
    np.testing.assert_allclose(parts.sum(axis=1), LAYER.emotions(b) - LAYER.emotions(a), atol=1e-12)
    np.testing.assert_allclose(parts.sum(axis=1), (other.scores - one.scores)[7:], atol=1e-12)


@given(FEATURES, FEATURES, st.sampled_from(EMOTION_NAMES))
def test_sentences_against_theory_the_numbers_in_them_are_parts(a, b, emotion):
    row = EMOTION_NAMES.index(emotion)
    sentence = difference_sentence(emotion, b - a, LAYER.weights[row], who="B", than="A")
    parts = LAYER.weights[row] * (b - a)
    more, less, as_much = COMPARED[emotion]
    opening = as_much if abs(parts.sum()) < 0.015 else more if parts.sum() > 0 else less
    assert sentence.startswith(("B is heard about " if opening == as_much else "B is heard ") + opening)
    for way, feature, written in re.findall(r"(more|less) (\w+(?: \w+)?) \(([-+]\d\.\d\d)\)", sentence):
        column = MIDLEVEL_NAMES.index(feature.replace(" ", "_"))
        assert float(written) == pytest.approx(parts[column], abs=0.00501)
        assert (way == "more") == ((b - a)[column] > 0)


def sentence_of(parts, *, emotion="tender"):
    """A sentence on changes whose parts are ``parts`` by feature; weights are 1."""
    changes = np.array([parts.get(name, 0.0) for name in MIDLEVEL_NAMES])
    return difference_sentence(emotion, changes, np.ones(7), who="B", than="A")


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({}, "B is heard about as tender as A (+0.00)."),
        ({"dissonance": 0.3}, "B is heard more tender than A (+0.30), mainly through more dissonance (+0.30)."),
        (
            {"dissonance": 0.3, "minorness": -0.2},
            (
                "B is heard more tender than A (+0.10), mainly through more dissonance (+0.30)"
                "; less minorness (-0.20) works against it."
            ),
        ),
        (
            {"dissonance": -0.3, "minorness": 0.01},
            "B is heard less tender than A (-0.29), mainly through less dissonance (-0.30).",
        ),
        (
            {"dissonance": 0.1, "minorness": -0.1},
            (
                "B is heard about as tender as A (+0.00): "
                "more dissonance (+0.10) and, against that, less minorness (-0.10)."
            ),
        ),
        (
            dict.fromkeys(MIDLEVEL_NAMES, 0.004),
            "B is heard more tender than A (+0.03), through many small differences.",
        ),
        (
            dict.fromkeys(MIDLEVEL_NAMES, 0.1),
            (
                "B is heard more tender than A (+0.70), mainly through more melodiousness (+0.10), "
                "more articulation (+0.10) and more rhythm complexity (+0.10)."
            ),
        ),
    ],
)
def test_sentences_against_the_design(parts, told):
    assert sentence_of(parts) == told


def test_headlines_against_theory_largest_gap_first_highest_beside_lowest(rng):
    versions = tuple(version(label, rng.random(7)) for label in "ABCD")
    compared = Comparison(versions, LAYER)
    emotions = np.array([v.scores[7:] for v in versions])
    gaps = np.ptp(emotions, axis=0)
    headlines = compared.headlines()
    assert list(headlines) == [EMOTION_NAMES[k] for k in np.argsort(-gaps)]
    for row, emotion in enumerate(EMOTION_NAMES):
        low, high = "ABCD"[emotions[:, row].argmin()], "ABCD"[emotions[:, row].argmax()]
        assert headlines[emotion].startswith(f"{high} is heard {COMPARED[emotion][0]} than {low} (+")
    same = Comparison(
        (version("A", np.full(7, 0.5)), version("B", np.full(7, 0.5)), version("C", np.full(7, 0.5))), LAYER
    )
    assert all("about as" in sentence for sentence in same.headlines().values())


def test_spread_against_numpy():
    found = version("A", np.full(7, 0.5), n_windows=5, jitter=0.1)
    np.testing.assert_allclose(found.spread, found.window_scores.std(axis=0, ddof=1))
    assert version("A", np.full(7, 0.5)).spread is None


def test_rows_against_theory_every_pair_once(rng):
    compared = Comparison(tuple(version(label, rng.random(7)) for label in "ABC"), LAYER)
    rows = list(compared.rows())
    assert len(rows) == 3 * 56
    assert {(row["from"], row["to"]) for row in rows} == {("A", "B"), ("A", "C"), ("B", "C")}
    for row in rows:
        assert row["difference"] == pytest.approx(row["weight"] * (row["score_to"] - row["score_from"]), abs=1e-12)
        assert row["difference"] == pytest.approx(row["effect_to"] - row["effect_from"], abs=1e-12)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two versions, the second louder, longer and with a hostile name."""
    folder = tmp_path_factory.mktemp("versions")
    soundfile.write(folder / "first.wav", 0.2 * tones(SECONDS), SAMPLE_RATE)
    name = folder / f"{NASTY.replace('/', '')}.wav"
    soundfile.write(name, tones(3 * SECONDS, seed=1), SAMPLE_RATE)
    return [folder / "first.wav", name]


@pytest.fixture(scope="module")
def result(files, tmp_path_factory):
    return compare(files, out=tmp_path_factory.mktemp("compare") / "out", predictor=small_predictor())


@pytest.fixture
def no_pictures(monkeypatch):
    """Draw nothing, to save seconds; the pictures are those of ``result``."""
    monkeypatch.setattr(compare_page, "write_figures", lambda figures, folder: dict.fromkeys(figures, "data:,"))
    monkeypatch.setattr(compare_page, "draw_versions", lambda *args, **kwargs: None)


@pytest.fixture(scope="module")
def html(result):
    return (result.folder / "compare.html").read_text(encoding="utf-8")


def test_scores_against_predict(result, files):
    for file, found in zip(files, result.comparison.versions, strict=True):
        alone = predict(file, predictor=small_predictor())
        np.testing.assert_allclose(found.scores, [*alone.midlevel.values(), *alone.emotion.values()], atol=1e-12)
        assert len(found.starts) == alone.n_windows
    assert result.comparison.versions[1].spread is not None


def test_record_and_table_against_theory_parts_sum_to_the_difference_of_scores(result):
    record = json.loads((result.folder / "compare.json").read_text())
    pair = record["differences"][0]
    with (result.folder / "compare.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for emotion in EMOTION_NAMES:
        assert sum(pair["parts"][emotion].values()) == pytest.approx(pair["scores"][emotion], abs=1e-6)
        parts = [float(row["difference"]) for row in rows if row["emotion"] == emotion]
        np.testing.assert_allclose(parts, list(pair["parts"][emotion].values()), rtol=1e-4, atol=1e-6)
    assert {path.name for path in result.folder.iterdir()} == {"compare.json", "compare.csv", "compare.html", "figures"}


def test_page_against_itself_needs_no_other_file_and_names_stay_text(html):
    sources = re.findall(r'(?:src|href|srcset|poster|action)="([^"]*)"', html)
    assert all(source.startswith(("data:", "#")) for source in sources)
    bare = re.sub(r'"data:[^"]*"', "", html)
    assert not re.search(r"@import|url\(|\bimport\b|fetch\(|XMLHttpRequest|WebSocket|https?://|<link|<iframe", bare)
    assert html.count("<script") == 1  # ours
    assert "&lt;script&gt;alert(1)" in html


def test_page_against_the_record_scores_differences_and_words(html, result):
    one, other = result.comparison.versions
    for column, name in enumerate(SCORE_NAMES):
        row = re.search(rf'<tr><th scope="row">{spoken(name)}\b.*?</tr>', html, re.DOTALL)
        assert row
        cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row[0])]
        assert cells[0] == number(float(one.scores[column]), 2)
        assert cells[1].split(" ± ")[0] == number(float(other.scores[column]), 2)
        assert cells[2] == change(float(other.scores[column] - one.scores[column]))
    for sentence in result.record["sentences"].values():
        assert html.count(printed(sentence)) == 2  # on top, and with its picture
    assert "± is the standard deviation" in html


def test_players_against_bs1770_versions_are_equally_loud(html, result):
    sounds = re.findall(r'<audio[^>]*src="data:audio/flac;base64,([^"]*)"', html)
    levels = []
    for sound, found in zip(sounds, result.comparison.versions, strict=True):
        y, sr = soundfile.read(io.BytesIO(base64.b64decode(sound)))
        assert (sr, len(y)) == (SAMPLE_RATE, round(found.seconds * SAMPLE_RATE))
        assert np.abs(y).max() <= 1.0
        levels.append(loudness(y))
    assert levels[0] == pytest.approx(levels[1], abs=0.1)
    assert loudness(0.2 * tones(SECONDS)) < levels[0] - 6


def test_command_against_itself_is_understood(html, files):
    command = unescape(re.search(r"<pre><code>(.*?)</code></pre>", html, re.DOTALL)[1])  # type: ignore[index]
    assert build_parser().parse_args(shlex.split(command)[1:]).clips == files


def test_command_line_from_end_to_end_three_clips(tmp_path, capsys, no_pictures):
    model = ["--model", str(tiny_checkpoint(tmp_path / "t.safetensors")), "--device", "cpu"]
    clips = [str(sound_file(tmp_path, seconds=1.0, name=f"{k}.wav", seed=k)) for k in range(3)]
    assert main(["compare", *clips, "--out", str(tmp_path / "out"), *model]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"A  {clips[0]}\nB  {clips[1]}\nC  {clips[2]}\n\n")
    assert printed.count(" is heard ") == 8
    assert "warning: A is 1.0 s long, but the model learned from 2 s" in printed
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    assert "3 versions compared" in page
    assert "A is 1.0 s long" in page
    assert main(["compare", *clips[:2], "--out", str(tmp_path / "out"), "--json", *model]) == 0  # replaces it
    assert len(json.loads(capsys.readouterr().out)["versions"]) == 2


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.wav"], "clips to compare must be 2 to 6, got 1"),
        (["a.wav"] * 7, "clips to compare must be 2 to 6, got 7"),
        (["a.wav", "a.wav"], "are the same file, byte for byte: nothing to compare"),
        (["a.wav", "copy.wav"], "are the same file, byte for byte: nothing to compare"),
        (["a.wav", "short.wav"], "short.wav: must be at least 0.5 s long, got 0.300 s"),
        (["a.wav", "absent.wav"], "absent.wav: there is no such file"),
    ],
)
def test_compare_iv(tmp_path, capsys, names, told):
    sound_file(tmp_path, seconds=1.0, name="a.wav")
    shutil.copy(tmp_path / "a.wav", tmp_path / "copy.wav")
    sound_file(tmp_path, seconds=0.3, name="short.wav")
    model = ["--model", str(tiny_checkpoint(tmp_path / "t.safetensors")), "--device", "cpu"]
    clips = [str(tmp_path / name) for name in names]
    assert main(["compare", *clips, "--out", str(tmp_path / "out"), *model]) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.wav", "b.wav", "copy.wav"], "a.wav and .*copy.wav are the same file, byte for byte"),
        (["a.wav", "absent.wav"], "absent.wav: there is no such file"),
        (["a.wav", "."], "is a folder"),
    ],
)
def test_compare_iv_before_listening(tmp_path, monkeypatch, names, told):
    for name, content in (("a.wav", b"a"), ("b.wav", b"b"), ("copy.wav", b"a")):
        (tmp_path / name).write_bytes(content)  # no sounds: whoever listens is refused in other words
    with pytest.raises(InputError, match=told):
        compare([tmp_path / name for name in names], out=tmp_path / "out", predictor=small_predictor())


def test_page_against_print_there_is_one_minus_sign(html):
    shown = re.sub(r"<pre>.*?</pre>|<style.*?</style>|<script.*?</script>|<details>.*", "", html, flags=re.DOTALL)
    words = re.sub(r"<[^>]*>", " ", shown)
    assert "−0." in words
    assert not re.search(r"-\d\.\d", words)


def test_compare_iv_one_level(files, tmp_path):
    with pytest.raises(InputError, match="the model must have a mid-level layer"):
        compare(files, out=tmp_path / "out", predictor=small_predictor(two_levels=False))
