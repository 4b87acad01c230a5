"""Benchmarks of speed: that they run, in small, and that what they publish follows from what they measured."""

import csv
import json
import subprocess
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fakes import tones

from benchmarks import (
    against_lime,
    engines,
    gradient_prior,
    huge_pages,
    long_file,
    main_job,
    measuring,
    scaling,
    steer_job,
)
from benchmarks.against_lime_page import (
    AS_LIME,
    LIME,
    OWN,
    PRECISE,
    SAME_ENGINE,
    SILENCE,
    Measured,
    as_stable,
    figures,
    mean_error,
    mean_jaccard,
    stability_table,
    write_page,
)
from benchmarks.measuring import apart, checkpoint_of, median_ratio, predictor_of
from benchmarks.performance_page import BEGIN, END, filled, summary
from emomod.audio import write_wav
from emomod.errors import InputError

RATIOS = ("throughput_ratio", "time_to_stability_ratio", "memory_ratio")  # and overhead_percent, which can be below 0


@pytest.fixture
def here(monkeypatch):
    """Jobs in this process, which is quicker; what they are told and tell is still JSON."""

    def run(job, *, quiet=True, huge=False, timeout=None, **given):
        return json.loads(json.dumps(job(**json.loads(json.dumps(given)))))

    for script in (engines, against_lime, main_job, scaling):
        monkeypatch.setattr(script, "apart", run)


@pytest.fixture
def clip(tmp_path):
    return str(write_wav(tmp_path / "clip.wav", tones(0.5)))


def table_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_engines_in_small(here, tmp_path, clip):
    engines.main(["--quick", "--clip", clip, "--out", str(tmp_path)])
    speeds, weights = table_of(tmp_path / "engines.csv"), table_of(tmp_path / "engines_weights.csv")
    ratios = {(row["way"], int(row["batch"])): float(row["ratio"]) for row in speeds}
    assert ratios["as written", 16] == 1.0
    assert {way for way, _ in ratios} == {"as written", "engine torch"}
    assert all(0 < ratio < np.inf for ratio in ratios.values())
    assert {row["clip"] for row in weights} == {"demo", "clip.wav"}
    assert all(0 <= float(row["relative_error"]) < 1e-3 for row in weights)  # engines in float32 differ by rounding
    assert all(int(row["n_changed"]) <= 1 for row in weights)
    assert "engine torch" in (tmp_path / "engines.md").read_text()


def test_against_lime_in_small(here, tmp_path, clip, capsys, monkeypatch):
    again = ["--quick", "--clip", clip, "--json", "--pieces", str(tmp_path / "pieces")]
    against_lime.main([*again, "--out", str(tmp_path)])
    found = json.loads(capsys.readouterr().out)
    assert list(found)[:4] == [*RATIOS[:2], "overhead_percent", RATIOS[2]]
    assert np.isfinite(found["overhead_percent"])
    for name in ("throughput_ratio", "throughput_ratio_same_engine", "memory_ratio"):
        assert 0 < found[name] < np.inf
    for ending in ("", "_silence"):  # few masks may be less stable than lime
        assert found[f"time_to_stability_ratio{ending}"] is None or found[f"time_to_stability_ratio{ending}"] > 0
    assert found["masks_scored_by_default"] == 64 + 256 + 2  # a batch of one is doubled
    assert json.loads((tmp_path / "against_lime.json").read_text()) == found
    assert (tmp_path / "against_lime.png").read_bytes().startswith(b"\x89PNG")
    assert {row["explainer"] for row in table_of(tmp_path / "against_lime.csv")} == set(against_lime.EXPLAINERS)

    monkeypatch.setattr(against_lime, "apart", None)  # a run that was stopped goes on where it was: nothing is left
    against_lime.main(again)
    assert json.loads(capsys.readouterr().out) == found


def test_scaling_in_small(here, tmp_path):
    scaling.main(["--quick", "--out", str(tmp_path)])
    rows = table_of(tmp_path / "scaling.csv")
    assert {row["varied"] for row in rows} == {"masks", "components", "seconds of sound", "scores"}
    assert all(0 < float(row["seconds"]) < np.inf for row in rows)
    assert all(np.isfinite(each) for each in json.loads((tmp_path / "scaling.json").read_text()).values())


@pytest.mark.slow
def test_main_job_in_small(here, tmp_path):
    main_job.main(["--quick", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "main_job.json").read_text())["0.5"]
    assert found["seconds"] > found["stages"]["total"] > 0
    parts = found["parts"]
    assert sum(parts.values()) == pytest.approx(2 * parts[main_job.ALL])
    for name in main_job.PARTS:
        assert 0 < parts[name] < parts[main_job.ALL], name  # a part that was renamed would have no seconds
    assert f"| {main_job.REST} |" in (tmp_path / "main_job.md").read_text()


@pytest.mark.slow
def test_steer_job_in_small(tmp_path):
    steer_job.main(["--quick", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "steer_job.json").read_text())["0.5"]
    assert found["whole"] > found["total"] > found["steering"] > 0
    assert "| - steering |" in (tmp_path / "steer_job.md").read_text()


