"""Configs for webMUSHRA: YAML that its reader takes, pages that its types allow, sounds one after another."""

import re
import wave

import numpy as np
import pytest
import soundfile
from test_study_export_jspsych import told_of_the_key
from test_study_table import KINDS, study_of

from emomod.cli.main import main
from emomod.errors import InputError
from listening_study.exporters.sequences import PAUSE_SECONDS, sequence_name
from listening_study.exporters.simple_yaml import to_yaml
from listening_study.exporters.sound_names import sounds_of
from listening_study.exporters.webmushra import export_webmushra
from listening_study.page_texts import page_texts
from listening_study.table import study_id


def configs_of(folder):
    yaml = pytest.importorskip("yaml")
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((folder / "configs").iterdir())]


@pytest.mark.parametrize("kind", KINDS)
def test_configs_against_the_study(kind, tmp_path):
    study = study_of(kind)
    folder = export_webmushra(study, tmp_path / "out", listeners=3)
    configs = configs_of(folder)
    assert [config["testId"][-9:] for config in configs] == ["l00_p0001", "l01_p0002", "l00_p0003"]
    assert {config["testname"] for config in configs} == {"Listening study"}
    assert told_of_the_key(study, folder) == []
    used: list[str] = []
    for config, trials in zip(configs, [study.lists[0], study.lists[1], study.lists[0]], strict=True):
        pages, code = config["pages"], config["testId"][-5:]
        assert (pages[0]["id"], pages[-1]["type"]) == ("check", "finish")
        assert pages[0]["type"] == "likert_single_stimulus"  # the first that write.php sees
        told = [page for page in pages if page["type"] == "generic"]
        assert len(told) == 2 * len(study.plan.targets)  # practice, and what counts
        assert {page["content"].split(":")[0] for page in told} == {"From now on you are asked"}
        rated = [page for page in pages if "stimuli" in page][1:]
        assert [page["id"] for page in rated] == [trial.trial_id for trial in trials]
        for page, trial in zip(rated, trials, strict=True):
            assert page["type"] == ("likert_multi_stimulus" if kind == "sliders" else "likert_single_stimulus")
            own = sounds_of(study, trial, listener=code)
            whole = kind in ("sliders", "scale")
            assert list(page["stimuli"]) == (list(own) if whole else [sequence_name(study, trial, listener=code)])
            assert len(page["response"]) == {"pair": 3, "abx": 2, "ccr": 7, "scale": 9, "sliders": 11}[kind]
            assert ("Practice" in page["name"]) == (trial.phase == "practice")
            used += page["stimuli"].values()
    assert {path.stem for path in (folder / "configs").iterdir()} == {f"{study_id(study)}_p000{k}" for k in (1, 2, 3)}
    assert sorted(used) == sorted(f"stimuli/{path.name}" for path in (folder / "stimuli").iterdir())  # no name twice


def test_answers_and_questions_in_german(tmp_path):
    """The words of our own page, and what is heard in which order."""
    pages = configs_of(export_webmushra(study_of("ccr", "de"), tmp_path / "out"))[0]["pages"]
    rated = [page for page in pages if "stimuli" in page][1:]
    assert [each["label"] for each in rated[0]["response"]] == page_texts("de")["ccr"]
    assert {page["content"].split(". ")[0] for page in rated} == {"Sie hören nacheinander: A, B"}
    pages = configs_of(export_webmushra(study_of("abx"), tmp_path / "abx"))[0]["pages"]
    asked = "You hear, one after the other: A, B, X. One of A and B is the same as X. Which one?"
    assert {page["content"] for page in pages if "stimuli" in page and page["id"] != "check"} == {asked}


@pytest.mark.parametrize("kind", ["pair", "abx"])
def test_sequences_against_the_delivered_files(kind, tmp_path):
    study = study_of(kind)
    folder = export_webmushra(study, tmp_path / "out")
    sizes = set()
    for trial in study.lists[0]:
        path = folder / "stimuli" / f"{sequence_name(study, trial, listener='p0001')}.wav"
        found, rate = soundfile.read(path, dtype="int16")
        parts = [soundfile.read(study.path(study.stimulus(trial.item, name)), dtype="int16")[0] for name in trial.heard]
        pause = np.zeros(round(PAUSE_SECONDS * rate), dtype=np.int16)
        wanted = [part for each in parts for part in (each, pause)][:-1]
        assert np.array_equal(found, np.concatenate(wanted))
        with wave.open(str(path)) as sound:
            assert sound.getnframes() == found.size
        sizes.add(path.stat().st_size)
    assert len(sizes) == 1


def test_yaml_against_the_rules_of_its_reader(tmp_path):
    study = study_of("ccr", "de")
    folder = export_webmushra(study, tmp_path / "out")
    for path in (folder / "configs").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "Kopfhörer" in text  # letters stand as they are
        assert not re.search(r"\\u", text)
        for line in text.splitlines():
            assert re.fullmatch(
                r' *(-|[A-Za-z_][A-Za-z0-9_]*:|(-|[A-Za-z_]\w*:) ("([^"\\]|\\.)*"|\d+|true|false))', line
            )


def test_yaml_against_a_parser():
    yaml = pytest.importorskip("yaml")
    value = {"a": "0123", "b": [["random", {"c": 'x: "y" # z'}], "2020-01-01"], "d": {"x": True, "n": 2048}, "e": "ü"}
    assert yaml.safe_load(to_yaml(value)) == value


def test_listeners_on_the_command_line(tmp_path, capsys):
    study, out = study_of("scale"), tmp_path / "out"
    words = ["study", "export", str(study.folder), "--out", str(out)]
    assert main([*words, "--to", "csv", "--listeners", "3"]) == 1
    assert "--listeners belongs to --to webmushra, got --to csv" in capsys.readouterr().err
    assert main([*words, "--to", "webmushra", "--listeners", "0"]) == 1
    assert "listeners must be a whole number of at least 1" in capsys.readouterr().err
    assert not out.exists()
    assert main([*words, "--to", "webmushra", "--listeners", "3"]) == 0
    assert len(list((out / "configs").iterdir())) == 3


def test_exports_iv(tmp_path):
    with pytest.raises(InputError, match="listeners must be a whole number of at least 1"):
        export_webmushra(study_of("pair"), tmp_path / "out", listeners=0)
    with pytest.raises(InputError, match="keys must be letters, digits and _, got 'a b'"):
        to_yaml({"a b": 1})
    with pytest.raises(InputError, match="a: must not be empty"):
        to_yaml({"a": []})
    assert not list(tmp_path.iterdir())
