"""The page for jsPsych: what participants receive, and a run of it by jsPsych itself in a browser."""

import json
import re
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from test_study_table import KINDS, study_of

from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from listening_study.conditions import ORIGINAL, VERSIONS
from listening_study.exporters.jspsych import export_jspsych
from listening_study.exporters.sound_names import sounds_of
from listening_study.importers.jspsych import import_jspsych
from listening_study.page_texts import page_texts
from listening_study.questions import question_about
from listening_study.table import study_id

KEEP_JSON = """
export function save(jsPsych, name) { window.told = jsPsych.data.get().json(); download(jsPsych, name); }
"""
SHARED = Path(str(files("listening_study").joinpath("page")))  # what every study's page has
OWN = Path(str(files("listening_study.exporters").joinpath("jspsych_page")))


def received(folder: Path) -> str:
    """All texts of an export, and the names of its files; what is the same for every study can tell nothing of one."""
    same = {path.read_bytes() for root in (SHARED, OWN) for path in root.rglob("*") if path.is_file()}
    names = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    told = [path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".wav"]
    texts = [each.decode("utf-8") for each in told if each not in same]
    return "\n".join([*names, *texts])


def told_of_the_key(study, folder: Path) -> list[str]:
    """Words of the key that an export gives away, the title of the plan among them."""
    names = {
        study.plan.title,
        *VERSIONS,
        ORIGINAL,
        "softer",
        "catch",
        "repeat",
        "phase",
        *SCORE_NAMES,
        *(i.name for i in study.plan.items),
    }
    names |= {condition.name for condition in study.plan.conditions} | {each.sha256 for each in study.stimuli.values()}
    text = received(folder)
    for each in page_texts(study.plan.language)["consent"]:  # "disadvantage"
        text = text.replace(each, "")
    asks = study.plan.trial_type != "abx"  # where no attribute is asked about, nothing may name one
    for attribute in (*SCORE_NAMES, "loudness") if asks else ():
        about = question_about(attribute, language=study.plan.language)
        for shown in (about.explained, about.pair, about.scale, about.low, about.high):  # questions may name them
            text = text.replace(shown, "").replace(shown.replace("'", "&#x27;"), "")
    return sorted(name for name in names if name in text)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_tells_nothing_of_the_key(kind, tmp_path):
    study = study_of(kind)
    folder = export_jspsych(study, tmp_path / "page")
    assert told_of_the_key(study, folder) == []
    assert not list(folder.rglob("private"))


@pytest.mark.parametrize("language", ["en", "de"])
def test_lists_against_the_study(language, tmp_path):
    study = study_of("pair", language)
    folder = export_jspsych(study, tmp_path / "page")
    about = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    assert (about["study"], about["lists"], about["language"]) == (study_id(study), 2, language)
    assert about["texts"] == page_texts(language)
    for number, trials in enumerate(study.lists):
        screens = json.loads((folder / "lists" / f"{number:02d}.json").read_text(encoding="utf-8"))
        assert [each["trial_id"] for each in screens] == [trial.trial_id for trial in trials]
        assert [tuple(each["sounds"]) for each in screens] == [sounds_of(study, trial) for trial in trials]
        asked = [question_about(trial.attribute, language=language) for trial in trials]
        assert [each["question"] for each in screens] == [about.pair for about in asked]
        assert [each["explained"] for each in screens] == [about.explained for about in asked]
        begins = [trial.attribute for trial, each in zip(trials, screens, strict=True) if each["begins"]]
        assert sorted(begins) == sorted(2 * study.plan.targets)  # practice and what counts of each pass; no catch trial


def test_an_abx_is_asked_as_the_page_asks_it(tmp_path):
    folder = export_jspsych(study_of("abx", "de"), tmp_path / "page")
    screens = json.loads((folder / "lists" / "00.json").read_text(encoding="utf-8"))
    assert {(each["question"], each["explained"]) for each in screens} == {(page_texts("de")["abx_question"], "")}


