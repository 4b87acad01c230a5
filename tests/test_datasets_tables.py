"""Tables of ratings: read as they come, and every fault with its row."""

import base64
import csv
import io
import re
import sys
import zlib

import numpy as np
import pytest
from fakes import shared
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from small_datasets import xlsx

from emomod.datasets.problems import SHOWN, DatasetError, Problem, settle, write_problems
from emomod.datasets.soundtracks import load_soundtracks_ratings
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES

HEADER = ["number", *EMOTION_NAMES, "TARGET"]
ROWS = [
    ["1", "4.83", "6.83", "3.17", "1", "1", "7.33", "1", "1", "HAPPY"],
    ["2", "4.83", "6.17", "3.83", "1", "1", "7.17", "1.17", "1.83", "HAPPY"],
    ["3", "5.6", "6.2", "3", "1", "1", "7.17", "1", "1", "HAPPY"],
]
# The same table as Excel 97 writes it, with the capitals of the real file, by xlwt 1.3: zlib, then base 85.
XLS = (
    "c-rk)OGs2v82-+kJ2Q7i9Y@nZ0}&xBb0aNkkxm9?n`APf2SHt(n~FBd)e75Wnae0>RkRU=Xro2Yg9?f^Edrw!LJ(;!TLnce)Z2gl`*3D-;Xp-?"
    "`(5sL&-b76pZ}bD9{2HTretp7PUSpu(1ZY%tO!CGHbG~^6>(6$Wyz#_)#$W*{8fl(G?1Yn9u>U|%Q2MWJr4!9)n~-O2Re^p5N!i#qxv^uH@86-"
    "vJH*I0yoGKLj||0l(~y}9rHAoe9XLyEti-ZsqCCMf|*2H-416KA5v;KF9uofefD|FmIjpLg`CCbt_Ztq5Y1+<-v4K2RH=oS1dUs(kv2@de-33d"
    "fRp%YRRdq#mHM>WxBp(d0NKB1+rz8auPQ1q3hOve@Nt@uQPp0A2YL)+xM2YXibxmO3$yLi$xg$h;XbYR8|f~COmf`2N60j6q=$M3(m_B^cN->E"
    "bHdO~l0Ew1;79-%(o-QWmNHCAbTqfOwscVb-sWWTa8&N>yc5K;c7h^aA%(;#6mz<S*GZiA`h{DcU+?QoCXTUXly`so8L?4z3l`2x4|0xi4)+W)"
    "QXPA2Wxl|*Zs2q!a~aKUy4EJkoy49oE_0D{Ybnk)#+$^ZjPzzokAK?#plbYMVhg3GTIbJ}P0c1IP(#nG6#2_z4E3U3T)!sqFyUT>v!A?Uu2`|R"
    "XiD5^yX8Cxi?PT(0o@M?Tgkg4Jf%4I%2okV0Z*x<R8Iv-1w9oa74lS=RM=A*Da}(6QW2+pBBy;%u#;_eT_w02mOLGm{7qf9+kB=V+oEv<!4aZP"
    "1Z9;73VTE|BHWBfwt~44wsVA8A^E-HMo_XM1XhU<VDA|7b4~Ky$g*W+gxo#^ya-K7DelPz)AL~&QTXuT!-o$aK79ON5d5YJe$P_*UDST_4?F*L"
    "7U^8_f0O*PXvY8@!}MX=f;3%CjN~<c)*~p~y2KiN-2a6V2PwLVK6G+B`tqK?^yMZp`?F@p_|IEH`Nm($r=7nz{tryb?uh"
)
FITS_NOT = "must have 10 cells as the header has, got "
SEVERAL_LINES = "has a cell of several lines, which may be rows of their own; is a quotation mark not closed?"
N_MIDLEVEL = len(MIDLEVEL_NAMES)


def text_of(rows, *, separator=",", quoting=csv.QUOTE_MINIMAL, newline="\n"):
    file = io.StringIO()
    csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=newline).writerows(rows)
    return file.getvalue()


def xls():
    return zlib.decompress(base64.b85decode(XLS))


def read(tmp_path, content, name="ratings.csv", **options):
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return load_soundtracks_ratings(path, **options)


