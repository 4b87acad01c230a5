"""The readers under test: each gets bytes the way a file of a user reaches it, and may only give up by name."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

from emomod.attribution.methods import parse_method
from emomod.audio import read_blocks, read_clip, read_windows
from emomod.batch.clip_list import read_clip_list
from emomod.component_weights import parse_rule, select_components
from emomod.components.kinds import parse_kinds
from emomod.corpus.clip_files import read_clip_folder
from emomod.corpus.midi import read_midi
from emomod.corpus.song import read_song
from emomod.corpus.store import load_corpus
from emomod.datasets.prepare import load_prepared
from emomod.datasets.soundtracks import load_soundtracks_ratings
from emomod.errors import EmomodError
from emomod.explanation import load_explanation
from emomod.model.checkpoint import load_checkpoint
from emomod.reading.json_files import read_json
from emomod.reading.yaml_files import read_yaml
from emomod.score_tables import load_scores
from emomod.training.config import read_config
from listening_study.importers.jspsych import import_jspsych
from listening_study.importers.label_studio import import_label_studio
from listening_study.importers.plain_csv import import_plain_csv
from listening_study.importers.psychopy import import_psychopy
from listening_study.importers.webmushra import import_webmushra
from listening_study.package import list_rows, read_study
from listening_study.plan import read_plan, told_of
from listening_study.series import read_series
from listening_study.table import read_table
from listening_study.trials import draw_lists
from tests.fuzz import seeds, stores
from tests.fuzz.study import study


@dataclass(frozen=True)
class Target:
    """A reader, the files that it reads, and how they are changed."""

    read: Callable[[Path], object]  # the file, in a folder of its own that may be changed
    file: str  # its name there
    kind: str  # of the file: bytes, text, json, zip or safetensors
    seeds: Callable[[], list[bytes]]  # valid files
    around: Callable[[], Path] | None = None  # a folder with what else the reader needs
    share: float = 1.0  # of the inputs of other targets, for readers that are slow


class Unclear(Exception):  # noqa: N818 - what a test reports, not what a user sees
    """A reader gave up by an error that tells a user nothing."""


def run(target: Target, content: bytes) -> None:
    """Give a reader a file; whatever it raises, but an error that tells a user what is wrong, goes on to the caller."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # of libraries, which users do not see
        place = Path(folder) / "in"
        if target.around is None:
            place.mkdir()
        else:
            copytree(target.around(), place)
        (place / target.file).write_bytes(content)
        try:
            target.read(place / target.file)
        except (EmomodError, OSError) as error:
            if not str(error).strip() or (isinstance(error, EmomodError) and len(str(error)) > 20_000):
                raise Unclear(f"{type(error).__name__} of {len(str(error))} characters") from error
        if left := [path.name for path in Path(folder).iterdir() if path.name != "in"]:
            raise Unclear(f"it left {left[0]} outside of its folder")


def _sound(path: Path) -> None:
    read_clip(path, seconds=2.0)
    for _ in islice(read_windows(path, seconds=2.0), 3):
        pass
    for _ in islice(read_blocks(path, seconds=2.0), 3):
        pass


def _explanation(path: Path) -> None:
    explanation = load_explanation(path.parent)
    for name in explanation.names[:3]:
        explanation.rows(select_components(explanation.weights, target=name))
        explanation.height(name)
    explanation.where.spread(explanation.weights.weights[0])
    repr(explanation)
    explanation.save(path.parent / "again")


def _study(path: Path) -> None:
    found = read_study(path.parents[1] if path.parent.name == "private" else path.parent)
    list_rows(found)
    assert found.identity


def _song(path: Path) -> None:
    assert read_song(path).n_beats


def _plan(path: Path) -> None:
    plan = read_plan(path)
    draw_lists(plan)
    told_of(plan)


