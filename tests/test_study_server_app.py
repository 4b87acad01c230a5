"""What the server gives, takes and refuses."""

import csv
import io
import json
from dataclasses import replace

import httpx
import pytest
from small_studies import small_study
from sqlalchemy import select
from study_servers import TOKEN, answer, client_of, join, opened, send, state

from emomod.errors import InputError
from listening_study.questions import question_about
from listening_study.server.answers import checked_response, parsed_events
from listening_study.server.models import ConsentText
from listening_study.server.service import make_service
from listening_study.server.settings import ServeSettings
from listening_study.table import COLUMNS
from listening_study.trials import Trial, draw_lists


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return small_study(folder, targets=("energy",), versions=("enhanced", "weakened"), practice=1, repeats=1)


@pytest.fixture
def service(study, tmp_path):
    with opened(study, tmp_path) as found:
        yield found


@pytest.fixture
def client(service):
    return client_of(service)


def table(client: httpx.Client) -> list[dict[str, str]]:
    text = client.get("/experimenter/answers.csv", headers={"Authorization": f"Bearer {TOKEN}"}).text
    return list(csv.DictReader(io.StringIO(text)))


# ---- taking part -----------------------------------------------------------------------------------------------------


def test_a_participant_from_consent_to_the_table(client, service, study):
    person = join(client)
    assert join(client) == person  # the same request once more
    trials = state(client, person)["trials"]
    drawn = study.lists[service.store.participant(person).list]
    assert [each["question"] for each in trials] == [question_about(trial.attribute).pair for trial in drawn]
    assert [each["practice"] for each in trials] == [trial.phase == "practice" for trial in drawn]
    counting = next(trial.place for trial in drawn if trial.phase != "practice" and trial.attribute != "loudness")
    assert [place for place, each in enumerate(trials) if each["begins"]] == [0, counting]
    checked = {"sides": [2, 2], "woods": [5, 6], "huggins": [6, 6]}
    first = [{"key": "a", "kind": "level", "payload": {"volume": 40}}]
    send(client, person, *first, {"key": "b", "kind": "headphones", "payload": checked})
    for place in range(len(trials)):
        told = send(client, person, answer(place, response=("first", "second")[place % 2] if place else "same")).json()
        assert told["done"] == [*range(place + 1)]
    assert send(client, person, {"key": "finish", "kind": "finish"}).json()["stored"] == ["finish"]
    found = state(client, person)
    assert (found["finished"], found["steps"], found["volume"]) == (True, ["headphones", "level"], 40)
    rows = table(client)
    assert [row["trial_id"] for row in rows] == [trial.trial_id for trial in drawn]
    for place, (row, trial) in enumerate(zip(rows, drawn, strict=True)):
        wanted = 0 if not place else 1 if trial.position == place % 2 + 1 else -1
        stimulus, other = (study.stimulus(trial.item, name) for name in (trial.condition, trial.other))
        assert tuple(row) == COLUMNS
        assert (row["response"], row["condition"], row["other"]) == (str(wanted), trial.condition, trial.other)
        assert (row["stimulus"], row["other_stimulus"]) == (stimulus.token, other.token)
        assert (row["stimulus_sha256"], row["position"], row["phase"]) == (
            stimulus.sha256,
            str(trial.position),
            trial.phase,
        )
        assert (row["confidence"], row["rt_ms"], row["listened_ms"], row["headphone_pass"]) == ("3", "900", "900", "1")
        assert person not in row.values()


def test_sounds_against_the_files_in_their_order(client, service, study):
    person = join(client)
    trials, drawn = state(client, person)["trials"], study.lists[service.store.participant(person).list]
    for told, trial in zip(trials, drawn, strict=True):
        for name, condition in zip(told["sounds"], trial.heard, strict=True):
            response = client.get(f"/api/p/{person}/sounds/{name}")
            assert response.content == study.path(study.stimulus(trial.item, condition)).read_bytes()


