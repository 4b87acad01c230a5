"""The figures of a run that a paper would quote, each with a 95 % interval over clips (or pairs)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from emomod.bootstrap import draw_groups, estimate, wilson_interval
from emomod.errors import InputError
from evaluation import responses, steering
from evaluation.carriers import LEAST_EFFECT
from evaluation.store import Rows
from evaluation.truth import LARGE, METRICS

Tables = Mapping[str, Rows]
SEED = 0  # of the bootstrap
HEADLINE = "parts"  # the question of truth that is the headline
GAIN_DB = 6.0  # of the selectivity
BEATEN = 0.05  # p-value below which one version beats its controls


def mean_with_interval(rows: Sequence[Mapping[str, Any]], column: str, *, group: str = "song") -> dict[str, Any]:
    """Mean of a column and its 95 % interval over ``n`` whole groups of rows; None where there is nothing.

    A group is what is drawn together, since rows of one song are not independent; one group alone has no interval. It
    is the bootstrap's; for a column of yes and no Wilson's, with a group as one case: a rate of 1 is not certain.
    """
    kept = [(row[group], row[column]) for row in rows if row.get(column) is not None]
    if kept and all(isinstance(value, bool) for _, value in kept):
        return _rate([(str(name), bool(value)) for name, value in kept])
    return _estimate([(str(name), float(value), 1.0) for name, value in kept])


def _estimate(kept: Sequence[tuple[str, float, float]]) -> dict[str, Any]:
    """Sum over sum, with its interval, of (group, numerator, denominator)."""
    if not kept:
        return {"value": None, "low": None, "high": None, "n": 0}
    groups, above, below = [name for name, *_ in kept], *np.array([pair for _, *pair in kept]).T
    counts = draw_groups(groups, rng=SEED).astype(np.float64)
    totals = counts @ below
    draws = np.divide(counts @ above, totals, out=np.full(len(counts), np.nan), where=totals != 0)
    n = len(set(groups))
    found = estimate(float(above.sum() / below.sum()), draws)
    low, high = (found.low, found.high) if n > 1 else (None, None)
    return {"value": found.value, "low": low, "high": high, "n": n}


def _rate(kept: Sequence[tuple[str, bool]]) -> dict[str, Any]:
    value, n = float(np.mean([flag for _, flag in kept])), len({name for name, _ in kept})
    low, high = wilson_interval(value * n, n)
    return {"value": value, "low": low, "high": high, "n": n}


def _by(rows: Rows, *columns: str) -> dict[tuple[Any, ...], Rows]:
    """Rows by the values of ``columns``, in the order of their first appearance."""
    groups: dict[tuple[Any, ...], Rows] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return groups


def _nested(found: Mapping[tuple[Any, ...], Any]) -> dict[str, Any]:
    """{(a, b): value} as {a: {b: value}}."""
    nested: dict[str, Any] = {}
    for keys, value in found.items():
        place = nested
        for key in keys[:-1]:
            place = place.setdefault(str(key), {})
        place[str(keys[-1])] = value
    return nested


def _stability(rows: Rows) -> dict[str, Any]:
    groups = _by(rows, "off", "design", "n_masks")
    columns = {
        "stability_jaccard": "jaccard_top",
        "stability_jaccard_selected": "jaccard_selected",
        "stability_relative_error": "relative_error",
    }
    return {
        name: _nested({key: mean_with_interval(mine, column) for key, mine in groups.items()})
        for name, column in columns.items()
    }


def _fidelity(rows: Rows) -> dict[str, Any]:
    """R2 where the fit was made, by meaning of off and target; and the 2019 notebook's own figure."""
    at_fit = [row for row in rows if row["off"] == row["fit_off"] and row["on_probability"] == 0.5]
    groups = _by(at_fit, "fit_off", "target")
    notebook = {key: mean_with_interval(mine, "clip_r2") for key, mine in _by(at_fit, "fit_off").items()}
    found = {key: mean_with_interval(mine, "r2") for key, mine in groups.items()}
    return {"neighbourhood_r2": _nested(found), "clip_r2": _nested(notebook)}


def _faithfulness(rows: Rows) -> dict[str, Any]:
    columns = (
        "deletion_gap",
        "insertion_gap",
        "positive_lost_shift",
        "negative_lost_shift",
        "infidelity_share",
        "sensitivity_max",
    )
    found = {
        (column, target): mean_with_interval(mine, column)
        for column in columns
        for (target,), mine in _by(rows, "target").items()
    }
    return {"faithfulness": _nested(found)}


def _sanity(rows: Rows) -> dict[str, Any]:
    groups = _by(rows, "model")
    return {
        "sanity_spearman": _nested({key: mean_with_interval(mine, "spearman") for key, mine in groups.items()}),
        "sanity_survives": _nested({key: mean_with_interval(mine, "survives") for key, mine in groups.items()}),
    }


