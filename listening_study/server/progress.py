"""How a study goes: places by list, drop-outs, and whether answers look as if somebody listened."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from listening_study.package import Study
from listening_study.responses import responses_of
from listening_study.server.models import Event, Participant
from listening_study.server.rows import first_answers, headphone_pass
from listening_study.server.store import FINISH, Store
from listening_study.trials import Trial


@dataclass(frozen=True)
class PersonProgress:
    """One participant."""

    pseudonym: str
    list: int
    device: str
    state: str  # finished, active, or dropped out: nothing came for as long as places are kept
    n_answered: int
    n_trials: int
    n_catch_passed: int
    n_catch: int  # answered
    median_rt_s: float | None
    median_listened_s: float | None
    headphones: bool | None  # passed, not, not tested


@dataclass(frozen=True)
class ListProgress:
    """One list."""

    number: int
    n_joined: int
    n_finished: int
    n_active: int
    n_dropped: int


@dataclass(frozen=True)
class Progress:
    """A whole study."""

    lists: tuple[ListProgress, ...]
    people: tuple[PersonProgress, ...]  # as they joined
    n_withdrawn: int


def study_progress(store: Store, study: Study) -> Progress:
    """How far a study is."""
    people = tuple(_person(store, study, person, events) for person, events in store.everything())
    lists = tuple(_list(number, people) for number in range(len(study.lists)))
    return Progress(lists, people, store.n_withdrawn())


def _list(number: int, people: Sequence[PersonProgress]) -> ListProgress:
    states = [each.state for each in people if each.list == number]
    return ListProgress(number, len(states), *(states.count(state) for state in ("finished", "active", "dropped out")))


def _person(store: Store, study: Study, person: Participant, events: Sequence[Event]) -> PersonProgress:
    trials, answers = study.lists[person.list], first_answers(events)
    last_ms = max([person.joined_ms, *(each.at_ms for each in events)])
    active = last_ms >= store.now_ms() - 1000 * store.reserved_s
    finished = any(each.kind == FINISH for each in events)
    answered = [(trial, answers[trial.trial_id]) for trial in trials if trial.trial_id in answers]
    caught = [catch_passed(trial, event) for trial, event in answered if trial.has_right_answer]
    return PersonProgress(
        pseudonym=person.pseudonym,
        list=person.list,
        device=person.device,
        state="finished" if finished else "active" if active else "dropped out",
        n_answered=len(answered),
        n_trials=len(trials),
        n_catch_passed=sum(caught),
        n_catch=len(caught),
        median_rt_s=_seconds([event.payload["rt_ms"] for _, event in answered]),
        median_listened_s=_seconds([sum(event.payload["listened_ms"]) for _, event in answered]),
        headphones=headphone_pass(events),
    )


def catch_passed(trial: Trial, event: Event) -> bool:
    """Whether the right answer was given: as for the analysis, ``condition`` is the louder version."""
    return (responses_of(trial, event.payload["response"])[0] or 0.0) > 0.0


def _seconds(found: Sequence[int]) -> float | None:
    return median(found) / 1000 if found else None
