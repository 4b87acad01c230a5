"""What a clip lacks to be heard like another one."""

from pathlib import Path

from emomod.audio import read_clip
from emomod.errors import InputError
from emomod.model.predictor import ScoringModel, score_waveforms

ALIKE = 0.005  # difference of scores that is none


def shifts_like(
    path: str | Path, reference: str | Path, *, predictor: ScoringModel, start: float = 0.0
) -> dict[str, float]:
    """The shifts of mid-level features (of all scores, without such) that a clip lacks to be like a reference clip."""
    seconds, layer = predictor.window_seconds, predictor.mid_to_emotion
    here, there = (
        score_waveforms(predictor, [read_clip(each, start=begin, seconds=seconds).y])[0]
        for each, begin in ((path, start), (reference, 0.0))
    )
    names = predictor.names[: len(predictor.names) if layer is None else layer.weights.shape[1]]
    found = {name: float(there[k] - here[k]) for k, name in enumerate(names)}
    if not any(abs(shift) > ALIKE for shift in found.values()):
        raise InputError(f"like: {reference} is heard as {path} is, so that there is nothing to steer")
    return {name: shift for name, shift in found.items() if shift != 0.0}
