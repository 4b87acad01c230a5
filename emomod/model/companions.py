"""Models that ship beside the default one: the same network, trained on corpora of the same kind from other seeds.

They tell whether a change is one of the music or of one network. Where there is none for a model, there are none.
"""

from pathlib import Path

from emomod.model.checkpoint import default_checkpoint_path
from emomod.model.predictor import Predictor, ScoringModel, load_predictor


def companions_of(model: ScoringModel) -> list[Predictor]:
    """The companions of a model on its device: those that ship for the default one, none for others."""
    if not isinstance(model, Predictor) or model.origin:
        return []
    return [load_predictor(path, device=model.device.type, engine=model.engine) for path in companion_paths()]


def companion_paths() -> list[Path]:
    """The checkpoints of the default model's companions."""
    return sorted(default_checkpoint_path().parent.glob("companion_*.safetensors"))
