"""Connections that no browser makes: odd and endless heads and bodies, and who sends or takes letter by letter."""

import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from study_servers import answer, asked, connected, join, rest_of, served, state

from benchmarks.study_load import write_study
from listening_study.server import connections, participants, requests


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


def is_closed_while_sending(connection: socket.socket) -> bool:
    """Whether the other side ends a connection on which a letter comes every now and then."""
    try:
        for _ in range(100):
            time.sleep(0.1)
            connection.sendall(b"x")
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


@pytest.mark.parametrize("sent", ["", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + "GET / HT"])
def test_a_head_that_comes_slowly_is_not_waited_for(address, monkeypatch, sent):
    """That letters come makes it no longer."""
    monkeypatch.setattr(connections, "MAX_HEAD_S", 0.3)
    with connected(address) as connection:
        connection.sendall(sent.encode())
        assert is_closed_while_sending(connection)
    assert httpx.get(f"{address}/api/study").status_code == 200


def test_connections_are_kept_for_the_next_request(address, monkeypatch):
    """What is waited for is a head, not its body or its answer."""
    monkeypatch.setattr(connections, "MAX_HEAD_S", 0.3)
    with httpx.Client(base_url=address) as client:
        person = join(client)
    with connected(address) as connection:
        for _ in range(3):
            connection.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            time.sleep(0.6)
    body = json.dumps({"session": "a", "events": [answer(0)]}).encode()
    head = (
        f"POST /api/p/{person}/events HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with connected(address) as connection:
        connection.sendall(head.encode())
        time.sleep(0.6)
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_nobody_takes_is_dropped(made, tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "MAX_TAKING_S", 0.3)
    monkeypatch.setattr(participants, "read_sound", lambda path, sha256: b"x" * 50_000_000)
    with served(made, tmp_path) as (address, _), httpx.Client(base_url=address) as client:
        person = join(client)
        sound = state(client, person)["trials"][0]["sounds"][0]
        with connected(address) as connection:
            connection.sendall(f"GET /api/p/{person}/sounds/{sound} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            time.sleep(1.5)
            assert 0 < len(rest_of(connection)) < 50_000_000
