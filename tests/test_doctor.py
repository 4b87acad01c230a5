"""A diagnosis of this machine, and of machines on which one thing after another is missing."""

import json
import shutil
import sys
from importlib import import_module

import pytest

from emomod import doctor
from emomod.doctor import diagnose
from emomod.finding import Diagnosis, Finding

MACHINE = ["gpu", "browser", "disk", "temporary folder", "shared memory"]
PARTS = ["python", "emomod", "torch", "device", *doctor.LIBRARIES, "soundfile", "checkpoint", "torchaudio"]


def finding(diagnosis: Diagnosis, name: str) -> Finding:
    return next(found for found in diagnosis.findings if found.name == name)


@pytest.fixture
def no_checkpoint(monkeypatch):
    """Leave the weights out, which take time to load."""
    monkeypatch.setattr(doctor, "_checkpoint", lambda path: Finding("checkpoint", "ok", str(path)))


def test_this_machine_has_every_part_in_the_diagnosis():
    diagnosis = diagnose()
    assert [found.name for found in diagnosis.findings] == [
        *PARTS,
        *doctor.EXTRAS,
        "fluidsynth",
        "soundfont",
        *MACHINE,
    ]
    assert not [found for found in diagnosis.findings if found.state == "problem"]
    assert finding(diagnosis, "soundfile").detail.endswith("reads mp3")
    assert "sha256 " in finding(diagnosis, "checkpoint").detail
    assert json.loads(json.dumps(diagnosis.as_dict()))["healthy"] is True


@pytest.mark.parametrize("library", ["numpy", "skimage", "safetensors", "soundfile", "torch", "matplotlib"])
def test_a_library_that_is_missing_is_a_problem_with_the_command_that_cures_it(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    diagnosis = diagnose()
    found = finding(diagnosis, {"skimage": "scikit-image"}.get(library, library))
    assert not diagnosis.healthy
    assert found.state == "problem"
    assert found.cure is not None
    assert found.cure.endswith(f"-m pip install {found.name}")


@pytest.mark.usefixtures("no_checkpoint")
@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [
        ("torchaudio", "torchaudio", "separation"),
        ("mido", "mido", "train"),
        ("partitura", "partitura", "train"),
        ("python_calamine", "python-calamine", "train"),
        ("yaml", "pyyaml", "train"),
        ("dask", "dask", "batch"),
        ("distributed", "distributed", "batch"),
        ("pyarrow", "pyarrow", "batch"),
        ("bokeh", "bokeh", "batch"),
    ],
)
def test_an_optional_library_that_is_missing_is_no_problem(monkeypatch, module, name, extra):
    monkeypatch.setitem(sys.modules, module, None)
    diagnosis = diagnose()
    assert diagnosis.healthy
    assert finding(diagnosis, name).state == "missing"
    assert f'"emomod[{extra}]"' in str(finding(diagnosis, name).cure)


@pytest.mark.usefixtures("no_checkpoint")
def test_an_optional_library_that_is_broken_is_no_problem(monkeypatch):
    def broken(name):
        if name == "partitura":
            raise ImportError("a part of it is missing")
        return import_module(name)

    monkeypatch.setattr(doctor, "import_module", broken)
    diagnosis = diagnose()
    found = finding(diagnosis, "partitura")
    assert diagnosis.healthy
    assert (found.state, found.detail) == ("missing", "cannot be used (ImportError: a part of it is missing)")
    assert str(found.cure).endswith("--force-reinstall partitura")


@pytest.mark.usefixtures("no_checkpoint")
@pytest.mark.parametrize(("system", "cure"), [("linux", "apt-get install fluidsynth"), ("darwin", "brew install")])
def test_a_missing_synthesiser_is_cured_as_the_system_does_it(monkeypatch, system, cure):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    monkeypatch.setattr(sys, "platform", system)
    diagnosis = diagnose()
    assert diagnosis.healthy
    assert finding(diagnosis, "fluidsynth").state == "missing"
    assert cure in str(finding(diagnosis, "fluidsynth").cure)


@pytest.mark.usefixtures("no_checkpoint")
def test_a_library_that_is_broken_does_not_end_the_diagnosis(monkeypatch):
    def broken(name):
        if name in ("scipy", "torch"):
            raise OSError("undefined symbol:\n  PyInit")
        return import_module(name)

    monkeypatch.setattr(doctor, "import_module", broken)
    diagnosis = diagnose()
    assert finding(diagnosis, "scipy").detail == "cannot be used (OSError: undefined symbol: PyInit)"
    assert str(finding(diagnosis, "scipy").cure).endswith("--force-reinstall scipy")
    assert finding(diagnosis, "device").state == "info"
    assert not diagnosis.healthy


