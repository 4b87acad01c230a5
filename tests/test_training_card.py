"""The card of a model: figures that are told are figures that were measured, and what is bad is told."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import shared, sound_file, tiny_checkpoint

from emomod.bootstrap import Estimate
from emomod.corpus.store import COMPOSER_VERSION, CorpusSettings
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES
from emomod.markdown import table
from emomod.model.checkpoint import Checkpoint, load_checkpoint
from emomod.model.predictor import load_predictor
from emomod.pipeline import predict
from emomod.training import card as card_module
from emomod.training import model_checks
from emomod.training.card import main, model_card
from emomod.training.check_sections import TITLES, check_sections, weaknesses
from emomod.training.model_checks import (
    ModelChecks,
    check_clip,
    check_pairs,
    check_phrases,
    check_robustness,
    check_unseen,
    listeners_of,
    read_checks,
    record_check,
)
from emomod.training.robustness import CONDITIONS
from emomod.training.sense import KindSense
from emomod.training.unseen import UnseenTest
from emomod.training.validation import RatedPhrases, RocArea, read_looks

ROOT = Path(__file__).parents[1]
SHA = "0" * 64


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def test_table_against_markdown():
    assert table(["feature", "a", "b"], [["x", "1", "2"]]).split("\n") == [
        "| feature | a | b |",
        "| --- | ---: | ---: |",
        "| x | 1 | 2 |",
    ]


FIGURES: dict[str, Any] = {
    "test_r": {name: 0.1 * place for place, name in enumerate(MIDLEVEL_NAMES, start=1)},
}
CARD: dict[str, Any] = {
    "name": "toy", "architecture": "a2mid2e", "width": 0.05, "window_seconds": 10.0, "mid_to_emotion": "published-2019",
    "training": {"learning_rate": 0.002, "epochs": 3}, "versions": {"torch": "2.6"}, "corpus": {"soundfont": None},
    "training_data": "40 clips", "figures": FIGURES, "n_test": 400, "limitations": "A toy.",
    "commands": ["emomod corpus render", "emomod train"],
}  # fmt: skip


@pytest.fixture
def checkpoint(tmp_path):
    network = load_checkpoint(tiny_checkpoint(tmp_path / "t.safetensors")).network
    return Checkpoint(network, CARD, "t", SHA)


def test_card_against_its_figures(checkpoint):
    text = model_card(checkpoint, checks=["## A check\n\nDone."])
    assert "| melodiousness | 0.10 |" in text
    assert "| mean | 0.40 |" in text  # of 0.1 .. 0.7
    assert "If clips were independent, standard errors would be at most 0.05;" in text  # 1 / sqrt(400)
    assert "Learnt least: melodiousness and articulation." in text
    assert "emomod corpus render\nemomod train\n```" in text
    assert "learning rate 0.002, epochs 3" in text
    assert "soundfont or synthesiser: NumPy synthesiser" in text
    n_weights = sum(parameter.numel() for parameter in checkpoint.network.parameters())
    assert f"width 0.05, {n_weights / 1e6:.2f} million weights, windows of 10 s" in text
    assert text.index("## A check") < text.index("## Limitations\n\nA toy.")
    assert text.startswith("# Model card: toy\n\n")


def test_a_card_says_when_the_composer_has_changed_since(checkpoint):
    def told(*versions):
        sources = [{"folder": "a", "n_clips": 1, "composer_version": version} for version in versions]
        card = checkpoint.card | {"corpus": checkpoint.card.get("corpus", {}) | {"sources": sources}}
        return "of the composer. This release" in model_card(replace(checkpoint, card=card))

    assert told(COMPOSER_VERSION - 1)
    assert told(COMPOSER_VERSION, COMPOSER_VERSION - 1)
    assert not told(COMPOSER_VERSION)
    assert not told()


def test_card_against_its_figures_of_known_labels_only(checkpoint):
    figures = {"test_r": {"dissonance": 0.4, "valence": 0.2}}
    text = model_card(replace(checkpoint, card=CARD | {"figures": figures}))
    assert "| dissonance | 0.40 |\n| valence | 0.20 |\n| mean | 0.30 |" in text
    assert "another synthesiser" not in text
    assert "standard errors would be at most 0.05;" in text  # 1 / sqrt(400)


def figure(value: float | None, low: float | None = 0.0, high: float | None = 1.0) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high}


def good_figures() -> dict[str, Any]:
    """Figures of a model that reaches all aims."""
    chroma = {name: figure(0.7) for name in ("tonal_stability", "minorness")}
    test = {
        "corpus": "unheard", "n_clips": 300, "n_groups": 300, "network_mean": figure(0.85, 0.8, 0.9),
        "made": {"settings": {"n_clips": 300, "seed": 7, "synthesiser": "fluidsynth", "score_share": 0.6,
                              "held_out": True},
                 "soundfont": "Tim.sf2", "composer_version": 4, "scores": {"n_songs": 12, "folder": "pop"}},
        "network": {name: figure(0.85, 0.8, 0.9) for name in MIDLEVEL_NAMES},
        "chroma": {"all": chroma, "peaks": deepcopy(chroma)},
    }  # fmt: skip
    measures = (("valence", "model's valence", 0.9), ("valence", "key clarity", 0.7),
                ("arousal", "model's energy", 0.95), ("arousal", "onset density", 0.9))  # fmt: skip
    areas = [
        {"rating": rating, "measure": measure, "overall": figure(value), "within": figure(value - 0.1)}
        for rating, measure, value in measures
    ]
    pairs = {"kind": "mode", "says": "major, then minor", "feature": "minorness", "n_pairs": 40, "moved_most": 0.5,
             "share": figure(0.975, 0.87, 0.99), "share_of_larger": 1.0, "shift": 0.3, "label_shift": 0.5}  # fmt: skip
    moved = {condition: dict.fromkeys(SCORE_NAMES, 0.01) for condition in CONDITIONS}
    scores = dict.fromkeys(SCORE_NAMES, 0.5)
    return {
        "unseen": [test],
        "phrases": {"n_phrases": 96, "n_series": 8, "soundfont": "Fluid.sf2", "areas": areas},
        "pairs": [pairs],
        "robustness": {"n_clips": 9, "mean": moved, "largest": deepcopy(moved)},
        "clip": {"clip": "one.mp3", "model": scores, "published": dict(scores), "listeners": {"energy": 0.68}},
    }


def checks_of(figures: dict[str, Any]) -> ModelChecks:
    measured = {"date": "2026-01-02", "versions": {"python": "3.11", "torch": "2.6", "numpy": "2.1"}}
    return ModelChecks(
        SHA, {name: {**measured, "command": f"measure {name}", "figures": found} for name, found in figures.items()}
    )


def sections_of(figures: dict[str, Any], *, soundfont: str | None = "Fluid.sf2") -> dict[str, str]:
    """Sections by their headings."""
    looks = [{"date": "2026-01-01", "checkpoint": sha, "why": "x"} for sha in (SHA, SHA, "1" * 64)]
    sections = check_sections(checks_of(figures), looks=looks, soundfont=soundfont)
    return {section.split("\n", 1)[0].removeprefix("## "): section for section in sections}


def test_sections_against_their_figures():
    found = sections_of(good_figures())
    unseen = found["Music that it was not trained on"]
    assert "**unheard**: 300 clips, in part from 12 songs of pop; soundfont Tim.sf2. Made with version 4 of" in unseen
    assert (
        "\nemomod corpus render --clips 300 --seed 7 --synthesiser fluidsynth --scores pop --score-share 0.6 "
        "--soundfont Tim.sf2 --held-out --spectrograms-only --out unheard\n"
    ) in unseen
    assert "| tonal stability | 0.85 [0.80, 0.90] | 0.70 [0.00, 1.00] | 0.70 [0.00, 1.00] |" in unseen
    assert "| articulation | 0.85 [0.80, 0.90] |  |  |" in unseen
    phrases = found["Phrases that listeners rated"]
    assert "| valence: key clarity | 0.70 [0.00, 1.00] | 0.60 [0.00, 1.00] |" in phrases
    assert "looked at 3 times so far, twice with this checkpoint" in phrases
    assert "96 phrases of game music from 8 series" in phrases
    assert "8 series, some much larger than others, are few: the overall intervals are too narrow.\n" in phrases
    figures = good_figures()
    figures["phrases"]["coverage"] = 0.8675
    phrases = sections_of(figures)["Phrases that listeners rated"]
    assert "series of these sizes, 87% hold the true area, not 95 %." in phrases
    pairs = found["Matched pairs with one planted change"]
    assert "| minorness: major, then minor | 40 | 98% [87%, 99%] | 100% | +0.30 | +0.50 | 50% |" in pairs
    assert found["The same music in other files"].count("0.010 (0.010)") == len(SCORE_NAMES) * len(CONDITIONS)
    clip = found["One real recording"]
    assert "| energy | 0.50 | 0.50 | 0.68 |" in clip
    assert "| dissonance | 0.50 | 0.50 |  |" in clip
    assert "0.00 over mid-level features, 0.00 over emotions" in clip
    for name, section in zip(good_figures(), found.values(), strict=False):
        assert (
            f"Measured on 2026-01-02 with python 3.11, torch 2.6, numpy 2.1 by\n\n```\nmeasure {name}\n```" in section
        )
    assert found["What it does badly"].endswith("- Every aim named above is reached.")


def test_sections_against_the_training_a_soundfont_heard_before_is_told():
    unseen = sections_of(good_figures(), soundfont="Tim.sf2")["Music that it was not trained on"]
    assert "soundfont Tim.sf2, which the training clips were made with, too." in unseen


def test_an_interval_that_is_not_known_is_told_as_such():
    figures = good_figures()
    figures["phrases"]["areas"][0]["within"] = figure(0.8, None, None)
    assert "0.80 [–, –]" in sections_of(figures)["Phrases that listeners rated"]


def spoil(figures: dict[str, Any], *path: Any, value: float) -> dict[str, Any]:
    """``figures`` with one number changed."""
    place = figures
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return figures


@pytest.mark.parametrize(("path", "value", "told"), [
    (("unseen", 0, "network_mean", "value"), 0.79, "On unheard the mean r is 0.79, not 0.80 or more."),
    (("unseen", 0, "network", "minorness", "value"), 0.55, "r is not 0.60 or more for minorness (0.55)."),
    (("unseen", 0, "chroma", "peaks", "minorness", "value"), 0.9,
     "a chroma of peaks without a network is better at minorness (0.90)."),
    (("phrases", "areas", 0, "overall", "value"), 0.8, "area for valence is 0.80 [0.00, 1.00], not 0.85 or more."),
    (("phrases", "areas", 3, "overall", "value"), 0.96, "onset density alone (0.96 [0.00, 1.00]) tells arousal better"),
    (("pairs", 0, "share", "value"), 0.9, "Minorness moves the right way in 90% of the pairs of kind mode, below 95%."),
    (("robustness", "mean", "-12 dB", "sad"), 0.06, "-12 dB moves sad (0.06) by more than 0.05 in the mean."),
    (("clip", "model", "fear"), 0.2, "0.2 or more from the published model in fear (0.20 for 0.50)."),
])  # fmt: skip
def test_weaknesses_against_their_aims(path, value, told):
    text = weaknesses(checks_of(spoil(good_figures(), *path, value=value)))
    assert told in text
    assert "Every aim" not in text


def test_a_score_that_never_moves_reaches_no_aim():
    figures = good_figures()
    figures["unseen"][0]["network"]["minorness"] = figure(None, None, None)
    figures["unseen"][0]["network_mean"] = figure(None, None, None)
    found = sections_of(figures)
    assert "On unheard the mean r is not defined, not 0.80 or more." in found["What it does badly"]
    assert "r is not 0.60 or more for minorness (not defined)." in found["What it does badly"]
    assert "a chroma without a network is better at minorness (0.70)." in found["What it does badly"]
    assert "Every aim" not in found["What it does badly"]
    unseen = found["Music that it was not trained on"]
    assert "| minorness | – | 0.70 [0.00, 1.00] |" in unseen
    assert "| mean | – |" in unseen
    assert "nan" not in unseen.replace("dissonance", "")


def test_weaknesses_name_what_was_not_measured():
    figures = good_figures()
    del figures["unseen"]
    text = weaknesses(checks_of(figures))
    assert "Not measured for this checkpoint: music that it was not trained on." in text
    assert weaknesses(ModelChecks(SHA, {})).count("\n- ") == 1


def test_checks_against_themselves_come_back_and_belong_to_one_checkpoint(tmp_path):
    path = tmp_path / "checks.json"
    record_check(path, "clip", {"x": 1 / 3, "y": [float("nan"), 2]}, checkpoint=SHA, command="measure it")
    both = record_check(path, "robustness", {"n_clips": 3}, checkpoint=SHA, command="measure")
    assert read_checks(path, checkpoint=SHA).checks.keys() == both.checks.keys() == {"clip", "robustness"}
    assert read_checks(path, checkpoint=SHA).figures("clip") == {"x": 0.333333, "y": [None, 2]}
    assert read_checks(path, checkpoint=SHA).figures("unseen") is None
    assert read_checks(path, checkpoint=SHA).checks["clip"]["command"] == "measure it"
    assert read_checks(path, checkpoint="1" * 64).checks == {}
    record_check(path, "clip", {}, checkpoint="1" * 64, command="measure")
    assert read_checks(path, checkpoint=SHA).checks == {}
    assert [file.name for file in tmp_path.iterdir()] == ["checks.json"]


def test_checks_iv(tmp_path):
    (tmp_path / "checks.json").write_text("[]")
    with pytest.raises(InputError, match="cannot be read as checks"):
        read_checks(tmp_path / "checks.json", checkpoint=SHA)
    with pytest.raises(InputError, match="cannot be written"):
        record_check(tmp_path / "no" / "checks.json", "clip", {}, checkpoint=SHA, command="x")


@pytest.fixture
def predictor(tmp_path):
    return load_predictor(tiny_checkpoint(tmp_path / "tiny.safetensors"), device="cpu")


def test_a_clip_against_the_ordinary_prediction(predictor, tmp_path):
    clip = sound_file(tmp_path, name="x_007.wav")
    theirs = {"midlevel_predictions": [0.5] * 7, "emotion_predictions": [0.25] * 8, "clip": "clip 7"}
    (tmp_path / "p.json").write_text(json.dumps(theirs))
    (tmp_path / "r.csv").write_text("\ufeffnumber," + ",".join(EMOTION_NAMES) + "\n007,1,2,3,4,5,6,7,8\n")
    found = check_clip(predictor, clip, published=tmp_path / "p.json", ratings=tmp_path / "r.csv")
    expected = predict(clip, predictor=predictor)
    assert found["model"] == pytest.approx(expected.midlevel | expected.emotion)
    assert found["published"]["minorness"] == 0.5
    assert found["published"]["valence"] == 0.25
    assert found["listeners"] == pytest.approx({name: 0.1 * (k + 1) for k, name in enumerate(EMOTION_NAMES)})
    assert check_clip(predictor, clip, published=tmp_path / "p.json", ratings=None)["listeners"] == {}


def test_a_clip_iv(predictor, tmp_path):
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be read as published scores"):
        check_clip(predictor, sound_file(tmp_path), published=tmp_path / "p.json", ratings=None)
    header, row = "number," + ",".join(EMOTION_NAMES), "001,1,2,3,4,5,6,7,8"
    for text, clip, told in (
        (f"{header}\n{row}\n", "x_002.mp3", "has no excerpt of number '002'"),
        (f"{header}\n{row}\n", "song.mp3", "has no excerpt of number 'song'"),
        ("id,valence\n001,1\n", "x_001.mp3", "must have the columns number, energy"),
        (f"{header}\n{row}\n".replace(",", ";"), "x_001.mp3", "separated by semicolons"),
        (f"{header}\n{row[:-1]}loud\n", "x_001.mp3", "row 2: tender must be a number, got 'loud'"),
        (f"{header}\n{row} \xe9\n", "x_001.mp3", "0xe9, which is not UTF-8"),
    ):
        (tmp_path / "r.csv").write_text(text, encoding="latin-1")
        with pytest.raises(InputError, match=told):
            listeners_of(tmp_path / "r.csv", Path(clip))
    with pytest.raises(InputError, match="no such file"):
        listeners_of(tmp_path / "no.csv", Path("x_002.mp3"))


def test_listeners_of_the_published_clip_against_the_issue():
    ratings, clip = shared("soundtracks/mean_ratings_set1.csv"), shared("clips/soundtracks_set1_001.mp3")
    found = listeners_of(ratings, clip)
    assert found["energy"] == pytest.approx(0.68, abs=0.005)
    assert found["happy"] == pytest.approx(0.73, abs=0.005)


def test_robustness_of_a_model_has_all_conditions_and_scores(predictor):
    found = check_robustness(predictor, 1)
    assert found["n_clips"] == 1
    assert list(found["mean"]) == list(CONDITIONS)
    assert all(list(scores) == list(SCORE_NAMES) for scores in found["largest"].values())


def test_pairs_against_the_figures_of_their_kind(predictor, monkeypatch):
    shifts = np.zeros((4, 7))
    shifts[:, MIDLEVEL_NAMES.index("articulation")] = 0.2, 0.1, 0.3, -0.1
    sense = KindSense("staccato", shifts, np.array([0.3, 0.3, 0.1, 0.1]))
    asked: list[tuple[CorpusSettings, int]] = []

    def measured(predict, settings, *, n_pairs):
        asked.append((settings, n_pairs))
        return (sense,)

    monkeypatch.setattr(model_checks, "matched_pairs_test", measured)
    found = check_pairs(predictor, 4)[0]
    assert (found["kind"], found["feature"], found["n_pairs"]) == ("staccato", "articulation", 4)
    assert found["share"]["value"] == 0.75
    assert found["share"]["low"] < 0.75 < found["share"]["high"]
    assert found["share_of_larger"] == 1.0
    assert found["shift"] == pytest.approx(0.125)
    assert found["label_shift"] == pytest.approx(0.2)
    assert asked[0][0].held_out
    assert (asked[0][0].seconds, asked[0][1]) == (predictor.window_seconds, 4)


def made_with(seed: int, *, scores: str | None = None, held_out: bool = False, version: int = 3) -> dict[str, Any]:
    """What a corpus says of itself."""
    told = None if scores is None else {"folder": scores, "sha256": f"sum of {scores}"}
    return {"settings": {"n_clips": 8, "seed": seed, "held_out": held_out}, "scores": told, "composer_version": version}


@pytest.mark.parametrize(("trained", "tested", "refusal"), [
    (made_with(4), made_with(4, held_out=True), "another seed than the training clips, got 4"),
    (made_with(5), made_with(4), "songs or instruments of the training clips; render it with --held-out"),
    (made_with(5, scores="pop"), made_with(4, scores="pop"), "or from other scores"),
    (made_with(5, scores="pop"), made_with(4), "songs or instruments"),
    (made_with(5, scores="pop"), made_with(4, scores="jazz"), None),
    (made_with(5, scores="pop"), made_with(4, scores="pop", held_out=True), None),
    (made_with(5, scores="pop", held_out=True), made_with(4, scores="pop", held_out=True), "songs or instruments"),
    ({"settings": {"seed": 5}}, made_with(4, held_out=True), None),
    (made_with(5, scores="pop", version=2), made_with(4, scores="pop", held_out=True),
     "composer versions 3 and 2 keep different songs"),
    (made_with(5, scores="pop", version=2), made_with(4, scores="pop", held_out=True, version=2), None),
    (made_with(5, scores="pop", version=2), made_with(4, scores="jazz", held_out=True), None),
])  # fmt: skip
@pytest.mark.parametrize("nested", [False, True])
def test_a_test_corpus_must_not_share_music_with_training(tmp_path, monkeypatch, trained, tested, refusal, nested):
    heard: list[Path] = []

    def hear(predictor: Any, folder: Path) -> UnseenTest:
        heard.append(folder)
        return UnseenTest("small", tested, 1, 1, {}, figure(0.5), {})  # type: ignore[arg-type]

    monkeypatch.setattr(model_checks, "run_unseen_test", hear)
    (tmp_path / "corpus.json").write_text(json.dumps(tested))
    corpus = {"sources": [{"folder": "a", "dataset": "midlevel"}, trained]} if nested else trained
    predictor = load_predictor(tiny_checkpoint(tmp_path / "x.safetensors", corpus=corpus), device="cpu")
    if refusal is None:
        assert check_unseen(predictor, [tmp_path])[0]["corpus"] == "small"
        return
    with pytest.raises(InputError, match=refusal):
        check_unseen(predictor, [tmp_path])
    assert heard == []  # hearing a corpus takes minutes


def test_phrases_against_the_folder_series_are_counted(predictor, monkeypatch):
    phrases = RatedPhrases((None,) * 3, ("x", "y", "x"), *[np.zeros(3, dtype=bool)] * 2)  # type: ignore[arg-type]
    area = RocArea("valence", "key clarity", Estimate(0.7, 0.6, 0.8), Estimate(0.5, 0.4, 0.6))
    monkeypatch.setattr(model_checks, "load_phrases", lambda folder: phrases)
    monkeypatch.setattr(model_checks, "rate_phrases", lambda predictor, phrases: (area,))
    monkeypatch.setattr(model_checks, "find_soundfont", lambda: Path("fonts/Fluid.sf2"))
    monkeypatch.setattr(model_checks, "series_coverage", lambda series: 0.1 * len(series))
    found = check_phrases(predictor, Path("phrases"))
    assert (found["n_phrases"], found["n_series"], found["soundfont"]) == (3, 2, "Fluid.sf2")
    assert found["coverage"] == pytest.approx(0.3)
    assert found["areas"][0]["overall"] == {"value": 0.7, "low": 0.6, "high": 0.8}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder like the repository's, with a checkpoint that has a full card and checks that take no time."""
    (tmp_path / "docs" / "results").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    found = good_figures()
    monkeypatch.setattr(card_module, "check_phrases", lambda predictor, folder: found["phrases"])
    monkeypatch.setattr(card_module, "check_unseen", lambda predictor, folders: found["unseen"] * len(folders))
    monkeypatch.setattr(card_module, "check_robustness", lambda predictor, n: found["robustness"] | {"n_clips": n})
    monkeypatch.setattr(card_module, "check_pairs", lambda predictor, n: found["pairs"] * n)
    monkeypatch.setattr(card_module, "check_clip", lambda predictor, clip, published, ratings: found["clip"])
    return tiny_checkpoint(tmp_path / "tiny.safetensors", **CARD)


