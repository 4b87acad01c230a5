"""The main job and its parts: predict, explain, modify, and all of it in one run."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.attribution.lime import LimeSettings
from emomod.attribution.methods import MethodSettings, as_method, explain_with, name_of
from emomod.audio import SUBTYPES, Clip, read_clip, read_windows, write_wav
from emomod.checks import check_choice, check_count, check_number, check_rng
from emomod.component_map import ComponentMap
from emomod.component_weights import complexity, parse_rule, select_components
from emomod.components.base import Components, Sound, sound_of
from emomod.components.kinds import DEFAULT, Cutting, cut, steps_of, told
from emomod.errors import InputError
from emomod.explanation import Explanation, compute_effects
from emomod.model.listening import score_windows
from emomod.model.predictor import Predictor, ScoringModel, load_predictor, scale_of, score_waveform
from emomod.model.probe import probe
from emomod.modification import MAX_GAIN_DB, SIDES, Plan, plan_gains, render_versions
from emomod.output import check_output, new_folder, to_json, write_csv
from emomod.provenance import package_versions
from emomod.remarks import warnings_of
from emomod.report.page import write_report
from emomod.rescoring import CONTROL_KINDS, ScoreShift, control_shifts, score_file, snr_db
from emomod.result import Modification, Prediction, RunResult, scores_by_level
from emomod.sentences import explain_in_words
from emomod.stages import Stages
from emomod.weight_precision import precision_in_words, precision_of


@dataclass(frozen=True)
class ModifySettings:
    """How a clip is changed and how the change is judged."""

    gain_db: float = 6.0  # 0..40
    sides: str = "positive"  # whose gains change: positive, negative, both
    rule: str = ""  # which components stand out, see emomod.component_weights; empty: its default_rule
    bits: int = 24  # 16 or 24, of the written files
    n_controls: int = 99  # random changes of each kind beside each version
    seed: int = 0

    def __post_init__(self) -> None:
        check_number("gain_db", self.gain_db, low=0.0, high=MAX_GAIN_DB)
        check_choice("sides", self.sides, SIDES)
        if self.rule:
            parse_rule(self.rule)
        check_choice("bits", str(self.bits), [str(bits) for bits in SUBTYPES])
        check_count("n_controls", self.n_controls)
        check_rng(self.seed)


@dataclass(frozen=True)
class RunSettings:
    """Settings of the whole job."""

    start: float = 0.0  # s, where the window begins in the file
    components: Cutting = DEFAULT  # how the sound is cut, see emomod.components.kinds
    method: MethodSettings | str = field(default_factory=LimeSettings)  # settings, or a text such as "occlusion"
    modify: ModifySettings = field(default_factory=ModifySettings)

    def __post_init__(self) -> None:
        steps_of(self.components)
        object.__setattr__(self, "method", as_method(self.method))


@dataclass(frozen=True, eq=False)
class ExplainedClip:
    """A clip with all that modifying it needs."""

    clip: Clip
    sound: Sound  # of the clip
    components: Components
    explanation: Explanation
    predictor: ScoringModel


def predict(path: str | Path, *, predictor: ScoringModel | None = None, stages: Stages | None = None) -> Prediction:
    """Return what the model hears in a file; a long file is averaged over evenly spread windows."""
    predictor, stages = predictor or load_predictor(), stages or Stages()
    with stages.stage(f"listening to {path}"):
        if not isinstance(predictor, Predictor):
            probe(predictor, read_clip(path, seconds=predictor.window_seconds, silence=0.0).y)
        windows = read_windows(path, seconds=predictor.window_seconds)
        scores = [row for _, _, row in score_windows(predictor, windows)]
    levels = scores_by_level(predictor.names, np.mean(scores, axis=0))
    return Prediction(str(path), levels, len(scores), scale_of(predictor))


def explain(
    path: str | Path,
    *,
    start: float = 0.0,
    components: Cutting = DEFAULT,
    method: MethodSettings | str = "lime",
    predictor: ScoringModel | None = None,
    stages: Stages | None = None,
) -> Explanation:
    """Return the explanation, for all scores, of the window of a sound file that begins at ``start`` (s).

    ``components`` says how the sound is cut: a text ("felzenszwalb", "stems:drums=d.wav,bass=b.wav x time:seconds=2";
    ``emomod components`` lists them), functions of your own, or several (see emomod.components.kinds.cut). ``method``
    says how the components are weighed: a text ("occlusion:off=silence"; see ``emomod methods``), or settings.
    """
    job = RunSettings(start, components, method)
    return explain_clip(path, job, predictor or load_predictor(), stages or Stages()).explanation


def explain_clip(path: str | Path, settings: RunSettings, predictor: ScoringModel, stages: Stages) -> ExplainedClip:
    """Return the window of a clip, cut and explained."""
    with stages.stage("reading"):
        clip = read_clip(path, start=settings.start, seconds=predictor.window_seconds)
        told_of_model = () if isinstance(predictor, Predictor) else probe(predictor, clip.y)
        scores = score_waveform(predictor, clip.y)
    with stages.stage("cutting into components"):
        sound = sound_of(clip.y, start=clip.start)
        components = cut(sound, settings.components, device=predictor.device)
    with stages.stage("explaining"):
        method = as_method(settings.method)
        weights = explain_with(predictor, components, settings=method, progress=stages.progress)
    layer = predictor.mid_to_emotion
    effects = compute_effects(layer, scores[: layer.weights.shape[1]]) if layer else None
    record = {
        "clip": {"path": clip.path, "sha256": clip.sha256, "start": clip.start, "seconds": clip.seconds},
        "model": {
            "name": predictor.card["name"],
            "sha256": predictor.sha256,
            "origin": predictor.origin,
            "scale": list(scale_of(predictor)),
            "notes": [*predictor.card.get("notes", ()), *told_of_model],
        },
        "components": told(settings.components, components),
        "method": method_record(method),
        "versions": package_versions(),
    }
    where, located = ComponentMap(components.shares(), sound.spectrogram.shape), tuple(components.locations())
    explanation = Explanation(predictor.names, scores, effects, weights, where, located, record)
    return ExplainedClip(clip, sound, components, explanation, predictor)


def method_record(method: MethodSettings) -> dict[str, Any]:
    """A method's name and settings, for a record."""
    return {"name": name_of(method), **asdict(method)}


