"""The matched-pair test against models whose hearing is known."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from emomod.bootstrap import wilson_interval
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.predictor import Takes
from emomod.training.sense import KindSense, matched_pairs_test

SETTINGS = CorpusSettings(1, seed=5, synthesiser="numpy", seconds=2.5)


@dataclass(frozen=True)
class OneEar:
    """Hears the mean level of the spectrogram as its one feature, with a sign; all else is .5."""

    feature: str
    sign: float
    names: tuple[str, ...] = MIDLEVEL_NAMES
    mid_to_emotion: None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    takes: Takes = "spectrogram"

    def __call__(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        scores = torch.full((len(spectrograms), len(self.names)), 0.5, dtype=torch.float64)
        scores[:, self.names.index(self.feature)] += self.sign * spectrograms.double().mean(dim=(1, 2))
        return scores


def test_wilson_interval_against_published():
    # Newcombe, Statistics in Medicine 17, 1998, table I, method 3 (score without continuity correction)
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (n_right, n), interval in published.items():
        assert wilson_interval(n_right, n) == pytest.approx(interval, abs=5e-5)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_pairs_against_a_model_that_hears_one_thing(sign):
    (found,) = matched_pairs_test(OneEar("articulation", sign), SETTINGS, n_pairs=5, kinds=["staccato"])
    assert found.feature == "articulation"
    assert found.shifts.shape == (5, 7)
    assert found.share == (1.0 if sign < 0 else 0.0)  # short notes leave more silence
    assert found.moved_most == found.share
    assert (found.label_shifts > 0).all()
    others = [index for index, name in enumerate(MIDLEVEL_NAMES) if name != "articulation"]
    assert not found.shifts[:, others].any()


def test_pairs_against_a_deaf_model():
    deaf = OneEar("articulation", 0.0)
    (found,) = matched_pairs_test(deaf, SETTINGS, n_pairs=2, kinds=["cluster"])
    assert found.n_right == 0
    assert found.moved_most == 1.0  # nothing moved further


def test_figures_against_theory():
    shifts = np.zeros((4, 7))
    shifts[:, 3] = [-0.2, -0.1, 0.1, -0.4]  # rhythm stability should fall
    shifts[0, 0] = 0.3
    found = KindSense("jitter", shifts, np.array([-0.5, -0.5, -0.5, -0.5]))
    assert found.right_shifts.tolist() == [0.2, 0.1, -0.1, 0.4]
    assert found.share == 0.75
    assert found.moved_most == 0.5
    assert found.share_of_larger == 0.75  # all are of the median
    assert KindSense("jitter", shifts, np.array([-0.2, -0.5, -0.1, -0.3])).share_of_larger == 1.0
    assert found.interval == pytest.approx((0.3006, 0.9544), abs=5e-5)  # of 3 in 4


def test_sense_iv():
    emotions = OneEar("valence", 1.0, names=EMOTION_NAMES)
    with pytest.raises(InputError, match="the model must give melodiousness"):
        matched_pairs_test(emotions, SETTINGS, n_pairs=1)
    with pytest.raises(InputError, match="n must be"):
        wilson_interval(0, 0)