def test_the_command_measures_what_it_is_told_and_can_write_the_card_again(workplace, capsys):
    options = ["--checkpoint", str(workplace)]
    main([*options, "--phrases", "/somewhere/phrases", "--why", "to see"])
    main([*options, "--test-corpus", "a", "b", "--robustness", "5", "--pairs", "2"])
    main([*options, "--clip", "../one.mp3", "--published", "p.json"])
    written = capsys.readouterr().out.split("# Model card: toy\n")[-1]
    stored = read_checks(Path("docs/results/model_checks.json"), checkpoint=load_checkpoint(workplace).sha256)
    commands = {name: check["command"].removeprefix("python -m emomod.training.card ")
                for name, check in stored.checks.items()}  # fmt: skip
    assert commands == {
        "phrases": "--phrases phrases --why 'to see'",
        "unseen": "--test-corpus a b",
        "robustness": "--robustness 5",
        "pairs": "--pairs 2",
        "clip": "--clip ../one.mp3 --published p.json",
    }
    assert "looked at once so far, once with this checkpoint" in written
    assert [look["why"] for look in read_looks(Path("docs/phrase_looks.csv"))] == ["to see"]
    main(options)
    assert capsys.readouterr().out == f"# Model card: toy\n{written}"


def test_the_command_against_its_promise_other_results_count_the_look_all_the_same(workplace, capsys):
    main(["--checkpoint", str(workplace), "--results", "mine.json", "--phrases", "p", "--why", "to choose"])
    assert "looked at once" in capsys.readouterr().out
    assert not Path("docs/results/model_checks.json").exists()
    assert len(read_looks(Path("docs/phrase_looks.csv"))) == 1


@pytest.mark.parametrize(("options", "status", "told"), [
    (["--phrases", "p"], 2, "--phrases and --why go together"),
    (["--clip", "a.mp3"], 2, "--clip and --published go together"),
    (["--phrases", "p", "--why", " "], 1, "needs a reason"),
])  # fmt: skip
def test_the_command_iv(workplace, capsys, options, status, told):
    with pytest.raises(SystemExit) as exit_info:
        main(["--checkpoint", str(workplace), *options])
    assert exit_info.value.code == status
    assert told in capsys.readouterr().err
    assert read_looks(Path("docs/phrase_looks.csv")) == []


def test_the_shipped_card_is_what_the_command_writes(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    main([])
    shipped = (ROOT / "docs" / "model_card.md").read_text(encoding="utf-8")
    again = "write it again: python -m emomod.training.card > docs/model_card.md"
    assert capsys.readouterr().out == shipped, again


def test_the_shipped_checks_are_of_the_shipped_checkpoint():
    stored = json.loads((ROOT / "docs" / "results" / "model_checks.json").read_text(encoding="utf-8"))
    assert stored["checkpoint"] == load_checkpoint().sha256, "measure again: make results"
    assert stored["checks"].keys() == TITLES.keys(), "a check is missing: make results"
