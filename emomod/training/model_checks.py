"""Measure a checkpoint and keep the figures in a JSON file, so that the model card can be written again in a second.

The file belongs to one checkpoint, told by its sha256. Each check in it has its date, its command, the versions that it
ran with and its figures; measuring again replaces it, and measuring another checkpoint begins a new file.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emomod.corpus.fluidsynth import find_soundfont
from emomod.corpus.pairs import KINDS
from emomod.corpus.store import CorpusSettings, read_description
from emomod.datasets.ratings import read_number
from emomod.datasets.soundtracks import load_soundtracks_ratings
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, SCORE_NAMES
from emomod.model.predictor import Predictor
from emomod.output import to_json, whole_file
from emomod.provenance import package_versions
from emomod.reading.json_files import read_object
from emomod.rescoring import score_file
from emomod.training.robustness import clips_to_test, measure_robustness
from emomod.training.sense import KindSense, matched_pairs_test, synthesiser_at_hand
from emomod.training.unseen import run_unseen_test
from emomod.training.validation import load_phrases, rate_phrases, series_coverage

RESULTS = Path("docs/results/model_checks.json")
PAIRS_SEED = 2_000_029  # of the pairs' music: no corpus has it unless on purpose
KEPT_BY_NAME = 3  # composer version
DIGITS = 6


@dataclass(frozen=True)
class ModelChecks:
    """What was measured of one checkpoint."""

    checkpoint: str  # sha256
    checks: dict[str, dict[str, Any]]  # by name: date, command, versions, figures

    def figures(self, name: str) -> Any:
        """The figures of a check; None where it was not measured."""
        return self.checks[name]["figures"] if name in self.checks else None


def read_checks(path: Path, *, checkpoint: str) -> ModelChecks:
    """The checks of ``checkpoint`` (sha256) in the JSON file ``path``; none where it is of another or not there."""
    if not path.is_file():
        return ModelChecks(checkpoint, {})
    try:
        stored = read_object(path)
        found = ModelChecks(str(stored["checkpoint"]), dict(stored["checks"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as checks of a model ({error})") from None
    return found if found.checkpoint == checkpoint else ModelChecks(checkpoint, {})


def record_check(path: Path, name: str, figures: Any, *, checkpoint: str, command: str) -> ModelChecks:
    """Put one check into the file ``path``, written whole or not at all; return all checks of the checkpoint."""
    date, versions = datetime.now(UTC).date().isoformat(), package_versions()
    measured = {"date": date, "command": command, "versions": versions, "figures": rounded(figures)}
    checks = read_checks(path, checkpoint=checkpoint).checks | {name: measured}
    found = ModelChecks(checkpoint, checks)
    try:
        with whole_file(path) as partial:
            partial.write_text(to_json(asdict(found)) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); run this in the repository") from None
    return found


def rounded(value: Any) -> Any:
    """``value`` with its floats at six decimals, so that the file is easy to compare."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def check_phrases(predictor: Predictor, folder: Path) -> dict[str, Any]:
    """Areas under the ROC curve on the rated phrases in ``folder``, see emomod.training.validation."""
    phrases = load_phrases(folder)
    areas = [asdict(area) for area in rate_phrases(predictor, phrases)]
    counts: dict[str, Any] = {"n_phrases": len(phrases.scores), "n_series": len(set(phrases.series))}
    counts["coverage"] = series_coverage(phrases.series)
    return {**counts, "soundfont": find_soundfont().name, "areas": areas}


