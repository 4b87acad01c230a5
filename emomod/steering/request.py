"""What is asked of a steered clip: shifts of scores, scores to hold, and how far the sound may change.

Shifts are in the unit of the scores; gains, limits and the budget are decibels of amplitude.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_choice, check_count, check_number
from emomod.component_map import Location
from emomod.errors import InputError
from emomod.modification import MAX_GAIN_DB

MOST = {"max": np.inf, "min": -np.inf}  # as far as it goes
OUTSIDE = 0.1  # of the scale, by which scores may lie beyond it: models do go there


@dataclass(frozen=True)
class Limit:
    """Gains of components between two frequencies (of their middle, Hz) go no further than this."""

    low: float  # Hz
    high: float  # Hz
    gain_db: float  # >= 0; 0 leaves these components as they are

    def __post_init__(self) -> None:
        check_number("limit: the lower frequency", self.low, low=0.0)
        check_number("limit: the upper frequency", self.high, low=self.low)
        check_number("limit: the gain", self.gain_db, low=0.0, high=MAX_GAIN_DB)


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    shifts: Mapping[str, float]  # wanted shift by score; infinity, or "max" or "min", is as far as it goes
    hold: tuple[str, ...] = ()  # scores that should stay
    max_gain_db: float = 9.0  # of any component, up and down
    budget_db: float | None = None  # of the root mean square gain over what is audible; None sets none
    limits: tuple[Limit, ...] = ()
    most_changed: int | None = None  # parts (see emomod.steering.parts) that are changed at most; None may change all
    smoothness: float = 0.0  # weight of differences between neighbours beside that of gains
    nearest: bool = False  # whether to take what comes nearest where the request cannot be met
    like: str = ""  # the clip whose features these shifts lead to, if they come from one

    def __post_init__(self) -> None:
        if not isinstance(self.shifts, Mapping) or not self.shifts:
            raise InputError(f"shifts must name scores to move, such as {{'happy': 0.1}}, got {self.shifts!r}")
        if isinstance(self.hold, str):
            raise InputError(f"hold must be several names, such as ('energy',), got {self.hold!r}")
        if strange_limits := [each for each in self.limits if not isinstance(each, Limit)]:
            raise InputError(f"limits must be of emomod.steering.request.Limit, got {strange_limits[0]!r}")
        told = {
            name: MOST.get(shift, shift) if isinstance(shift, str) else shift for name, shift in self.shifts.items()
        }
        object.__setattr__(self, "shifts", told)
        if strange := {name: shift for name, shift in self.shifts.items() if not _is_shift(shift)}:
            raise InputError(f'shifts must be numbers, "max" or "min", got {strange}')
        if held := [name for name in self.hold if name in self.shifts]:
            raise InputError(f"hold must not name a score that is to move, got {', '.join(held)}")
        if still := [name for name, shift in self.shifts.items() if shift == 0.0]:
            raise InputError(f"shifts must not be 0, got it for {', '.join(still)}; hold a score that should stay")
        if self.wants_most and len(self.shifts) > 1:
            raise InputError(f"shifts must be of one score where it is to go as far as it can, got {len(self.shifts)}")
        check_number("max_gain_db", self.max_gain_db, low=0.1, high=MAX_GAIN_DB)
        check_number("smoothness", self.smoothness, low=0.0)
        if self.budget_db is not None:
            check_number("budget_db", self.budget_db, low=0.01, high=MAX_GAIN_DB)
        if self.most_changed is not None:
            check_count("most_changed", self.most_changed)

    @property
    def wants_most(self) -> bool:
        """Whether a score is to go as far as it can."""
        return bool(np.isinf(list(self.shifts.values())).any())

    def bounds_db(self, locations: Sequence[Location]) -> NDArray[np.float64]:
        """The largest gain [K] of components at ``locations``, up and down."""
        middles = np.array([np.sqrt(max(each.low, 1.0) * max(each.high, 1.0)) for each in locations])
        bounds = np.full(middles.size, self.max_gain_db)
        for limit in self.limits:
            inside = (limit.low <= middles) & (middles < limit.high)
            if not inside.any():
                where = f"of {middles.min():.0f} to {middles.max():.0f} Hz"
                raise InputError(f"limit {limit.low:g}-{limit.high:g} Hz must hold the middle of some part, {where}")
            bounds[inside] = np.minimum(bounds[inside], limit.gain_db)
        return bounds


def _is_shift(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not np.isnan(value)


def check_request(
    request: Request, names: tuple[str, ...], scores: NDArray[np.float64], *, scale: tuple[float, float]
) -> Request:
    """Return ``request`` if a model with ``names``, whose ``scores`` a clip has, could ever hear it."""
    for name in (*request.shifts, *request.hold):
        check_choice("score", name, names)
    low, high = scale
    for name, shift in request.shifts.items():
        score = float(scores[names.index(name)])
        beyond = max(low - (score + shift), score + shift - high)
        if np.isfinite(shift) and (abs(shift) > high - low or beyond > OUTSIDE * (high - low)):
            raise InputError(
                f"{name} cannot be shifted by {shift:+g}: scores go from {low:g} to {high:g}, and it is {score:.2f} now"
            )
    return request


def parse_shift(text: str) -> tuple[str, float]:
    """Return a score's name and its wanted shift of a text.

    >>> parse_shift("happy=+0.15"), parse_shift("tension=min")
    (('happy', 0.15), ('tension', -inf))
    """
    name, _, value = (part.strip() for part in text.partition("="))
    shift = MOST.get(value, _number(value))
    if not name or (not np.isfinite(shift) and value not in MOST):
        raise InputError(
            f'a shift must look like "happy=+0.15", "energy=max", "fear=min" or "weaken tension", got {text!r}'
        )
    return name, shift


def parse_limit(text: str) -> Limit:
    """Return a limit of a text.

    >>> parse_limit("20-200=3")
    Limit(low=20.0, high=200.0, gain_db=3.0)
    """
    band, _, gain = text.partition("=")
    low, _, high = band.partition("-")
    numbers = [_number(each) for each in (low, high, gain)]
    if np.isnan(numbers).any():
        raise InputError(f'a limit must look like "20-200=3" (Hz to Hz, at most so many dB), got {text!r}')
    return Limit(*numbers)


def _number(text: str) -> float:
    """The number that a text is; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
