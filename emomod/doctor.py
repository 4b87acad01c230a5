"""Say what emomod finds on this machine, what is missing, and the command that cures it.

Nothing that is missing makes a diagnosis fail: libraries are imported one by one.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from emomod.errors import EmomodError
from emomod.finding import Diagnosis, Finding
from emomod.machine import browser, disk, gpu, shared_memory, temporary_folder
from emomod.torchaudio_import import INSTALL as INSTALL_TORCHAUDIO
from emomod.torchaudio_import import PIP_INSTALL, torchaudio_state

OLDEST_PYTHON = (3, 11)
LIBRARIES = ("numpy", "scipy", "scikit-image", "safetensors", "soxr", "matplotlib", "jinja2", "pyloudnorm")
MODULES = {
    "scikit-image": "skimage",
    "python-calamine": "python_calamine",
    "pyyaml": "yaml",
}  # where the module is not called as the distribution
REINSTALL = f"{PIP_INSTALL} --force-reinstall {{}}"
EXTRAS = {
    "ncnn": ("fast", "to run the network on a CPU in about half the time"),
    "mido": ("train", "to render the training corpus"),
    "partitura": ("train", "to render from MusicXML"),
    "python-calamine": ("train", "to read ratings in Excel files"),
    "pyyaml": ("train", "to train, and to plan listening studies"),
    "pandas": ("study", "to analyse listening studies"),
    "sqlalchemy": ("study", "to keep the answers of listening studies"),
    "alembic": ("study", "to keep the answers of listening studies"),
    "starlette": ("study", "to run listening studies as a web page"),
    "uvicorn": ("study", "to run listening studies as a web page"),
    "dask": ("batch", "to run many clips"),
    "distributed": ("batch", "to run many clips on a cluster"),
    "pyarrow": ("batch", "to keep the results of many clips"),
    "cryptography": ("batch", "to keep others from the workers of a batch"),
    "bokeh": ("batch", "to watch a batch in a browser"),
}  # optional libraries: the extra that brings each, and what for
INSTALL_EXTRA = f'{PIP_INSTALL} "emomod[{{}}]"'
INSTALL_SYNTHESISER = {
    "linux": "sudo apt-get install fluidsynth fluid-soundfont-gm",
    "darwin": "brew install fluid-synth, and name a General MIDI soundfont",
}
RESTORE_WEIGHTS = "git restore emomod/model/weights, or install emomod again: they ship with it"
OTHER_CHECKPOINT = "name a checkpoint that this version of emomod wrote, or none for the one that ships with it"


def diagnose(checkpoint: str | Path | None = None) -> Diagnosis:
    """Look at Python, libraries, weights (by default those that ship), optional programs, and the machine."""
    looks: list[tuple[str, Callable[[], Finding]]] = [
        ("python", _python),
        ("emomod", _emomod),
        ("torch", _torch),
        ("device", _device),
        *((name, _library_look(name)) for name in LIBRARIES),
        ("soundfile", _soundfile),
        ("checkpoint", lambda: _checkpoint(checkpoint)),
        ("torchaudio", _torchaudio),
        *((name, _extra_look(name)) for name in EXTRAS),
        ("fluidsynth", _fluidsynth),
        ("soundfont", _soundfont),
        ("gpu", gpu),
        ("browser", browser),
        ("disk", disk),
        ("temporary folder", temporary_folder),
        ("shared memory", shared_memory),
    ]
    return Diagnosis(tuple(_safely(name, look) for name, look in looks))


def _safely(name: str, look: Callable[[], Finding]) -> Finding:
    """Turn whatever goes wrong while looking into a finding."""
    try:
        return look()
    except Exception as error:  # a broken library can raise anything, and the other findings are wanted all the same
        return Finding(name, "problem", f"cannot be used ({_one_line(error)})", REINSTALL.format(name))


def _one_line(error: Exception) -> str:
    kind = "" if isinstance(error, EmomodError) else f"{type(error).__name__}: "
    return " ".join(f"{kind}{error}".split())[:200]


def _python() -> Finding:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("python", "problem", detail, "install Python 3.11 or newer, then: make setup")
    return Finding("python", "ok", detail)


def _emomod() -> Finding:
    try:
        return Finding("emomod", "ok", version("emomod"))
    except PackageNotFoundError:
        return Finding("emomod", "info", "used from its folder, not installed", "make setup")


def _library_look(name: str) -> Callable[[], Finding]:
    return lambda: _library(name)


def _library(name: str) -> Finding:
    """A library that emomod cannot do without; it is imported, since an installed one may be broken."""
    try:
        module = import_module(MODULES.get(name, name))
        return Finding(name, "ok", str(getattr(module, "__version__", None) or version(name)))
    except ModuleNotFoundError:
        return Finding(name, "problem", "is not installed", f"{PIP_INSTALL} {name}")


def _torch() -> Finding:
    found = _library("torch")
    if found.state != "ok":
        return found
    torch = import_module("torch")
    if torch.version.cuda and not torch.cuda.is_available():
        detail = (
            f"{found.detail}, a build for CUDA {torch.version.cuda} without a GPU that it can use; it works on the CPU"
        )
        return Finding("torch", "info", detail)
    return found


def _device() -> Finding:
    try:
        torch = import_module("torch")
    except Exception:  # torch has a finding of its own, which says why
        return Finding("device", "info", "unknown without torch")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = torch.get_num_threads()
    if torch.cuda.is_available():
        return Finding("device", "ok", f"cuda: {torch.cuda.get_device_name()}; cpu: {cores} cores, {threads} threads")
    return Finding("device", "ok", f"cpu: {cores} cores, {threads} threads")


def _soundfile() -> Finding:
    found = _library("soundfile")
    if found.state != "ok":
        return found
    soundfile = import_module("soundfile")
    detail = f"{found.detail} with libsndfile {soundfile.__libsndfile_version__}"
    if "MP3" not in soundfile.available_formats():
        cure = f"{PIP_INSTALL} --upgrade soundfile, or install libsndfile 1.1 or newer"
        return Finding("soundfile", "missing", f"{detail}, which cannot read mp3", cure)
    return Finding("soundfile", "ok", f"{detail}, reads mp3")


def _checkpoint(path: str | Path | None) -> Finding:
    cure = RESTORE_WEIGHTS if path is None else OTHER_CHECKPOINT
    try:
        loaded = import_module("emomod.model.checkpoint").load_checkpoint(path)
    except ModuleNotFoundError as error:  # that library has a finding of its own
        return Finding("checkpoint", "problem", f"cannot be read without {error.name}")
    except Exception as error:  # whatever a broken library or file raises, the weights cannot be used
        return Finding("checkpoint", "problem", _one_line(error), cure)
    card = loaded.card
    detail = f"{card['name']}, sha256 {loaded.sha256[:12]}, {card['architecture']} of width {card['width']}"
    figures = _figures(card["figures"])
    return Finding("checkpoint", "ok", f"{detail}; {figures}" if figures else detail)


def _figures(figures: Any) -> str:
    """The figures of a card that are single numbers, in words."""
    if not isinstance(figures, dict):
        return ""
    numbers = {name: value for name, value in figures.items() if isinstance(value, (int, float))}
    return ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in numbers.items())


def _torchaudio() -> Finding:
    """Optional: only source separation uses it."""
    purpose = "for sources as components"
    try:
        state = torchaudio_state()
    except Exception as error:  # optional, so never a problem
        return Finding("torchaudio", "missing", _one_line(error), REINSTALL.format("torch torchaudio"))
    if state == "absent":
        return Finding("torchaudio", "missing", f"optional, {purpose}", INSTALL_TORCHAUDIO)
    if state == "native":
        return Finding("torchaudio", "ok", f"{version('torchaudio')}, {purpose}")
    detail = f"{version('torchaudio')}, {purpose}; its compiled part is of another build than torch and is left out"
    return Finding("torchaudio", "ok", detail)


def _extra_look(name: str) -> Callable[[], Finding]:
    return lambda: _extra_library(name)


def _extra_library(name: str) -> Finding:
    """A library of an extra: optional, so never a problem."""
    extra, purpose = EXTRAS[name]
    try:
        import_module(MODULES.get(name, name))
    except ModuleNotFoundError:
        return Finding(name, "missing", f"optional, {purpose}", INSTALL_EXTRA.format(extra))
    except Exception as error:  # whatever a broken library raises
        return Finding(name, "missing", f"cannot be used ({_one_line(error)})", REINSTALL.format(name))
    return Finding(name, "ok", f"{version(name)}, {purpose}")


def _install_synthesiser() -> str:
    return INSTALL_SYNTHESISER.get(sys.platform, "install FluidSynth and a General MIDI soundfont")


def _fluidsynth() -> Finding:
    program = shutil.which("fluidsynth")
    if program is None:
        return Finding("fluidsynth", "missing", "optional, to render the training corpus", _install_synthesiser())
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("fluidsynth", "missing", f"{program} does not run ({_one_line(error)})", _install_synthesiser())
    words = (answer.stdout + answer.stderr).split("\n")[0].split()
    return Finding("fluidsynth", "ok", f"{words[-1] if words else program}, to render the training corpus")


def _soundfont() -> Finding:
    try:
        found = import_module("emomod.corpus.fluidsynth").find_soundfont()
    except ModuleNotFoundError as error:  # that library has a finding of its own
        return Finding("soundfont", "info", f"cannot be looked for without {error.name}")
    except Exception:  # no soundfont, or a broken library, which has a finding of its own
        return Finding("soundfont", "missing", "optional, a General MIDI one for FluidSynth", _install_synthesiser())
    return Finding("soundfont", "ok", str(found))
