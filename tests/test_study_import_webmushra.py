"""Results as webMUSHRA's write.php appends them, or our server keeps them: they come back, or are refused by name."""

import csv
import json
from itertools import groupby
from pathlib import Path

import pytest
from study_servers import TOKEN, client_of
from test_study_table import KINDS, drawn_value, study_of, told, truth

from emomod.errors import InputError
from listening_study.exporters.sound_names import sounds_of
from listening_study.exporters.webmushra import page_sounds
from listening_study.importers.webmushra import import_webmushra
from listening_study.server.database import open_database
from listening_study.server.service import make_service
from listening_study.server.settings import ServeSettings
from listening_study.server.store import Store
from listening_study.table import study_id


def rows_of(study, number: int, code: str, rng, *, questionnaire=()) -> tuple[list[list[str]], dict]:
    """The rows of a session, versions of a page shuffled as webMUSHRA does, and what they must come back as."""
    test_id = f"{study_id(study)}_l{number:02d}_{code}"
    rows = [[test_id, *questionnaire, "check", "yes", page_sounds(study, study.lists[number][0], code)[0], "4000"]]
    wanted: dict = {}
    participant = questionnaire[0] if questionnaire and questionnaire[0] else code
    for trial in study.lists[number]:
        value, sounds = drawn_value(trial, rng), page_sounds(study, trial, code)
        if trial.trial_type == "sliders":
            value = [round(each / 10) * 10.0 for each in value]
            shuffled = rng.permutation(len(value)).tolist()
            answers = [(f" {value[place]:g} ", sounds[place]) for place in shuffled]
        else:
            text = value if isinstance(value, str) else f"{value:g}"
            answers = [(text, sounds[0])]
        rows += [[test_id, *questionnaire, trial.trial_id, text, sound, "5321"] for text, sound in answers]
        wanted |= {(participant, trial.trial_id, name): each for name, each in truth(trial, value).items()}
    return rows, wanted


