"""The document of the server's interface against its routes, and against what it answers."""

import json
from collections.abc import Iterator
from dataclasses import replace

import anyio
import httpx
import pytest
import schemathesis
from fuzzed_server import fuzz, fuzzed_service
from jsonschema_rs import meta
from sqlalchemy import text
from starlette.types import Message
from study_servers import QUICK, TOKEN, answer, client_of, join, opened, send, state

from benchmarks.study_load import write_study
from listening_study.server import app, participants, requests, webmushra
from listening_study.server.limits import Limit
from listening_study.server.openapi import openapi
from listening_study.server.service import Limits, Service

STUDY = replace(QUICK, webmushra=True)
PERSON = "/api/p/{participant}/"
NONE_LEFT = Limits(**dict.fromkeys(Limits.__dataclass_fields__, Limit(rate=1, burst=0)))
Seen = set[tuple[str, str, int]]  # method, path as in the document, status


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study") / "study", n_trials=4, seed=0)


@pytest.fixture
def service(study, tmp_path) -> Iterator[Service]:
    with opened(study, tmp_path, STUDY) as found:
        yield found


def documented() -> Seen:
    return {
        (method.upper(), path, int(status))
        for path, methods in openapi()["paths"].items()
        for method, operation in methods.items()
        for status in operation["responses"]
    }


# ---- what it says ----------------------------------------------------------------------------------------------------


