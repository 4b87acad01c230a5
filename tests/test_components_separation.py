"""Networks as separators: small ones with random weights, run as the large ones are, and separators that are wrong."""

import sys
from importlib import import_module

import numpy as np
import pytest
import torch
from fakes import tones
from numpy.testing import assert_allclose
from safetensors.torch import save_file

from emomod.components import separation
from emomod.components.base import sound_of
from emomod.components.grids import Time
from emomod.components.layered import layered
from emomod.components.separation import (
    HDEMUCS_SOURCES,
    MAX_REST_DB,
    Separation,
    StereoNetwork,
    read_weights,
    separated_layers,
)
from emomod.errors import EmomodError, InputError
from emomod.rescoring import snr_db
from emomod.torchaudio_import import import_torchaudio

torchaudio = import_torchaudio()
TARGETS = ("vocals", "drums", "bass", "other")


@pytest.fixture(autouse=True)
def forgetful():
    """Nothing that was separated in one test is known in another."""
    separation._layers.cache_clear()
    separation._network.cache_clear()


@pytest.fixture(scope="module")
def sound():
    return sound_of(tones(2.0))


@pytest.fixture
def small_hdemucs(monkeypatch):
    """Hybrid Demucs with a twelfth of the channels wherever torchaudio builds one; gives such a network."""

    def build(sources):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return torchaudio.models.HDemucs(sources, channels=4)

    monkeypatch.setattr(torchaudio.models, "hdemucs_high", build)
    return build(list(HDEMUCS_SOURCES))


