"""Gradients of scores by the gains of components: vanilla gradient, SmoothGrad and Integrated Gradients.

Conventions: gains are [n, K], 1 for the sound as it is, ``low`` for a component that is off; K components, T targets.
A weight is a slope times 1 - low, so that it is in the unit of all other methods: the change of a score between off
and on.

From gains to scores, everything can be differentiated: gains make mixtures, mixtures go through the network. By the
chain rule the slope by a component's gain is the sum, over all cells of the spectrogram that it sounds in, of the slope
by the cell times the cell's own slope by the gain. So attributions to gains are sums of attributions to cells, for
every kind of component, also where components share cells or the model takes waveforms.

All T targets are differentiated from one pass of the network: captum is given T copies of the gains as one input
[n, T, K], and as the score the sum of the T scores, whose gradient by copy t is defined as that of target t. For each
point the cost is one pass forward and T back, where T runs of captum would go forward T times.

Kokhlikyan et al.: Captum, 2020, arXiv:2009.07896; for the methods see the settings.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from emomod.attribution.common import (
    POINTS,
    Array,
    MethodSettings,
    Neighbourhood,
    Progress,
    Through,
    counted,
    directly,
    from_clip,
    neighbourhood,
)
from emomod.checks import check_count, check_number, check_rng
from emomod.component_weights import ComponentWeights
from emomod.components.base import Components
from emomod.errors import EmomodError, InputError
from emomod.mixtures import model_inputs
from emomod.model.predictor import Differentiable, Predict, checked_scores
from emomod.surrogate import two_sided_p_values


@dataclass(frozen=True)
class GradientSettings(MethodSettings):
    """The slope of a score by the gain of a component, at the sound as it is."""

    reference: ClassVar[str] = (
        "Simonyan, Vedaldi, Zisserman: Deep Inside Convolutional Networks, ICLR workshop 2014, arXiv:1312.6034"
    )
    assumes: ClassVar[str] = (
        "The score is nearly linear between off and on. A weight says what happens for a very small change of gain, "
        "carried on to off; it needs a model that can be differentiated."
    )
    uncertainty: ClassVar[str] = "none"


@dataclass(frozen=True)
class SmoothGradSettings(MethodSettings):
    """The slope of a score by the gain of a component, averaged over random gains around the sound."""

    n_samples: int = 32
    noise: float = 0.15  # standard deviation of the gains, as a share of the way from on to off
    seed: int = 0

    reference: ClassVar[str] = "Smilkov et al.: SmoothGrad, removing noise by adding noise, 2017, arXiv:1706.03825"
    assumes: ClassVar[str] = (
        "Slopes vary at random around the sound, so that their average tells more than the slope at one point. Gains "
        "are Gaussian around 1, those below 0 are mirrored at 0; it needs a model that can be differentiated."
    )
    uncertainty: ClassVar[str] = "standard errors over the samples: the average over others would differ by as much"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("n_samples", self.n_samples, low=2)
        check_number("noise", self.noise, low=1e-3, high=1.0)
        check_rng(self.seed)


@dataclass(frozen=True)
class IntegratedGradientsSettings(MethodSettings):
    """The slope of a score by the gain of a component, averaged along the way from all off to all on."""

    n_steps: int = 32

    reference: ClassVar[str] = (
        "Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks, ICML 2017, arXiv:1703.01365"
    )
    assumes: ClassVar[str] = (
        "All components fade in together. Weights sum to the score of the sound less that with all components off, up "
        "to what too few steps leave; it needs a model that can be differentiated."
    )
    uncertainty: ClassVar[str] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("n_steps", self.n_steps)


def explain_with_gradient(
    predict: Predict,
    components: Components,
    *,
    settings: GradientSettings,
    progress: Progress = lambda done, total: None,
    through: Through = directly,
) -> ComponentWeights:
    """Return the slopes at the sound as it is, from one pass of the model.

    InputError where the model cannot be differentiated.
    """
    from captum.attr import Saliency

    scores = _scores(predict, components, settings, through, counted(progress, 1))
    slopes = Saliency(scores).attribute(scores.copies(np.ones((1, components.n_components))), abs=False)
    return from_clip(scores.hood, finite_array(slopes[0]) * (1.0 - scores.hood.low), settings)


def explain_with_smoothgrad(
    predict: Predict,
    components: Components,
    *,
    settings: SmoothGradSettings,
    progress: Progress = lambda done, total: None,
    through: Through = directly,
) -> ComponentWeights:
    """Return the mean of the slopes at ``n_samples`` random points, with the standard errors of the mean.

    InputError where the model cannot be differentiated.
    """
    from captum.attr import Saliency

    scores = _scores(predict, components, settings, through, counted(progress, settings.n_samples))
    reach, n = 1.0 - scores.hood.low, settings.n_samples
    drawn = check_rng(settings.seed).standard_normal((n, components.n_components))
    gains = np.abs(1.0 + settings.noise * reach * drawn)
    slopes = finite_array(Saliency(scores).attribute(scores.copies(gains), abs=False)) * reach
    found = from_clip(scores.hood, slopes.mean(axis=0), settings, seed=settings.seed)
    errors = (scores.hood.mixing @ slopes).std(axis=0, ddof=1) / np.sqrt(n)
    p_values = two_sided_p_values(found.weights, errors, degrees_of_freedom=n - 1)
    return replace(found, standard_errors=errors, p_values=p_values)


def explain_with_integrated_gradients(
    predict: Predict,
    components: Components,
    *,
    settings: IntegratedGradientsSettings,
    progress: Progress = lambda done, total: None,
    through: Through = directly,
) -> ComponentWeights:
    """Return the integral of the slopes along the straight line of gains from all off to all on (Gauss-Legendre).

    InputError where the model cannot be differentiated.
    """
    from captum.attr import IntegratedGradients

    scores = _scores(predict, components, settings, through, counted(progress, settings.n_steps))
    on = scores.copies(np.ones((1, components.n_components)))
    integrals = IntegratedGradients(scores).attribute(
        on, baselines=on.detach() * scores.hood.low, n_steps=settings.n_steps
    )
    return from_clip(scores.hood, finite_array(integrals[0]), settings)


def check_differentiable(predict: Predict, settings: MethodSettings) -> Differentiable:
    """Return ``predict`` if it has gradients; InputError tells which methods need none."""
    if not isinstance(predict, Differentiable):
        method = type(settings).__name__.removesuffix("Settings")
        raise InputError(
            f"{method} needs a model that can be differentiated, a torch module, got {type(predict).__name__}; "
            "lime, kernel_shap, banzhaf and occlusion need none"
        )
    return predict


@dataclass(frozen=True, eq=False)
class _Scores:
    """The sum of all targets' scores as a function of T copies of the gains, see the module's docstring."""

    model: Differentiable
    hood: Neighbourhood
    advance: Callable[[int], None]

    def copies(self, gains: Array) -> torch.Tensor:
        """Return gains [n, K] as what captum differentiates by: [n, T, K]."""
        one = torch.from_numpy(gains.astype(np.float32))
        return one[:, None].repeat(1, self.hood.n_targets, 1).requires_grad_()

    def __call__(self, copies: torch.Tensor) -> torch.Tensor:
        """Return the sum [n] of the scores of copies [n, T, K], all T of a kind."""
        total: torch.Tensor = _PerTarget.apply(copies, self)  # type: ignore[no-untyped-call]
        return total

    def slopes(self, gains: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores' sums [n] and slopes [n, T, K] of gains [n, K], batch by batch."""
        sums, slopes = [], []
        for batch in torch.split(gains, self.hood.batch_size or POINTS):
            found = self._slopes(batch.repeat(2, 1) if len(batch) == 1 else batch)  # as in emomod.mixtures
            sums.append(found[0][: len(batch)])
            slopes.append(found[1][: len(batch)])
            self.advance(len(batch))
        return torch.cat(sums), torch.cat(slopes)

    @torch.enable_grad()
    def _slopes(self, gains: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        at, n_targets = gains.detach().requires_grad_(), self.hood.n_targets
        scores = self.model.differentiable(model_inputs(self.hood.predict, self.hood.components, at))
        checked_scores(self.hood.predict, scores.detach(), n=len(gains))
        slopes = [_slope(scores[:, t].sum(), at, last=t == n_targets - 1) for t in range(n_targets)]
        return scores.detach()[:, :n_targets].sum(dim=1).to(at), torch.stack(slopes, dim=1)


def _slope(score: torch.Tensor, gains: torch.Tensor, *, last: bool) -> torch.Tensor:
    """Return the slope of a score by ``gains``; InputError where none arrives. The ``last`` one frees the graph."""
    found: torch.Tensor | None = None
    if score.requires_grad:
        (found,) = torch.autograd.grad(score, gains, retain_graph=not last, allow_unused=True)
    if found is None:
        raise InputError("the model's differentiable() must let gradients through from scores to sounds, none arrive")
    return found


class _PerTarget(torch.autograd.Function):
    """``_Scores`` as one operation: it goes forward once and has all slopes ready for the way back."""

    @staticmethod
    def forward(ctx: Any, copies: torch.Tensor, scores: _Scores) -> torch.Tensor:
        """Return sums [n] of copies [n, T, K]."""
        sums, slopes = scores.slopes(copies[:, 0])
        ctx.save_for_backward(slopes)
        return sums

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Return the gradient by copies [n, T, K] from that by sums [n]."""
        return gradient[:, None, None] * ctx.saved_tensors[0], None


def _scores(
    predict: Predict, components: Components, settings: MethodSettings, through: Through, advance: Callable[[int], None]
) -> _Scores:
    return _Scores(
        check_differentiable(predict, settings), neighbourhood(predict, components, settings, through), advance
    )


def finite_array(tensor: torch.Tensor) -> Array:
    """Return what gradients gave as an array; EmomodError where it is not finite."""
    values: Array = tensor.detach().double().cpu().numpy()
    if not np.isfinite(values).all():
        raise EmomodError(f"the model must have finite gradients, got {int((~np.isfinite(values)).sum())} that are not")
    return values
