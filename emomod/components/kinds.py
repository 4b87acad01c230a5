"""The kinds of components by name, and the way from a text such as "stems:drums=d.wav,bass=b.wav x time" to components.

A kind gives layers of the sound or regions of its spectrogram; "x" puts kinds together: regions are intersected, and
layers, of which there may be one kind, are cut into regions.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict
from functools import reduce
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.components.base import Components, Layers, Sound
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


def parse_kinds(text: str) -> tuple[Kind, ...]:
    """Return the kinds of a text such as "nmf:n=6 x time"; InputError names what is not known."""
    kinds = tuple(_parsed(part) for part in CROSS.split(str(text).strip()))
    layerings = [NAMES[type(kind)] for kind in kinds if isinstance(kind, Layering)]
    if len(layerings) > 1:
        raise InputError(f"components can have layers of one kind, got {' and '.join(layerings)}; the others cut these")
    return kinds


def _parsed(part: str) -> Kind:
    name, options = split_spec(part)
    kind = KINDS[known("components", name, KINDS)]
    return Stems(options) if kind is Stems else build(kind, options, what=name)


def cut(sound: Sound, components: str = DEFAULT, *, device: torch.device | str = "cpu") -> LayeredComponents:
    """Return a sound cut as the text ``components`` says, with a ``mix`` that runs on ``device``."""
    kinds = parse_kinds(components)
    layers = next((kind.layers(sound) for kind in kinds if isinstance(kind, Layering)), None)
    labels = [kind.regions(sound) for kind in kinds if isinstance(kind, Regions)]
    regions = reduce(intersected, labels) if labels else None
    return layered(sound, layers=layers, regions=regions, device=device)


def intersected(first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the regions [n_bands, n_frames] of cells that are together in both."""
    pairs = first * (second.max() + 1) + second
    _, labels = np.unique(pairs, return_inverse=True)
    return labels.reshape(first.shape).astype(np.intp)


def told(components: str, cut_as: Components) -> dict[str, Any]:
    """What a record says of components: the text, every option, and what their layers note."""
    kinds = [{"kind": NAMES[type(kind)], **asdict(kind)} for kind in parse_kinds(components)]  # type: ignore[call-overload]
    notes = list(cut_as.layers.notes) if isinstance(cut_as, LayeredComponents) else []
    return {"text": components, "kinds": kinds, "n_components": cut_as.n_components, "notes": notes}


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


def listed(parts: Sequence[str]) -> str:
    """Kinds as one text.

    >>> listed(["stems:drums=d.wav", "time"])
    'stems:drums=d.wav x time'
    """
    return " x ".join(parts)
