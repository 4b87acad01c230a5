from typing import cast

import numpy as np
import pytest
import torch
from fakes import grid_components, shared, tones
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.segmentation import felzenszwalb

from emomod.audio import read_clip
from emomod.components.base import Components, Layers, sound_of
from emomod.components.kinds import cut
from emomod.components.layered import layered
from emomod.components.off import NAMED, off_gain, switched
from emomod.errors import InputError
from emomod.rescoring import snr_db
from emomod.spectrogram import band_energies, band_frequencies, band_magnitudes, compute_spectrogram, stft

SPECTRUM = compute_spectrogram(tones(2.0))


@pytest.fixture(scope="module")
def sound():
    y = tones(2.0)
    return y, cut(sound_of(y))


def test_the_default_against_the_paper(sound):
    _, components = sound
    image = SPECTRUM.log_spectrogram.double().numpy()
    expected = felzenszwalb(image / np.abs(image).max(), scale=25, min_size=40)
    assert np.array_equal(components.regions, expected)
    counts = np.bincount(components.regions.ravel())
    assert counts.size == components.n_components > 5
    assert counts.min() >= 40


@pytest.mark.parametrize("start", (0.0, 2.5, 5.0))
def test_the_default_against_the_published_number(start):
    clip = read_clip(shared("clips/soundtracks_set1_001.mp3"), start=start)
    components = cut(sound_of(clip.y))
    assert components.shape == (149, 313)
    assert components.n_components == pytest.approx(305, abs=15)  # the notebook does not say which 10 s


def test_mix_against_theory(sound, rng):
    _, components = sound
    gains = rng.uniform(0, 2, (3, components.n_components))
    spectrum = SPECTRUM.log_spectrogram.double().numpy()
    expected = np.log10(1 + gains[:, components.regions] * (10**spectrum - 1))
    np.testing.assert_allclose(components.mix(torch.from_numpy(gains)), expected, atol=1e-6)


def test_mix_against_theory_on_is_the_sound_and_off_is_silence(sound):
    _, components = sound
    on_off = torch.stack([torch.ones(components.n_components), torch.zeros(components.n_components)])
    on, off = components.mix(on_off)
    np.testing.assert_allclose(on, SPECTRUM.log_spectrogram, atol=1e-6)
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
    y = components.render(gains) / components.peak
    return torch.log10(1 + band_magnitudes(stft(y)[:, : components.shape[1]])).numpy()


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
    original = SPECTRUM.log_spectrogram.numpy()
    for component in rng.choice(components.n_components, 5, replace=False):
        gains = np.where(np.arange(ones.size) == component, 2.0, 1.0)
        mixed = components.mix(torch.from_numpy(gains)[None])[0].numpy() - original
        rendered = heard(components, gains) - original
        inside = components.regions == component
        assert rendered[inside].sum() == pytest.approx(
            mixed[inside].sum(), rel=0.35
        )  # neighbours share bins and frames
        assert np.abs(rendered[inside]).mean() > 5 * np.abs(rendered[~inside]).mean()


def test_energies_against_theory(sound):
    _, components = sound
    cells = band_energies(SPECTRUM.transform[:, : SPECTRUM.shape[1]]).numpy()
    energies = components.energies()
    assert energies.shape == (components.n_components,)
    assert energies.sum() == pytest.approx(cells.sum(), rel=1e-12)
    assert energies[3] == pytest.approx(cells[components.regions == 3].sum(), rel=1e-12)


def test_locations_against_theory():
    components = grid_components(1.0, rows=4, columns=3)
    locations = components.locations()
    assert len(locations) == 12
    bands, hop_seconds = band_frequencies(), 704 / 22050
    for label, location in enumerate(locations):
        rows, frames = np.nonzero(components.regions == label)
        assert (location.low, location.high) == (bands[rows[0]], bands[rows[-1]])
        assert location.start == pytest.approx(frames.min() * hop_seconds)
        assert location.end == pytest.approx(frames.max() * hop_seconds)
        assert location.start <= location.centre <= location.end


def test_locations_against_theory_the_centre_is_where_the_energy_is():
    y = np.zeros(22050, dtype=np.float32)
    y[15000:15200] = 0.5  # a click at 0.68 s
    (location,) = layered(sound_of(y)).locations()
    assert location.centre == pytest.approx(15100 / 22050, abs=0.02)


