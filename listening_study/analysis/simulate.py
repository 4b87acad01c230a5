"""Simulated listeners, who hear a known share of what a model predicts: to try designs and analyses on.

What a listener hears of a trial is

    (sensitivity + own slope) * predicted + own bias + item + stimulus + position_bias * (+-1/2) + noise

with normal deviations: the own slope and bias of the listener, what all listeners share about an item and about a
stimulus (and the model does not know), and noise of each answer. The position bias favours the condition when it comes
second. An answer is made of what was heard: "ccr" rounds it to -3..+3, and "pair" takes its sign, or a tie within
+-``tie_width``.

Conventions
-----------
Trials are rows with trial_type, item, attribute, condition, other and predicted. Every listener answers each of them
``n_repeats`` times, in an order and with positions of their own. The result has all columns of the table of answers and
``predicted``.
"""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_count, check_number, check_rng
from emomod.errors import InputError
from listening_study.analysis.tables import STIMULUS, check_table, numbered

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
KINDS = ("pair", "ccr")


@dataclass(frozen=True)
class ListenerModel:
    """How listeners hear and answer; standard deviations are in units of what is heard."""

    sensitivity: float = 0.5  # heard for one unit of predicted shift
    slope_sd: float = 0.2  # between listeners
    bias_sd: float = 0.2  # between listeners
    item_sd: float = 0.2
    stimulus_sd: float = 0.2
    noise_sd: float = 1.0
    tie_width: float = 0.0
    position_bias: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            low = -np.inf if field.name in ("sensitivity", "position_bias") else 0.0
            check_number(field.name, getattr(self, field.name), low=low)


def simulate_answers(
    trials: "pd.DataFrame",
    *,
    model: ListenerModel,
    n_listeners: int,
    rng: int | np.random.Generator,
    n_repeats: int = 1,
) -> "pd.DataFrame":
    """The table of answers of ``n_listeners`` to ``trials``; InputError for a trial_type that is not simulated."""
    check_table(trials, ["trial_type", *STIMULUS, "predicted"])
    unknown = sorted(set(trials["trial_type"]) - set(KINDS))
    if unknown:
        raise InputError(f"trial_type must be one of {', '.join(KINDS)}, got {', '.join(map(str, unknown))}")
    generator = check_rng(rng)
    n = len(trials) * check_count("n_repeats", n_repeats)
    shape = check_count("n_listeners", n_listeners), n
    asked = trials.iloc[np.tile(np.arange(len(trials)), n_repeats)].reset_index(drop=True)
    second = generator.random(shape) < 0.5
    heard = _heard(asked, second, model=model, rng=generator)
    answers = np.empty(shape)
    kinds = asked["trial_type"].to_numpy()
    for kind in sorted(set(kinds)):
        answers[:, kinds == kind] = _answered(heard[:, kinds == kind], kind, tie_width=model.tie_width)
    places = np.argsort(generator.random(shape), axis=1).argsort(axis=1)
    return _table(asked, answers, second, places)


def _heard(
    asked: "pd.DataFrame", second: NDArray[np.bool_], *, model: ListenerModel, rng: np.random.Generator
) -> Array:
    """What is heard [n_listeners, n_trials]."""
    n_listeners = len(second)
    item, items = numbered(asked["item"].tolist())
    stimulus, stimuli = numbered([tuple(row) for row in asked[STIMULUS].to_numpy()])
    predicted = asked["predicted"].to_numpy(dtype=np.float64)
    slopes = model.sensitivity + rng.normal(0.0, model.slope_sd, size=(n_listeners, 1))
    shared = rng.normal(0.0, model.item_sd, size=len(items))[item]
    shared = shared + rng.normal(0.0, model.stimulus_sd, size=len(stimuli))[stimulus]
    own = rng.normal(0.0, model.bias_sd, size=(n_listeners, 1)) + rng.normal(0.0, model.noise_sd, size=second.shape)
    return np.asarray(slopes * predicted + shared + own + model.position_bias * (second - 0.5))


def _answered(heard: Array, kind: str, *, tie_width: float) -> Array:
    if kind == "pair":
        return np.where(np.abs(heard) <= tie_width, 0.0, np.sign(heard))
    return np.clip(np.rint(heard), -3.0, 3.0)


def _table(
    asked: "pd.DataFrame", answers: Array, second: NDArray[np.bool_], places: NDArray[np.intp]
) -> "pd.DataFrame":
    """All columns of the table of answers, listener after listener, each in the order of the trials heard."""
    import pandas as pd

    n_listeners, n = answers.shape
    names = np.repeat([f"listener{number:03d}" for number in range(n_listeners)], n)
    repeated = asked.iloc[np.tile(np.arange(n), n_listeners)].reset_index(drop=True)
    trial_ids = np.tile([f"trial{number:04d}" for number in range(n)], n_listeners)
    told = {"study": "simulated", "participant": names, "session": names, "list": 0}
    told |= {"trial_index": places.ravel(), "trial_id": trial_ids, "phase": "main"}
    told |= {name: repeated[name].to_numpy() for name in ("trial_type", *STIMULUS)}
    told |= {"position": 1 + second.ravel().astype(int), "response": answers.ravel(), "confidence": np.nan}
    told |= {"stimulus": repeated["item"] + "-" + repeated["condition"]}
    told |= {"other_stimulus": repeated["item"] + "-" + repeated["other"]}
    told |= dict.fromkeys(("rt_ms", "listened_ms", "n_plays", "n_switches"), np.nan)
    told |= {"device": "simulated", "headphone_pass": True, "source_format": "simulated", "software_version": ""}
    told |= {"stimulus_sha256": "", "predicted": repeated["predicted"].to_numpy()}
    return pd.DataFrame(told).sort_values(["participant", "trial_index"], ignore_index=True)
