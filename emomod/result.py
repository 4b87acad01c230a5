"""What the main job gives back: the folder it wrote, the explanation, and the shifts measured on the written files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.component_weights import Selection
from emomod.explanation import Explanation
from emomod.labels import LEVELS, level_of, spoken
from emomod.notebook import Shift, page_html, player_html, table_html
from emomod.rescoring import ScoreShift

DIRECTIONS = {"enhanced": 1.0, "weakened": -1.0}  # which way a version is to move its target
MANY = 16  # scores, of which more are not all shown
CONTROL_FIELDS = ("p_value", "share_beaten", "mean_shift", "shift_05", "shift_95", "energy_ratio", "n")


def scores_by_level(names: tuple[str, ...], scores: NDArray[np.floating]) -> dict[str, dict[str, float]]:
    """Return ``{"midlevel": {name: score}, "emotion": {name: score}}`` of scores [n_names].

    "score" holds, where there are any, those that only another model gives.
    """
    found: dict[str, dict[str, float]] = {level: {} for level in LEVELS}
    for name, score in zip(names, scores, strict=True):
        found[level_of(name)][name] = float(score)
    return {level: named for level, named in found.items() if named or level != "score"}


@dataclass(frozen=True)
class Prediction:
    """What the model hears in a file."""

    file: str
    levels: dict[str, dict[str, float]]  # scores by name, by level, see scores_by_level
    n_windows: int  # averaged
    scale: tuple[float, float] = (0.0, 1.0)  # lowest and highest score that the model is said to give

    @property
    def midlevel(self) -> dict[str, float]:
        """Mid-level features, 0..1; empty for a model without a mid-level layer."""
        return self.levels["midlevel"]

    @property
    def emotion(self) -> dict[str, float]:
        """Emotions, 0..1."""
        return self.levels["emotion"]

    def as_dict(self) -> dict[str, Any]:
        """The prediction for JSON."""
        return {"file": self.file, **self.levels, "n_windows": self.n_windows}

    def _repr_html_(self) -> str:
        scores = [item for level in self.levels.values() for item in level.items()]
        rows = [(spoken(name), score) for name, score in scores]
        return table_html(("name", "score"), rows, caption=Path(self.file).name)


@dataclass(frozen=True, eq=False)
class Modification:
    """Versions of a clip, as written to files and read back."""

    target: str
    gain_db: float
    selection: Selection
    waveforms: dict[str, NDArray[np.float32]]  # [n_samples] by version, as written
    shifts: tuple[ScoreShift, ...]  # enhanced, weakened
    static_gain_db: float  # given to all versions alike
    identity_snr_db: float  # of the written original against the clip

    def __repr__(self) -> str:
        return (
            f"<Modification of {self.target}, {self.gain_db:g} dB, {self.selection.positive.size} positive components>"
        )

    def shift_of(self, version: str) -> ScoreShift:
        """The shifts of one version."""
        return next(shift for shift in self.shifts if shift.version == version)

    def moved_further(self, version: str) -> list[str]:
        """The other scores that moved at least as far as the target, either way; the farthest first."""
        shift = self.shift_of(version)
        far = np.abs(shift.shift)
        target = far[shift.names.index(self.target)]
        order = np.argsort(-far, kind="stable")
        return [shift.names[k] for k in order if far[k] >= target > 0 and shift.names[k] != self.target]

    def as_dict(self) -> dict[str, Any]:
        """Figures for JSON: shifts by version and name, and controls of the target by version and kind."""
        return {
            "target": self.target,
            "gain_db": self.gain_db,
            "rule": self.selection.rule,
            "n_positive": int(self.selection.positive.size),
            "n_negative": int(self.selection.negative.size),
            "static_gain_db": self.static_gain_db,
            "identity_snr_db": self.identity_snr_db,
            "shifts": {
                shift.version: dict(zip(shift.names, shift.shift.tolist(), strict=True)) for shift in self.shifts
            },
            "moved_further": {shift.version: self.moved_further(shift.version) for shift in self.shifts},
            "controls": {shift.version: self._controls(shift) for shift in self.shifts},
        }

    def _controls(self, shift: ScoreShift) -> dict[str, dict[str, float]]:
        column, direction = shift.names.index(self.target), DIRECTIONS[shift.version]
        observed, found = float(shift.shift[column]), {}
        for control in shift.controls:
            moved = control.shifts[:, column]
            figures = (
                control.p_value(observed, column=column, direction=direction),
                control.share_beaten(observed, column=column, direction=direction),
                float(moved.mean()),
                *(float(value) for value in np.quantile(moved, (0.05, 0.95))),
                control.energy_ratio,
                len(moved),
            )
            found[control.kind] = dict(zip(CONTROL_FIELDS, figures, strict=True))
        return found

    def rows(self) -> list[dict[str, Any]]:
        """One row a score: level, before, after, shift and two-sided p-values against each kind of control."""
        rows = []
        for column, name in enumerate(self.shifts[0].names):
            row: dict[str, Any] = {"name": name, "level": level_of(name)}
            row["before"] = float(self.shifts[0].before[column])
            for shift in self.shifts:
                row[shift.version] = float(shift.after[column])
                row[f"shift_{shift.version}"] = float(shift.shift[column])
                for control in shift.controls:
                    row[f"p_{control.kind}_{shift.version}"] = float(control.p_values(shift.shift)[column])
            rows.append(row)
        return rows

    def _repr_html_(self) -> str:
        players = "".join(player_html(y, title=name) for name, y in self.waveforms.items())
        versions = [shift.version for shift in self.shifts]
        header = ("score", "original", *(title for version in versions for title in (version, "shift")))
        rows = [
            (
                spoken(row["name"]),
                row["before"],
                *(value for version in versions for value in (row[version], Shift(row[f"shift_{version}"]))),
            )
            for row in self.rows()
        ]
        return players + table_html(header, rows, caption=f"{spoken(self.target)}, {self.gain_db:g} dB")


@dataclass(frozen=True, eq=False)
class RunResult:
    """Everything that ``emomod run`` found and wrote."""

    folder: Path  # where the files are
    explanation: Explanation
    modification: Modification
    log_spectrogram: torch.Tensor  # [n_bands, n_frames] of the clip
    sentence: str
    record: dict[str, Any]  # the content of run.json

    @property
    def shown_names(self) -> list[str]:
        """The scores that a page shows: all, or of many the target, the highest and those that moved most."""
        names, changed = self.explanation.names, self.modification
        if len(names) <= MANY:
            return list(names)
        moved = np.max([np.abs(shift.shift) for shift in changed.shifts], axis=0)
        order = [np.argsort(-values, kind="stable")[: MANY // 2] for values in (self.explanation.scores, moved)]
        kept = {names.index(changed.target), *np.concatenate(order).tolist()}
        return [names[index] for index in sorted(kept)]

    def __repr__(self) -> str:
        return f"<RunResult in {self.folder}: {self.sentence}>"

    def _repr_html_(self) -> str:
        report = self.folder / "report.html"
        if not report.is_file():
            return self.explanation._repr_html_() + self.modification._repr_html_()
        return page_html(report.read_text(encoding="utf-8"), title=f"Report on {self.record['clip']}")