def test_the_page_has_copies_of_our_own_and_all_that_they_import(tmp_path):
    folder = export_jspsych(study_of("pair"), tmp_path / "page")
    for path in (folder / "page").rglob("*.*"):
        assert path.read_bytes() == (SHARED / path.relative_to(folder / "page")).read_bytes()
    scripts = [path for path in folder.rglob("*.js") if path.parent.name != "jspsych"]
    imported = {
        (path.parent / name).resolve()
        for path in scripts
        for name in re.findall(r'^import .* from "(.*)";$', path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert imported | {folder / "study.js"} == set(scripts)


def test_sounds_against_the_delivered_files(tmp_path):
    study = study_of("abx")
    folder = export_jspsych(study, tmp_path / "page")
    heard = [name for trial in study.lists[0] for name in sounds_of(study, trial)]
    assert len(set(heard)) == len(heard)  # no name comes twice, not that of the original or of X
    for trial in study.lists[0]:
        names = sounds_of(study, trial)
        for name, condition in zip(names, trial.heard, strict=True):
            stimulus = study.stimulus(trial.item, condition)
            assert name not in study.stimuli
            assert (folder / "stimuli" / f"{name}.wav").read_bytes() == study.path(stimulus).read_bytes()


def test_exports_are_whole_or_not_there_iv(tmp_path):
    study = study_of("pair")
    with pytest.raises(InputError, match=r"jspsych: .* must be the npm package jspsych 8; it has no dist/index"):
        export_jspsych(study, tmp_path / "page", jspsych=tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        export_jspsych(study, tmp_path / "taken")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine.txt", "taken"]


def run_page(browser, folder: Path, number: int, out: Path) -> str:
    """Run a list of the page with answers drawn by chance, keep them as CSV and JSON; what the CSV was named."""

    def serve(route) -> None:
        name = urlsplit(route.request.url).path.lstrip("/")
        if name == "save.js":
            body = (folder / name).read_text(encoding="utf-8").replace("export function save", "function download")
            route.fulfill(body=body + KEEP_JSON, content_type="text/javascript")
        else:
            route.fulfill(path=folder / name)

    page = browser.new_page()
    page.route("http://localhost/**", serve)
    with page.expect_download() as download:
        page.goto(f"http://localhost/index.html?list={number}&participant=p{number}&simulate")
    download.value.save_as(out.with_suffix(".csv"))
    out.with_suffix(".json").write_text(page.evaluate("told"), encoding="utf-8")
    page.close()
    return str(download.value.suggested_filename)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_against_jspsych(kind, tmp_path, tool_folder, browser):
    """jsPsych runs the page with answers drawn by chance; what it writes comes back as CSV and as JSON."""
    study = study_of(kind)
    folder = export_jspsych(study, tmp_path / "page", jspsych=tool_folder("jspsych") / "node_modules" / "jspsych")
    for number in range(2):
        named = run_page(browser, folder, number, tmp_path / f"run{number}")
        assert named == f"{study_id(study)}_p{number}.csv"
    for path in sorted(tmp_path.glob("run*.*")):
        with pytest.raises(InputError, match=rf"{path.name}, .* simulated must be false: .* drawn by chance"):
            import_jspsych(study, [path])
        text = path.read_text(encoding="utf-8").replace('"simulated":true', '"simulated":false')
        path.write_text(text.replace('"true"', '"false"'), encoding="utf-8")
    by_csv, by_json = (
        import_jspsych(study, [tmp_path / f"run0.{suffix}", tmp_path / f"run1.{suffix}"]) for suffix in ("csv", "json")
    )
    assert by_csv == by_json
    per_trial = 4 if kind == "sliders" else 1
    assert len(by_csv) == per_trial * sum(map(len, study.lists))
    assert {each.participant for each in by_csv} == {"p0", "p1"}
    assert by_csv[0].software_version.startswith("jsPsych 8.")
    records = json.loads((tmp_path / "run0.json").read_text())
    given = {each["trial_id"]: each["response"] for each in records if each["trial_type"] == "emomod-compare"}
    from test_study_table import told, truth

    wanted = {
        ("p0", trial.trial_id, condition): response
        for trial in study.lists[0]
        for condition, response in truth(trial, given[trial.trial_id]).items()
    }
    assert {key: value for key, value in told(by_csv).items() if key[0] == "p0"} == wanted