def modify(
    path: str | Path,
    explanation: Explanation,
    *,
    target: str,
    out: str | Path,
    components: Cutting | None = None,
    settings: ModifySettings | None = None,
    predictor: ScoringModel | None = None,
    stages: Stages | None = None,
) -> Modification:
    """Write versions of an explained clip into the folder ``out``; re-score what was written.

    ``components`` has to be given anew where the sound was cut by functions. Raises InputError when ``path`` or
    ``predictor`` is not the one that was explained, there is no such ``target``, or the components are others than
    then, as another version of a library may cut them.
    """
    settings, predictor = settings or ModifySettings(), predictor or load_predictor()
    explanation.weights.index(target)
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
    cut_again = cut(sound, components or text, device=predictor.device)
    if not explanation.where.agrees(cut_again.shares()):
        raise InputError(f"components must be those that were explained; {text} gives others here now")
    explained = ExplainedClip(clip, sound, cut_again, explanation, predictor)
    with new_folder(out, inputs=[path]) as folder:
        changed = _modify(explained, target=target, folder=folder, settings=settings, stages=stages or Stages())
        (folder / "modification.json").write_text(to_json(changed.as_dict() | {"settings": asdict(settings)}) + "\n")
    return changed


def _is_same(predictor: ScoringModel, explanation: Explanation) -> bool:
    """Whether a model is the one that was explained: a file can hold several."""
    then = explanation.record["model"]
    told_now = (predictor.card["name"], predictor.sha256, predictor.origin.rpartition(":")[2])
    told_then = (then["name"], then["sha256"], then["origin"].rpartition(":")[2])
    return told_now == told_then and predictor.names == explanation.names


def _modify(
    explained: ExplainedClip, *, target: str, folder: Path, settings: ModifySettings, stages: Stages
) -> Modification:
    """Write every version's WAV, shifts.csv and components.csv into ``folder``."""
    components, clip = explained.components, explained.clip
    selection = select_components(explained.explanation.weights, target=target, rule=settings.rule)
    plan = plan_gains(selection, n_components=components.n_components, gain_db=settings.gain_db, sides=settings.sides)
    with stages.stage("rendering"):
        versions = render_versions(components, plan)
        for name, y in versions.waveforms.items():
            write_wav(folder / f"{name}.wav", y, bits=settings.bits)
        original = read_clip(folder / "original.wav", seconds=clip.seconds, silence=0.0).y
        identity = snr_db(clip.y, original / np.float32(10 ** (versions.static_gain_db / 20)))
    with stages.stage("re-scoring"):
        level = versions.static_gain_db
        shifts = tuple(_judge(explained, plan, name, folder, settings, level) for name in ("enhanced", "weakened"))
    changed = Modification(
        target, settings.gain_db, selection, versions.waveforms, shifts, versions.static_gain_db, identity
    )
    write_csv(folder / "shifts.csv", changed.rows())
    write_csv(folder / "components.csv", explained.explanation.rows(selection))
    return changed


