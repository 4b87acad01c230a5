"""The jobs on many clips: effects of a corpus, and versions of a song side by side.

A file is heard as ``emomod predict`` hears it: in windows that cover it, over which scores are averaged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.audio import file_sha256, read_clip, read_windows
from emomod.comparison import LABELS, MAX_VERSIONS, MIN_VERSIONS, Comparison, Version, check_different
from emomod.correlations import FEW, Correlations, correlate_scores
from emomod.effects import MIN_CLIPS, ClipScores, CorpusEffects, check_enough, match_clips, short_names
from emomod.errors import EmomodError, InputError
from emomod.explained import model_record
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, spoken
from emomod.model.listening import score_windows
from emomod.model.mid_to_emotion import MidToEmotion
from emomod.model.predictor import ScoringModel, load_predictor
from emomod.output import check_output, new_folder, to_json, write_csv
from emomod.pipeline import predict
from emomod.provenance import package_versions
from emomod.remarks import POOR
from emomod.report.compare_page import write_compare_page
from emomod.report.effects_page import write_effects_page
from emomod.score_tables import load_scores
from emomod.sentences import listed
from emomod.stages import Stages

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3"})
PLAYED = 60.0  # s of a version that the page holds
NAMED = 3  # copies named in a warning


@dataclass(frozen=True, eq=False)
class EffectsResult:
    """What ``emomod effects`` found and wrote."""

    folder: Path
    effects: CorpusEffects
    correlations: Correlations
    record: dict[str, Any]  # the content of effects.json


@dataclass(frozen=True, eq=False)
class CompareResult:
    """What ``emomod compare`` found and wrote."""

    folder: Path
    comparison: Comparison
    record: dict[str, Any]  # the content of compare.json


def find_clips(paths: Sequence[str | Path]) -> list[str]:
    """Return files as they are, and those below folders that are sounds by their name, sorted; none twice.

    In folders, what is hidden is left alone, and so are the stems beside the mix of a rendered clip. InputError for
    a path that is not there, and for a folder without sounds.
    """
    if absent := [str(path) for path in paths if not Path(path).exists()]:
        raise InputError(f"{', '.join(absent)}: there is no such file or folder")
    found: dict[Path, str] = {}
    for path in map(Path, paths):
        inside = [file for file in sorted(path.rglob("*")) if _is_clip(file, below=path)]
        if path.is_dir() and not inside:
            raise InputError(f"{path}: holds no sound file ({', '.join(sorted(SUFFIXES))})")
        for file in inside if path.is_dir() else [path]:
            found.setdefault(file.resolve(), str(file))
    return list(found.values())


def _is_clip(path: Path, *, below: Path) -> bool:
    """True for a sound by its name that is neither hidden below a folder nor a part of the mix beside it."""
    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        return False
    hidden = any(name.startswith(".") for name in path.relative_to(below).parts)
    is_part = path.name == "rest.flac" or path.match("stem_*.flac")
    return not hidden and not (is_part and path.with_name("mix.flac").exists())


def effects_of_clips(
    paths: Sequence[str | Path],
    *,
    out: str | Path,
    marks: Sequence[str] = (),
    predictor: ScoringModel | None = None,
    stages: Stages | None = None,
) -> EffectsResult:
    """Hear clips, and all those in folders; write their effects into the folder ``out``.

    ``marks`` name the clips to mark. Files that cannot be used are left out and named in the record under ``unusable``;
    a path that is not there is an InputError.
    """
    predictor, stages = predictor or load_predictor(), stages or Stages()
    layer_of(predictor)
    check_output(out, inputs=paths)
    files = find_clips(paths)
    names = short_names(files)
    check_enough(len(files))  # this and the marks before hours of listening
    wanted = [files[clip] for clip in match_clips(marks, names=names, files=files)]
    scores, unusable = _hear(files, names, predictor, stages)
    if lost := [unusable[file] for file in wanted if file in unusable]:
        raise InputError(f"a clip to mark cannot be used: {lost[0]}")
    record = {
        "inputs": [str(path) for path in paths],
        "table": "",
        "unusable": unusable,
        "warnings": _copy_warnings(scores),
        "window_seconds": predictor.window_seconds,
    }
    return _write_effects(scores, record, out=out, inputs=paths, marks=marks, predictor=predictor, stages=stages)


def effects_of_table(
    table: str | Path,
    *,
    out: str | Path,
    marks: Sequence[str] = (),
    predictor: ScoringModel | None = None,
    stages: Stages | None = None,
) -> EffectsResult:
    """Write the effects of clips whose scores stand in a table, see ``load_scores``; as ``effects_of_clips`` else."""
    predictor, stages = predictor or load_predictor(), stages or Stages()
    check_output(out, inputs=[table])
    scores = load_scores(table)
    record: dict[str, Any] = {"inputs": [], "table": str(table), "unusable": {}, "warnings": []}
    record["window_seconds"] = predictor.window_seconds
    return _write_effects(scores, record, out=out, inputs=[table], marks=marks, predictor=predictor, stages=stages)


def layer_of(predictor: ScoringModel) -> MidToEmotion:
    """Return the model's layer from mid-level features to emotions; InputError where it has none."""
    if predictor.mid_to_emotion is None:
        raise InputError("the model must have a mid-level layer, else its emotions cannot be split into effects")
    return predictor.mid_to_emotion