@pytest.mark.slow
def test_huge_pages_in_small(tmp_path):
    huge_pages.main(["--quick", "--out", str(tmp_path)])
    rows = table_of(tmp_path / "huge_pages.csv")
    assert [row["way"] for row in rows] == ["as written", huge_pages.JOB]
    assert all(0 < float(row[key]) < np.inf for row in rows for key in ("with", "without"))
    assert "| emomod run |" in (tmp_path / "huge_pages.md").read_text(encoding="utf-8")


def test_gradient_prior_in_small(tmp_path):
    words = ["--masks", "600", "--points", "2", "--reference", "600", "--seeds", "1", "--out", str(tmp_path)]
    gradient_prior.main(words)
    rows = table_of(tmp_path / "gradient_prior.csv")
    assert [(row["masks"], row["points"]) for row in rows] == [("600", "0"), ("600", "2")]
    assert all(0 < float(row["error"]) < 1 and float(row["seconds"]) > 0 for row in rows)
    assert "| 600 | 2 |" in (tmp_path / "gradient_prior.md").read_text()


def test_long_file_in_small(tmp_path):
    long_file.main(["--minutes", "0.25", "--out", str(tmp_path)])
    predict, explain, every = table_of(tmp_path / "long_file.csv")
    assert [row["command"] for row in (predict, explain, every)] == ["emomod predict", "emomod explain", "emomod run"]
    assert every["windows"] == "2"
    assert all(100 < float(row["peak_mib"]) < 2000 for row in (predict, explain, every))
    figures = json.loads((tmp_path / "long_file.json").read_text())
    assert figures["peak_mib"] >= float(every["peak_mib"]) - 1
    told = summary(tmp_path)
    assert "most memory of any command on a file of 0.25 minutes (MiB)" in told


def test_apart_against_itself():
    given: dict[str, Any] = {"clip": "demo", "components": "time:seconds=5", "n_masks": 4, "way": "as written"}
    found = apart(engines.weights_by, **given)
    assert found == engines.weights_by(**given)
    with pytest.raises(subprocess.CalledProcessError):
        apart(engines.weights_by, **given | {"way": "none"})
    with pytest.raises(subprocess.TimeoutExpired):
        apart(engines.weights_by, timeout=0.01, **given)


def test_checkpoint_of_against_the_design(tmp_path):
    path = checkpoint_of(0.1, tmp_path)
    (tmp_path / "again").mkdir()
    one, other = (predictor_of(each).checkpoint for each in (path, checkpoint_of(0.1, tmp_path / "again")))
    assert one.sha256 == other.sha256
    clip = measuring.components_of()
    sounds = clip.mix(torch.ones(1, clip.n_components))
    first: Any = next(one.network.trunk.children())
    with torch.inference_mode():
        heard = first[:2](sounds[:, None])  # a convolution and its batch norm
    np.testing.assert_allclose(heard.mean(dim=(0, 2, 3)), 0.0, atol=0.01)  # weights are kept in half precision
    np.testing.assert_allclose(heard.var(dim=(0, 2, 3)), 1.0, atol=0.01)
    assert checkpoint_of(0.5, tmp_path) is None


def test_mean_error_against_theory(rng):
    truth = rng.normal(size=(7, 5000))
    runs = [truth + 0.2 * rng.normal(size=truth.shape) for _ in range(2)]
    assert mean_error(*runs) == pytest.approx(0.2 / np.sqrt(1.04), rel=0.03)
    assert mean_error(truth, truth) == 0.0


def test_mean_jaccard_against_theory():
    weights = np.zeros((2, 60))
    weights[:, :30] = 1.0
    assert mean_jaccard(weights, -weights) == 1.0
    assert mean_jaccard(weights, weights[:, ::-1]) == 0.0


def run_of(explainer, n_masks, seed, seconds, weights, *, quiet=True, mib=100.0):
    told = {"explainer": explainer, "n_masks": n_masks, "seed": seed, "quiet": quiet, "n_masks_taken": n_masks}
    return {**told, "seconds": seconds, "mib": mib, "weights": weights}


def runs_of(explainer, n_masks, seconds, noise):
    """Two runs whose weights differ by about ``noise``."""
    truth = np.random.default_rng(0).normal(size=(7, 200))
    errors = np.random.default_rng(1).normal(size=(2, 7, 200))
    weights = truth + noise * errors
    return [run_of(explainer, n_masks, seed, seconds, weights[seed].tolist()) for seed in range(2)]