def test_layered_iv(sound):
    y, components = sound
    with pytest.raises(InputError, match=r"must have the spectrogram's shape \(149, 62\)"):
        layered(sound_of(y), regions=components.regions[:, 1:])
    with pytest.raises(InputError, match="without gaps"):
        layered(sound_of(y), regions=components.regions * 2)
    with pytest.raises(InputError, match=r"floor must have shape \(1, 149, 62\), got \(149, 62\)"):
        components.above(np.zeros((149, 62), dtype=np.float32))
    for gains, message in (
        (np.ones(3), r"gains must have shape \[\d+\], one a component, got \[3\]"),
        (-np.ones(components.n_components), "finite amplitude factors >= 0"),
        (np.full(components.n_components, np.nan), "finite amplitude factors >= 0"),
    ):
        with pytest.raises(InputError, match=message):
            components.render(gains)


@pytest.mark.parametrize("kind", (float, np.int32, list))
def test_layered_against_itself_labels_of_any_kind(sound, kind):
    y, components = sound
    labels = components.regions.tolist() if kind is list else components.regions.astype(kind)
    same = layered(sound_of(y), regions=labels)
    assert np.array_equal(same.regions, components.regions)
    assert same.regions.dtype == np.intp
    np.testing.assert_array_equal(same.energies(), components.energies())


# ---- several layers --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sources():
    return np.array([0.5 * tones(2.0, seed=seed) for seed in range(3)], dtype=np.float32)


@pytest.fixture(scope="module")
def rest(sources):
    return (1e-3 * np.random.default_rng(1).standard_normal(sources.shape[1])).astype(np.float32)


def of_sources(sources, rest, n_stretches):
    """Sources in equal stretches of time."""
    whole = sound_of(sources.sum(axis=0) + rest)
    peak = np.float32(whole.spectrogram.peak)
    layers = Layers(("a", "b", "c"), torch.stack([stft(y / peak) for y in sources]), False, rest=stft(rest / peak))
    n_bands, n_frames = whole.spectrogram.shape
    return layered(whole, layers=layers, regions=np.tile(np.arange(n_frames) * n_stretches // n_frames, (n_bands, 1)))


@pytest.fixture(scope="module")
def stems(sources, rest):
    return of_sources(sources, rest, 4)


def test_unit_gains_of_sources_against_theory(stems, sources, rest):
    whole = sources.sum(axis=0) + rest
    assert stems.n_components == 12
    assert snr_db(whole, stems.render(np.ones(12))) > 100
    for each in stems.mix(torch.ones(2, 12)):
        np.testing.assert_allclose(each, compute_spectrogram(whole).log_spectrogram, atol=1e-5)


def test_zero_gains_of_sources_against_theory_leave_the_rest(stems, rest):
    assert snr_db(rest, stems.render(np.zeros(12))) > 80


def test_gains_of_whole_sources_against_theory(stems, sources, rest):
    gains = np.repeat([0.0, 1.0, 0.5], 4)
    truth = sources[1] + 0.5 * sources[2] + rest
    assert snr_db(truth, stems.render(gains)) > 100
    peak = np.abs(sources.sum(axis=0) + rest).max()
    loud = compute_spectrogram(truth)
    (mixed,) = stems.mix(torch.from_numpy(gains)[None])
    scaled = torch.log10(1 + (10**loud.log_spectrogram - 1) * loud.peak / peak)  # the mixture keeps its level
    np.testing.assert_allclose(mixed, scaled, atol=1e-5)


def test_gains_of_stretches_against_theory(stems, sources, rest):
    gains = np.ones(12)
    gains[4 + 2] = 0.0  # the second source in its third stretch: 1.0 to 1.5 s
    found, whole = stems.render(gains), sources.sum(axis=0) + rest
    inside, outside = slice(int(1.1 * 22050), int(1.4 * 22050)), np.r_[: int(0.9 * 22050), int(1.6 * 22050) : 44100]
    assert snr_db((whole - sources[1])[inside], found[inside]) > 100
    assert snr_db(whole[outside], found[outside]) > 100


def test_energies_and_locations_of_sources_against_theory(stems, sources, rest):
    energies = stems.energies().reshape(3, 4)
    for source, found in zip(sources, energies, strict=True):
        alone = layered(sound_of(source), regions=stems.regions).energies()
        np.testing.assert_allclose(found / found.sum(), alone / alone.sum(), rtol=1e-4)
    found = stems.locations()
    assert [place.part for place in found] == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    assert [place.start for place in found[:4]] == pytest.approx([0.0, 0.5, 1.0, 1.5], abs=0.05)
    assert all(place.start <= place.centre <= place.end for place in found)
    assert (found[0].low, found[0].high) == (band_frequencies()[0], band_frequencies()[-1])


@pytest.mark.parametrize("components", ("sound", "stems"))
def test_sound_against_render_and_its_gradient_against_theory(components, request, rng):
    components = request.getfixturevalue(components)
    components = components[1] if isinstance(components, tuple) else components
    gains = torch.from_numpy(rng.uniform(0, 2, (3, components.n_components)).astype(np.float32)).requires_grad_()
    sounds = components.sound(gains)
    for row, y in zip(gains.detach().numpy(), sounds.detach().numpy(), strict=True):
        np.testing.assert_allclose(components.render(row), y, atol=1e-6)
    (slope,) = torch.autograd.grad(sounds[0] @ torch.linspace(-1, 1, sounds.shape[1]), gains)
    up = np.zeros(components.n_components)
    up[1] = 1.0  # sounds are linear in the gains, so that a difference of any size is the derivative
    row = gains.detach().numpy()[0]
    difference = (components.render(row + up) - components.render(row)) @ np.linspace(-1, 1, sounds.shape[1])
    assert float(slope[0, 1]) == pytest.approx(difference, rel=1e-3, abs=1e-3)
    assert not slope[1:].any()


def test_shares_against_theory(sound, stems):
    _, components = sound
    assert np.array_equal(components.shares().toarray().argmax(axis=0).reshape(components.shape), components.regions)
    assert components.shares().nnz == components.regions.size
    shares = stems.shares().toarray()
    assert shares.shape == (12, stems.regions.size)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, atol=3e-3)  # of a cell; what is below a thousandth is left out
    column = int(np.flatnonzero(stems.regions.ravel() == 2)[100])
    assert set(np.flatnonzero(shares[:, column])) <= {2, 6, 10}


# ---- off -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("off", "gain"),
    (*((name, 0.0) for name in NAMED), ("-6dB", 10**-0.3), ("-12 dB", 10**-0.6), ("-0.5dB", 10**-0.025), ("20dB", 0.1)),
)
def test_off_gain_against_theory(off, gain):
    assert off_gain(off) == pytest.approx(gain, rel=1e-12)


