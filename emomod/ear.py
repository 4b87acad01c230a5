"""What a changed version of a clip costs the listener, measured on the two waveforms.

Conventions: waveforms are mono at 22 050 Hz, ``original`` and ``changed`` of one length, sample on sample, as
``Components.render`` gives them: at one scale, not yet matched in loudness. "Matched" is the changed version after one
gain that makes it as loud as the original (emomod.loudness); "audible" is what lies within 60 dB of the loudest of
both, and all that is softer counts as lying 60 dB below it. So a version that is only louder costs nothing but LU.

- Level change (LU): loudness of the changed version minus that of the original, ITU-R BS.1770-4.
- Spectral distance (dB): log-spectral distance (Gray & Markel, Distance measures for speech processing, IEEE Trans.
  ASSP 24(5), 1976) on the bands and frames of emomod.spectrogram: root mean square, over all cells that are audible in
  either, of the difference between matched and original level.
- Consistency error (dB): 20 log10(|came out - asked for| / |asked for|), Euclidean norms over band magnitudes: how far
  the spectrogram of the sound is from the one that was asked for. Not every array is the spectrogram of some sound (Le
  Roux, Ono, Sagayama, Explicit consistency constraints for STFT spectrograms, SAPA 2008). No error at all is -120 dB.
- Transient smear (dB): the contrast of a moment is the energy of the 20 ms after it over that of the 20 ms before it,
  in dB, both weighted linearly from 1 at the moment to 0, of the waveform's first difference (attacks stand out in
  high frequencies). An attack is a peak of the original's contrast of 4 dB or more, none within 50 ms of a higher one:
  an energy novelty (Bello et al., A tutorial on onset detection in music signals, IEEE Trans. SAP 13(5), 2005). Smear
  is the original's contrast minus the matched one, mean over attacks: positive where they became softer or are
  preceded by an echo (Painter & Spanias, Perceptual coding of digital audio, Proc. IEEE 88(4), 2000, on pre-echo),
  negative where they became sharper, 0 where there are none.
- MOS-LQO (1..5): ViSQOL in audio mode (Chinen et al., ViSQOL v3: an open source production ready objective speech and
  audio metric, QoMEX 2020) by the optional package visqol-python; 4.73 for equal sounds. It was fitted to coded music,
  so that it ranks changes by how far one hears them, and does not say that a wanted change is bad.
"""

from dataclasses import asdict, dataclass
from importlib import import_module

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray
from scipy.signal import fftconvolve, find_peaks

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_waveform
from emomod.errors import InputError
from emomod.loudness import loudness
from emomod.spectrogram import band_magnitudes, n_frames_of, peak_of, stft

MIN_SECONDS = 0.4  # one block of the loudness measure
AUDIBLE_DB = 60.0  # below the loudest cell or moment of either version
LEAST_ERROR_DB = -120.0  # below the rounding of a float32 spectrogram
ATTACK_SECONDS = 0.020  # that are compared on either side of an attack
ATTACK_APART_SECONDS = 0.050
ATTACK_DB = 4.0  # least contrast of an attack
VISQOL_RATE = 48000  # Hz
VISQOL_SECONDS = 1.0  # least that ViSQOL can compare


@dataclass(frozen=True)
class EarCost:
    """What a changed version costs the listener, by the definitions of this module."""

    level_change_lu: float  # LU, changed minus original
    spectral_distance_db: float  # dB >= 0, of versions matched in loudness
    consistency_error_db: float | None  # dB >= -120; None where it is not known what was asked for
    transient_smear_db: float  # dB, positive where attacks became softer; 0 without attacks
    n_attacks: int  # in the original
    mos_lqo: float | None  # 1..5; None where it was not asked for, without visqol-python, or for less than 1 s

    def as_dict(self) -> dict[str, float | int | None]:
        """Figures by their names, ready for JSON."""
        return asdict(self)


def ear_cost(
    original: ArrayLike, changed: ArrayLike, *, asked_for: ArrayLike | None = None, visqol: bool = True
) -> EarCost:
    """Return what ``changed`` [n_samples] costs someone who knows ``original`` [n_samples]; 0.4 s or more.

    ``asked_for`` is the log spectrogram [n_bands, n_frames] that the gains meant, as ``Components.mix`` gives it: on
    the scale of the peak-normalised original. ``visqol`` asks for MOS-LQO, which takes seconds. Both waveforms may
    carry one common gain, but no gain of their own.
    Raises InputError where lengths or shapes differ, or a waveform is too short, silent or not finite.
    """
    before, after = _pair(original, changed)
    levels = _sounding("original", before), _sounding("changed", after)
    change = levels[1] - levels[0]
    matched = (after * 10.0 ** (-change / 20.0)).astype(np.float32)
    smear, n_attacks = _transient_smear_db(before, matched)
    error = None
    if asked_for is not None:
        error = consistency_error_db(asked_for, _log_spectrogram(after, peak=peak_of(before)))
    distance = _spectral_distance_db(before, matched)
    return EarCost(change, distance, error, smear, n_attacks, mos_lqo(before, after) if visqol else None)


