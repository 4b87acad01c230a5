"""Any model by what names it on the command line."""

from pathlib import Path

from emomod.errors import InputError
from emomod.model.other import load_other
from emomod.model.predictor import ScoringModel, load_predictor

OTHERS = (".onnx",)


def load_model(origin: str | Path | None = None, *, device: str | None = None) -> ScoringModel:
    """Return a model, ready to score on a device: "cpu" or "cuda" (default: the best there is).

    ``origin`` is a checkpoint (default: the one that ships), an ONNX file, "module:name" or "file.py:name". The last
    two run that Python code. InputError where there is no such model or it cannot be used.
    """
    if origin is not None and Path(origin).suffix == ".py":
        raise InputError(f"model must name an object of the file, as in {origin}:model")
    checkpoint = origin is None or (
        Path(origin).suffix.lower() not in OTHERS and (Path(origin).is_file() or ":" not in str(origin))
    )
    if checkpoint and origin is not None and not Path(origin).suffix and not Path(origin).exists():
        raise InputError(f"{origin}: there is no such checkpoint; a model of your own is named like {origin}:model")
    if checkpoint:
        return load_predictor(origin, device=device)
    return load_other(str(origin), device=device)