@pytest.mark.parametrize("off", ("+6dB", "-0dB", "-0.0dB", "-6", "quiet", "", "-infdB", None, -6.0))
def test_off_gain_iv(off):
    with pytest.raises(InputError, match='off must be a cut in dB such as "-6dB", or silence, mean,'):
        off_gain(off)


@pytest.mark.parametrize("off", NAMED)
def test_switched_against_theory_on_is_the_sound_and_off_is_the_floor(sound, off):
    y, components = sound
    cut_off, low = switched(components, off)
    n = components.n_components
    on, out = cut_off.mix(torch.tensor([[1.0] * n, [low] * n]))
    np.testing.assert_allclose(on, SPECTRUM.log_spectrogram, atol=1e-6)
    np.testing.assert_allclose(cut_off.render(np.ones(n)), y, atol=1e-6)
    magnitudes = 10 ** SPECTRUM.log_spectrogram.double().numpy() - 1
    floors = {
        "silence": np.zeros_like(magnitudes),
        "noise_floor": np.minimum(magnitudes, np.quantile(magnitudes, 0.1, axis=1, keepdims=True)),
        "background": np.minimum(10 * magnitudes, np.median(magnitudes, axis=1, keepdims=True)),
        "mean": np.minimum(10 * magnitudes, 10 ** means(components.regions) - 1),
    }
    np.testing.assert_allclose(10 ** out.double().numpy() - 1, floors[off], rtol=1e-4, atol=1e-4)


def means(regions):
    """The mean log magnitude of each cell's region."""
    logs = SPECTRUM.log_spectrogram.double().numpy()
    return np.vectorize(lambda label: logs[regions == label].mean())(np.arange(regions.max() + 1))[regions]


def test_switched_against_theory_halfway_is_the_mean_of_both(sound):
    _, components = sound
    replaced, _ = switched(components, "background")
    n = components.n_components
    off, half, on = (10 ** replaced.mix(torch.full((1, n), gain)).double() - 1 for gain in (0.0, 0.5, 1.0))
    torch.testing.assert_close(half, (off + on) / 2, rtol=1e-4, atol=1e-4)


def test_switched_against_itself_what_is_heard_is_what_is_scored(sound):
    _, components = sound
    replaced, _ = switched(components, "background")
    gains = np.zeros(components.n_components)
    mixed = replaced.mix(torch.from_numpy(gains)[None])[0].numpy()
    error = np.abs(heard(replaced, gains) - mixed)[:, 3:-3]
    assert error.mean() < 0.05  # log10 units; gains that differ from cell to cell smear


def test_switched_iv():
    own = cast(Components, object())
    assert switched(own, "-6dB")[1] == pytest.approx(0.5012, abs=1e-4)
    with pytest.raises(InputError, match="must be silence or a cut in dB for components of your own, got 'mean'"):
        switched(own, "mean")


@pytest.mark.parametrize("off", NAMED)
def test_switched_against_theory_a_gain_above_one_is_never_below_nothing(sound, off):
    _, components = sound
    replaced, _ = switched(components, off)
    assert torch.isfinite(replaced.mix(torch.full((1, components.n_components), 1.6))).all()
