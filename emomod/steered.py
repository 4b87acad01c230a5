"""What steering gives back: the gains, the shifts on the written files, who carried them, and what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.ear import EarCost
from emomod.explanation import Explanation
from emomod.labels import level_of, spoken
from emomod.notebook import Shift, page_html, player_html, table_html
from emomod.steering.controls import Controls
from emomod.steering.parts import audible_shares
from emomod.steering.request import Request
from emomod.steering.robustness import Transfer

REST = "the rest"  # what sounds and has no name

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Point:
    """A share of the request: what it reached and what it costs."""

    share: float  # of what was asked
    gains_db: Array  # [K]
    shift: Array  # [n_names], by the model that was asked
    size_db: float  # root mean square gain over what is audible
    cost: EarCost


@dataclass(frozen=True, eq=False)
class Steered:
    """A clip that was steered, as written to files and read back."""

    folder: Path
    request: Request
    explanation: Explanation
    waveforms: dict[str, NDArray[np.float32]]  # [n_samples] by version as written: original, steered and steps
    before: Array  # [n_names], of the written original
    after: Array  # [n_names], of the written steered version
    points: tuple[Point, ...]  # growing shares of the request; the last is the steered version
    shares: Array  # [n_names, K], of components in the shift of each score
    left: Array  # [n_names], of the shifts that no component is given
    features: dict[str, dict[str, float]]  # what each mid-level feature's shift adds, by emotion that was asked for
    controls: Controls
    lasting: dict[str, Array]  # shifts [n_names] after mp3 and so on
    transfers: tuple[Transfer, ...]
    sentence: str
    log_spectrogram: torch.Tensor  # [n_bands, n_frames] of the clip
    record: dict[str, Any]  # the content of steer.json

    @property
    def names(self) -> tuple[str, ...]:
        """What the scores are."""
        return self.explanation.names

    @property
    def shift(self) -> Array:
        """[n_names], of the written files."""
        return self.after - self.before

    @property
    def gains_db(self) -> Array:
        """[K], of components in the steered version."""
        return self.points[-1].gains_db

    @property
    def moved_further(self) -> list[str]:
        """Scores that nothing was asked of and that moved at least as far as one that was asked to; farthest first."""
        far, request = np.abs(self.shift), self.request
        least = min(far[self.names.index(name)] for name in request.shifts)
        order = np.argsort(-far, kind="stable")
        known = {*request.shifts, *request.hold}
        return [self.names[k] for k in order if far[k] >= least > 0 and self.names[k] not in known]

    @property
    def mix(self) -> dict[str, float]:
        """Mean gain (dB) of each part that has a name, by how audible its components are; {} where there is but one."""
        parts = np.array([location.part or REST for location in self.explanation.locations])
        audible = audible_shares(self.explanation.where, self.log_spectrogram.cpu().numpy())
        named_parts = dict.fromkeys(parts.tolist())
        if len(named_parts) < 2:
            return {}
        return {
            part: float(np.average(self.gains_db[parts == part], weights=_or_even(audible[parts == part])))
            for part in named_parts
        }

    def __repr__(self) -> str:
        return f"<Steered in {self.folder}: {self.sentence}>"

    def rows(self) -> list[dict[str, Any]]:
        """A row a score: level, what was asked of it, before, after and shift."""
        return [
            {
                "name": name,
                "level": level_of(name),
                "asked": asked_of(self.request, name),
                "before": float(self.before[column]),
                "after": float(self.after[column]),
                "shift": float(self.shift[column]),
            }
            for column, name in enumerate(self.names)
        ]

    def _repr_html_(self) -> str:
        report = self.folder / "report.html"
        if report.is_file():
            return page_html(report.read_text(encoding="utf-8"), title=f"Steering of {self.record['clip']}")
        players = "".join(player_html(y, title=name) for name, y in self.waveforms.items())
        rows = [
            (spoken(row["name"]), row["asked"], row["before"], row["after"], Shift(row["shift"])) for row in self.rows()
        ]
        return players + table_html(("score", "asked", "before", "after", "shift"), rows, caption=self.sentence)


def _or_even(weights: Array) -> Array | None:
    """Weights for a mean; None, which is even, where all are 0."""
    return weights if weights.any() else None


def asked_of(request: Request, name: str) -> str:
    """What was asked of a score, in a word; nothing where it was not named.

    >>> asked_of(Request({"happy": 0.1}, hold=("energy",)), "happy"), asked_of(Request({"sad": -np.inf}), "sad")
    ('+0.1', 'min')
    """
    if name in request.hold:
        return "hold"
    shift = request.shifts.get(name)
    if shift is None:
        return ""
    return f"{shift:+g}" if np.isfinite(shift) else "max" if shift > 0 else "min"


def named(names: Sequence[str], values: Array) -> dict[str, float]:
    """Values [n_names] by name."""
    return dict(zip(names, np.asarray(values).tolist(), strict=True))
