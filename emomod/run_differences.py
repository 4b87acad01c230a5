"""How far two runs of one job are apart: their figures, their components' weights, their sounds.

Three verdicts: "identical", to the bit; "same", within tolerances that leave room for another rounding alone; and
"different". Another engine on the same CPU moves a score by up to 3e-7 and a component's weight by up to 4e-6 of the
largest; another number of threads moves the last bits of weights (docs/operations.md has the measurement).

The run of then is a file of anybody's: tolerances follow from scale and counts of the run of now alone.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from emomod.audio import file_sha256, read_clip
from emomod.component_weights import select_components
from emomod.explanation import Explanation, load_explanation
from emomod.output import VERSIONS
from emomod.reading.json_files import read_object
from emomod.rescoring import snr_db

SCORE = 1e-5  # of the model's scale: 30 times what another engine moves, a hundredth of what is printed
SHARE = 1e-5  # of R2, complexity and energies, which follow from scores
WEIGHT = 1e-4  # of the largest weight on a score: 30 times what another engine moves; other masks move some 5e-2
CONTROLS = 1  # that may fall on the other side of the version's own shift, where both are equal but for rounding
LEVEL_DB = 1e-3  # of the gain that all versions share
IDENTITY_DB = 1.0  # of a signal-to-noise ratio of some 130 dB, whose noise is rounding
CELL = 1e-2  # of a cell of the spectrogram, as `emomod modify` allows
SNR_DB = 80.0  # at least; rounding to 16 bits leaves that at a level of -18 dB FS, to 24 bits 48 dB more

Verdict = Literal["identical", "same", "different"]
Figures = dict[str, float | None]
ROW = "{:<24} {:>8}  {:>22}  {:>9}  {:<9}  {}"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run left in its folder; the explanation and sounds may be missing."""

    folder: Path
    record: dict[str, Any]
    explanation: Explanation | None
    sounds: dict[str, Path]  # by version


@dataclass(frozen=True)
class Difference:
    """How far figures of one kind are apart."""

    what: str
    n: int  # figures that were compared
    largest: float  # difference; infinite where one run has a figure that the other has not
    tolerance: float
    where: str = ""  # the largest difference is
    unit: str = ""

    @property
    def verdict(self) -> Verdict:
        """What follows from the largest difference."""
        return "identical" if self.largest == 0.0 else "same" if self.largest <= self.tolerance else "different"

    @property
    def told(self) -> str:
        """The largest difference in words."""
        return "none" if self.verdict == "identical" else f"{self.largest:.2g} {self.unit}".strip()


@dataclass(frozen=True)
class SoundDifference:
    """How far two files of one version are apart."""

    what: str  # the name of the file
    same_bytes: bool
    snr_db: float  # of one against the other; infinite for the same samples, minus infinity for another length

    @property
    def verdict(self) -> Verdict:
        """What follows from the bytes or, where they differ, the noise."""
        return "identical" if self.same_bytes else "same" if self.snr_db >= SNR_DB else "different"

    @property
    def told(self) -> str:
        """The difference in words."""
        if self.same_bytes or math.isinf(self.snr_db):
            return "none" if self.same_bytes else "other bytes" if self.snr_db > 0 else "another length"
        return f"SNR {self.snr_db:.1f} dB"


