"""What the server keeps from whom: blinding, limits, closed pages, harmless downloads; and what webMUSHRA sends."""

import json
from dataclasses import replace

import pytest
from small_studies import small_study
from study_servers import TOKEN, answer, client_of, join, opened, send, state

from emomod.errors import InputError
from listening_study.page_texts import page_texts
from listening_study.server import webmushra
from listening_study.server.limits import Limit
from listening_study.server.pages import page_files
from listening_study.server.progress import study_progress
from listening_study.server.service import Limits, Service, make_service
from listening_study.server.settings import ServeSettings
from listening_study.table import read_table
from listening_study.trials import draw_lists

TOLD = (
    "original", "softer", "enhanced", "weakened", "opposite", "sham", "6 dB", "clip0", "clip1", "l00t",
    '"catch', '"repeat',
)  # fmt: skip


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


# ---- protection ------------------------------------------------------------------------------------------------------


def test_every_answer_has_the_headers(client):
    for path in ("/", "/api/study", "/nowhere", "/experimenter", "/page/main.js", "/api/p/nobody/state"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
    assert client.get("/api/study").headers["cache-control"] == "no-store"


def test_a_crawler_finds_nothing_that_tells(client, service, study):
    """Whatever a participant receives, headers too: no condition, item, file name, trial id, or other participant."""
    person, other = join(client, "a"), join(client, "b")
    paths = [
        "/",
        f"/p/{person}",
        "/withdraw",
        "/api/study",
        "/api/openapi.json",
        f"/api/p/{person}/state",
        *(f"/page/{n}" for n in page_files()),
    ]
    sounds = [name for trial in state(client, person)["trials"] for name in trial["sounds"]]
    responses = [client.get(path) for path in paths] + [client.get(f"/api/p/{person}/sounds/{name}") for name in sounds]
    responses.append(send(client, person, answer(0)))
    secrets = [*study.stimuli, *(each.sha256 for each in study.stimuli.values()), study.plan.title, TOKEN, other]
    other_person = service.store.participant(other)
    secrets += [other_person.withdrawal_code, other_person.pseudonym, service.store.participant(person).pseudonym]
    for response in responses:
        assert response.status_code == 200
        isn_t_sound = not response.headers["content-type"].startswith("audio")
        told = str(response.headers) + (response.text if isn_t_sound else str(response.content[:44]))
        assert [word for word in (*TOLD, *secrets) if word in told] == []
    audio = [r for r in responses if r.headers["content-type"].startswith("audio")]
    assert len({(len(r.content), str(sorted(r.headers.items()))) for r in audio}) == 1  # all sounds look alike
    assert not {"etag", "last-modified", "content-disposition", "accept-ranges"} & set(audio[0].headers)
    assert len(set(sounds)) == len(sounds)  # from names it cannot be seen which are the same file


def test_sounds_of_others_are_not_given(client):
    one, other = join(client, "a"), join(client, "b")
    name = state(client, one)["trials"][0]["sounds"][0]
    assert client.get(f"/api/p/{one}/sounds/{name}").status_code == 200
    assert client.get(f"/api/p/{other}/sounds/{name}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/page/../index.html", "/page/..%2f..%2fserver/app.py", "/page/%2e%2e/questions.yaml", "/page//etc/passwd",
        "/page/texts/en.json", "/page/index.html", "/page/experimenter.html.j2", "/stimuli", "/private/key.csv",
        "/api/p/nobody/sounds/..%2f..%2fprivate%2fkey.csv", "/experimenter/../private/key.csv",
    ],
)  # fmt: skip
def test_paths_lead_nowhere(client, path):
    response = client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code in (404, 410)
    assert "root:" not in response.text


