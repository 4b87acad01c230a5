"""How far scores vary: from the card, from the file beside the default model, or what is usual."""

from types import SimpleNamespace

import numpy as np
import pytest
from fakes import tiny_checkpoint

from emomod.labels import MIDLEVEL_NAMES
from emomod.model.predictor import load_predictor
from emomod.model.spread import USUAL, spread_of


def test_spread_of_the_default_model_is_in_the_file_beside_it():
    """A new default checkpoint without a spread of its own needs the file made again."""
    found = spread_of(load_predictor(device="cpu"))
    assert found.shape == (15,)
    assert (found > 0.05).all()
    assert (found < 0.3).all()
    assert np.ptp(found) > 0.01  # not what is usual, for all alike


def test_spread_of_a_card_goes_first_and_what_is_not_known_is_usual(tmp_path):
    known = load_predictor(tiny_checkpoint(tmp_path / "a.safetensors", spread={"energy": 0.3}), device="cpu")
    found = dict(zip(known.names, spread_of(known), strict=True))
    assert found["energy"] == 0.3
    assert {found[name] for name in MIDLEVEL_NAMES} == {USUAL}
    rated = SimpleNamespace(card={"scale": (1.0, 9.0)}, names=("valence",), sha256="")
    assert spread_of(rated)[0] == pytest.approx(8 * USUAL)