def consistency_error_db(asked_for: ArrayLike, came_out: ArrayLike) -> float:
    """Return how far two log spectrograms, log10(1 + magnitude) on one scale, are apart, in dB of the first; >= -120.

    Raises InputError where shapes differ, values are not finite, or silence was asked for.
    """
    wanted, found = (_magnitudes(name, each) for name, each in (("asked_for", asked_for), ("came_out", came_out)))
    if wanted.shape != found.shape:
        raise InputError(f"asked_for must have the shape of what came out {found.shape}, got {wanted.shape}")
    size = float(np.linalg.norm(wanted))
    if size == 0.0:
        raise InputError("asked_for must not be silent: errors are measured as shares of it")
    return float(20.0 * np.log10(max(float(np.linalg.norm(found - wanted)) / size, 10.0 ** (LEAST_ERROR_DB / 20.0))))


def mos_lqo(original: ArrayLike, changed: ArrayLike) -> float | None:
    """Return ViSQOL's MOS-LQO (1..5, audio mode) of ``changed`` [n_samples] against ``original`` [n_samples].

    Levels do not matter. None where visqol-python cannot be imported, or for less than 1 s, which it refuses.
    """
    before, after = _pair(original, changed)
    if before.size < VISQOL_SECONDS * SAMPLE_RATE:
        return None
    try:
        visqol = import_module("visqol").VisqolApi()
        visqol.create(mode="audio")  # imports libsvm
    except ImportError:
        return None
    at_its_rate = [soxr.resample(y.astype(np.float64), SAMPLE_RATE, VISQOL_RATE) for y in (before, after)]
    return float(visqol.measure_from_arrays(*at_its_rate, VISQOL_RATE).moslqo)


def _pair(original: ArrayLike, changed: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    before, after = check_waveform(original, name="original"), check_waveform(changed, name="changed")
    if before.size != after.size:
        raise InputError(f"changed must have the {before.size} samples of original, got {after.size}")
    if before.size < MIN_SECONDS * SAMPLE_RATE:
        raise InputError(f"original must be at least {MIN_SECONDS} s long, got {before.size / SAMPLE_RATE:.3f} s")
    return before, after


def _sounding(name: str, y: NDArray[np.float32]) -> float:
    """Loudness (LUFS) of what can be heard at all."""
    level = loudness(y)
    if not np.isfinite(level):
        raise InputError(f"{name} must not be silent: it stays below -70 LUFS")
    return level


def _log_spectrogram(y: NDArray[np.float32], *, peak: float) -> NDArray[np.float64]:
    """[n_bands, n_frames] as the model sees it, but on the scale of a sound of this peak."""
    magnitudes = band_magnitudes(stft(y / np.float32(peak)))[:, : n_frames_of(y.size)]
    return np.log10(1.0 + magnitudes.double().numpy())


def _magnitudes(name: str, log_spectrogram: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(log_spectrogram, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{name} must be finite, got {int((~np.isfinite(values)).sum())} cells of NaN or infinity")
    return np.asarray(10.0**values - 1.0)


def _spectral_distance_db(before: NDArray[np.float32], matched: NDArray[np.float32]) -> float:
    cells = np.stack([band_magnitudes(stft(y)).double().numpy() for y in (before, matched)])
    floor = cells.max() * 10.0 ** (-AUDIBLE_DB / 20.0)
    audible = cells.max(axis=0) > floor
    levels = 20.0 * np.log10(np.maximum(cells, floor))
    return float(np.sqrt(np.mean(np.square(levels[1] - levels[0])[audible])))


def _transient_smear_db(before: NDArray[np.float32], matched: NDArray[np.float32]) -> tuple[float, int]:
    """Smear in dB, and the number of attacks that it is the mean of."""
    width = round(ATTACK_SECONDS * SAMPLE_RATE)
    weights = np.linspace(1.0, 0.0, width, endpoint=False)
    energies = np.square(np.diff(np.stack([before, matched]).astype(np.float64), axis=1))
    until = fftconvolve(energies, weights[None], mode="valid", axes=1)[:, :-width]  # nearer to the moment weighs more
    since = fftconvolve(energies, weights[None, ::-1], mode="valid", axes=1)[:, width:]
    floor = since.max() * 10.0 ** (-AUDIBLE_DB / 10.0)
    contrast = 10.0 * np.log10(np.maximum(since, floor) / np.maximum(until, floor))
    apart = round(ATTACK_APART_SECONDS * SAMPLE_RATE)
    attacks, _ = find_peaks(contrast[0], height=ATTACK_DB, distance=apart)
    return (float((contrast[0] - contrast[1])[attacks].mean()) if attacks.size else 0.0), int(attacks.size)
