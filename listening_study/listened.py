"""What was listened to in a trial, as the rows of the table of answers tell it."""

from collections.abc import Sequence
from dataclasses import replace

from listening_study.table import Answer


def with_listened(rows: Sequence[Answer], listened_ms: Sequence[float]) -> tuple[Answer, ...]:
    """The ``rows`` of a trial with ``listened_ms``, ms of each version in the order presented.

    A row of sliders, which is about one version, has that version's; another row has all versions' together.
    """

    def of_row(row: Answer) -> float:
        return listened_ms[row.position - 1] if row.trial_type == "sliders" else sum(listened_ms)

    return tuple(replace(row, listened_ms=float(of_row(row))) for row in rows)
