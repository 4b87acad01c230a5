"""A run once more, as its run.json tells it, and whether the same comes out.

What a record cannot hold ends in one line: components that were cut by a function, and models that were made in Python
and have no name on the command line. Clip and model must be those of then; their SHA-256 says so.

A record is not trusted: a model that is a program is never run because a record names it, only where the user does.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from emomod.attribution.methods import METHODS
from emomod.audio import file_sha256
from emomod.component_weights import parse_rule
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
from emomod.spec import build, known
from emomod.stages import Stages

T = TypeVar("T")
KINDS: dict[type, str] = {str: "a text", float: "a number", list: "a list", dict: "an object"}
NEEDED: dict[str, type] = {  # what a record must hold, by the way to it
    "target": str,
    "clip": str,
    "clip_sha256": str,
    "rule": str,
    "predictions": dict,
    "shifts": dict,
    "controls": dict,
    "components": dict,
    "components / kinds": list,
    "settings": dict,
    "settings / start": float,
    "settings / components": str,
    "settings / method": dict,
    "settings / method / name": str,
    "settings / modify": dict,
    "model": dict,
    "model / sha256": str,
}
MAY_HOLD: dict[str, type] = {
    "versions": dict, "model / name": str, "model / origin": str, "model / engine": str, "model / device": str,
}  # fmt: skip


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
        return _printable("\n".join([*lines, *(["", f"{self.out}/report.html"] if self.out else [])]))


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
    """Return a record that holds what a run takes, each of its kind."""
    told = read_object(path)
    for way, kind in (NEEDED | MAY_HOLD).items():
        holder, _, name = way.rpartition(" / ")
        within = _at(told, holder)
        if name not in within and way in MAY_HOLD:
            continue
        found = within.get(name)
        if not _is(found, kind):
            got = f"got {found!r:.80}" if name in within else "which it does not hold"
            raise InputError(f"{path}: is no run.json of emomod run ({way} must be {KINDS[kind]}, {got})")
    if not all(isinstance(kind, dict) for kind in told["components"]["kinds"]):
        raise InputError(f"{path}: is no run.json of emomod run (components / kinds must be a list of objects)")
    return told


def _at(told: dict[str, Any], way: str) -> dict[str, Any]:
    """The object that ``way`` leads to, which was checked before."""
    for name in way.split(" / ") if way else ():
        told = told[name]
    return told


def _is(value: Any, kind: type) -> bool:
    """Whether a value of JSON is of a kind; whole numbers are numbers, and true and false are none."""
    return isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)


def _job(
    path: Path, told: dict[str, Any], clip: str | Path | None, model: str | Path | None, device: str | None
) -> Job:
    """Return what a record says that was done, with clip and model checked."""
    own = [f"{kind['own']!s:.80}" for kind in told["components"]["kinds"] if "own" in kind]
    if own:
        raise InputError(
            f"{path}: cannot be replayed, since the sound was cut by a function of Python: {', '.join(own)}"
        )
    settings = _settings(path, told["settings"])
    parse_rule(told["rule"])
    return Job(_clip(told, clip), told["target"], settings, _model(path, told["model"], model, device))


def _settings(path: Path, told: dict[str, Any]) -> RunSettings:
    """Return the settings of a run; InputError where this version of emomod has others."""
    method = dict(told["method"])
    name = known("method", method.pop("name"), METHODS)
    return RunSettings(
        start=told["start"],
        components=told["components"],
        method=_built(path, METHODS[name].settings, method, what=name),
        modify=_built(path, ModifySettings, told["modify"], what="modify"),
    )


def _built(path: Path, cls: type[T], told: dict[str, Any], *, what: str) -> T:
    """Return settings of a record as ``cls``, each of the kind that it has there."""
    if unknown := sorted(told.keys() - {each.name for each in fields(cls)}):  # type: ignore[arg-type]
        names = f"{', '.join(unknown):.80}"
        raise InputError(f"{path}: holds settings that this version of emomod does not have ({names})")
    texts = {name: value if isinstance(value, str) else repr(value) for name, value in told.items()}
    try:
        return build(cls, texts, what=what)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


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
    """Return the model of then, with device and engine of then where this machine has them."""
    origin, where = model or told.get("origin") or None, _device(told, device)
    if "engine" in told or origin is None:
        engine = told.get("engine")
        usable = {"ncnn": where == "cpu" and has_ncnn(), "tf32": where == "cuda"}
        engine = engine if usable.get(str(engine), engine in ENGINES) else None
        found: ScoringModel = load_predictor(origin, device=where, engine=engine)
    elif model is None and not str(origin).endswith(".onnx"):
        raise InputError(
            f"model: {path} names a program, {origin!r:.200}, which emomod does not run because a file says so; "
            "if you trust it, name it yourself with --model"
        )
    else:
        found = load_model(origin, device=where)
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


def _device(told: dict[str, Any], device: str | None) -> str:
    """The device that is asked for, else that of then where it can be used, else the best that suits the engine."""
    if device is None and told.get("engine") == "ncnn":
        device = "cpu"
    if device is None:
        with suppress(InputError):
            device = usable_device(told.get("device")).type
    return usable_device(device).type


def _printable(text: str) -> str:
    """Return a text with "?" for what a terminal would take as a command: a record may hold anything."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)


@contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    """Yield ``out``, or a folder that disappears."""
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="emomod-replay-") as folder:
        yield Path(folder) / "run"


def _changed(then: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Versions, the engine and the device, where they differ; nothing of a device that was not told then."""
    names = ["engine", *(["device"] if "device" in then["model"] else [])]
    before = then.get("versions", {}) | {name: then["model"].get(name, "") for name in names}
    after = package_versions() | {name: now["model"].get(name, "") for name in names}
    return {
        name: (f"{before.get(name, 'unknown')!s:.80}", str(after[name]))
        for name in after
        if before.get(name) != after[name]
    }
