import numpy as np
import pytest
import torch
from fakes import tones
from scipy.optimize import minimize
from scipy.signal import freqz, sosfilt, sosfreqz

from emomod.audio import SAMPLE_RATE
from emomod.errors import InputError
from emomod.spectrogram import N_FFT, band_frequencies, compute_spectrogram, filterbank
from emomod.steering.equaliser import (
    FREQUENCIES,
    FREQUENCY_LIMITS,
    Q_LIMITS,
    EqualisedSound,
    Equaliser,
    band_gains_db,
    bounds,
    response,
    start,
)

BINS = np.arange(N_FFT // 2 + 1) * SAMPLE_RATE / N_FFT
FLAT = np.full(6, 0.5**0.5)


def drawn(rng, max_gain_db=9.0):
    """Parameters [18], uniform within their bounds."""
    return rng.uniform(*bounds(max_gain_db).T)


def alone(section, gain_db, q):
    """An equaliser of which one section has a gain."""
    gains, widths = np.zeros(6), FLAT.copy()
    gains[section], widths[section] = gain_db, q
    return Equaliser(gains, FREQUENCIES, widths)


def analogue(section, gain_db, q, frequencies):
    """Magnitude [n] of the Cookbook's analogue prototypes, with the frequency axis bent by the bilinear transform."""
    bent = np.tan(np.pi * frequencies / SAMPLE_RATE) / np.tan(np.pi * FREQUENCIES[section] / SAMPLE_RATE)
    s, a = 1j * bent, 10.0 ** (gain_db / 40.0)
    edge = s * np.sqrt(a) / q
    if section == 0:
        return np.abs(a * (s**2 + edge + a) / (a * s**2 + edge + 1))
    if section == 5:
        return np.abs(a * (a * s**2 + edge + 1) / (s**2 + edge + a))
    return np.abs((s**2 + s * a / q + 1) / (s**2 + s / (a * q) + 1))


@pytest.mark.parametrize("section", range(6))
@pytest.mark.parametrize(("gain_db", "q"), ((9.0, 0.3), (-9.0, 0.7), (3.0, 6.0), (-20.0, 2.0)))
def test_sections_against_theory_the_analogue_prototypes(section, gain_db, q):
    frequencies = np.geomspace(20.0, 11000.0, 200)
    found = alone(section, gain_db, q).response_db(frequencies)
    np.testing.assert_allclose(found, 20 * np.log10(analogue(section, gain_db, q, frequencies)), atol=1e-6)


@pytest.mark.parametrize("gain_db", (-12.0, 6.0))
def test_sections_against_theory_gains_at_the_ends_and_in_the_middle(gain_db):
    ends = [0.0, SAMPLE_RATE / 2]
    for section, expected in ((0, [gain_db, 0.0]), (2, [0.0, 0.0]), (5, [0.0, gain_db])):
        np.testing.assert_allclose(alone(section, gain_db, FLAT[0]).response_db(ends), expected, atol=1e-6)
        middle = alone(section, gain_db, FLAT[0]).response_db(FREQUENCIES[section : section + 1])
        np.testing.assert_allclose(middle, gain_db if section == 2 else gain_db / 2, atol=1e-6)


def test_gains_of_sections_against_theory_add_up(rng):
    whole = Equaliser(rng.uniform(-9, 9, 6), FREQUENCIES, FLAT)
    parts = [alone(section, gain, FLAT[0]).response_db(BINS) for section, gain in enumerate(whole.gains_db)]
    np.testing.assert_allclose(whole.response_db(BINS), np.sum(parts, axis=0), atol=1e-6)


@pytest.mark.parametrize("max_gain_db", (1.0, 9.0, 40.0))
def test_response_against_scipy(rng, max_gain_db):
    for _ in range(20):
        parameters = drawn(rng, max_gain_db)
        equaliser = Equaliser.from_parameters(parameters, max_gain_db=max_gain_db)
        by_sections = np.prod(
            [freqz(row[:3], row[3:], BINS, fs=SAMPLE_RATE)[1] for row in equaliser.sections()], axis=0
        )
        found = response(torch.from_numpy(parameters)).numpy()
        np.testing.assert_allclose(found, np.abs(by_sections), rtol=1e-8)
        np.testing.assert_allclose(found, np.abs(sosfreqz(equaliser.sections(), BINS, fs=SAMPLE_RATE)[1]), rtol=1e-8)
        np.testing.assert_allclose(20 * np.log10(found), equaliser.response_db(BINS), atol=1e-7)


def test_sections_against_theory_are_stable_at_their_bounds(rng):
    corners = np.where(rng.random((200, 18)) < 0.5, *bounds(40.0).T)
    for corner in corners:
        sections = Equaliser.from_parameters(corner, max_gain_db=40.0).sections()
        assert np.abs(np.concatenate([np.roots(row[3:]) for row in sections])).max() < 1.0


def test_no_gain_against_theory_changes_nothing():
    y = tones(1.0)
    np.testing.assert_allclose(response(torch.from_numpy(start())), 1.0, rtol=1e-9)
    np.testing.assert_allclose(band_gains_db(torch.from_numpy(start())), 0.0, atol=1e-6)
    np.testing.assert_allclose(Equaliser.from_parameters(start(), max_gain_db=9.0).apply(y), y, atol=1e-6)
    found = EqualisedSound(y).log_spectrogram(torch.from_numpy(start()))[0]
    np.testing.assert_allclose(found, compute_spectrogram(y).log_spectrogram, atol=1e-4)


def test_apply_against_theory_noise_gets_the_response(rng):
    equaliser = Equaliser.from_parameters(drawn(rng), max_gain_db=9.0)
    click = np.zeros(2 * SAMPLE_RATE, dtype=np.float32)
    click[0] = 1.0
    frequencies = np.fft.rfftfreq(click.size, 1 / SAMPLE_RATE)
    gains = np.abs(np.fft.rfft(equaliser.apply(click).astype(float)))
    np.testing.assert_allclose(20 * np.log10(gains), equaliser.response_db(frequencies), atol=1e-3)

    noise = rng.uniform(-0.5, 0.5, 20 * SAMPLE_RATE).astype(np.float32)
    heard = equaliser.apply(noise)
    assert heard.shape == noise.shape
    assert heard.dtype == np.float32
    energies = [np.abs(np.fft.rfft(y.astype(float))) ** 2 for y in (noise, heard)]
    at = np.fft.rfftfreq(noise.size, 1 / SAMPLE_RATE)
    for low in np.geomspace(50, 8000, 12):
        band = (at >= low) & (at < 1.05 * low)
        expected = np.average(10 ** (equaliser.response_db(at[band]) / 10), weights=energies[0][band])
        assert 10 * np.log10(energies[1][band].sum() / energies[0][band].sum() / expected) == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize(("max_gain_db", "tolerance"), ((9.0, 1e-6), (20.0, 1e-6), (40.0, 1e-3)))
def test_log_spectrogram_against_the_filtered_sound(rng, max_gain_db, tolerance):
    y = tones(2.0)
    equalised = EqualisedSound(y)
    longest = bounds(max_gain_db)[:, 1].copy()  # all gains and Q as high as they go,
    longest[6:12] = bounds(max_gain_db)[6:12, 0]  # all frequencies as low: filters that ring for longest
    for parameters in (longest, *(drawn(rng, max_gain_db) for _ in range(5))):
        heard = Equaliser.from_parameters(parameters, max_gain_db=max_gain_db).apply(y)
        sound = equalised.sound(torch.from_numpy(parameters))[0].numpy()
        assert np.abs(sound - heard).max() < tolerance * np.abs(heard).max()
        expected = compute_spectrogram(heard).log_spectrogram.numpy()
        found = equalised.log_spectrogram(torch.from_numpy(parameters))
        assert found.shape == (1, *expected.shape)
        assert np.abs(found[0].numpy() - expected).max() < tolerance


def test_log_spectrogram_against_single_frames_which_are_not_enough():
    y = tones(2.0)
    narrow = alone(1, 9.0, 6.0)
    heard = narrow.apply(y)
    before, after = compute_spectrogram(y), compute_spectrogram(heard)
    frames = before.transform[:-1, : after.shape[1]].abs().numpy() * before.peak / after.peak
    gains = response(torch.from_numpy(narrow.parameters))[:-1, None].numpy()
    by_frames = np.log10(1 + filterbank().T @ (frames * gains))
    assert np.abs(by_frames - after.log_spectrogram.numpy()).max() > 0.05
    found = EqualisedSound(y).log_spectrogram(torch.from_numpy(narrow.parameters))[0]
    np.testing.assert_allclose(found, after.log_spectrogram, atol=1e-4)


def test_band_gains_against_theory(rng):
    wide = torch.from_numpy(np.concatenate([rng.uniform(-1, 1, 6), np.log2(FREQUENCIES), np.log2(FLAT)]))
    centres = Equaliser.from_parameters(wide.numpy(), max_gain_db=9.0).response_db(band_frequencies())
    np.testing.assert_allclose(band_gains_db(wide), centres, atol=0.05)  # where the response hardly bends in a band
    impulse = np.zeros(SAMPLE_RATE, dtype=np.float32)
    impulse[0] = 1.0  # all bins equally loud
    heard = compute_spectrogram(Equaliser.from_parameters(wide.numpy(), max_gain_db=9.0).apply(impulse))
    before, after = (
        10.0 ** spectrogram.log_spectrogram[:, 0].double().numpy() - 1
        for spectrogram in (compute_spectrogram(impulse), heard)
    )
    np.testing.assert_allclose(
        20 * np.log10(after * heard.peak / before)[30:], band_gains_db(wide)[30:], atol=0.05
    )  # filters ring for less than half a window there


def test_gradients_against_finite_differences(rng):
    equalised = EqualisedSound(tones(0.3))
    cells = torch.from_numpy(rng.normal(size=compute_spectrogram(equalised.y).shape))

    def heard(parameters):
        return (equalised.log_spectrogram(parameters)[0].double() * cells).sum()

    for function in (response, band_gains_db):
        assert torch.autograd.gradcheck(function, torch.from_numpy(drawn(rng)).requires_grad_(), atol=1e-6)
    parameters = torch.from_numpy(drawn(rng)).requires_grad_()
    heard(parameters).backward()
    gradient = np.asarray(parameters.grad)
    steps = 1e-3 * torch.eye(18, dtype=torch.float64)
    with torch.no_grad():
        differences = [float(heard(parameters + step) - heard(parameters - step)) / 2e-3 for step in steps]
    np.testing.assert_allclose(gradient, differences, atol=0.01 * np.abs(gradient).max())  # sounds are float32


def test_an_optimiser_finds_an_equaliser_and_keeps_its_bounds(rng):
    true = Equaliser(np.array([6.0, -4.0, 5.0, 0.0, -6.0, 3.0]), FREQUENCIES * 1.2, FLAT)
    wanted = torch.from_numpy(true.response_db(band_frequencies()))

    def distance(vector):
        parameters = torch.from_numpy(vector).requires_grad_()
        value = (band_gains_db(parameters) - wanted).square().mean()
        value.backward()
        return value.item(), np.asarray(parameters.grad)

    found = minimize(distance, start(), jac=True, method="L-BFGS-B", bounds=bounds(9.0))
    assert found.fun < 0.02 * distance(start())[0]
    near = minimize(distance, start(), jac=True, method="L-BFGS-B", bounds=bounds(2.0))
    narrow = Equaliser.from_parameters(near.x, max_gain_db=2.0)
    assert np.abs(narrow.gains_db).max() == pytest.approx(2.0)  # the bound is felt
    assert (np.abs(narrow.gains_db) <= 2.0 + 1e-9).all()


def test_bounds_against_theory():
    limits = bounds(9.0)
    assert limits.shape == (18, 2)
    assert ((limits[:, 0] < start()) & (start() < limits[:, 1])).all()
    for side in limits.T:
        equaliser = Equaliser.from_parameters(side, max_gain_db=9.0)
        np.testing.assert_allclose(np.abs(equaliser.gains_db), 9.0)
        np.testing.assert_allclose(equaliser.parameters, side, atol=1e-9)
    assert np.all(Equaliser.from_parameters(limits[:, 1], max_gain_db=9.0).frequencies <= FREQUENCY_LIMITS[:, 1])
    np.testing.assert_allclose(FREQUENCIES[[0, -1]], [80.0, 8000.0])
    assert FREQUENCY_LIMITS.max() < SAMPLE_RATE / 2
    assert Q_LIMITS[0].tolist() == [0.3, 6.0]


@pytest.mark.parametrize("index", (0, 7, 17))
def test_parameters_iv_out_of_bounds(index):
    parameters = bounds(9.0)[:, 1].copy()
    parameters[index] += 0.01
    with pytest.raises(InputError, match=rf"parameters\[{index}\] must be in .*, got {parameters[index]:g}"):
        Equaliser.from_parameters(parameters, max_gain_db=9.0)


def test_equaliser_iv():
    with pytest.raises(InputError, match=r"gains_db must have shape \[6\], got \[5\]"):
        Equaliser(np.zeros(5), FREQUENCIES, FLAT)
    with pytest.raises(InputError, match=r"gains_db\[2\] must be in -40\.\.40, got nan"):
        Equaliser(np.array([0, 0, np.nan, 0, 0, 0]), FREQUENCIES, FLAT)
    with pytest.raises(InputError, match=r"frequencies\[0\] must be in 31\.8486\.\.200\.951, got 8000"):
        Equaliser(np.zeros(6), FREQUENCIES[::-1], FLAT)
    with pytest.raises(InputError, match=r"q\[0\] must be in 0\.3\.\.6, got 7"):
        Equaliser(np.zeros(6), FREQUENCIES, np.full(6, 7.0))
    with pytest.raises(InputError, match=r"parameters must have shape \[18\], got \[17\]"):
        Equaliser.from_parameters(start()[1:], max_gain_db=9.0)
    with pytest.raises(InputError, match=r"parameters must have shape \[18\], got \[1, 18\]"):
        response(torch.zeros(1, 18))
    with pytest.raises(InputError, match=r"max_gain_db must be a finite number in 0\.1\.\.40, got 0"):
        bounds(0.0)
    flat = Equaliser.from_parameters(start(), max_gain_db=9.0)
    with pytest.raises(InputError, match=r"frequencies\[1\] must be in 0\.\.11025, got 12000"):
        flat.response_db([100.0, 12000.0])
    with pytest.raises(InputError, match="y must be finite, got 1 samples"):
        flat.apply(np.array([0.0, np.nan]))
    with pytest.raises(InputError, match="y must not be silent"):
        EqualisedSound(np.zeros(100, dtype=np.float32))


def test_apply_against_scipy(rng):
    equaliser, y = Equaliser.from_parameters(drawn(rng), max_gain_db=9.0), tones(0.5)
    np.testing.assert_allclose(equaliser.apply(y), sosfilt(equaliser.sections(), y.astype(float)), atol=1e-6)
