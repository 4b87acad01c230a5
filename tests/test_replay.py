"""A run is made once more from its run.json: the same comes out, and what is not the same is found."""

import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import soundfile
from fakes import sound_file, tiny_checkpoint

from emomod import pipeline
from emomod.attribution.lime import LimeSettings
from emomod.attribution.methods import METHODS, name_of
from emomod.cli.main import main
from emomod.data import demo_clip
from emomod.errors import InputError
from emomod.model.load import load_model
from emomod.model.other import Model
from emomod.model.predictor import load_predictor
from emomod.pipeline import ModifySettings, RunSettings, run
from emomod.replay import _settings, replay
from emomod.stages import Event, Stages

SETTINGS = RunSettings(
    components="grid:columns=4,rows=2",
    method=LimeSettings(n_perturbations=64, n_held_out=16, seed=3, off="-9dB"),
    modify=ModifySettings(gain_db=4.0, rule="top:4", sides="both", bits=16, n_controls=4, seed=5),
    start=0.25,
)


@pytest.fixture(autouse=True, scope="module")
def without_report():
    """Leave the page out, which takes most of the time of a small run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "write_report", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a clip, a checkpoint and a run."""
    folder = tmp_path_factory.mktemp("made")
    clip = sound_file(folder, seconds=2.5)
    predictor = load_predictor(tiny_checkpoint(folder / "t.safetensors"), device="cpu")
    run(clip, target="fear", out=folder / "out", settings=SETTINGS, predictor=predictor)
    return folder


@pytest.fixture
def copied(made, tmp_path):
    """A copy of the run that may be changed; its clip and checkpoint stay where they are."""
    shutil.copytree(made / "out", tmp_path / "out")
    return tmp_path / "out"


def changed_record(folder, change):
    """Change the record of a run; return its path."""
    path = folder / "run.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    return path


