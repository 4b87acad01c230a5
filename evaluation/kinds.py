"""Kinds: which ways to cut a sound and to weigh its components find what is known to matter?

Conventions
-----------
Components may overlap, and need not be those that carry the truth. So truth is asked of cells: a cell has the value of
its components, each as far as it has a share of the cell. Of a carrier (evaluation.carriers) the cells of the one part
that carries the feature should have the highest values; the metrics are those of evaluation.truth. Of a bad clip of
the confounder task (evaluation.confounder), where "off" is silence, the top component should be one of the drums:
``drum_share`` is the share of the drums in its energy, ``found`` whether that is more than half. Beside them stand
what the loudest component gives, and the mean over all components.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.component_map import ComponentMap
from emomod.component_weights import ComponentWeights
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.components.layered import LayeredComponents
from emomod.corpus.stems import Stems
from emomod.errors import InputError
from emomod.model.predictor import Predict
from emomod.spectrogram import band_energies, stft
from evaluation.cases import cut_stems
from evaluation.confounder import CONFOUNDER
from evaluation.methods import explain_all
from evaluation.truth import PlantedCells, evaluate_cells

Array = NDArray[np.float64]
ORACLE = "true stems x time"
N_STRETCHES = 5  # of true stems
OFF = "silence"  # in the confounder task: a classifier that is sure hardly notices a cut
MOST = 0.5  # share of a component's energy from which on it is the drums'


def cut_as(kind: str, y: NDArray[np.float32], stems: Stems, *, device: torch.device | str = "cpu") -> LayeredComponents:
    """A sound cut as ``kind`` says; ORACLE means its true stems in stretches of time."""
    if kind == ORACLE:
        return cut_stems(stems, n_stretches=N_STRETCHES, device=device)
    return cut(sound_of(y), kind, device=device)


def energy_shares(components: LayeredComponents, stems: Stems) -> Array:
    """Share [K] of the drums in the energy of each component."""
    if CONFOUNDER not in stems.names:
        raise InputError(f"stems must have {CONFOUNDER}, got {', '.join(stems.names)}")
    if tuple(stems.names) == components.names:
        own = np.array([name == CONFOUNDER for name in components.names], dtype=np.float64)
        return np.repeat(own, components.n_regions)
    if not components.layers.shared_phase:
        raise InputError("components must be shares of the sound, or its true stems")
    sizes = components.layers.transforms.abs()
    masks = sizes / sizes.sum(dim=0).clamp(min=1e-12)
    found = {name: _energies(components, masks, y) for name, y in zip(stems.names, stems.parts, strict=True)}
    total = np.sum(list(found.values()), axis=0)
    return np.asarray(np.divide(found[CONFOUNDER], total, out=np.zeros_like(total), where=total > 0))


def _energies(components: LayeredComponents, masks: torch.Tensor, y: NDArray[np.float32]) -> Array:
    """Energy [K] that each component takes of a stem [n_samples]."""
    n_frames = components.shape[1]
    cells = band_energies(masks[..., :n_frames] * stft(y)[:, :n_frames]).numpy()
    labels, n = components.regions.ravel(), components.n_regions
    return np.concatenate([np.bincount(labels, layer.ravel(), minlength=n) for layer in cells])


def evaluate_confounder(
    predict: Predict, clips: Sequence[Stems], *, kinds: Sequence[str], methods: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each clip, kind and method: whether the top component for the predicted class is one of the drums."""
    rows = []
    for number, stems in enumerate(clips):
        for kind in kinds:
            components = cut_as(kind, stems.mix, stems)
            shares, loudest = energy_shares(components, stems), int(components.energies().argmax())
            chance = float(predict(components.mix(torch.ones(2, components.n_components)))[0, 0])
            about = {"clip": f"bad {number:03d}", "song": f"bad {number:03d}", "components": kind}
            for method, weights in explain_all(predict, components, methods, off=OFF)[0].items():
                top = int((weights.weights[0] * (1.0 if chance > 0.5 else -1.0)).argmax())
                rows.append(
                    {
                        **about,
                        "method": method,
                        "feature": CONFOUNDER,
                        "drum_share": float(shares[top]),
                        "found": bool(shares[top] > MOST),
                        "loudest_found": bool(shares[loudest] > MOST),
                        "any_found": float((shares > MOST).mean()),
                    }
                )
    return rows


def evaluate_carrier(
    planted: PlantedCells, components: LayeredComponents, weights: Mapping[str, ComponentWeights]
) -> dict[str, dict[str, float]]:
    """The metrics of truth by method, of the cells that are known to carry a feature."""
    where = ComponentMap(components.shares(), components.shape)
    energies = components.energies()
    return {
        method: evaluate_cells(planted, where, found.weights[found.index(planted.feature)], energies)
        for method, found in weights.items()
    }
