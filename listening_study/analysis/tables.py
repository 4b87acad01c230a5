"""What the analyses take from the table of answers: the rows that count, shifts of ratings, listeners x stimuli.

Conventions
-----------
A table is a pandas DataFrame with a row for each answer. ``response`` speaks of ``condition`` against ``other``: pair
+1, 0, -1; ccr -3..+3; sliders and scale a rating of ``condition`` alone; abx 1 or 0. ``predicted``, where it is needed,
is the model's shift of the attribute's score from ``other`` (of ratings: from the baseline) to ``condition``. Only rows
of the phase "main" that have a response count. A stimulus is an item, an attribute, a condition and its other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from emomod.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Name = TypeVar("Name")
STIMULUS = ["item", "attribute", "condition", "other"]
COMPARED = ("pair", "ccr")  # trial types whose response is a shift


@dataclass(frozen=True, eq=False)
class Grid:
    """Mean responses of listeners to stimuli."""

    responses: Array  # [n_listeners, n_stimuli], NaN where a listener did not answer
    predicted: Array  # [n_stimuli]
    items: NDArray[np.intp]  # [n_stimuli], number of the stimulus' item
    listeners: tuple[str, ...]
    stimuli: tuple[tuple[str, ...], ...]  # item, attribute, condition, other

    @property
    def means(self) -> Array:
        """Mean [n_stimuli] over the listeners who answered."""
        return np.asarray(np.nanmean(self.responses, axis=0))


def check_table(table: "pd.DataFrame", columns: Sequence[str]) -> "pd.DataFrame":
    """Return ``table`` if it has rows and the ``columns``."""
    found = list(getattr(table, "columns", []))
    missing = [name for name in columns if name not in found]
    if missing:
        raise InputError(f"table must have the columns {', '.join(columns)}; missing: {', '.join(missing)}")
    if not len(table):
        raise InputError("table must have at least one row, got none")
    return table


def main_answers(table: "pd.DataFrame", *, columns: Sequence[str] = ()) -> "pd.DataFrame":
    """Rows of ``table`` that count, with a new index; InputError where there are none or ``columns`` are missing."""
    check_table(table, ["participant", "phase", "response", *columns])
    kept = table[(table["phase"] == "main") & table["response"].notna()].reset_index(drop=True)
    if not len(kept):
        raise InputError("table must have answers of the phase main, got none")
    return kept


def shift_answers(table: "pd.DataFrame") -> "pd.DataFrame":
    """The ``main_answers``, all of which must be shifts with a prediction: of the trial types pair and ccr."""
    kept = main_answers(table, columns=[*STIMULUS, "trial_type", "predicted"])
    kinds = sorted(set(kept["trial_type"]))
    if len(kinds) != 1 or kinds[0] not in COMPARED:
        raise InputError(f"table must have one trial_type of {', '.join(COMPARED)}, got {', '.join(kinds)}")
    unknown = int((~np.isfinite(kept["predicted"].to_numpy(dtype=np.float64))).sum())
    if unknown:
        raise InputError(f"predicted must be finite, got {unknown} of NaN or infinity")
    return kept


def rating_shifts(table: "pd.DataFrame", *, baseline: str) -> "pd.DataFrame":
    """Ratings as shifts from the listener's mean rating of the condition ``baseline`` of the same item and attribute.

    Rows of the baseline, and those without one to compare with, are left out; ``trial_type`` becomes ccr and ``other``
    the baseline, so that all that is made for shifts takes them. InputError where no row is left.
    """
    rated = main_answers(table, columns=[*STIMULUS, "trial_type"])
    keys = ["participant", "item", "attribute"]
    at_rest = rated[rated["condition"] == baseline].groupby(keys)["response"].mean().rename("at_rest").reset_index()
    both = rated[rated["condition"] != baseline].merge(at_rest, on=keys, how="inner")
    if not len(both):
        raise InputError(f"baseline must be a condition that listeners rated beside others, got {baseline!r}")
    shifted = both.assign(response=both["response"] - both["at_rest"], other=baseline, trial_type="ccr")
    return shifted.drop(columns="at_rest")


def grid_of(table: "pd.DataFrame") -> Grid:
    """The grid of the ``shift_answers``; InputError where a stimulus has more than one prediction."""
    kept = shift_answers(table)
    stimulus, names = numbered([tuple(map(str, row)) for row in kept[STIMULUS].to_numpy()])
    listener, listeners = numbered(kept["participant"].astype(str).tolist())
    shape = len(listeners), len(names)
    sums, counts, predicted = np.zeros(shape), np.zeros(shape), np.zeros(len(names))
    np.add.at(sums, (listener, stimulus), kept["response"].to_numpy(dtype=np.float64))
    np.add.at(counts, (listener, stimulus), 1.0)
    told = kept["predicted"].to_numpy(dtype=np.float64)
    predicted[stimulus] = told
    unlike = np.flatnonzero(predicted[stimulus] != told)
    if unlike.size:
        raise InputError(
            f"predicted must be one number for each stimulus, got several for {names[stimulus[unlike[0]]]}"
        )
    with np.errstate(invalid="ignore"):
        responses = sums / counts
    items, _ = numbered([name[0] for name in names])
    return Grid(responses, predicted, items, listeners, names)


def numbered(values: Sequence[Name]) -> tuple[NDArray[np.intp], tuple[Name, ...]]:
    """Numbers of ``values`` in the order of their first appearance, and what each number stands for."""
    names = tuple(dict.fromkeys(values))
    places = {name: place for place, name in enumerate(names)}
    return np.array([places[value] for value in values], dtype=np.intp), names
