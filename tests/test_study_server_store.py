"""What is kept of participants, in SQLite and in PostgreSQL alike."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, func, select, text
from study_servers import PROGRAMS, free_port, postgres_server

from emomod.errors import InputError
from listening_study.server.codes import new_withdrawal_code, same, sound_id, written_code
from listening_study.server.database import open_database
from listening_study.server.models import Base, Event, Participant, RawPost
from listening_study.server.store import NewEvent, Store


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    pytest.importorskip("psycopg", reason="needs psycopg")
    if PROGRAMS is None:
        pytest.skip("needs the programs of PostgreSQL")
    with postgres_server() as url:
        yield url


NUMBERS = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """The address of a database that is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study.db"
    server, name = request.getfixturevalue("postgres"), f"study{next(NUMBERS)}"
    engine = create_engine(
        server.replace("postgresql", "postgresql+psycopg") + "postgres", isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server + name


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(url) -> Iterator[Store]:
    database = open_database(url)
    yield Store(database, 4, reserved_s=3600, clock=Clock())
    database.close()


def join(store: Store, key: object) -> Participant:
    return store.join(join_key=str(key), consent="I agree.", device="computer")


def answer(key: str, trial: str = "l00t000") -> NewEvent:
    return NewEvent(key, "answer", trial, "visit", {"response": 1})


FINISHED = NewEvent("finish", "finish", None, "visit", {})


def n_rows(store: Store, table: type[Base]) -> int:
    with store.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


# ---- tables ----------------------------------------------------------------------------------------------------------


def test_migrations_against_models(store):
    with store.database.reader.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_database_is_opened_again_with_all_that_it_held(url):
    database = open_database(url)
    store = Store(database, 2)
    person = join(store, "a")
    store.add_events(person.id, [answer("k")])
    key = store.sound_key()
    database.close()
    database = open_database(url)
    again = Store(database, 2)
    assert [each.key for each in again.events_of(person.id)] == ["k"]
    assert again.sound_key() == key
    database.close()


def test_what_is_kept_has_no_room_for_who_it_was():
    columns = {column.name for table in Base.metadata.tables.values() for column in table.columns}
    assert sorted(columns) == [
        "at_ms", "body", "consent_sha256", "device", "id", "join_key", "joined_ms", "key", "kind", "list", "name",
        "participant_id", "payload", "pseudonym", "session", "sha256", "text", "trial_id", "value", "withdrawal_code",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("study.db", "db must be an address such as sqlite:///study.db, got 'study.db'"),
        ("mysql://a/b", "db must be sqlite:///FILE or postgresql://USER@HOST/NAME, got mysql"),
        ("sqlite://", "db must name a file"),
        ("sqlite:///nowhere/study.db", "db: the folder of nowhere/study.db does not exist"),
    ],
)
def test_addresses_iv(url, says):
    with pytest.raises(InputError, match=says):
        open_database(url)


def test_a_file_that_is_no_database_iv(tmp_path):
    (tmp_path / "notes.db").write_text("not a database, but long enough to look at" * 50)
    with pytest.raises(InputError, match=r"notes\.db cannot be used \(file is not a database\)"):
        open_database(f"sqlite:///{tmp_path}/notes.db")


def test_a_server_that_is_not_there_iv():
    pytest.importorskip("psycopg", reason="needs psycopg")
    with pytest.raises(InputError, match=r"db: postgresql://study:\*\*\*@127.0.0.1.* cannot be used") as caught:
        open_database(f"postgresql://study:secret@127.0.0.1:{free_port()}/x")
    assert "secret" not in str(caught.value)


def test_a_database_of_another_study_iv(store):
    store.belong_to("this")
    store.belong_to("this")
    with pytest.raises(InputError, match="holds answers of another study"):
        store.belong_to("that")


# ---- events ----------------------------------------------------------------------------------------------------------


def test_what_is_sent_twice_is_stored_once(store):
    one, other = join(store, "a"), join(store, "b")
    for _ in range(3):
        assert store.add_events(one.id, [answer("k1"), answer("k2", "l00t001")])
    assert store.add_events(one.id, [NewEvent("k1", "answer", "l00t000", "visit", {"response": 0})])
    assert store.add_events(other.id, [answer("k1")])  # keys are each participant's own
    found = store.events_of(one.id)
    assert [(each.key, each.payload) for each in found] == [("k1", {"response": 1}), ("k2", {"response": 1})]
    assert n_rows(store, Event) == 3


