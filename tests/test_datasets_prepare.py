"""Preparing datasets: spectrograms on disk, going on after a stop, bad sounds among good ones, the commands."""

import csv
import json
import re
import shlex
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_datasets import edit, write_midlevel, write_sound, write_soundtracks

from emomod.alone import alone
from emomod.audio import file_sha256, read_clip
from emomod.cli.main import build_parser, main
from emomod.datasets import prepare as preparing
from emomod.datasets.midlevel import load_midlevel
from emomod.datasets.prepare import RECORD, check_sounds, load_prepared, prepare, prepared_dataset
from emomod.datasets.problems import DatasetError
from emomod.errors import InputError
from emomod.spectrogram import FRONT_END, N_BANDS, compute_spectrogram


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_midlevel(tmp_path_factory.mktemp("made") / "midlevel", (1, 2, 3576), artists="AAB")


@pytest.fixture
def midlevel(made, tmp_path):
    """A copy of three clips to spoil."""
    return Path(shutil.copytree(made, tmp_path / "midlevel"))


@pytest.fixture
def reads(monkeypatch):
    """Names of the sounds that were decoded, in the order of the alphabet once sorted."""
    names = []

    def noted(path, **options):
        names.append(Path(path).name)
        return read_clip(path, **options)

    monkeypatch.setattr(preparing, "read_clip", noted)
    return names


def spectrogram_files(out):
    return sorted(out.glob("spectrograms-*/*"))


def test_prepared_clips_against_their_sounds_and_ratings(midlevel, tmp_path):
    clips = load_midlevel(midlevel)
    kept, heard = prepare(clips, tmp_path / "out")
    loaded = load_prepared(tmp_path / "out")
    assert loaded.names == kept.names == clips.names
    assert loaded.groups == clips.groups
    assert np.array_equal(loaded.labels, clips.labels, equal_nan=True)
    for sound, found, spectrogram in zip(clips.sounds, heard, loaded.spectrograms, strict=True):
        whole = compute_spectrogram(read_clip(sound, seconds=60.0).y).log_spectrogram.numpy()
        assert spectrogram.dtype == np.float16
        assert np.array_equal(spectrogram, whole.astype(np.float16))
        assert found.sha256 == file_sha256(sound)
        assert found.seconds == pytest.approx(0.7, abs=0.1)


def test_a_second_run_decodes_nothing_and_a_replaced_sound_is_read_anew(midlevel, tmp_path, reads):
    prepare(load_midlevel(midlevel), tmp_path / "out")
    before = load_prepared(tmp_path / "out")
    reads.clear()
    _, heard = prepare(load_midlevel(midlevel), tmp_path / "out")
    assert reads == []
    assert [found.seconds for found in heard] == pytest.approx([0.7] * 3, abs=0.1)
    write_sound(midlevel / "audio" / "2.mp3", hz=999.0)
    prepare(load_midlevel(midlevel), tmp_path / "out")
    after = load_prepared(tmp_path / "out")
    assert reads == ["2.mp3"]
    same = [np.array_equal(a, b) for a, b in zip(before.spectrograms, after.spectrograms, strict=True)]
    assert same == [True, False, True]


