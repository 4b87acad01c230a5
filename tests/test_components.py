import numpy as np
import pytest
import torch
from fakes import grid_components, shared, tones
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.segmentation import felzenszwalb

from emomod.audio import read_clip
from emomod.components.segments import SegmentComponents, cut_segments, felzenszwalb_segments
from emomod.errors import InputError
from emomod.spectrogram import band_frequencies, cell_energies, compute_spectrogram, log_magnitude, stft


@pytest.fixture(scope="module")
def sound():
    y = tones(2.0)
    return y, cut_segments(compute_spectrogram(y))


def test_felzenszwalb_segments_against_the_paper(sound):
    _, components = sound
    image = components.spectrogram.log_spectrogram.double().numpy()
    expected = felzenszwalb(image / np.abs(image).max(), scale=25, min_size=40)
    assert np.array_equal(felzenszwalb_segments(components.spectrogram.log_spectrogram), expected)
    assert np.array_equal(components.segments, expected)
    counts = np.bincount(components.segments.ravel())
    assert counts.size == components.n_components > 5
    assert counts.min() >= 40


@pytest.mark.parametrize("start", (0.0, 2.5, 5.0))
def test_felzenszwalb_segments_against_the_published_number(start):
    clip = read_clip(shared("clips/soundtracks_set1_001.mp3"), start=start)
    spectrogram = compute_spectrogram(clip.y)
    assert spectrogram.shape == (149, 313)
    assert cut_segments(spectrogram).n_components == pytest.approx(305, abs=15)  # the notebook does not say which 10 s


def test_mix_against_theory(sound, rng):
    _, components = sound
    gains = rng.uniform(0, 2, (3, components.n_components))
    spectrum = components.spectrogram.log_spectrogram.double().numpy()
    expected = np.log10(1 + gains[:, components.segments] * (10**spectrum - 1))
    np.testing.assert_allclose(components.mix(torch.from_numpy(gains)), expected, atol=1e-6)


def test_mix_against_theory_on_is_the_sound_and_off_is_silence(sound):
    _, components = sound
    on_off = torch.stack([torch.ones(components.n_components), torch.zeros(components.n_components)])
    on, off = components.mix(on_off)
    np.testing.assert_allclose(on, components.spectrogram.log_spectrogram, atol=1e-6)
    assert not off.any()


def test_mix_against_itself_batches_do_not_matter(sound, rng):
    _, components = sound
    gains = torch.from_numpy(rng.uniform(0, 2, (9, components.n_components)))
    kept = gains.clone()
    one_by_one = torch.cat([components.mix(row[None]) for row in gains])
    assert torch.equal(components.mix(gains), one_by_one)
    assert torch.equal(gains, kept)  # the caller's gains are left alone


def test_render_against_theory_on_is_the_sound_and_off_is_silence(sound):
    y, components = sound
    ones = np.ones(components.n_components)
    np.testing.assert_allclose(components.render(ones), y, atol=1e-6)
    assert not components.render(0 * ones).any()


@given(seed=st.integers(0, 999))
@settings(max_examples=20)
def test_render_against_theory_a_sound_is_the_sum_of_its_components(sound, seed):
    y, components = sound
    chosen = np.random.default_rng(seed).random(components.n_components) < 0.5
    np.testing.assert_allclose(components.render(chosen) + components.render(~chosen), y, atol=1e-5)


def heard(components, gains):
    """The log spectrogram of what ``render`` gives, on the scale of ``mix`` (not normalised to its own peak)."""
    y = components.render(gains) / components.spectrogram.peak
    return log_magnitude(stft(y)[:, : components.spectrogram.shape[1]]).numpy()


@given(gains=st.lists(st.sampled_from((0.25, 0.5, 1.0, 2.0)), min_size=4, max_size=4))
@settings(max_examples=20)
def test_render_against_mix_for_changes_of_broad_bands(gains):
    components = grid_components(rows=4, columns=1)
    mixed = components.mix(torch.tensor([gains]))[0].numpy()
    error = np.abs(heard(components, np.array(gains)) - mixed)[:, 3:-3]  # a sound that begins at once is in all bands
    assert error.mean() < 0.01  # log10 units; bands beside an edge share bins
    assert np.quantile(error, 0.95) < 0.05


def test_render_against_mix_for_single_components(sound, rng):
    _, components = sound
    ones = np.ones(components.n_components)
    original = components.spectrogram.log_spectrogram.numpy()
    for component in rng.choice(components.n_components, 5, replace=False):
        gains = np.where(np.arange(ones.size) == component, 2.0, 1.0)
        mixed = components.mix(torch.from_numpy(gains)[None])[0].numpy() - original
        rendered = heard(components, gains) - original
        inside = components.segments == component
        assert rendered[inside].sum() == pytest.approx(
            mixed[inside].sum(), rel=0.35
        )  # neighbours share bins and frames
        assert np.abs(rendered[inside]).mean() > 5 * np.abs(rendered[~inside]).mean()


def test_energies_against_theory(sound):
    _, components = sound
    cells = cell_energies(components.spectrogram)
    energies = components.energies()
    assert energies.shape == (components.n_components,)
    assert energies.sum() == pytest.approx(cells.sum(), rel=1e-12)
    assert energies[3] == pytest.approx(cells[components.segments == 3].sum(), rel=1e-12)


def test_locations_against_theory():
    components = grid_components(1.0, rows=4, columns=3)
    locations = components.locations()
    assert len(locations) == 12
    bands, hop_seconds = band_frequencies(), 704 / 22050
    for label, location in enumerate(locations):
        rows, frames = np.nonzero(components.segments == label)
        assert (location.low, location.high) == (bands[rows[0]], bands[rows[-1]])
        assert location.start == pytest.approx(frames.min() * hop_seconds)
        assert location.end == pytest.approx(frames.max() * hop_seconds)
        assert location.start <= location.centre <= location.end


def test_locations_against_theory_the_centre_is_where_the_energy_is():
    y = np.zeros(22050, dtype=np.float32)
    y[15000:15200] = 0.5  # a click at 0.68 s
    spectrogram = compute_spectrogram(y)
    location = SegmentComponents(spectrogram, np.zeros(spectrogram.shape, dtype=int)).locations()[0]
    assert location.centre == pytest.approx(15100 / 22050, abs=0.02)


def test_segment_components_iv(sound):
    _, components = sound
    spectrogram, segments = components.spectrogram, components.segments
    with pytest.raises(InputError, match=r"must have the spectrogram's shape \(149, 62\)"):
        SegmentComponents(spectrogram, segments[:, 1:])
    with pytest.raises(InputError, match="without gaps"):
        SegmentComponents(spectrogram, segments * 2)
    for gains, message in (
        (np.ones(3), r"gains must have shape \[\d+\], one a component, got \[3\]"),
        (-np.ones(components.n_components), "finite amplitude factors >= 0"),
        (np.full(components.n_components, np.nan), "finite amplitude factors >= 0"),
    ):
        with pytest.raises(InputError, match=message):
            components.render(gains)


@pytest.mark.parametrize("kind", (float, np.int32, list))
def test_segment_components_against_itself_labels_of_any_kind(sound, kind):
    _, components = sound
    labels = components.segments.tolist() if kind is list else components.segments.astype(kind)
    same = SegmentComponents(components.spectrogram, labels)
    assert np.array_equal(same.segments, components.segments)
    assert same.segments.dtype == np.intp
    np.testing.assert_array_equal(same.energies(), components.energies())
