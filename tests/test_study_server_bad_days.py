"""A full or read-only disk, a database that somebody holds, a kill: what was acknowledged is there, and all goes on."""

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from kill_serve import kill_and_compare
from sqlalchemy import create_engine, text
from study_servers import PROGRAMS, TOKEN, answer, client_of, join, opened, postgres_server, send, started, state

from benchmarks.study_load import write_study
from emomod.errors import InputError
from listening_study.server import app, database
from listening_study.server.database import open_database
from listening_study.server.limits import Limit

needs_limits = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit of Linux")
WAL_PAGE = 4096 + 24  # bytes
UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study") / "study", n_trials=8, seed=0)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    pytest.importorskip("psycopg", reason="needs psycopg")
    if PROGRAMS is None:
        pytest.skip("needs the programs of PostgreSQL")
    with postgres_server() as url:
        engine = create_engine(url.replace("postgresql", "postgresql+psycopg") + "postgres")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("CREATE DATABASE kills"))
        engine.dispose()
        yield url


def keys(path: Path) -> list[str]:
    """Of all events in a file, which must be whole."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [key for (key,) in connection.execute("SELECT key FROM events ORDER BY id")]


# ---- a full disk -----------------------------------------------------------------------------------------------------


@needs_limits
@pytest.mark.parametrize("room", [0, 1.5, 3.5], ids=lambda pages: f"room for {pages} pages")
def test_a_full_disk_loses_nothing_and_passes(made, tmp_path, room):
    """As far as files may grow; whether the disk is full before or amid a transaction."""
    path = tmp_path / "study.db"
    with started(made, f"sqlite:///{path}") as (address, server), httpx.Client(base_url=address, timeout=30) as client:
        person = join(client)
        assert send(client, person, answer(0)).json()["stored"] == ["k0"]
        size = Path(f"{path}-wal").stat().st_size
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size + round(room * WAL_PAGE) if room else 0, UNLIMITED))
        refused, stored = None, ["k0"]
        for place in range(1, 8):
            told = send(client, person, answer(place))
            if told.status_code != 200:
                refused = told
                break
            stored += told.json()["stored"]
        assert refused is not None
        assert (refused.status_code, refused.json()) == (503, {"error": app.NOT_NOW})
        assert int(refused.headers["retry-after"]) > 0
        assert client.post("/api/join", json={"key": "b", "consent_sha256": "x"}).status_code == 409
        told = state(client, person)  # what is read goes on
        assert len(told["done"]) == len(stored)
        assert client.get(f"/api/p/{person}/sounds/{told['trials'][0]['sounds'][0]}").status_code == 200
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
        every = [answer(place) for place in range(8)]
        assert send(client, person, *every).json()["stored"] == [each["key"] for each in every]
        server.kill()
        assert server.stderr is not None
        said = server.stderr.read().splitlines()
    assert len(said) == 1  # not a line for every request
    assert said[0].startswith("answers cannot be stored or read: ")
    assert keys(path) == [f"k{place}" for place in range(8)]


@needs_limits
def test_a_disk_that_is_full_at_the_start_is_told_in_a_line(made, tmp_path):
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    script = full + "from emomod.cli.main import main; sys.exit(main(['study', 'serve', *sys.argv[1:]]))"
    command = [
        sys.executable,
        "-c",
        "import sys; " + script,
        str(made.folder),
        "--db",
        f"sqlite:///{tmp_path}/study.db",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"emomod: db: sqlite:///{tmp_path}/study.db cannot be used (disk I/O error)\n"


# ---- a read-only folder ----------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_to_iv(tmp_path):
    """Told by what the system says, since root may write wherever a disk is not mounted read-only."""
    with patch.object(os, "access", lambda path, mode: Path(path) != tmp_path):
        says = r"db: the folder of .*study\.db cannot be written to; name another, as in --db sqlite:////"
        with pytest.raises(InputError, match=says):
            open_database(f"sqlite:///{tmp_path}/study.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_to_iv(tmp_path):
    open_database(f"sqlite:///{tmp_path}/study.db").close()
    folder_alone = patch.object(os, "access", lambda path, mode: Path(path) == tmp_path)
    with folder_alone, pytest.raises(InputError, match=r"db: .*study\.db cannot be written to; name another"):
        open_database(f"sqlite:///{tmp_path}/study.db")


# ---- a database that is held, broken or away -------------------------------------------------------------------------


def test_a_database_that_somebody_writes_to_for_long(made, tmp_path, monkeypatch):
    """Who asks meanwhile is told to come again, and nobody waits behind all others."""
    monkeypatch.setattr(database, "PRAGMAS", (*database.PRAGMAS, "busy_timeout=50"))
    with opened(made, tmp_path) as service:
        client = client_of(service)
        person = join(client)
        with closing(sqlite3.connect(tmp_path / "study.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = send(client, person, answer(0))
            assert (refused.status_code, refused.json()) == (503, {"error": app.NOT_NOW})
            assert client.get(f"/api/p/{person}/state").status_code == 200
            other.execute("ROLLBACK")
        monkeypatch.setattr(database, "MAX_TURN_S", 0.05)
        with service.store.database.turn:
            assert send(client, person, answer(0)).status_code == 503
        assert send(client, person, answer(0)).json()["stored"] == ["k0"]


def test_the_log_tells_of_a_failure_without_what_was_sent(made, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(app, "TELLING", Limit(rate=1e-9, burst=1))
    with opened(made, tmp_path) as service:
        client = client_of(service)
        person = join(client)
        with service.store.database.writing() as session:
            session.execute(text("DROP TABLE events"))
        for _ in range(3):
            assert send(client, person, answer(0)).status_code == 503
        assert client.get("/experimenter", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 503
    assert [each.getMessage() for each in caplog.records] == ["answers cannot be stored or read: no such table: events"]
    assert person not in caplog.text


def test_what_is_deleted_is_gone_from_the_log_after_the_next_start(made, tmp_path):
    """Where a kill, or a full disk, came between the deletion and the emptying of the log."""
    with opened(made, tmp_path) as service, patch.object(database.Database, "empty_log"):
        client = client_of(service)
        person = join(client)
        code = state(client, person)["code"]
        assert client.post("/api/withdraw", json={"code": code}).status_code == 200
        copy = tmp_path / "killed"
        copy.mkdir()
        for path in tmp_path.glob("study.db*"):
            (copy / path.name).write_bytes(path.read_bytes())
    assert person.encode() in (copy / "study.db-wal").read_bytes()
    with closing(open_database(f"sqlite:///{copy}/study.db")):
        assert not any(person.encode() in path.read_bytes() for path in copy.iterdir())


# ---- durability ------------------------------------------------------------------------------------------------------


def test_what_is_committed_is_on_the_disk(tmp_path):
    """SQLite's own names: 2 is FULL, which syncs the write-ahead log before a commit returns."""
    with closing(open_database(f"sqlite:///{tmp_path}/study.db")) as found:
        for engine in (found.reader, found.writer):
            with engine.connect() as connection:
                told = {
                    name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("synchronous", "journal_mode", "fullfsync", "foreign_keys", "secure_delete")
                }
            assert told == {
                "synchronous": 2, "journal_mode": "wal", "fullfsync": 1, "foreign_keys": 1, "secure_delete": 1,
            }  # fmt: skip


def test_postgresql_waits_for_its_disk_whatever_it_is_set_to(postgres):
    address = postgres + "postgres?options=-csynchronous_commit%3Doff"
    with closing(open_database(address)) as found, found.reading() as session:
        assert session.scalar(text("SHOW synchronous_commit")) == "on"


@pytest.mark.slow
def test_kills_lose_and_double_nothing(tmp_path):
    found = kill_and_compare(tmp_path, n_kills=3, seed=1)
    assert {name: found[name] for name in ("kills", "lost", "doubled", "changed", "unclean", "bit_equal")} == {
        "kills": 3, "lost": 0, "doubled": 0, "changed": 0, "unclean": 0, "bit_equal": True,
    }  # fmt: skip
    assert found["sent"] == found["acknowledged"] == found["rows"] > 0


@pytest.mark.slow
def test_kills_lose_and_double_nothing_on_postgresql(tmp_path, postgres):
    found = kill_and_compare(tmp_path, n_kills=1, seed=2, db=postgres + "kills")
    assert (found["kills"], found["bit_equal"]) == (1, True)