def test_bodies_and_requests_are_limited(study, service):
    now = [0.0]
    slow = Limits(asking=Limit(rate=0.5, burst=3, clock=lambda: now[0]))
    client = client_of(replace(service, limits=slow))
    person, other = join(client, "a"), join(client, "b")
    assert client.post("/api/join", content=b"x" * 300_000).status_code == 413
    statuses = [client.get(f"/api/p/{person}/state").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert client.get(f"/api/p/{person}/state").headers["retry-after"] == "3"
    assert client.get(f"/api/p/{other}/state").status_code == 200
    now[0] += 2.0
    assert client.get(f"/api/p/{person}/state").status_code == 200


def test_limits_forget_who_asked_longest_ago(monkeypatch):
    monkeypatch.setattr("listening_study.server.limits.MAX_NAMES", 2)
    limit = Limit(rate=1, burst=1, clock=lambda: 0.0)
    assert [limit.wait(name) for name in "aabcba"] == [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]


def test_texts_are_escaped(study, service):
    evil = "<script>alert(1)</script>"
    plan = replace(study.plan, title=evil)
    settings = ServeSettings(heading=evil, consent=evil)
    changed = replace(service, study=replace(study, plan=plan), settings=settings, consent=evil)
    client = client_of(changed)
    assert evil not in client.get("/").text
    assert "&lt;script&gt;" in client.get("/").text
    assert client.get("/api/study").headers["content-type"] == "application/json"
    page = client.get("/experimenter", headers={"Authorization": f"Bearer {TOKEN}"})
    assert evil not in page.text
    assert "&lt;script&gt;" in page.text


def test_a_failure_tells_nothing(service):
    broken = replace(service, consent=None)
    client = client_of(broken)
    response = client.get("/api/study")
    assert (response.status_code, response.json()) == (500, {"error": "the server failed; try again"})
    assert "content-security-policy" in response.headers


# ---- experimenters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/answers.csv", "/events.jsonl", "/webmushra.jsonl", "/other"])
def test_experimenters_pages_are_closed_without_the_token(client, path):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "experimenter=wrong"}, {"Authorization": TOKEN}):
        response = client.get("/experimenter" + path, headers=headers)
        assert response.status_code == 401
        assert "Small" not in response.text


def test_the_token_is_asked_for_once(client):
    assert client.post("/experimenter", data={"token": "wrong"}).status_code == 401
    response = client.post("/experimenter", data={"token": TOKEN})
    cookie = response.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/experimenter"))
    assert TOKEN not in cookie
    assert client.get("/experimenter").status_code == 200


def test_tokens_iv(study, service):
    with pytest.raises(InputError, match="token must have at least 16 letters, got 5"):
        make_service(study, service.store, token="short")


