"""The figures of a run that a paper would quote, each with a 95 % interval over clips (or pairs)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from emomod.bootstrap import draw_groups, estimate
from emomod.errors import InputError
from evaluation import sweep
from evaluation.store import Rows
from evaluation.truth import METRICS

Tables = Mapping[str, Rows]
SEED = 0  # of the bootstrap


def mean_with_interval(rows: Sequence[Mapping[str, Any]], column: str, *, group: str = "clip") -> dict[str, Any]:
    """Mean of a column and its 95 % bootstrap interval over whole groups of rows; None where there is nothing.

    A group is what is drawn together, since rows of one clip are not independent; one group alone has no interval.
    """
    kept = [(row[group], float(row[column])) for row in rows if row.get(column) is not None]
    if not kept:
        return {"value": None, "low": None, "high": None, "n": 0}
    groups, values = [str(name) for name, _ in kept], np.array([value for _, value in kept])
    counts = draw_groups(groups, rng=SEED).astype(np.float64)
    totals = counts.sum(axis=1)
    draws = np.divide(counts @ values, totals, out=np.full(len(counts), np.nan), where=totals > 0)
    n = len(set(groups))
    found = estimate(float(values.mean()), draws)
    low, high = (found.low, found.high) if n > 1 else (None, None)
    return {"value": found.value, "low": low, "high": high, "n": n}


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
    columns = ("deletion_gap", "insertion_gap", "positive_lost_shift", "negative_lost_shift", "infidelity_normalised")
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


def _truth(rows: Rows) -> dict[str, Any]:
    """By feature: the explanation's figures and those of energy and chance."""
    found: dict[str, Any] = {}
    for name in METRICS:
        for prefix in ("", "energy_", "random_"):
            by_feature = {
                key: mean_with_interval(mine, f"{prefix}{name}", group="pair")
                for key, mine in _by(rows, "feature").items()
            }
            found[f"truth_{prefix}{name.removeprefix('roc_')}"] = _nested(by_feature)
    return found


def _confounder(rows: Rows) -> dict[str, Any]:
    return {f"confounder_{row['classifier']}": dict(row) for row in rows} | {
        "confounder_rate": next(row["confounder_rate"] for row in rows if row["classifier"] == "confounded")
    }


def _sweep(rows: Rows) -> dict[str, Any]:
    responses = sweep.responses_of(rows)
    judged = [row for row in rows if row["control_p"] is not None]
    by_target = {key: mean_with_interval(mine, "right") for key, mine in _by(judged, "target").items()}
    return {
        "direction_rate": mean_with_interval(judged, "right"),
        "direction_rate_by_target": _nested(by_target),
        "control_p": float(np.median([row["control_p"] for row in judged])) if judged else None,
        "controls_beaten": mean_with_interval([{**row, "beaten": row["control_p"] < 0.01} for row in judged], "beaten"),
        "responses": sweep.evaluate(responses),
        "selectivity": sweep.selectivity(responses),
    }


def _inputs(rows: Rows) -> dict[str, Any]:
    groups = _by(rows, "change")
    return {"inputs_jaccard": _nested({key: mean_with_interval(mine, "jaccard_top") for key, mine in groups.items()})}


SUMMARIES: dict[str, Callable[[Rows], dict[str, Any]]] = {
    "stability": _stability,
    "inputs": _inputs,
    "fidelity": _fidelity,
    "faithfulness": _faithfulness,
    "sanity": _sanity,
    "truth": _truth,
    "confounder": _confounder,
    "sweep": _sweep,
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
    """For each meaning of off and design: the fewest masks at which the mean Jaccard index of the top 30 is ``wanted``.

    None where no number that was tried is enough.
    """
    found = []
    for (off, design), mine in _by(rows, "off", "design").items():
        counts = _by(mine, "n_masks")
        means = {count: np.mean([row["jaccard_top"] for row in some]) for (count,), some in counts.items()}
        enough = [count for count, mean in sorted(means.items()) if mean >= wanted]
        found.append({"off": off, "design": design, "wanted": wanted, "n_masks": enough[0] if enough else None})
    return found
