"""Tables of scores: what is written is read, and every fault has its row."""

import csv

import numpy as np
import pytest

from emomod.datasets.problems import DatasetError
from emomod.effects import ClipScores, CorpusEffects
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.output import write_csv
from emomod.score_tables import load_scores

LAYER = published_layer()


def test_table_against_itself_what_is_written_is_read(tmp_path, rng):
    names = ('comma, "quote"', "<script>", "Ünï", "=1+1")
    files = tuple(f"songs/{k}.wav" for k in range(4))
    scores = ClipScores(names, files, (1, 2, 3, 4), rng.random((4, 7)), None)
    write_csv(tmp_path / "scores.csv", scores.rows(LAYER))
    found = load_scores(tmp_path / "scores.csv")
    assert (found.names, found.files, found.n_windows) == (names, scores.files, scores.n_windows)
    np.testing.assert_allclose(found.midlevel, scores.midlevel, rtol=1e-5)
    assert found.emotions is not None
    np.testing.assert_allclose(found.emotions, LAYER.emotions(scores.midlevel), rtol=1e-5, atol=1e-9)
    assert CorpusEffects(found, LAYER).induced


def table(path, rows, *, columns=("clip", *MIDLEVEL_NAMES), encoding="utf-8"):
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def test_table_against_the_design_a_corpus_s_labels_with_a_byte_order_mark(tmp_path):
    path = table(
        tmp_path / "labels.csv",
        [(k, "song", *[0.1 * k] * 7, 9.0) for k in range(3)],
        columns=("clip", "song", *MIDLEVEL_NAMES, "raw_articulation"),
        encoding="utf-8-sig",
    )
    found = load_scores(path)
    assert (found.names, found.emotions, found.n_windows) == (("0", "1", "2"), None, (0, 0, 0))
    np.testing.assert_allclose(found.midlevel[2], 0.2)


GOOD = ("a", *[0.5] * 7)


@pytest.mark.parametrize(
    ("rows", "columns", "told"),
    [
        ([GOOD], ("clip", *MIDLEVEL_NAMES), "at least 2 that can be used, got 1"),
        ([GOOD, ("a", *[0.5] * 7)], ("clip", *MIDLEVEL_NAMES), "row 3: clip must be a name that no other row has"),
        ([GOOD, ("", *[0.5] * 7)], ("clip", *MIDLEVEL_NAMES), "row 3: clip must be a name"),
        ([GOOD, ("b", *[0.5] * 6, "high")], ("clip", *MIDLEVEL_NAMES), "row 3: minorness must be .* got 'high'"),
        ([GOOD, ("b", *[0.5] * 6, "nan")], ("clip", *MIDLEVEL_NAMES), "row 3: minorness must be"),
        ([GOOD, ("b", *[0.5] * 6)], ("clip", *MIDLEVEL_NAMES), "row 3: must have 8 cells as the header has, got 7"),
        ([GOOD, ("b", 5.0, *[0.5] * 6)], ("clip", *MIDLEVEL_NAMES), r"row 3: melodiousness .*ratings x 0\.1"),
        ([GOOD], MIDLEVEL_NAMES, "must have the columns clip; its header is"),
        ([GOOD], ("clip", *MIDLEVEL_NAMES[:-1]), "must have the columns minorness"),
        ([(*GOOD, 1, 1)], ("clip", *SCORE_NAMES[:9]), "all 8 emotions or none, got valence, energy"),
    ],
)
def test_table_iv(tmp_path, rows, columns, told):
    with pytest.raises(InputError, match=told):
        load_scores(table(tmp_path / "t.csv", rows, columns=columns))


def test_table_iv_not_a_table(tmp_path):
    with pytest.raises(InputError, match=r"absent\.csv: cannot be read"):
        load_scores(tmp_path / "absent.csv")
    (tmp_path / "sound.wav").write_bytes(b"RIFF\xff\xfe\x00")
    with pytest.raises(InputError, match=r"sound\.wav, row 1: holds the byte 0xff"):
        load_scores(tmp_path / "sound.wav")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match="is empty"):
        load_scores(tmp_path / "empty.csv")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("²", 0),  # a digit to Python, but no number
        ("٣", 0),
        ("9" * 5000, 0),  # more digits than Python turns into a number
        ("-1", 0),
        ("2.5", 0),
        ("", 0),
        ("7", 7),
        (" 12 ", 12),
    ],
)
def test_windows_against_theory_whole_numbers_or_not_known(tmp_path, text, told):
    rows = [(*GOOD, text), ("b", *GOOD[1:], 1)]
    path = table(tmp_path / "t.csv", rows, columns=("clip", *MIDLEVEL_NAMES, "n_windows"))
    assert load_scores(path).n_windows == (told, 1)


def test_rows_against_a_text_editor_empty_lines_count(tmp_path):
    path = table(tmp_path / "t.csv", [GOOD, (), (), ("b", *GOOD[1:-1], "high"), ("a", *GOOD[1:])])
    with pytest.raises(DatasetError) as refused:
        load_scores(path)
    assert [(problem.row, problem.what.split()[0]) for problem in refused.value.problems] == [
        (5, "minorness"),
        (6, "clip"),
    ]


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_separator_iv(tmp_path, separator, name):
    path = table(tmp_path / "t.csv", [GOOD, ("b", *GOOD[1:])])
    path.write_text(path.read_text().replace(",", separator))
    with pytest.raises(InputError, match=rf"t\.csv, row 1: its cells are separated by {name}; save it with commas"):
        load_scores(path)


def test_emotions_against_what_was_written_in_any_order_and_case(tmp_path, rng):
    emotions = rng.random((2, 8)).round(3)
    columns = ("clip", *reversed([name.title() for name in EMOTION_NAMES]), *MIDLEVEL_NAMES)
    rows = [(name, *row[::-1], *GOOD[1:]) for name, row in zip("ab", emotions.tolist(), strict=True)]
    found = load_scores(table(tmp_path / "t.csv", rows, columns=columns))
    assert found.emotions is not None
    np.testing.assert_array_equal(found.emotions, emotions)
