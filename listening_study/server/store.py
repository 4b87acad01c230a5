"""What participants did, kept for good: joining, events, withdrawal.

A place in a list is taken by joining and kept while its participant is active; lists fill up evenly in participants who
finished, since a place that is left for longer than ``reserved_s`` is given to somebody else. All functions are safe
under concurrent calls, of several servers too.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Insert, Select, case, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from emomod.errors import InputError
from listening_study.server.codes import new_key, new_participant_id, new_pseudonym, new_withdrawal_code, written_code
from listening_study.server.database import Database
from listening_study.server.models import ConsentText, Event, Participant, RawPost, Setting, Withdrawal

FINISH, ANSWER = "finish", "answer"
TURN = "joining"  # a row that whoever joins locks


@dataclass(frozen=True)
class NewEvent:
    """An event as it is to be stored."""

    key: str  # of the participant; stored once
    kind: str
    trial_id: str | None
    session: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class Store:
    """A database of one study."""

    database: Database
    n_lists: int
    reserved_s: float = 7200.0  # s after the last event at which a place is given up
    clock: Callable[[], float] = time.time  # s since 1970

    def now_ms(self) -> int:
        """The time, as it is stored."""
        return int(1000 * self.clock())

    def setting(self, name: str, value: str) -> str:
        """The stored value of ``name``, which is ``value`` from now on where there was none."""
        with self.database.writing() as session:
            session.execute(_once(session, Setting, {"name": name, "value": value}))
            return str(session.scalar(select(Setting.value).where(Setting.name == name)))

    def belong_to(self, study: str) -> None:
        """Bind the database to a study by its hash; InputError where it holds answers of another."""
        if self.setting("study", study) != study:
            raise InputError(
                f"db: {self.database.name} holds answers of another study, or of an earlier plan of this one; name "
                "another, as in --db sqlite:///other.db"
            )

    def sound_key(self) -> str:
        """The key from which the names of sounds follow; it never changes."""
        return self.setting("sound_key", new_key())

    # ---- participants ------------------------------------------------------------------------------------------------

    def join(self, *, join_key: str, consent: str, device: str) -> Participant:
        """The new participant of ``join_key``, or the one who joined by it before, in the list that needs one most."""
        sha256 = hashlib.sha256(consent.encode()).hexdigest()
        with self.database.writing() as session:
            session.execute(_once(session, ConsentText, {"sha256": sha256, "text": consent}))
            session.execute(_once(session, Setting, {"name": TURN, "value": ""}))
            session.execute(select(Setting).where(Setting.name == TURN).with_for_update())  # one at a time
            known = session.scalar(select(Participant).where(Participant.join_key == join_key))
            if known is None:
                known = Participant(
                    id=new_participant_id(),
                    pseudonym=new_pseudonym(),
                    join_key=join_key,
                    withdrawal_code=new_withdrawal_code(),
                    list=self._neediest(session),
                    consent_sha256=sha256,
                    device=device,
                    joined_ms=self.now_ms(),
                )
                session.add(known)
                session.flush()
            session.expunge(known)
        return known

    def _neediest(self, session: Session) -> int:
        """The list with the fewest participants who finished or may still finish; then with the fewest who finished."""
        since = self.now_ms() - round(1000 * self.reserved_s)
        finished, taken = [0] * self.n_lists, [0] * self.n_lists
        for number, done, last_ms in session.execute(activity()):
            finished[number] += bool(done)
            taken[number] += bool(done or last_ms >= since)
        return min(range(self.n_lists), key=lambda number: (taken[number], finished[number], number))

    def participant(self, participant_id: str) -> Participant | None:
        """A participant, or None: never joined, or withdrew."""
        with self.database.reading() as session:
            return session.get(Participant, participant_id)

    def withdraw(self, code: str) -> bool:
        """Delete all that is stored of the participant of a withdrawal code; False where there is none."""
        with self.database.writing() as session:
            query = select(Participant).where(Participant.withdrawal_code == written_code(code)).with_for_update()
            known = session.scalar(query)
            if known is None:
                return False
            session.execute(delete(Event).where(Event.participant_id == known.id))
            session.execute(delete(Participant).where(Participant.id == known.id))
            session.add(Withdrawal())
        self.database.empty_log()
        return True

    # ---- events ------------------------------------------------------------------------------------------------------

    def add_events(self, participant_id: str, events: Sequence[NewEvent]) -> bool:
        """Store all events whose keys are not stored yet; False, and nothing stored, where the participant is gone."""
        at_ms = self.now_ms()
        try:
            with self.database.writing() as session:
                if session.get(Participant, participant_id, with_for_update={"key_share": True}) is None:
                    return False
                for each in events:
                    row = {**vars(each), "participant_id": participant_id, "at_ms": at_ms}
                    session.execute(_once(session, Event, row))
        except IntegrityError:  # withdrew in between
            return False
        return True

    def events_of(self, participant_id: str) -> list[Event]:
        """The events of a participant in their order."""
        with self.database.reading() as session:
            return list(session.scalars(select(Event).where(Event.participant_id == participant_id).order_by(Event.id)))

    def everything(self) -> list[tuple[Participant, list[Event]]]:
        """All participants, in the order in which they joined, with their events."""
        with self.database.reading() as session:
            people = session.scalars(select(Participant).order_by(Participant.joined_ms, Participant.id))
            found: dict[str, tuple[Participant, list[Event]]] = {each.id: (each, []) for each in people}
            for each in session.scalars(select(Event).order_by(Event.id)):
                if each.participant_id in found:
                    found[each.participant_id][1].append(each)
        return list(found.values())

    def n_withdrawn(self) -> int:
        """How many withdrew."""
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Withdrawal)) or 0

    # ---- what webMUSHRA pages send -----------------------------------------------------------------------------------

    def add_raw(self, body: str, *, most: int) -> bool:
        """Keep a body as it came, once; False, and nothing kept, where there are ``most`` of them already."""
        sha256 = hashlib.sha256(body.encode()).hexdigest()
        with self.database.writing() as session:
            if (session.scalar(select(func.count()).select_from(RawPost)) or 0) >= most:
                return False
            session.execute(_once(session, RawPost, {"sha256": sha256, "body": body, "at_ms": self.now_ms()}))
        return True

    def raw_posts(self) -> list[RawPost]:
        """All of them, in the order in which they came."""
        with self.database.reading() as session:
            return list(session.scalars(select(RawPost).order_by(RawPost.id)))


def activity() -> Select[int, int, int]:
    """For each participant: list, whether they finished, and the time of their last event or of joining."""
    finished: ColumnElement[int] = func.coalesce(func.max(case((Event.kind == FINISH, 1), else_=0)), 0)
    last: ColumnElement[int] = func.coalesce(func.max(Event.at_ms), Participant.joined_ms)
    joined = select(Participant.list, finished, last).outerjoin(Event, Event.participant_id == Participant.id)
    return joined.group_by(Participant.id, Participant.list, Participant.joined_ms)


def _once(session: Session, table: type[Any], row: dict[str, Any]) -> Insert:
    """An insert that does nothing where such a row is there already."""
    module = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    found: Insert = module.insert(table).values(row).on_conflict_do_nothing()
    return found