def check_unseen(predictor: Predictor, folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Correlations with the labels of test corpora, see emomod.training.unseen.

    InputError, before anything is heard, for a corpus that shares compositions, songs or instruments with a training
    corpus, as far as the corpora and the checkpoint's card tell.
    """
    corpus = predictor.checkpoint.card.get("corpus", {})
    trained = [made for made in (corpus, *corpus.get("sources", ())) if "settings" in made]
    for folder in folders:
        made = read_description(folder)
        for other in trained:
            _check_apart(folder, made, other)
    return [run_unseen_test(predictor, folder).as_dict() for folder in folders]


def _check_apart(folder: Path, made: dict[str, Any], trained: dict[str, Any]) -> None:
    """See that a test corpus, ``made`` in ``folder``, holds nothing that was ``trained`` on; else InputError.

    Corpora of one seed have the same compositions. Without ``held_out`` the instruments are those of training; then
    the songs must at least come from other scores.
    """
    if (seed := made["settings"]["seed"]) == trained["settings"]["seed"]:
        raise InputError(f"test corpus {folder}: must have another seed than the training clips, got {seed}")
    here, there = made.get("scores"), trained.get("scores")
    same_scores = here and there and {here["folder"], here["sha256"]} & {there["folder"], there["sha256"]}
    if same_scores and _keeps_by_name(made) != _keeps_by_name(trained):
        versions = " and ".join(str(each["composer_version"]) for each in (made, trained))
        raise InputError(
            f"test corpus {folder}: composer versions {versions} keep different songs for tests; train or render "
            "again, or test on other scores"
        )
    same_side = bool(made["settings"].get("held_out")) == bool(trained["settings"].get("held_out"))
    if same_side and (same_scores or not here):
        raise InputError(
            f"test corpus {folder}: has songs or instruments of the training clips; render it with --held-out, or "
            "from other scores"
        )


def _keeps_by_name(made: dict[str, Any]) -> bool:
    """Whether a corpus's songs are kept for tests by their names, as since version 3, and not by their places."""
    return int(made.get("composer_version", 1)) >= KEPT_BY_NAME


def check_pairs(predictor: Predictor, n_pairs: int) -> list[dict[str, Any]]:
    """How often the right feature moves the right way, on ``n_pairs`` of each kind, see emomod.training.sense."""
    settings = CorpusSettings(
        1,
        seed=PAIRS_SEED,
        seconds=predictor.window_seconds,
        synthesiser=synthesiser_at_hand(),
        held_out=True,
    )
    return [_of_kind(sense) for sense in matched_pairs_test(predictor, settings, n_pairs=n_pairs)]


def _of_kind(sense: KindSense) -> dict[str, Any]:
    low, high = sense.interval
    kind = KINDS[sense.kind]
    return {
        "kind": sense.kind,
        "says": kind.says,
        "feature": sense.feature,
        "n_pairs": len(sense.shifts),
        "share": {"value": sense.share, "low": low, "high": high},
        "share_of_larger": sense.share_of_larger,
        "shift": float(sense.right_shifts.mean()),
        "label_shift": kind.direction * float(sense.label_shifts.mean()),
        "moved_most": sense.moved_most,
    }


def check_robustness(predictor: Predictor, n_clips: int) -> dict[str, Any]:
    """Score differences of ``n_clips`` clips in other files, see emomod.training.robustness."""
    seconds = predictor.window_seconds
    return measure_robustness(predictor, clips_to_test(n_clips, seconds=seconds), seconds=seconds).as_dict()


def check_clip(predictor: Predictor, clip: Path, *, published: Path, ratings: Path | None) -> dict[str, Any]:
    """Scores of the first window of ``clip`` beside those in the JSON file ``published``, and listeners' ratings."""
    name, theirs = _published(published)
    ours = score_file(predictor, clip, seconds=predictor.window_seconds).tolist()
    scores = {
        "model": dict(zip(predictor.names, ours, strict=True)),
        "published": dict(zip(SCORE_NAMES, theirs, strict=True)),
    }
    listeners = {} if ratings is None else listeners_of(ratings, clip)
    return {"clip": name, **scores, "listeners": listeners}


def _published(path: Path) -> tuple[str, list[float]]:
    """Name of the clip and its 15 published scores, of a JSON file."""
    try:
        stored = read_object(path)
        scores = [float(score) for level in ("midlevel", "emotion") for score in stored[f"{level}_predictions"]]
        return str(stored["clip"]), scores
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"published {path}: cannot be read as published scores ({error})") from None


def listeners_of(table: Path, clip: Path) -> dict[str, float]:
    """Mean ratings of ``clip`` x 0.1 in a table of the Soundtracks dataset; its name ends in the excerpt's number."""
    excerpts, ending = load_soundtracks_ratings(table), clip.stem.rsplit("_", 1)[-1]
    number = read_number(ending)
    if number not in excerpts.numbers:
        raise InputError(f"{table}: has no excerpt of number {ending!r}, with which the name of {clip.name} ends")
    labels = dict(zip(SCORE_NAMES, excerpts.labels[excerpts.numbers.index(number)].tolist(), strict=True))
    return {name: labels[name] for name in EMOTION_NAMES}
