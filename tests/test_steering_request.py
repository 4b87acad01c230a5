import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emomod.component_map import Location
from emomod.errors import InputError
from emomod.steering.request import Limit, Request, check_request, parse_limit, parse_shift

NAMES = ("happy", "energy", "tension")
HERE = np.array([0.6, 0.3, 0.5])


@pytest.mark.parametrize(
    ("shifts", "settings", "message"),
    (
        ({}, {}, r"shifts must name scores to move, such as \{'happy': 0.1\}, got \{\}"),
        ({"happy": 0.1, "sad": -0.1}, {"hold": ("sad",)}, "hold must not name a score that is to move, got sad"),
        ({"happy": 0.0}, {}, "shifts must not be 0, got it for happy; hold a score that should stay"),
        ({"happy": float("nan")}, {}, 'shifts must be numbers, "max" or "min", got .*nan.*'),
        ({"happy": "much"}, {}, 'shifts must be numbers, "max" or "min", got .*much.*'),
        ({"happy": 0.1}, {"hold": "energy"}, r"hold must be several names, such as \('energy',\), got 'energy'"),
        ({"happy": 0.1}, {"limits": ((20, 200, 3),)}, r"limits must be of .*Limit, got \(20, 200, 3\)"),
        ({"happy": np.inf, "sad": -0.1}, {}, "shifts must be of one score where it is to go as far as it can, got 2"),
        ({"happy": 0.1}, {"max_gain_db": 0.0}, r"max_gain_db must be a finite number in 0.1..40, got 0.0"),
        ({"happy": 0.1}, {"max_gain_db": 99.0}, r"max_gain_db must be a finite number in 0.1..40, got 99.0"),
        ({"happy": 0.1}, {"budget_db": 0.0}, r"budget_db must be a finite number in 0.01..40, got 0.0"),
        ({"happy": 0.1}, {"budget_db": np.nan}, r"budget_db must be a finite number in 0.01..40, got nan"),
        ({"happy": 0.1}, {"most_changed": 0}, "most_changed must be a whole number of at least 1, got 0"),
        ({"happy": 0.1}, {"smoothness": -1.0}, r"smoothness must be a finite number in 0..inf, got -1.0"),
    ),
)
def test_request_iv(shifts, settings, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        Request(shifts, **settings)


@pytest.mark.parametrize(
    ("shifts", "hold", "scale", "message"),
    (
        (
            {"happy": 2.0},
            (),
            (0.0, 1.0),
            r"happy cannot be shifted by \+2: scores go from 0 to 1, and it is 0.60 now",
        ),
        (
            {"tension": -8.5},
            (),
            (1.0, 9.0),
            r"tension cannot be shifted by -8.5: scores go from 1 to 9, and it is 0.50 now",
        ),
        (
            {"happy": 0.6},
            (),
            (0.0, 1.0),
            r"happy cannot be shifted by \+0.6: scores go from 0 to 1, and it is 0.60 now",
        ),
        ({"hapy": 0.1}, (), (0.0, 1.0), "score must be one of happy, energy, tension, got 'hapy'"),
        ({"happy": 0.1}, ("calm",), (0.0, 1.0), "score must be one of happy, energy, tension, got 'calm'"),
    ),
)
def test_check_request_iv(shifts, hold, scale, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        check_request(Request(shifts, hold), NAMES, HERE, scale=scale)


@pytest.mark.parametrize("shift", (0.15, -0.45, np.inf, -np.inf, "max"))
def test_check_request_against_itself_leaves_what_can_be(shift):
    request = Request({"happy": shift}, hold=("energy",))
    assert check_request(request, NAMES, HERE, scale=(0.0, 1.0)) is request


def test_request_against_itself_knows_what_is_to_go_as_far_as_it_can():
    assert Request({"happy": np.inf}).wants_most
    assert Request({"happy": -np.inf}).wants_most
    assert not Request({"happy": 0.1}).wants_most


@given(shift=st.floats(allow_nan=False, allow_infinity=False), name=st.sampled_from(NAMES))
def test_parse_shift_against_itself_round_trip(shift, name):
    assert parse_shift(f"{name}={shift:+}") == (name, shift)
    assert parse_shift(f" {name} = {shift!r} ") == (name, shift)


@pytest.mark.parametrize(
    "text", ("happy", "happy=", "=0.1", "happy=x", "happy=nan", "happy=inf", "happy=1e999", "", "happy:0.1", "a=b=1")
)
def test_parse_shift_iv(text):
    with pytest.raises(InputError, match=r'^a shift must look like "happy=\+0.15", .*, got ') as caught:
        parse_shift(text)
    assert repr(text) in str(caught.value)


@given(low=st.integers(0, 9999), width=st.integers(0, 99999), gain=st.integers(0, 400))
def test_parse_limit_against_itself_round_trip(low, width, gain):
    limit = Limit(low / 10.0, (low + width) / 10.0, gain / 10.0)
    assert parse_limit(f"{limit.low}-{limit.high}={limit.gain_db}") == limit
    assert parse_limit(f" {limit.low:.1f} - {limit.high:.1f} = {limit.gain_db:.1f} ") == limit


@pytest.mark.parametrize("text", ("", "20-200", "20=3", "20-200=", "-200=3", "20-200=x", "20-200=nan", "a-b=c"))
def test_parse_limit_iv_what_is_no_limit(text):
    with pytest.raises(InputError, match=r'^a limit must look like "20-200=3"'):
        parse_limit(text)


@pytest.mark.parametrize(
    ("text", "message"),
    (
        ("20-200=-3", r"limit: the gain must be a finite number in 0..40, got -3.0"),
        ("20-200=41", r"limit: the gain must be a finite number in 0..40, got 41.0"),
        ("200-20=3", r"limit: the upper frequency must be a finite number in 200..inf, got 20.0"),
        ("20-inf=3", r"limit: the upper frequency must be a finite number in 20..inf, got inf"),
    ),
)
def test_parse_limit_iv_says_which_number_is_wrong(text, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        parse_limit(text)


def at(low, high):
    return Location(0.0, 1.0, 0.5, low, high)


def test_bounds_db_against_arithmetic():
    places = [at(50.0, 200.0), at(100.0, 400.0), at(300.0, 3000.0), at(0.0, 100.0)]  # middles 100, 200, 949, 10 Hz
    limits = (Limit(20.0, 200.0, 3.0), Limit(150.0, 1000.0, 5.0), Limit(900.0, 1000.0, 0.0), Limit(500.0, 1000.0, 20.0))
    assert Request({"happy": 0.1}).bounds_db(places).tolist() == [9.0] * 4
    assert Request({"happy": 0.1}, limits=limits).bounds_db(places).tolist() == [3.0, 5.0, 0.0, 9.0]
    assert Request({"happy": 0.1}, limits=limits, max_gain_db=4.0).bounds_db(places).tolist() == [3.0, 4.0, 0.0, 4.0]
    with pytest.raises(InputError, match=r"^limit 30000-40000 Hz must hold the middle of some part, of \d+ to \d+ Hz$"):
        Request({"happy": 0.1}, limits=(Limit(30000.0, 40000.0, 3.0),)).bounds_db(places)
