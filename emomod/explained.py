"""A clip that is cut and explained: what every job that changes it begins with."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from emomod.attribution.common import Through, directly
from emomod.attribution.methods import MethodSettings, explain_with, name_of
from emomod.audio import Clip, read_clip
from emomod.component_map import ComponentMap
from emomod.components.base import Components, Sound, sound_of
from emomod.components.kinds import DEFAULT, Cutting, cut, told
from emomod.errors import InputError
from emomod.explanation import Explanation, compute_effects
from emomod.model.predictor import Predictor, ScoringModel, scale_of, score_waveform
from emomod.model.probe import probe
from emomod.provenance import package_versions
from emomod.score_log import ScoreLog, kept_scores
from emomod.stages import Stages


@dataclass(frozen=True, eq=False)
class ExplainedClip:
    """A clip with all that modifying it needs."""

    clip: Clip
    sound: Sound  # of the clip
    components: Components
    explanation: Explanation
    predictor: ScoringModel


def explain_clip(
    path: str | Path,
    predictor: ScoringModel,
    stages: Stages,
    *,
    start: float = 0.0,
    components: Cutting = DEFAULT,
    method: MethodSettings,
    scores: Path | None = None,
    through: Through = directly,
) -> ExplainedClip:
    """Return the window of a clip, cut and explained.

    The scores of masks are kept in the file ``scores`` until whoever writes the result removes it. ``through`` may have
    others compute them.
    """
    with stages.stage("reading"):
        clip = read_clip(path, start=start, seconds=predictor.window_seconds)
        told_of_model = () if isinstance(predictor, Predictor) else probe(predictor, clip.y)
        at_clip = score_waveform(predictor, clip.y)
    with stages.stage("cutting into components"):
        sound = sound_of(clip.y, start=clip.start)
        parts = cut(sound, components, device=predictor.device)
    shares = parts.shares()
    about = _about(clip, shares, method, predictor)
    with stages.stage("explaining"), kept_scores(scores if predictor.sha256 else None, about) as log:
        chain = through if log is None else _kept_in(log, through)
        weights = explain_with(predictor, parts, settings=method, progress=stages.progress, through=chain)
    layer = predictor.mid_to_emotion
    effects = compute_effects(layer, at_clip[: layer.weights.shape[1]]) if layer else None
    record = {
        "clip": {"path": clip.path, "sha256": clip.sha256, "start": clip.start, "seconds": clip.seconds},
        "model": {
            "name": predictor.card["name"],
            "sha256": predictor.sha256,
            "origin": predictor.origin,
            "scale": list(scale_of(predictor)),
            "notes": [*predictor.card.get("notes", ()), *told_of_model],
        },
        "components": told(components, parts),
        "method": method_record(method),
        "versions": package_versions(),
    }
    where, located = ComponentMap(shares, sound.spectrogram.shape), tuple(parts.locations())
    explanation = Explanation(predictor.names, at_clip, effects, weights, where, located, record)
    return ExplainedClip(clip, sound, parts, explanation, predictor)


def _about(clip: Clip, shares: csr_array, method: MethodSettings, predictor: ScoringModel) -> dict[str, Any]:
    """What scores of masks depend on, beside the masks."""
    parts = b"".join(np.ascontiguousarray(part).tobytes() for part in (shares.data, shares.indices, shares.indptr))
    return {
        "clip": [clip.sha256, clip.start],
        "components": hashlib.sha256(parts).hexdigest(),
        "method": method_record(method),
        "model": model_record(predictor),
        "versions": package_versions(),
    }


def _kept_in(log: ScoreLog, through: Through) -> Through:
    """Scores from ``log``, where they are not there yet by way of ``through``."""
    return lambda masks, score: log(masks, lambda some: through(some, score))


def explained_before(
    path: str | Path, explanation: Explanation, predictor: ScoringModel, *, components: Cutting | None = None
) -> ExplainedClip:
    """Return the window of a clip with its ``explanation``, cut as it was then.

    ``components`` has to be given anew where the sound was cut by functions. Raises InputError when ``path`` or
    ``predictor`` is not the one that was explained, or the components are others than then, as another version of a
    library may cut them.
    """
    record = explanation.record
    clip = read_clip(path, start=record["clip"]["start"], seconds=predictor.window_seconds)
    if clip.sha256 != record["clip"]["sha256"]:
        raise InputError(
            f"path must be the file that was explained ({record['clip']['path']}); {path} has other content"
        )
    if not _is_same(predictor, explanation):
        raise InputError(
            f"predictor must be the one that was explained, got {predictor.origin or predictor.card['name']}"
        )
    text = record["components"]["text"]
    if components is None and any("own" in kind for kind in record["components"]["kinds"]):
        raise InputError(f"components must be given anew, since the sound was cut by a function: {text}")
    sound = sound_of(clip.y, start=clip.start)
    parts = cut(sound, components or text, device=predictor.device)
    if not explanation.where.agrees(parts.shares()):
        raise InputError(f"components must be those that were explained; {text} gives others here now")
    return ExplainedClip(clip, sound, parts, explanation, predictor)


def _is_same(predictor: ScoringModel, explanation: Explanation) -> bool:
    """Whether a model is the one that was explained: a file can hold several."""
    then = explanation.record["model"]
    told_now = (predictor.card["name"], predictor.sha256, predictor.origin.rpartition(":")[2])
    told_then = (then["name"], then["sha256"], then["origin"].rpartition(":")[2])
    return told_now == told_then and predictor.names == explanation.names


def method_record(method: MethodSettings) -> dict[str, Any]:
    """A method's name and settings, for a record."""
    return {"name": name_of(method), **asdict(method)}


def model_record(predictor: ScoringModel) -> dict[str, Any]:
    """The model card, the hash, where it ran, and what names a model that is not the one that ships."""
    card = {key: value for key, value in predictor.card.items() if key != "front_end"} | {"sha256": predictor.sha256}
    card |= {"engine": predictor.engine} if isinstance(predictor, Predictor) else {}
    card |= {"device": predictor.device.type}
    return card | {"origin": predictor.origin} if predictor.origin else card