def problems_of(tmp_path, content, name="ratings.csv"):
    with pytest.raises(DatasetError) as refused:
        read(tmp_path, content, name)
    assert {problem.file for problem in refused.value.problems} == {str(tmp_path / name)}
    return [(problem.row, problem.what) for problem in refused.value.problems]


def test_ratings_are_scores_at_a_tenth_against_theory(tmp_path):
    found = read(tmp_path, text_of([HEADER, *ROWS]))
    assert found.numbers == (1, 2, 3)
    assert np.isnan(found.labels[:, :N_MIDLEVEL]).all()
    np.testing.assert_allclose(found.labels[0, N_MIDLEVEL:], [0.483, 0.683, 0.317, 0.1, 0.1, 0.733, 0.1, 0.1])


@given(
    ratings=st.lists(st.lists(st.integers(100, 900), min_size=8, max_size=8), min_size=1, max_size=6),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    mark=st.sampled_from(["", "\ufeff"]),
    dress=st.sampled_from([str, str.upper, str.title, " {} ".format, "\t{}".format]),
    digits=st.sampled_from(["{}", "{:03d}", "{}.0", " {} "]),
    empty=st.integers(0, 2),
    beyond=st.booleans(),
    order=st.permutations(range(10)),
)
def test_dress_of_a_table_changes_nothing_against_itself(
    tmp_path_factory, ratings, quoting, newline, mark, dress, digits, empty, beyond, order
):
    rows = [
        [digits.format(9 - n), *(f"{rating / 100:.2f}" for rating in row), "HAPPY, or so"]
        for n, row in enumerate(ratings)
    ]
    table = [[dress(name) for name in HEADER], *rows]
    table = [[row[place] for place in order] for row in table]
    table = [row + [""] * (2 * beyond) for row in table]
    text = mark + text_of([*table[:2], *[["", " "]] * empty, *table[2:], [], []], quoting=quoting, newline=newline)
    found = read(tmp_path_factory.getbasetemp(), text)
    assert found.numbers == tuple(range(10 - len(ratings), 10))
    np.testing.assert_allclose(found.labels[::-1, N_MIDLEVEL:], np.array(ratings) / 1000, rtol=1e-12)


@pytest.mark.parametrize("name", ["a.xls", "a.csv", "a.xlsx"])
@pytest.mark.parametrize("kind", ["xls", "xlsx"])
def test_excel_against_csv_whatever_its_name(tmp_path, kind, name):
    content = xls() if kind == "xls" else xlsx([HEADER, *ROWS])
    excel, plain = read(tmp_path, content, name), read(tmp_path, text_of([HEADER, *ROWS]))
    assert excel.numbers == plain.numbers
    assert_array_equal(excel.labels, plain.labels)


def test_rows_of_a_sheet_are_counted_as_the_sheet_counts(tmp_path):
    rows = [HEADER, [""] * 10, ROWS[0], ROWS[1], [*ROWS[2][:8], "12", "HAPPY"]]
    content = xlsx([[cell or " " for cell in row] for row in rows])
    assert problems_of(tmp_path, content, "a.xlsx") == [(5, "tender must be a rating in 1..9, got 12")]


def test_excel_without_its_reader_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    ((row, what),) = problems_of(tmp_path, xls(), "a.xls")
    assert row is None
    assert "pip install 'emomod[train]'" in what


@pytest.mark.parametrize("content", [xls()[:3000], xlsx([HEADER])[:300]], ids=["xls", "xlsx"])
def test_a_cut_off_excel_file_is_named(tmp_path, content):
    ((row, what),) = problems_of(tmp_path, content, "a.xls")
    assert row is None
    assert what.startswith("begins like an Excel file but cannot be read as one")


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("", "energy is empty"),
        ("  ", "energy is empty"),
        ("high", "energy must be a number, got 'high'"),
        ("nan", "energy must be a number, got 'nan'"),
        ("1_0", "energy must be a number, got '1_0'"),
        ("٣", "energy must be a number, got '٣'"),
        ("0.99", "energy must be a rating in 1..9, got 0.99"),
        ("9.01", "energy must be a rating in 1..9, got 9.01"),
        ("-4", "energy must be a rating in 1..9, got -4"),
        ("1e300", "energy must be a rating in 1..9, got 1e300"),
        ("6,83", "energy has a decimal comma: '6,83'; write 6.83"),
    ],
)
def test_a_bad_rating_is_named_with_its_row_and_column(tmp_path, cell, what):
    rows = [HEADER, ROWS[0], [*ROWS[1][:2], cell, *ROWS[1][3:]], ROWS[2]]
    assert problems_of(tmp_path, text_of(rows)) == [(3, what)]
    left = read(tmp_path, text_of(rows), skip_bad=True)
    assert left.numbers == (1, 3)
    assert [(problem.row, problem.what) for problem in left.left_out] == [(3, what)]


