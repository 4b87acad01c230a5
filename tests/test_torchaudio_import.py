"""torchaudio as it is installed here, and fake ones that fail as the real one does or that import."""

import subprocess
import sys

import pytest

from emomod.errors import EmomodError
from emomod.torchaudio_import import EXTENSION, import_torchaudio, torchaudio_state

BROKEN = {
    "_extension/__init__.py": "raise {error}('Could not load this library: lib/_torchaudio.abi3.so')",
    "__init__.py": "from . import _extension\nfrom . import functional",
    "functional.py": (
        "from torchaudio._extension import _IS_TORCHAUDIO_EXT_AVAILABLE, fail_if_no_align, lazy_import_sox_ext\n"
        "native = _IS_TORCHAUDIO_EXT_AVAILABLE or lazy_import_sox_ext().is_available()\n"
        "@fail_if_no_align\ndef forced_align(x): return x\n"
    ),
}
NATIVE = BROKEN | {
    "_extension/__init__.py": (
        "_IS_TORCHAUDIO_EXT_AVAILABLE = True\nfail_if_no_align = lambda f: f\nlazy_import_sox_ext = None"
    )
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a fake torchaudio before the real one; whatever was imported of either is put back afterwards."""
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "torchaudio"}
    for name in before:
        del sys.modules[name]

    def write(files, error="OSError"):
        for name, text in files.items():
            path = tmp_path / "torchaudio" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("{error}", error))
        monkeypatch.syspath_prepend(tmp_path)

    yield write
    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.parametrize("error", ["OSError", "RuntimeError", "ImportError"])
def test_a_compiled_part_that_does_not_load_is_left_out(install, error):
    install(BROKEN, error)
    torchaudio = import_torchaudio()
    assert torchaudio_state() == "python-only"
    assert torchaudio.functional.native is False
    assert import_torchaudio() is torchaudio
    with pytest.raises(EmomodError, match=r"forced_align needs torchaudio's compiled part"):
        torchaudio.functional.forced_align(1)


def test_a_torchaudio_that_imports_is_left_alone(install):
    install(NATIVE)
    torchaudio = import_torchaudio()
    assert torchaudio_state() == "native"
    assert str(sys.modules[EXTENSION].__file__).startswith(str(torchaudio.__path__[0]))
    assert torchaudio.functional.native is True
    assert torchaudio.functional.forced_align(1) == 1


def test_a_torchaudio_that_fails_elsewhere_leaves_nothing_half_imported(install):
    install(BROKEN | {"functional.py": "raise OSError('disk')"})
    with pytest.raises(EmomodError, match=r"cannot be imported beside this torch \(disk\)"):
        import_torchaudio()
    assert not [name for name in sys.modules if name.startswith("torchaudio")]


def test_without_torchaudio_the_error_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    assert torchaudio_state() == "absent"
    with pytest.raises(EmomodError, match=r'torchaudio is not installed.*-m pip install "emomod\[separation\]"'):
        import_torchaudio()


def test_the_installed_torchaudio_computes():
    """In a process of its own, as a user meets it; a constant resampled stays one, a filter rings as theory says."""
    pytest.importorskip("torch")
    if torchaudio_state() == "absent":
        pytest.skip("torchaudio is not installed")
    code = """
import torch
from emomod.torchaudio_import import import_torchaudio
torchaudio = import_torchaudio()
halved = torchaudio.functional.resample(torch.ones(1, 4000), 44100, 22050)
assert halved.shape == (1, 2000) and torch.allclose(halved[:, 100:-100], torch.ones(()), atol=1e-3)
assert torchaudio.transforms.MelSpectrogram(n_fft=1024, n_mels=40)(torch.ones(1, 4000)).shape[1] == 40
filtered = torchaudio.functional.lfilter(torch.tensor([[1.0, 0, 0]]), torch.tensor([1.0, -0.5]), torch.tensor([1.0, 0]))
assert torch.allclose(filtered, torch.tensor([[1.0, 0.5, 0.25]]))
assert torchaudio.pipelines.HDEMUCS_HIGH_MUSDB_PLUS.sample_rate == 44100
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
