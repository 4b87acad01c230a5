from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from emomod.errors import InputError
from emomod.spec import build, first_line, known, options_of, split_spec


@dataclass(frozen=True, kw_only=True)
class Common:
    off: str = "-6dB"


@dataclass(frozen=True)
class Cut(Common):
    """A way to cut.

    It has more to say.
    """

    n: int = 4
    scale: float = 0.5
    limit: float | None = None
    strict: bool = False
    names: str = field(default_factory=lambda: "a")

    reference: ClassVar[str] = "nobody"

    def __post_init__(self):
        if self.n < 1:
            raise InputError(f"n must be at least 1, got {self.n}")


@dataclass(frozen=True)
class Needy:
    path: str
    gain: float = 1.0


@pytest.mark.parametrize(
    ("text", "name", "options"),
    (
        ("slic", "slic", {}),
        (" slic ", "slic", {}),
        ("slic:n=4", "slic", {"n": "4"}),
        ("slic: n = 4 , m=x y", "slic", {"n": "4", "m": "x y"}),
        ("stems:drums=C:/a=b.wav,bass=b.wav", "stems", {"drums": "C:/a=b.wav", "bass": "b.wav"}),
    ),
)
def test_split_spec_against_what_is_meant(text, name, options):
    assert split_spec(text) == (name, options)


@pytest.mark.parametrize(
    ("text", "message"),
    (
        ("", "a name must come first"),
        (":n=4", "a name must come first"),
        ("slic:", "options must look like"),
        ("slic:n", "options must look like"),
        ("slic:n=", "options must look like"),
        ("slic:=4", "options must look like"),
        ("slic:n=4,", "options must look like"),
        ("slic:n=4,,m=5", "options must look like"),
        ("slic:n=4,n=5", "each option must be given once, got n twice"),
    ),
)
def test_split_spec_iv(text, message):
    with pytest.raises(InputError, match=message):
        split_spec(text)


@pytest.mark.parametrize(
    ("options", "expected"),
    (
        ({}, Cut()),
        ({"n": "7", "scale": "1e-2", "off": "silence"}, Cut(n=7, scale=0.01, off="silence")),
        ({"scale": "3"}, Cut(scale=3.0)),
        ({"limit": "none"}, Cut(limit=None)),
        ({"limit": "2"}, Cut(limit=2.0)),
        ({"strict": "true"}, Cut(strict=True)),
        ({"strict": "No"}, Cut(strict=False)),
        ({"names": "none"}, Cut(names="none")),
    ),
)
def test_build_against_the_constructor(options, expected):
    built = build(Cut, options, what="cut")
    assert built == expected
    assert [type(value) for value in vars(built).values()] == [type(value) for value in vars(expected).values()]


@pytest.mark.parametrize(
    ("options", "message"),
    (
        ({"m": "7"}, "option of cut must be one of n, scale, limit, strict, names, off, got 'm'"),
        ({"reference": "me"}, "option of cut must be one of"),
        ({"scales": "7"}, "got 'scales'; did you mean scale?"),
        ({"n": "7.5"}, "n of cut must be a whole number, got '7.5'"),
        ({"n": "none"}, "n of cut must be a whole number, got 'none'"),
        ({"scale": "big"}, "scale of cut must be a number, got 'big'"),
        ({"limit": "big"}, "limit of cut must be a number or none, got 'big'"),
        ({"strict": "maybe"}, "strict of cut must be true or false, got 'maybe'"),
        ({"n": "0"}, "cut: n must be at least 1, got 0"),
    ),
)
def test_build_iv(options, message):
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        build(Cut, options, what="cut")


def test_build_iv_an_option_that_must_be_given():
    with pytest.raises(InputError, match=r"needy must be given path, as in needy:path=\.\.\."):
        build(Needy, {"gain": "2"}, what="needy")
    assert build(Needy, {"path": "a.wav"}, what="needy") == Needy("a.wav")


def test_options_of_against_the_fields():
    assert options_of(Cut) == [
        {"name": "n", "type": "int", "default": 4},
        {"name": "scale", "type": "float", "default": 0.5},
        {"name": "limit", "type": "float or none", "default": None},
        {"name": "strict", "type": "bool", "default": False},
        {"name": "names", "type": "str", "default": "a"},
        {"name": "off", "type": "str", "default": "-6dB"},
    ]
    assert options_of(Needy)[0] == {"name": "path", "type": "str", "default": None}


def test_first_line_and_known():
    assert first_line(Cut) == "A way to cut"
    assert known("kind", "slic", {"slic": 1}) == "slic"
    with pytest.raises(InputError, match=r"kind must be one of slic, time, got 'slick'; did you mean slic\?"):
        known("kind", "slick", ["slic", "time"])
    with pytest.raises(InputError, match=r"kind must be one of slic, time, got 'zzz'$"):
        known("kind", "zzz", ["slic", "time"])
    with pytest.raises(InputError, match="kind must be one of none, got 'a'"):
        known("kind", "a", [])
