"""Windows that are scored together have the scores that they have alone."""

import numpy as np
import pytest
from fakes import tiny_checkpoint, tones

from emomod.audio import SAMPLE_RATE
from emomod.errors import EmomodError, InputError
from emomod.model.engines import ENGINES
from emomod.model.listening import score_windows
from emomod.model.other import Model
from emomod.model.predictor import load_predictor, score_waveform


def windows(n, *, seconds=1.0):
    return [(float(index), tones(seconds, seed=index)) for index in range(n)]


class Loudness:
    """A model that counts the sounds it is given at a time."""

    def __init__(self):
        self.batches = []

    def __call__(self, waveforms):
        self.batches.append(len(waveforms))
        return np.abs(waveforms).mean(axis=1, keepdims=True)


def loudness(**about):
    return Model(Loudness(), names=("loud",), **about)


@pytest.mark.parametrize("engine", [name for name in ENGINES if name not in ("tf32", "bfloat16")])
def test_score_windows_against_score_waveform(tmp_path, engine):
    predictor = load_predictor(tiny_checkpoint(tmp_path / "t.safetensors"), device="cpu", engine=engine)
    given = [*windows(18), (18.0, tones(0.6))]
    found = list(score_windows(predictor, given))
    alone = np.array([score_waveform(predictor, y) for _, y in given])
    assert [start for start, _, _ in found] == [start for start, _ in given]
    assert [seconds for _, seconds, _ in found] == [1.0] * 18 + [0.6]
    scores = np.array([row for _, _, row in found])
    if engine == "network":  # its libraries choose ways to compute by the size of a batch
        np.testing.assert_allclose(scores, alone, atol=1e-6)
    else:
        np.testing.assert_array_equal(scores, alone)


@pytest.mark.parametrize("takes", ("waveform", "spectrogram"))
def test_score_windows_against_score_waveform_models_of_users(takes):
    scorer = (lambda sounds: sounds.mean(axis=(1, 2))[:, None]) if takes == "spectrogram" else Loudness()
    model = Model(scorer, names=("loud",), takes=takes, sample_rate=SAMPLE_RATE)
    given = windows(5)
    found = np.array([row for _, _, row in score_windows(model, given)])
    np.testing.assert_allclose(found, [score_waveform(model, y) for _, y in given], rtol=1e-6)


def test_score_windows_against_theory_sixteen_at_a_time_other_lengths_by_themselves():
    model = loudness()
    list(score_windows(model, [*windows(37), (37.0, tones(0.7)), *windows(2)]))
    assert model.scorer.batches == [16, 16, 5, 1, 2]


def test_score_windows_against_theory_fewer_at_a_time_where_windows_are_long():
    model = loudness(window_seconds=300.0)
    noise = np.random.default_rng(440).uniform(-0.5, 0.5, 70 * SAMPLE_RATE).astype(np.float32)
    list(score_windows(model, [(0.0, noise)] * 3))
    list(score_windows(model, [(0.0, np.tile(noise, 3))] * 2))
    assert model.scorer.batches == [2, 1, 1, 1]


def test_score_windows_against_theory_a_long_file_is_not_held_in_memory():
    taken = []

    def taking():
        for window in windows(50):
            taken.append(window)
            yield window

    next(score_windows(loudness(), taking()))
    assert len(taken) <= 17


def test_score_windows_iv():
    with pytest.raises(InputError, match="must not be silent"):
        list(score_windows(loudness(), [*windows(1), (1.0, np.zeros(SAMPLE_RATE, np.float32))]))
    with pytest.raises(EmomodError, match=r"scores of shape \(3, 1\), got \(1, 1\)"):
        list(score_windows(Model(lambda sounds: sounds[:1, :1], names=("first",)), windows(3)))
    assert list(score_windows(loudness(), [])) == []
