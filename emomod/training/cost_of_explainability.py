"""What explanations cost in accuracy: four ways to emotions, compared on the same splits.

Mid2E is a linear regression from mid-level labels to emotions and hears nothing; A2E hears emotions directly; A2Mid2E
hears mid-level features, from which Mid2E's layer makes emotions; A2Mid2E-Joint learns both at once. The cost of
explainability is the Pearson r of A2E less that of a two-level model (Chowdhury, Vall, Haunschmid, Widmer: Towards
Explainable Music Emotion Recognition, ISMIR 2019).

The splits are those of the configuration's protocol (emomod.datasets.splits); first weights and augmentation of split k
come from the configuration's seed + k. Each result is written when it is there,
so that a stopped run goes on.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.datasets.splits import Split, splits_of
from emomod.errors import InputError
from emomod.labelled_clips import LabelledClips
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.output import check_writable, to_json, whole_file
from emomod.reading.json_files import read_object
from emomod.training.config import TrainingConfig
from emomod.training.fit import Log, fit_network
from emomod.training.scoring import heard_r
from emomod.training.settings import TrainingSettings
from emomod.training.sources import joined, load_sources
from emomod.training.targets import fit_mid_to_emotion, labels_for

MODELS = {"mid2e": "Mid2E", "a2e": "A2E", "a2mid2e": "A2Mid2E", "a2mid2e-joint": "A2Mid2E-Joint"}
TWO_LEVELS = ("a2mid2e", "a2mid2e-joint")
PUBLISHED = {  # r of each emotion on Soundtracks, then the mean as printed (ISMIR 2019)
    "mid2e": (0.88, 0.80, 0.84, 0.65, 0.82, 0.81, 0.74, 0.73, 0.79),
    "a2e": (0.81, 0.79, 0.84, 0.82, 0.81, 0.66, 0.60, 0.75, 0.76),
    "a2mid2e": (0.79, 0.74, 0.78, 0.72, 0.77, 0.64, 0.58, 0.67, 0.71),
    "a2mid2e-joint": (0.82, 0.78, 0.82, 0.76, 0.79, 0.65, 0.64, 0.72, 0.75),
}


@dataclass(frozen=True, eq=False)
class CostTable:
    """Pearson r of every model on every split."""

    r: NDArray[np.float64]  # [n_models, n_splits, 8] in the order of MODELS and EMOTION_NAMES; NaN: no labels
    rendered: bool  # the emotions are computed from the mid-level labels
    split: str = "groups"  # the protocol of the splits

    def with_mean(self) -> NDArray[np.float64]:
        """Pearson r and its mean over the emotions that are known: [n_models, n_splits, 9]."""
        found: NDArray[np.float64] = np.concatenate([self.r, _mean(self.r)[..., None]], axis=-1)
        return found

    def cost(self, model: str) -> NDArray[np.float64]:
        """Pearson r of A2E less that of ``model``, split by split: [n_splits, 9]."""
        found, names = self.with_mean(), list(MODELS)
        cost: NDArray[np.float64] = found[names.index("a2e")] - found[names.index(model)]
        return cost


def _mean(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis, of what is known."""
    known = np.isfinite(r)
    total: NDArray[np.float64] = np.where(known, r, 0.0).sum(axis=-1)
    unknown = np.full(total.shape, np.nan)
    mean: NDArray[np.float64] = np.divide(total, known.sum(axis=-1), out=unknown, where=known.any(axis=-1))
    return mean


def run_table(config: TrainingConfig, out: str | Path, *, n_splits: int, log: Log = lambda _: None) -> CostTable:
    """Train what the table needs and is not yet in the folder ``out``, where results and states are kept.

    InputError when ``out`` holds the results of another configuration or other clips.
    """
    sources = load_sources(config.corpora)
    clips = joined(sources)
    protocol = config.settings.split
    splits = splits_of(protocol, clips.groups, n_splits=n_splits, seed=config.settings.seed)
    folder = _claim(Path(out), config, clips)
    rows = []
    for model, name in MODELS.items():
        for number, split in enumerate(splits):
            result = folder / f"{model}-{number}.json"
            job = _Job(clips, config, model, number, split, state_path=result.with_suffix(".state"), log=log)
            rows.append(_kept(result, job.run))
            log(f"{name}, split {number + 1} of {n_splits}: mean r {_mean(np.array(rows[-1])):.3f}")
    r = np.array(rows, dtype=np.float64).reshape(len(MODELS), n_splits, len(EMOTION_NAMES))
    return CostTable(r, any(source.rendered for source in sources), protocol)