def test_an_answer_counts_as_it_was_given_first(client):
    person = join(client)
    assert send(client, person, answer(0, response="second")).json()["stored"] == ["k0"]
    assert send(client, person, answer(0, response="second")).json()["stored"] == ["k0"]
    assert send(client, person, answer(0, key="other tab", response="first")).json()["stored"] == ["other tab"]
    rows = table(client)
    assert len(rows) == 1
    events = client.get("/experimenter/events.jsonl", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert [json.loads(line)["payload"]["response"] for line in events.splitlines()] == ["second", "first"]


def test_one_bad_answer_does_not_keep_others(client):
    person = join(client)
    told = send(client, person, answer(0), answer(1, response=7), answer(99), answer(2)).json()
    assert told["stored"] == ["k0", "k2"]
    assert told["refused"] == {
        "k1": "response must be one of first, same, second",
        "k99": "trial must be a whole number in 0..11",
    }
    assert told["done"] == [0, 2]


def test_nobody_finishes_before_the_last_answer(client):
    person = join(client)
    finish = {"key": "finish", "kind": "finish"}
    assert send(client, person, answer(0), finish).json()["refused"] == {"finish": "trials are still to be answered"}
    assert not state(client, person)["finished"]
    n = len(state(client, person)["trials"])
    told = send(client, person, *(answer(place) for place in range(n)), finish).json()
    assert told["stored"][-1] == "finish"
    assert state(client, person)["finished"]


def test_consent_is_kept_by_the_text(client, service):
    told = client.get("/api/study").json()["consent"]
    body = {"key": "a", "consent_sha256": "0" * 64, "device": "computer"}
    refused = client.post("/api/join", json=body)
    assert (refused.status_code, refused.json()) == (409, {"error": "the text to agree to has changed meanwhile"})
    person = service.store.participant(join(client))
    with service.store.database.reading() as session:
        assert [(each.sha256, each.text) for each in session.scalars(select(ConsentText))] == [
            (person.consent_sha256, told["text"])
        ]
    assert "about 10 minutes" in told["text"]
    assert told["text"].endswith("ask the person who gave you this address.")


def test_withdrawal(client):
    person = join(client)
    send(client, person, answer(0))
    code = state(client, person)["code"]
    assert client.post("/api/withdraw", json={"code": "XXXX"}).status_code == 404
    assert client.post("/api/withdraw", json={"code": code}).json() == {"deleted": True}
    assert client.get(f"/api/p/{person}/state").status_code == 410
    assert send(client, person, answer(1)).status_code == 410
    assert table(client) == []


def test_who_was_away_for_too_long_cannot_go_on(study, service):
    now = [1_700_000_000.0]
    store = replace(service.store, clock=lambda: now[0])
    client = client_of(make_service(study, store, token=TOKEN, settings=ServeSettings(resume_hours=1)))
    person = join(client)
    now[0] += 7200
    assert client.get(f"/api/p/{person}/state").status_code == 200  # nothing was answered yet
    send(client, person, answer(0))
    now[0] += 3500
    assert client.get(f"/api/p/{person}/state").status_code == 200
    now[0] += 100
    assert client.get(f"/api/p/{person}/state").status_code == 409
    assert send(client, person, answer(1)).json()["done"] == [0, 1]  # what was answered offline is still taken


# ---- what answers say ------------------------------------------------------------------------------------------------


def trial_of(kind: str, heard: tuple[str, ...], *, condition: str = "a", other: str = "b") -> Trial:
    return Trial("l00t000", 0, 0, "main", kind, "energy", "x", "x", condition, other, heard)


@pytest.mark.parametrize("kind", ["ccr", "sliders", "scale", "abx"])
def test_the_table_of_every_kind_of_trial(study, service, kind):
    """No other stimuli are needed than those of a study of pairs."""
    plan = replace(study.plan, trial_type=kind, repeats=0, catch=0)
    other = replace(study, plan=plan, lists=draw_lists(plan))
    client = client_of(replace(service, study=other, presenter=replace(service.presenter, study=other)))
    person = join(client)
    trials = state(client, person)["trials"]
    n = len(trials[0]["sounds"])
    response = {"sliders": [100] * n, "abx": "first"}.get(kind, 1)
    told = [answer(place, response=response, listened_ms=[7] * n, confidence=None) for place in range(len(trials))]
    assert send(client, person, *told).json()["done"] == [*range(len(trials))]
    rows = table(client)
    assert len(rows) == len(trials) * (n if kind == "sliders" else 1)
    assert {row["trial_type"] for row in rows} == {kind}
    if kind == "sliders":
        assert [row["position"] for row in rows[:n]] == [str(place + 1) for place in range(n)]
        assert {row["listened_ms"] for row in rows} == {"7"}
        assert len({row["stimulus"] for row in rows[:n]}) == n


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"response": None}, "response must be one of first, same, second"),
        ({"response": True}, "response must be one of first, same, second"),
        ({"response": "1"}, "response must be one of first, same, second"),
        ({"confidence": 6}, "confidence must be a whole number in 1..5"),
        ({"listened_ms": [1]}, "listened_ms must be 2 numbers, one for each sound"),
        ({"listened_ms": [1, -1]}, "listened_ms must be a whole number in 0..604800000"),
        ({"rt_ms": 1e400}, "rt_ms must be a whole number in 0..604800000"),
        ({"n_plays": -1}, "n_plays must be a whole number in 0..100000"),
    ],
)
def test_answers_iv(changes, says):
    found = {"session": "visit", "events": [answer(0, **changes)]}
    good, refused = parsed_events(found, [trial_of("pair", ("a", "b"))])
    assert (good, refused) == ([], {"k0": says})


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("ccr", 4),
        ("ccr", 0.5),
        ("scale", 0),
        ("scale", 10),
        ("abx", "same"),
        ("pair", 0),
        ("sliders", [1]),
        ("sliders", [1, 101]),
        ("sliders", 3),
    ],
)
def test_responses_out_of_range_iv(kind, given):
    with pytest.raises(InputError, match="response must be"):
        checked_response(given, trial_of(kind, ("a", "b")))


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '{"events": []}', '{"events": [1], "session": "a"}', "[" * 50000]
)
def test_bodies_iv(client, body):
    person = join(client)
    response = client.post(f"/api/p/{person}/events", content=body)
    assert response.status_code == 400
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize("n", [0, 101])
def test_batches_iv(n):
    with pytest.raises(InputError, match="events must be a list of 1 to 100"):
        parsed_events({"session": "a", "events": [answer(0)] * n}, [])
