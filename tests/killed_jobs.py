"""The jobs that are killed: explain, train, render, every window and many clips, each with a reader of what it leaves.

Sounds are short and settings few, so that a run is mostly what it takes to start; ``at_length`` asks for more masks,
rounds and clips, so that most moments fall into the work itself.
"""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from emomod.audio import SAMPLE_RATE, write_wav
from emomod.corpus.clip_files import read_clip_folder
from emomod.corpus.render import render_corpus
from emomod.corpus.store import CorpusSettings, load_corpus, read_description
from emomod.explanation import load_explanation
from emomod.model.checkpoint import load_checkpoint
from emomod.training.fit_state import load_state
from tests.killing import Job

SECONDS = 3.0
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def write_tones(path: Path, *, seconds: float = SECONDS, seed: int = 0) -> Path:
    """Write short notes over faint noise."""
    rng, times = np.random.default_rng(seed), np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    y = 0.01 * rng.standard_normal(times.size)
    for onset in np.arange(0.0, seconds, 0.25):
        since, hz = np.maximum(times - onset, 0.0), rng.uniform(100, 1000)
        y += np.where(times >= onset, np.exp(-6 * since) * np.sin(2 * np.pi * hz * since), 0.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_wav(path, 0.5 * y / np.abs(y).max())


# ---- readers: each raises where a result is there and not whole ------------------------------------------------------


def check_explained(folder: Path) -> None:
    """Read every explanation in the place of a result."""
    for record in visible(folder, "explanation.json"):
        load_explanation(record.parent)
    for table in visible(folder, "*.csv"):
        check_table(table)


def check_run(folder: Path) -> None:
    """Read every run of a window or clip, the sounds and the tables."""
    check_explained(folder)
    for record in visible(folder, "*.json"):
        json.loads(record.read_text(encoding="utf-8"))
    for sound in visible(folder, "*.wav"):
        if not soundfile.info(sound).frames or sound.stat().st_size < soundfile.info(sound).frames:
            raise RuntimeError(f"{sound} is not whole")
    places = [(place, "run.json") for place in folder.glob("out/[0-9]*s")]
    places += [(place, "manifest.json") for place in folder.glob("store/clips/??/[!.]*")]
    if torn := [place for place, record in places if not (place / record).is_file()]:
        raise RuntimeError(f"{torn[0]} has no record")


def check_trained(folder: Path) -> None:
    """Read the checkpoint, the state and the table of rounds."""
    for checkpoint in visible(folder, "*.safetensors"):
        load_checkpoint(checkpoint)
    for state in visible(folder, "*.state"):
        load_state(state)
    for table in visible(folder, "*.csv"):
        check_table(table)


def check_rendered(folder: Path) -> None:
    """Read every shard and every clip's folder; all of the corpus where its table is there."""
    for record in visible(folder, "corpus.json"):
        read_description(record.parent)
        for shard in visible(record.parent, "shard_*.npz"):
            with np.load(shard, allow_pickle=False) as stored:
                [stored[name] for name in stored.files]
        for clip in (path for path in record.parent.glob("clips/*") if not path.name.startswith(".")):
            read_clip_folder(clip)
        if (record.parent / "labels.csv").is_file():
            load_corpus(record.parent)


def check_table(table: Path) -> None:
    """Every row of a CSV has all columns."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, restkey="", restval=None))
    if not rows or any(None in row.values() or "" in row for row in rows):
        raise RuntimeError(f"{table} is not whole")


def visible(folder: Path, pattern: str) -> list[Path]:
    """Files of a name below ``folder`` that do not lie in hidden folders, where unfinished results are."""
    found = (path for path in sorted(folder.rglob(pattern)) if path.is_file())
    return [path for path in found if not any(name.startswith(".") for name in path.relative_to(folder).parts)]


# ---- jobs ------------------------------------------------------------------------------------------------------------


def explain_job(folder: Path, *, at_length: bool = False) -> Job:
    """``emomod explain``."""
    clip = write_tones(folder / "clip.wav", seconds=10.0 if at_length else SECONDS)
    masks = ["--masks", "1024" if at_length else "128", "--components", "grid", "--method", "lime:n_held_out=2"]
    words = ("explain", str(clip), "--out", "out", *masks, "--device", "cpu")
    return Job("explain", words, check_explained, environment=ONE_THREAD)


def windows_job(folder: Path) -> Job:
    """``emomod run --all-windows`` on a file of three windows."""
    clip = write_tones(folder / "long.wav", seconds=25.0)
    few = ["--masks", "64", "--components", "grid", "--method", "lime:n_held_out=2", "--controls", "1"]
    words = ("run", str(clip), "--all-windows", "--target", "energy", "--rule", "top:9", "--out", "out", *few)
    return Job("windows", (*words, "--device", "cpu"), check_run, environment=ONE_THREAD)


def train_job(folder: Path, *, at_length: bool = False) -> Job:
    """``emomod train`` on a corpus that is rendered here."""
    render_corpus(folder / "corpus", CorpusSettings(24, seed=1, synthesiser="numpy", seconds=2.0))
    config = {
        "width": 0.05,
        "rounds": 12 if at_length else 2,
        "round_clips": 64 if at_length else 16,
        "batch_size": 8,
        "window_seconds": 1.0,
        "variant": "a2mid2e",
        "device": "cpu",
    }
    (folder / "tiny.yaml").write_text(json.dumps(config), encoding="utf-8")
    words = ("train", "--config", str(folder / "tiny.yaml"), "--corpus", str(folder / "corpus"))
    return Job("train", (*words, "--out", "mine.safetensors"), check_trained, environment=ONE_THREAD)


def render_job(*, n_clips: int = 42, workers: int = 2, stems: bool = False) -> Job:
    """``emomod corpus render``; a shard has 40 clips."""
    words = ["corpus", "render", "--clips", str(n_clips), "--seed", "3", "--synthesiser", "numpy", "--out", "corpus"]
    words += ["--workers", str(workers), *([] if stems else ["--spectrograms-only"])]
    return Job("render", tuple(words), check_rendered, environment=ONE_THREAD)


def write_clips(folder: Path, *, n_clips: int, seconds: float) -> Path:
    """Write clips and a CSV that lists them; return its path."""
    clips = [write_tones(folder / "clips" / f"{k:05d}.wav", seconds=seconds, seed=k) for k in range(n_clips)]
    corpus = folder / "corpus.csv"
    corpus.write_text("\n".join(["path", *map(str, clips)]) + "\n", encoding="utf-8")
    return corpus


def write_recipe(folder: Path, *, n_masks: int, **more: Any) -> Path:
    """Write a recipe of few masks and controls, in that YAML which is JSON; return its path."""
    recipe = {
        "targets": ["articulation"],
        "components": "grid",
        "method": f"lime:n_perturbations={n_masks},n_held_out=2",
        "modify": {"n_controls": 1, "rule": "top:9"},
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe | more), encoding="utf-8")
    return path


def batch_job(folder: Path, *, workers: int = 2, n_clips: int = 6) -> Job:
    """``emomod batch``; the folders of its clips are compared, its own records and tables are not."""
    corpus, recipe = write_clips(folder, n_clips=n_clips, seconds=SECONDS), write_recipe(folder, n_masks=64)
    words = ("batch", str(corpus), "--recipe", str(recipe), "--out", "store", "--workers", str(workers))
    return Job("batch", (*words, "--device", "cpu"), check_run, compared="store/clips/**/*", environment=ONE_THREAD)
