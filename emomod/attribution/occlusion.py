"""Occlusion: what a score loses when one component alone is off.

Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, ECCV 2014, arXiv:1311.2901, who slide a grey
square over a picture; here it is the components that are off in turn. K + 1 mixtures are scored.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emomod.attribution.common import MethodSettings, Progress, Through, counted, directly, from_clip, neighbourhood
from emomod.component_weights import ComponentWeights
from emomod.components.base import Components
from emomod.model.predictor import Predict


@dataclass(frozen=True)
class OcclusionSettings(MethodSettings):
    """What a score loses when one component alone is off."""

    reference: ClassVar[str] = "Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, ECCV 2014"
    assumes: ClassVar[str] = (
        "What a component does, it does while all others sound. Of two components that say the same, neither seems to "
        "matter."
    )
    uncertainty: ClassVar[str] = "none"


def explain_with_occlusion(
    predict: Predict,
    components: Components,
    *,
    settings: OcclusionSettings,
    progress: Progress = lambda done, total: None,
    through: Through = directly,
) -> ComponentWeights:
    """Return the score of the sound less that without a component, for all components and all scores."""
    hood, n = neighbourhood(predict, components, settings, through), components.n_components
    without = hood.scores(~np.eye(n, dtype=bool), advance=counted(progress, n))
    return from_clip(hood, hood.at_clip[:, None] - without.T, settings)
