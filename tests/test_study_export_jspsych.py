"""The page for jsPsych: what participants receive, and a run of it by jsPsych itself.

EMOMOD_NODE_MODULES names a folder node_modules with jspsych (8) and jsdom; without it that run is skipped.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from test_study_table import KINDS, study_of

from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from listening_study.conditions import ORIGINAL, VERSIONS
from listening_study.exporters.jspsych import export_jspsych
from listening_study.exporters.presented import sounds_of
from listening_study.importers.jspsych import import_jspsych
from listening_study.questions import question_about

MODULES = Path(os.environ.get("EMOMOD_NODE_MODULES", "/nonexistent"))
HARNESS = """
const fs = require("fs"), path = require("path");
const [page, modules, list, participant, out] = process.argv.slice(2);
const { JSDOM } = require(path.join(modules, "jsdom"));
const address = `http://localhost/index.html?list=${list}&participant=${participant}&simulate=data-only`;
const dom = new JSDOM("<!doctype html><html><body></body></html>", { runScripts: "outside-only", url: address });
const { window } = dom;
window.fetch = async (name) => ({ ok: fs.existsSync(path.join(page, name)), status: 404,
  json: async () => JSON.parse(fs.readFileSync(path.join(page, name), "utf8")) });
window.EMOMOD_WAIT = true;
const scripts = ["jspsych/index.browser.min.js", "emomod-player.js", "emomod-page.js", "emomod-compare.js", "study.js"];
window.eval(scripts.map((name) => fs.readFileSync(path.join(page, name), "utf8")).join("\\n")
  + "\\nwindow.emomodSave = function () {}; window.emomodMain = emomodMain;");
window.emomodMain(window.location.search).then((js) => {
  fs.writeFileSync(out + ".csv", js.data.get().csv());
  fs.writeFileSync(out + ".json", js.data.get().json());
  process.exit(0);
}).catch((error) => { console.error(error); process.exit(1); });
"""


def received(folder: Path) -> str:
    """All texts of an export, and the names of its files."""
    names = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file() and path.suffix != ".wav"]
    return "\n".join([*names, *texts])


def told_of_the_key(study, folder: Path) -> list[str]:
    """Words of the key that an export gives away."""
    names = {
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
    text = received(folder).replace(".catch(", "").replace("catch (error)", "")
    names.add("catch")
    for attribute in (*SCORE_NAMES, "loudness"):
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
    assert json.loads((folder / "lists" / "count.json").read_text()) == {"lists": 2}
    for number, trials in enumerate(study.lists):
        told = json.loads((folder / "lists" / f"{number:02d}.json").read_text(encoding="utf-8"))
        assert told["language"] == language
        assert [each["trial_id"] for each in told["trials"]] == [trial.trial_id for trial in trials]
        assert [tuple(each["sounds"]) for each in told["trials"]] == [sounds_of(study, trial) for trial in trials]
        asked = [question_about(trial.attribute, language=language).pair for trial in trials]
        assert [each["question"] for each in told["trials"]] == asked
        explained = [each["explained"] for each in told["trials"] if each["explained"]]
        assert len(explained) == len(study.plan.targets)  # before each pass, not before a catch trial


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


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(not (MODULES / "jspsych").is_dir(), reason="EMOMOD_NODE_MODULES names no folder with jspsych")
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_against_jspsych(kind, tmp_path):
    """jsPsych runs the page with answers drawn by chance; what it writes comes back as CSV and as JSON."""
    study = study_of(kind)
    folder = export_jspsych(study, tmp_path / "page", jspsych=MODULES / "jspsych")
    (tmp_path / "harness.cjs").write_text(HARNESS)
    command = ["node", str(tmp_path / "harness.cjs"), str(folder), str(MODULES)]
    for number in range(2):
        arguments = [str(number), f"p{number}", str(tmp_path / f"run{number}")]
        subprocess.run(command + arguments, check=True, capture_output=True, text=True, timeout=60)
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
