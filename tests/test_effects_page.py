"""emomod effects from end to end: what it writes, what its page says, what it refuses."""

import csv
import json
import re
import shlex
import shutil
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from fakes import sound_file, tiny_checkpoint
from matplotlib.collections import PathCollection
from matplotlib.text import Text
from small_runs import SECONDS, small_predictor

from emomod import many_clips
from emomod.cli.main import build_parser, main
from emomod.correlations import correlate_scores
from emomod.effects import CorpusEffects, box_of
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES, spoken
from emomod.many_clips import effects_of_clips, effects_of_table, find_clips
from emomod.model.mid_to_emotion import published_layer
from emomod.output import finite
from emomod.pipeline import predict
from emomod.report import effects_page
from emomod.report.correlation_charts import draw_correlations_among, draw_weights_beside_correlations
from emomod.report.effect_charts import draw_effect_boxes
from emomod.report.words import change, number, printed
from emomod.score_tables import load_scores

NASTY = '<script>alert("1")&.wav'
LOADED = re.compile(r"@import|url\(|\bimport\b|fetch\(|XMLHttpRequest|WebSocket|https?://|<script|<link|<iframe")


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Four clips, one of them long and one with a hostile name, in a folder with other things."""
    folder = tmp_path_factory.mktemp("songs")
    (folder / "deeper").mkdir()
    sound_file(folder, seconds=SECONDS, name="one.wav", seed=1)
    sound_file(folder, seconds=SECONDS, name=NASTY, seed=2)
    sound_file(folder, seconds=2.2 * SECONDS, name="long.wav", seed=3)
    sound_file(folder / "deeper", seconds=SECONDS, name="four.wav", seed=4)
    (folder / "cover.jpg").write_bytes(b"")
    (folder / ".hidden.wav").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def result(songs, tmp_path_factory):
    out = tmp_path_factory.mktemp("effects") / "out"
    return effects_of_clips([songs], out=out, marks=["long", "<script>"], predictor=small_predictor())


@pytest.fixture
def no_pictures(monkeypatch):
    """Draw nothing, to save seconds; the pictures are those of ``result``."""
    monkeypatch.setattr(effects_page, "write_figures", lambda figures, folder: dict.fromkeys(figures, "data:,"))
    for name in ("draw_effect_boxes", "draw_correlations_among", "draw_weights_beside_correlations"):
        monkeypatch.setattr(effects_page, name, lambda *args, **kwargs: None)


@pytest.fixture(scope="module")
def html(result):
    return (result.folder / "effects.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(html):
    return " ".join(unescape(re.sub(r"<style.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)).split())


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_clips_against_the_design_folders_are_searched_and_nothing_comes_twice(songs):
    found = find_clips([songs / "one.wav", songs, songs / "deeper" / ".." / "one.wav"])
    assert len(found) == 4
    assert found[0] == str(songs / "one.wav")
    empty = songs.parent / f"{songs.name}-empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"empty: holds no sound file \(.flac, .mp3"):
        find_clips([songs, empty])


def test_clips_against_the_design_hidden_folders_and_stems_are_left_alone(tmp_path):
    corpus = [f"clips/00001/{name}.flac" for name in ("mix", "rest", "stem_melody", "stem_drums")]
    others = ["band/rest.flac", "band/stem_ginger.flac", "mix.flac", "b.MP3", "folder.wav/c.ogg"]
    hidden = [".cache/a.wav", "band/.Trash/b.wav", ".hidden.wav", "._b.mp3"]
    for name in (*corpus, *others, *hidden):
        (tmp_path / ".root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".root" / name).write_bytes(b"")
    root = tmp_path / ".root"  # hidden itself, but named
    found = {str(Path(file).relative_to(root)) for file in find_clips([root])}
    assert found == {"clips/00001/mix.flac", *others}
    stem = str(root / corpus[2])
    assert find_clips([stem]) == [stem]  # named, so wanted


def test_scores_against_predict_long_files_are_averaged_over_windows(result, songs):
    scores = result.effects.scores
    assert scores.names == ('<script>alert("1")&', "four", "long", "one")
    assert scores.n_windows == (1, 1, 3, 1)
    for name, file, midlevel in zip(scores.names, scores.files, scores.midlevel, strict=True):
        alone = predict(file, predictor=small_predictor())
        np.testing.assert_array_equal(midlevel, list(alone.midlevel.values()), err_msg=name)


def test_files_against_the_design(result):
    names = {path.name for path in result.folder.iterdir()}
    assert names == {"effects.csv", "scores.csv", "correlations.csv", "effects.json", "effects.html", "figures"}
    pictures = {path.stem for path in (result.folder / "figures").iterdir()}
    assert pictures == {"correlations", "weights", *(f"effects_{emotion}" for emotion in EMOTION_NAMES)}


def test_effects_csv_against_theory_the_effects_of_a_clip_sum_to_its_emotion(result):
    rows = rows_of(result.folder / "effects.csv")
    scores = {row["clip"]: row for row in rows_of(result.folder / "scores.csv")}
    assert len(rows) == 4 * 56
    intercepts = dict(zip(EMOTION_NAMES, published_layer().intercepts, strict=True))
    for clip, known in scores.items():
        for emotion in EMOTION_NAMES:
            parts = [float(row["effect"]) for row in rows if (row["clip"], row["emotion"]) == (clip, emotion)]
            assert sum(parts) + intercepts[emotion] == pytest.approx(float(known[emotion]), abs=2e-5)


def test_table_against_itself_scores_read_back_give_the_same_page(result, tmp_path, no_pictures):
    again = effects_of_table(
        result.folder / "scores.csv", out=tmp_path / "again", marks=["long", "<script>"], predictor=small_predictor()
    )
    for emotion in EMOTION_NAMES:
        assert again.record["sentences"][emotion] == result.record["sentences"][emotion]
    assert again.record["marked"] == result.record["marked"]
    np.testing.assert_allclose(again.effects.values, result.effects.values, atol=1e-5)
    page = (tmp_path / "again" / "effects.html").read_text(encoding="utf-8")
    assert "Scores read from the table" in page
    assert load_scores(tmp_path / "again" / "scores.csv").names == result.effects.scores.names


def test_page_against_itself_needs_no_other_file(html):
    sources = re.findall(r'(?:src|href|srcset|poster|action)="([^"]*)"', html)
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert not LOADED.search(re.sub(r'"data:[^"]*"', "", html))
    assert "default-src 'none'" in html
    assert len(html) < 4e6


def test_names_from_outside_against_itself_stay_text(html, text, result):
    assert "<script" not in html
    for name, sentence in result.record["marked"].items():
        assert text.count(name) >= 1 + len(EMOTION_NAMES)  # in words, and below each picture
        assert printed(sentence) in text


def test_numbers_against_itself_those_of_the_result(html, result):
    for emotion in EMOTION_NAMES:
        table = re.search(rf"Numbers: effects on {emotion}<.*?</table>", html, re.DOTALL)
        assert table
        for name, box in [*result.effects.boxes(emotion).items(), (emotion, result.effects.sum_box(emotion))]:
            row = re.search(rf'<tr><th scope="row">{spoken(name)}</th>.*?</tr>', table[0], re.DOTALL)
            assert row
            cells = re.findall(r'<td class="number">([^<]*)</td>', row[0])
            assert cells[1:3] == [
                change(box.median, 3),
                f"{change(box.quartile_low, 3)} to {change(box.quartile_high, 3)}",
            ]
            assert len(cells) == 4 + 2  # and one a marked clip


def test_correlations_against_itself_the_page_s_and_the_table_s(html, text, result):
    rows = rows_of(result.folder / "correlations.csv")
    assert len(rows) == 77
    for row in rows[:21]:
        a, b = spoken(row["a"]), spoken(row["b"])
        assert f'<th scope="row">{a}</th><td>{b}</td><td class="number">{number(float(row["r"]), 2)}</td>' in html
    assert f"{len(result.correlations.flips)} of 56 pairs" in text or "Here no pair shows that clearly." in text
    assert "no findings about emotions" in text
    for source in ("Molnar", "Fisher", "Belsley", "Conger", "McGill"):
        assert source in text


def test_warnings_against_the_design_few_clips(result, text):
    (told,) = result.record["warnings"]
    assert told.startswith("4 clips are few: quartiles are rough, the intervals of the correlations are wide, and ")
    assert told.endswith("variance inflation needs 30")
    assert result.record["warnings"][0] in text


def test_held_out_r_against_itself_is_said_where_the_card_has_it(text):
    assert "labels of clips that it had not seen: articulation r .79." in text


@pytest.mark.parametrize("n", (2, 3, 29, 30))
def test_few_clips_against_the_design_the_page_holds(tmp_path, rng, n, no_pictures):
    rows = [",".join(["clip", *MIDLEVEL_NAMES])]
    rows += [",".join([f"c{k}", *(f"{value:.3f}" for value in rng.random(7))]) for k in range(n)]
    (tmp_path / "few.csv").write_text("\n".join(rows))
    record = effects_of_table(tmp_path / "few.csv", out=tmp_path / "out", predictor=small_predictor()).record
    page = (tmp_path / "out" / "effects.html").read_text(encoding="utf-8")
    assert (f"Of {n} clips nothing can be said" in page) == (n < 4)
    assert ("That takes at least 30 clips" in page) == (n < 30)
    assert ("<caption>Variance inflation factors" in page) == (n >= 30)
    assert [f is None for f in finite(record["correlations"]["variance_inflation"]).values()] == [n < 30] * 7
    assert record["correlations"]["n"] == n
    json.loads((tmp_path / "out" / "effects.json").read_text())


def test_warnings_against_the_card_what_was_learned_poorly_is_named(result, tmp_path, no_pictures):
    predictor = small_predictor()
    predictor.checkpoint.card["figures"] = {"test_r": {"minorness": 0.0, "dissonance": 0.39, "articulation": None}}
    table = result.folder / "scores.csv"
    record = effects_of_table(table, out=tmp_path / "out", predictor=predictor).record
    assert record["warnings"][-1].endswith("had not seen: dissonance (r = 0.39) and minorness (r = 0.00)")


def test_command_against_itself_is_understood(html, songs):
    command = unescape(re.search(r"<pre><code>(.*?)</code></pre>", html, re.DOTALL)[1])  # type: ignore[index]
    arguments = build_parser().parse_args(shlex.split(command)[1:])
    assert [str(clip) for clip in arguments.clips] == [str(songs)]
    assert arguments.mark == ["long", "<script>"]


def test_command_line_from_end_to_end_bad_files_are_named(songs, tmp_path, capsys, no_pictures):
    model = ["--model", str(tiny_checkpoint(tmp_path / "t.safetensors")), "--device", "cpu"]
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    clips = [str(songs / "one.wav"), str(songs / "deeper"), str(broken)]
    out = tmp_path / "out"
    assert main(["effects", *clips, "--mark", "four", "--out", str(out), "--json", *model]) == 1
    printed = capsys.readouterr()
    record = json.loads(printed.out)
    assert record == json.loads((out / "effects.json").read_text())
    assert list(record["unusable"]) == [str(broken)]
    assert f"emomod: {broken}: cannot be decoded" in printed.err
    assert "left out: " in (out / "effects.html").read_text(encoding="utf-8")
    assert main(["effects", "--from", str(out / "scores.csv"), "--out", str(tmp_path / "b"), *model]) == 0
    assert "Energy is around" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name clips or folders, or else a table of scores"),
        (("one.wav", "--from", "t.csv"), "name clips or folders, or else a table of scores"),
        (("one.wav",), "clips must be at least 2 that can be used, got 1"),
        (("one.wav", "cover.jpg"), r"1 of 2 clips cannot be used; .*cover.jpg: the file is empty"),
        (("one.wav", "long.wav", "--mark", "nobody"), "mark must be the name of a clip, got 'nobody'"),
        (
            ("one.wav", "long.wav", "cover.jpg", "--mark", "cover"),
            "a clip to mark cannot be used: cover.jpg: the file is empty",
        ),
    ],
)
def test_command_line_iv(songs, tmp_path, capsys, monkeypatch, words, told):
    model = ["--model", str(tiny_checkpoint(tmp_path / "t.safetensors")), "--device", "cpu"]
    monkeypatch.chdir(songs)
    assert main(["effects", *words, "--out", str(tmp_path / "out"), *model]) == 1
    assert re.search(told, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def refuse_to_listen(*args, **kwargs):
    raise AssertionError("listened before all was checked")


@pytest.mark.parametrize(
    ("clips", "marks", "told"),
    [
        ([*"abcdefghi"], [*"abcdefghi"], "at most 8 clips can be marked, got 9"),
        (["a"], [], "clips must be at least 2 that can be used, got 1"),
        ([*"ab"], ["c"], "mark must be the name of a clip, got 'c'"),
        (["a", "typo", "b", "mistake"], [], r"typo\.wav, .*mistake\.wav: there is no such file or folder"),
    ],
)
def test_what_can_be_known_before_listening_is_refused_before_it(tmp_path, monkeypatch, clips, marks, told):
    for name in "abcdefghi":
        (tmp_path / f"{name}.wav").write_bytes(b"")
    monkeypatch.setattr(many_clips, "predict", refuse_to_listen)
    paths = [tmp_path / f"{name}.wav" for name in clips]
    with pytest.raises(InputError, match=told):
        effects_of_clips(paths, out=tmp_path / "out", marks=marks, predictor=small_predictor())


def test_copies_against_the_design_are_said_and_kept(songs, tmp_path, capsys, no_pictures):
    model = ["--model", str(tiny_checkpoint(tmp_path / "t.safetensors")), "--device", "cpu"]
    shutil.copy(songs / "one.wav", tmp_path / "again.wav")
    clips = [str(songs / "one.wav"), str(tmp_path / "again.wav"), str(songs / "deeper")]
    assert main(["effects", *clips, "--out", str(tmp_path / "out"), *model]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = "clips that are copies of others, byte for byte, count again: again of one"
    assert f"warning: {told}" in lines
    assert any(line.startswith("warning: 3 clips are few: ") for line in lines)
    page = (tmp_path / "out" / "effects.html").read_text(encoding="utf-8")
    assert told in page
    assert len(rows_of(tmp_path / "out" / "scores.csv")) == 3


def test_one_level_iv(songs, tmp_path):
    with pytest.raises(InputError, match="the model must have a mid-level layer"):
        effects_of_clips([songs], out=tmp_path / "out", predictor=small_predictor(two_levels=False))


def test_output_against_the_design_an_earlier_one_is_replaced_and_inputs_are_kept(result, tmp_path, no_pictures):
    out = tmp_path / "out"
    shutil.copytree(result.folder, out)
    with pytest.raises(InputError, match="would be replaced"):
        effects_of_table(out / "scores.csv", out=out, predictor=small_predictor())
    shutil.copy(out / "scores.csv", tmp_path / "scores.csv")
    effects_of_table(tmp_path / "scores.csv", out=out, predictor=small_predictor())
    assert json.loads((out / "effects.json").read_text())["marked"] == {}


def words_of(figure):
    return [artist.get_text() for artist in figure.findobj(match=Text)]


def test_boxes_against_theory_every_marked_clip_has_its_letter_and_value_in_each_row(rng):
    values = rng.uniform(-0.4, 0.4, (30, 8))
    marked = {"A": 3, "B": 17, "C": 29}
    words = words_of(draw_effect_boxes([*MIDLEVEL_NAMES, "fear"], values, marked=marked, limits=(-0.5, 0.5)))
    for letter, clip in marked.items():
        assert words.count(letter) == 8
        for value in values[clip]:
            assert change(float(value)) in words


@pytest.mark.parametrize("n", (200, 201))
def test_dots_against_theory_many_clips_leave_only_those_beyond_the_whiskers(rng, n):
    values = rng.standard_t(2, (n, 8))
    figure = draw_effect_boxes([*MIDLEVEL_NAMES, "sad"], values, marked={}, limits=(-9, 9))
    drawn = [np.shape(dots.get_offsets())[0] for dots in figure.axes[0].collections if isinstance(dots, PathCollection)]
    boxes = [box_of(column) for column in values.T]
    beyond = [int(((v < b.whisker_low) | (v > b.whisker_high)).sum()) for v, b in zip(values.T, boxes, strict=True)]
    assert drawn == ([n] * 8 if n == 200 else beyond)


def test_marks_against_theory_none_hides_another(rng):
    values = np.repeat(rng.uniform(-0.4, 0.4, (1, 8)), 20, axis=0)  # all clips alike
    figure = draw_effect_boxes([*MIDLEVEL_NAMES, "sad"], values, marked=dict(zip("ABCDEFGH", range(8))), limits=(-1, 1))  # noqa: B905
    figure.draw_without_rendering()
    letters = [t for t in figure.axes[0].texts if t.get_text() in "ABCDEFGH"]
    heights = sorted(figure.axes[0].transData.transform(t.get_position())[1] for t in letters)
    disc = np.sqrt(80) * figure.dpi / 72  # pixels
    assert len(letters) == 64
    assert min(np.diff(heights)) > disc


def test_heat_maps_against_theory_numbers_and_frames(rng):
    midlevel = rng.random((30, 7))
    midlevel[:, 2] = midlevel[:, 1] + 0.05 * rng.random(30)
    layer = published_layer()
    found = correlate_scores(midlevel, layer.emotions(midlevel), layer.weights)
    words = words_of(draw_correlations_among(found))
    for i, j in zip(*np.tril_indices(7, k=-1), strict=True):
        assert number(float(found.among.r[i, j]), 2) in words
    figure = draw_weights_beside_correlations(found)
    assert [len(axes.patches) for axes in figure.axes] == [len(found.flips)] * 2
    assert len(found.flips) > 0


def test_scores_against_the_design_ratings_may_come_with_the_table(tmp_path, rng):
    rows = [",".join(["clip", *SCORE_NAMES])]
    rows += [",".join([f"c{k}", *(f"{value:.3f}" for value in rng.random(15))]) for k in range(12)]
    (tmp_path / "ratings.csv").write_text("\n".join(rows))
    effects = CorpusEffects(load_scores(tmp_path / "ratings.csv"), published_layer())
    assert not effects.induced