def _hear(
    files: Sequence[str], names: Sequence[str], predictor: ScoringModel, stages: Stages
) -> tuple[ClipScores, dict[str, str]]:
    """Hear every file; return the scores of those that can be used, and why the others cannot."""
    heard, unusable = {}, {}
    with stages.stage("listening"):
        for index, (file, name) in enumerate(zip(files, names, strict=True)):
            try:
                heard[name] = predict(file, predictor=predictor)
            except (EmomodError, OSError) as error:
                unusable[file] = str(error)
            stages.progress(index + 1, len(files))
    if unusable and len(heard) < MIN_CLIPS:
        raise InputError(f"{len(unusable)} of {len(files)} clips cannot be used; {next(iter(unusable.values()))}")
    found = list(heard.values())
    scores = ClipScores(
        tuple(heard),
        tuple(prediction.file for prediction in found),
        tuple(prediction.n_windows for prediction in found),
        np.array([[prediction.midlevel[name] for name in MIDLEVEL_NAMES] for prediction in found]),
        np.array([[prediction.emotion[name] for name in EMOTION_NAMES] for prediction in found]),
    )
    return scores, unusable


def _write_effects(
    scores: ClipScores,
    record: dict[str, Any],
    *,
    out: str | Path,
    inputs: Sequence[str | Path],
    marks: Sequence[str],
    predictor: ScoringModel,
    stages: Stages,
) -> EffectsResult:
    """Write effects.csv, scores.csv, correlations.csv, effects.json, effects.html and figures/."""
    effects, marked = CorpusEffects(scores, layer_of(predictor)), scores.marked(marks)
    found = correlate_scores(scores.midlevel, effects.emotions, effects.layer.weights)
    record["warnings"] += _corpus_warnings(scores) + _model_warnings(predictor)
    record |= {"out": str(out), "marks": list(marks)} | _figures(effects, found, marked)
    record |= _provenance(predictor, effects.layer)
    with new_folder(out, inputs=inputs) as folder, stages.stage("drawing"):
        write_csv(folder / "effects.csv", list(effects.rows()))
        write_csv(folder / "scores.csv", scores.rows(effects.layer))
        write_csv(folder / "correlations.csv", found.rows())
        write_effects_page(effects, found, marked=marked, record=record, folder=folder)
        (folder / "effects.json").write_text(to_json(record) + "\n", encoding="utf-8")
    return EffectsResult(Path(out), effects, found, record)


def _figures(effects: CorpusEffects, found: Correlations, marked: Sequence[int]) -> dict[str, Any]:
    """What was found, for effects.json."""
    names = effects.scores.names
    return {
        "n_clips": len(names),
        "marked": {names[clip]: effects.clip_sentence(clip) for clip in marked},
        "sentences": {emotion: effects.emotion_sentence(emotion) for emotion in EMOTION_NAMES},
        "boxes": effects.as_dict(),
        "correlations": found.as_dict(),
        "emotions_are_the_layers": effects.induced,
    }


def _provenance(predictor: ScoringModel, layer: MidToEmotion) -> dict[str, Any]:
    """What a record says of the model, its layer and the software."""
    weights = {
        emotion: dict(zip(MIDLEVEL_NAMES, row, strict=True))
        for emotion, row in zip(EMOTION_NAMES, layer.weights.tolist(), strict=True)
    }
    intercepts = dict(zip(EMOTION_NAMES, layer.intercepts.tolist(), strict=True))
    return {
        "layer": {"name": layer.name, "weights": weights, "intercepts": intercepts},
        "model": model_record(predictor),
        "software": package_versions(),
    }