def open_unmix_states(*, hidden=8, targets=TARGETS, n_bins=2049):
    """Random weights of small Open-Unmix targets, with what published files hold beside."""
    model = import_module("openunmix.model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = {name: model.OpenUnmix(n_bins, nb_channels=2, hidden_size=hidden, max_bin=500) for name in targets}
    return {name: each.state_dict() | {"sample_rate": torch.tensor(44100)} for name, each in networks.items()}


def halves(mix):
    """A separator into the even and the odd samples: stems that add up exactly."""
    even = torch.arange(mix.shape[1]) % 2 == 0
    return torch.cat([mix * even, mix * ~even])


# A callable of the user's own


@pytest.mark.parametrize("kind", (lambda stems: stems, lambda stems: stems.numpy(), lambda stems: stems.tolist()))
def test_separated_layers_against_theory(sound, kind):
    components = layered(
        sound, layers=separated_layers(sound, lambda mix: kind(halves(mix)), names=["even", "odd"], sample_rate=22050)
    )
    assert components.names == ("even", "odd")
    expected = np.where(np.arange(sound.y.size) % 2 == 0, sound.y, 0.0)
    assert snr_db(expected, components.render([1, 0])) > 100
    assert snr_db(sound.y, components.render([1, 1])) > 100
    assert components.layers.notes == ("the stems add up to the sound (their rest is below -100 dB)",)
    assert not components.layers.shared_phase


@pytest.mark.parametrize("rate", (16000, 22050, 44100))
def test_separated_layers_against_theory_at_another_rate(sound, rate):
    given = []

    def separate(mix):
        given.append(mix)
        return torch.cat([0.75 * mix, 0.25 * mix])

    layers = separated_layers(sound, separate, names=("three", "one"), sample_rate=rate)
    (mix,) = given
    assert mix.shape == (1, 2 * rate)
    assert mix.dtype == torch.float32
    assert_allclose(layers.transforms[0], 3 * layers.transforms[1], atol=1e-3)
    assert snr_db(sound.y, layered(sound, layers=layers).render([1, 1])) > 100


def test_a_separator_leaves_what_it_is_given_alone(sound):
    before = sound.y.copy()
    separated_layers(sound, lambda mix: mix.mul_(0.5), names=["half"], sample_rate=22050)
    assert np.array_equal(sound.y, before)


@pytest.mark.parametrize(
    ("separate", "message"),
    (
        (lambda mix: mix[0], r"turn a waveform \[1, 44100\] at 22050 Hz into finite stems \[2, 44100\], got \[44100\]"),
        (lambda mix: mix, r"got \[1, 44100\]"),
        (lambda mix: halves(mix)[:, 1:], r"got \[2, 44099\]"),
        (lambda mix: halves(mix)[None], r"got \[1, 2, 44100\]"),
        (lambda mix: halves(mix) / 0, r"got \d+ samples of NaN or infinity"),
        (lambda mix: None, r"it raised TypeError|got \[\]"),
        (lambda mix: "stems", r"it raised ValueError"),
        (lambda mix: mix @ mix, r"into finite stems \[2, 44100\]; it raised RuntimeError: "),
        (lambda mix: 0 * halves(mix), "must not all be silent in this stretch, got a, b"),
        (lambda mix: -halves(mix), rf"rest of at most {MAX_REST_DB:g} dB, got 6\.0 dB"),
    ),
)
def test_separated_layers_iv_separators_that_are_wrong(sound, separate, message):
    with pytest.raises(EmomodError, match=message):
        separated_layers(sound, separate, names=["a", "b"], sample_rate=22050)


@pytest.mark.parametrize(
    ("names", "rate", "message"),
    (
        ([], 22050, r"names must be one a stem and none twice, got \[\]"),
        (["a", "a"], 22050, "none twice"),
        (["a", ""], 22050, "one a stem"),
        (["a", "b"], 0, "sample_rate must be a whole number of at least 1, got 0"),
    ),
)
def test_separated_layers_iv(sound, names, rate, message):
    with pytest.raises(InputError, match=message):
        separated_layers(sound, halves, names=names, sample_rate=rate)


def test_a_rest_is_refused_when_stems_have_nothing_to_do_with_the_sound(sound):
    other = torch.from_numpy(tones(2.0, seed=9))[None]
    as_loud = other * float(np.linalg.norm(sound.y)) / other.norm()
    layers = separated_layers(sound, lambda mix: 0.9 * as_loud, names=["other"], sample_rate=22050)
    assert "leave a rest of 2." in layers.notes[0]
    with pytest.raises(EmomodError, match=r"got [3-9]\.\d dB"):
        separated_layers(sound, lambda mix: 1.2 * as_loud, names=["other"], sample_rate=22050)


# Hybrid Demucs and Open-Unmix


@pytest.mark.parametrize("suffix", (".pt", ".safetensors"))
def test_hdemucs_with_weights_from_a_file(sound, small_hdemucs, tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    (torch.save if suffix == ".pt" else save_file)(small_hdemucs.state_dict(), path)
    layers = Separation(weights=str(path)).layers(sound)
    assert layers.names == HDEMUCS_SOURCES
    components = layered(sound, layers=layers, regions=Time(seconds=1.0).regions(sound))
    assert components.n_components == 8
    assert snr_db(sound.y, components.render(np.ones(8))) > 100
    network = StereoNetwork(small_hdemucs.eval(), HDEMUCS_SOURCES, standardised=True)
    direct = separated_layers(sound, network, names=HDEMUCS_SOURCES, sample_rate=44100)
    assert torch.equal(layers.transforms, direct.transforms)
    assert "leave a rest of" in layers.notes[0]


@pytest.mark.parametrize("form", ("folder", "file"))
def test_open_unmix_with_weights_from_files(sound, tmp_path, form):
    states = open_unmix_states()
    if form == "folder":
        for name, state in states.items():
            torch.save(state, tmp_path / f"{name}-b62c91ce.pth")
        (tmp_path / "separator.json").write_text("{}")
        weights, order = tmp_path, sorted(TARGETS)
    else:
        weights, order = tmp_path / "all.pt", list(TARGETS)
        torch.save({f"target_models.{t}.{k}": v for t, state in states.items() for k, v in state.items()}, weights)
    layers = Separation("openunmix", str(weights)).layers(sound)
    assert layers.names == tuple(order)
    components = layered(sound, layers=layers)
    assert snr_db(sound.y, components.render(np.ones(4))) > 100
    level = float(layers.notes[-1].split()[6])
    assert level < -20, "its stems are a Wiener filter's, and add up but for what two conversions of the rate take"


def test_stereo_network_against_theory():
    """A network that is given noise on both channels, standardised or not; the mean of its channels comes back."""

    class Channels(torch.nn.Module):
        def forward(self, x):
            assert x.shape == (1, 2, 1000)
            self.seen = x
            return torch.stack([x * torch.tensor([[1.0], [3.0]]), -x], dim=1)

    network, mix = Channels(), 0.2 * torch.randn(1, 1000, generator=torch.Generator().manual_seed(0)) + 0.1
    plain = StereoNetwork(network, ("a", "b"), standardised=False)(mix)
    assert torch.equal(network.seen[0, 0], mix[0])
    assert_allclose(plain, torch.cat([2 * mix, -mix]), atol=1e-6)
    StereoNetwork(network, ("a", "b"), standardised=True)(mix)
    assert abs(network.seen.mean().item()) < 1e-6
    assert network.seen[0, 1].std().item() == pytest.approx(1.0, abs=1e-5)


def test_a_sound_is_separated_once(sound, small_hdemucs, tmp_path, monkeypatch):
    path, runs = tmp_path / "weights.pt", []
    torch.save(small_hdemucs.state_dict(), path)
    forward = torchaudio.models.HDemucs.forward

    def counted(self, x):
        runs.append(x)
        return forward(self, x)

    monkeypatch.setattr(torchaudio.models.HDemucs, "forward", counted)
    first = Separation(weights=str(path)).layers(sound)
    assert Separation(weights=str(path)).layers(sound_of(sound.y.copy())) is first
    assert len(runs) == 1
    Separation(weights=str(path)).layers(sound_of(0.5 * sound.y))
    assert len(runs) == 2
    torch.save({name: value * 1.01 for name, value in small_hdemucs.state_dict().items()}, path)
    other = Separation(weights=str(path)).layers(sound)
    assert len(runs) == 3, "the file has changed"
    assert not torch.equal(other.transforms, first.transforms)


@pytest.mark.parametrize("network", ("hdemucs", "openunmix"))
def test_published_weights_that_cannot_be_had(sound, monkeypatch, network):
    def offline(*_arguments, **_options):
        raise OSError("<urlopen error>\nand more")

    monkeypatch.setattr(type(torchaudio.pipelines.HDEMUCS_HIGH_MUSDB_PLUS), "get_model", offline)
    monkeypatch.setattr(import_module("openunmix"), "umxl", offline)
    with pytest.raises(InputError) as caught:
        Separation(network).layers(sound)
    message = str(caught.value)
    assert f"weights of {network} are neither cached nor to be had (<urlopen error>); give a file" in message
    assert f"separation:network={network},weights=FILE" in message
    assert "\n" not in message


@pytest.mark.parametrize("network", ("hdemucs", "openunmix"))
def test_weights_iv_files(sound, small_hdemucs, tmp_path, network):
    def refusal(path):
        with pytest.raises(InputError) as caught:
            Separation(network, str(path)).layers(sound)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "weights must be a file, and there is none at" in refusal(tmp_path / "none.pt")
    for name in ("text.pt", "text.safetensors"):
        (tmp_path / name).write_text("no weights")
        assert f"{name}: is no file of weights alone" in refusal(tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pt")
    assert "must hold a state dict" in refusal(tmp_path / "list.pt")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")  # a pickled class, which is not read
    assert "module.pt: is no file of weights alone" in refusal(tmp_path / "module.pt")
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
    wrong = refusal(tmp_path / "other.pt")
    expected = "does not fit the network" if network == "hdemucs" else "must be a folder with a file for each target"
    assert expected in wrong


def test_open_unmix_iv(sound, tmp_path):
    (state,) = open_unmix_states(targets=("vocals",)).values()
    kind = Separation("openunmix", str(tmp_path))
    with pytest.raises(InputError, match="a file for each target of Open-Unmix, or one file of all"):
        kind.layers(sound)
    for wrong, message in (
        ({name: value for name, value in state.items() if name != "fc1.weight"}, "vocals: .*has no 'fc1.weight'"),
        ({name: value for name, value in state.items() if name != "bn3.bias"}, "1 parameters differ, first bn3.bias"),
        (*open_unmix_states(targets=("x",), n_bins=513).values(), "must be for 2049 bins at 44100 Hz, got 513"),
    ):
        torch.save(wrong, tmp_path / "vocals.pth")
        with pytest.raises(InputError, match=message):
            kind.layers(sound)
    torch.save(state, tmp_path / "vocals.pth")
    assert kind.layers(sound).names == ("vocals",)
    torch.save(state | {"fc3.weight": state["fc3.weight"] * np.nan}, tmp_path / "vocals.pth")
    with pytest.raises(EmomodError, match="samples of NaN or infinity"):
        kind.layers(sound)


def test_read_weights_against_what_was_written(tmp_path):
    state = {"a": torch.arange(3.0), "b": torch.ones(2, 2)}
    torch.save(state, tmp_path / "w.pth")
    save_file(state, tmp_path / "w.safetensors")
    for name in ("w.pth", "w.safetensors"):
        found = read_weights(tmp_path / name)
        assert list(found) == ["a", "b"]
        assert all(torch.equal(found[key], state[key]) for key in state)


def test_separation_iv(sound, monkeypatch):
    with pytest.raises(InputError, match="network must be one of hdemucs, openunmix, got 'spleeter'"):
        Separation("spleeter")
    monkeypatch.setitem(sys.modules, "openunmix", None)
    with pytest.raises(InputError, match=r'openunmix is not installed; .*pip install "emomod\[separation\]"'):
        Separation("openunmix").layers(sound)