@pytest.fixture
def measured():
    throughput = [
        run_of(name, 100, turn, seconds, [], quiet=quiet)
        for turn in range(3)
        for name, quiet, seconds in (
            (LIME, True, 9.0), (LIME, False, 8.0), (SAME_ENGINE, True, 4.0), (AS_LIME, True, 2.0 + turn),
        )
    ]  # fmt: skip
    memory = [run_of(OWN, 10, 0, 1.0, [], mib=mib) for mib in (100.0, 104.0, 50.0, 50.0, 100.0, 300.0)]
    overhead = {"scored": 12, "explained": [1.1, 2.2, 9.0], "bare": [1.0, 2.0, 3.0]}
    stability = [
        *runs_of(LIME, 10, 5.0, 0.5), *runs_of(LIME, 1000, 500.0, 0.1), *runs_of(OWN, 20, 2.0, 0.2),
        *runs_of(OWN, 40, 4.0, 0.1), *runs_of(OWN, 2000, 50.0, 0.05), *runs_of(SILENCE, 20, 2.0, 0.3),
        *runs_of(PRECISE, 40, 50.0, 0.1),
    ]  # fmt: skip
    return Measured(0.5, throughput, memory, overhead, stability)


def test_figures_against_theory(measured):
    found = figures(measured)
    assert not found["lime_waits_quietly"]  # it gets the policy that suits it
    assert found["throughput_ratio"] == pytest.approx(8 / 3)
    assert found["throughput_ratio_same_engine"] == pytest.approx(4 / 3)
    assert found["overhead_percent"] == pytest.approx(10.0)
    assert found["memory_ratio"] == pytest.approx(1.04)
    assert found["masks_to_stability"] == 40  # as noisy as lime's 1000 are
    assert found["time_to_stability_ratio"] == pytest.approx(500 / 4)
    assert found["time_to_stability_ratio_same_engine"] == pytest.approx(500 / 4 / 2)
    assert found["time_to_stability_ratio_silence"] is None
    errors = [row["error"] for row in stability_table(measured.stability) if row["explainer"] == LIME]
    assert found["lime_error_at_equal_time"] == pytest.approx(np.mean(errors))  # 50 s is midway from 5 to 500 in logs


def test_figures_against_the_design_no_trained_network_no_stability(measured):
    found = figures(replace(measured, stability=[], width=1.0))
    assert found["time_to_stability_ratio"] is None
    assert found["throughput_ratio"] == pytest.approx(8 / 3)


def test_as_stable_against_the_design_both_measures_count():
    rows = [
        {"explainer": LIME, "n_masks": 9, "jaccard": 0.9, "error": 0.1},
        {"explainer": OWN, "n_masks": 1, "jaccard": 0.95, "error": 0.2},
        {"explainer": OWN, "n_masks": 2, "jaccard": 0.8, "error": 0.05},
        {"explainer": OWN, "n_masks": 4, "jaccard": 0.9, "error": 0.1},
        {"explainer": OWN, "n_masks": 3, "jaccard": 0.91, "error": 0.09},
    ]
    assert as_stable(rows, OWN) == rows[-1]
    assert as_stable(rows, SILENCE) is None


def test_compare_against_theory():
    reference = {"weights": [[3.0, 4.0], [0.0, 1.0]], "chosen": [[1, -2], [2]]}
    found = {"weights": [[3.0, 4.5], [0.0, 1.0]], "chosen": [[1, 2], [2]]}
    expected = {"relative_error": 0.1, "n_selected": 3, "n_changed": 2}  # one is on the other side: it goes and comes
    assert engines.compare(found, reference) == pytest.approx(expected)


def test_exponents_against_theory():
    rows = [{"varied": "masks", "value": n, "seconds": 3.0 * n**0.7} for n in (1, 10, 50)]
    rows += [{"varied": "scores", "value": n, "seconds": 2.0} for n in (1, 7)]
    assert scaling.exponents(rows) == pytest.approx({"masks": 0.7, "scores": 0.0})


def test_speed_table_against_theory_ratios_are_of_one_turn():
    rows = [
        {"width": 1.0, "turn": turn, "way": way, "ready": turn, "speeds": {"16": speed}}
        for way, speeds in (("as written", (10.0, 20.0, 40.0)), ("engine torch", (30.0, 60.0, 80.0)))
        for turn, speed in enumerate(speeds)
    ]
    found = engines.speed_table(rows)[1]
    expected = {"batch": 16, "a_second": 60.0, "ratio": 3.0, "ready_seconds": 2.0}
    assert {key: found[key] for key in expected} == expected


def test_median_ratio_against_theory():
    assert median_ratio([4.0, 1.0, 30.0], [2.0, 1.0, 10.0]) == 2.0


def test_performance_page_against_what_is_there(tmp_path, measured):
    empty = summary(tmp_path)
    assert "| ≥ 30 | – | – |" in empty
    write_page(tmp_path, measured, about="")
    text = filled(f"before {BEGIN} old {END} after", summary(tmp_path))
    assert text.startswith(f"before {BEGIN}\n")
    assert text.endswith(f"{END} after")
    assert "| ≥ 30 | 125 | – |" in text
    write_page(tmp_path, replace(measured, stability=[], width=1.0), about="")
    assert "| ≥ 30 | 125 | 125 |" in summary(tmp_path)  # the same throughput
    assert " old " not in text
    with pytest.raises(InputError, match="page must have"):
        filled("nothing", "text")