def _methods(rows: Rows) -> dict[str, Any]:
    """By kind of components and method: figures over clips and scores, and agreement with each other method."""
    found: dict[str, Any] = {}
    columns = ("seconds", "seconds_over_lime", "neighbourhood_r2", "r2_less_offset", "up_right", "down_right", "shift")
    for (kind, method), mine in _by(rows, "components", "method").items():
        others = [name for name in mine[0] if name.startswith(("spearman_", "jaccard_"))]
        found.setdefault(kind, {})[method] = {
            "n_components": mean_with_interval(mine, "n_components"),
            **{column: mean_with_interval(mine, column) for column in (*columns, *others)},
        }
    return {"methods": found}


def _kinds(rows: Rows) -> dict[str, Any]:
    """By kind of components and method: area under the ROC curve of carriers, and what the confounder task found."""
    drums = ("drum_share", "found", "loudest_found", "any_found")
    ranked = ("roc_auc", "energy_roc_auc", "random_roc_auc", "pointing_game")
    found: dict[str, Any] = {}
    for (kind, method), mine in _by(rows, "components", "method").items():
        found.setdefault(kind, {})[method] = {
            column: mean_with_interval([row for row in mine if row.get(column) is not None], column)
            for column in (*ranked, *drums)
        }
    return {"kinds": found}


def _truth(rows: Rows) -> dict[str, Any]:
    """By question and feature: figures of the explanation, energy and chance; of ``HEADLINE`` the ROC area by itself.

    ``auc_over_energy`` is the area less that of energy, clip by clip.
    """
    found: dict[str, Any] = {}
    for (question, feature), mine in _by(rows, "question", "feature").items():
        by_name = found.setdefault(question, {})
        for name in METRICS:
            for prefix in ("", "energy_", "random_"):
                key = f"{prefix}{name.removeprefix('roc_')}"
                by_name.setdefault(key, {})[feature] = mean_with_interval(mine, f"{prefix}{name}")
        gains = [{**row, "gain": row["roc_auc"] - row["energy_roc_auc"]} for row in mine if row["roc_auc"] is not None]
        by_name.setdefault("auc_over_energy", {})[feature] = mean_with_interval(gains, "gain")
    return {"truth": found, "truth_auc": found[HEADLINE]["auc"], "truth_by_hearing": _by_hearing(rows)}


def _by_hearing(rows: Rows) -> dict[str, Any]:
    """By feature, of parts of large effect: the share that the model hears, ROC areas of these and of the others."""
    found: dict[str, Any] = {"heard": {}, "auc_heard": {}, "auc_unheard": {}}
    for (feature,), mine in _by([row for row in rows if row["question"] == LARGE], "feature").items():
        told = [{**row, "heard": row["model_effect"] >= LEAST_EFFECT} for row in mine]
        found["heard"][feature] = mean_with_interval(told, "heard")
        for name, flag in (("auc_heard", True), ("auc_unheard", False)):
            found[name][feature] = mean_with_interval([row for row in told if row["heard"] == flag], "roc_auc")
    return found


def _confounder(rows: Rows) -> dict[str, Any]:
    """By classifier; the accuracy is one figure of other clips, so that it has no interval here."""
    columns = {"rate": "confounder_first", "fooled": "fooled", "loudest": "confounder_loudest"}
    found: dict[str, Any] = {}
    for (name,), mine in _by(rows, "classifier").items():
        rates = {key: mean_with_interval(mine, column, group="clip") for key, column in columns.items()}
        accuracy = {"value": mine[0]["fair_accuracy"], "low": None, "high": None}
        found[f"confounder_{name}"] = {**rates, "accuracy": accuracy}
    return found | {"confounder_rate": found["confounder_confounded"]["rate"]}


def _sweep(rows: Rows) -> dict[str, Any]:
    found = responses.responses_of(rows)
    judged = [row for row in rows if row["control_p"] is not None]
    by_target = {key: mean_with_interval(mine, "right") for key, mine in _by(judged, "target").items()}
    one_by_one = [{**row, "beaten": row["control_p"] < BEATEN} for row in judged]
    songs = {row["clip"]: row["song"] for row in rows}
    return {
        "direction_rate": mean_with_interval(judged, "right"),
        "direction_rate_by_target": _nested(by_target),
        "control_p": responses.pooled_p(found) if judged else None,
        "control_p_median": float(np.median([row["control_p"] for row in judged])) if judged else None,
        "controls_beaten": mean_with_interval(one_by_one, "beaten"),
        "responses": _responses(found, songs),
        "selectivity": _selectivity(found, songs),
    }