def test_progress_against_what_was_answered(client, service, study):
    """One finishes and hears every catch trial, one answers the same always and leaves, one withdraws."""
    good, bad, gone = (join(client, key) for key in "abc")
    for person in (good, bad):
        drawn = study.lists[service.store.participant(person).list]
        for trial in drawn:
            same = trial.condition == trial.other
            heard = "same" if same else ("first", "second")[trial.position - 1]  # of catch trials, the louder one
            send(
                client,
                person,
                answer(trial.place, response=heard if person == good else "first", rt_ms=1000 * trial.place),
            )
    send(client, good, {"key": "finish", "kind": "finish"})
    client.post("/api/withdraw", json={"code": state(client, gone)["code"]})
    later = replace(service.store, clock=lambda: service.store.clock() + 8000)
    progress = study_progress(later, study)
    assert [(each.n_joined, each.n_finished, each.n_active, each.n_dropped) for each in progress.lists] == [
        (1, 1, 0, 0), (1, 0, 0, 1), (0, 0, 0, 0), (0, 0, 0, 0),
    ]  # fmt: skip
    assert progress.n_withdrawn == 1
    one, other = progress.people
    assert (one.state, one.n_answered, one.n_trials, one.n_catch_passed, one.n_catch) == ("finished", 12, 12, 1, 1)
    assert (other.state, one.median_rt_s, one.median_listened_s) == ("dropped out", 5.5, 0.9)
    assert other.n_catch == 1
    page = client.get("/experimenter", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert "1 finished, 1 active, 0 dropped out, 1 withdrew" in page
    assert good not in page


def test_a_download_is_a_table_and_no_text_of_it_a_formula(client, study, tmp_path):
    person = join(client)
    send(client, person, answer(0), {**answer(1), "key": "=1+1"})
    client.post(f"/api/p/{person}/events", json={"session": "=1+1", "events": [answer(2)]})
    text = client.get("/experimenter/answers.csv", headers={"Authorization": f"Bearer {TOKEN}"}).content
    (tmp_path / "answers.csv").write_bytes(text)
    answers = read_table(tmp_path / "answers.csv", study=study)
    pseudonym = answers[0].participant
    assert [each.session for each in answers] == [f"{pseudonym}-{visit}" for visit in (1, 1, 2)]
    assert b"=1+1" not in text  # what a browser calls its visits is not repeated


def test_visits_of_one_name_are_told_apart(client, study, tmp_path):
    for person in (join(client, "a"), join(client, "b")):
        send(client, person, answer(0))
    text = client.get("/experimenter/answers.csv", headers={"Authorization": f"Bearer {TOKEN}"}).content
    (tmp_path / "answers.csv").write_bytes(text)
    assert len({each.session for each in read_table(tmp_path / "answers.csv", study=study)}) == 2


# ---- webMUSHRA -------------------------------------------------------------------------------------------------------


def test_results_of_webmushra_are_taken_as_its_page_sends_them(service, monkeypatch):
    """JSON behind the equals sign as it is, with signs that a form parser would change; no text in the answer."""
    client = client_of(replace(service, settings=ServeSettings(webmushra=True)))
    session = json.dumps({"testId": "t", "trials": [], "comment": "rock & roll + 100 % ü"}, ensure_ascii=False)
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    for _ in range(2):
        response = client.post("/service/write.php", content=f"sessionJSON={session}".encode(), headers=headers)
        assert (response.status_code, response.content) == (200, b"")
    line = client.get("/experimenter/webmushra.jsonl", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert json.loads(line)["body"] == "sessionJSON=" + session
    assert client.post("/service/write.php", content=b"other").status_code == 400
    assert client.post("/service/write.php", content=b"sessionJSON=" + b"x" * 5_000_000).status_code == 413
    monkeypatch.setattr(webmushra, "MAX_POSTS", 1)
    assert client.post("/service/write.php", content=b"sessionJSON={}").status_code == 507
    off = client_of(service)
    assert off.post("/service/write.php", content=b"sessionJSON={}").status_code == 404


# ---- texts -----------------------------------------------------------------------------------------------------------


def test_every_language_says_everything():
    english, german = page_texts("en"), page_texts("de")
    assert english.keys() == german.keys()
    for name in english:
        assert type(english[name]) is type(german[name])
        assert isinstance(english[name], str) or len(english[name]) == len(german[name])
        one, other = (sorted(part for part in str(each[name]).split("{")[1:]) for each in (english, german))
        assert [each.split("}")[0] for each in one] == [each.split("}")[0] for each in other]
    with pytest.raises(InputError, match="language must be one that the page has, de, en, got 'fr'"):
        page_texts("fr")


def test_settings_iv():
    with pytest.raises(InputError, match="headphone_trials must be a whole number"):
        ServeSettings(headphone_trials=-1)
    with pytest.raises(InputError, match="resume_hours must be a finite number"):
        ServeSettings(resume_hours=-1.0)


def test_a_service_is_bound_to_its_study(study, service):
    plan = replace(study.plan, seed=3)
    other = replace(study, plan=plan, lists=draw_lists(plan))
    with pytest.raises(InputError, match="holds answers of another study"):
        make_service(other, service.store, token=TOKEN)
    assert isinstance(make_service(study, service.store, token=TOKEN), Service)