def _copy_warnings(scores: ClipScores) -> list[str]:
    """Say which files are the same as an earlier one, byte for byte."""
    first: dict[str, str] = {}
    copies = []
    for name, file in zip(scores.names, scores.files, strict=True):
        if (original := first.setdefault(file_sha256(file), name)) != name:
            copies.append(f"{name} of {original}")
    if not copies:
        return []
    named = listed([*copies[:NAMED], f"{len(copies) - NAMED} more"] if len(copies) > NAMED else copies)
    return [f"clips that are copies of others, byte for byte, count again: {named}"]


def _corpus_warnings(scores: ClipScores) -> list[str]:
    n = len(scores.names)
    if n >= FEW:
        return []
    rough = "quartiles are rough, the intervals of the correlations are wide"
    return [f"{n} clips are few: {rough}, and variance inflation needs {FEW}"]


def _model_warnings(predictor: ScoringModel) -> list[str]:
    """Say which features the model has learned poorly, as far as its card knows."""
    learned = predictor.card["figures"].get("test_r", {})
    known = {name: r for name in MIDLEVEL_NAMES if (r := learned.get(name)) is not None}
    poor = [f"{spoken(name)} (r = {r:.2f})" for name, r in known.items() if r < POOR]
    return [f"the model has learned poorly, by labels of clips it had not seen: {listed(poor)}"] if poor else []


def compare(
    paths: Sequence[str | Path],
    *,
    out: str | Path,
    predictor: ScoringModel | None = None,
    stages: Stages | None = None,
) -> CompareResult:
    """Hear two to six versions of a song; write what differs and why into the folder ``out``.

    InputError for fewer than two or more than six files, for the same file twice, and for files that cannot be used;
    what can be known before listening is refused before it.
    """
    if not MIN_VERSIONS <= len(paths) <= MAX_VERSIONS:
        raise InputError(f"clips to compare must be {MIN_VERSIONS} to {MAX_VERSIONS}, got {len(paths)}")
    predictor, stages = predictor or load_predictor(), stages or Stages()
    layer = layer_of(predictor)
    check_output(out, inputs=paths)
    _check_files(paths)
    with stages.stage("listening"):
        heard = [_version(path, label, predictor) for path, label in zip(paths, LABELS, strict=False)]
    compared = Comparison(tuple(version for version, _ in heard), layer)
    sounds = {version.label: y for version, y in heard}
    record = compared.as_dict() | {
        "out": str(out),
        "warnings": _length_warnings(compared, predictor) + _model_warnings(predictor),
        "window_seconds": predictor.window_seconds,
    }
    record |= _provenance(predictor, layer)
    with new_folder(out, inputs=paths) as folder, stages.stage("drawing"):
        write_csv(folder / "compare.csv", list(compared.rows()))
        write_compare_page(compared, sounds, record=record, folder=folder)
        (folder / "compare.json").write_text(to_json(record) + "\n", encoding="utf-8")
    return CompareResult(Path(out), compared, record)


def _check_files(paths: Sequence[str | Path]) -> None:
    """Raise InputError where a path is no file, or two files are the same."""
    for path in map(Path, paths):
        if not path.is_file():
            raise InputError(f"{path}: {'is a folder' if path.is_dir() else 'there is no such file'}")
    check_different([str(path) for path in paths], [file_sha256(path) for path in paths])


def _version(path: str | Path, label: str, predictor: ScoringModel) -> tuple[Version, NDArray[np.float32]]:
    """Hear a file; return what was heard, and PLAYED seconds of it from its first window that is not silent."""
    heard = list(score_windows(predictor, read_windows(path, seconds=predictor.window_seconds)))
    starts = tuple(start for start, _, _ in heard)
    clip = read_clip(path, start=starts[0], seconds=PLAYED, silence=0.0)
    scores = np.array([row for _, _, row in heard])
    return Version(label, str(path), clip.sha256, clip.file_seconds, starts, scores), clip.y


def _length_warnings(compared: Comparison, predictor: ScoringModel) -> list[str]:
    return [
        f"{version.label} is {version.seconds:.1f} s long, but the model learned from {predictor.window_seconds:g} s"
        for version in compared.versions
        if version.seconds < predictor.window_seconds - 0.1
    ]
