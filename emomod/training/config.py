"""Training runs described in YAML files: read, checked field by field, overridden, resolved.

A file is flat: fields of TrainingSettings, and ``corpora`` (folders), ``out`` (the checkpoint) and ``device``. What it
leaves out has its default. Paths are relative to where the command runs. The files that ship are called by their bare
names: quick, default, published.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from emomod.checks import check_choice, check_number
from emomod.errors import InputError
from emomod.reading.yaml_files import read_yaml
from emomod.training.settings import TrainingSettings

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class TrainingConfig:
    """A training run, resolved."""

    name: str  # of the file, without folder and suffix
    settings: TrainingSettings
    corpora: tuple[str, ...] = ()  # folders
    out: str | None = None  # the checkpoint
    device: str = "auto"  # or cpu, cuda

    def __post_init__(self) -> None:
        check_choice("device", self.device, DEVICES)


def shipped_configs() -> tuple[str, ...]:
    """Names of the configurations that ship with emomod."""
    return tuple(sorted(Path(str(path)).stem for path in files("emomod.training").joinpath("configs").iterdir()))


def read_config(name: str | Path = "default", **overrides: Any) -> TrainingConfig:
    """Read the configuration ``name``, a file or one that ships; ``overrides`` that are not None replace its fields.

    InputError names the file and the field that is not known or not of its kind.
    """
    path = _find(name)
    try:
        found = read_yaml(path, extra="train")
    except InputError as error:
        raise InputError(f"config {error}") from None
    try:
        _resolved(path.stem, found)
    except InputError as error:
        raise InputError(f"config {path}: {error}") from None
    return _resolved(path.stem, found | {key: value for key, value in overrides.items() if value is not None})


def _find(name: str | Path) -> Path:
    """A file of that name, or the shipped configuration."""
    path = Path(name)
    if path.is_file():
        return path
    if str(name) in shipped_configs():
        return Path(str(files("emomod.training").joinpath("configs", f"{name}.yaml")))
    raise InputError(f"config must be a file or one of {', '.join(shipped_configs())}, got {str(name)!r}")


def _resolved(name: str, given: dict[str, Any]) -> TrainingConfig:
    kinds = {field.name: field.type for field in fields(TrainingSettings)}
    beside: dict[str, Any] = {"corpora": tuple[str, ...], "out": str, "device": str}
    if unknown := [str(key) for key in given if key not in kinds | beside]:
        raise InputError(f"{unknown[0]} is not a field; there are {', '.join(kinds | beside)}")
    checked = {key: CHECKS[(kinds | beside)[key]](key, value) for key, value in given.items()}
    settings = TrainingSettings(**{key: value for key, value in checked.items() if key in kinds})
    return TrainingConfig(name, settings, **{key: value for key, value in checked.items() if key in beside})


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{name} must be true or false, got {value!r}")
    return value


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{name} must be a whole number, got {value!r}")
    return value


def _number(name: str, value: Any) -> float:
    """A number; YAML reads 2e-3, without a point, as text, which is a number all the same."""
    if isinstance(value, bool):
        raise InputError(f"{name} must be a number, got {value!r}")
    return check_number(name, value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, (str, Path)):
        raise InputError(f"{name} must be text, got {value!r}")
    return str(value)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """One text or a list of them."""
    if isinstance(value, (str, Path)):
        return (str(value),)
    if not isinstance(value, (list, tuple)):
        raise InputError(f"{name} must be a list of folders, got {value!r}")
    return tuple(_text(name, each) for each in value)


CHECKS: dict[Any, Callable[[str, Any], Any]] = {
    bool: _truth,
    int: _whole,
    float: _number,
    str: _text,
    tuple[str, ...]: _texts,
}
