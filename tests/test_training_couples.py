"""Counterfactual pairs in training: shown together, and their difference learnt by itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emomod.errors import InputError
from emomod.labelled_clips import LabelledClips
from emomod.labels import MIDLEVEL_NAMES
from emomod.training import fit as fit_module
from emomod.training.couples import couple_numbers, coupled, couples_loss, units_to_show
from emomod.training.fit import fit_network, order_of_round
from emomod.training.settings import TrainingSettings

TINY = TrainingSettings(width=0.05, rounds=1, round_clips=32, batch_size=8, window_seconds=1.0)
NAMES = ("", "", "a", "a", "", "b", "b")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def test_couples_against_theory():
    numbers = couple_numbers(NAMES)
    assert (numbers < 0).tolist() == [name == "" for name in NAMES]
    assert numbers[2] == numbers[3] != numbers[5] == numbers[6]
    assert couple_numbers(("x", "x")).tolist() == [0, 0]


def test_clips_of_a_couple_are_shown_one_after_the_other():
    numbers = couple_numbers(NAMES)
    units = units_to_show(np.array([0, 2, 3, 4, 5]), numbers)
    assert [unit.tolist() for unit in units] == [[0], [4], [2, 3], [5]]
    shown = order_of_round(units, replace(TINY, round_clips=8), 0).ravel()
    places = shown.tolist()[:5]
    assert sorted(places) == [0, 2, 3, 4, 5]
    assert places.index(3) == places.index(2) + 1


@pytest.mark.parametrize(
    ("batch", "pairs"),
    [([0, 1, 4], []), ([2, 3], [(0, 1)]), ([2, 5, 3, 6, 0], [(0, 2), (1, 3)]), ([2, 5, 2], [(0, 2)])],
)
def test_whole_couples_of_a_batch_against_theory(batch, pairs):
    first, second = coupled(couple_numbers(NAMES)[batch])
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == pairs


def pairs_of_clips(n=40):
    """Couples of clips of noise with random labels."""
    rng, names = np.random.default_rng(440), tuple(map(str, range(2 * n)))
    couples = tuple(str(k // 2) for k in range(2 * n))
    return LabelledClips(
        names, couples, rng.random((2 * n, 149, 32)).astype(np.float16), rng.random((2 * n, 15)), couples
    )


def test_training_shows_couples_together_and_learns_from_their_loss(tmp_path, monkeypatch):
    batches = []

    def recorded(scores, labels, couples, **options):
        batches.append(couples)
        return couples_loss(scores, labels, couples, **options)

    monkeypatch.setattr(fit_module, "couples_loss", recorded)
    weights = []
    for weight in (0.0, 2.0):
        settings = replace(TINY, couple_weight=weight)
        found = fit_network(pairs_of_clips(), settings, state_path=tmp_path / f"{weight}.state", device="cpu")
        weights.append(found.network.head.weight)
    assert [len(coupled(couples)[0]) for couples in batches] == [4] * len(batches)  # every clip beside its other
    assert len(batches) == 2 * TINY.steps_a_round
    assert not torch.equal(*weights)


def test_loss_of_couples_against_theory_only_differences_count():
    labels = torch.rand(4, 7)
    apart, numbers = torch.tensor([[0.1], [-0.1], [0.0], [0.0]]), np.array([3, 3, 5, -1])

    def loss(scores, couples=numbers):
        return couples_loss(scores, labels, couples, names=MIDLEVEL_NAMES, variant="a2mid2e").item()

    assert loss(labels + 0.4) == pytest.approx(0.0, abs=1e-12)
    assert loss(labels + apart) == pytest.approx(0.2**2, rel=1e-5)
    assert loss(labels + apart, np.array([3, 4, 5, -1])) == 0.0


def test_couples_iv():
    clips = pairs_of_clips(4)
    with pytest.raises(InputError, match="couples must be none or as many as the 8 clips, got 3"):
        replace(clips, couples=("a", "a", ""))
    assert clips.only([0, 1, 5]).couples == ("0", "0", "2")