@given(bad=st.sets(st.tuples(st.integers(0, 5), st.integers(1, 8)), min_size=1))
def test_every_bad_cell_is_one_problem_and_only_its_rows_are_left_out(tmp_path_factory, bad):
    rows = [[str(n + 1), *["5.0"] * 8, "HAPPY"] for n in range(7)]
    for row, column in bad:
        rows[row][column] = "x"
    found = read(tmp_path_factory.getbasetemp(), text_of([HEADER, *rows]), skip_bad=True)
    assert sorted((p.row, p.what.split()[0]) for p in found.left_out) == sorted((r + 2, HEADER[c]) for r, c in bad)
    assert found.numbers == tuple(n + 1 for n in range(7) if n not in {row for row, _ in bad})


@pytest.mark.parametrize(
    ("number", "what"),
    [
        ("", "number must be a whole number, got ''"),
        ("2b", "number must be a whole number, got '2b'"),
        ("2.5", "number must be a whole number, got '2.5'"),
        ("-2", "number must be a whole number, got '-2'"),
        ("1", "number 1 is already in row 2; neither row can be used"),
        ("001.0", "number 1 is already in row 2; neither row can be used"),
    ],
)
def test_a_bad_or_second_number_is_named(tmp_path, number, what):
    rows = [HEADER, ROWS[0], [number, *ROWS[1][1:]], ROWS[2]]
    assert problems_of(tmp_path, text_of(rows)) == [(3, what)]
    assert read(tmp_path, text_of(rows), skip_bad=True).numbers == ((3,) if "already" in what else (1, 3))


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("2,4.83,6.17", FITS_NOT + "3"),
        (
            "2,4,83,6,17,3,83,1,1,7,17,1,17,1,83,HAPPY",
            FITS_NOT + "16; is there a separator within a cell, such as a decimal comma?",
        ),
        ('2,"4.83,6.17', SEVERAL_LINES),
        (",".join([*ROWS[1][:9], '"HAPPY']), SEVERAL_LINES),
    ],
)
def test_a_row_that_does_not_fit_the_header_is_named(tmp_path, row, what):
    lines = [",".join(HEADER), ",".join(ROWS[0]), row, ",".join(ROWS[2])]
    assert problems_of(tmp_path, "\n".join(lines) + "\n") == [(3, what)]


def test_rows_are_lines_of_a_text_editor_also_after_a_cell_of_two_lines(tmp_path):
    rows = [HEADER, [*ROWS[0][:9], "HAPPY\nor so"], [*ROWS[1][:8], "x", "HAPPY"]]
    assert problems_of(tmp_path, text_of(rows)) == [(2, SEVERAL_LINES), (4, "tender must be a number, got 'x'")]


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_wrong_separator_is_named(tmp_path, separator, name):
    what = f"its cells are separated by {name}; save it with commas"
    assert problems_of(tmp_path, text_of([HEADER, *ROWS], separator=separator)) == [(1, what)]