@dataclass(frozen=True, eq=False)
class _Job:
    """One model on one split."""

    clips: LabelledClips
    config: TrainingConfig
    model: str
    number: int  # of the split
    split: Split
    state_path: Path
    log: Log

    def run(self) -> list[float]:
        """Train and test; return r [8] on the test clips, NaN where no labels are known."""
        if self.model == "mid2e":
            return _regression_r(self.clips.only(self.split.train).labels, self.clips.only(self.split.test).labels)
        seed = self.config.settings.seed + self.number
        fit = fit_network(
            self.clips,
            settings_of(self.config.settings, self.model, seed=seed),
            state_path=self.state_path,
            split=self.split,
            device=None if self.config.device == "auto" else self.config.device,
            log=lambda line: self.log(f"{MODELS[self.model]}, split {self.number + 1}: {line}"),
        )
        self.state_path.unlink(missing_ok=True)
        return [float(fit.test_r[fit.network.names.index(name)]) for name in EMOTION_NAMES]


def settings_of(settings: TrainingSettings, model: str, *, seed: int) -> TrainingSettings:
    """The settings of one network of the table: emotion layers are learnt, not the published one."""
    return replace(settings, variant=model, emotion_layer="trained", seed=seed)


def _regression_r(train: NDArray[np.float64], test: NDArray[np.float64]) -> list[float]:
    """Pearson r [8] of Mid2E, fitted on labels [n, 15] of the training clips."""
    midlevel, emotions = labels_for(MIDLEVEL_NAMES, test), labels_for(EMOTION_NAMES, test)
    known = np.isfinite(midlevel).all(axis=1)
    r: list[float] = heard_r(fit_mid_to_emotion(train).emotions(midlevel[known]), emotions[known]).tolist()
    return r


def _kept(path: Path, compute: Callable[[], list[float]]) -> list[float]:
    """The r [8] in the file ``path``; computed and written where there is none."""
    if not path.is_file():
        text = to_json(dict(zip(EMOTION_NAMES, compute(), strict=True)))
        with whole_file(path) as partial:
            partial.write_text(f"{text}\n")
    try:
        found: dict[str, float | None] = read_object(path)
        values = [found[name] for name in EMOTION_NAMES]
        return [np.nan if value is None else float(value) for value in values]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not a result of this table ({error!r}); remove it") from None


def _claim(out: Path, config: TrainingConfig, clips: LabelledClips) -> Path:
    """Return the folder of the results, made if need be; it must be of the same configuration and clips."""
    check_writable(out)
    folder = out / "runs"
    data = hashlib.sha256(json.dumps([clips.names, clips.groups]).encode() + clips.labels.tobytes()).hexdigest()
    fixed = {key: value for key, value in asdict(config.settings).items() if key not in ("variant", "emotion_layer")}
    wanted: dict[str, Any] = json.loads(to_json({"settings": fixed, "clips": data}))
    record = folder / "runs.json"
    if record.is_file():
        if _stored(record) != wanted:
            raise InputError(f"out: {folder} holds results of other settings or clips; name another folder")
        return folder
    there = [*out.iterdir(), *(folder.iterdir() if folder.is_dir() else ())] if out.is_dir() else []
    if {path.name for path in there} - {"runs", f"{record.name}.partial"}:  # what a killed run may leave
        raise InputError(f"out: {out} is neither empty nor a table that was begun; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(record) as partial:
        partial.write_text(to_json(wanted) + "\n")
    return folder


def _stored(record: Path) -> Any:
    try:
        return read_object(record)
    except ValueError as error:
        raise InputError(f"{record}: cannot be read ({error}); name another folder") from None