def test_many_send_at_once_and_nothing_is_lost_or_doubled(store):
    people = [join(store, number) for number in range(8)]
    jobs = [(person.id, f"k{number}") for person in people for number in range(10)] * 2
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda job: store.add_events(job[0], [answer(job[1])]), jobs))
    assert n_rows(store, Event) == 80
    assert {len(store.events_of(person.id)) for person in people} == {10}


def test_a_batch_is_stored_whole_or_not_at_all(store):
    person = join(store, "a")
    broken = NewEvent("k2", "answer", None, "visit", {"response": object()})
    with pytest.raises(Exception, match="not JSON serializable"):
        store.add_events(person.id, [answer("k1"), broken])
    assert store.events_of(person.id) == []


def test_what_webmushra_sends_is_kept_once_as_it_came(store):
    for body in ('sessionJSON={"a": "& + ü"}', 'sessionJSON={"a": "& + ü"}', "sessionJSON=broken"):
        assert store.add_raw(body, most=2)
    assert [each.body for each in store.raw_posts()] == ['sessionJSON={"a": "& + ü"}', "sessionJSON=broken"]
    assert not store.add_raw("sessionJSON=one too many", most=2)


# ---- places ----------------------------------------------------------------------------------------------------------


def test_joining_twice_by_one_key_joins_once(store):
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: join(store, "a").id, range(16)))
    assert len(ids) == n_rows(store, Participant) == 1


def test_places_are_even_when_all_join_at_once(store):
    with ThreadPoolExecutor(16) as pool:
        people = list(pool.map(lambda number: join(store, number), range(40)))
    assert sorted(each.list for each in people) == sorted([*range(4)] * 10)
    assert len({each.id for each in people} | {each.pseudonym for each in people}) == 80


def test_places_of_those_who_left_are_given_again(store):
    """Of 8 who join, those of lists 0 and 1 finish; after an hour, the next 4 make up for the others."""
    for number in range(8):
        person = join(store, number)
        if person.list < 2:
            store.add_events(person.id, [FINISHED])
    assert join(store, "now").list == 2  # all may still finish, so that lists are equal; fewer have in 2 and 3
    store.clock.now += 3601
    assert sorted(join(store, f"later {number}").list for number in range(4)) == [2, 2, 3, 3]


def test_a_place_is_kept_while_answers_come(store):
    people = [join(store, number) for number in range(4)]
    store.clock.now += 3000
    store.add_events(people[0].id, [answer("k")])
    store.clock.now += 3000
    assert [join(store, f"later {number}").list for number in range(3)] == [1, 2, 3]


# ---- withdrawal ------------------------------------------------------------------------------------------------------


def test_withdrawing_leaves_nothing(store, url):
    one, other = join(store, "one's own key"), join(store, "b")
    for person in (one, other):
        store.add_events(person.id, [answer("k"), NewEvent("l", "level", None, "visit of " + person.id, {})])
    assert store.withdraw(one.withdrawal_code.lower().replace("-", " "))
    assert not store.withdraw(one.withdrawal_code)
    assert not store.withdraw("")
    assert store.participant(one.id) is None
    assert store.events_of(one.id) == []
    assert not store.add_events(one.id, [answer("late")])
    assert (n_rows(store, Participant), n_rows(store, Event), store.n_withdrawn()) == (1, 2, 1)
    if url.startswith("sqlite"):
        files = [path.read_bytes() for path in Path(url.removeprefix("sqlite:///")).parent.iterdir()]
        traces = [each.encode() for each in (one.id, one.pseudonym, one.withdrawal_code, "one's own key")]
        assert not any(trace in held for trace in traces for held in files)
        assert any(other.id.encode() in held for held in files)


def test_answers_that_cross_a_withdrawal_leave_nothing(store):
    people = [join(store, number) for number in range(6)]
    jobs = [(person, number) for number in range(8) for person in people]

    def work(job):
        person, number = job
        if number == 4:
            store.withdraw(person.withdrawal_code)
        store.add_events(person.id, [answer(f"k{number}")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, jobs))
    assert (n_rows(store, Participant), n_rows(store, Event), n_rows(store, RawPost)) == (0, 0, 0)


# ---- names -----------------------------------------------------------------------------------------------------------


def test_codes():
    codes = {new_withdrawal_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(written_code(f" {code.lower()} ") == code for code in codes)
    assert same("a", "a")
    assert not same("a", "b")
    key = "ab" * 32
    names = {sound_id(key, who, trial, place) for who in "xy" for trial in ("l00t000", "l00t001") for place in (0, 1)}
    assert len(names) == 8
    assert (
        sound_id(key, "x", "l00t000", 0) == sound_id(key, "x", "l00t000", 0) != sound_id("cd" * 32, "x", "l00t000", 0)
    )
