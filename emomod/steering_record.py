"""What steering writes down beside the sounds: steer.json and the rows of its tables."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from emomod.explained import ExplainedClip, model_record
from emomod.provenance import package_versions
from emomod.result import scores_by_level
from emomod.steered import Point, Steered, asked_of, named
from emomod.steering.controls import EqualiserControl

Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Told:
    """What a record holds beside a result."""

    explained: ExplainedClip
    settings: Record  # with the components as a text
    origins: Sequence[str]  # of other models, as they were named; empty for those that ship
    level_db: dict[str, float]  # gain that each version was given to be as loud as the others


def record_of(steered: Steered, told: Told) -> Record:
    """Return the content of steer.json, but for the seconds."""
    return _found(steered) | _elsewhere(steered, told) | _made(steered, told)


def _found(steered: Steered) -> Record:
    """What was asked, what came of it, and what it took."""
    request, names, point = steered.request, steered.names, steered.points[-1]
    shift = named(names, steered.shift)
    return {
        "sentence": steered.sentence,
        "requested": {
            name: asked_of(request, name) if np.isinf(value) else value for name, value in request.shifts.items()
        },
        "reached": {name: shift[name] for name in request.shifts},
        "held": {name: shift[name] for name in request.hold},
        "shifts": shift,
        "moved_further": steered.moved_further,
        "gains_db": point.gains_db.tolist(),
        "mix": steered.mix,
        "size_db": point.size_db,
        "cost": point.cost.as_dict(),
        "points": [point_row(each, names) for each in steered.points],
        "features": steered.features,
        "account_left": named(names, steered.left),
        "predictions": {
            "before": scores_by_level(names, steered.before),
            "steered": scores_by_level(names, steered.after),
        },
    }


def _elsewhere(steered: Steered, told: Told) -> Record:
    """What other changes and other models come to."""
    names, controls = steered.names, steered.controls
    return {
        "controls": {
            "random": [named(names, each) for each in controls.random],
            "level": named(names, controls.level),
            "equaliser": controls.equaliser and _equaliser(names, controls.equaliser),
        },
        "lasting": {way: named(names, each) for way, each in steered.lasting.items()},
        "transfer": [
            {"model": each.model, "origin": origin, "used": each.used, "shifts": named(names, each.shift)}
            for each, origin in zip(steered.transfers, told.origins, strict=True)
        ],
    }


def _equaliser(names: tuple[str, ...], control: EqualiserControl) -> Record:
    at = control.equaliser
    bands = {"gains_db": at.gains_db, "frequencies": at.frequencies, "q": at.q}
    return {
        "shifts": named(names, control.shift),
        "size_db": control.size_db,
        **{name: values.tolist() for name, values in bands.items()},
    }


def _made(steered: Steered, told: Told) -> Record:
    """How it was made."""
    clip = told.explained.clip
    return {
        "level_db": told.level_db,
        "components": told.explained.explanation.record["components"],
        "n_components": told.explained.components.n_components,
        "clip": clip.path,
        "clip_sha256": clip.sha256,
        "window": {"start": clip.start, "seconds": clip.seconds, "file_seconds": clip.file_seconds},
        "model": model_record(told.explained.predictor),
        "request": asdict(steered.request),
        "settings": told.settings,
        "versions": package_versions(),
    }


def point_row(point: Point, names: Sequence[str]) -> Record:
    """Return a point for a table: share, size, cost to the ear, shift of each score."""
    return {"share": point.share, "size_db": point.size_db, **point.cost.as_dict(), **named(names, point.shift)}


def component_rows(steered: Steered) -> list[Record]:
    """Return a row a component: place, gain, and its share in the shift of each score of the request, held ones too."""
    asked = {name: steered.names.index(name) for name in (*steered.request.shifts, *steered.request.hold)}
    return [
        {
            "component": k,
            **asdict(location),
            "gain_db": float(steered.gains_db[k]),
            **{f"share_{name}": float(steered.shares[row, k]) for name, row in asked.items()},
        }
        for k, location in enumerate(steered.explanation.locations)
    ]
