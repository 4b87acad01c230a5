"""Plots of an analysis: listeners beside the model."""

import numpy as np
from matplotlib.figure import Figure

from emomod.figures import BLUE, GREY, ORANGE, WIDTH
from emomod.labels import spoken
from listening_study.analysis.findings import Findings


def draw_versions(found: Findings) -> Figure:
    """Mean answers to each version with their intervals, over the model's mean shift; a panel for each attribute."""
    attributes = list(dict.fromkeys(each.attribute for each in found.versions))
    figure = Figure(figsize=(WIDTH, 2.8 * -(-len(attributes) // 3)), layout="constrained")
    panels = figure.subplots(-(-len(attributes) // 3), min(3, len(attributes)), squeeze=False).ravel()
    for axes, attribute in zip(panels, attributes, strict=False):
        for each in (version for version in found.versions if version.attribute == attribute):
            colour = GREY if " sham " in each.condition else ORANGE if each.condition.startswith(attribute) else BLUE
            spread = np.array([[each.human.value - each.human.low], [each.human.high - each.human.value]])
            axes.errorbar(
                each.model, each.human.value, np.nan_to_num(spread).clip(0), color=colour, marker="o", capsize=2
            )
            axes.annotate(
                each.condition.removeprefix(f"{attribute} "),
                (each.model, each.human.value),
                fontsize=6.5,
                xytext=(4, 3),
                textcoords="offset points",
            )
        axes.axhline(0.0, color=GREY, linewidth=0.8)
        axes.axvline(0.0, color=GREY, linewidth=0.8)
        axes.set_title(spoken(attribute), fontsize=9, loc="left")
        axes.tick_params(labelsize=8)
        axes.locator_params(axis="x", nbins=5)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(attributes) :]:
        axes.set_visible(False)
    figure.supxlabel("shift that the model predicts", fontsize=9)
    figure.supylabel("mean answer", fontsize=9)
    return figure
