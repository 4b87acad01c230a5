"""Methods and kinds side by side, against models whose truth is known."""

import numpy as np
import pytest
import torch
from fakes import grid_components, linear_predict

from emomod.attribution.lime import LimeSettings
from emomod.attribution.shapley import KernelShapSettings
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.corpus.stems import Stems
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from evaluation import kinds, methods
from evaluation.methods import GridSettings, explain_all, n_selected, settings_of

METHODS = ("lime", "occlusion")
TARGETS = MIDLEVEL_NAMES[:2]


@pytest.fixture(scope="module")
def components():
    return grid_components()


def test_a_linear_model_against_theory(components, rng):
    predict = linear_predict(components, rng.normal(size=(7, 12)))
    rows = methods.evaluate(predict, components, methods=METHODS, targets=TARGETS)
    assert [(row["target"], row["method"]) for row in rows] == [(t, m) for t in TARGETS for m in METHODS]
    for row in rows:
        assert row["n_components"] == 12
        assert row["neighbourhood_r2"] > 0.99
        assert row["spearman_lime"] > 0.97
        assert row["jaccard_occlusion"] == 1.0
        assert 0.0 < row["complexity"] <= 1.0
        assert row["seconds_over_lime"] == pytest.approx(1.0) if row["method"] == "lime" else row["seconds"] > 0
        assert (row["up_right"], row["down_right"]) == (True, True)
        assert row["shift"] > 0


def test_a_score_that_nothing_speaks_for_against_theory(components):
    predict = linear_predict(components, -np.ones((7, 12)))
    (row,) = methods.evaluate(predict, components, methods=("lime",), targets=TARGETS[:1])
    assert row["up_right"] is row["down_right"] is row["shift"] is None


def test_settings_of_against_the_design():
    assert settings_of("lime", n_components=300) == LimeSettings(n_perturbations=2048)
    assert settings_of("kernel_shap:off=silence", n_components=8) == KernelShapSettings(
        off="silence", n_perturbations=64
    )
    assert settings_of("occlusion", n_components=8) == settings_of("occlusion", n_components=900)
    assert [n_selected(n) for n in (1, 9, 10, 300)] == [1, 1, 2, 60]


def test_a_method_that_the_model_is_not_made_for_is_left_out(components, rng):
    predict = linear_predict(components, rng.normal(size=(7, 12)))  # cannot be differentiated
    weights, seconds = explain_all(predict, components, ("lime", "gradient"))
    assert set(weights) == set(seconds) == {"lime"}
    with pytest.raises(InputError, match="methods must have lime, whose time is the unit, got occlusion"):
        methods.evaluate(predict, components, methods=("occlusion",), targets=TARGETS)
    with pytest.raises(InputError, match="methods must have one meaning of off, got -6dB, silence"):
        methods.evaluate(predict, components, methods=("lime", "occlusion:off=silence"), targets=TARGETS)
    with pytest.raises(InputError, match="methods must have lime"):
        GridSettings(methods=("occlusion",))


# ---- kinds -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stems():
    """A low and a high part, of which the high one is called drums."""
    time = np.arange(44100) / 22050
    low = 0.4 * np.sin(2 * np.pi * 200 * time)
    high = 0.3 * np.sin(2 * np.pi * 3000 * time) * (time % 0.5 < 0.25)
    parts = np.stack([low, high]).astype(np.float32)
    return Stems(("harmony", "drums"), parts, np.zeros(44100, dtype=np.float32))


@pytest.mark.parametrize("kind", ("mel:n=4", "grid", "hpss x mel:n=4", kinds.ORACLE))
def test_energy_shares_against_theory(stems, kind):
    components = kinds.cut_as(kind, stems.mix, stems)
    shares, energies = kinds.energy_shares(components, stems), components.energies()
    assert ((shares >= 0) & (shares <= 1)).all()
    loud = energies > 1e-3 * energies.max()
    for place, share, clear in zip(components.locations(), shares, loud, strict=True):
        if clear and (place.part == "drums" or place.low > 1500):
            assert share > 0.95
        elif clear and (place.part == "harmony" or place.high < 600):
            assert share < 0.05


def test_energy_shares_iv(stems):
    components = cut(sound_of(stems.mix), "grid")
    with pytest.raises(InputError, match="stems must have drums, got a, b"):
        kinds.energy_shares(components, Stems(("a", "b"), stems.parts, stems.rest))
    sources = kinds.cut_as(kinds.ORACLE, stems.mix, stems)
    with pytest.raises(InputError, match="must be shares of the sound, or its true stems"):
        kinds.energy_shares(sources, Stems(("drums", "x"), stems.parts, stems.rest))


class HearsHigh:
    """A guitar wherever there is something above 2 kHz."""

    names, mid_to_emotion, takes, device = ("guitar",), None, "spectrogram", torch.device("cpu")

    def __call__(self, spectrograms):
        return torch.sigmoid(spectrograms[:, 110:].mean(dim=(1, 2)) * 50.0)[:, None]


@pytest.mark.parametrize("kind", ("mel:n=4", "hpss x mel:n=4", kinds.ORACLE))
def test_the_confounder_is_found_against_theory(stems, kind):
    rows = kinds.evaluate_confounder(HearsHigh(), [stems], kinds=[kind], methods=METHODS)  # type: ignore[arg-type]
    assert [row["method"] for row in rows] == list(METHODS)
    for row in rows:
        assert row["components"] == kind
        assert row["drum_share"] > 0.9
        assert row["found"] is True
        assert row["loudest_found"] is False
        assert 0.0 < row["any_found"] < 1.0