def test_routes_against_the_document():
    routes = {
        (method, route.path.replace(":path}", "}"))
        for route in app.ROUTES
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert routes == {(method, path) for method, path, _ in documented()}


def test_the_document_is_one():
    document = openapi()
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        meta.validate(schema)
    used = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert used == set(document["components"]["schemas"])


def test_the_document_is_served(service):
    assert client_of(service).get("/api/openapi.json").json() == openapi()


def test_limits_of_the_document_against_the_code():
    schemas = openapi()["components"]["schemas"]
    assert schemas["Events"]["properties"]["events"]["maxItems"] == 100
    assert schemas["Join"]["properties"]["key"]["pattern"] == "^[ -~]{1,64}$"
    assert schemas["Answer"]["properties"]["payload"]["properties"]["confidence"]["maximum"] == 5
    body = openapi()["paths"]["/api/p/{participant}/events"]["post"]["requestBody"]
    assert body["description"] == f"at most {requests.MAX_BODY} bytes"


# ---- what is answered ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "n_examples"), [("pair", 12), ("sliders", 4)])
def test_the_server_against_the_document(kind, n_examples):
    """Hundreds of drawn requests, as allowed and as forbidden; `python tests/fuzzed_server.py` draws more."""
    with fuzzed_service(kind) as service:
        found = fuzz(service, n_examples=n_examples, seed=0)
    assert found.failures == []
    assert found.statuses.total() > 400
    assert min(found.n_stored, found.n_refused) > 20
    assert not [each for each in found.statuses if each.split()[-1].startswith("5")]


class Asked:
    """A client that notes every status by the operation that gave it."""

    def __init__(self, service: Service) -> None:
        self.client, self.seen = client_of(service), Seen()

    def __call__(self, method: str, path: str, fill: dict[str, str], **named) -> httpx.Response:
        response = self.client.request(method, path.format(**fill), **named)
        self.seen.add((method, path, response.status_code))
        return response

    def whose_body_never_comes(self, path: str, fill: dict[str, str], message: Message | None) -> None:
        """Send a message in its place, or nothing any more."""
        scope = {"type": "http", "method": "POST", "path": path.format(**fill), "headers": [], "query_string": b""}

        async def receive() -> Message:
            if message is None:
                await anyio.sleep_forever()
            return message or {}

        async def given(told: Message) -> None:
            if told["type"] == "http.response.start":
                self.seen.add(("POST", path, told["status"]))

        anyio.run(self.client._transport.transport.app, scope, receive, given)


POSTED = ("/api/join", "/api/withdraw", PERSON + "events", "/service/write.php", "/experimenter")
BATCH = {"session": "visit", "events": [answer(0)]}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def ask_for_everything(ask: Asked, fill: dict[str, str]) -> None:
    """Well-formed requests, one for each operation, with a wrong token in the end."""
    sha256 = ask("GET", "/api/study", fill).json()["consent"]["sha256"]
    ask("POST", "/api/join", fill, json={"key": "a", "consent_sha256": sha256})
    for path in ("/", "/withdraw", "/api/openapi.json", "/p/{participant}", "/page/{name}", PERSON + "state"):
        ask("GET", path, fill)
    ask("POST", PERSON + "events", fill, json=BATCH)
    ask("GET", PERSON + "sounds/{sound}", fill)
    ask("POST", "/api/withdraw", fill, json={"code": fill["code"]})
    ask("POST", "/service/write.php", fill, content=b"sessionJSON={}")
    for headers in (BEARER, {"Authorization": "Bearer wrong"}):
        ask("GET", "/experimenter", fill, headers=headers)
        ask("GET", "/experimenter/{download}", fill, headers=headers)
        ask("POST", "/experimenter", fill, data={"token": headers["Authorization"].removeprefix("Bearer ")})
    ask.client.cookies.clear()


def known(service: Service) -> dict[str, str]:
    client = client_of(service)
    person = join(client, "known")
    told = state(client, person)
    names = {"name": "screens/trial.js", "download": "answers.csv", "code": told["code"]}
    return {**names, "participant": person, "sound": told["trials"][0]["sounds"][0]}


def test_every_status_of_the_document_is_given_and_no_other(service, monkeypatch):
    """Each is brought about, for each operation that tells of it."""
    fill = known(service)
    nothing = {"participant": "0" * 32, "name": "x.js", "download": "x.csv", "code": "x", "sound": "x"}
    asked = [Asked(service) for _ in range(2)] + [Asked(replace(service, limits=NONE_LEFT))]
    whole, wrong, often = asked
    ask_for_everything(often, fill)
    wrong("POST", "/api/join", fill, json={"key": "b", "consent_sha256": "of another text"})
    wrong("GET", PERSON + "sounds/{sound}", {**fill, "sound": "x"})
    ask_for_everything(wrong, nothing)
    for path in POSTED:
        wrong("POST", path, fill, content=b"{")
        wrong("POST", path, fill, content=b"x" * 2_000_000)
        wrong.whose_body_never_comes(path, fill, {"type": "http.disconnect"})
        if path.startswith("/api"):
            wrong("POST", path, fill, content=b"{}", headers={"Content-Type": "text/plain"})
    with monkeypatch.context() as changed:
        changed.setattr(requests, "MAX_BODY_S", 0.02)
        for path in POSTED:
            wrong.whose_body_never_comes(path, fill, None)
    with monkeypatch.context() as changed:
        changed.setattr(participants, "MAX_EVENTS_A_TRIAL", 0)
        changed.setattr(webmushra, "MAX_POSTS", 0)
        wrong("POST", "/service/write.php", fill, content=b"sessionJSON={}")
    send(whole.client, fill["participant"], answer(0))
    long_ago = replace(service.store, clock=lambda: service.store.clock() + 1e9)
    away = Asked(replace(service, store=long_ago))
    assert away("GET", PERSON + "state", fill).json()["code"] == fill["code"]
    off = Asked(replace(service, settings=QUICK))
    off("POST", "/service/write.php", fill, content=b"sessionJSON={}")
    ask_for_everything(whole, fill)
    with service.store.database.writing() as session:
        for table in ("events", "participants", "settings", "raw_posts", "consent_texts", "withdrawals"):
            session.execute(text(f"DROP TABLE {table}"))
    broken = Asked(service)
    ask_for_everything(broken, fill)
    seen = {
        (method, path.replace("{download}", "{name}"), status)
        for each in (*asked, away, off, broken)
        for method, path, status in each.seen
    }
    assert seen == documented()
