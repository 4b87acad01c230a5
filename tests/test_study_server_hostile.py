"""Requests that no page sends: odd bodies, texts, kinds, methods and paths; and the same request many times at once."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from study_servers import TOKEN, answer, asked, client_of, join, opened, send, served, state

from benchmarks.study_load import write_study
from listening_study.server.service import Service


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study") / "study", n_trials=4, seed=0)


@pytest.fixture
def service(made, tmp_path) -> Iterator[Service]:
    with opened(made, tmp_path) as found:
        yield found


@pytest.fixture
def client(service) -> httpx.Client:
    return client_of(service)


@pytest.fixture
def address(made, tmp_path) -> Iterator[str]:
    """Of a server with a network, as it is started."""
    with served(made, tmp_path) as (found, _):
        yield found


def stored(service: Service, person: str) -> list[str]:
    return [each.key for each in service.store.events_of(person)]


# ---- bodies ----------------------------------------------------------------------------------------------------------

EVENT = json.dumps(answer(0)).encode()
BODIES = [
    b"\xed\xa0\x80", b'{"a": "\xff"}', b"\x00", b"\xef\xbb\xbf{}", b'{"session": "a", "events": [' + b"[" * 100_000,
    b'{"a":' * 20_000, b"9" * 100_000, b'{"session": NaN, "events": []}', b'"\\ud800"', b"[" + b"0," * 50_000 + b"0]",
    *(b'{"session": "%s", "events": [%s]}' % (odd, EVENT) for odd in (b"\\ud800", b"a\\u0000", b"a\\n")),
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:24].decode("latin-1"))
def test_odd_bodies_are_refused_everywhere(client, service, body):
    person = join(client)
    for path in ("/api/join", "/api/withdraw", f"/api/p/{person}/events"):
        response = client.post(path, content=body)
        assert response.status_code in (400, 404)  # of a code there may be none
        assert set(response.json()) == {"error"}
    assert stored(service, person) == []


@pytest.mark.parametrize(
    "odd", ["\ud800", "\x00", "a\x00b", "\x7f", "é", "x" * 65, "", "\u202e", "a\n", None, 1, ["a"]]
)
@pytest.mark.parametrize("where", ["key", "kind", "trial", "payload", "response", "session"])
def test_odd_texts_are_refused_and_leave_others_alone(client, service, odd, where):
    person = join(client)
    changed = (
        answer(0, response=odd) if where == "response" else answer(0) | ({where: odd} if where != "session" else {})
    )
    body = {"session": odd if where == "session" else "visit", "events": [changed, answer(1)]}
    response = client.post(f"/api/p/{person}/events", content=json.dumps(body))
    assert response.status_code in (200, 400)
    fits = where == "trial" and odd == 1
    assert stored(service, person) == ([] if response.status_code == 400 else ["k0", "k1"] if fits else ["k1"])
    assert (response.status_code == 400) == (where in ("key", "session"))


@pytest.mark.parametrize("code", ["\ud800", "\x00", "ß" * 64, "\U0001f600", "' OR 1=1 --", "%", "_" * 19])
def test_odd_codes_delete_nothing(client, code):
    person = join(client)
    assert client.post("/api/withdraw", content=json.dumps({"code": code})).status_code == 404
    assert client.get(f"/api/p/{person}/state").status_code == 200


def test_numbers_as_json_writes_them(client, service):
    person = join(client)
    whole = answer(0, rt_ms=900.0, confidence=3.0, listened_ms=[1.0, 2e3])
    huge = [answer(k, rt_ms=n) for k, n in ((1, 10**4000), (2, -1), (3, 0.5))]
    told = send(client, person, whole, *huge).json()
    assert (told["stored"], set(told["refused"])) == (["k0"], {"k1", "k2", "k3"})
    payload = service.store.events_of(person)[0].payload
    assert json.dumps([payload[name] for name in ("rt_ms", "confidence", "listened_ms")]) == "[900, 3, [1, 2000]]"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", "\xff"]
)
def test_other_kinds_of_bodies_are_not_taken(client, kind):
    person, content = join(client), json.dumps({"session": "a", "events": [answer(0)]})
    headers = {"Content-Type": kind.encode("latin-1")}
    assert client.post(f"/api/p/{person}/events", content=content, headers=headers).status_code == 415
    for kept in ("application/json", "Application/JSON; charset=utf-8"):
        response = client.post(f"/api/p/{person}/events", content=content, headers={"Content-Type": kept})
        assert response.json()["stored"] == ["k0"]


# ---- methods and paths -----------------------------------------------------------------------------------------------


def test_wrong_methods_are_told_the_right_ones(client):
    for path, allowed in (("/api/study", "GET, HEAD"), ("/api/join", "POST"), ("/experimenter", "GET, HEAD, POST")):
        for method in ("DELETE", "TRACE", "OPTIONS", "PROPFIND", "GETT"):
            response = client.request(method, path)
            assert response.status_code == 405
            assert ", ".join(sorted(response.headers["allow"].split(", "))) == allowed
    assert client.head("/api/study").content == b""


@pytest.mark.parametrize(
    "target",
    [
        "/page/../../pyproject.toml", "/page/..%2f..%2fserver/app.py", "/page/%2e%2e/%2e%2e/private/key.csv",
        "/page/..%5c..%5cserver%5capp.py", "/page/%252e%252e/server/app.py", "//etc/passwd", "/page//etc/passwd",
        "/page/main.js%00.css", "/page/main.js/", "/%2e%2e/study.db", "/experimenter/..%2fstudy.db", "/api/study/",
        "http://other/../study.db", "/page/" + "../" * 500, "/page/%ff%fe", "/experimenter/%00", "/stimuli/",
    ],
)  # fmt: skip
def test_targets_lead_nowhere(address, target):
    """As they are written: no client puts them right."""
    head = f"GET {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    told = asked(address, head)
    assert told.startswith(b"HTTP/1.1 404 ")
    assert b"\r\nlocation:" not in told.lower()


def test_sounds_are_named_and_not_found_by_paths(client, made):
    person = join(client)
    token = next(iter(made.stimuli))
    for name in (token, f"{token}.wav", f"..%2fstimuli%2f{token}.wav", "%2fetc%2fpasswd", "%00"):
        assert client.get(f"/api/p/{person}/sounds/{name}").status_code == 404


@pytest.mark.parametrize("host", ["[", "a:b:c", "\x01", "x" * 60_000, "evil.example"])
def test_the_name_of_the_host_leads_nowhere(client, host):
    response = client.post("/experimenter", data={"token": TOKEN}, headers={"Host": host})
    assert (response.status_code, response.headers["location"]) == (303, "/experimenter")
    assert client.get("/api/study", headers={"Host": host}).status_code == 200


# ---- concurrent duplicates -------------------------------------------------------------------------------------------


def test_what_many_send_at_once_is_stored_once(made, tmp_path):
    with served(made, tmp_path) as (address, service), httpx.Client(base_url=address) as client:
        with ThreadPoolExecutor(12) as pool:
            people = set(pool.map(lambda _: join(client, "the same"), range(24)))
            (person,) = people
            batch = [answer(place) for place in range(4)] + [{"key": "finish", "kind": "finish", "payload": {}}]
            told = list(pool.map(lambda _: send(client, person, *batch).json(), range(24)))
        keys = [each["key"] for each in batch]
        assert all(each == {"stored": keys, "refused": {}, "done": [0, 1, 2, 3]} for each in told)
        assert stored(service, person) == keys


def test_withdrawing_many_times_at_once_deletes_once(made, tmp_path):
    with served(made, tmp_path) as (address, service), httpx.Client(base_url=address) as client:
        person = join(client)
        code = state(client, person)["code"]
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda _: client.post("/api/withdraw", json={"code": code}).status_code, range(8)))
        assert sorted(told) == [200] + [404] * 7
        assert service.store.n_withdrawn() == 1
