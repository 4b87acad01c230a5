"""Steering: is a clip that was steered heard as asked, and by whom else?

Conventions
-----------
A request moves one score by so much and may hold others. What is judged is the written version: rendered, as loud as
the original, rounded to 24 bits, read back and scored. A request is met where the score is within .02 of what was
asked and held scores are within .03 of what they were. It is feasible where it is met, or where the search for as much
as there is went as far. ``spread`` is the standard deviation of a score over the clips of the run as they are.

Metrics, over requests
-------
- ``met_rate``: share of the feasible requests that are met
- ``moves_most``: share of the requests for one feature in which no other score moves farther, in spreads; held and
  steered scores that hang together by the model's linear layer count like all others
- ``transfer_direction``, ``transfer_size``: share of the versions that another model hears move the right way, and the
  mean share of the shift that it hears
- ``random_share``, ``equaliser_share``: mean share of the shift that random changes, and a parametric equaliser that
  was given the request, reach with as large a change
- plain: the components that an explanation names turned up by 6 dB, or down for a lower score, beside these
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.audio import quantise
from emomod.checks import check_number
from emomod.component_weights import ComponentWeights, select_components
from emomod.components.base import Components, sound_of
from emomod.ear import ear_cost
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.model.predictor import ScoringModel, score_waveforms
from emomod.model.spread import spread_of
from emomod.steering.controls import controls_of
from emomod.steering.hearing import listeners_of
from emomod.steering.objective import Objective, objective_of
from emomod.steering.problem import problem_of
from emomod.steering.request import Request
from emomod.steering.search import WITHIN, beyond, most_there_is, search
from emomod.steering.solve import Problem
from emomod.steering.versions import ORIGINAL, equally_loud

Array = NDArray[np.float64]
Rows = list[dict[str, Any]]
SINGLE, HOLDING, PLAIN = "one feature", "an emotion, others held", "plain"
BITS = 24


@dataclass(frozen=True)
class SteeringSettings:
    """What is asked of each clip."""

    n_rendered: int = 30  # clips, beside those that are given
    shift: float = 0.1  # up and down
    emotions: tuple[tuple[str, float, tuple[str, ...]], ...] = (
        ("happy", 0.1, ("energy",)),
        ("tension", -0.1, ("valence",)),
        ("energy", 0.1, ("valence",)),
        ("sad", 0.1, ("energy",)),
    )  # score, shift, scores to hold
    n_closely: int = 3  # requests of each clip, others for the next, that are asked robustly, too, and have controls
    shares: tuple[float, ...] = (0.5, 1.0)  # of a request, that the search goes through
    n_random: int = 10
    max_gain_db: float = 9.0
    plain_db: float = 6.0

    def __post_init__(self) -> None:
        check_number("shift", self.shift, low=0.001, high=1.0)

    def requests(self, names: Sequence[str]) -> list[tuple[str, Request]]:
        """Kind and request, of all that a model with ``names`` can be asked."""
        features = [name for name in MIDLEVEL_NAMES if name in names] or list(names)
        single = [(name, sign * self.shift) for name in features for sign in (1.0, -1.0)]
        asked = [(SINGLE, Request({name: by}, max_gain_db=self.max_gain_db)) for name, by in single]
        return asked + [
            (HOLDING, Request({name: by}, hold, max_gain_db=self.max_gain_db))
            for name, by, hold in self.emotions
            if {name, *hold} <= set(names)
        ]

    def closely(self, turn: int, n_requests: int) -> list[int]:
        """Which of the requests of clip ``turn`` are looked at closely: spread evenly, one further on for each clip."""
        return [(turn + n_requests * each // self.n_closely) % n_requests for each in range(self.n_closely)]


@dataclass(frozen=True, eq=False)
class SteeredClip:
    """A clip, who hears it, and how it is changed."""

    predictor: ScoringModel
    others: Sequence[ScoringModel]  # companions, see emomod.steering.hearing.searched_with
    y: NDArray[np.float32]
    components: Components
    weights: ComponentWeights
    off: str
    settings: SteeringSettings
    turn: int = 0  # place among the clips

    def rows(self) -> Rows:
        """A row for each request, plain and robust."""
        asked = self.settings.requests(self.predictor.names)
        closely = self.settings.closely(self.turn, len(asked))
        found = [self.steered(*each, controls=place in closely) for place, each in enumerate(asked)]
        found += [self.steered(*asked[place], robust=True) for place in closely if self.others]
        return found + [self.plain(request) for kind, request in asked if kind == SINGLE]

    def steered(self, kind: str, request: Request, *, robust: bool = False, controls: bool = False) -> dict[str, Any]:
        """Search, write, judge."""
        sound, names = sound_of(self.y), self.predictor.names
        listeners = listeners_of(self.predictor, self.others, robust=robust)
        problem = problem_of(sound, self.components, self.weights, request, listeners=listeners, off=self.off)
        objective = objective_of(request, names, spread=spread_of(self.predictor))
        steps = search(problem, objective, shares=self.settings.shares, most_changed=None, announce=lambda text: None)
        found = steps[-1].found
        written = self._written(problem.parts.spread(found.gains_db))
        (target, wanted), column = next(iter(request.shifts.items())), names.index(next(iter(request.shifts)))
        before, after = score_waveforms(self.predictor, written)
        met, most = not beyond(objective, after - before).any(), float(after[column] - before[column])
        if not met:
            most = float(most_there_is(problem, objective, from_=found).shifts[0][column])
        row = self._row(kind, target, wanted, np.asarray(before), np.asarray(after - before), written)
        row |= {"robust": robust, "met": met, "feasible": met or bool(most * np.sign(wanted) >= abs(wanted) - WITHIN)}
        row |= {"held_miss": _held_miss(objective, after - before), "most": most}
        row |= {"size_db": problem.parts.size_db(found.gains_db)}
        return row | (self._controls(problem, objective, found.gains_db, column, wanted) if controls else {})

    def plain(self, request: Request) -> dict[str, Any]:
        """The components that an explanation names, turned by 6 dB in the direction of the request."""
        ((target, wanted),) = request.shifts.items()
        chosen = select_components(self.weights, target=target).positive
        gains = np.zeros(self.components.n_components)
        gains[chosen] = np.sign(wanted) * self.settings.plain_db
        written = self._written(gains)
        before, after = score_waveforms(self.predictor, written)
        return self._row(PLAIN, target, wanted, np.asarray(before), np.asarray(after - before), written)

    def _written(self, gains_db: Array) -> list[NDArray[np.float32]]:
        """Original and changed version as files give them back."""
        waveforms, _ = equally_loud(self.components, {"changed": gains_db})
        return [quantise(waveforms[name], bits=BITS) for name in (ORIGINAL, "changed")]

    def _row(
        self, kind: str, target: str, wanted: float, before: Array, shift: Array, written: list[NDArray[np.float32]]
    ) -> dict[str, Any]:
        names = self.predictor.names
        row: dict[str, Any] = {"kind": kind, "target": target, "wanted": wanted, "robust": False}
        row["reached"] = float(shift[names.index(target)])
        row |= {"met": None, "feasible": None, "held_miss": None, "most": None, "size_db": None}
        row["spectral_distance_db"] = ear_cost(*written, visqol=False).spectral_distance_db
        for place, other in enumerate(self.others, start=1):
            first, second = score_waveforms(other, written)
            row[f"transfer_{place}"] = float(second[names.index(target)] - first[names.index(target)])
        row |= {"random_share": None, "equaliser_share": None}
        row |= {f"before_{name}": float(value) for name, value in zip(names, before, strict=True)}
        return row | {f"shift_{name}": float(value) for name, value in zip(names, shift, strict=True)}

    def _controls(
        self, problem: Problem, objective: Objective, gains_db: Array, column: int, wanted: float
    ) -> dict[str, Any]:
        if not gains_db.any():
            return {}
        controls = controls_of(
            problem,
            objective,
            gains_db,
            sound=sound_of(self.y),
            max_gain_db=self.settings.max_gain_db,
            n_random=self.settings.n_random,
            seed=0,
        )
        equaliser = controls.equaliser
        share = {"random_share": float(np.mean(controls.random[:, column]) / wanted)}
        return share | {"equaliser_share": None if equaliser is None else float(equaliser.shift[column] / wanted)}


def _held_miss(objective: Objective, shift: Array) -> float | None:
    return float(np.abs(shift[objective.held]).max()) if objective.held.any() else None


# ---- over clips ------------------------------------------------------------------------------------------------------


def with_order(rows: Rows) -> Rows:
    """Rows with ``moves_most``: whether the target moved farthest in spreads, each spread one over clips.

    InputError where fewer than two clips were heard, so that there is no spread.
    """
    names = [key.removeprefix("before_") for key in rows[0] if key.startswith("before_")] if rows else []
    by_clip = {row["clip"]: [row[f"before_{name}"] for name in names] for row in rows}
    if len(by_clip) < 2:
        raise InputError(f"rows must be of two clips or more, got {len(by_clip)}")
    spread = np.std(list(by_clip.values()), axis=0, ddof=1)
    found = []
    for row in rows:
        moved = np.abs([row[f"shift_{name}"] for name in names]) / np.where(spread > 0, spread, np.inf)
        found.append({**row, "moves_most": bool(names[int(moved.argmax())] == row["target"])})
    return found


def transferred(rows: Iterable[dict[str, Any]], place: int) -> Rows:
    """What another model hears: whether each version moved the right way, and the share of the shift."""
    return [
        {
            **row,
            "right": bool(row[f"transfer_{place}"] * row["wanted"] > 0),
            "size": float(row[f"transfer_{place}"] / row["reached"]) if row["reached"] else 0.0,
        }
        for row in rows
        if row.get(f"transfer_{place}") is not None
    ]
