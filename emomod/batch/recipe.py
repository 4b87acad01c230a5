"""What is done to every clip of a batch: a YAML file whose fields are checked.

    targets: [articulation, energy]
    method: "lime:n_perturbations=1024"
    modify: {gain_db: 6, n_controls: 19}

What it leaves out has the default of ``emomod run``.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from emomod.attribution.methods import MethodSettings, as_method
from emomod.batch.store import plain_name
from emomod.checks import check_choice, check_count
from emomod.components.kinds import DEFAULT, is_told_by_text
from emomod.errors import InputError
from emomod.explained import method_record
from emomod.model.predictor import ScoringModel
from emomod.pipeline import ModifySettings, RunSettings
from emomod.reading.yaml_files import read_yaml
from emomod.spec import known

WINDOWS = ("first", "all")
KEPT = ("sounds", "explanation", "report")  # what stays in a clip's folder beside its figures


@dataclass(frozen=True)
class Recipe:
    """What is done to every clip."""

    targets: tuple[str, ...]  # scores to change, each clip for each
    windows: str = "first"  # of a file: the first, or where the list says it starts; or all that sound
    components: str = DEFAULT  # how a clip is cut, see ``emomod components``
    method: str = "lime"  # how its components are weighed, see ``emomod methods``
    modify: ModifySettings = field(default_factory=ModifySettings)
    keep: tuple[str, ...] = ("sounds", "explanation")
    model: str = ""  # as --model names it; empty: the one that ships
    seed: int = 0  # of masks and controls

    def __post_init__(self) -> None:
        if not self.targets or len(set(self.targets)) != len(self.targets):
            raise InputError(f"targets must be at least one score and none twice, got {list(self.targets)}")
        if len({plain_name(target) for target in self.targets}) != len(self.targets):
            raise InputError(f"targets must have folders of different names, got {list(self.targets)}")
        check_choice("windows", self.windows, WINDOWS)
        for what in self.keep:
            known("keep", what, KEPT)
        if not is_told_by_text(self.components):
            raise InputError(
                f"components of a recipe must be known by their text, not lie in files, got {self.components}"
            )
        as_method(self.method)
        check_count("seed", self.seed, low=0)

    @property
    def method_settings(self) -> MethodSettings:
        """The method's settings, with the recipe's seed unless the method's own text has one."""
        settings = as_method(self.method)
        seeded = any(each.name == "seed" for each in fields(settings)) and "seed=" not in self.method
        changes: dict[str, Any] = {"seed": self.seed} if seeded else {}
        return replace(settings, **changes)

    def settings(self, start: float) -> RunSettings:
        """The settings of a run on the window that begins at ``start`` (s)."""
        return RunSettings(start, self.components, self.method_settings, replace(self.modify, seed=self.seed))

    def resolved(self) -> dict[str, Any]:
        """The recipe with everything that it left out, for a record."""
        told: dict[str, Any] = json.loads(
            json.dumps(asdict(self) | {"method_settings": method_record(self.method_settings)})
        )
        return told

    @property
    def sha256(self) -> str:
        """Of all that a result depends on beside the model: not of what is kept, nor of which windows are done."""
        left_out = ("keep", "windows", "method", "model")
        told = {key: value for key, value in self.resolved().items() if key not in left_out}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def check_model(self, predictor: ScoringModel) -> None:
        """InputError where the model gives no such score."""
        for target in self.targets:
            predictor.check_name(target)


def read_recipe(path: str | Path) -> Recipe:
    """Return the recipe of a YAML file; InputError names the field that is wrong."""
    try:
        return recipe_of(read_yaml(path, extra="batch"))
    except InputError as error:
        told = str(error)
        raise InputError(told if told.startswith(str(path)) else f"{path}: {told}") from None


def recipe_of(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain values describe; InputError for a field that is unknown, missing or wrong."""
    values = {str(key): value for key, value in given.items()}
    kinds = {each.name: each for each in fields(Recipe)}
    for name in values:
        known("field of a recipe", name, kinds)
    if "targets" not in values:
        raise InputError("targets must be given: the scores that are to change, as in targets: [articulation]")
    for name, value in values.items():
        if name in ("targets", "keep"):
            values[name] = _texts(name, value)
        elif name == "modify":
            values[name] = _modify(value)
        elif name != "seed" and not isinstance(value, str):
            raise InputError(f"{name} must be a text, got {value!r}")
    return Recipe(**values)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """A list of texts, or one text."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)) or not all(isinstance(each, str) for each in listed):
        raise InputError(f"{name} must be a list of texts, got {value!r}")
    return tuple(listed)


def _modify(value: Any) -> ModifySettings:
    """ModifySettings of a mapping; the seed is the recipe's."""
    if not isinstance(value, Mapping):
        raise InputError(f"modify must be fields with values, as in {{gain_db: 6}}, got {value!r}")
    kinds = {each.name: each.default for each in fields(ModifySettings) if each.name != "seed"}
    values: dict[str, Any] = {}
    for name, given in value.items():
        default = kinds[known("field of modify", str(name), kinds)]
        number = isinstance(given, (int, float)) and not isinstance(given, bool)
        wanted = "a text" if isinstance(default, str) else "a number"
        if not (isinstance(given, str) if wanted == "a text" else number):
            raise InputError(f"{name} of modify must be {wanted}, got {given!r:.80}")
        values[str(name)] = float(given) if isinstance(default, float) else given
    return ModifySettings(**values)
