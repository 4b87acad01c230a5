"""Rows of the table of answers (listening_study.table) from what is stored; the one place here that knows the table.

An answer that came twice counts once, as it was given first.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import emomod
from listening_study.listened import with_listened
from listening_study.package import Study
from listening_study.server.models import Event, Participant
from listening_study.server.store import ANSWER
from listening_study.table import Answer, Given, Session, answers_of

SOURCE = "emomod"


def answer_rows(study: Study, person: Participant, events: Sequence[Event]) -> Iterator[Answer]:
    """The rows of one participant, in the order of the list."""
    answers = first_answers(events)
    passed = headphone_pass(events)
    visits = list(dict.fromkeys(each.session for each in events))  # what a browser calls them is not ours to repeat
    for trial in study.lists[person.list]:
        if trial.trial_id in answers:
            event = answers[trial.trial_id]
            given, listened = given_of(event.payload), event.payload["listened_ms"]
            visit = f"{person.pseudonym}-{1 + visits.index(event.session)}"
            session = Session(person.pseudonym, visit, person.device, passed, SOURCE, emomod.__version__)
            yield from with_listened(answers_of(study, trial, session=session, given=given), listened)


def given_of(payload: dict[str, Any]) -> Given:
    """What the payload of an answer says, but what was listened to, which rows tell each in its way."""
    return Given(
        payload["response"], **{name: payload[name] for name in ("confidence", "rt_ms", "n_plays", "n_switches")}
    )


def first_answers(events: Sequence[Event]) -> dict[str, Event]:
    """The event that counts of each answered trial, by its id."""
    found: dict[str, Event] = {}
    for each in events:
        if each.kind == ANSWER and each.trial_id is not None:
            found.setdefault(each.trial_id, each)
    return found


def headphone_pass(events: Sequence[Event]) -> bool | None:
    """Whether the first check of headphones was passed; None where there was none."""
    return next((bool(each.payload["passed"]) for each in events if each.kind == "headphones"), None)
