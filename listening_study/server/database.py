"""Opens the database of a study: SQLite with a write-ahead log, or PostgreSQL; tables are made and brought up to date.

SQLite is written by one transaction after the other, which this process queues itself; what is committed is on the
disk (synchronous=FULL), and what is deleted is overwritten (secure_delete).
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session

from emomod.errors import InputError

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON", "secure_delete=ON")
MIGRATING = 5_140_327  # a lock of ours, so that two servers do not make the tables of one PostgreSQL at a time
N_CONNECTIONS = 20


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
        with self.turn, Session(self.writer) as session, session.begin():
            yield session

    def forget_deleted(self) -> None:
        """Empty SQLite's write-ahead log, in which deleted rows may still stand."""
        if self.writer.dialect.name == "sqlite":
            with self.turn, self.writer.connect() as connection:
                connection.exec_driver_sql("COMMIT")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.exec_driver_sql("BEGIN")

    def close(self) -> None:
        """Give all connections back."""
        self.reader.dispose()
        self.writer.dispose()


def open_database(url: str) -> Database:
    """Open the database of ``url``, sqlite:///FILE or postgresql://..., and make or update its tables.

    InputError where it is not such an address, cannot be reached, or is not a database of ours.
    """
    address = _address(url)
    name = address.set(drivername=address.get_backend_name()).render_as_string()
    try:
        if address.get_backend_name() == "sqlite":
            found = Database(name, _sqlite(address, "BEGIN"), _sqlite(address, "BEGIN IMMEDIATE"), Lock())
        else:
            engine = create_engine(address, pool_size=N_CONNECTIONS, max_overflow=0, pool_pre_ping=True)
            found = Database(name, engine, engine, nullcontext())
        with found.turn, found.writer.begin() as connection:
            _migrate(connection)
    except (SQLAlchemyError, CommandError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
        raise InputError(f"db: {name} cannot be used ({reason})") from None
    return found


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
    if address.drivername == "sqlite" and not Path(str(address.database)).absolute().parent.is_dir():
        raise InputError(f"db: the folder of {address.database} does not exist")
    return address.set(drivername=DRIVERS[address.drivername])


def _sqlite(address: URL, begin: str) -> Engine:
    """An engine that leaves the beginning of transactions to us: Python's own module begins them too late."""
    engine = create_engine(address, pool_size=N_CONNECTIONS, max_overflow=0)

    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATING})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
