"""What a dataset holds, in figures and in lines to read."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from emomod.datasets.clips import RatedClips
from emomod.datasets.splits import fold_splits, repeated_splits, single_artist_split
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES, spoken


def summarise(clips: RatedClips, seconds: Sequence[float]) -> dict[str, Any]:
    """Figures of ``clips``, at least one, and of the length in ``seconds`` of each; fit for JSON."""
    kinds = Counter(group.partition(": ")[0] for group in set(clips.groups))
    return {
        "dataset": clips.dataset,
        "clips": len(clips),
        "seconds": {"shortest": min(seconds), "longest": max(seconds)},
        "groups": dict(sorted(kinds.items())),
        "scores": {name: _spread(clips.labels[:, index]) for index, name in enumerate(SCORE_NAMES)},
        "splits": _splits(clips.groups),
        "notes": list(clips.notes),
        "problems": [vars(problem) for problem in clips.left_out],
    }


def _spread(labels: Any) -> dict[str, float]:
    known = labels[~np.isnan(labels)]
    if not known.size:
        return {"clips": 0}
    return {
        "clips": known.size,
        "lowest": float(known.min()),
        "mean": float(known.mean()),
        "highest": float(known.max()),
    }


def _splits(groups: Sequence[str]) -> dict[str, Any]:
    """Clips in each test set of the usual splits (seed 0), or why there is no such split."""
    return {
        "single artists": _sizes(lambda: (single_artist_split(groups, seed=0),)),
        "ten folds": _sizes(lambda: fold_splits(groups, seed=0)),
        "ten repeated": _sizes(lambda: repeated_splits(groups, seed=0)),
    }


def _sizes(split: Any) -> Any:
    try:
        return [len(part.test) for part in split()]
    except InputError as reason:
        return str(reason)


def told(summary: dict[str, Any]) -> list[str]:
    """The lines that the command line prints of a summary."""
    n_problems = len(summary["problems"])
    groups = ", ".join(f"{count} {kind}{'s' if count != 1 else ''}" for kind, count in summary["groups"].items())
    return [
        f"{summary['dataset']}: {summary['clips']} clips of {_span(**summary['seconds'])} s",
        f"groups: {groups}",
        *_score_lines(summary["scores"]),
        *(f"test clips, {name}: {_spoken_sizes(sizes)}" for name, sizes in summary["splits"].items()),
        *(f"note: {note}" for note in summary["notes"]),
        f"problems: {n_problems or 'none'}{' (left out what they name)' if n_problems else ''}",
    ]


def _score_lines(scores: dict[str, dict[str, float]]) -> list[str]:
    lines = [f"{'score, 0..1':18}  clips  lowest   mean  highest"]
    for name, spread in scores.items():
        if spread["clips"]:
            figures = f"{spread['lowest']:6.2f} {spread['mean']:6.2f}  {spread['highest']:7.2f}"
            lines.append(f"{spoken(name):18} {spread['clips']:6}  {figures}")
    return lines


def _spoken_sizes(sizes: list[int] | str) -> str:
    if isinstance(sizes, str):
        return f"cannot be made ({sizes})"
    return _span(min(sizes), max(sizes), digits=0)


def _span(shortest: float, longest: float, *, digits: int = 1) -> str:
    low, high = f"{shortest:.{digits}f}", f"{longest:.{digits}f}"
    return low if low == high else f"{low} to {high}"
