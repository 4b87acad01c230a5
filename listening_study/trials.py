"""Trials: what each listener hears and is asked, in which order; all of it follows from the plan and its seed.

A list is a sequence of passes, one attribute each, since two questions on one screen collapse into one. Within a pass
items come in rounds; from round to round an item goes through its conditions in the order of a row of a Williams
square, other rows for other items and lists. Where a listener hears only some conditions of an item, lists and items
take turns in all balanced choices. In a pair the version is heard first in half of the trials of a list; such lists
come in twins (0 and 1, 2 and 3, ...) that differ in sides alone: where one has it first, the other has it second.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from emomod.errors import InputError
from listening_study.conditions import ORIGINAL, SOFTER
from listening_study.orders import balanced_choices, balanced_sides, kept_apart, williams_square
from listening_study.plan import PAIRED, StudyPlan
from listening_study.questions import LOUDNESS

SECONDS_A_SOUND, SECONDS_TO_ANSWER = 10, 5
SIDED = (*PAIRED, "abx")  # trial types in which a version is heard first or second


@dataclass(frozen=True)
class Trial:
    """One question about one or several versions of an item."""

    trial_id: str
    list: int
    place: int  # in the list, from 0
    phase: str  # practice, main, repeat or catch
    trial_type: str
    attribute: str  # that is asked about
    item: str
    song: str
    condition: str  # that an answer speaks of; "" for sliders, which speak of all
    other: str  # that it is compared with; "" where there is none
    heard: tuple[str, ...]  # conditions in the order in which they are presented; of ABX: A, B and X

    @property
    def has_right_answer(self) -> bool:
        """Whether it is a catch trial that everybody must get right; with identical pairs nobody can be wrong."""
        return self.phase == "catch" and self.condition != self.other

    @property
    def position(self) -> int:
        """1 or 2: place of ``condition`` among what is heard; 1 where it stands alone."""
        return 1 + self.heard.index(self.condition) if self.condition else 1


def minutes_of(trials: Sequence[Trial]) -> float:
    """About how long a listener needs who hears all of every sound once; most hear less, and some again."""
    return sum(SECONDS_A_SOUND * len(trial.heard) + SECONDS_TO_ANSWER for trial in trials) / 60


def draw_lists(plan: StudyPlan) -> tuple[tuple[Trial, ...], ...]:
    """The trials of every list; InputError where songs cannot be kept apart or a list has too few trials."""
    return tuple(_numbered(_drawn(plan, number), number) for number in range(plan.lists))


def _numbered(trials: list[Trial], number: int) -> tuple[Trial, ...]:
    return tuple(
        replace(trial, trial_id=f"l{number:02d}t{place:03d}", list=number, place=place)
        for place, trial in enumerate(trials)
    )


def _drawn(plan: StudyPlan, number: int) -> list[Trial]:
    """One list, its trials not yet numbered."""
    turn, mirrored = divmod(number, 2) if plan.trial_type in SIDED else (number, 0)
    rng = np.random.default_rng([plan.seed, turn])
    passes = williams_square(len(plan.targets))
    found: list[Trial] = []
    for attribute in (plan.targets[place] for place in passes[turn % len(passes)]):
        songs = [trial.song for trial in found]
        found += _pass(plan, attribute, turn, bool(mirrored), rng, songs)
    return _with_extras(plan, found, rng)


def _pass(
    plan: StudyPlan, attribute: str, turn: int, mirrored: bool, rng: np.random.Generator, before: list[str]
) -> list[Trial]:
    """Practice and main trials about one attribute."""
    main: list[Trial] = []
    for conditions in _rounds(plan, attribute, turn):
        heard = [*before, *(trial.song for trial in main)]
        order = kept_apart([item.song for item in plan.items], distance=plan.distance, rng=rng, before=heard)
        main += [_trial(plan, attribute, plan.items[place].name, conditions[place]) for place in order]
    first = balanced_sides(len(main), rng=rng) ^ mirrored
    main = [_sided(trial, bool(side), rng) for trial, side in zip(main, first, strict=True)]
    soon = {trial.song for trial in main[: plan.distance]}
    drawn = sorted((main[place] for place in rng.permutation(len(main))), key=lambda trial: trial.song in soon)
    return [*(replace(trial, phase="practice") for trial in drawn[: plan.practice]), *main]


def _rounds(plan: StudyPlan, attribute: str, turn: int) -> Iterator[list[str]]:
    """Conditions by item, round by round; for sliders, which have all at once, one round."""
    if plan.trial_type == "sliders":
        yield [""] * len(plan.items)
        return
    dealt = [_dealt(plan, attribute, place + turn) for place in range(len(plan.items))]
    square = williams_square(len(dealt[0]))
    for each in range(len(dealt[0])):
        yield [names[square[(place + turn) % len(square)][each]] for place, names in enumerate(dealt)]


def _dealt(plan: StudyPlan, attribute: str, turn: int) -> list[str]:
    """What one listener hears of an item: of each target as many versions as the plan says, of ratings the original."""
    found = [ORIGINAL] if plan.trial_type == "scale" else []
    for target in plan.targets if plan.asked == "all" else (attribute,):
        names = [condition.name for condition in plan.conditions_of(target)]
        choices = balanced_choices(len(names), plan.conditions_per_item or len(names))
        found += [names[place] for place in choices[turn % len(choices)]]
    return found


def _trial(plan: StudyPlan, attribute: str, item: str, condition: str) -> Trial:
    """A main trial with its version first."""
    kind, other = plan.trial_type, ORIGINAL
    heard: tuple[str, ...] = (condition, ORIGINAL)
    if kind == "scale":
        other, heard = "", (condition,)
    elif kind == "sliders":
        other, heard = "", (ORIGINAL, *(each.name for each in plan.asked_about(attribute)))
    song = plan.item(item).song
    return Trial("", 0, 0, "main", kind, attribute, item, song, condition, other, heard)


def _sided(trial: Trial, first: bool, rng: np.random.Generator) -> Trial:
    """The trial as it is, or with its sides changed; X of an ABX is drawn, and sliders are shuffled."""
    heard = trial.heard[:2] if trial.trial_type == "abx" else trial.heard
    heard = heard if first else heard[::-1]
    if trial.trial_type == "abx":
        heard = (*heard, heard[int(rng.integers(2))])
    elif trial.trial_type == "sliders":
        heard = tuple(trial.heard[place] for place in rng.permutation(len(trial.heard)))
    return replace(trial, heard=heard)


# ---- repeats and catch trials ----------------------------------------------------------------------------------------


def _with_extras(plan: StudyPlan, trials: list[Trial], rng: np.random.Generator) -> list[Trial]:
    """The list with repeats and catch trials put in where songs stay apart."""
    main = [trial for trial in trials if trial.phase == "main"]
    if plan.repeats > len(main):
        raise InputError(f"repeats must be at most the {len(main)} trials of a list, got {plan.repeats}")
    trials = _with_repeats(plan, trials, [main[place] for place in rng.permutation(len(main))], rng)
    if plan.trial_type in PAIRED:
        for _ in range(plan.catch):
            for extra in (_identical(plan, rng), _obvious(plan, rng)):
                if (longer := _inserted(trials, extra, plan, rng)) is None:
                    raise _crowded(plan, "catch")
                trials = longer
    return trials


def _with_repeats(plan: StudyPlan, trials: list[Trial], main: list[Trial], rng: np.random.Generator) -> list[Trial]:
    """The list with the first of ``main`` that have room for it once more, later, with sides changed."""
    missing = plan.repeats
    for trial in main:
        if not missing:
            break
        again = _sided(replace(trial, phase="repeat"), False, rng)
        if (longer := _inserted(trials, again, plan, rng, after=trials.index(trial))) is not None:
            trials, missing = longer, missing - 1
    if missing:
        raise _crowded(plan, "repeat")
    return trials


def _crowded(plan: StudyPlan, phase: str) -> InputError:
    return InputError(f"distance must be smaller, got {plan.distance}: a {phase} trial has no place in a list")


def _identical(plan: StudyPlan, rng: np.random.Generator) -> Trial:
    item, attribute = (str(rng.choice(names)) for names in ([i.name for i in plan.items], plan.targets))
    same = _trial(plan, attribute, item, ORIGINAL)
    return replace(same, phase="catch")


def _obvious(plan: StudyPlan, rng: np.random.Generator) -> Trial:
    """Which is louder? The answer speaks of the original, which everybody must hear."""
    item = str(rng.choice([i.name for i in plan.items]))
    drawn = _sided(_trial(plan, LOUDNESS, item, SOFTER), bool(rng.integers(2)), rng)
    return replace(drawn, phase="catch", condition=ORIGINAL, other=SOFTER)


def _inserted(
    trials: list[Trial], extra: Trial, plan: StudyPlan, rng: np.random.Generator, *, after: int = -1
) -> list[Trial] | None:
    """``extra`` at a random place behind ``after`` and the practice, in a pass, apart from its song; None: no place."""
    for place in rng.permutation(np.arange(after + 1, len(trials) + 1)).tolist():
        beside = trials[max(0, place - plan.distance) : place + plan.distance]
        settled = place == len(trials) or trials[place].phase != "practice"
        same_pass = place > 0 and extra.attribute in (trials[place - 1].attribute, LOUDNESS)
        if settled and same_pass and extra.song not in [trial.song for trial in beside]:
            return [*trials[:place], extra, *trials[place:]]
    return None