def test_a_stopped_run_leaves_no_half_file_and_goes_on_where_it_was(midlevel, tmp_path, monkeypatch, reads):
    monkeypatch.setattr(preparing, "REPORTED", 1)

    def stopped(path, **options):
        if path.name == "2.mp3":
            raise KeyboardInterrupt
        reads.append(path.name)
        return read_clip(path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(preparing, "read_clip", stopped)
        with pytest.raises(KeyboardInterrupt):
            prepare(load_midlevel(midlevel), tmp_path / "out")
    stored = spectrogram_files(tmp_path / "out")
    assert 1 <= len(stored) == len(reads) < 3
    assert all(path.suffix == ".npy" and not path.name.startswith(".") for path in stored)
    with pytest.raises(InputError, match="holds no prepared clips"):
        load_prepared(tmp_path / "out")
    lines = list[str]()
    prepare(load_midlevel(midlevel), tmp_path / "out", log=lines.append)
    assert sorted(reads) == ["1.mp3", "2.mp3", "3576.mp3"]
    assert lines == [f"prepared {n} of 3 sounds" for n in (1, 2, 3)]
    assert len(load_prepared(tmp_path / "out")) == 3


def test_what_a_killed_run_left_goes_and_another_run_at_the_same_place_is_refused(midlevel, tmp_path):
    out = tmp_path / "out"
    prepare(load_midlevel(midlevel), out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    store = spectrogram_files(out)[0].parent
    for path in (out / f".{RECORD}.1.2.partial", store / ".abc.npy.1.2.partial"):
        path.write_bytes(b"half")
    prepare(load_midlevel(midlevel), out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    with alone(out), pytest.raises(InputError, match="another run is at work on it"):
        prepare(load_midlevel(midlevel), out)


def test_a_stop_ends_the_waiting_work(midlevel, tmp_path):
    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(load_midlevel(midlevel), tmp_path / "out", log=stop)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


def test_a_damaged_spectrogram_is_made_again_and_refused_by_training(midlevel, tmp_path):
    prepare(load_midlevel(midlevel), tmp_path / "out")
    stored = spectrogram_files(tmp_path / "out")
    whole = stored[0].read_bytes()
    for damaged in (whole[:-10], b"", b"\x93NUMPY", whole.replace(b"<f2", b"<i2")):
        stored[0].write_bytes(damaged)
        with pytest.raises(InputError, match=r"\.npy: .*prepare the dataset again"):
            load_prepared(tmp_path / "out")
        prepare(load_midlevel(midlevel), tmp_path / "out")
        assert stored[0].read_bytes() == whole


def cut(path):
    path.write_bytes(path.read_bytes()[:-600])


def fill(path):
    path.write_bytes(b"not a sound" * 99)


def silence(path):
    soundfile.write(path, np.zeros(22050), 22050)


def lengthen(path):
    write_sound(path, seconds=preparing.LONGEST + 1)


SPOILT = {
    "cut off": (cut, "is cut off after 0"),
    "no sound": (fill, "cannot be decoded as sound"),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "silent": (silence, "is silent from 0 s"),
    "a whole album": (lengthen, "is 121 s long, and clips of this dataset are no longer than 120 s"),
    "a wav by name only": (
        lambda path: (fill(path), path.rename(path.with_suffix(".wav"))),
        "cannot be decoded as sound",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_bad_sound_among_good_ones_is_named_with_the_row_of_its_ratings(midlevel, tmp_path, name):
    spoil, what = SPOILT[name]
    spoil(midlevel / "audio" / "2.mp3")
    clips, out = load_midlevel(midlevel), tmp_path / "out"
    with pytest.raises(DatasetError) as refused:
        prepare(clips, out)
    (problem,) = refused.value.problems
    assert (problem.file, problem.row) == (str(midlevel / "metadata_annotations" / "annotations.csv"), 3)
    assert problem.what.startswith(f"its sound {clips.sounds[1]} cannot be used: {what}")
    assert not (out / RECORD).exists()
    assert len(spectrogram_files(out)) == 2
    assert check_sounds(clips)[1] == [problem]
    kept, heard = prepare(clips, out, skip_bad=True)
    assert kept.names == load_prepared(out).names == ("midlevel/1", "midlevel/3576")
    assert kept.left_out == (problem,)
    assert len(heard) == 2
    (told,) = json.loads((out / RECORD).read_text())["left_out"]
    assert told == {"file": problem.file, "row": 3, "what": problem.what}


def test_what_was_left_out_before_is_no_new_error_and_stays_in_the_record(midlevel, tmp_path):
    (midlevel / "audio" / "2.mp3").unlink()
    kept, _ = prepare(load_midlevel(midlevel, skip_bad=True), tmp_path / "out")
    assert len(kept) == 2
    (told,) = json.loads((tmp_path / "out" / RECORD).read_text())["left_out"]
    assert told["row"] == 3


def test_no_sound_left_is_refused_even_when_bad_ones_may_go(midlevel, tmp_path):
    for path in (midlevel / "audio").iterdir():
        fill(path)
    with pytest.raises(DatasetError, match="3 problems"):
        prepare(load_midlevel(midlevel), tmp_path / "out", skip_bad=True)


def test_a_sound_that_goes_away_while_it_is_prepared_is_named(midlevel, tmp_path):
    clips = load_midlevel(midlevel)
    clips.sounds[0].unlink()
    with pytest.raises(DatasetError, match="cannot be used: cannot be read"):
        prepare(clips, tmp_path / "out")


def test_equal_sounds_share_a_file(midlevel, tmp_path):
    for song in (1, 3576):
        shutil.copy(midlevel / "audio" / "2.mp3", midlevel / "audio" / f"{song}.mp3")
    prepare(load_midlevel(midlevel), tmp_path / "out")
    assert len(spectrogram_files(tmp_path / "out")) == 1
    assert len(load_prepared(tmp_path / "out")) == 3


def test_another_front_end_never_meets_old_files(midlevel, tmp_path, monkeypatch):
    prepare(load_midlevel(midlevel), tmp_path / "out")
    monkeypatch.setattr(preparing, "FRONT_END", FRONT_END | {"n_fft": 4096})
    with pytest.raises(InputError, match="was made by another version of emomod"):
        load_prepared(tmp_path / "out")
    prepare(load_midlevel(midlevel), tmp_path / "out")
    assert len(load_prepared(tmp_path / "out")) == 3
    assert len(list((tmp_path / "out").glob("spectrograms-*"))) == 2


def test_a_folder_of_something_else_is_left_alone(midlevel, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("It was a dark and stormy night.")
    with pytest.raises(InputError, match="neither empty nor a folder of prepared clips"):
        prepare(load_midlevel(midlevel), tmp_path / "thesis")
    with pytest.raises(InputError, match=r"thesis\.tex cannot be written"):
        prepare(load_midlevel(midlevel), tmp_path / "thesis" / "thesis.tex")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "front_end": {}, "clips": [1]}', "\0"]
)
def test_a_record_that_is_none_is_refused(tmp_path, text):
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(InputError, match="prepare the dataset again"):
        load_prepared(tmp_path)


def test_the_documented_commands_are_understood():
    text = (Path(__file__).parents[1] / "docs" / "datasets.md").read_text(encoding="utf-8")
    lines = [line.partition("#")[0] for line in text.splitlines() if line.startswith("emomod dataset ")]
    assert len(lines) >= 4
    for line in lines:
        assert build_parser().parse_args(shlex.split(line)[1:]).command == "dataset"


def test_check_prints_what_is_there(midlevel, capsys):
    assert main(["dataset", "check", "midlevel", str(midlevel)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("midlevel: 3 clips of 0.7 s\ngroups: 2 artists\n")
    assert "tonal stability" in told.out
    assert "valence" not in told.out
    assert told.out.endswith("problems: none\n")
    assert told.err == "read 3 of 3 sounds\n"


def test_check_as_json_against_the_ratings(midlevel, capsys):
    assert main(["dataset", "check", "midlevel", str(midlevel), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    melody = load_midlevel(midlevel).labels[:, 0]
    assert found["scores"]["melodiousness"] == pytest.approx(
        {"clips": 3, "lowest": melody.min(), "mean": melody.mean(), "highest": melody.max()}
    )
    assert found["scores"]["valence"] == {"clips": 0}
    assert found["groups"] == {"artist": 2}
    assert found["splits"]["ten folds"].startswith("groups must be at least as many as the 10 folds")
    assert (found["clips"], found["problems"]) == (3, [])


def test_check_lists_faults_of_tables_and_sounds_together(midlevel, tmp_path, capsys):
    cut(midlevel / "audio" / "2.mp3")
    edit(midlevel / "metadata_annotations" / "annotations.csv", "\n1,", "\n1,x")
    listed = tmp_path / "problems.csv"
    command = ["dataset", "check", "midlevel", str(midlevel), "--problems", str(listed)]
    assert main(command) == 1
    told = capsys.readouterr()
    assert told.out == ""
    lines = [line for line in told.err.splitlines() if line.startswith("emomod: ")]
    assert lines[0] == "emomod: 2 problems in the dataset"
    assert "row 2: melody must be a number" in lines[1]
    assert "row 3: its sound" in lines[2]
    assert lines[3] == "emomod: --skip-bad goes on without the clips in question; see docs/datasets.md"
    with listed.open(newline="") as file:
        assert [row["row"] for row in csv.DictReader(file)] == ["2", "3"]
    assert main([*command, "--skip-bad", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["clips"], [problem["row"] for problem in found["problems"]]) == (1, [2, 3])


def test_check_refuses_a_dataset_without_a_table_as_json_too(midlevel, capsys):
    (midlevel / "metadata_annotations" / "metadata.csv").unlink()
    assert main(["dataset", "check", "midlevel", str(midlevel), "--skip-bad", "--json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["row"], problem["what"]) == (None, "there is no such file")


def told_last(capsys):
    return capsys.readouterr().err.splitlines()[-1].removeprefix("emomod: ")


@pytest.mark.parametrize("command", ["check", "prepare"])
def test_hints_are_what_helps_and_was_not_asked_for(midlevel, tmp_path, capsys, command):
    words = ["dataset", command, "midlevel", str(midlevel)]
    words += ["--out", str(tmp_path / "out")] if command == "prepare" else []
    annotations = midlevel / "metadata_annotations" / "annotations.csv"
    text = annotations.read_text()
    annotations.write_text(text + "x,1,2,3,4,5,6,7\n" * 21)
    listed, skip = "--problems FILE writes the whole list", "--skip-bad goes on without the clips in question"
    assert main(words) == 1
    assert told_last(capsys) == f"{listed}; {skip}; see docs/datasets.md"
    assert main([*words, "--problems", str(tmp_path / "p.csv")]) == 1
    assert told_last(capsys) == f"{skip}; see docs/datasets.md"
    annotations.write_text(re.sub(r"\n(\d+),", r"\n\1,x", text))
    assert main([*words, "--skip-bad"]) == 1  # no clip is left
    assert told_last(capsys) == "see docs/datasets.md"
    assert main(words) == 1
    assert told_last(capsys) == "see docs/datasets.md"


@pytest.mark.parametrize("command", ["check", "prepare"])
@pytest.mark.parametrize(("name", "told"), [("no/p.csv", "cannot be written"), ("", "is a folder; name a file")])
def test_a_list_of_problems_that_cannot_be_written_is_refused_before_sounds_are_read(
    midlevel, tmp_path, capsys, reads, command, name, told
):
    words = ["dataset", command, "midlevel", str(midlevel), "--problems", str(tmp_path / "lists" / name)]
    words += ["--out", str(tmp_path / "out")] if command == "prepare" else []
    (tmp_path / "lists").mkdir()
    assert main(words) == 1
    assert told in capsys.readouterr().err
    assert not reads
    assert not any((tmp_path / "lists").iterdir())
    assert not (tmp_path / "out").exists()


def test_prepare_of_both_datasets_needs_only_the_ratings_of_the_second(midlevel, tmp_path, capsys):
    soundtracks = write_soundtracks(tmp_path / "soundtracks", (1,))
    shutil.rmtree(soundtracks / "Soundtrack360_mp3")
    out = tmp_path / "out"
    command = ["dataset", "prepare", "midlevel", str(midlevel), "--soundtracks", str(soundtracks), "--out", str(out)]
    assert main(command) == 0
    assert "note: clips with labels of both datasets: 1" in capsys.readouterr().out
    clips = load_prepared(out)
    assert prepared_dataset(out) == "midlevel+soundtracks"  # which the model card names
    assert np.isnan(clips.labels).sum(axis=1).tolist() == [8, 8, 0]
    assert clips.spectrograms[2].shape[0] == N_BANDS


def test_prepare_of_both_names_a_rating_whose_song_is_not_there(midlevel, tmp_path, capsys):
    soundtracks = write_soundtracks(tmp_path / "soundtracks", (1, 2))
    command = ["dataset", "prepare", "midlevel", str(midlevel), "--soundtracks", str(soundtracks)]
    command += ["--out", str(tmp_path / "out")]
    assert main(command) == 1
    assert "row 3: number 2 is song 3577 of midlevel, which is not among its clips" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*command, "--skip-bad"]) == 0
    assert np.isnan(load_prepared(tmp_path / "out").labels).sum(axis=1).tolist() == [8, 8, 0]


def test_prepare_of_both_lists_the_problems_of_both_at_once(midlevel, tmp_path, capsys):
    soundtracks = write_soundtracks(tmp_path / "soundtracks", (1,))
    edit(midlevel / "metadata_annotations" / "annotations.csv", "\n2,", "\n2,x")
    edit(soundtracks / "mean_ratings_set1.csv", "001,", "001,x")
    out = str(tmp_path / "out")
    command = ["dataset", "prepare", "midlevel", str(midlevel), "--soundtracks", str(soundtracks), "--out", out]
    assert main(command) == 1
    told = capsys.readouterr().err
    assert "2 problems in the dataset" in told
    assert "annotations.csv, row 3: melody" in told
    assert "mean_ratings_set1.csv, row 2: valence" in told


def test_prepare_on_the_command_line_names_problems_and_goes_on_when_told(midlevel, tmp_path, capsys):
    fill(midlevel / "audio" / "1.mp3")
    command = ["dataset", "prepare", "midlevel", str(midlevel), "--out", str(tmp_path / "out")]
    assert main(command) == 1
    assert "row 2: its sound" in capsys.readouterr().err
    assert main([*command, "--skip-bad"]) == 0
    told = capsys.readouterr()
    assert "problems: 1 (left out what they name)" in told.out
    assert told.err.splitlines()[-1] == "emomod: the clips that these name are left out"


def test_prepare_of_soundtracks_takes_no_second_folder(tmp_path, capsys):
    command = [
        "dataset",
        "prepare",
        "soundtracks",
        str(tmp_path),
        "--soundtracks",
        str(tmp_path),
        "--out",
        str(tmp_path),
    ]
    assert main(command) == 1
    assert "--soundtracks adds to midlevel" in capsys.readouterr().err
