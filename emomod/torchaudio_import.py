"""The one place that imports torchaudio, which is optional.

torchaudio's wheel carries a compiled part that is built for one build of torch. Beside another build (the CUDA wheel of
torchaudio beside a CPU torch is the usual case) its import fails in that library, although functional, transforms,
models and pipelines are plain Python on top of torch. Then, and only then, the compiled part is replaced by a stand-in
that says it is absent: torchaudio falls back on its own Python code, and what cannot do without refuses when called.
A machine on which torchaudio imports is left alone.
"""

import shlex
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Literal, NoReturn

from emomod.errors import EmomodError

EXTENSION = "torchaudio._extension"
PIP_INSTALL = f"{shlex.quote(sys.executable)} -m pip install"  # into the environment that runs
INSTALL = f'{PIP_INSTALL} "emomod[separation]"'

State = Literal["absent", "native", "python-only"]


class _AbsentExtension(ModuleType):
    """Stands in for torchaudio's compiled part: flags are False, functions exist and raise EmomodError when called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {EXTENSION} has no attribute {name}")
        if name.endswith("_AVAILABLE"):
            return False
        if name.startswith("fail_if_"):  # a decorator: runs at import, and what it decorates must refuse
            return lambda function: _refusal(function.__name__)
        if name.startswith("lazy_import_"):  # runs at import in older versions, and gives another extension
            return lambda: _AbsentExtension(name.removeprefix("lazy_import_"))
        return (lambda: False) if name == "is_available" else _refusal(name)


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_arguments: object, **_options: object) -> NoReturn:
        raise EmomodError(
            f"{name} needs torchaudio's compiled part, which does not fit this build of torch; "
            "install torch and torchaudio of one build"
        )

    return refuse


def import_torchaudio() -> ModuleType:
    """Import torchaudio, without its compiled part where that does not load.

    Raises EmomodError with the command to run when torchaudio is not installed, or cannot be used at all.
    """
    try:
        return import_module("torchaudio")
    except (ImportError, OSError, RuntimeError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torchaudio":
            raise EmomodError(f"torchaudio is not installed; install it with: {INSTALL}") from None
        _forget_torchaudio()
    sys.modules[EXTENSION] = _AbsentExtension(EXTENSION)
    try:
        torchaudio = import_module("torchaudio")
    except (ImportError, OSError, RuntimeError) as error:
        _forget_torchaudio()
        raise EmomodError(f"torchaudio cannot be imported beside this torch ({error}); reinstall both") from error
    torchaudio._extension = sys.modules[EXTENSION]  # type: ignore[attr-defined]
    return torchaudio


def _forget_torchaudio() -> None:
    for name in [name for name in sys.modules if name == "torchaudio" or name.startswith("torchaudio.")]:
        del sys.modules[name]


def torchaudio_state() -> State:
    """Say whether torchaudio is absent, works as installed, or works without its compiled part.

    Imports torchaudio where it is installed; raises EmomodError when it is there but cannot be used at all.
    """
    if find_spec("torchaudio") is None:
        return "absent"
    import_torchaudio()
    return "python-only" if isinstance(sys.modules.get(EXTENSION), _AbsentExtension) else "native"
