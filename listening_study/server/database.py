"""Opens the database of a study: SQLite with a write-ahead log, or PostgreSQL; tables are made and brought up to date.

What is committed is on the disk, past its caches: SQLite waits for that (synchronous=FULL, on macOS also fullfsync),
and PostgreSQL does, unless its fsync is off. SQLite is written by one transaction after the other, which this process
queues itself; what is deleted there is overwritten (secure_delete).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as WaitedTooLong
from sqlalchemy.orm import Session

from emomod.errors import InputError

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
PRAGMAS = (
    "journal_mode=WAL", "synchronous=FULL", "fullfsync=ON", "checkpoint_fullfsync=ON", "busy_timeout=10000",
    "foreign_keys=ON", "secure_delete=ON",
)  # fmt: skip
DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
MIGRATING = 5_140_327  # a lock of ours, so that two servers do not make the tables of one PostgreSQL at a time
N_CONNECTIONS = 20
MAX_TURN_S = 20.0
CONNECT_S = 10
FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


class Turn:
    """The right to write SQLite; whoever waits too long for it is told so, rather than to wait with all others."""

    def __init__(self) -> None:
        self._lock = Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=MAX_TURN_S):
            raise WaitedTooLong("others are writing")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@dataclass(frozen=True, eq=False)
class Database:
    """An open database; of SQLite, one engine's transactions begin with the right to write."""

    name: str  # its address, without a password
    reader: Engine
    writer: Engine
    turn: Any  # a lock that whoever writes SQLite holds; PostgreSQL needs none

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction in which nothing is written."""
        with Session(self.reader, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that is committed whole, or not at all where an error leaves it."""
        try:
            with self.turn, Session(self.writer) as session, session.begin():
                yield session
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in FULL:
                self.empty_log()
            raise

    def empty_log(self) -> None:
        """Empty SQLite's write-ahead log, in which deleted rows may still stand, and which takes room on a full disk.

        What cannot be done now is done by the next start.
        """
        if self.writer.dialect.name == "sqlite":
            with suppress(OperationalError, WaitedTooLong), self.turn, self.writer.connect() as connection:
                connection.exec_driver_sql("COMMIT")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.exec_driver_sql("BEGIN")

    def close(self) -> None:
        """Give all connections back."""
        self.reader.dispose()
        self.writer.dispose()


def open_database(url: str) -> Database:
    """Open the database of ``url``, sqlite:///FILE or postgresql://..., and make or update its tables.

    InputError where it is not such an address, cannot be reached or written to, or is not a database of ours.
    """
    address = _address(url)
    name = address.set(drivername=address.get_backend_name()).render_as_string()
    with usable(name):
        found = _sqlite(name, address) if address.get_backend_name() == "sqlite" else _postgresql(name, address)
        with found.turn, found.writer.begin() as connection:
            _migrate(connection)
        found.empty_log()  # where a kill came between a deletion and this
    return found


@contextmanager
def usable(name: str) -> Iterator[None]:
    """InputError for what goes wrong with the database ``name`` meanwhile."""
    try:
        yield
    except (SQLAlchemyError, CommandError, ImportError) as error:
        raise InputError(f"db: {name} cannot be used ({reason_of(error)})") from None


def reason_of(error: Exception) -> str:
    """Why the database failed, in its words, in a line, without what was to be stored."""
    return str(getattr(error, "orig", None) or error).strip().split("\n")[0]


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        address.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError(f"db must be an address such as sqlite:///study.db, got {url!r}") from None
    if address.drivername not in DRIVERS:
        raise InputError(f"db must be sqlite:///FILE or postgresql://USER@HOST/NAME, got {address.drivername}")
    if address.drivername == "sqlite" and (not address.database or address.database == ":memory:"):
        raise InputError("db must name a file, since answers must survive a restart: sqlite:///study.db")
    if address.drivername == "sqlite":
        _check_file(Path(str(address.database)))
    return address.set(drivername=DRIVERS[address.drivername])


def _check_file(path: Path) -> None:
    """SQLite makes files beside its own, so that the folder must be writable as well."""
    if not path.absolute().parent.is_dir():
        raise InputError(f"db: the folder of {path} does not exist")
    for each, what in ((path.absolute().parent, "the folder of "), (path, "")):
        if each.exists() and not os.access(each, os.W_OK):
            raise InputError(
                f"db: {what}{path} cannot be written to; name another, as in --db sqlite:////home/ada/study.db"
            )


def _sqlite(name: str, address: URL) -> Database:
    return Database(name, _sqlite_engine(address, "BEGIN"), _sqlite_engine(address, "BEGIN IMMEDIATE"), Turn())


def _sqlite_engine(address: URL, begin: str) -> Engine:
    """An engine that leaves the beginning of transactions to us: Python's own module begins them too late."""
    engine = create_engine(address, pool_size=N_CONNECTIONS, max_overflow=0, hide_parameters=True)

    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def _postgresql(name: str, address: URL) -> Database:
    how = {"pool_pre_ping": True, "hide_parameters": True, "connect_args": {"connect_timeout": CONNECT_S}}
    engine = create_engine(address, pool_size=N_CONNECTIONS, max_overflow=0, **how)

    def connected(connection: Any, _: object) -> None:
        connection.execute(DURABLE)
        connection.commit()

    event.listen(engine, "connect", connected)
    return Database(name, engine, engine, nullcontext())


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATING})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
