"""A whole evaluation: its clips, its experiments, its tables, its summary, and going on after a stop."""

import csv
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from fakes import grid_components, sound_file, tiny_checkpoint, tones

from emomod.attribution.lime import LimeSettings
from emomod.audio import SAMPLE_RATE
from emomod.bootstrap import wilson_interval
from emomod.cli.main import main
from emomod.components.layered import layered
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.model.predictor import load_predictor
from evaluation import command, options, random_labels
from evaluation.cases import Case, file_cases, rendered_cases, settings_of_cases
from evaluation.confounder import ConfounderSettings
from evaluation.experiments import EXPERIMENTS
from evaluation.job import Job
from evaluation.kinds import ORACLE
from evaluation.methods import GridSettings
from evaluation.plots import draw_all
from evaluation.preset import PRESETS, Preset, preset_of
from evaluation.sections import sections_of
from evaluation.steering import SteeringSettings
from evaluation.store import Store
from evaluation.summary import mean_with_interval, smallest_counts, summarise
from evaluation.sweep import SweepSettings

pytestmark = pytest.mark.filterwarnings("ignore::emomod.undefined.UndefinedWarning")  # a tiny network is often 0
TINY = Preset(
    n_clips=2, n_stability=2, counts=(32, 64), reference=128, n_repeats=2,
    n_carriers=1, n_large=1, n_pairs=1, n_sanity=1,
    sweep=SweepSettings(gains_db=(-6.0, 6.0), n_controls=3),
    confounder=ConfounderSettings(
        n_training=32, n_bad=4, seconds=2.0, synthesiser="numpy", epochs=1, n_segments=2,
        lime=LimeSettings(n_perturbations=64, n_held_out=16, off="silence"),
    ),
    lime=LimeSettings(n_perturbations=64, n_held_out=16), rule="top:4",
    lime_of_parts=LimeSettings(n_perturbations=64, n_held_out=16, off="silence"),
    grid=GridSettings(
        ("grid", "hpss"), ("lime", "occlusion", "gradient"), ("lime", "occlusion"), n_clips=2, n_carriers=1, n_bad=2,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("evaluation") / "tiny.safetensors")


@pytest.fixture(scope="module")
def cases():
    return [Case(name, f"song {name}", tones(1.0), grid_components()) for name in ("a", "b")]


@pytest.fixture
def job(checkpoint, cases, tmp_path):
    corpus = replace(settings_of_cases("numpy"), seconds=2.0)
    store = Store(tmp_path / "out", {"preset": "tiny"})
    return Job(load_predictor(checkpoint, device="cpu"), cases, corpus, TINY, store, lambda line: None)


def test_steering_against_itself_takes_the_given_clips_and_as_many_rendered_ones_as_it_is_told(job, monkeypatch):
    monkeypatch.setattr(
        "evaluation.steering.SteeredClip.rows", lambda clip: [{"n": clip.y.size, "turn": clip.turn, "off": clip.off}]
    )
    lime = LimeSettings(n_perturbations=512, n_held_out=16)
    job = replace(job, preset=replace(job.preset, steering=SteeringSettings(n_rendered=1), lime=lime))
    rows = EXPERIMENTS["steering"](job)
    assert [row["clip"] for row in rows] == ["a", "b", "rendered 000"]
    assert [row["n"] for row in rows[:2]] == [SAMPLE_RATE, SAMPLE_RATE]
    assert [row["turn"] for row in rows] == [0, 1, 2]
    assert {row["off"] for row in rows} == {"-6dB"}


def test_experiments_against_themselves_a_stopped_run_goes_on(job, monkeypatch):
    """All but truth, whose clips are long, and confounder, kinds and steering, which have tests of their own."""
    monkeypatch.setattr(random_labels, "N_CLIPS", 24)
    monkeypatch.setattr(random_labels, "N_PASSES", 1)
    names = sorted(set(EXPERIMENTS) - {"truth", "confounder", "kinds", "steering"})
    tables = {name: EXPERIMENTS[name](job) for name in names}
    for rows in tables.values():
        assert {row["clip"] for row in rows} <= {"a", "b"}
        json.dumps(rows, allow_nan=False)
    assert {row["n_masks"] for row in tables["stability"]} == {32, 64}
    assert len(tables["stability"]) == 2 * 3 * 3 * 2 * 15
    assert {row["change"] for row in tables["inputs"]} == {"noise at 60 dB SNR", "10 ms later", "mp3 at 128 kbit/s"}
    assert {row["target"] for row in tables["sweep"]} == set(job.predictor.names)

    def never(*_, **__):
        raise AssertionError("a piece that is there must not be made again")

    monkeypatch.setattr(Job, "explain", never)
    monkeypatch.setattr(Job, "explain_case", never)
    monkeypatch.setattr("evaluation.experiments.sanity.evaluate", never)
    assert {name: EXPERIMENTS[name](job) for name in names} == tables
    summary = summarise(tables)
    figures = draw_all(summary, tables["sweep"])
    assert set(figures) == {"stability", "fidelity", "selectivity", "responses", "methods"}
    assert set(summary["methods"]) == {"grid", "hpss"}
    assert set(summary["methods"]["hpss"]) == {"lime", "occlusion", "gradient"}
    assert summary["methods"]["hpss"]["lime"]["n_components"]["value"] == 2.0
    assert summary["methods"]["grid"]["gradient"]["spearman_gradient"]["value"] == pytest.approx(1.0)
    sections = sections_of(summary | {"smallest_counts": smallest_counts(tables["stability"])})
    assert len(sections) == len(names) + 2  # sweep and methods have two
    assert all(len(row) == len(each.header) for each in sections for row in each.rows)
    assert 0.0 <= summary["direction_rate"]["value"] <= 1.0
    assert summary["direction_rate"]["n"] == 2
    assert set(summary["stability_jaccard"]["-6dB"]["hadamard"]) == {"32", "64"}
    assert set(summary["neighbourhood_r2"]) == {"silence", "-12dB", "-6dB"}
    assert set(summary["faithfulness"]["deletion_gap"]) == set(job.predictor.names)
    assert all(each["value"] > 0.0 for each in summary["faithfulness"]["sensitivity_max"].values())
    json.dumps(summary)


def test_truth_against_its_summary(job, monkeypatch):
    monkeypatch.setattr("evaluation.planted.cut", coarse)
    rows = EXPERIMENTS["truth"](job)
    assert len(rows) == 5 * 7
    found = summarise({"truth": rows})
    questions = {"parts", "parts, large effects", "parts over time", "segments", "notes"}
    assert set(found["truth"]) == questions
    assert min(row["effect"] for row in rows if row["question"] == "parts, large effects") >= 0.2
    assert found["truth_auc"] == found["truth"]["parts"]["auc"]
    hearing = found["truth_by_hearing"]
    large = {row["feature"]: row for row in rows if row["question"] == "parts, large effects"}
    for feature, row in large.items():
        heard = row["model_effect"] >= 0.1
        assert hearing["heard"][feature]["value"] == heard
        assert hearing["auc_heard" if heard else "auc_unheard"][feature]["value"] == row["roc_auc"]
        assert hearing["auc_unheard" if heard else "auc_heard"][feature]["value"] is None
    for question in questions:
        assert set(found["truth"][question]["auc"]) == set(MIDLEVEL_NAMES)
        for feature in MIDLEVEL_NAMES:
            assert found["truth"][question]["random_auc"][feature]["value"] == pytest.approx(0.5, abs=0.15)
            assert found["truth"][question]["auc"][feature]["low"] is None  # one clip alone
    assert set(draw_all(found, [])) == {"truth"}
    assert len(sections_of(found)[0].rows) == 7


def test_kinds_against_their_summary(job):
    rows = EXPERIMENTS["kinds"](job)
    carriers, bad = ([row for row in rows if (row["feature"] == "drums") == flag] for flag in (False, True))
    assert {row["feature"] for row in carriers} <= set(MIDLEVEL_NAMES)
    assert len(bad) == 2 * 3 * 2  # clips, kinds with the true stems, methods
    summary = summarise({"kinds": rows})
    assert set(summary["kinds"]) == {"grid", "hpss", ORACLE}
    for by_method in summary["kinds"].values():
        assert set(by_method) == {"lime", "occlusion"}
        for figures in by_method.values():
            assert 0.0 <= figures["roc_auc"]["value"] <= 1.0
            assert figures["random_roc_auc"]["value"] == pytest.approx(0.5, abs=0.15)
            assert 0.0 <= figures["found"]["value"] <= 1.0
    assert set(draw_all(summary, [])) == {"kinds"}
    (section,) = sections_of(summary)
    assert len(section.rows) == 6


def coarse(sound, device):
    """Few segments, so that few masks are enough."""
    n_bands, n_frames = sound.spectrogram.shape
    bands, frames = np.arange(n_bands) * 5 // n_bands, np.arange(n_frames) * 4 // n_frames
    return layered(sound, regions=bands[:, None] * 4 + frames, device=device)


def test_confounder_against_its_summary(job):
    rows = EXPERIMENTS["confounder"](job)
    assert [row["classifier"] for row in rows] == ["confounded"] * 4 + ["clean"] * 4
    found = summarise({"confounder": rows})
    assert found["confounder_rate"]["value"] == np.mean([row["highest"] == "drums" for row in rows[:4]])
    assert found["confounder_rate"]["n"] == 4
    assert [row[0] for row in sections_of(found)[0].rows] == ["confounded", "clean"]


def test_the_command_writes_tables_and_a_summary(checkpoint, tmp_path, monkeypatch, capsys):
    clip, out = sound_file(tmp_path, seconds=2.0), tmp_path / "out"
    monkeypatch.setitem(PRESETS, "quick", replace(TINY, lime=LimeSettings(n_perturbations=800, n_held_out=16)))
    monkeypatch.setattr(command, "rendered_cases", lambda count, corpus, device: [])
    words = [
        "evaluate",
        "faithfulness",
        "--out",
        str(out),
        "--clip",
        str(clip),
        "--model",
        str(checkpoint),
        "--device",
        "cpu",
    ]
    assert main(words) == 0
    assert json.loads((out / "summary.json").read_text())["left_out"] == {}
    told = capsys.readouterr()
    assert str(out / "report.html") in told.out
    assert "note: average_drop of a score of 0: taken as 0\n" in told.err  # the tiny network's scores are cut to 0
    with (out / "faithfulness.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["clip"] for row in rows} == {"clip.wav"}
    summary = json.loads((out / "summary.json").read_text())
    assert list(summary["clips"]) == ["clip.wav"]
    assert list(summary["runs"]) == ["faithfulness"]
    assert summary["runs"]["faithfulness"]["command"].startswith("emomod evaluate faithfulness --preset quick --out ")
    assert summary["left_out"] == {}
    assert set(summary["faithfulness"]["deletion_gap"]) == {row["target"] for row in rows}
    page = (out / "report.html").read_text()
    assert "Is it faithful to the model?" in page
    assert "http" not in page.replace("http-equiv", "")  # it needs nothing else
    assert "| articulation |" in (out / "report.md").read_text()
    assert main(words) == 0  # and once more, from what is there
    (out / "report.html").unlink()
    assert main(["evaluate", "report", "--out", str(out)]) == 0
    assert (out / "report.html").is_file()
    assert main(["evaluate", "report", "--out", str(tmp_path)]) == 1
    assert "holds no results of an evaluation" in capsys.readouterr().err
    assert main([*words, "--preset", "paper"]) == 1
    assert "holds results of other settings (preset, settings)" in capsys.readouterr().err
    assert main(["evaluate", "sweep", "--out", str(tmp_path), "--model", str(checkpoint)]) == 1
    assert "neither empty nor results of an evaluation" in capsys.readouterr().err


def test_the_options_name_what_there_is():
    assert tuple(EXPERIMENTS) == options.EXPERIMENTS
    assert tuple(PRESETS) == options.PRESETS
    code = "import sys; import evaluation.options; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "matplotlib"} & set(loaded)


def test_cases(tmp_path):
    settings = replace(settings_of_cases("numpy"), seconds=2.0)
    first, second = rendered_cases(2, settings)
    (again,) = rendered_cases(1, settings)
    assert first.name == "rendered 000"
    assert np.array_equal(first.y, again.y)
    assert not np.array_equal(first.y, second.y)
    assert rendered_cases(0, settings) == []
    (given,) = file_cases([sound_file(tmp_path)], seconds=1.0)
    assert given.name == "clip.wav"
    assert given.y.size == 22050
    with pytest.raises(InputError, match=r"clips must have different names, got clip\.wav twice"):
        file_cases([sound_file(tmp_path), sound_file(tmp_path)])
    other = given.changed(given.y[::-1].copy())
    assert np.array_equal(other.regions, given.components.regions)


def test_store_against_itself_rows_are_the_same_whether_they_are_made_or_read(tmp_path):
    (tmp_path / "record.json.partial").write_text("{")  # all that there is after the earliest of kills
    made, read = (Store(tmp_path, {}).piece("e", "p", lambda: [{"pair": (1, 2), "v": float("inf")}]) for _ in range(2))
    assert made == read == [{"pair": [1, 2], "v": None}]
    assert {path.name for path in tmp_path.iterdir()} == {"record.json", "pieces"}


def test_store_iv(tmp_path):
    store = Store(tmp_path / "x", {"a": 1.0})
    assert store.piece("e", "one/two", lambda: [{"v": float("nan"), "w": 1}]) == [{"v": None, "w": 1}]
    assert store.piece("e", "one/two", list) == [{"v": None, "w": 1}]
    assert Store(tmp_path / "x", {"a": 1.0}).piece("e", "one/two", list) == [{"v": None, "w": 1}]
    with pytest.raises(InputError, match=r"holds results of other settings \(a, b\)"):
        Store(tmp_path / "x", {"a": 2.0, "b": 1})
    (tmp_path / "x" / "pieces" / "e" / "one_two.json").write_text("{")
    with pytest.raises(InputError, match=r"one_two\.json: cannot be read .*; remove it to have it made again"):
        store.piece("e", "one/two", list)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="neither empty nor results"):
        Store(tmp_path, {})


def test_intervals_against_theory(rng):
    """Ten rows of each of 50 clips, alike within a clip: the interval is that of 50 means."""
    clips = rng.normal(size=50)
    rows = [{"song": f"c{k}", "v": value} for k, value in enumerate(clips) for _ in range(10)]
    found = mean_with_interval(rows, "v")
    assert found["value"] == pytest.approx(clips.mean())
    assert found["n"] == 50
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * clips.std() / np.sqrt(50), rel=0.15)
    assert mean_with_interval([{"song": "a", "v": None}], "v") == {"value": None, "low": None, "high": None, "n": 0}


