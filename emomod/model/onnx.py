"""Networks in ONNX files, run by onnxruntime on the CPU.

Conventions: one input, waveforms [n, n_samples] or log spectrograms [n, 149, n_frames], of any number of sounds or of
one; one output, scores [n, n_names], or several of which ``output`` names the one with the scores.
"""

import hashlib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.errors import EmomodError, InputError
from emomod.model.user_code import tell

FLOATS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
SHAPES = {"waveform": ("n", "n_samples"), "spectrogram": ("n", "149", "n_frames")}
BESIDE = ("", ".data", "_data")  # what is added to the file's name where weights lie in a file of their own


class OnnxScores:
    """The scores of an ONNX file as a callable on float32 arrays; InputError where the file cannot be used."""

    def __init__(self, path: str | Path, *, output: str | None = None) -> None:
        self.path = str(path)
        self.__name__ = Path(path).stem
        self._session = _open(Path(path))
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in FLOATS:
            found = ", ".join(f"{each.name} {each.type}" for each in inputs)
            raise InputError(f"{path}: must have one input of floating-point numbers, got {found}")
        self._input = inputs[0]
        self._output = self._chosen(output)
        self.sha256 = _sha256(Path(path))

    def _chosen(self, output: str | None) -> str:
        names = [str(each.name) for each in self._session.get_outputs()]
        if output is None and len(names) > 1:
            raise InputError(f"{self.path}: has the outputs {', '.join(names)}; say which has the scores with output=")
        if output is not None and output not in names:
            raise InputError(f"{self.path}: output must be one of {', '.join(names)}, got {output!r}")
        return output or names[0]

    def check(self, *, takes: str, n_names: int) -> None:
        """Raise InputError where the file's input is not of the form that ``takes`` says, or its scores are not n."""
        shape, wanted = self._input.shape, SHAPES[takes]
        fits = len(shape) == len(wanted) and (takes == "waveform" or not isinstance(shape[1], int) or shape[1] == 149)
        if not fits:
            form = f"[{', '.join(wanted)}] where the model takes a {takes}"
            raise InputError(f"{self.path}: its input must be {form}, got {_written(shape)}")
        if isinstance(shape[0], int) and shape[0] != 1:
            raise InputError(f"{self.path}: must take any number of sounds, or one, got {shape[0]}; export it anew")
        scores = next(each.shape for each in self._session.get_outputs() if each.name == self._output)
        if scores and isinstance(scores[-1], int) and scores[-1] != n_names:
            raise InputError(f"names must be {scores[-1]}, as many as {self.path} has scores, got {n_names}")

    def __call__(self, sounds: NDArray[np.float32]) -> NDArray[Any]:
        """Return the scores [n, n_names] of sounds [n, ...]; EmomodError where the file wants others."""
        wanted = self._input.shape
        if isinstance(wanted[-1], int) and wanted[-1] != sounds.shape[-1]:
            raise EmomodError(
                f"{self.path}: takes sounds of {wanted[-1]} samples or frames alone, got {sounds.shape[-1]}; "
                "set sample_rate and window_seconds to that, and give clips that are no shorter"
            )
        given = sounds.astype(FLOATS[self._input.type], copy=False)
        if wanted[0] == 1:
            return np.concatenate([self._run(given[index : index + 1]) for index in range(len(given))])
        return self._run(given)

    def _run(self, sounds: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self._session.run([self._output], {self._input.name: sounds})[0])


def _open(path: Path) -> Any:
    """Load a file into onnxruntime."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such ONNX file")
    try:
        runtime = import_module("onnxruntime")
    except ModuleNotFoundError:
        raise InputError('onnxruntime was not found; install it with: python -m pip install "emomod[onnx]"') from None
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said by the error
    try:
        return runtime.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own have no common root
        raise InputError(f"{path}: cannot be loaded as an ONNX file: {tell(error)}") from None


def _sha256(path: Path) -> str:
    """SHA-256 of a file and of the weights beside it."""
    digest = hashlib.sha256()
    for part in (path.with_name(path.name + ending) for ending in BESIDE):
        if part.is_file():
            digest.update(part.read_bytes())
    return digest.hexdigest()


def _written(shape: Sequence[Any]) -> str:
    return f"[{', '.join(str(size) if size is not None else '?' for size in shape)}]"