def _specs(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", errors="replace").strip()
    for parse in (parse_kinds, parse_method, parse_rule):
        with suppress(EmomodError):
            parse(text)


def _importer(read: Callable[..., object]) -> Callable[[Path], object]:
    return lambda path: read(study(), [path])


def _in_store(name: str, kind: str) -> Target:
    """The readers of a store, of which the file ``name`` is changed."""
    return Target(
        lambda path: stores.read_store(name, path),
        stores.INPUT,
        kind,
        lambda: [stores.of_store(name)],
        stores.store,
        0.3,
    )


TARGETS: dict[str, Target] = {
    "wav": Target(_sound, "clip.wav", "bytes", seeds.wavs),
    "flac": Target(_sound, "clip.flac", "bytes", seeds.flacs),
    "ogg": Target(_sound, "clip.ogg", "bytes", seeds.oggs),
    "mp3": Target(_sound, "clip.mp3", "bytes", seeds.mp3s),
    "aiff": Target(_sound, "clip.aiff", "bytes", seeds.aiffs),
    "checkpoint": Target(load_checkpoint, "model.safetensors", "safetensors", seeds.checkpoints, share=0.5),
    "explanation_json": Target(
        _explanation, "explanation.json", "json", seeds.one("explanation.json"), seeds.explanation
    ),
    "explanation_npz": Target(_explanation, "explanation.npz", "zip", seeds.one("explanation.npz"), seeds.explanation),
    "corpus_json": Target(
        lambda path: load_corpus(path.parent), "corpus.json", "json", seeds.one("corpus.json"), seeds.corpus
    ),
    "shard": Target(
        lambda path: load_corpus(path.parent), "shard_0000.npz", "zip", seeds.one("shard_0000.npz"), seeds.corpus
    ),
    "clip_json": Target(
        lambda path: read_clip_folder(path.parent), "labels.json", "json", seeds.one("labels.json"), seeds.clip
    ),
    "clip_flac": Target(
        lambda path: read_clip_folder(path.parent), "mix.flac", "bytes", seeds.one("mix.flac"), seeds.clip
    ),
    "prepared_json": Target(
        lambda path: load_prepared(path.parent), "prepared.json", "json", seeds.one("prepared.json"), seeds.prepared
    ),
    "scores": Target(load_scores, "scores.csv", "text", seeds.scores),
    "ratings": Target(load_soundtracks_ratings, "ratings.csv", "text", seeds.ratings),
    "sheet": Target(load_soundtracks_ratings, "ratings.xlsx", "zip", seeds.sheets, share=0.1),
    "config": Target(read_config, "config.yaml", "yaml", seeds.configs),
    "plan": Target(_plan, "study.yaml", "yaml", seeds.plans, share=0.5),
    "yaml": Target(lambda path: read_yaml(path, extra="study"), "a.yaml", "yaml", seeds.yamls),
    "json": Target(read_json, "a.json", "json", seeds.jsons),
    "specs": Target(_specs, "specs.txt", "text", seeds.specs),
    "study_plan": Target(_study, "private/study.yaml", "yaml", seeds.of_study("study.yaml"), seeds.study_folder, 0.2),
    "study_key": Target(_study, "private/key.csv", "text", seeds.of_study("key.csv"), seeds.study_folder, 0.5),
    "study_json": Target(_study, "private/study.json", "json", seeds.of_study("study.json"), seeds.study_folder, 0.2),
    "answers": Target(lambda path: read_table(path, study=study()), "answers.csv", "text", seeds.answers),
    "series": Target(
        lambda path: read_series(path.parent), "steer.json", "json", seeds.one("steer.json"), seeds.series
    ),
    "from_csv": Target(_importer(import_plain_csv), "a.csv", "text", seeds.plain),
    "from_psychopy": Target(_importer(import_psychopy), "a.csv", "text", seeds.psychopy),
    "from_jspsych": Target(_importer(import_jspsych), "a.json", "json", seeds.jspsych),
    "from_jspsych_csv": Target(_importer(import_jspsych), "a.csv", "text", seeds.jspsych_csv),
    "from_label_studio": Target(_importer(import_label_studio), "a.json", "json", seeds.label_studio),
    "from_webmushra": Target(_importer(import_webmushra), "lss.csv", "text", seeds.webmushra),
    "from_webmushra_posts": Target(_importer(import_webmushra), "webmushra.jsonl", "json", seeds.webmushra_posts),
    "run_json": Target(
        stores.read_run,
        "run.json",
        "json",
        lambda: [(stores.a_run() / "run.json").read_bytes()],
        stores.a_run,
        share=0.5,
    ),
    "recipe": Target(stores.read_whole_recipe, "recipe.yaml", "yaml", lambda: [stores.RECIPE]),
    "clip_list": Target(read_clip_list, "clips.csv", "text", lambda: [stores.CLIP_LIST]),
    "store_record": _in_store("batch.json", "json"),
    "store_clips": _in_store("clips.csv", "text"),
    "store_manifest": _in_store("manifest.json", "json"),
    "store_run": _in_store("run.json", "json"),
    "store_runs": _in_store("runs", "bytes"),
    "store_shifts": _in_store("shifts", "bytes"),
    "midi": Target(_song, "song.mid", "bytes", seeds.midis),
    "midi_notes": Target(lambda path: read_midi(path, seconds=4.0), "song.mid", "bytes", seeds.midis),
    "musicxml": Target(_song, "song.musicxml", "text", seeds.musicxmls, share=0.3),
    "mxl": Target(_song, "song.mxl", "zip", seeds.mxls, share=0.1),
}