@pytest.mark.parametrize(
    ("content", "row", "what"),
    [
        (b"", None, "is empty"),
        (b"\n \n", None, "is empty"),
        (text_of([HEADER]).encode(), 1, "has no rows below its header"),
        (text_of([HEADER, *ROWS]).replace("TARGET", '"TARGET').encode(), 1, SEVERAL_LINES),
        (b"<!DOCTYPE html>\n<p>Sign in</p>", 1, "must have the columns number, valence"),
        (",".join(HEADER).replace("fear", "angst").encode(), 1, "must have the columns fear; its header is 'number'"),
        (",".join([*HEADER, " Fear"]).encode(), 1, "has more than one column fear"),
        (text_of([HEADER]).encode("utf-16"), None, "is UTF-16 text; save it as CSV in UTF-8"),
        (text_of([HEADER, [*ROWS[0][:9], "zärtlich"]]).encode("cp1252"), 2, "holds the byte 0xe4, which is not UTF-8"),
        (text_of([HEADER]).encode() + b'1,"' + b"x" * 140_000, 2, "cannot be read as CSV from here on"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_also_when_bad_rows_may_go(tmp_path, content, row, what):
    ((found_row, found),) = problems_of(tmp_path, content)
    assert found_row == row
    assert found.startswith(what)
    with pytest.raises(DatasetError):
        read(tmp_path, content, skip_bad=True)


@given(
    source=st.sampled_from([text_of([HEADER, *ROWS]).encode("utf-8-sig"), xls(), xlsx([HEADER, *ROWS])]),
    place=st.floats(0, 1),
    junk=st.binary(max_size=4) | st.text('"\n\r;,\0é', max_size=6).map(str.encode),
    lost=st.integers(0, 40),
)
def test_whatever_stands_in_a_file_is_read_or_refused_and_no_row_goes_in_silence(
    tmp_path_factory, source, place, junk, lost
):
    begin = int(place * len(source))
    path = tmp_path_factory.getbasetemp() / "spoilt.csv"
    path.write_bytes(source[:begin] + junk + source[begin + lost :])
    try:
        found = load_soundtracks_ratings(path, skip_bad=True)
    except DatasetError:
        return
    known = found.labels[:, N_MIDLEVEL:]
    assert ((known >= 0.1) & (known <= 0.9)).all()
    if source.startswith(b"\xef"):
        lines = re.split(r"\r\n|\r|\n", path.read_bytes().decode("utf-8-sig"))
        n_rows = sum(bool(re.sub(r'[\s,"]', "", line)) for line in lines) - 1
        assert found.left_out or len(found.numbers) == n_rows


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.csv: there is no such file"):
        load_soundtracks_ratings(tmp_path / "gone.csv")


def test_no_row_left_is_refused_even_when_bad_rows_may_go(tmp_path):
    with pytest.raises(InputError, match="1 problem in the dataset"):
        read(tmp_path, text_of([HEADER, ["x", *ROWS[0][1:]]]), skip_bad=True)


@pytest.mark.parametrize("count", [1, SHOWN, SHOWN + 1, 5000])
def test_a_message_shows_the_first_problems_and_counts_all(tmp_path, count):
    problems = [Problem("a.csv", row, "is, empty") for row in range(count, 0, -1)]
    with pytest.raises(DatasetError) as refused:
        settle(problems, skip_bad=False, n_left=9)
    lines = str(refused.value).splitlines()
    assert lines[0].startswith(f"{count} problem")
    assert lines[1] == "a.csv, row 1: is, empty"
    assert len(lines) == 1 + min(count, SHOWN) + (count > SHOWN)
    write_problems(tmp_path / "all.csv", refused.value.problems)
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["row"]) for row in rows] == list(range(1, count + 1))
    assert settle(problems, skip_bad=True, n_left=9) == refused.value.problems


def test_problems_are_not_written_where_they_cannot(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_problems(tmp_path / "no" / "folder.csv", [])


@pytest.mark.parametrize(("name", "n"), [("mean_ratings_set1.csv", 360), ("mean_ratings_set2.csv", 110)])
def test_the_real_ratings_against_the_text_of_the_file(name, n):
    path = shared(f"soundtracks/{name}")
    found = load_soundtracks_ratings(path)
    assert found.numbers == tuple(range(1, n + 1))
    lines = path.read_text(encoding="utf-8-sig").splitlines()[1:]
    plain = np.array([[float(cell) for cell in line.split(",")[1:9]] for line in lines])
    np.testing.assert_allclose(found.labels[:, N_MIDLEVEL:], plain / 10, rtol=1e-12)
    assert np.isnan(found.labels[:, :N_MIDLEVEL]).all()
