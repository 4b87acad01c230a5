"""Every kind of components with every method: explain, modify, re-score, report; on the bundled clip and a real one."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from fakes import shared, tiny_checkpoint
from scipy.signal import butter, sosfilt

from emomod.attribution.methods import METHODS
from emomod.audio import SAMPLE_RATE, read_clip
from emomod.cli.options import clip_path
from emomod.components.kinds import KINDS
from emomod.explanation import load_explanation
from emomod.model.predictor import load_predictor, score_waveform
from emomod.pipeline import ModifySettings, RunSettings, modify, run
from emomod.torchaudio_import import import_torchaudio

SECONDS, START = 1.5, 2.0
BITS = 24

# Kinds as they are typed; FILES stands for two stems of the clip, WEIGHTS for a small separator.
TYPED = {
    "felzenszwalb": "felzenszwalb",
    "slic": "slic:n_segments=24",
    "chan_vese": "chan_vese",
    "watershed": "watershed",
    "time": "time:seconds=0.25",
    "mel": "mel:n=6",
    "octaves": "octaves",
    "grid": "grid",
    "beats": "beats",
    "onsets": "onsets",
    "hpss": "hpss x time:seconds=0.5",
    "nmf": "nmf:n=4",
    "stems": "stems:FILES x grid:columns=2,rows=2",
    "separation": "separation:network=openunmix,weights=WEIGHTS x time:seconds=0.5",
}
FEW = {  # little work, as it is the way that counts here
    "lime": "lime:n_held_out=8",
    "kernel_shap": "kernel_shap:n_held_out=8",
    "banzhaf": "banzhaf:n_held_out=8",
    "occlusion": "occlusion:n_held_out=8",
    "gradient": "gradient:n_held_out=8",
    "smoothgrad": "smoothgrad:n_held_out=8,n_samples=4",
    "integrated_gradients": "integrated_gradients:n_held_out=8,n_steps=4",
    "grad_cam": "grad_cam:n_held_out=8",
}
SEGMENTATIONS = ("felzenszwalb", "slic", "chan_vese", "watershed")
DRAWS = ("lime", "kernel_shap", "banzhaf")
MASKS = 128


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(scope="module")
def model(workplace):
    path = tiny_checkpoint(workplace / "t.safetensors", window_seconds=SECONDS)
    return load_predictor(path, device="cpu")


@pytest.fixture(scope="module")
def weights(workplace):
    """An Open-Unmix separator of two targets with random weights."""
    import_torchaudio()
    models = import_module("openunmix.model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        targets = {
            name: models.OpenUnmix(nb_bins=2049, nb_channels=2, hidden_size=4, nb_layers=1, max_bin=400)
            for name in ("vocals", "drums")
        }
        separator = models.Separator(targets, niter=1, n_fft=4096, n_hop=1024, sample_rate=44100.0)
    torch.save(separator.state_dict(), workplace / "unmix.pth")
    return workplace / "unmix.pth"


@pytest.fixture(scope="module", params=["bundled", "real"])
def clip(request):
    return clip_path("demo") if request.param == "bundled" else shared("clips/soundtracks_set1_001.mp3")


@pytest.fixture(scope="module")
def stems(clip, workplace):
    """The clip as what is below 400 Hz and what is above."""
    y = read_clip(clip, start=0.0, seconds=START + SECONDS).y
    low = sosfilt(butter(4, 400.0, fs=SAMPLE_RATE, output="sos"), y).astype(np.float32)
    for name, stem in {"low": low, "high": y - low}.items():
        soundfile.write(workplace / f"{clip.stem}_{name}.wav", stem, SAMPLE_RATE, subtype="FLOAT")
    return {name: workplace / f"{clip.stem}_{name}.wav" for name in ("low", "high")}


def test_nothing_is_left_out():
    assert set(TYPED) == set(KINDS)
    assert set(FEW) == set(METHODS)


@pytest.mark.parametrize("method", FEW)
@pytest.mark.parametrize("kind", TYPED)
def test_a_kind_with_a_method(kind, method, clip, stems, model, weights, tmp_path):
    files = ",".join(f"{name}={path}" for name, path in stems.items())
    components = TYPED[kind].replace("FILES", files).replace("WEIGHTS", str(weights))
    masks = f",n_perturbations={512 if kind in SEGMENTATIONS else MASKS}" if method in DRAWS else ""
    settings = RunSettings(START, components, FEW[method] + masks, ModifySettings(n_controls=1))
    result = run(clip, target="energy", out=tmp_path / "out", settings=settings, predictor=model)
    explanation, changed = result.explanation, result.modification
    n = result.record["n_components"]
    assert n == explanation.weights.weights.shape[1] >= 2
    assert np.ptp(explanation.weights.weights[explanation.weights.index("energy")]) > 0.0
    certain = explanation.weights.standard_errors is None
    assert certain == (METHODS[method].settings.uncertainty.startswith("none") or exhaustive(explanation, method))
    assert changed.selection.rule.startswith("highest:" if explanation.weights.p_values is None else "bh:")
    _heard_again(result.folder, changed, model)
    _modified_again(result.folder, clip, changed, model, tmp_path)
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert method in page
    assert result.sentence
    parts = {location.part for location in explanation.locations}
    assert (result.folder / "figures" / "parts.png").is_file() == (len(parts) > 1)


def exhaustive(explanation, method):
    """Whether a method took all masks there are, so that nothing is uncertain."""
    return method in DRAWS and 2 ** explanation.weights.weights.shape[1] <= MASKS


def _heard_again(folder: Path, changed, model):
    """The identity, and the shifts once more from the files."""
    assert changed.identity_snr_db > 90.0
    before, after = (
        score_waveform(model, read_clip(folder / f"{name}.wav", seconds=SECONDS, silence=0.0).y)
        for name in ("original", "enhanced")
    )
    np.testing.assert_allclose(changed.shift_of("enhanced").shift, after - before, atol=1e-12)


def _modified_again(folder: Path, clip: Path, changed, model, tmp_path: Path):
    """``modify`` cuts the sound anew and writes the same file."""
    settings = ModifySettings(n_controls=1)
    explanation = load_explanation(folder)
    modify(clip, explanation, target="energy", out=tmp_path / "m", settings=settings, predictor=model)
    assert (tmp_path / "m" / "enhanced.wav").read_bytes() == (folder / "enhanced.wav").read_bytes()
    assert len(changed.waveforms) == 5
