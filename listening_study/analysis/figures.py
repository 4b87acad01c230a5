"""The figures of an analysis as rows of plain values, for tables and for other programs."""

from typing import Any

from listening_study.analysis.findings import Findings


def figures_of(found: Findings) -> dict[str, Any]:
    """All figures as rows of plain values, by table."""
    agreement = [
        {
            "attribute": attribute,
            **{f"n_{name}": getattr(each, f"n_{name}") for name in ("answers", "listeners", "items", "stimuli")},
            **_ends("sign_agreement", each.sign),
            **_ends("slope", each.slope),
            **_ends("rank_correlation", each.rank),
            "p_value": each.test.p_value,
            "ceiling": found.ceilings[attribute].ceiling if attribute in found.ceilings else None,
        }
        for attribute, each in found.agreements.items()
    ]
    versions = [
        {
            "attribute": each.attribute,
            "condition": each.condition,
            **_ends("human", each.human),
            "model": each.model,
            "n_answers": each.n_answers,
        }
        for each in found.versions
    ]
    detected = [
        {
            "condition": each.condition,
            **_ends("share", each.right.share),
            **_ends("d_prime", each.d_prime),
            "p_value": each.right.p_value,
            "n_answers": each.right.n,
        }
        for each in found.detected
    ]
    ledger = [{str(key): value for key, value in row.items()} for row in found.screened.ledger.to_dict("records")]
    kept = {"n_participants": found.screened.n_participants, "n_excluded": found.screened.n_excluded}
    return {
        **kept,
        "agreement": agreement,
        "versions": versions,
        "detected": detected,
        "ledger": ledger,
        "unknown": found.unknown,
    }


def _ends(name: str, told: Any) -> dict[str, float]:
    return {name: told.value, f"{name}_low": told.low, f"{name}_high": told.high}
