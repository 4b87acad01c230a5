"""Explain what a music-emotion model hears, change the sound accordingly, and prove what the change did.

>>> import emomod
>>> result = emomod.run("clip.wav", target="articulation", out="out")  # doctest: +SKIP

Names are loaded when they are first used, so that ``import emomod`` is quick.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "EmomodError": "errors",
    "InputError": "errors",
    "MIDLEVEL_NAMES": "labels",
    "EMOTION_NAMES": "labels",
    "read_clip": "audio",
    "demo_clip": "data",
    "Model": "model.other",
    "load_model": "model.load",
    "taggram": "taggrams",
    "published_layer": "model.mid_to_emotion",
    "LimeSettings": "attribution.lime",
    "PARITY": "attribution.lime",
    "select_components": "component_weights",
    "Explanation": "explanation",
    "load_explanation": "explanation",
    "score_file": "rescoring",
    "ModifySettings": "pipeline",
    "RunSettings": "pipeline",
    "predict": "pipeline",
    "explain": "pipeline",
    "modify": "pipeline",
    "run": "pipeline",
    "run_windows": "windows",
    "Request": "steering.request",
    "SteerSettings": "steering.settings",
    "steer": "steering_job",
}
__all__ = [
    "EMOTION_NAMES",
    "MIDLEVEL_NAMES",
    "PARITY",
    "EmomodError",
    "Explanation",
    "InputError",
    "LimeSettings",
    "Model",
    "ModifySettings",
    "Request",
    "RunSettings",
    "SteerSettings",
    "demo_clip",
    "explain",
    "load_explanation",
    "load_model",
    "modify",
    "predict",
    "published_layer",
    "read_clip",
    "run",
    "run_windows",
    "score_file",
    "select_components",
    "steer",
    "taggram",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'emomod' has no attribute {name!r}")
    value = getattr(import_module(f"emomod.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