def _responses(found: Sequence[responses.Response], songs: Mapping[str, str]) -> list[dict[str, Any]]:
    """The figures of each target and side, those that are means over clips with intervals."""
    table = []
    for row in responses.evaluate(found):
        mine = [each for each in found if (each.target, each.side) == (row["target"], row["side"])]
        told = [each.products(row["gains_db"]) for each in mine]
        names = [songs[each.clip] for each in mine]
        moved = [(name, each.monotonicity, 1.0) for name, each in zip(names, mine, strict=True)]
        right = [
            (name, bool(value))
            for name, each in zip(names, mine, strict=True)
            for value in each.right[np.isin(each.gains_db, row["gains_db"])]
        ]
        slopes = [(name, above, below) for name, (above, below) in zip(names, told, strict=True) if below > 0.0]
        figures = {"direction_rate": _rate(right), "monotonicity": _estimate(moved), "calibration": _estimate(slopes)}
        table.append(row | figures)
    return table


def _selectivity(found: Sequence[responses.Response], songs: Mapping[str, str]) -> list[dict[str, Any]]:
    """The selectivity, its shifts with intervals."""
    table = []
    for row in responses.selectivity(found, gain_db=GAIN_DB):
        turned = [each for each in found if (each.target, each.side) == (row["target"], "positive")]
        shifts = [
            (songs[each.clip], float(each.shifts[each.gains_db == GAIN_DB][0, each.names.index(row["score"])]), 1.0)
            for each in turned
            if GAIN_DB in each.gains_db
        ]
        table.append(row | {"shift": _estimate(shifts)})
    return table


def _steering(rows: Rows) -> dict[str, Any]:
    """By kind of request, plain and robust: what evaluation.steering defines; ``transfer`` by model."""
    found: dict[str, Any] = {}
    for (kind, robust), mine in _by(steering.with_order(rows), "kind", "robust").items():
        feasible = [row for row in mine if row["feasible"]]
        figures = {
            "n_requests": len(mine),
            "n_feasible": len(feasible) if kind != steering.PLAIN else None,
            "met_rate": mean_with_interval(feasible, "met"),
            "moves_most": mean_with_interval(mine, "moves_most"),
            "moves_most_of_met": mean_with_interval([row for row in mine if row["met"]], "moves_most"),
        }
        columns = ("reached_share", "held_miss", "size_db", "spectral_distance_db", "random_share", "equaliser_share")
        shares = [{**row, "reached_share": row["reached"] / row["wanted"]} for row in mine]
        figures |= {column: mean_with_interval(shares, column) for column in columns}
        places = [key.removeprefix("transfer_") for key in mine[0] if key.startswith("transfer_")]
        figures["transfer"] = {
            place: {
                column: mean_with_interval(steering.transferred(mine, int(place)), column)
                for column in ("right", "size")
            }
            for place in places
        }
        found[f"{kind}, robust" if robust else kind] = figures
    return {"steering": found}


def _inputs(rows: Rows) -> dict[str, Any]:
    groups = _by(rows, "change")
    columns = {"inputs_jaccard": "jaccard_top", "inputs_relative_error": "relative_error"}
    return {
        name: _nested({key: mean_with_interval(mine, column) for key, mine in groups.items()})
        for name, column in columns.items()
    }


SUMMARIES: dict[str, Callable[[Rows], dict[str, Any]]] = {
    "stability": _stability,
    "inputs": _inputs,
    "fidelity": _fidelity,
    "faithfulness": _faithfulness,
    "sanity": _sanity,
    "truth": _truth,
    "confounder": _confounder,
    "methods": _methods,
    "kinds": _kinds,
    "sweep": _sweep,
    "steering": _steering,
}


def summarise(tables: Tables) -> dict[str, Any]:
    """All figures of ``tables``, rows by experiment; InputError where one is empty."""
    if empty := [name for name, rows in tables.items() if not rows]:
        raise InputError(f"tables must have rows, but {', '.join(empty)} has none")
    found: dict[str, Any] = {}
    for name, rows in tables.items():
        found |= SUMMARIES[name](rows)
    return found


def smallest_counts(rows: Rows, *, wanted: float = 0.9) -> list[dict[str, Any]]:
    """For each meaning of off and design: the fewest masks from which on the mean Jaccard of the top 30 is ``wanted``.

    Only numbers of masks that all clips could be explained with count; None where none is enough.
    """
    found = []
    for (off, design), mine in _by(rows, "off", "design").items():
        clips = {row["clip"] for row in mine}
        counts = {
            count: float(np.mean([row["jaccard_top"] for row in some]))
            for (count,), some in _by(mine, "n_masks").items()
            if {row["clip"] for row in some} == clips
        }
        failed = [count for count, mean in counts.items() if mean < wanted]
        enough = [count for count in sorted(counts) if count > max(failed, default=0)]
        found.append({"off": off, "design": design, "wanted": wanted, "n_masks": enough[0] if enough else None})
    return found
