"""Explanations must give a classifier away that listens to the drums."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emomod.attribution.lime import LimeSettings
from emomod.corpus.render import open_studio
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.model.predictor import Takes
from evaluation import confounder
from evaluation.cases import cut_stems
from evaluation.confounder import GUITARS, PIANOS, ConfounderSettings, draw_clips, judge, train_classifier

SETTINGS = ConfounderSettings(
    n_training=32, n_bad=6, seconds=2.0, synthesiser="numpy", epochs=2, n_segments=2,
    lime=LimeSettings(n_perturbations=64, n_held_out=16, off="silence"),
)  # fmt: skip
KINDS = [(False, False), (False, True), (True, False), (True, True)]


@pytest.fixture(scope="module")
def studio():
    return open_studio(CorpusSettings(1, synthesiser="numpy"))


@pytest.fixture(scope="module")
def clips(studio):
    return draw_clips(SETTINGS, KINDS * 4, studio=studio, stream=7)


class Listens:
    """A classifier that hears how much of one part is there."""

    names, mid_to_emotion, device = ("guitar",), None, torch.device("cpu")
    takes: Takes = "spectrogram"

    def __init__(self, part):
        self.part = part  # a log magnitude of the part alone, at its place

    def __call__(self, spectrograms):
        template = (10.0**self.part - 1.0)[None]
        magnitudes = 10.0**spectrograms - 1.0
        return (torch.minimum(magnitudes, template).sum(dim=(1, 2)) / template.sum())[:, None]


def test_clips_against_theory(clips):
    for clip, (guitar, drums) in zip(clips, KINDS * 4, strict=True):
        assert (clip.guitar, clip.drums) == (guitar, drums)
        assert clip.stems.names == ("harmony", "bass", *(["drums"] if drums else []))
        assert all(np.abs(part).max() > 0 for part in clip.stems.parts)
    assert set(GUITARS).isdisjoint(PIANOS)


def test_clips_against_themselves(clips, studio):
    again = draw_clips(SETTINGS, KINDS, studio=studio, stream=7)
    assert all(np.array_equal(a.stems.mix, b.stems.mix) for a, b in zip(clips, again, strict=False))
    other = draw_clips(SETTINGS, KINDS[:1], studio=studio, stream=8)
    assert not np.array_equal(other[0].stems.mix, clips[0].stems.mix)


@pytest.mark.parametrize("part", ["drums", "harmony"])
def test_the_part_that_a_classifier_listens_to_is_found_against_theory(clips, part):
    for clip in [clip for clip in clips if clip.drums]:
        components = cut_stems(clip.stems, n_stretches=2)
        gains = np.repeat([float(name == part) for name in clip.stems.names], 2)
        alone = components.mix(torch.from_numpy(gains)[None])[0]
        (row,) = judge(Listens(alone), [clip], SETTINGS)
        assert row["chance_of_guitar"] > 0.9
        assert row["highest"] == part


def test_training_and_evaluation_against_themselves(clips):
    first, second = (train_classifier(clips, SETTINGS) for _ in range(2))
    assert torch.equal(first.head.weight, second.head.weight)
    rows = confounder.evaluate(SETTINGS)
    assert [row["classifier"] for row in rows] == ["confounded"] * 6 + ["clean"] * 6
    for row in rows:
        assert row["drums"]
        assert not row["guitar"]
        assert row["confounder_first"] == (row["highest"] == "drums")
        assert row["confounder_loudest"] == (row["loudest"] == "drums")
        assert row["fooled"] == (row["chance_of_guitar"] > 0.5)


def test_confounder_iv(clips):
    with pytest.raises(InputError, match="clips must have both guitars and pianos"):
        train_classifier(clips[:2], SETTINGS)
    with pytest.raises(InputError, match="n_training must be a whole number of at least 16, got 8"):
        replace(SETTINGS, n_training=8)
    with pytest.raises(InputError, match=r"seconds must be a finite number in 2\.\.60"):
        replace(SETTINGS, seconds=1.0)
