"""The evaluation of a batch reads its store, and computes nothing again."""

import csv
import json

import pytest
from small_batches import small_store

from emomod.batch.tables import read_rows
from emomod.cli.main import main
from emomod.errors import InputError
from emomod.output import to_json
from evaluation.batches import evaluate_store, rows_of_store, summarise_batch

N_CLIPS = 3


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return small_store(tmp_path_factory.mktemp("batch"), n_clips=N_CLIPS)


def test_rows_of_store_against_itself_the_run_jsons(store):
    rows = rows_of_store(store)
    assert len(rows) == N_CLIPS * 2 * 2
    records = [json.loads(path.read_text()) for path in store.glob("clips/*/*/*/run.json")]
    expected = {
        (record["clip"], record["target"], version): shifts[record["target"]]
        for record in records
        for version, shifts in record["shifts"].items()
    }
    assert {(row["clip"], row["target"], row["version"]): row["shift"] for row in rows} == expected


def test_summarise_batch_against_theory():
    rows = [
        {"target": "fear", "version": "weakened", "song": str(song), "right": song > 0, "shift": -0.1 * song}
        | dict.fromkeys(("moves_most", "beats_count", "beats_energy", "surrogate_r2"), 1.0)
        for song in range(4)
    ]
    found = summarise_batch(rows)["fear"]["weakened"]
    assert found["n_windows"] == 4
    assert found["right"]["value"] == 0.75
    assert found["shift"]["value"] == pytest.approx(-0.15)
    assert found["shift"]["low"] < -0.15 < found["shift"]["high"]


def test_evaluate_store_against_the_design(store, tmp_path, capsys):
    assert main(["evaluate", "batch", "--store", str(store), "--out", str(tmp_path / "out")]) == 0
    assert "articulation, enhanced: " in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "batch.csv", "report.html", "report.md", "summary.json",
    ]  # fmt: skip
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["n_windows"], summary["n_files"]) == (N_CLIPS, N_CLIPS)
    with open(tmp_path / "out" / "batch.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == N_CLIPS * 4
    again = evaluate_store(store, tmp_path / "out", command=summary["command"])  # replaces what is there
    assert to_json(again) == to_json(summary)


def test_evaluate_store_iv(store, tmp_path, capsys):
    with pytest.raises(InputError, match="is not the store of a batch"):
        evaluate_store(tmp_path, tmp_path / "out", command="")
    for words in (["batch"], ["sweep", "--store", str(store)]):
        assert main(["evaluate", *words, "--out", str(tmp_path / "out")]) == 1
        assert "--store is for batch" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_read_rows_against_the_design_every_row_of_both_tables(store):
    assert len(read_rows(store, "runs")) == N_CLIPS * 2
    assert len(read_rows(store, "shifts")) == N_CLIPS * 2 * 15