def test_a_checkpoint_that_cannot_be_loaded_is_a_problem(tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(b"text")
    found = finding(diagnose(tmp_path / "mine.safetensors"), "checkpoint")
    assert found.state == "problem"
    assert "mine.safetensors: is not a safetensors file" in found.detail
    assert found.cure == doctor.OTHER_CHECKPOINT


@pytest.mark.usefixtures("no_checkpoint")
def test_an_old_python_is_a_problem(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 2))
    found = finding(diagnose(), "python")
    assert (found.state, found.cure) == ("problem", "install Python 3.11 or newer, then: make setup")


def test_text_is_aligned_and_a_cure_has_its_own_line():
    diagnosis = Diagnosis((Finding("torch", "ok", "2.6"), Finding("mido", "missing", "optional", "pip install mido")))
    assert diagnosis.as_text().split("\n") == [
        "ok       torch  2.6",
        "missing  mido   optional",
        "                cure: pip install mido",
    ]


@pytest.mark.usefixtures("no_checkpoint")
def test_a_program_that_does_not_run_is_no_problem(monkeypatch, tmp_path):
    program = tmp_path / "fluidsynth"
    program.write_text("no program")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    found = finding(diagnose(), "fluidsynth")
    assert found.state == "missing"
    assert f"{program} does not run (" in found.detail


@pytest.mark.usefixtures("no_checkpoint")
@pytest.mark.parametrize(
    ("printed", "told"), [("FluidSynth runtime version 2.3.4", "2.3.4"), ("", "")], ids=["version", "nothing"]
)
def test_the_version_of_the_synthesiser_is_what_it_prints(monkeypatch, tmp_path, printed, told):
    program = tmp_path / "fluidsynth"
    program.write_text(f"#!/bin/sh\necho '{printed}'\necho 'Copyright 2000'\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    found = finding(diagnose(), "fluidsynth")
    assert (found.name, found.state) == ("fluidsynth", "ok")
    assert found.detail == f"{told or program}, to render the training corpus"


@pytest.mark.usefixtures("no_checkpoint")
@pytest.mark.parametrize(
    ("state", "told", "words"),
    [("absent", "missing", "optional"), ("native", "ok", "for sources"), ("rebuilt", "ok", "is left out")],
)
def test_torchaudio_is_optional_in_every_state(monkeypatch, state, told, words):
    monkeypatch.setattr(doctor, "torchaudio_state", lambda: state)
    monkeypatch.setattr(doctor, "version", lambda name: "2.6")
    found = finding(diagnose(), "torchaudio")
    assert found.state == told
    assert words in found.detail


@pytest.mark.usefixtures("no_checkpoint")
def test_a_torchaudio_that_breaks_is_cured_with_torch(monkeypatch):
    def broken():
        raise RuntimeError("undefined symbol")

    monkeypatch.setattr(doctor, "torchaudio_state", broken)
    found = finding(diagnose(), "torchaudio")
    assert (found.name, found.state) == ("torchaudio", "missing")
    assert found.cure is not None
    assert found.cure.endswith("--force-reinstall torch torchaudio")


@pytest.mark.usefixtures("no_checkpoint")
def test_a_soundfile_that_cannot_read_mp3_is_said(monkeypatch):
    monkeypatch.setattr("soundfile.available_formats", lambda: {"WAV": "wav"})
    found = finding(diagnose(), "soundfile")
    assert found.state == "missing"
    assert found.detail.endswith("which cannot read mp3")


def test_the_figures_of_a_checkpoint_are_told():
    assert doctor._figures({"mean_test_r": 0.81234, "test_r": {"fear": 0.5}}) == "mean test r 0.812"
    assert doctor._figures({"test_r": {}}) == doctor._figures(None) == ""


@pytest.mark.parametrize(
    ("states", "healthy"), [(("ok", "info", "missing"), True), (("ok", "problem"), False), ((), True)]
)
def test_only_problems_make_a_diagnosis_unhealthy(states, healthy):
    diagnosis = Diagnosis(tuple(Finding("x", state, "") for state in states))
    assert diagnosis.healthy is healthy
    assert [found["state"] for found in diagnosis.as_dict()["findings"]] == list(states)
