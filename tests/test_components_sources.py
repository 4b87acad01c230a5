"""Sources over time as components."""

import numpy as np
import pytest
import torch
from fakes import linear_predict, tones
from numpy.testing import assert_allclose

from emomod.components.sources import cut_sources
from emomod.errors import InputError
from emomod.mixtures import score_mixtures
from emomod.rescoring import snr_db
from emomod.spectrogram import band_frequencies, compute_spectrogram


@pytest.fixture(scope="module")
def sources():
    return np.array([0.5 * tones(2.0, seed=seed) for seed in range(3)], dtype=np.float32)


@pytest.fixture(scope="module")
def rest(sources):
    return (1e-3 * np.random.default_rng(1).standard_normal(sources.shape[1])).astype(np.float32)


@pytest.fixture(scope="module")
def components(sources, rest):
    return cut_sources(["a", "b", "c"], sources, n_segments=4, rest=rest)


def test_unit_gains_against_theory(components, sources, rest):
    whole = sources.sum(axis=0) + rest
    assert components.n_components == 12
    assert snr_db(whole, components.render(np.ones(12))) > 100
    mixed = components.mix(torch.ones(2, 12))
    for each in mixed:
        assert_allclose(each, compute_spectrogram(whole).log_spectrogram, atol=1e-5)


def test_gains_of_whole_sources_against_theory(components, sources, rest):
    gains = np.repeat([0.0, 1.0, 0.5], 4)
    truth = sources[1] + 0.5 * sources[2] + rest
    assert snr_db(truth, components.render(gains)) > 100
    peak = np.abs(sources.sum(axis=0) + rest).max()
    loud = compute_spectrogram(truth)
    (mixed,) = components.mix(torch.from_numpy(gains)[None])
    scaled = torch.log10(1 + (10**loud.log_spectrogram - 1) * loud.peak / peak)  # the mixture keeps its level
    assert_allclose(mixed, scaled, atol=1e-5)


def test_gains_of_stretches_against_theory(components, sources, rest):
    gains = np.ones(12)
    gains[4 + 2] = 0.0  # the second source in its third stretch: 1.0 to 1.5 s
    found, whole = components.render(gains), sources.sum(axis=0) + rest
    inside, outside = slice(int(1.1 * 22050), int(1.4 * 22050)), np.r_[: int(0.9 * 22050), int(1.6 * 22050) : 44100]
    assert snr_db((whole - sources[1])[inside], found[inside]) > 100
    assert snr_db(whole[outside], found[outside]) > 100


def test_energies_and_locations_against_theory(components, sources):
    energies = components.energies().reshape(3, 4)
    for source, found in zip(sources, energies, strict=True):
        alone = cut_sources(["x"], source[None], n_segments=4)
        assert_allclose(found / found.sum(), alone.energies() / alone.energies().sum(), rtol=1e-5)
    found = components.locations()
    assert len(found) == 12
    assert [place.start for place in found[:4]] == pytest.approx([0.0, 0.5, 1.0, 1.5], abs=0.05)
    assert all(place.start <= place.centre <= place.end for place in found)
    assert (found[0].low, found[0].high) == (band_frequencies()[0], band_frequencies()[-1])


def test_one_source_against_segments_of_all_bands(sources):
    """One source cut in time is the sound with all bands of a stretch in one component."""
    components = cut_sources(["all"], sources[:1], n_segments=3)
    predict = linear_predict_of(components)
    gains = np.random.default_rng(0).random((4, 3))
    assert_allclose(score_mixtures(predict, components, gains), gains @ np.ones((3, 7)) * 1.0, rtol=1e-4)


def linear_predict_of(components):
    """A model whose scores go up by 1 with each stretch."""

    class Grid:
        segments = np.tile(components._segments.numpy(), (149, 1))
        n_components = components.n_components
        spectrogram = compute_spectrogram(components.render(np.ones(components.n_components)))

    return linear_predict(Grid, np.ones((7, components.n_components)))


def test_sources_iv(sources, rest):
    with pytest.raises(InputError, match=r"names must be 3, one a source and none twice, got \['a', 'b'\]"):
        cut_sources(["a", "b"], sources)
    with pytest.raises(InputError, match="none twice"):
        cut_sources(["a", "b", "a"], sources)
    with pytest.raises(InputError, match=r"must be of one length, got \[44100, 44100, 44100, 100\]"):
        cut_sources(["a", "b", "c"], sources, rest=rest[:100])
    with pytest.raises(InputError, match=r"must be of one length, got \[44100, 100, 44100\]"):
        cut_sources(["a", "b"], [sources[0], sources[1, :100]])
    with pytest.raises(InputError, match="n_segments must be at most 62, the frames, got 63"):
        cut_sources(["a", "b", "c"], sources, n_segments=63)
    with pytest.raises(InputError, match="must not be silent"):
        cut_sources(["a"], 0 * sources[:1])
    with pytest.raises(InputError, match="sources must be finite"):
        cut_sources(["a"], np.full((1, 4000), np.nan, dtype=np.float32))
    with pytest.raises(InputError, match=r"gains must have shape \[3\]"):
        cut_sources(["a", "b", "c"], sources).render(np.ones(4))