def write_rows(path: Path, sessions: list[list[list[str]]], *, names=("participant_id",)) -> Path:
    """As write.php does: the header of the first session alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["session_test_id", *names, "trial_id", "stimuli_rating", "stimuli", "rating_time"])
        writer.writerows(row for rows in sessions for row in rows)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_answers_come_back(kind, rng, tmp_path):
    study, name = study_of(kind), "lms.csv" if kind == "sliders" else "lss.csv"
    wanted: dict = {}
    for number, code, own in ((0, "p0001", ""), (1, "p0002", "ann"), (0, "p0003", "")):
        rows, found = rows_of(study, number, code, rng, questionnaire=(own,))
        wanted |= found
        write_rows(tmp_path / "results" / rows[0][0] / name, [rows])
    write_rows(tmp_path / "results" / "some_other_test" / name, [])
    answers = import_webmushra(study, [tmp_path / "results"])
    assert told(answers) == wanted
    assert {each.participant for each in answers} == {"p0001", "ann", "p0003"}
    assert {(each.rt_ms, each.source_format) for each in answers} == {(5321.0, "webmushra")}
    files = sorted((tmp_path / "results").glob("study_*/*.csv"))
    assert import_webmushra(study, files) == answers


def test_positions_of_sliders_are_those_of_the_rows(rng, tmp_path):
    study = study_of("sliders")
    rows, _ = rows_of(study, 0, "p0001", rng, questionnaire=("",))
    answers = import_webmushra(study, [write_rows(tmp_path / "lms.csv", [rows])])
    by_trial = {trial.trial_id: [row[4] for row in rows if row[2] == trial.trial_id] for trial in study.lists[0]}
    trials = {trial.trial_id: trial for trial in study.lists[0]}
    for each in answers:
        trial = trials[each.trial_id]
        heard = dict(zip(trial.heard, sounds_of(study, trial, listener="p0001"), strict=True))
        assert by_trial[each.trial_id][each.position - 1] == heard[each.condition]


def test_two_listeners_of_one_config_are_told_apart_by_their_codes(rng, tmp_path):
    study = study_of("pair")
    sessions: list = []
    wanted: dict = {}
    for own in ("ann", "ben"):
        rows, found = rows_of(study, 0, "p0001", rng, questionnaire=(own,))
        sessions.append(rows)
        wanted |= found
    path = write_rows(tmp_path / "lss.csv", sessions)
    assert told(import_webmushra(study, [path])) == wanted
    rows, _ = rows_of(study, 0, "p0001", rng, questionnaire=("ann",))
    write_rows(path, [*sessions, rows])
    last = sum(map(len, sessions)) + 3
    with pytest.raises(InputError, match=rf"lss\.csv, row {last}: participant 'ann' has answered l00t000 already"):
        import_webmushra(study, [path])


def test_ragged_rows_are_read_from_their_end(rng, tmp_path):
    """The questionnaire was changed between two sessions: a header for two columns, rows with one."""
    study = study_of("pair")
    first, wanted = rows_of(study, 0, "p0001", rng, questionnaire=("ann", "37, tired"))
    second, more = rows_of(study, 0, "p0001", rng, questionnaire=("",))
    path = write_rows(tmp_path / "lss.csv", [first, second], names=("participant_id", "age"))
    assert told(import_webmushra(study, [path])) == wanted | more


@pytest.mark.parametrize("kind", ["pair", "sliders"])
def test_a_session_that_was_sent_twice_counts_once(kind, rng, tmp_path):
    """The last button pressed twice: webMUSHRA sends the questionnaire twice with the second post."""
    study, name = study_of(kind), "lms.csv" if kind == "sliders" else "lss.csv"
    rows, wanted = rows_of(study, 0, "p0001", rng, questionnaire=("ann",))
    again = [[row[0], "ann", *row[1:]] for row in rows]
    answers = import_webmushra(study, [write_rows(tmp_path / name, [rows, again])])
    assert told(answers) == wanted
    assert {each.participant for each in answers} == {"ann"}
    posts = [session_of(rows), {**session_of(rows), "uuid": "another"}]
    assert import_webmushra(study, [kept(study, posts, tmp_path)]) == answers


def test_no_answer_is_an_empty_response(rng, tmp_path):
    for kind, name in (("pair", "lss.csv"), ("sliders", "lms.csv")):
        study = study_of(kind)
        rows, _ = rows_of(study, 0, "p0001", rng)
        rows[1][2] = "NA" if kind == "pair" else " NA "
        answers = import_webmushra(study, [write_rows(tmp_path / name, [rows], names=())])
        assert [each.response for each in answers].count(None) == 1


REFUSED = [
    (0, "study_0000000000_l00_p0001", "study must be"),
    (0, "some_test", "session_test_id must be one of this export, got 'some_test'"),
    (1, "l09t000", "trial_id must be one of the study's"),
    (1, "l01t000", "list must be 1, which has l01t000, got '0'"),
    (2, "third", "response must be one of first, same, second"),
    (3, "q00000000000000", "stimuli of l00t000 must be q"),
    (4, "long", "rating_time must be a number"),
]


@pytest.mark.parametrize(("column", "cell", "match"), REFUSED, ids=lambda each: str(each)[:30])
def test_rows_iv(column, cell, match, rng, tmp_path):
    study = study_of("pair")
    rows, _ = rows_of(study, 0, "p0001", rng)
    rows[1][column] = cell
    with pytest.raises(InputError, match=rf"lss\.csv, row 3: {match}"):
        import_webmushra(study, [write_rows(tmp_path / "lss.csv", [rows], names=())])


def test_files_iv(rng, tmp_path):
    study, sliders = study_of("pair"), study_of("sliders")
    (tmp_path / "mushra.csv").write_text(
        "session_test_id,session_uuid,trial_id,rating_stimulus,rating_score,rating_time\n"
    )
    with pytest.raises(
        InputError, match=r"mushra\.csv, row 1: must have the columns session_test_id, \.\.\., trial_id"
    ):
        import_webmushra(study, [tmp_path / "mushra.csv"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: must have folders study_"):
        import_webmushra(study, [tmp_path / "empty"])
    path = write_rows(tmp_path / "lss.csv", [[["a", "b"]]])
    with pytest.raises(InputError, match=r"row 2: must have at least 5 cells, got 2"):
        import_webmushra(study, [path])
    rows, _ = rows_of(study, 0, "p0001", rng, questionnaire=("",))
    with pytest.raises(InputError, match=r"lss\.csv: holds no answer to this study"):
        import_webmushra(study, [write_rows(path, [rows[:1]])])
    rows, _ = rows_of(sliders, 0, "p0001", rng, questionnaire=("",))
    with pytest.raises(InputError, match=r"row 3: l00t000 must have a row for each of its versions"):
        import_webmushra(sliders, [write_rows(path, [[*rows[:4], *rows[5:]]])])


# ---- posts that our server kept --------------------------------------------------------------------------------------


def session_of(rows: list[list[str]]) -> dict:
    """The rows of a session with a code as the page of webMUSHRA posts them (lib/webmushra/datamodel)."""
    trials = []
    for trial_id, group in groupby(rows, key=lambda row: row[-4]):
        own = list(group)
        kind = "likert_multi_stimulus" if len(own) > 1 else "likert_single_stimulus"
        ratings = [rating.strip() if len(own) > 1 else [rating] for *_, rating, _, _ in own]
        said = [
            {"stimulus": row[-2], "stimulusRating": rating, "time": int(row[-1])}
            for row, rating in zip(own, ratings, strict=True)
        ]
        trials.append({"type": kind, "id": trial_id, "responses": said})
    questionnaire = {"name": ["participant_id"], "response": [rows[0][1] or None]}
    return {"testId": rows[0][0], "participant": questionnaire, "trials": trials, "uuid": "1b4e-2a"}


def kept(study, sessions: list[dict], folder: Path) -> Path:
    """What our server gives back of posts, as a file."""
    database = open_database(f"sqlite:///{folder}/study.db")
    settings = ServeSettings(webmushra=True)
    client = client_of(make_service(study, Store(database, len(study.lists)), token=TOKEN, settings=settings))
    for session in sessions:
        body = f"sessionJSON={json.dumps(session, ensure_ascii=False)}".encode()
        assert client.post("/service/write.php", content=body).status_code == 200
    path = folder / "webmushra.jsonl"
    path.write_bytes(client.get(f"/experimenter/{path.name}", headers={"Authorization": f"Bearer {TOKEN}"}).content)
    database.close()
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_posts_come_back_from_our_server_as_from_its_own_tables(kind, rng, tmp_path):
    study, name = study_of(kind), "lms.csv" if kind == "sliders" else "lss.csv"
    sessions: list = []
    wanted: dict = {}
    for number, code, own in ((0, "p0001", "Ann & Bén +1"), (1, "p0002", "ben"), (0, "p0003", "")):
        rows, found = rows_of(study, number, code, rng, questionnaire=(own,))
        wanted |= found
        sessions.append(rows)
    others = [{"testId": "another_test", "trials": "whatever"}]
    answers = import_webmushra(study, [kept(study, [*map(session_of, sessions), *others], tmp_path)])
    assert told(answers) == wanted
    assert import_webmushra(study, [write_rows(tmp_path / name, sessions)]) == answers


POSTS_REFUSED = [
    (lambda session: session.update(testId="STUDY_l00"), "session_test_id must be one of this export, got 'STUDY_l00'"),
    (lambda session: session.update(participant=None), "participant must be an object, got 'None'"),
    (lambda session: session["participant"].update(name=None), "name must be a list"),
    (lambda session: session.update(trials={}), r"trials must be a list, got '\{\}'"),
    (lambda session: session.update(trials=[1]), "a trial must be an object, got '1'"),
    (lambda session: session["trials"][1].pop("id"), "id must be there and not empty"),
    (lambda session: session["trials"][1].update(id="l09t000"), "trial_id must be one of the study's"),
    (lambda session: session["trials"][1].update(responses=None), "responses must be a list"),
    (lambda session: session["trials"][1]["responses"][0].update(stimulus="q0"), "stimuli of l00t000 must be q"),
    (lambda session: session["trials"][1]["responses"][0].update(stimulusRating=["a", "b"]), "must be one text, got"),
    (lambda session: session["trials"][1]["responses"][0].update(stimulusRating=["x"]), "response must be one of"),
    (lambda session: session["trials"][1]["responses"][0].update(time="long"), "rating_time must be a number"),
]


@pytest.mark.parametrize(("change", "match"), POSTS_REFUSED, ids=[match[:30] for _, match in POSTS_REFUSED])
def test_posts_iv(change, match, rng, tmp_path):
    study = study_of("pair")
    session = session_of(rows_of(study, 0, "p0001", rng, questionnaire=("ann",))[0])
    change(session)
    session["testId"] = session["testId"].replace("STUDY", study_id(study))
    match = match.replace("STUDY", study_id(study))
    with pytest.raises(InputError, match=rf"webmushra\.jsonl, line 1.*: .*{match}"):
        import_webmushra(study, [kept(study, [session], tmp_path)])


def test_files_of_posts_iv(rng, tmp_path):
    study = study_of("pair")
    name = study_id(study)
    session = session_of(rows_of(study, 0, "p0001", rng, questionnaire=("ann",))[0])
    other = json.loads(json.dumps(session))
    other["trials"][1]["responses"][0]["time"] = "1"
    path = kept(study, [session, other], tmp_path)
    twice = r"line 2, l00t000: participant 'ann' has answered l00t000 already \(.*webmushra\.jsonl, line 1, l00t000\)"
    with pytest.raises(InputError, match=twice):
        import_webmushra(study, [path])
    line = path.read_text(encoding="utf-8").splitlines()[0]
    for text, match in {
        "": ": holds no answer to this study",
        json.dumps({"at_ms": 1, "body": 'sessionJSON={"testId": "t"}'}): ": holds no answer to this study",
        f"{line}\n{line[:-9]}\n": ", line 2: a line must be JSON",
        json.dumps({"at_ms": 1, "body": "sessionJSON={junk"}): ": holds no answer to this study",
        json.dumps({"at_ms": 1, "body": f'sessionJSON={{"testId": "{name}'}): ", line 1: a post must be JSON",
        f'["{name}"]': r", line 1: a line must be an object, got ",
        json.dumps({"at_ms": 1, "body": name}): ", line 1: body must begin with sessionJSON=, got ",
    }.items():
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=rf"webmushra\.jsonl{match}"):
            import_webmushra(study, [path])
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"webmushra\.jsonl: cannot be read .*not UTF-8"):
        import_webmushra(study, [path])
