"""A run once more, as its run.json tells it, and whether the same comes out.

What a record cannot hold ends in one line: components that were cut by a function, and models that were made in Python
and have no name on the command line. Clip and model must be those of then; their SHA-256 says so.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emomod.attribution.methods import METHODS
from emomod.audio import file_sha256
from emomod.data import demo_clip
from emomod.errors import InputError
from emomod.model.engines import ENGINES
from emomod.model.load import load_model
from emomod.model.ncnn_network import has_ncnn
from emomod.model.predictor import ScoringModel, load_predictor, usable_device
from emomod.output import check_output
from emomod.pipeline import ModifySettings, RunSettings, run
from emomod.provenance import package_versions
from emomod.reading.json_files import read_object
from emomod.run_differences import Differences, differences, outcome_of
from emomod.spec import known
from emomod.stages import Stages


@dataclass(frozen=True)
class Replay:
    """A run that was made once more, beside the one of then."""

    record: Path  # the run.json that was replayed
    out: Path | None  # where the new run is; None where it was not kept
    differences: Differences
    changed: dict[str, tuple[str, str]]  # what a result depends on, then and now, where it is not the same

    @property
    def reproduced(self) -> bool:
        """Whether the same came out, but for rounding."""
        return self.differences.verdict != "different"

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return self.differences.sentence

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        changed = {name: {"then": then, "now": now} for name, (then, now) in self.changed.items()}
        told = {"record": str(self.record), "out": str(self.out) if self.out else None, "sentence": self.sentence}
        return told | self.differences.as_dict() | {"changed": changed}

    def as_text(self) -> str:
        """For people: the sentence, the table, and what else is not as it was."""
        lines = [self.sentence, "", self.differences.table()]
        if self.differences.missing:
            lines += ["", f"not compared, since they are not beside run.json: {', '.join(self.differences.missing)}"]
        if self.changed:
            lines += ["", "not the same as then:"]
            lines += [f"  {name}: {then}, now {now}" for name, (then, now) in self.changed.items()]
        return "\n".join([*lines, *(["", f"{self.out}/report.html"] if self.out else [])])


@dataclass(frozen=True, eq=False)
class Job:
    """What a record says that was done."""

    clip: Path
    target: str
    settings: RunSettings
    predictor: ScoringModel


def replay(
    record: str | Path,
    *,
    clip: str | Path | None = None,
    model: str | Path | None = None,
    device: str | None = None,
    out: str | Path | None = None,
    stages: Stages | None = None,
) -> Replay:
    """Make the run that a run.json, or the folder with it, describes once more, and compare.

    ``clip`` and ``model`` say where these are now; by default where they were. The new run is kept in ``out``, where
    one is given. Raises InputError for a record that cannot be replayed.
    """
    path = Path(record) / "run.json" if Path(record).is_dir() else Path(record)
    told = _read(path)
    then, job = outcome_of(path.parent, told), _job(path, told, clip, model, device)
    if out is not None:
        check_output(out, inputs=[job.clip, path])
    with _folder(out) as folder:
        again = run(
            job.clip, target=job.target, out=folder, settings=job.settings, predictor=job.predictor, stages=stages
        )
        found = differences(then, outcome_of(folder))
    return Replay(path, Path(out) if out is not None else None, found, _changed(told, again.record))


def _read(path: Path) -> dict[str, Any]:
    """Return a record that holds what a run takes."""
    told = read_object(path)
    try:
        for key in ("target", "clip", "clip_sha256"):
            told[key]
        told["components"]["kinds"], told["settings"]["method"]["name"], told["settings"]["modify"]
        told["settings"]["start"], told["settings"]["components"], told["model"]["sha256"]
        told["predictions"], told["shifts"], told["controls"], told["rule"], told["window"]["seconds"]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: is no run.json of emomod run ({type(error).__name__}: {error})") from None
    return told


def _job(
    path: Path, told: dict[str, Any], clip: str | Path | None, model: str | Path | None, device: str | None
) -> Job:
    """Return what a record says that was done, with clip and model checked."""
    own = [kind["own"] for kind in told["components"]["kinds"] if "own" in kind]
    if own:
        raise InputError(
            f"{path}: cannot be replayed, since the sound was cut by a function of Python: {', '.join(own)}"
        )
    settings = _settings(path, told["settings"])
    return Job(_clip(told, clip), told["target"], settings, _model(path, told["model"], model, device))


def _settings(path: Path, told: dict[str, Any]) -> RunSettings:
    """Return the settings of a run; InputError where this version of emomod has others."""
    method = dict(told["method"])
    name = known("method", method.pop("name"), METHODS)
    try:
        return RunSettings(
            start=told["start"],
            components=told["components"],
            method=METHODS[name].settings(**method),
            modify=ModifySettings(**told["modify"]),
        )
    except TypeError as error:
        raise InputError(f"{path}: holds settings that this version of emomod does not have ({error})") from None


def _clip(told: dict[str, Any], clip: str | Path | None) -> Path:
    """Return the clip's path; the bundled one lies elsewhere in another installation."""
    path = Path(clip if clip is not None else told["clip"])
    if clip is None and not path.is_file() and file_sha256(demo_clip()) == told["clip_sha256"]:
        path = demo_clip()
    if not path.is_file():
        raise InputError(f"clip: {path} is not there; say with --clip where the file is now")
    if (found := file_sha256(path)) != told["clip_sha256"]:
        then = told["clip_sha256"]
        raise InputError(f"clip must be the file of then, with SHA-256 {then:.12}..., but {path} has {found:.12}...")
    return path


def _model(path: Path, told: dict[str, Any], model: str | Path | None, device: str | None) -> ScoringModel:
    """Return the model of then, with the engine of then where this machine has it."""
    origin = model if model is not None else told.get("origin")
    of_checkpoint = "engine" in told or origin is None
    if of_checkpoint:
        where = usable_device(device or ("cpu" if told.get("engine") == "ncnn" else None))
        engine = told.get("engine")
        usable = {"ncnn": where.type == "cpu" and has_ncnn(), "tf32": where.type == "cuda"}
        engine = engine if usable.get(str(engine), engine in ENGINES) else None
        found: ScoringModel = load_predictor(origin, device=where.type, engine=engine)
    else:
        found = load_model(origin, device=device)
    if found.sha256 == told["sha256"]:
        return found
    if origin is None and "engine" not in told:
        raise InputError(
            f"{path}: cannot be replayed, since its model, {told.get('name')}, was made in Python and has no name"
        )
    now = f"{origin or 'the one that ships'} has {found.sha256:.12}..."
    raise InputError(
        f"model must be that of then, with SHA-256 {told['sha256']:.12}..., but {now}; say with --model where it is"
    )


@contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    """Yield ``out``, or a folder that disappears."""
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="emomod-replay-") as folder:
        yield Path(folder) / "run"


def _changed(then: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Versions and the engine, where they differ."""
    before = then.get("versions", {}) | {"engine": then["model"].get("engine", "")}
    after = package_versions() | {"engine": now["model"].get("engine", "")}
    return {
        name: (str(before.get(name, "unknown")), str(after[name])) for name in after if before.get(name) != after[name]
    }
