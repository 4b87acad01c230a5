"""Rendering a corpus: repeatable, resumable, and refused where the input is wrong."""

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emomod.alone import alone
from emomod.cli.corpus import add_render_arguments, render_command
from emomod.cli.train import add_train_arguments, train_command
from emomod.corpus import render
from emomod.corpus.clip_files import read_clip_folder
from emomod.corpus.labels import scaled_labels
from emomod.corpus.pairs import KINDS, compare_scores
from emomod.corpus.render import COUPLE_ODDS, draw_clip, open_studio, render_corpus
from emomod.corpus.store import CorpusSettings, clip_folder, load_corpus
from emomod.corpus.workers import work_off
from emomod.errors import InputError
from emomod.spectrogram import compute_spectrogram

SMALL = CorpusSettings(24, seed=3, synthesiser="numpy", seconds=2.0, shard_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("corpus") / "small"
    render_corpus(made, SMALL)
    return made


def test_corpus_has_what_it_says(folder):
    corpus = load_corpus(folder)
    assert corpus.spectrograms.shape == (24, 149, 62)
    assert corpus.spectrograms.dtype == np.float16
    assert_allclose(corpus.labels, scaled_labels(corpus.raw))
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert_allclose([float(row["dissonance"]) for row in rows], corpus.labels[:, 4], atol=1e-4)
    assert json.loads((folder / "corpus.json").read_text())["settings"]["n_clips"] == 24


def test_a_clip_depends_on_seed_and_index_only_against_itself(folder, tmp_path):
    render_corpus(tmp_path / "fewer", replace(SMALL, n_clips=5))
    render_corpus(tmp_path / "other", replace(SMALL, n_clips=5, seed=4))
    some, fewer, other = (load_corpus(path) for path in (folder, tmp_path / "fewer", tmp_path / "other"))
    assert np.array_equal(some.spectrograms[:5], fewer.spectrograms)
    assert np.array_equal(some.raw[:5], fewer.raw)
    assert not np.array_equal(other.raw, fewer.raw)


def test_a_stopped_rendering_goes_on_against_itself(folder, tmp_path):
    out = tmp_path / "stopped"
    lines: list[str] = []
    render_corpus(out, SMALL)
    (out / "shard_0001.npz").unlink()
    with pytest.raises(InputError, match="1 shards are missing"):
        load_corpus(out)
    render_corpus(out, SMALL, log=lines.append)
    assert lines == ["rendered shard 1: 3 of 3"]
    assert np.array_equal(load_corpus(out).spectrograms, load_corpus(folder).spectrograms)


def test_what_a_killed_rendering_left_goes_and_does_not_matter_against_itself(tmp_path):
    out, settings = tmp_path / "out", replace(SMALL, n_clips=2, stems=True, shard_size=1)
    (out / "clips" / ".00000.abc.partial").mkdir(parents=True)
    shutil.rmtree(out / "clips")
    (out / "corpus.json.partial").write_text("{")  # all that there is after the earliest of kills
    render_corpus(out, settings)
    whole = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for name in (".00000.abc.partial", ".00001.abc.earlier", ".00001.discarded.partial"):
        (out / "clips" / name).mkdir()
        (out / "clips" / name / "mix.flac").write_text("half")
    for name in ("shard_0001.npz.partial", "labels.csv.partial", "corpus.json.partial"):
        (out / name).write_text("half")
    (out / "shard_0001.npz").unlink()  # so that the folder of its clip is made anew
    (out / "clips" / "00001" / "mix.flac").write_text("of another time")
    render_corpus(out, settings)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == whole


def _die(item):
    os.kill(os.getpid(), signal.SIGKILL)
    return item


def test_workers_iv_one_that_is_killed():
    with pytest.raises(InputError, match="one of the processes was ended from outside"):
        list(work_off(_die, [1, 2], n_workers=2, log=print))


def test_render_iv_another_run_is_at_work(tmp_path):
    render_corpus(tmp_path, replace(SMALL, n_clips=1))
    with alone(tmp_path), pytest.raises(InputError, match="another run is at work on it"):
        render_corpus(tmp_path, replace(SMALL, n_clips=1))


def test_render_iv_a_corpus_that_goes_away_while_it_is_made(tmp_path, monkeypatch):
    def gone(y):
        (tmp_path / "corpus.json").unlink(missing_ok=True)
        return compute_spectrogram(y)

    monkeypatch.setattr(render, "compute_spectrogram", gone)
    with pytest.raises(InputError, match="the corpus has gone"):
        render_corpus(tmp_path, replace(SMALL, n_clips=1))
    assert not list(tmp_path.glob("shard*"))


def test_a_corpus_grows_by_full_shards_against_itself(folder, tmp_path):
    lines: list[str] = []
    render_corpus(tmp_path / "small", replace(SMALL, n_clips=8))
    render_corpus(tmp_path / "small", SMALL, log=lines.append)
    assert len(lines) == 2
    assert np.array_equal(load_corpus(tmp_path / "small").spectrograms, load_corpus(folder).spectrograms)


def test_the_number_of_workers_changes_nothing(folder, tmp_path):
    render_corpus(tmp_path / "two", SMALL, n_workers=2)
    assert np.array_equal(load_corpus(tmp_path / "two").spectrograms, load_corpus(folder).spectrograms)
    assert (tmp_path / "two" / "labels.csv").read_text() == (folder / "labels.csv").read_text()


def test_a_clip_with_stems_is_its_stems_and_what_the_corpus_holds(tmp_path):
    settings = replace(SMALL, n_clips=3, stems=True, seed=11)
    render_corpus(tmp_path / "stems", settings)
    corpus = load_corpus(tmp_path / "stems")
    for index in range(3):
        stored = read_clip_folder(clip_folder(tmp_path / "stems", index))
        assert np.array_equal(stored.mix, stored.stems.mix)
        again = compute_spectrogram(stored.mix).log_spectrogram.numpy().astype(np.float16)
        assert np.array_equal(again, corpus.spectrograms[index])
        assert_allclose(list(stored.facts["labels"].values()), corpus.labels[index], atol=1e-9)
        assert stored.facts["song"] == corpus.songs[index] == f"composed 11-{index}"
    with pytest.raises(InputError, match="made otherwise"):
        render_corpus(tmp_path / "stems", replace(settings, stems=False))


def test_couples_differ_in_one_planted_change():
    settings = replace(SMALL, couples=True, seconds=10.0)
    studio = open_studio(settings)
    kinds, shared = set(), []
    for couple in range(12):
        before, after = (draw_clip(settings, 2 * couple + place, studio=studio) for place in (0, 1))
        changed = compare_scores(before.score, after.score)
        assert changed
        assert before.song == after.song == f"composed 3-{couple}"
        shared.append(before.rng.random() == after.rng.random())
        kinds |= {tuple(sorted({note.version for note in changed}))}
        again = draw_clip(settings, 2 * couple + 1, studio=studio)
        assert again.score == after.score
    assert len(kinds) > 1
    assert 0 < sum(shared) < 12  # half of the couples are in one room


def test_couples_may_be_of_every_kind():
    assert set(COUPLE_ODDS) == set(KINDS)
    assert sum(COUPLE_ODDS.values()) == pytest.approx(1.0)


def test_a_test_corpus_has_other_music_than_a_training_corpus_of_the_same_seed():
    train, test = (replace(SMALL, held_out=held_out) for held_out in (False, True))
    ours, theirs = (draw_clip(settings, 0, studio=open_studio(settings)).score for settings in (train, test))
    assert [note.onset for note in ours.parts[0].notes] != [note.onset for note in theirs.parts[0].notes]


def test_a_corpus_with_a_damaged_shard_names_it(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "damaged")
    shard = tmp_path / "damaged" / "shard_0001.npz"
    shard.write_bytes(shard.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"shard_0001\.npz: cannot be read .*remove it and render the corpus again"):
        load_corpus(tmp_path / "damaged")


def test_couples_iv_music_in_which_nothing_can_be_changed(monkeypatch):
    monkeypatch.setattr(render, "draw_pair", lambda score, kind, rng, prepare: None)
    monkeypatch.setattr(render, "SCORES_A_COUPLE", 2)
    settings = replace(SMALL, couples=True)
    with pytest.raises(InputError, match="couples: 14 clips of this music have nothing that can be changed"):
        draw_clip(settings, 0, studio=open_studio(settings))


LONG = CorpusSettings(4000, seed=3, synthesiser="numpy", seconds=2.0, shard_size=8)
RENDERING = """
import sys
from emomod.corpus.render import render_corpus
from emomod.corpus.store import CorpusSettings
render_corpus(sys.argv[1], {settings}, n_workers=2, log=lambda line: print(line, file=sys.stderr, flush=True))
"""


def begin_rendering(out):
    """Start rendering in a process group of its own; return the process when a shard is there."""
    command = [sys.executable, "-c", RENDERING.format(settings=LONG), str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    assert process.stderr is not None
    while b"rendered shard" not in process.stderr.readline():
        assert process.poll() is None
    return process


def alive_in_group(group):
    """Processes of a group that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, fields = path.read_text().rsplit(")", 1)
            if int(fields.split()[2]) == group and fields.split()[0] != "Z":
                found.append(name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_rendering_that_is_interrupted_leaves_no_process_and_goes_on_against_itself(tmp_path, how):
    process = begin_rendering(tmp_path / "stopped")
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does
    else:
        process.kill()
    process.communicate(timeout=120)
    deadline = time.monotonic() + 30
    while alive_in_group(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive_in_group(process.pid) == []
    done = sorted((tmp_path / "stopped").glob("shard_*.npz"))
    assert 1 <= len(done) < LONG.n_shards
    studio = open_studio(LONG)
    shutil.copy(tmp_path / "stopped" / "corpus.json", tmp_path)
    for path in done[:3]:
        shard = int(path.stem[-4:])
        render._make_shard(tmp_path, LONG, studio, shard)
        assert np.array_equal(np.load(tmp_path / path.name)["spectrograms"], np.load(path)["spectrograms"])


def test_corpus_iv(folder, tmp_path):
    with pytest.raises(InputError, match="made otherwise"):
        render_corpus(folder, replace(SMALL, seed=9))
    (tmp_path / "photo.txt").write_text("mine")
    with pytest.raises(InputError, match="neither empty nor a corpus"):
        render_corpus(tmp_path, SMALL)
    with pytest.raises(InputError, match="cannot be a folder"):
        render_corpus(tmp_path / "photo.txt" / "x", SMALL)
    with pytest.raises(InputError, match="holds no corpus"):
        load_corpus(tmp_path)
    (tmp_path / "corpus.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        load_corpus(tmp_path)
    with pytest.raises(InputError, match="n_clips must be"):
        CorpusSettings(0)
    with pytest.raises(InputError, match="synthesiser must be one of"):
        CorpusSettings(1, synthesiser="kazoo")


def test_commands_against_itself(folder, tmp_path, capsys):
    render, training = argparse.ArgumentParser(), argparse.ArgumentParser()
    add_render_arguments(render)
    add_train_arguments(training)
    out = tmp_path / "by_command"
    made = render_command(
        render.parse_args(["--clips", "2", "--seed", "3", "--synthesiser", "numpy", "--out", str(out)])
    )
    assert made["settings"]["seed"] == 3
    assert "rendered shard 0: 1 of 1" in capsys.readouterr().err
    with pytest.raises(InputError, match="number of clips must be"):
        train_command(training.parse_args(["--corpus", str(out), "--out", str(tmp_path / "x.safetensors")]))
    json.dumps(made)