def test_rates_against_theory_of_wilson():
    rows = [{"song": f"c{k}", "v": True} for k in range(20) for _ in range(3)]
    found = mean_with_interval(rows, "v")
    assert (found["value"], found["high"], found["n"]) == (1.0, 1.0, 20)
    assert found["low"] == pytest.approx(wilson_interval(20, 20)[0])


def test_smallest_counts_against_theory():
    rows = [
        {"clip": "a", "off": "silence", "design": design, "n_masks": n, "jaccard_top": value}
        for design, values in {"iid": (0.5, 0.8), "hadamard": (0.9, 0.95)}.items()
        for n, value in zip((256, 512), values, strict=True)
    ]
    assert [row["n_masks"] for row in smallest_counts(rows)] == [None, 256]
    assert [row["n_masks"] for row in smallest_counts(rows, wanted=0.7)] == [512, 256]
    assert [row["n_masks"] for row in smallest_counts(rows, wanted=0.93)] == [None, 512]
    other = {"clip": "b", "off": "silence", "design": "hadamard", "n_masks": 512, "jaccard_top": 0.95}
    assert [row["n_masks"] for row in smallest_counts([*rows, other])] == [None, 512]  # 256 masks were too few for b


def test_summary_iv():
    with pytest.raises(InputError, match="tables must have rows, but sweep has none"):
        summarise({"sweep": []})
    with pytest.raises(InputError, match="preset must be one of quick, paper, got 'slow'"):
        preset_of("slow")
