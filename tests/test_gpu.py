"""On an NVIDIA GPU: the same scores, weights and files as on the CPU, but for rounding. ``pytest -m gpu`` runs them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emomod.attribution.methods import METHODS, explain_with, parse_method
from emomod.audio import read_clip
from emomod.cli.main import main
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.data import demo_clip
from emomod.mixtures import score_mixtures
from emomod.model.engines import ENGINES
from emomod.model.predictor import load_predictor, score_waveforms
from emomod.pipeline import ModifySettings, RunSettings, run

pytestmark = pytest.mark.gpu
KINDS = ("grid", "hpss x time:seconds=2")  # one that mixes in bands, one with phases of their own
ROUNDED = {"network": 3e-3, "tf32": 3e-3, "bfloat16": 3e-2, "torch": 3e-5}  # of the scores' spread over mixtures


def parts_of(text, device):
    return cut(sound_of(read_clip(demo_clip()).y), text, device=device)


def some_gains(n_components, n=20):
    return np.random.default_rng(0).uniform(0.3, 1.5, (n, n_components)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "ncnn"])
def test_scores_of_mixtures_against_the_cpu(kind, engine):
    here, there = parts_of(kind, "cpu"), parts_of(kind, "cuda")
    gains = some_gains(here.n_components)
    expected = score_mixtures(load_predictor(device="cpu", engine="torch"), here, gains)
    found = score_mixtures(load_predictor(device="cuda", engine=engine), there, gains)
    assert np.abs(found - expected).max() < ROUNDED[engine] * np.ptp(expected, axis=0).max()


@pytest.mark.parametrize("kind", KINDS)
def test_rendered_sounds_against_the_cpu(kind):
    here, there = parts_of(kind, "cpu"), parts_of(kind, "cuda")
    gains = some_gains(here.n_components, 1)[0]
    np.testing.assert_allclose(there.render(gains), here.render(gains), atol=1e-5)


@pytest.mark.parametrize("size", (1, 7, 300))
def test_scores_of_mixtures_whatever_the_batch(size):
    components, predictor = parts_of("grid", "cuda"), load_predictor(device="cuda")
    gains = some_gains(components.n_components, 30)
    expected = score_mixtures(predictor, components, gains)
    np.testing.assert_allclose(score_mixtures(predictor, components, gains, batch_size=size), expected, atol=1e-5)


def test_scores_of_waveforms_against_the_cpu():
    y = read_clip(demo_clip()).y
    ys = [y, 0.5 * y[::-1].copy()]
    expected = score_waveforms(load_predictor(device="cpu", engine="torch"), ys)
    np.testing.assert_allclose(score_waveforms(load_predictor(device="cuda"), ys), expected, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_methods_against_the_cpu(name):
    options = {"lime": ":n_perturbations=256", "kernel_shap": ":n_perturbations=256"}.get(name, "")
    settings = parse_method(name + options)
    expected, found = (
        explain_with(load_predictor(device=device, engine="torch"), parts_of("grid", device), settings=settings)
        for device in ("cpu", "cuda")
    )
    error = np.linalg.norm(found.weights - expected.weights, axis=1) / np.linalg.norm(expected.weights, axis=1)
    assert error.max() < 1e-2  # gradients go through the network as it is written, which PyTorch rounds to 11 bits


def test_the_main_job_against_the_cpu(tmp_path):
    settings = RunSettings(components="grid", method="lime:n_perturbations=256", modify=ModifySettings(n_controls=9))
    expected, found = (
        run(
            demo_clip(),
            target="energy",
            out=tmp_path / device,
            settings=settings,
            predictor=load_predictor(device=device),
        )
        for device in ("cpu", "cuda")
    )
    for version in ("enhanced", "weakened"):
        ours, theirs = (Path(tmp_path / device / f"{version}.wav") for device in ("cuda", "cpu"))
        assert np.abs(read_clip(ours).y - read_clip(theirs).y).max() < 1e-3
    for shift, shift_there in zip(found.modification.shifts, expected.modification.shifts, strict=True):
        np.testing.assert_allclose(shift.shift, shift_there.shift, atol=1e-3)


def test_command_takes_the_gpu_of_itself_and_both_when_told(tmp_path, capsys):
    few = ["--components", "grid", "--method", "lime:n_held_out=2", "--masks", "64", "--controls", "1"]
    for words in ([], ["--device", "cpu"], ["--device", "cuda"]):
        out = tmp_path / "-".join(["out", *words[1:]])
        assert main(["run", "demo", "--target", "energy", "--out", str(out), *few, *words]) == 0
    torch.cuda.synchronize()
