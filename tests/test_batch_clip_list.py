import pytest
from fakes import sound_file

from emomod.batch.clip_list import Listed, read_clip_list
from emomod.errors import InputError


def listed(folder, text):
    (folder / "list.csv").write_text(text, encoding="utf-8")
    return read_clip_list(folder / "list.csv")


def test_read_clip_list_against_the_design_paths_are_relative_to_the_list(tmp_path):
    found = listed(tmp_path, 'path,start,song\na.wav,,x\n"b, c.wav",1.5,y\n/d.wav,0,z\na.wav,,again\na.wav,2,w\n')
    a = str(tmp_path / "a.wav")
    assert found == [Listed(a), Listed(str(tmp_path / "b, c.wav"), 1.5), Listed("/d.wav", 0.0), Listed(a, 2.0)]


def test_read_clip_list_against_the_design_a_byte_order_mark_and_blanks(tmp_path):
    assert listed(tmp_path, "\ufeffpath\n  a.wav \n") == [Listed(str(tmp_path / "a.wav"))]


def test_read_clip_list_against_the_design_a_folder(tmp_path):
    for name in ("b.wav", "a.wav"):
        sound_file(tmp_path, seconds=0.5, name=name)
    (tmp_path / "notes.txt").write_text("")
    assert read_clip_list(tmp_path) == [Listed(str(tmp_path / name)) for name in ("a.wav", "b.wav")]


@pytest.mark.parametrize(
    ("text", "wrong"),
    (
        ("", "must have a column path, got none"),
        ("file\na.wav\n", "must have a column path, got file"),
        ("path\n", "lists no clip"),
        ("path,start\na.wav,0\n,1\n", "line 3 has no path"),
        ("path\na\0.wav\n", "line 2 has no path|cannot be read as CSV"),
        *((f"path,start\na.wav,{start}\n", "line 2: start must be a number of at least 0 s")
          for start in ("-1", "nan", "inf", "soon")),
        ("path\n" + "x" * 200_000 + "\n", "cannot be read as CSV"),
    ),
)  # fmt: skip
def test_read_clip_list_iv(tmp_path, text, wrong):
    with pytest.raises(InputError, match=wrong):
        listed(tmp_path, text)


def test_read_clip_list_iv_no_list(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        read_clip_list(tmp_path / "absent.csv")
    (tmp_path / "latin.csv").write_bytes(b"path\ncaf\xe9.wav\n")
    with pytest.raises(InputError, match="line 2: it is not UTF-8"):
        read_clip_list(tmp_path / "latin.csv")


def test_read_clip_list_regression_a_table_of_ours_has_an_apostrophe_before_what_looks_like_a_formula(tmp_path):
    assert listed(tmp_path, "path\n'-intro.wav\n") == [Listed(str(tmp_path / "-intro.wav"))]
