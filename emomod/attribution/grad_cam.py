"""Grad-CAM: the network's last feature maps, weighted by the score's gradient and summed over each component.

Conventions: maps are [n_channels, height, width] with frequency before time; K components, T targets; ``low`` is the
gain of a component that is off.

The gradient of a score by a map, averaged over the map, weighs the map, and the weighted maps are summed (Selvaraju et
al.: Grad-CAM, ICCV 2017, arXiv:1610.02391; without its ReLU, since a component may also speak against). The sum is
spread over the spectrogram, its total kept, summed over what each component has of every cell, and multiplied by
1 - low: to first order, the change of the score if the activations over the component fell as its gain does.

Where only averaging and a linear layer follow the maps, as in emomod's network, the sum over all cells is the score
less the layer's bias (Zhou et al., CVPR 2016, arXiv:1512.04150). So the score itself is shared out rather than its
change, and the neighbourhood R2 may be far below 0.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from emomod.attribution.common import (
    POINTS,
    Array,
    MethodSettings,
    Progress,
    Through,
    counted,
    directly,
    from_clip,
    neighbourhood,
)
from emomod.attribution.gradients import check_differentiable, finite_array
from emomod.component_weights import ComponentWeights
from emomod.components.base import Components
from emomod.errors import InputError
from emomod.model.predictor import Differentiable, Predict
from emomod.spec import known


@dataclass(frozen=True)
class GradCamSettings(MethodSettings):
    """The network's last feature maps, weighted by the score's gradient and summed over each component."""

    layer: str = ""  # name of a module whose output is maps; empty: the last convolution with what follows cell by cell

    reference: ClassVar[str] = "Selvaraju et al.: Grad-CAM, ICCV 2017, arXiv:1610.02391"
    assumes: ClassVar[str] = (
        "What a map says of a place, the sound says at the same place: maps are coarse, and each of their cells hears "
        "far around. Weights share out the score itself more than its change; it needs a torch network with "
        "convolutions that takes spectrograms."
    )
    uncertainty: ClassVar[str] = "none"


def explain_with_grad_cam(
    predict: Predict,
    components: Components,
    *,
    settings: GradCamSettings,
    progress: Progress = lambda done, total: None,
    through: Through = directly,
) -> ComponentWeights:
    """Return the weighted feature maps, summed over components, times 1 - low.

    InputError where the model cannot be differentiated, takes waveforms, or has no such maps.
    """
    from captum.attr import LayerAttribution

    model, hood = check_differentiable(predict, settings), neighbourhood(predict, components, settings, through)
    if predict.takes != "spectrogram":
        raise InputError("grad_cam is for models that take spectrograms, whose maps have time and frequency")
    if hood.components is not components:
        raise InputError(
            f"off must be silence or a cut in dB for grad_cam, whose maps know no floor, got {settings.off}"
        )
    sound = components.mix(torch.ones(1, components.n_components).to(predict.device)).detach()
    layer, advance = _map_layer(model, sound, name=settings.layer), counted(progress, hood.n_targets)
    found: list[Array] = []
    for targets in torch.split(torch.arange(hood.n_targets), settings.batch_size or POINTS):
        maps = _maps(model, layer, sound, targets=targets)
        spread = LayerAttribution.interpolate(maps, tuple(sound.shape[1:]), "bilinear")
        found.append(finite_array(spread.flatten(1) * maps[0].numel() / sound.numel()))  # so that totals are kept
        advance(len(targets))
    weights = np.asarray((components.shares() @ np.vstack(found).T).T) * (1.0 - hood.low)
    return from_clip(hood, weights, settings)


def _maps(model: Differentiable, layer: torch.nn.Module, sound: torch.Tensor, *, targets: torch.Tensor) -> torch.Tensor:
    """Return the summed maps [n, 1, height, width] of ``targets`` [n] for a sound [1, n_bands, n_frames]."""
    from captum.attr import LayerGradCam

    # a batch of one is doubled: for a single input, libraries choose kernels that round differently
    wanted = targets.repeat(2) if len(targets) == 1 else targets
    sounds = sound.repeat(len(wanted), 1, 1).requires_grad_()
    cam = LayerGradCam(model.differentiable, layer)
    maps: torch.Tensor = cam.attribute(sounds, target=wanted.to(sound.device), relu_attributions=False)
    return maps[: len(targets)]


def _map_layer(model: Differentiable, sound: torch.Tensor, *, name: str) -> torch.nn.Module:
    """Return the module called ``name``, or that of the last maps; InputError where there is none or it has no maps.

    The last maps are those of the last convolution, after all that follows it cell by cell, such as a ReLU.
    """
    named: dict[str, torch.nn.Module] = {key: module for key, module in model.module.named_modules() if key}
    if name:
        module = named[known("layer of grad_cam", name, named)]
        shapes = [output.ndim for _, output in _outputs(model, sound, [module])]
        if shapes[-1:] != [4]:
            raise InputError(f"layer of grad_cam must be a module that gives maps [n, channels, height, width]: {name}")
        return module
    last: torch.nn.Module | None = None
    shape: torch.Size | None = None
    for module, output in _outputs(model, sound, [each for each in named.values() if not list(each.children())]):
        if isinstance(module, torch.nn.Conv2d) and output.ndim == 4:
            last, shape = module, output.shape
        elif output.shape == shape:
            last = module
        else:
            shape = None
    if last is None:
        raise InputError("grad_cam needs a network with convolutions over time and frequency (torch.nn.Conv2d)")
    return last


def _outputs(
    model: Differentiable, sound: torch.Tensor, modules: list[torch.nn.Module]
) -> list[tuple[torch.nn.Module, torch.Tensor]]:
    """Those of ``modules`` that the network calls for a sound, in that order, with what they give."""
    found: list[tuple[torch.nn.Module, torch.Tensor]] = []

    def keep(module: torch.nn.Module, _given: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            found.append((module, output))

    with _hooks(modules, keep), torch.no_grad():
        model.differentiable(sound)
    return found


@contextmanager
def _hooks(modules: list[torch.nn.Module], keep: Callable[..., None]) -> Iterator[None]:
    """Have ``keep`` told what modules give, for as long as this lasts."""
    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
