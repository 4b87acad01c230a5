"""The plan of a study: one readable YAML file from which everything else follows.

The file is flat, with fields of StudyPlan; what it leaves out has its default. Paths of clips are relative to the file.
Items are clips, of which the study makes versions, or all are folders of versions that were steered before (series).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from emomod.checks import check_choice, check_count, check_number
from emomod.component_weights import parse_rule
from emomod.errors import InputError
from emomod.output import whole_file
from emomod.reading.yaml_files import import_yaml, read_yaml
from listening_study.conditions import Condition, Step
from listening_study.explained import explained_in
from listening_study.questions import question_about
from listening_study.series import read_series

TRIAL_TYPES = ("pair", "ccr", "sliders", "scale", "abx")
ASKED = ("own", "all")
LATEST = 48 * 3600.0  # s, where a window may begin
PAIRED = ("pair", "ccr")  # trial types in which a version stands beside the original
ITEM_TEXTS = ("name", "clip", "song", "steered", "explanation")
OF_MADE = ("gains_db", "versions", "rule")  # fields that say how a study makes versions
MOST = {"items": 200, "targets": 15, "gains_db": 12, "lists": 500, "practice": 50, "repeats": 200, "catch": 50}
MOST_WORK = 1_000_000  # lists x trials x items: keeping songs apart takes 7 s then
MOST_CHOICES = 1000  # of the conditions of an item that listeners are dealt in turn
HEADER = """# A listening study, made by `emomod study design`. Edit it, then: emomod study stimuli THIS_FILE --out DIR
# docs/listening_studies.md says what every field means.
"""


@dataclass(frozen=True)
class Item:
    """A clip that is heard in several versions."""

    name: str
    clip: str  # path; of a series its folder
    start: float = 0.0  # s, where the window begins
    song: str = ""  # clips of one song are kept apart; by default the item's name
    steered: str = ""  # of a series: what was asked for, such as articulation=+0.2
    steps: int = 0  # of a series: how many versions it has
    explanation: str = ""  # folder of an earlier explanation of the clip; without, it is explained for the study

    def __post_init__(self) -> None:
        if not self.name or not self.clip:
            raise InputError(f"items must have a name and a clip, got {self.name!r} and {self.clip!r}")
        check_number("start", self.start, low=0.0)
        check_count("steps", self.steps, low=1 if self.steered else 0)
        if self.steps and not self.steered:
            raise InputError(f"steps belong to a series, which says what was steered, got {self.steps} without")
        if self.steered and self.explanation:
            raise InputError(f"a series needs no explanation, got {self.explanation} beside {self.steered}")
        if not self.song:
            object.__setattr__(self, "song", self.name)

    @property
    def told(self) -> str:
        """What it is, for messages."""
        if not self.steered:
            return f"{self.name} is a clip"
        return f"{self.name} was steered {self.steered} in {self.steps} step{'' if self.steps == 1 else 's'}"


@dataclass(frozen=True)
class StudyPlan:
    """All choices of a study."""

    title: str
    items: tuple[Item, ...]
    targets: tuple[str, ...]  # scores that are manipulated
    gains_db: tuple[float, ...] = (6.0,)
    versions: tuple[str, ...] = ("enhanced", "weakened", "sham")
    trial_type: str = "pair"
    asked: str = "own"  # each target about itself alone, or "all" about all, for the selectivity matrix
    lists: int = 4  # orders that listeners are dealt
    conditions_per_item: int | None = None  # of each target, that one listener hears; None: all
    distance: int = 1  # trials between two clips of one song
    practice: int = 2  # trials before each pass that are not analysed
    repeats: int = 2  # trials of a list that come twice, with sides changed
    catch: int = 1  # identical pairs of a list, and as many in which one version is softer; only pairs have them
    rule: str = "bh:0.05"  # which components stand out
    language: str = "en"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("items", "targets", "gains_db", "versions"):
            values = getattr(self, name)
            keys = [item.name for item in self.items] if name == "items" else list(values)
            if not values or len(set(keys)) != len(keys):
                raise InputError(
                    f"{name} must be at least one and none twice, got {', '.join(map(str, keys)) or 'none'}"
                )
        check_choice("trial_type", self.trial_type, TRIAL_TYPES)
        check_choice("asked", self.asked, ASKED)
        for name, low in {"lists": 1, "distance": 0, "practice": 0, "repeats": 0, "catch": 0, "seed": 0}.items():
            check_count(name, getattr(self, name), low=low)
        for name, most in MOST.items():
            found = getattr(self, name)
            if (count := len(found) if isinstance(found, tuple) else found) > most:
                raise InputError(f"{name} must be at most {most}, got {count}")
        parse_rule(self.rule)
        self._check_series()
        for target in self.targets:
            self.conditions_of(target)
            question_about(target, language=self.language)
        n = len(self.conditions_of(self.targets[0]))
        if self.conditions_per_item is not None and check_count("conditions_per_item", self.conditions_per_item) > n:
            raise InputError(
                f"conditions_per_item must be at most the {n} that a target has, got {self.conditions_per_item}"
            )
        if (n_choices := math.comb(n, self.conditions_per_item or n)) > MOST_CHOICES:
            raise InputError(
                f"conditions_per_item must have at most {MOST_CHOICES} choices, got {self.conditions_per_item} of {n}, "
                f"which have {n_choices}"
            )
        self._check_work(self.conditions_per_item or n)

    def _check_work(self, n_conditions: int) -> None:
        """Refuse what takes too long to balance; a listener hears ``n_conditions`` of each target."""
        of_pass = len(self.targets) * n_conditions if self.asked == "all" else n_conditions
        trials = len(self.items) * len(self.targets) * (1 if self.trial_type == "sliders" else of_pass)
        if self.lists * trials * len(self.items) > MOST_WORK:
            raise InputError(
                f"lists, items or conditions must be fewer: {self.lists} lists of {trials} trials about "
                f"{len(self.items)} items cannot be balanced in time"
            )

    def _check_series(self) -> None:
        """All items must be clips, or series that differ in the clip alone."""
        first = self.items[0]
        for item in self.items:
            if (item.steered, item.steps) != (first.steered, first.steps):
                raise InputError(f"items must all be clips, or all be steered alike, got {first.told}; {item.told}")
        if not first.steered:
            return
        target = str(first.steered).partition("=")[0]
        if self.targets != (target,):
            raise InputError(
                f"targets must be what was steered, {target} alone, got {', '.join(map(str, self.targets))}"
            )
        for field in fields(self):
            if field.name in OF_MADE and getattr(self, field.name) != field.default:
                raise InputError(f"{field.name} must be left out where items were steered before: {first.told}")

    def made_of(self, target: str) -> tuple[Condition, ...]:
        """The conditions of a target that the study makes of clips."""
        return tuple(Condition(target, version, gain) for gain in self.gains_db for version in self.versions)

    def conditions_of(self, target: str) -> tuple[Condition | Step, ...]:
        """The conditions of a target."""
        n_steps = self.items[0].steps
        return tuple(Step(target, step, n_steps) for step in range(1, n_steps + 1)) or self.made_of(target)

    @property
    def has_catch_trials(self) -> bool:
        """Whether lists have identical and softer pairs."""
        return bool(self.catch) and self.trial_type in PAIRED

    @property
    def conditions(self) -> tuple[Condition | Step, ...]:
        """The conditions of all targets."""
        return tuple(condition for target in self.targets for condition in self.conditions_of(target))

    def asked_about(self, attribute: str) -> tuple[Condition | Step, ...]:
        """The conditions that the pass about ``attribute`` has."""
        return self.conditions if self.asked == "all" else self.conditions_of(attribute)

    def item(self, name: str) -> Item:
        """The item of a name."""
        return next(item for item in self.items if item.name == name)


# ---- files -----------------------------------------------------------------------------------------------------------


def read_plan(path: str | Path) -> StudyPlan:
    """Read a plan; InputError names the file, and the field that is not known, not of its kind or against a rule."""
    source = Path(path)
    try:
        found = read_yaml(source, extra="study")
    except InputError as error:
        raise InputError(f"plan {error}") from None
    try:
        return _parsed(found, folder=source.parent)
    except InputError as error:
        raise InputError(f"plan {source}: {error}") from None


def _parsed(found: dict[Any, Any], *, folder: Path) -> StudyPlan:
    known = [field.name for field in fields(StudyPlan)]
    if unknown := [str(key) for key in found if key not in known]:
        raise InputError(f"{unknown[0]} is not a field; there are {', '.join(known)}")
    if missing := [name for name in ("title", "items", "targets") if name not in found]:
        raise InputError(f"{missing[0]} must be there")
    for name in ("items", "targets", "gains_db", "versions"):
        if name in found and not isinstance(found[name], list):
            raise InputError(f"{name} must be a list, got {found[name]!r:.200}")
    for name in ("targets", "versions"):
        if wrong := [each for each in found.get(name, []) if not isinstance(each, str)]:
            raise InputError(f"{name} must be texts, got {wrong[0]!r:.80}")
    for name in ("title", "trial_type", "asked", "rule", "language"):
        if isinstance(found.get(name), (dict, list)):
            raise InputError(f"{name} must be text, got {found[name]!r:.80}")
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    if "gains_db" in given:
        given["gains_db"] = tuple(check_number("gains_db", gain) for gain in given["gains_db"])
    given["items"] = tuple(_item(place, each, folder) for place, each in enumerate(given["items"], 1))
    return StudyPlan(**given | {"title": str(given["title"])})


def _item(place: int, found: Any, folder: Path) -> Item:
    if not isinstance(found, dict) or set(found) - {field.name for field in fields(Item)}:
        known = ", ".join(field.name for field in fields(Item))
        raise InputError(f"items: number {place} must have {known} and nothing else, got {found!r:.200}")
    try:
        texts = {name: _text(name, found[name]) for name in found if name in ITEM_TEXTS}
        start = check_number("start", found.get("start", 0.0), low=0.0, high=LATEST)
        item = Item(**{"name": "", "clip": "", **found, **texts, "start": start})
    except InputError as error:
        raise InputError(f"items: number {place}: {error}") from None
    explanation = str(folder / item.explanation) if item.explanation else ""
    return replace(item, clip=str(folder / item.clip), explanation=explanation)


def _text(name: str, found: Any) -> str:
    """A text of one line; a number is one, since a clip may be called 7."""
    if isinstance(found, bool) or not isinstance(found, (str, int, float)) or not str(found).isprintable():
        raise InputError(f"{name} must be text of one line, got {found!r:.80}")
    return str(found)


def write_plan(path: str | Path, plan: StudyPlan) -> Path:
    """Write a plan that ``read_plan`` gives back; clips below the file's folder are told relative to it."""
    target, yaml = Path(path), import_yaml(extra="study")
    told = told_of(plan)
    for item in told["items"]:
        for name in ("clip", "explanation"):
            if item.get(name):
                item[name] = _relative(item[name], target.parent)
    with whole_file(target) as partial:
        text = yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
        partial.write_text(HEADER + text, encoding="utf-8")
    return target


