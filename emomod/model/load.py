"""Any model by what names it on the command line."""

from pathlib import Path

from emomod.model.other import load_other
from emomod.model.predictor import ScoringModel, load_predictor

OTHERS = (".onnx",)


def load_model(origin: str | Path | None = None, *, device: str | None = None) -> ScoringModel:
    """Return a model, ready to score on a device: "cpu" or "cuda" (default: the best there is).

    ``origin`` is a checkpoint (default: the one that ships), an ONNX file, "module:name" or "file.py:name". The last
    two run that Python code. InputError where there is no such model or it cannot be used.
    """
    if origin is None or (Path(origin).suffix not in OTHERS and (Path(origin).is_file() or ":" not in str(origin))):
        return load_predictor(origin, device=device)
    return load_other(str(origin), device=device)
