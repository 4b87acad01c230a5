"""The methods by name, and the way from a text such as "kernel_shap:n_perturbations=4096" to a method's settings.

A method is a dataclass of settings, whose fields are its options, and a function; settings alone say which method is
meant.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emomod.attribution.common import MethodSettings, Progress, Through, directly
from emomod.attribution.grad_cam import GradCamSettings, explain_with_grad_cam
from emomod.attribution.gradients import (
    GradientSettings,
    IntegratedGradientsSettings,
    SmoothGradSettings,
    explain_with_gradient,
    explain_with_integrated_gradients,
    explain_with_smoothgrad,
)
from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.attribution.occlusion import OcclusionSettings, explain_with_occlusion
from emomod.attribution.shapley import (
    BanzhafSettings,
    KernelShapSettings,
    explain_with_banzhaf,
    explain_with_kernel_shap,
)
from emomod.component_weights import ComponentWeights
from emomod.components.base import Components
from emomod.errors import InputError
from emomod.model.predictor import Predict
from emomod.spec import build, first_line, known, options_of, split_spec

__all__ = ["METHODS", "Method", "MethodSettings", "describe", "explain_with", "name_of", "parse_method"]


@dataclass(frozen=True)
class Method:
    """A way to weigh components."""

    settings: type[MethodSettings]
    explain: Callable[..., ComponentWeights]  # (predict, components, *, settings, progress, through)


METHODS: dict[str, Method] = {
    "lime": Method(LimeSettings, explain_with_lime),
    "kernel_shap": Method(KernelShapSettings, explain_with_kernel_shap),
    "banzhaf": Method(BanzhafSettings, explain_with_banzhaf),
    "occlusion": Method(OcclusionSettings, explain_with_occlusion),
    "gradient": Method(GradientSettings, explain_with_gradient),
    "smoothgrad": Method(SmoothGradSettings, explain_with_smoothgrad),
    "integrated_gradients": Method(IntegratedGradientsSettings, explain_with_integrated_gradients),
    "grad_cam": Method(GradCamSettings, explain_with_grad_cam),
}
NAMES = {method.settings: name for name, method in METHODS.items()}


def name_of(settings: MethodSettings) -> str:
    """Return the name of the method that ``settings`` are of; InputError where they are of none."""
    if type(settings) not in NAMES:
        wanted = ", ".join(each.__name__ for each in NAMES)
        raise InputError(f"settings must be one of {wanted}, got {type(settings).__name__}")
    return NAMES[type(settings)]


def explain_with(
    predict: Predict,
    components: Components,
    *,
    settings: MethodSettings,
    progress: Progress = lambda done, total: None,
    through: Through = directly,
) -> ComponentWeights:
    """Return the weights of all components on all scores of the model, by the method that ``settings`` are of.

    ``through`` may keep the scores of masks, or have others compute them; see emomod.score_log.
    """
    return METHODS[name_of(settings)].explain(
        predict, components, settings=settings, progress=progress, through=through
    )


def parse_method(text: str) -> MethodSettings:
    """Return the settings that a text names; InputError where there is no such method, option or value.

    >>> parse_method("occlusion:off=silence").off
    'silence'
    """
    name, options = split_spec(text)
    return build(METHODS[known("method", name, METHODS)].settings, options, what=name)


def as_method(method: MethodSettings | str) -> MethodSettings:
    """Return the settings of a method that is given as settings or as a text."""
    return parse_method(method) if isinstance(method, str) else method


def describe() -> list[dict[str, Any]]:
    """One entry a method: name, what it does, its options, what it assumes, its uncertainty and reference."""
    return [
        {
            "name": name,
            "summary": first_line(method.settings),
            "options": options_of(method.settings),
            "assumes": method.settings.assumes,
            "uncertainty": method.settings.uncertainty,
            "reference": method.settings.reference,
        }
        for name, method in METHODS.items()
    ]
