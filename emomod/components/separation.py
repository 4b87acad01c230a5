"""Layers that a network takes a mix apart into: Hybrid Demucs of torchaudio, Open-Unmix, or a callable of yours.

Conventions: a separator turns a waveform [1, n_samples] at a rate of its own into stems [n_stems, n_samples]; the
networks here are made for 44.1 kHz in stereo, and are given the mono sound, which ends at 11 kHz, on both channels.
What stems leave of the sound is a rest that always sounds. Its level is noted. Since stems of a network do not add up
as those of a recording do, only a rest of more than 3 dB is refused: so much is left by stems as loud as the sound
that have nothing to do with it.

Défossez: Hybrid Spectrogram and Waveform Source Separation, MDX workshop at ISMIR 2021 (arXiv:2111.03600); Stöter,
Uhlich, Liutkus, Mitsufuji: Open-Unmix, JOSS 4(41), 2019; Haunschmid, Manilow, Widmer: audioLIME, 2020
(arXiv:2008.00582), which uses such stems for explanations.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_choice, check_count
from emomod.components.base import Layers, Sound
from emomod.components.optional import import_optional
from emomod.components.stems import AUDIOLIME, fit_length, stem_layers
from emomod.errors import EmomodError, InputError
from emomod.torchaudio_import import import_torchaudio

Separate = Callable[[torch.Tensor], Any]  # float32 [1, n_samples] -> [n_stems, n_samples], an array or a tensor
Weights = dict[str, torch.Tensor]
MAX_REST_DB = 3.0  # dB
RATE = 44100  # Hz, of both networks
HDEMUCS_SOURCES = ("drums", "bass", "other", "vocals")  # in the order of its outputs
N_FFT = 4096  # of Open-Unmix
SUFFIXES = (".pt", ".pth", ".safetensors")
QUIET = 1e-8  # added to a spread that is divided by


def separated_layers(sound: Sound, separate: Separate, *, names: Sequence[str], sample_rate: int) -> Layers:
    """Return what ``separate`` makes of a sound as layers called ``names``.

    ``separate`` is given a waveform [1, n_samples] at ``sample_rate`` Hz and returns stems [n_stems, n_samples], one a
    name, as an array or a tensor. EmomodError where it raises, or returns another shape, NaN, or stems that are silent
    or leave a rest above MAX_REST_DB.
    """
    called = tuple(str(name) for name in names)
    if not called or "" in called or len(set(called)) != len(called):
        raise InputError(f"names must be one a stem and none twice, got {list(called)}")
    rate = check_count("sample_rate", sample_rate)
    mix = torch.from_numpy(_resampled(sound.y, SAMPLE_RATE, rate))[None]
    stems = _checked(separate, mix, shape=(len(called), mix.shape[1]), rate=rate)
    back = [fit_length(_resampled(stem, rate, SAMPLE_RATE), sound.y.size) for stem in stems]
    return stem_layers(sound, dict(zip(called, back, strict=True)), max_rest_db=MAX_REST_DB)


def _resampled(y: NDArray[np.float32], old: int, new: int) -> NDArray[np.float32]:
    return y.copy() if old == new else np.asarray(soxr.resample(y, old, new), dtype=np.float32)


def _checked(separate: Separate, mix: torch.Tensor, *, shape: tuple[int, int], rate: int) -> NDArray[np.float32]:
    """The stems of ``shape`` that ``separate`` gives; EmomodError says what was expected."""
    wanted = f"separate must turn a waveform {list(mix.shape)} at {rate} Hz into finite stems {list(shape)}"
    try:
        found = separate(mix)
        stems = np.asarray(found.detach().cpu() if isinstance(found, torch.Tensor) else found, dtype=np.float32)
    except EmomodError:
        raise
    except Exception as error:
        raise EmomodError(f"{wanted}; it raised {type(error).__name__}: {error}") from error
    if stems.shape != shape:
        raise EmomodError(f"{wanted}, got {list(stems.shape)}")
    if not np.isfinite(stems).all():
        raise EmomodError(f"{wanted}, got {int((~np.isfinite(stems)).sum())} samples of NaN or infinity")
    return stems


@dataclass(frozen=True, eq=False)
class StereoNetwork:
    """A network [1, 2, n_samples] -> [1, n_stems, 2, n_samples] as a separator of mono sounds."""

    network: torch.nn.Module
    names: tuple[str, ...]  # of the stems, in the order of its outputs
    standardised: bool  # whether it is given the sound with mean 0 and standard deviation 1

    def __call__(self, mix: torch.Tensor) -> torch.Tensor:
        """Return the stems [n_stems, n_samples] of a mix [1, n_samples]."""
        mean, spread = (mix.mean(), mix.std() + QUIET) if self.standardised else (torch.zeros(()), torch.ones(()))
        with torch.inference_mode():
            stems: torch.Tensor = self.network(((mix - mean) / spread).repeat(2, 1)[None])[0]
        return stems.mean(dim=1) * spread + mean


def read_weights(path: str | Path) -> Weights:
    """Return the state dict in a file of torch or safetensors; nothing but tensors is read. InputError otherwise."""
    if not Path(path).is_file():
        raise InputError(f"weights must be a file, and there is none at {path}")
    try:
        if Path(path).suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{path}: is no file of weights alone ({_first_line(error)})") from None
    if not isinstance(found, Mapping) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise InputError(f"{path}: must hold a state dict, names of parameters with a tensor each")
    return dict(found)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _filled(network: torch.nn.Module, weights: Weights, *, what: str) -> torch.nn.Module:
    """Return ``network`` with ``weights``, ready for use; published files hold more than it has, which is left out."""
    own = network.state_dict()
    wrong = [name for name in own if name not in weights or weights[name].shape != own[name].shape]
    if wrong:
        raise InputError(f"{what}: does not fit the network; {len(wrong)} parameters differ, first {wrong[0]}")
    network.load_state_dict({name: weights[name] for name in own})
    return network.eval()


def _hdemucs(weights: str) -> StereoNetwork:
    torchaudio = import_torchaudio()
    if weights:
        network = torchaudio.models.hdemucs_high(list(HDEMUCS_SOURCES))
        filled = _filled(network, read_weights(weights), what=weights)
    else:
        filled = _published("hdemucs", torchaudio.pipelines.HDEMUCS_HIGH_MUSDB_PLUS.get_model)
    return StereoNetwork(filled, HDEMUCS_SOURCES, standardised=True)


def _open_unmix(weights: str) -> StereoNetwork:
    import_torchaudio()  # which openunmix imports; first, since it may need a stand-in
    openunmix = import_optional("openunmix", extra="separation")
    if not weights:
        filled = _published("openunmix", lambda: openunmix.umxl().eval())
        return StereoNetwork(filled, tuple(filled.target_models), standardised=False)
    models = import_optional("openunmix.model", extra="separation")
    targets = {name: _target(models, found, what=f"{weights}: {name}") for name, found in _targets(weights)}
    if not targets:
        raise InputError(f"{weights}: must be a folder with a file for each target of Open-Unmix, or one file of all")
    refinements = 1 if len(targets) > 1 else 0  # a Wiener filter needs two; one, as for the published separators
    network = models.Separator(targets, niter=refinements, n_fft=N_FFT, n_hop=N_FFT // 4, sample_rate=float(RATE))
    return StereoNetwork(network.eval(), tuple(targets), standardised=False)


def _targets(weights: str) -> Iterator[tuple[str, Weights]]:
    """Yield the weights of each target, from a folder of published files or from one file of a whole separator."""
    if Path(weights).is_dir():
        for path in sorted(Path(weights).iterdir()):
            if path.suffix in SUFFIXES:
                yield path.stem.replace("_", "-").partition("-")[0], read_weights(path)
        return
    state, prefix = read_weights(weights), "target_models."
    names = dict.fromkeys(name.split(".")[1] for name in state if name.startswith(prefix))
    for target in names:
        start = f"{prefix}{target}."
        yield target, {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}


def _target(models: Any, weights: Weights, *, what: str) -> torch.nn.Module:
    """The network of one target, as large as its weights say."""
    try:
        network = models.OpenUnmix(
            nb_bins=weights["output_mean"].shape[0],
            nb_channels=2,
            hidden_size=weights["fc1.weight"].shape[0],
            nb_layers=sum(name.startswith("lstm.weight_ih_l") and name[-1].isdigit() for name in weights),
            max_bin=weights["input_mean"].shape[0],
        )
    except (KeyError, IndexError) as error:
        raise InputError(f"{what}: must hold the weights of an Open-Unmix target, has no {error}") from None
    if network.nb_output_bins != N_FFT // 2 + 1:
        raise InputError(f"{what}: must be for {N_FFT // 2 + 1} bins at {RATE} Hz, got {network.nb_output_bins}")
    return _filled(network, weights, what=what)


def _published(name: str, load: Callable[[], torch.nn.Module]) -> Any:
    try:
        return load()
    except Exception as error:
        raise InputError(
            f"the published weights of {name} are neither cached nor to be had ({_first_line(error)}); "
            f"give a file of them: separation:network={name},weights=FILE"
        ) from None


NETWORKS: dict[str, Callable[[str], StereoNetwork]] = {"hdemucs": _hdemucs, "openunmix": _open_unmix}


@dataclass(frozen=True)
class Separation:
    """Sources that a network hears: drums, bass, vocals and other; it downloads its weights unless they are given.

    ``weights`` is a file that holds a state dict (torch or safetensors); for openunmix also a folder of the published
    files, one a target. Without it the library's published weights are used, which it downloads once and caches:
    torchaudio's HDEMUCS_HIGH_MUSDB_PLUS, or Open-Unmix's umxl, which is not for commercial use.
    """

    network: str = "hdemucs"  # hdemucs, openunmix
    weights: str = ""  # a file; empty for the published ones

    reference: ClassVar[str] = f"Défossez, 2021 (arXiv:2111.03600); Stöter et al., JOSS 4(41), 2019; {AUDIOLIME}"

    def __post_init__(self) -> None:
        check_choice("network", self.network, tuple(NETWORKS))
        object.__setattr__(self, "weights", str(self.weights))

    def layers(self, sound: Sound) -> Layers:
        """Return a layer for each source that is heard, and the rest; a sound is separated once in a process.

        EmomodError where the library is not installed, InputError where the weights are not there or do not fit.
        """
        heard = _Heard(hashlib.sha256(sound.y.tobytes()).hexdigest(), sound)
        return _layers(self.network, self.weights, _changed(self.weights), heard)


@dataclass(frozen=True)
class _Heard:
    """A sound that is equal to another of the same samples."""

    sha256: str
    sound: Sound = field(compare=False)


def _changed(weights: str) -> tuple[tuple[str, int], ...]:
    """When (ns) each file at ``weights`` was changed, so that new ones are read."""
    if not weights:
        return ()
    path = Path(weights)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple((file.name, file.stat().st_mtime_ns) for file in files if file.exists())


@lru_cache(maxsize=1)
def _network(name: str, weights: str, _changed: tuple[tuple[str, int], ...]) -> StereoNetwork:
    return NETWORKS[name](weights)


@lru_cache(maxsize=4)
def _layers(name: str, weights: str, changed: tuple[tuple[str, int], ...], heard: _Heard) -> Layers:
    network = _network(name, weights, changed)
    return separated_layers(heard.sound, network, names=network.names, sample_rate=RATE)
