"""Files from anywhere: what YAML, JSON, arrays and tables may hold, and cells that no spreadsheet runs."""

import csv
import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emomod.corpus.store import Corpus, write_table
from emomod.datasets.problems import Problem, write_problems
from emomod.errors import InputError
from emomod.output import write_csv
from emomod.reading import arrays
from emomod.reading.arrays import npy_form, read_npy, read_npz
from emomod.reading.cells import escaped, plain_cell, unescaped
from emomod.reading.csv_lines import MOST_COLUMNS, TableError, csv_lines
from emomod.reading.json_files import parse_json, read_json, read_object
from emomod.reading.text import MOST_DEPTH, check_values, name_beside, path_inside, read_text
from emomod.reading.yaml_files import MOST_BYTES, import_yaml, read_yaml
from emomod.reading.yaml_loader import MOST_TEXT

YAML = (
    ("a: &x 1\nb: *x", "line 1: it has an anchor or alias"),
    ("a: 1\nb: !!python/object:os.system 1", "line 2: it has a tag"),
    ("a: 1\nb: !!str 1", "line 2: it has a tag"),
    ("a: 1\nb: 2\na: 3", "line 3: it has the key 'a' a second time"),
    ("a:\n  b: {c: 1, c: 2}", "line 2: it has the key 'c' a second time"),
    ("a: 1\n2: b", "line 2: it has the key 2, which is no text"),
    ("a: 1\nno: b", "line 2: it has the key False, which is no text"),
    ("a: 1\n? [b]\n: c", "line 2: it has the key .*no text"),
    ("a: " + "9" * 5000, "line 1: it has a value that cannot be read"),
    ("a: 9223372036854775808", "whole number beyond"),
    ("a: 1\nb: " + "[" * 50, "line 2: it has more than 32 lists"),
    ("a: 1\nb: " + "x" * (MOST_TEXT + 1), "line 2: it has a text of more than 8000"),
    ("a: [1\n", "line 2: "),
    ('a: "\\ud800"', "half a character"),
    ('a: "\\0"', "code 0"),
    ("a: \x00", "special characters"),
    ("- a", "must hold lines of `field: value`"),
    ("", "must hold lines of `field: value`"),
    ("a: 1\n---\nb: 1", "another document"),
    ("a: 1\n" * (MOST_BYTES // 5 + 1), "more than the 128 kB allowed"),
)


@pytest.mark.parametrize(("text", "says"), YAML, ids=[text[:20] for text, _ in YAML])
def test_yaml_iv(tmp_path, text, says):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"^{path}: .*{says}"):
        read_yaml(path, extra="study")


def test_yaml_iv_not_text(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(InputError, match=r"a\.yaml: cannot be read \(line 2: it is not UTF-8\)"):
        read_yaml(tmp_path / "a.yaml", extra="study")
    with pytest.raises(InputError, match=r"cannot be read \(it is no file\)"):
        read_yaml(tmp_path, extra="study")
    with pytest.raises(InputError, match="cannot be read"):
        read_yaml(tmp_path / "none.yaml", extra="study")


PLAIN = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text("aä b:-'\"\n")


@given(st.dictionaries(st.text("abc"), st.recursive(PLAIN, lambda part: st.lists(part, max_size=3), max_leaves=9)))
def test_yaml_and_json_against_their_writers(tmp_path_factory, value):
    yaml = import_yaml(extra="study")
    path = tmp_path_factory.getbasetemp() / "written.yaml"
    path.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    assert read_yaml(path, extra="study") == value
    path.write_text(json.dumps(value), encoding="utf-8")
    assert read_object(path) == value


def test_a_date_is_a_text(tmp_path):
    (tmp_path / "a.yaml").write_text("title: 2020-01-01\nstart: 1e3\n", encoding="utf-8-sig")
    assert read_yaml(tmp_path / "a.yaml", extra="study") == {"title": "2020-01-01", "start": "1e3"}


@pytest.mark.parametrize(
    ("text", "says"),
    (
        ("[" * 10**5, "too many lists and objects in each other"),
        ("[" * (MOST_DEPTH + 1) + "1" + "]" * (MOST_DEPTH + 1), "more than 32 lists and mappings in each other"),
        ("9" * 5000, "Exceeds the limit"),
        ("[9223372036854775808]", "whole number beyond"),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"a\\u0000": 1}', "code 0"),
        ("[1", "Expecting"),
        ("[]," * 2_000_000, "more than 1000000 lists and objects"),
    ),
    ids=lambda part: part[:12],
)
def test_json_iv(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        parse_json(text)
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=rf"a\.json: cannot be read as JSON \(.*{says}"):
        read_json(tmp_path / "a.json")


def test_the_depth_allowed_is_read():
    deep = "[" * MOST_DEPTH + "1" + "]" * MOST_DEPTH
    assert json.dumps(parse_json(deep)) == deep
    assert check_values(1) == 1
    with pytest.raises(InputError, match="whole number beyond"):
        check_values(2**63)


def test_json_iv_no_object(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(InputError, match=r"must be a JSON object, got '\[1\]'|got \[1\]"):
        read_object(tmp_path / "a.json")


@pytest.mark.parametrize("size", (99, 100))
def test_a_text_of_the_size_allowed_is_read(tmp_path, size):
    (tmp_path / "a").write_bytes(b"a" * size)
    assert len(read_text(tmp_path / "a", most=100)) == size
    with pytest.raises(InputError, match="more than"):
        read_text(tmp_path / "a", most=98)


@pytest.mark.parametrize("name", ("", "..", "a/b", "/etc", "a.b", "a\\b", "a" * 121, None, 3, "ä", "a\n"))
def test_names_beside_iv(name):
    with pytest.raises(InputError, match="token must be of letters"):
        name_beside(name, what="token")


def test_links_that_lead_out_of_a_folder_iv(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").touch()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "fine").symlink_to(tmp_path / "in" / "file")
    assert path_inside(tmp_path / "in" / "fine", folder=tmp_path / "in").name == "fine"
    for name in ("link", "../out"):
        with pytest.raises(InputError, match="leads out of"):
            path_inside(tmp_path / "in" / name, folder=tmp_path / "in")


# ---- arrays ----------------------------------------------------------------------------------------------------------

KINDS = (np.float64, np.float32, np.float16, np.int64, np.int32, np.uint8, np.bool_)


@given(
    kind=st.sampled_from(KINDS),
    shape=st.lists(st.integers(0, 4), max_size=3),
    order=st.sampled_from("CF"),
    swapped=st.booleans(),
    packed=st.booleans(),
)
def test_arrays_against_numpy(tmp_path_factory, kind, shape, order, swapped, packed):
    folder = tmp_path_factory.getbasetemp()
    dtype = np.dtype(kind).newbyteorder(">" if swapped else "=")
    array = np.array(np.random.default_rng(1).integers(0, 2, shape), dtype=dtype, order=order)
    np.save(folder / "a.npy", array)
    (np.savez_compressed if packed else np.savez)(folder / "a.npz", a=array, b=np.array(["ä", "bc"]))
    found = read_npz(folder / "a.npz")
    for each in (read_npy(folder / "a.npy"), found["a"]):
        np.testing.assert_array_equal(each, array)
        assert each.dtype == np.dtype(kind)
        assert each.flags.writeable
    assert npy_form(folder / "a.npy") == (array.shape, array.dtype)
    assert found["b"].tolist() == ["ä", "bc"]


def head(shape: str, kind: str = "<f8", size: int = 8) -> bytes:
    """An .npy file whose header says what it is told to say."""
    told = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(told).to_bytes(2, "little") + told + bytes(size)


WRONG = {
    "less than told": (head("(2,)"), "16 bytes that its header tells, got 8"),
    "more than told": (head("(1,)", size=9), "8 bytes that its header tells, got 9"),
    "far more": (head("(1152921504606846976,)"), "that its header tells, got 8"),
    "negative": (head("(-1,)"), "each >= 0"),
    "no shape": (head("3"), "not one of an array"),
    "objects": (head("(1,)", "|O"), "numbers or texts, got object"),
    "nothing": (head("(1,)", "|V0", 0), "numbers or texts"),
    "times": (head("(1,)", "<M8[s]"), "numbers or texts"),
    "complex numbers": (head("(1,)", "<c8"), "numbers or texts"),
    "a kind that is none": (head("(1,)", "spam"), "not one of an array"),
    "code": (head("__import__('os')"), "not one of an array"),
    "depth": (head("(" * 50), "not one of an array"),
    "Python 2": (head("(1L,)"), "not one of an array"),
    "no characters": (head("(1,)", "<U2", 0) + b"\xff\xff\xff\x7f" * 2, "no character"),
    "half a character": (head("(1,)", "<U1", 0) + b"\x00\xd8\x00\x00", "no character"),
    "text": (b"text", "not one of an array"),
    "empty": (b"", "not one of an array"),
}


@pytest.mark.parametrize(("content", "says"), WRONG.values(), ids=WRONG)
def test_arrays_iv(tmp_path, content, says):
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", content)
    for read, name in ((read_npy, "a.npy"), (read_npz, "a.npz")):
        with pytest.raises(InputError, match=rf"{name}: cannot be read \(.*({says})"):
            read(tmp_path / name)


def test_archives_iv(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(1000))
    with pytest.raises(InputError, match="compressed as none"):
        read_npz(path, packed=False)
    with pytest.raises(InputError, match="it lacks b"):
        read_npz(path, names=("a", "b"))
    monkeypatch.setattr(arrays, "MOST_UNPACKED", 8000)
    with pytest.raises(InputError, match="more than the 0 MB allowed"):
        read_npz(path)
    np.savez(path, *[np.zeros(1)] * 65)
    with pytest.raises(InputError, match="more than 64 arrays"):
        read_npz(path)
    for way in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", way) as archive:
            archive.writestr("a.npy", head("(1,)"))
        with pytest.raises(InputError, match="compressed as none"):
            read_npz(path)
    with pytest.raises(InputError, match="no such file"):
        read_npz(tmp_path / "none.npz")


# ---- tables ----------------------------------------------------------------------------------------------------------


@given(st.text() | st.text("=+-@\t\r\n'a").filter(bool))
def test_cells_against_themselves(text):
    cell = escaped(text)
    assert unescaped(cell) == text
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert plain_cell(text) == cell


@pytest.mark.parametrize("value", (-1, -0.5, None, True, float("nan")))
def test_what_is_no_text_stays(value):
    assert plain_cell(value) is value


@given(st.lists(st.lists(st.text('a,"\n ;', max_size=4), min_size=2, max_size=3), max_size=4))
def test_lines_against_csv(rows):
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    assert [cells for _, cells in csv_lines(file.getvalue(), strict=True)] == rows


@pytest.mark.parametrize(
    ("text", "line", "says"),
    (
        ("a\n" + "," * MOST_COLUMNS, 2, "more than 4096 columns"),
        ('a\n"' + "x" * 140_000, 2, "field larger than field limit"),
        ("a\n" * 500_001, 500_001, "500000 rows"),
    ),
    ids=("columns", "field", "rows"),
)
def test_lines_iv(text, line, says):
    with pytest.raises(TableError, match=says) as caught:
        list(csv_lines(text))
    assert caught.value.line == line


def test_tables_of_results_run_nothing(tmp_path):
    rows: list[dict[str, Any]] = [
        {"clip": "=1+1", "score": -0.25, "n": -3, "@who": "+a"},
        {"clip": "'tis", "score": 1e-9, "n": None, "@who": "\tb"},
    ]
    write_csv(tmp_path / "a.csv", rows)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    assert lines == [
        ["clip", "score", "n", "'@who"],
        ["'=1+1", "-0.25", "-3", "'+a"],
        ["''tis", "1e-09", "", "'\tb"],
    ]
    write_problems(tmp_path / "problems.csv", [Problem("=a.csv", 3, "@b"), Problem("-a", None, "c")])
    with (tmp_path / "problems.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [["'=a.csv", "3", "'@b"], ["'-a", "", "c"]]


def test_a_corpus_table_runs_nothing(tmp_path):
    write_table(tmp_path, Corpus(np.zeros((1, 1, 1), np.float16), np.ones((1, 7)), np.ones((1, 7)), ("=cmd",), {}))
    assert (tmp_path / "labels.csv").read_text().splitlines()[1].startswith("0,'=cmd,1.0000")
