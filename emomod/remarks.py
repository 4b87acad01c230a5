"""What a user should know before trusting a run: what is too poor, too short, too few, or went the wrong way."""

import numpy as np

from emomod.audio import Clip
from emomod.explanation import Explanation
from emomod.model.predictor import ScoringModel
from emomod.result import DIRECTIONS, Modification

ENOUGH_OTHERS = 10  # different random changes, with fewer of which one is warned
AUDIBLE_SHIFT = 0.01  # of a score's scale, by which the written original may differ from the clip
POOR_R2 = 0.4  # of the surrogate on mixtures that it has not seen, below which it is warned of
POOR = 0.4  # correlation with the labels of clips not trained on, below which a score is warned of


def warnings_of(explanation: Explanation, changed: Modification, *, clip: Clip, predictor: ScoringModel) -> list[str]:
    """Return what a user should know before trusting a run, a sentence each."""
    target, weights = changed.target, explanation.weights
    found = [*explanation.record["model"]["notes"], *_control_warnings(changed), *_level_warnings(explanation, changed)]
    for side, verb in (("positive", "for"), ("negative", "against")):
        if not getattr(changed.selection, side).size:
            found.append(
                f"no component speaks {verb} {target} by the rule {changed.selection.rule}; highest:1 takes one"
            )
    row = weights.index(target)
    if np.isfinite(weights.fit_r2[row]) and weights.neighbourhood_r2[row] < POOR_R2:
        found.append(f"weights foretell {target} badly, R2 = {weights.neighbourhood_r2[row]:.2f}: do not rely on them")
    if clip.seconds < predictor.window_seconds - 0.1:
        found.append(
            f"the sound is {clip.seconds:.1f} s long, but the model learned from {predictor.window_seconds:g} s"
        )
    learned = predictor.card["figures"].get("test_r", {}).get(target)
    if learned is not None and learned < POOR:
        found.append(f"the model has learned {target} poorly: r = {learned:.2f} with labels of clips it had not seen")
    wrong = [s.version for s in changed.shifts if s.shift[s.names.index(target)] * DIRECTIONS[s.version] < 0]
    return [*found, *(f"{target} moved the wrong way in {version}.wav" for version in wrong)]


def _control_warnings(changed: Modification) -> list[str]:
    """That there are too few other ways to choose components for random changes to tell anything."""
    if not any(side.size for side in (changed.selection.positive, changed.selection.negative)):
        return []
    few: dict[str, int] = {}
    for shift in changed.shifts:
        for control in shift.controls:
            if control.n_others < min(ENOUGH_OTHERS, len(control.shifts)):
                few[control.kind] = min(few.get(control.kind, ENOUGH_OTHERS), control.n_others)
    words = {"count": "as many components", "energy": "components of as much energy"}
    told = " and ".join(f"{n or 'none'} of {words[kind]}" for kind, n in few.items())
    return [f"there are few other choices ({told}), so that random changes tell little"] if few else []


def _level_warnings(explanation: Explanation, changed: Modification) -> list[str]:
    """That the written original scores otherwise than the clip, as for a model that hears the level of a sound."""
    before = changed.shifts[0].before[explanation.weights.index(changed.target)]
    low, high = explanation.scale
    if abs(before - explanation.score(changed.target)) < AUDIBLE_SHIFT * (high - low):
        return []
    told = (
        f"{changed.target} of original.wav is {before:.3f}, that of the clip {explanation.score(changed.target):.3f}: "
        f"all versions are {-changed.static_gain_db:.1f} dB softer, which the model hears; shifts are between versions"
    )
    return [told]