def told_of(plan: StudyPlan) -> dict[str, Any]:
    """The fields of a plan for YAML or JSON, without those that do not apply to its items."""
    told: dict[str, Any] = {name: _plain(value) for name, value in asdict(plan).items()}
    is_series = bool(plan.items[0].steered)
    for item in told["items"]:
        unused = () if item["explanation"] else ("explanation",)
        for name in (*unused, *(() if is_series else ("steered", "steps"))):
            del item[name]
    return {name: value for name, value in told.items() if not (is_series and name in OF_MADE)}


def _relative(clip: str, folder: Path) -> str:
    path, root = Path(clip).resolve(), folder.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def items_of(clips: Sequence[str | Path]) -> tuple[Item, ...]:
    """An item for each clip, named after it; those of one name by their folder, too.

    A clip is a sound file, a folder of a series, one of ``emomod run``, or the store of a batch, whose windows are an
    item each. InputError where a folder is none of them.
    """
    given = [each for clip in clips for each in _given(Path(clip))]
    names = [item.name for item in given]
    return tuple(
        item if names.count(item.name) == 1 else _renamed(item, twin)
        for item in given
        for twin in [f"{Path(item.clip).parent.name}_{item.name}"]
    )


def _renamed(item: Item, name: str) -> Item:
    return replace(item, name=name, song=name if item.song == item.name else item.song)


def _given(clip: Path) -> list[Item]:
    """The items of a sound file or folder."""
    if not clip.is_dir():
        return [Item(clip.stem, str(clip))]
    if explained := explained_in(clip):
        return [
            Item(each.name, each.clip, each.start, song=Path(each.clip).stem, explanation=each.explanation)
            for each in explained
        ]
    series = read_series(clip)
    return [Item(clip.name, str(clip), steered=series.steered, steps=len(series.steps))]
