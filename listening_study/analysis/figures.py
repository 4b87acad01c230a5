"""The figures of an analysis as rows of plain values, for tables and for other programs."""

from typing import TYPE_CHECKING, Any

from listening_study.analysis.findings import AttributeFound, Findings
from listening_study.analysis.preference import Preference
from listening_study.analysis.selectivity import Selectivity

if TYPE_CHECKING:
    import pandas as pd

Rows = list[dict[str, Any]]


def figures_of(found: Findings) -> dict[str, Any]:
    """All figures: tables as rows by their name, counts, and what is not known."""
    return {
        "n_participants": found.screened.n_participants,
        "n_excluded": found.screened.n_excluded,
        "n_practice": found.screened.n_practice,
        "agreement": [{"attribute": name, **_of_attribute(each)} for name, each in found.attributes.items()],
        "versions": [_version(each) for each in found.versions],
        "preferences": [
            {"attribute": name, **row}
            for name, each in found.attributes.items()
            if each.preference
            for row in _worths(each.preference)
        ],
        "selectivity": [] if found.selectivity is None else _cells(found.selectivity),
        "detected": [
            {
                "condition": each.condition,
                **_ends("share", each.right.share),
                **_ends("d_prime", each.d_prime),
                "p_value": each.right.p_value,
                "n_answers": each.right.n,
            }
            for each in found.detected
        ],
        "ledger": _rows(found.screened.ledger),
        "listeners": _rows(found.screened.listeners),
        "unknown": found.unknown,
    }


def _rows(table: "pd.DataFrame") -> Rows:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _of_attribute(found: AttributeFound) -> dict[str, Any]:
    told, model, half = found.agreement, found.agreement.model, found.split_half
    one, listener = found.leave_one_out, found.model_as_listener
    return {
        **{f"n_{name}": getattr(told, f"n_{name}") for name in ("answers", "listeners", "items", "stimuli")},
        **_ends("sign_agreement", told.sign),
        **_ends("slope", told.slope),
        **_ends("slope_mixed", None if model is None else model.effects["predicted"]),
        **_ends("correlation", told.correlation),
        "p_value": None if told.test is None else told.test.p_value,
        "scheme": None if told.test is None else told.test.scheme,
        "ceiling": None if half is None else half.ceiling,
        "reliability": None if half is None else half.reliability,
        "leave_one_out_low": None if one is None else one.lower,
        "leave_one_out_high": None if one is None else one.upper,
        **_ends("model_with_listeners", None if listener is None else listener.model),
        **_ends("listeners_with_listeners", None if listener is None else listener.listeners),
        **_ends("alpha", found.alpha),
        **_ends("icc", found.icc),
    }


def _version(each: Any) -> dict[str, Any]:
    human = _ends("human", each.human)
    told = {"model": each.model, "confidence": each.confidence, "n_answers": each.n_answers}
    return {"attribute": each.attribute, "condition": each.condition, **human, **told}


def _worths(fit: Preference) -> Rows:
    told = dict(zip(fit.conditions[1:], fit.worths[1:], strict=True)) | {"what comes second": fit.order}
    return [{"condition": name, **_ends("log_worth", worth)} for name, worth in told.items()]


def _cells(matrix: Selectivity) -> Rows:
    names = ("n_answers", "human", "human_low", "human_high", "model", "difference", "difference_q", "equivalence_p")
    return [
        {"manipulated": target, "asked": asked, **{name: getattr(matrix, name)[row, column].item() for name in names}}
        for row, target in enumerate(matrix.manipulated)
        for column, asked in enumerate(matrix.asked)
    ]


def _ends(name: str, told: Any) -> dict[str, float | None]:
    value, low, high = (None, None, None) if told is None else (told.value, told.low, told.high)
    return {name: value, f"{name}_low": low, f"{name}_high": high}