def _judge(
    explained: ExplainedClip, plan: Plan, version: str, folder: Path, settings: ModifySettings, static_gain_db: float
) -> ScoreShift:
    """Score a written version, the written original, and the controls."""
    predictor, seconds = explained.predictor, explained.clip.seconds
    before, after = (score_file(predictor, folder / f"{name}.wav", seconds=seconds) for name in ("original", version))
    controls = tuple(
        control_shifts(
            predictor,
            explained.components,
            plan.versions()[version],
            kind=kind,
            n_controls=settings.n_controls,
            seed=settings.seed,
            bits=settings.bits,
            static_gain_db=static_gain_db,
        )
        for kind in CONTROL_KINDS
    )
    return ScoreShift(predictor.names, version, before, after, controls)


def run(
    path: str | Path,
    *,
    target: str,
    out: str | Path,
    settings: RunSettings | None = None,
    predictor: ScoringModel | None = None,
    stages: Stages | None = None,
) -> RunResult:
    """Explain ``target`` in a window of a clip, write enhanced and weakened versions, re-score them, write a report.

    ``out`` is new, empty, or an earlier output; it is written whole or not at all. Raises InputError for input that
    cannot be used.
    """
    settings, predictor, stages = settings or RunSettings(), predictor or load_predictor(), stages or Stages()
    predictor.check_name(target)
    check_output(out, inputs=[path])
    explained = explain_clip(path, settings, predictor, stages)
    with new_folder(out, inputs=[path]) as folder:
        changed = _modify(explained, target=target, folder=folder, settings=settings.modify, stages=stages)
        sentence = explain_in_words(explained.explanation, changed.selection)
        explained.explanation.save(folder)
        record = _record(explained, changed, settings=settings, sentence=sentence)
        spectrogram = explained.sound.spectrogram.log_spectrogram
        result = RunResult(Path(out), explained.explanation, changed, spectrogram, sentence, record)
        with stages.stage("report"):
            write_report(result, folder)
        record["seconds"] = stages.seconds
        (folder / "run.json").write_text(to_json(record) + "\n")
    return result


def _record(explained: ExplainedClip, changed: Modification, *, settings: RunSettings, sentence: str) -> dict[str, Any]:
    """The content of run.json, but for the seconds."""
    explanation, clip = explained.explanation, explained.clip
    after = {shift.version: scores_by_level(shift.names, shift.after) for shift in changed.shifts}
    precision = precision_of(explanation.weights)
    return changed.as_dict() | {
        "sentence": sentence,
        "warnings": warnings_of(explained.explanation, changed, clip=clip, predictor=explained.predictor),
        "notes": explanation.record["components"]["notes"],
        "predictions": {"before": scores_by_level(explanation.names, explanation.scores)} | after,
        "components": explanation.record["components"],
        "n_components": explained.components.n_components,
        "complexity": _spread(explanation.weights.weights[explanation.weights.index(changed.target)]),
        "surrogate_r2": dict(zip(explanation.names, explanation.weights.neighbourhood_r2.tolist(), strict=True)),
        "fit_r2": dict(zip(explanation.names, explanation.weights.fit_r2.tolist(), strict=True)),
        "n_masks": explanation.weights.n_masks,
        "precision": precision.as_dict(explanation.names) if precision else None,
        "precision_words": precision_in_words(explanation.weights, target=changed.target),
        "clip_r2": explanation.weights.clip_r2,
        "clip": clip.path,
        "clip_sha256": clip.sha256,
        "window": {"start": clip.start, "seconds": clip.seconds, "file_seconds": clip.file_seconds},
        "model": model_record(explained.predictor),
        "settings": _settings_record(settings, explanation),
        "versions": package_versions(),
    }


def _spread(weights: NDArray[np.float64]) -> float:
    """The complexity of weights [K]; of weights that are all 0 the largest there is."""
    return complexity(weights) if weights.any() else float(np.log(weights.size))


def _settings_record(settings: RunSettings, explanation: Explanation) -> dict[str, Any]:
    """The settings with the components as a text and the method by its name."""
    told_so = {"components": explanation.record["components"]["text"], "method": explanation.record["method"]}
    return {"start": settings.start, **told_so, "modify": asdict(settings.modify)}


def model_record(predictor: ScoringModel) -> dict[str, Any]:
    """The model card, the hash, and what names a model on the command line that is not the one that ships."""
    card = {key: value for key, value in predictor.card.items() if key != "front_end"} | {"sha256": predictor.sha256}
    card |= {"engine": predictor.engine} if isinstance(predictor, Predictor) else {}
    return card | {"origin": predictor.origin} if predictor.origin else card