def test_replay_against_itself_the_same_to_the_bit(made, capsys):
    before = sorted(made.rglob("*"))
    assert main(["replay", str(made / "out" / "run.json")]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("Identical to the bit: ")
    assert " figures and 5 sounds are the same as then." in printed.out
    assert "not the same as then" not in printed.out
    assert printed.out.count("identical") == 17  # every kind of figures and every sound
    assert "emomod: explaining" in printed.err
    assert sorted(made.rglob("*")) == before


def test_replay_against_the_record_everything_is_made_as_then(made, tmp_path):
    found = replay(made / "out", out=tmp_path / "again")
    then, now = (json.loads((folder / "run.json").read_text()) for folder in (made / "out", tmp_path / "again"))
    assert then.pop("seconds").keys() == now.pop("seconds").keys()
    assert then == now
    assert then["settings"]["method"]["seed"] == 3
    assert (found.differences.verdict, found.changed, found.out) == ("identical", {}, tmp_path / "again")
    assert json.loads(json.dumps(found.as_dict()))["verdict"] == "identical"


def test_replay_against_the_design_json_on_standard_output(made, capsys):
    assert main(["replay", str(made / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["not_compared"], found["changed"], found["out"]) == ("identical", [], {}, None)
    assert {figures["what"] for figures in found["figures"]} >= {"scores", "shifts", "component weights"}
    assert [sound["what"] for sound in found["sounds"]][:2] == ["original.wav", "enhanced.wav"]


@pytest.mark.parametrize("engine", ["network", "torch"])
def test_replay_against_the_record_the_engine_is_that_of_then(made, copied, tmp_path, engine):
    replay(changed_record(copied, lambda told: told["model"].update(engine=engine)), out=tmp_path / "again")
    assert json.loads((tmp_path / "again" / "run.json").read_text())["model"]["engine"] == engine


def test_replay_against_the_design_an_engine_that_is_not_here_is_told(made, copied):
    record = changed_record(copied, lambda told: told["model"].update(engine="tf32"))
    found = replay(record, device="cpu")
    assert found.changed["engine"][0] == "tf32"
    assert found.reproduced


def test_replay_against_the_design_versions_that_differ_are_listed(copied, capsys):
    changed_record(copied, lambda told: told["versions"].update(scipy="1.0", ncnn="not installed"))
    assert main(["replay", str(copied)]) == 0
    told = capsys.readouterr().out.partition("not the same as then:\n")[2].splitlines()
    assert [line.split(":")[0].strip() for line in told] == ["scipy", "ncnn"]
    assert told[0].startswith("  scipy: 1.0, now ")


@pytest.mark.parametrize(
    ("change", "beyond"),
    [
        (lambda told: told["settings"]["method"].update(seed=4), {"component weights", "fit of the explanation"}),
        (lambda told: told["settings"]["modify"].update(gain_db=5.0), {"shifts", "enhanced.wav", "weakened.wav"}),
        (lambda told: told["settings"]["modify"].update(seed=6), {"shifts of random changes"}),
        (lambda told: told["settings"].update(start=0.5), {"scores", "component weights", "original.wav"}),
        (lambda told: told["settings"].update(components="grid:columns=2,rows=2"), {"numbers of components"}),
        (lambda told: told["predictions"]["before"]["emotion"].update(fear=0.5), {"scores"}),
        (lambda told: told["predictions"]["before"]["emotion"].pop("fear"), {"scores"}),
    ],
)
def test_replay_against_itself_another_job_is_different(copied, capsys, change, beyond):
    changed_record(copied, change)
    assert main(["replay", str(copied), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "different"
    different = {each["what"] for each in found["figures"] + found["sounds"] if each["verdict"] == "different"}
    assert different >= beyond
    assert found["sentence"].startswith("Different: ")


def test_replay_against_the_design_a_sound_that_was_changed_is_found(copied, capsys):
    y, rate = soundfile.read(copied / "enhanced.wav")
    soundfile.write(copied / "enhanced.wav", y + 0.01 * np.sin(np.arange(y.size)), rate, subtype="PCM_16")
    assert main(["replay", str(copied)]) == 1
    printed = capsys.readouterr().out
    assert "these differ beyond tolerance. enhanced.wav: SNR " in printed


def test_replay_against_the_design_what_is_not_there_is_not_compared(copied):
    for name in ("explanation.npz", "positive.wav"):
        (copied / name).unlink()
    found = replay(copied)
    assert found.differences.missing == ("explanation.npz", "positive.wav")
    assert found.differences.verdict == "identical"
    assert "not compared, since they are not beside run.json: explanation.npz, positive.wav" in found.as_text()


def test_replay_against_the_design_clip_and_model_that_were_moved(made, copied, tmp_path):
    shutil.copy(made / "clip.wav", tmp_path / "moved.wav")
    shutil.copy(made / "t.safetensors", tmp_path / "moved.safetensors")
    gone = str(tmp_path / "gone")
    record = changed_record(copied, lambda told: (told.update(clip=gone), told["model"].update(origin=gone)))
    with pytest.raises(InputError, match=f"clip: {gone} is not there; say with --clip"):
        replay(record)
    found = replay(record, clip=tmp_path / "moved.wav", model=tmp_path / "moved.safetensors")
    assert found.differences.verdict == "identical"


def test_replay_against_the_design_the_bundled_clip_is_found_wherever_it_is(tmp_path):
    predictor = load_predictor(tiny_checkpoint(tmp_path / "t.safetensors"), device="cpu")
    run(demo_clip(), target="fear", out=tmp_path / "out", settings=SETTINGS, predictor=predictor)
    record = changed_record(tmp_path / "out", lambda told: told.update(clip="/elsewhere/demo.flac"))
    assert replay(record).reproduced


def named(told):
    told["components"]["kinds"] = [{"own": "my_stems"}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (named, "cannot be replayed, since the sound was cut by a function of Python: my_stems"),
        (lambda told: told["model"].pop("origin"), "model must be that of then, .* but the one that ships has"),
        (lambda told: (told["model"].pop("origin"), told["model"].pop("engine")), "was made in Python and has no name"),
        (
            lambda told: told.update(clip_sha256="0" * 64),
            r"clip must be the file of then, with SHA-256 000000000000\.\.\.",
        ),
        (lambda told: told["model"].update(sha256="0" * 64), r"model must be that of then, .* 000000000000\.\.\."),
        (
            lambda told: told["settings"]["method"].update(warmth=1),
            "settings that this version of emomod does not have",
        ),
        (lambda told: told["settings"]["method"].update(name="guess"), "method must be one of lime"),
        (lambda told: told["settings"]["modify"].update(bits=7), "bits must be one of"),
        (lambda told: told.pop("settings"), "is no run.json of emomod run"),
        (lambda told: told.update(components=None), "is no run.json of emomod run"),
        (lambda told: told.update(clip=5), r"\(clip must be a text, got 5\)"),
        (lambda told: told.update(clip_sha256=None), r"\(clip_sha256 must be a text, got None\)"),
        (lambda told: told.update(rule="guess"), "rule must look like"),
        (lambda told: told.update(controls=5), r"\(controls must be an object, got 5\)"),
        (lambda told: told["components"].update(kinds=5), r"\(components / kinds must be a list, got 5\)"),
        (lambda told: told["components"].update(kinds=[5]), r"\(components / kinds must be a list of objects\)"),
        (lambda told: told["components"].update(kinds=[{"own": [5]}]), r"a function of Python: \[5\]"),
        (lambda told: told["settings"].update(start=True), r"\(settings / start must be a number, got True\)"),
        (lambda told: told["settings"].update(components=[5]), r"\(settings / components must be a text, got \[5\]\)"),
        (lambda told: told["settings"]["method"].update(name=[]), r"\(settings / method / name must be a text"),
        (lambda told: told["settings"]["method"].update(off=5), "off"),
        (lambda told: told["settings"]["method"].update(seed="x"), "seed of lime must be a whole number, got 'x'"),
        (lambda told: told["settings"]["modify"].update(rule=5), "rule must look like"),
        (lambda told: told["settings"]["modify"].update(gain_db=[]), "gain_db of modify must be a number"),
        (lambda told: told["settings"]["modify"].update(n_controls=2.5), "n_controls of modify must be a whole number"),
        (lambda told: told["model"].update(origin=5), r"\(model / origin must be a text, got 5\)"),
        (lambda told: told["model"].update(device=5), r"\(model / device must be a text, got 5\)"),
        (lambda told: told.update(versions=[5]), r"\(versions must be an object, got \[5\]\)"),
        (lambda told: told.update(model=5), r"\(model must be an object, got 5\)"),
    ],
)
def test_replay_iv_is_one_line_before_anything_is_computed(copied, capsys, change, message):
    record = changed_record(copied, change)
    told: list[Event] = []
    with pytest.raises(InputError, match=message):
        replay(record, stages=Stages(told.append))
    assert not told
    assert main(["replay", str(record)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_replay_iv_files(made, tmp_path):
    with pytest.raises(InputError, match=r"nothing\.json"):
        replay(tmp_path / "nothing.json")
    (tmp_path / "run.json").write_text("[1]")
    with pytest.raises(InputError, match="must be a JSON object"):
        replay(tmp_path)
    with pytest.raises(InputError, match=r"run\.json lies in it"):
        replay(made / "out", out=made / "out")


def test_replay_of_a_model_of_somebody_elses(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom emomod.model.other import Model\n"
        "def loud(waveforms):\n    return np.stack([abs(waveforms).mean(axis=1), waveforms.std(axis=1)], axis=1)\n"
        "model = Model(loud, names=('loud', 'wide'), window_seconds=2.0, scale=(-1.0, 3.0))\n"
    )
    clip, origin = sound_file(tmp_path, seconds=2.5), f"{tmp_path / 'mine.py'}:model"
    run(clip, target="loud", out=tmp_path / "out", settings=SETTINGS, predictor=load_model(origin))
    found = replay(tmp_path / "out", model=origin)
    assert found.differences.verdict == "identical"
    scores = next(each for each in found.differences.figures if each.what == "scores")
    assert scores.tolerance == pytest.approx(4e-5)  # of a scale that is four times as wide
    (tmp_path / "mine.py").write_text((tmp_path / "mine.py").read_text() + "# changed\n")
    with pytest.raises(InputError, match="model must be that of then"):
        replay(tmp_path / "out", model=origin)


@pytest.mark.parametrize("origin", ["{}/evil.py:model", "{}/evil.py:x.ONNX", "evil:model", "evil:x.ONNX", "a\nb"])
def test_replay_iv_a_program_that_a_record_names_is_not_run(copied, tmp_path, monkeypatch, capsys, origin):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "evil.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    origin = origin.format(tmp_path)
    changed_record(copied, lambda told: (told["model"].pop("engine"), told["model"].update(origin=origin)))
    assert main(["replay", str(copied)]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "names a program, " in printed
    assert printed.endswith("name it yourself with --model\n")
    assert not (tmp_path / "ran").exists()


def test_replay_iv_a_record_of_a_checkpoint_names_no_program(copied, tmp_path):
    (tmp_path / "evil.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    changed_record(copied, lambda told: told["model"].update(origin=f"{tmp_path}/evil.py:model"))
    with pytest.raises(InputError, match=r"evil\.py"):
        replay(copied)
    assert not (tmp_path / "ran").exists()


def test_replay_against_the_design_a_record_cannot_widen_what_counts_as_equal(copied, capsys):
    def change(told):
        told["model"]["scale"] = [-1e308, 1e308]
        told["predictions"]["before"]["emotion"]["fear"] += 0.01
        told["controls"]["enhanced"]["count"]["n"] = 0
        told["shifts"]["\x1b[31m"] = 1.0

    changed_record(copied, change)
    assert main(["replay", str(copied)]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("Different: ")
    assert "scores: 0.01" in printed
    assert "\x1b" not in printed


def test_replay_against_the_design_the_device_is_that_of_then(copied, monkeypatch):
    """Where there is a GPU, what ran on the CPU does so again."""
    record = changed_record(copied, lambda told: told["model"].update(engine="torch"))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    found = replay(record)
    assert found.reproduced
    assert found.changed == {}


def test_replay_against_the_design_a_device_that_is_not_here_is_told(copied, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    record = changed_record(copied, lambda told: told["model"].update(engine="torch", device="cuda"))
    assert replay(record).changed == {"device": ("cuda", "cpu")}
    record = changed_record(copied, lambda told: told["model"].pop("device"))
    assert replay(record).changed == {}  # of an earlier version, which did not tell it


def test_replay_iv_a_model_that_was_made_in_python(tmp_path):
    model = Model(lambda waveforms: abs(waveforms).mean(axis=1, keepdims=True), names=("loud",), window_seconds=2.0)
    run(sound_file(tmp_path, seconds=2.5), target="loud", out=tmp_path / "out", settings=SETTINGS, predictor=model)
    with pytest.raises(InputError, match="was made in Python and has no name"):
        replay(tmp_path / "out")


@pytest.mark.parametrize("name", METHODS)
def test_settings_against_the_record_every_method_comes_back(tmp_path, name):
    settings = METHODS[name].settings(off="-9dB", n_held_out=7)
    told = {"start": 1.5, "components": "time x octaves", "method": {"name": name_of(settings), **asdict(settings)}}
    told["modify"] = asdict(SETTINGS.modify)
    found = _settings(tmp_path / "run.json", json.loads(json.dumps(told)))
    assert found == replace(SETTINGS, start=1.5, components="time x octaves", method=settings)