@dataclass(frozen=True)
class Differences:
    """Everything that was compared."""

    figures: tuple[Difference, ...]
    sounds: tuple[SoundDifference, ...]
    missing: tuple[str, ...]  # files that were not compared, since one of the runs has none

    @property
    def _all(self) -> list[Difference | SoundDifference]:
        return [*self.figures, *self.sounds]

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        found = {each.verdict for each in self._all}
        return "different" if "different" in found else "same" if "same" in found else "identical"

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        compared = f"{sum(each.n for each in self.figures)} figures and {len(self.sounds)} sounds"
        apart = [each for each in self._all if each.verdict == self.verdict]
        told = "; ".join(f"{each.what}: {each.told}" for each in apart)
        return {
            "identical": f"Identical to the bit: {compared} are the same as then.",
            "same": f"The same within tolerance: of {compared} these differ by rounding. {told}.",
            "different": f"Different: of {compared} these differ beyond tolerance. {told}.",
        }[self.verdict]

    def table(self) -> str:
        """A line for each kind of figures and each sound, for people."""
        lines = [ROW.format("compared", "figures", "largest difference", "tolerance", "verdict", "where")]
        lines += [
            ROW.format(each.what, each.n, each.told, f"{each.tolerance:.2g}", each.verdict, each.where)
            for each in self.figures
        ]
        limit = f"{SNR_DB:g} dB"
        lines += [ROW.format(each.what, "", each.told, limit, each.verdict, "") for each in self.sounds]
        return "\n".join(line.rstrip() for line in lines)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; what is infinite is None there."""
        return {
            "verdict": self.verdict,
            "figures": [asdict(each) | {"verdict": each.verdict} for each in self.figures],
            "sounds": [asdict(each) | {"verdict": each.verdict} for each in self.sounds],
            "not_compared": list(self.missing),
        }


def outcome_of(folder: Path, record: dict[str, Any] | None = None) -> Outcome:
    """Return what a run left in ``folder``; InputError where that cannot be read."""
    told = record if record is not None else read_object(folder / "run.json")
    explanation = load_explanation(folder) if (folder / "explanation.npz").is_file() else None
    sounds = {name: path for name in VERSIONS if (path := folder / f"{name}.wav").is_file()}
    return Outcome(folder, told, explanation, sounds)


def differences(then: Outcome, now: Outcome) -> Differences:
    """Return how far two runs of one job are apart."""
    figures = list(_figures(then.record, now.record))
    missing = [f"{name}.wav" for name in VERSIONS if name not in then.sounds or name not in now.sounds]
    if then.explanation and now.explanation:
        figures += _components(then.explanation, now.explanation, then.record)
    else:
        missing.insert(0, "explanation.npz")
    seconds = float(now.record["window"]["seconds"])
    sounds = [
        _sound(path, now.sounds[name], seconds=seconds) for name, path in then.sounds.items() if name in now.sounds
    ]
    return Differences(tuple(figures), tuple(sounds), tuple(missing))


def _figures(then: dict[str, Any], now: dict[str, Any]) -> Iterator[Difference]:
    """What the two records say; ``then`` may say anything."""
    low, high = now["model"].get("scale", (0.0, 1.0))
    near = SCORE * (high - low)
    yield _apart("scores", then, now, ["predictions"], tolerance=near)
    yield _apart("shifts", then, now, ["shifts"], tolerance=near)
    moved = ("mean_shift", "shift_05", "shift_95")
    yield _apart("shifts of random changes", then, now, ["controls"], tolerance=near, only=moved)
    least = min(
        (figures["n"] for kinds in now["controls"].values() for figures in kinds.values()), default=1
    )  # of random changes
    one = CONTROLS / least + 1e-12
    yield _apart("random changes beaten", then, now, ["controls"], tolerance=one, only=("share_beaten", "p_value"))
    yield _apart("energy of random changes", then, now, ["controls"], tolerance=SHARE, only=("energy_ratio",))
    fits = ["surrogate_r2", "fit_r2", "clip_r2", "complexity"]
    yield _apart("fit of the explanation", then, now, fits, tolerance=SHARE)
    yield _apart("common gain", then, now, ["static_gain_db"], tolerance=LEVEL_DB, unit="dB")
    yield _apart("noise of the written file", then, now, ["identity_snr_db"], tolerance=IDENTITY_DB, unit="dB")
    counts = ["n_components", "n_positive", "n_negative", "n_masks"]
    yield _apart("numbers of components", then, now, counts, tolerance=0.0)


def _apart(
    what: str,
    then: dict[str, Any],
    now: dict[str, Any],
    keys: Iterable[str],
    *,
    tolerance: float,
    only: tuple[str, ...] = (),
    unit: str = "",
) -> Difference:
    """The figures of two records below ``keys``; with ``only``, those that are called so."""
    before, after = (
        {
            name: value
            for key in keys
            for name, value in _flat(record.get(key), key)
            if not only or name.rpartition(" / ")[2] in only
        }
        for record in (then, now)
    )
    apart = {name: _distance(before.get(name, math.nan), after.get(name, math.nan)) for name in before | after}
    where = max(apart, key=lambda name: apart[name]) if apart else ""
    largest = apart.get(where, 0.0)
    return Difference(what, len(apart), largest, tolerance, where if largest else "", unit)


def _flat(value: Any, name: str) -> Iterator[tuple[str, float | None]]:
    """The numbers below a value of JSON, by the way to them."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _flat(below, f"{name} / {key}")
    elif value is None or isinstance(value, (int, float)):
        yield name, value


def _distance(then: float | None, now: float | None) -> float:
    """How far two figures are apart; None, what JSON makes of NaN, is nowhere but at itself."""
    if then is None and now is None:
        return 0.0
    apart = math.nan if then is None or now is None else abs(then - now)
    return math.inf if math.isnan(apart) else apart


def _components(then: Explanation, now: Explanation, record: dict[str, Any]) -> Iterator[Difference]:
    """Where components lie, how much each weighs, and which of them were chosen."""
    n = then.where.n_components
    if then.where.shares.shape != now.where.shares.shape or then.names != now.names:
        yield Difference("cut into components", n, math.inf, CELL)
        return
    share = float(abs(then.where.shares - now.where.shares).max())
    yield Difference("cut into components", n, share, CELL, unit="of a cell")
    before, after = then.weights.weights, now.weights.weights
    apart: NDArray[np.float64] = np.abs(before - after) / np.maximum(np.abs(before).max(axis=1, keepdims=True), 1e-300)
    row, k = (int(index) for index in np.unravel_index(int(apart.argmax()), apart.shape))
    where = f"component {k} on {then.names[row]}" if apart[row, k] else ""
    yield Difference("component weights", apart.size, float(apart[row, k]), WEIGHT, where, "of the largest")
    chosen = [select_components(each.weights, target=record["target"], rule=record["rule"]) for each in (then, now)]
    otherwise = [
        int(k)
        for side in ("positive", "negative")
        for k in set(getattr(chosen[0], side).tolist()) ^ set(getattr(chosen[1], side).tolist())
    ]
    where = f"component {min(otherwise)}" if otherwise else ""
    yield Difference("components chosen", before.shape[1], float(len(set(otherwise))), 0.0, where)


def _sound(then: Path, now: Path, *, seconds: float) -> SoundDifference:
    """How far two files of about ``seconds`` are apart."""
    if then.stat().st_size == now.stat().st_size and file_sha256(then) == file_sha256(now):
        return SoundDifference(then.name, True, math.inf)
    before, after = (read_clip(path, seconds=seconds + 1.0, silence=0.0).y for path in (then, now))
    alike = before.shape == after.shape
    return SoundDifference(then.name, False, snr_db(before, after) if alike else -math.inf)
