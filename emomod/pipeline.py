"""The main job and its parts: predict, explain, modify, and all of it in one run."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.attribution.lime import LimeSettings
from emomod.attribution.methods import MethodSettings, as_method
from emomod.audio import SUBTYPES, read_clip, read_windows, write_wav
from emomod.checks import check_choice, check_count, check_number, check_rng
from emomod.component_weights import complexity, parse_rule, select_components
from emomod.components.kinds import DEFAULT, Cutting, steps_of
from emomod.explained import ExplainedClip, explain_clip, explained_before, model_record
from emomod.explanation import Explanation
from emomod.model.listening import score_windows
from emomod.model.predictor import Predictor, ScoringModel, load_predictor, scale_of
from emomod.model.probe import probe
from emomod.modification import MAX_GAIN_DB, SIDES, Plan, plan_gains, render_versions
from emomod.output import check_output, new_folder, scores_file, to_json, write_csv
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

    @property
    def explaining(self) -> dict[str, Any]:
        """What ``explain_clip`` is told of them."""
        return {"start": self.start, "components": self.components, "method": self.method}


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
    out: str | Path | None = None,
    predictor: ScoringModel | None = None,
    stages: Stages | None = None,
) -> Explanation:
    """Return the explanation, for all scores, of the window of a sound file that begins at ``start`` (s).

    ``components`` says how the sound is cut: a text ("felzenszwalb", "stems:drums=d.wav,bass=b.wav x time:seconds=2";
    ``emomod components`` lists them), functions of your own, or several (see emomod.components.kinds.cut). ``method``
    says how the components are weighed: a text ("occlusion:off=silence"; see ``emomod methods``), or settings. Into the
    folder ``out``, where one is given, the explanation is saved; one that was stopped goes on where it was.
    """
    job, predictor, stages = RunSettings(start, components, method), predictor or load_predictor(), stages or Stages()
    if out is None:
        return _explained(path, job, predictor, stages).explanation
    check_output(out, inputs=[path])
    explanation = _explained(path, job, predictor, stages, scores=scores_file(out)).explanation
    with new_folder(out, inputs=[path]) as folder:
        explanation.save(folder)
    return explanation


def _explained(
    path: str | Path, settings: RunSettings, predictor: ScoringModel, stages: Stages, *, scores: Path | None = None
) -> ExplainedClip:
    """The clip, cut and explained as the settings of a run say."""
    return explain_clip(path, predictor, stages, scores=scores, **settings.explaining)


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
    explained = explained_before(path, explanation, predictor, components=components)
    with new_folder(out, inputs=[path]) as folder:
        changed = _modify(explained, target=target, folder=folder, settings=settings, stages=stages or Stages())
        (folder / "modification.json").write_text(to_json(changed.as_dict() | {"settings": asdict(settings)}) + "\n")
    return changed


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
    explained = _explained(path, settings, predictor, stages, scores=scores_file(out))
    with new_folder(out, inputs=[path]) as folder:
        return write_run(explained, target=target, settings=settings, folder=folder, out=out, stages=stages)


def write_run(
    explained: ExplainedClip,
    *,
    target: str,
    settings: RunSettings,
    folder: Path,
    out: str | Path,
    stages: Stages,
    report: bool = True,
) -> RunResult:
    """Modify and re-score an explained clip, and write all that a run leaves into ``folder``, which becomes ``out``."""
    changed = _modify(explained, target=target, folder=folder, settings=settings.modify, stages=stages)
    sentence = explain_in_words(explained.explanation, changed.selection)
    explained.explanation.save(folder)
    record = _record(explained, changed, settings=settings, sentence=sentence)
    spectrogram = explained.sound.spectrogram.log_spectrogram
    result = RunResult(Path(out), explained.explanation, changed, spectrogram, sentence, record)
    if report:
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
