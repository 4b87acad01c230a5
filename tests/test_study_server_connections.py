"""Connections that no browser makes: odd and endless heads and bodies, and who sends or takes letter by letter."""

import asyncio
import json
import threading
from collections.abc import Iterator

import httpx
import pytest
from study_servers import answer, asked, client_of, connected, join, rest_of, served, state

from benchmarks.study_load import write_study
from listening_study.server import connections, participants, requests

HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
NEVER_S = 86_401.0  # a limit that no test waits for
LONG_S = 60.0  # for what comes at once, on a machine that is busy


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study") / "study", n_trials=3, seed=0)


@pytest.fixture
def address(made, tmp_path) -> Iterator[str]:
    """Of a server with a network, as it is started."""
    with served(made, tmp_path) as (found, _):
        yield found


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "x" * 200_000 + "\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n" + "X: y\r\n" * 50_000 + "\r\n", 400),
        ("GET /" + "x" * 200_000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\x00: y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("POST /api/join HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST /api/join HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        ("POST /api/join HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\x00", 400),
        ("\r\n\r\nQ\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n", 200),
        ("GET /experimenter HTTP/1.1\r\nHost: a\r\nCookie: experimenter=\xff\xfe; a\r\nConnection: close\r\n\r\n", 401),
        ("GET /experimenter HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\r\nConnection: close\r\n\r\n", 401),
    ],
    ids=lambda value: str(value)[:60],
)
def test_odd_heads(address, head, status):
    told = asked(address, head)
    assert told == b"" or told.startswith(b"HTTP/1.1 %d " % status)  # b"": broken while we were still sending
    assert httpx.get(f"{address}/api/study").status_code == 200


def test_a_body_without_an_end_is_refused_and_not_kept(address):
    with connected(address) as connection:
        connection.sendall(b"POST /api/join HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_comes_slowly_is_not_waited_for(address, monkeypatch):
    monkeypatch.setattr(requests, "MAX_BODY_S", 0.2)
    told = asked(address, "POST /api/join HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{")
    assert told.startswith(b"HTTP/1.1 408 ")


class Timers:
    """The limits of a server's connections, which pass when a test says so, and what its connections were given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._changed, self._received = threading.Condition(), 0
        self.kept: list[tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle]] = []
        for name in ("MAX_HEAD_S", "MAX_TAKING_S"):
            monkeypatch.setattr(connections, name, NEVER_S)
        call_later, data_received = asyncio.BaseEventLoop.call_later, connections.Connection.data_received

        def kept(loop, delay, callback, *given, context=None):
            timer = call_later(loop, delay, callback, *given, context=context)
            if delay == NEVER_S:
                with self._changed:
                    self.kept.append((loop, timer))
                    self._changed.notify_all()
            return timer

        def counted(connection, data):
            data_received(connection, data)
            with self._changed:
                self._received += len(data)
                self._changed.notify_all()

        monkeypatch.setattr(asyncio.BaseEventLoop, "call_later", kept)
        monkeypatch.setattr(connections.Connection, "data_received", counted)

    def wait(self, *, received: int = 0, n: int = 0) -> None:
        """Until the connections were given that many bytes in all, and n limits were set."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._received >= received and len(self.kept) >= n, timeout=LONG_S)

    def pass_by(self) -> int:
        """Let the time pass for every limit that holds now; return how many these were."""
        passed: list[asyncio.TimerHandle] = []

        def late(timer: asyncio.TimerHandle) -> None:
            if not timer.cancelled():
                passed.append(timer)
                timer._run()

        for loop, timer in [*self.kept]:
            ended = threading.Event()
            loop.call_soon_threadsafe(late, timer)
            loop.call_soon_threadsafe(ended.set)
            assert ended.wait(LONG_S)
        return len(passed)


@pytest.mark.parametrize("begin", [b"", b"GET / HT"])
@pytest.mark.parametrize("before", [0, 1])
def test_a_head_that_comes_slowly_is_not_waited_for(made, tmp_path, monkeypatch, begin, before):
    """That letters come makes it no longer: no limit is set anew for them, and the first one ends the connection."""
    timers, sent = Timers(monkeypatch), 0
    with served(made, tmp_path) as (address, _), connected(address) as connection:
        if before:
            connection.sendall(HEAD)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            timers.wait(received=(sent := len(HEAD)))
        connection.sendall(begin)
        timers.wait(received=(sent := sent + len(begin)), n=1)
        while len(timers.kept) <= before or sent < len(HEAD) * before + len(begin) + 3:
            assert sent < 1000, "no limit is set for the second head"
            connection.sendall(b"x")
            timers.wait(received=(sent := sent + 1))
        assert len(timers.kept) == 1 + before
        assert timers.pass_by() == 1
        assert rest_of(connection) == b""
        assert httpx.get(f"{address}/api/study").status_code == 200


def test_connections_are_kept_for_the_next_request(made, tmp_path, monkeypatch):
    """What is waited for is a head, not the next request, a body or an answer."""
    timers = Timers(monkeypatch)
    with served(made, tmp_path) as (address, service):
        with connected(address) as connection:
            for _ in range(3):
                connection.sendall(HEAD)
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
                assert timers.pass_by() == 0
        person = join(client_of(service))
        body = json.dumps({"session": "a", "events": [answer(0)]}).encode()
        head = f"POST /api/p/{person}/events HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with connected(address) as connection:
            connection.sendall(head)
            timers.wait(received=3 * len(HEAD) + len(head))
            assert timers.pass_by() == 0
            connection.sendall(body)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_nobody_takes_is_dropped(made, tmp_path, monkeypatch):
    timers = Timers(monkeypatch)
    monkeypatch.setattr(participants, "read_sound", lambda path, sha256: b"x" * 50_000_000)
    with served(made, tmp_path) as (address, service):
        client = client_of(service)
        person = join(client)
        sound = state(client, person)["trials"][0]["sounds"][0]
        with connected(address) as connection:
            connection.sendall(f"GET /api/p/{person}/sounds/{sound} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            timers.wait(n=2)  # for the head, and for the answer to be taken
            assert timers.pass_by() == 1
            assert 0 < len(rest_of(connection)) < 50_000_000
