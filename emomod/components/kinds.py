"""The kinds of components by name, and the way from a text such as "stems:drums=d.wav,bass=b.wav x time" to components.

A kind gives layers of the sound or regions of its spectrogram; "x" puts kinds together: regions are intersected, and
layers, of which there may be one kind, are cut into regions. In Python a function of the user's own can take a
kind's place.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import reduce
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.checks import check_segments
from emomod.components.base import Layers, Sound
from emomod.components.factorisation import Hpss, Nmf
from emomod.components.grids import Beats, Grid, Mel, Octaves, Onsets, Time
from emomod.components.layered import LayeredComponents, layered
from emomod.components.segmentation import ChanVese, Felzenszwalb, Slic, Watershed
from emomod.components.separation import Separation
from emomod.components.stems import Stems
from emomod.errors import InputError
from emomod.spec import build, first_line, known, options_of, split_spec

DEFAULT = "felzenszwalb"
CROSS = re.compile(r"\s+[x×]\s+")


@runtime_checkable
class Regions(Protocol):
    """A way to cut a spectrogram."""

    reference: ClassVar[str]

    def regions(self, sound: Sound) -> NDArray[np.intp]:
        """Return labels [n_bands, n_frames], 0..n_regions-1 without gaps."""
        ...


@runtime_checkable
class Layering(Protocol):
    """A way to take a sound apart."""

    reference: ClassVar[str]

    def layers(self, sound: Sound) -> Layers:
        """Return layers that add up to the sound."""
        ...


Kind = Regions | Layering
KINDS: dict[str, type[Kind]] = {
    "felzenszwalb": Felzenszwalb,
    "slic": Slic,
    "chan_vese": ChanVese,
    "watershed": Watershed,
    "time": Time,
    "mel": Mel,
    "octaves": Octaves,
    "grid": Grid,
    "beats": Beats,
    "onsets": Onsets,
    "hpss": Hpss,
    "nmf": Nmf,
    "stems": Stems,
    "separation": Separation,
}
NAMES = {kind: name for name, kind in KINDS.items()}
Own = Callable[[Sound], Any]
Cutting = str | Own | Sequence[str | Own]


def parse_kinds(text: str) -> tuple[Kind, ...]:
    """Return the kinds of a text such as "nmf:n=6 x time"; InputError names what is not known."""
    kinds = tuple(_parsed(part) for part in CROSS.split(str(text).strip()))
    _check_layerings([NAMES[type(kind)] for kind in kinds if isinstance(kind, Layering)])
    return kinds


def _check_layerings(names: Sequence[str]) -> None:
    if len(names) > 1:
        raise InputError(
            f"components can take a sound apart in one way, got {' and '.join(names)}; regions cut these further"
        )


def _parsed(part: str) -> Kind:
    if re.fullmatch(r"\s*stems\s*:[^=]+", part):
        raise InputError(f"each stem must have a name, as in stems:drums=drums.wav,bass=bass.wav; got {part!r}")
    name, options = split_spec(part)
    kind = KINDS[known("components", name, KINDS)]
    return Stems(options) if kind is Stems else build(kind, options, what=name)


def steps_of(components: Cutting) -> tuple[Kind | Own, ...]:
    """Return the kinds, and functions of the user's own, that ``components`` asks for."""
    parts = [components] if isinstance(components, str) or callable(components) else list(components)
    if not parts:
        raise InputError("components must be a text, a function, or several of them, got none")
    found: list[Kind | Own] = []
    for part in parts:
        if isinstance(part, str):
            found += parse_kinds(part)
        elif callable(part):
            found.append(part)
        else:
            raise InputError(f"components must be texts or functions, got {type(part).__name__}")
    _check_layerings([NAMES[type(kind)] for kind in found if isinstance(kind, Layering)])
    return tuple(found)


def is_told_by_text(components: Cutting) -> bool:
    """Whether ``components`` is a text that says all that it does: no function of the user's own, and no file."""
    return isinstance(components, str) and not any(
        isinstance(kind, Stems) or (isinstance(kind, Separation) and kind.weights) for kind in steps_of(components)
    )


def cut(sound: Sound, components: Cutting = DEFAULT, *, device: torch.device | str = "cpu") -> LayeredComponents:
    """Return a sound cut as ``components`` says, with a ``mix`` that runs on ``device``.

    ``components`` is a text, or a function that is given the Sound and returns labels [n_bands, n_frames] or Layers; or
    several of them, which are crossed.
    """
    layers: list[Layers] = []
    labels: list[NDArray[np.intp]] = []
    for step in steps_of(components):
        found = _taken(step, sound)
        if isinstance(found, Layers):
            layers.append(found)
        elif isinstance(found, np.ndarray):
            labels.append(check_segments(found, shape=sound.spectrogram.shape))
        else:
            raise InputError(f"{name_of(step)} must return labels or Layers, got {type(found).__name__}")
    _check_layerings([", ".join(each.names) for each in layers])
    regions = reduce(intersected, labels) if labels else None
    return layered(sound, layers=layers[0] if layers else None, regions=regions, device=device)


def _taken(step: Kind | Own, sound: Sound) -> Any:
    if isinstance(step, Layering):
        return step.layers(sound)
    return step.regions(sound) if isinstance(step, Regions) else step(sound)


def name_of(step: Kind | Own) -> str:
    """Return the name of a kind, or of a function."""
    if type(step) in NAMES:
        return NAMES[type(step)]  # type: ignore[index]
    return str(getattr(step, "__qualname__", type(step).__name__))


def text_of(components: Cutting) -> str:
    """Return ``components`` as a text; functions by their names, which cannot be typed."""
    if isinstance(components, str):
        return components
    parts = [components] if callable(components) else components
    return " x ".join(part if isinstance(part, str) else name_of(part) for part in parts)


def intersected(first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the regions [n_bands, n_frames] of cells that are together in both."""
    pairs = first * (second.max() + 1) + second
    _, labels = np.unique(pairs, return_inverse=True)
    return labels.reshape(first.shape).astype(np.intp)


def told(components: Cutting, cut_as: LayeredComponents) -> dict[str, Any]:
    """What a record says of components: the text, every option, and what their layers note; functions by their name."""
    steps = steps_of(components)
    kinds = [
        {"kind": name_of(step), **asdict(step)} if type(step) in NAMES else {"own": name_of(step)}  # type: ignore[call-overload]
        for step in steps
    ]
    return {
        "text": text_of(components),
        "kinds": kinds,
        "n_components": cut_as.n_components,
        "notes": list(cut_as.layers.notes),
    }


def describe() -> list[dict[str, Any]]:
    """One entry a kind: name, what it gives, what it is, its options and reference."""
    return [
        {
            "name": name,
            "gives": "layers" if hasattr(kind, "layers") else "regions",
            "summary": first_line(kind),
            "options": options_of(kind),
            "reference": kind.reference,
        }
        for name, kind in KINDS.items()
    ]
