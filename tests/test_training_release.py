"""From MIDI files to a checkpoint's card: figures that are told are figures that were measured."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import mido
import numpy as np
import pytest
import torch
from fakes import tiny_checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import mannwhitneyu

from emomod.corpus.compose import compose
from emomod.corpus.fluidsynth import _cut
from emomod.corpus.midi import TICKS_PER_SECOND, full_volume, read_midi, write_midi
from emomod.corpus.render import Corpus, CorpusSettings, Studio, compose_clip, load_corpus, render_corpus
from emomod.corpus.score import Note, Part, Score
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.checkpoint import Checkpoint, load_checkpoint
from emomod.training import card as card_module
from emomod.training import release, validation
from emomod.training.augmentation import augment
from emomod.training.card import model_card, table
from emomod.training.fit import (
    TrainingSettings,
    fit_network,
    new_network,
    predict_midlevel,
    predict_scores,
    split_clips,
)
from emomod.training.fit_state import FitState, load_state, optimiser_moments, restore_moments, save_state
from emomod.training.validation import RatedPhrases, load_phrases, rate_phrases, roc_area

SR = 22050


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def score_of(*parts, seconds=4.0):
    return Score(parts, seconds, (0.0, 1.0, 2.0))


def events_of(path):
    """Messages of a MIDI file with their times in seconds."""
    track = mido.MidiFile(path).tracks[0]
    times = np.cumsum([message.time for message in track]) / TICKS_PER_SECOND
    return list(zip(times.tolist(), track, strict=True))


def test_midi_against_the_standard_programs_channels_and_volumes(tmp_path):
    parts = [Part(role, 40 + k, (Note(0.5, 1.0, 60, 90),), level=0.25) for k, role in enumerate(["bass"] * 11)]
    drums = Part("drums", 7, (Note(0.5, 1.0, 36, 90),))
    events = events_of(write_midi(tmp_path / "x.mid", [score_of(*parts, drums)], slot_seconds=4.0))
    programs = {m.channel: m.program for _, m in events if m.type == "program_change"}
    assert programs.pop(9) == 0  # channel 10 is the drums', counted from 1
    assert list(programs.values()) == list(range(40, 51))
    volumes = {m.channel: m.value for _, m in events if m.type == "control_change" and m.control == 7}
    assert volumes.pop(9) == 127
    assert set(volumes.values()) == {64}  # amplitude goes with its square: a quarter is half of 127, rounded
    assert [m.note for _, m in events if m.type == "note_on" and m.channel == 9] == [36]


def test_midi_against_the_standard_sounds_end_and_controllers_are_reset_before_each_clip(tmp_path):
    ringing = score_of(Part("melody", 0, (Note(3.9, 60.0, 60, 90), Note(4.5, 1.0, 62, 90))))
    events = events_of(write_midi(tmp_path / "x.mid", [ringing, ringing], slot_seconds=5.0))
    for control in (120, 121):  # all sound off, reset all controllers
        times = [time for time, m in events if m.type == "control_change" and m.control == control]
        assert sorted(times) == [0.0] * 16 + [4.98] * 16 + [9.98] * 16
    order = [m.control for _, m in events if m.type == "control_change" and m.control in (120, 121)]
    assert order[:32] == [120] * 16 + [121] * 16
    offs = [(time, m.note) for time, m in events if m.type == "note_off"]
    assert sorted(offs) == [(4.98, 60), (4.98, 62), (9.98, 60), (9.98, 62)]  # nothing reaches the next clip


@given(level=st.floats(1e-6, 1.0))
def test_full_volume_against_theory(level):
    volume = full_volume(Part("bass", 0, (), level=level))
    assert 1 <= volume <= 127
    assert volume == 1 or abs((volume / 127) ** 2 - level) < 2 / 127


@given(seed=st.integers(0, 200))
@settings(max_examples=25)
def test_midi_against_itself_a_composed_clip_comes_back(tmp_path_factory, seed):
    score = compose(seed, seconds=3.0)
    part = max((part for part in score.parts if not part.is_drums), key=lambda part: len(part.notes))
    keys: dict[int, tuple[float, Note]] = {}
    for note in part.notes:  # one key sounds once at a time
        if note.pitch not in keys or note.onset >= keys[note.pitch][0]:
            keys[note.pitch] = (note.onset + note.duration + 0.01, note)
    kept = [note for note in part.notes if keys[note.pitch][1] is note and note.onset + note.duration < 3.4]
    if not kept:
        return
    path = tmp_path_factory.mktemp("midi") / "x.mid"
    read = read_midi(write_midi(path, [score_of(replace(part, notes=tuple(kept)))], slot_seconds=4.0), seconds=4.0)
    assert read.parts[0].program == part.program
    expected = sorted((n.pitch, n.onset, n.velocity, n.duration) for n in kept)
    found = sorted((n.pitch, n.onset, n.velocity, n.duration) for n in read.parts[0].notes)
    assert_allclose(found, expected, atol=2e-3)


def test_read_midi_against_theory_beats_cover_the_clip(tmp_path):
    notes = (Note(0.0, 1.0, 60, 90), Note(3.0, 1.0, 62, 90))
    path = write_midi(tmp_path / "x.mid", [score_of(Part("melody", 3, notes))], slot_seconds=4.0)
    read = read_midi(path, seconds=2.5)
    assert [note.pitch for note in read.parts[0].notes] == [60]  # those that start in time
    assert read.seconds == 2.5
    assert_allclose(np.diff(read.beats), 0.5)
    assert read.beats[-1] >= 2.5


def test_read_midi_against_the_standard_a_key_struck_again_ends_and_velocity_0_is_off(tmp_path):
    messages = [
        ("note_on", 0.0, {"note": 60, "velocity": 90}),
        ("note_on", 1.0, {"note": 60, "velocity": 70}),
        ("note_on", 0.5, {"note": 60, "velocity": 0}),
        ("note_on", 0.5, {"note": 36, "velocity": 90, "channel": 9}),
        ("note_on", 0.0, {"note": 64, "velocity": 50, "channel": 3}),
    ]
    track = mido.MidiTrack([mido.Message(kind, time=round(1000 * s), **values) for kind, s, values in messages])
    track.insert(0, mido.MetaMessage("set_tempo", tempo=1_000_000))
    track.append(mido.MetaMessage("end_of_track", time=750))
    file = mido.MidiFile(type=0, ticks_per_beat=1000)
    file.tracks.append(track)
    file.save(tmp_path / "x.mid")
    notes = read_midi(tmp_path / "x.mid", seconds=9.0).parts[0].notes
    assert [(n.onset, n.duration, n.pitch, n.velocity) for n in notes] == [
        (0.0, 1.0, 60, 90),
        (1.0, 0.5, 60, 70),
        (2.0, 0.75, 64, 50),  # what still sounds ends with the file; drums are left out
    ]


def test_cut_against_theory_each_clip_is_its_own_stretch():
    rate, slot, seconds = 2 * SR, 1.5, 1.0
    time = np.arange(round(2 * slot * rate) + rate // 2) / rate
    y = np.sin(2 * np.pi * np.where(time < 1.5, 220, np.where(time < 3.0, 440, 880)) * time).astype(np.float32)
    clips = _cut(y, 4, rate=rate, slot=slot, seconds=seconds)
    assert [clip.size for clip in clips] == [SR] * 4
    for clip, hertz in zip(clips[:2], (220, 440), strict=True):
        assert np.abs(np.fft.rfft(clip)).argmax() == hertz
        assert np.abs(clip[100:-100]).max() == pytest.approx(1.0, abs=0.01)
    assert np.abs(clips[2][: SR // 2 - 100]).max() > 0.9 > 0.01 > np.abs(clips[2][SR // 2 + 100 :]).max()
    assert not clips[3].any()  # what the rendering lacks is silence
    assert np.array_equal(_cut(y[:SR], 1, rate=SR, slot=1.0, seconds=1.0)[0], y[:SR])


@given(seed=st.integers(0, 999), ties=st.booleans())
def test_roc_area_against_scipy(seed, ties):
    rng = np.random.default_rng(seed)
    scores, positive = rng.normal(size=30), rng.random(30) < 0.5
    scores, positive[:2] = np.round(scores) if ties else scores, (True, False)
    u = mannwhitneyu(scores[positive], scores[~positive]).statistic
    assert roc_area(scores, positive) == pytest.approx(u / (positive.sum() * (~positive).sum()))


class LoudnessNetwork(torch.nn.Module):
    """Hears how loud it is: valence falls with it, energy rises."""

    names = (*MIDLEVEL_NAMES, *EMOTION_NAMES)

    def forward(self, spectrograms):
        level = spectrograms.mean(dim=(1, 2))
        signs = torch.tensor([{"valence": -1.0, "energy": 1.0}.get(name, 0.0) for name in self.names])
        return level[:, None] * signs


def test_phrases_against_theory_windows_count_up_to_the_last_onset(monkeypatch):
    """A phrase of 12 s has one window of 10 s: what sounds after it must not matter."""
    quiet, loud = (Score((Part("harmony", 0, tuple(Note(float(k), 0.5, 60, 90) for k in range(n))),), 30.0,
                   tuple(np.arange(0, 31, 0.5).tolist())) for n in (13, 25))  # fmt: skip
    heard = {13: (0.1, 0.1, 0.9), 25: (0.5, 0.3, 0.1)}  # share of tones by window; 25 s are two windows and a half
    rng = np.random.default_rng(0)

    def render(scores, soundfont):
        return [
            np.concatenate([rng.normal(0, level, 10 * SR) * (np.arange(10 * SR) % SR < level * SR) for level in
                            heard[len(score.parts[0].notes)]]).astype(np.float32) for score in scores]  # fmt: skip

    monkeypatch.setattr(validation, "render_scores", render)
    n_windows: list[int] = []

    def counted(network, images):
        n_windows.append(len(images))
        return predict_scores(network, images)

    monkeypatch.setattr(validation, "predict_scores", counted)
    phrases = RatedPhrases((quiet, loud), np.array([True, False]), np.array([False, True]))
    found = rate_phrases(LoudnessNetwork(), phrases)  # type: ignore[arg-type]
    assert n_windows == [1, 2]
    assert found["energy"] == found["valence"] == 1.0
    assert found["onset density"] == 0.0  # 13 onsets in 12 s are denser than 25 in 24 s
    assert set(found) == {"valence", "energy", "key clarity", "onset density"}


def test_ratings_against_the_data_zero_is_not_high(tmp_path):
    for name in ("a.mid", "b.mid", "c.mid"):
        write_midi(tmp_path / name, [score_of(Part("melody", 0, (Note(0.0, 1.0, 60, 90),)))], slot_seconds=4.0)
    (tmp_path / "labels.csv").write_text("file,valence,arousal\na.mid,1,0\nb.mid,-1,2.5\nc.mid,0,-3\n")
    phrases = load_phrases(tmp_path)
    assert phrases.valence.tolist() == [True, False, False]
    assert phrases.arousal.tolist() == [False, True, False]
    assert all(score.seconds == 30.0 for score in phrases.scores)


def test_split_against_theory_a_tenth_each_and_another_seed_another_split():
    split = split_clips(100, seed=1)
    assert (len(split.train), len(split.validation), len(split.test)) == (80, 10, 10)
    assert not np.array_equal(split.test, split_clips(100, seed=2).test)
    assert np.array_equal(split.test, split_clips(100, seed=1).test)


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    return Corpus(rng.random((40, 149, 40)).astype(np.float16), rng.random((40, 7)), np.zeros((40, 7)), {})


def test_predictions_against_itself_batches_do_not_matter(corpus):
    network = new_network(TrainingSettings(width=0.05))
    whole = predict_scores(network, corpus.spectrograms, batch_size=40)
    assert_allclose(predict_scores(network, corpus.spectrograms, batch_size=7), whole, atol=1e-5)
    assert whole.shape == (40, 15)
    assert_allclose(predict_midlevel(network, corpus.spectrograms), whole[:, :7], atol=1e-5)
    assert not network.training


def test_new_network_against_itself_is_its_seeds_and_leaves_the_process_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same, other = (new_network(TrainingSettings(width=0.05, seed=seed)).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(tensor, same[name]) for name, tensor in one.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert (one["head.bias"] == 0.5).all()  # scores begin in the middle of their scale


def test_training_against_the_design_the_best_epoch_is_kept(corpus, tmp_path):
    chosen = TrainingSettings(width=0.05, epochs=4, batch_size=8, patience=4, autocast=False, learning_rate=0.02)
    lines: list[str] = []
    fit = fit_network(corpus, chosen, state_path=tmp_path / "x.state", log=lines.append)
    rows = np.loadtxt(tmp_path / "x.csv", delimiter=",", skiprows=1)
    header = (tmp_path / "x.csv").read_text().splitlines()[0].split(",")
    assert header == ["epoch", "loss", "mean_r", *MIDLEVEL_NAMES]
    assert rows[:, 0].tolist() == [1, 2, 3, 4]
    assert fit.best_epoch == rows[:, 2].argmax() + 1
    assert_allclose(fit.validation_r, rows[fit.best_epoch - 1, 3:], rtol=1e-4)
    assert_allclose(rows[:, 2], rows[:, 3:].mean(axis=1), atol=1e-4)
    for number, line in enumerate(lines, start=1):
        assert line.startswith(f"epoch {number} of 4: loss {rows[number - 1, 1]:.4f}"[:24])
    split = split_clips(40, seed=0)
    for indices, told in ((split.validation, fit.validation_r), (split.test, fit.test_r)):
        scores = predict_midlevel(fit.network, corpus.spectrograms[indices]).astype(float)
        expected = [np.corrcoef(scores[:, k], corpus.labels[indices][:, k])[0, 1] for k in range(7)]
        assert_allclose(told, expected, atol=1e-3)
    assert not fit.network.training


def test_training_against_the_design_it_stops_when_nothing_gets_better(corpus, tmp_path):
    constant = replace(corpus, labels=np.full((40, 7), 0.5))  # r is 0 in all epochs: the first is the best
    lines: list[str] = []
    chosen = TrainingSettings(width=0.05, epochs=9, batch_size=8, patience=2)
    fit = fit_network(constant, chosen, state_path=tmp_path / "x.state", log=lines.append)
    assert fit.best_epoch == 1
    assert len(lines) == 3


def test_training_state_against_itself_comes_back_whole(tmp_path):
    layer = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(4, 3)).sum().backward()
    optimiser.step()
    moments = optimiser_moments(optimiser)
    assert set(moments) == {f"{index}.{name}" for index in (0, 1) for name in ("step", "exp_avg", "exp_avg_sq")}
    stored = FitState(layer.state_dict(), {"a/b": torch.arange(3.0)}, moments, {"epoch": 3, "table": [[1.0]]})
    save_state(tmp_path / "x.state", stored)
    read = load_state(tmp_path / "x.state")
    assert read.record == stored.record
    assert [path.name for path in tmp_path.iterdir()] == ["x.state"]
    for group in ("network", "best", "moments"):
        assert getattr(read, group).keys() == getattr(stored, group).keys()
        assert all(torch.equal(tensor, getattr(stored, group)[name]) for name, tensor in getattr(read, group).items())
    fresh = torch.optim.AdamW(torch.nn.Linear(3, 2).parameters())
    restore_moments(fresh, read.moments)
    assert all(torch.equal(tensor, moments[name]) for name, tensor in optimiser_moments(fresh).items())


def test_corpus_against_itself_settings_shards_and_scores(tmp_path):
    settings = CorpusSettings(7, seed=2, synthesiser="numpy", seconds=1.0, shard_size=3)
    assert settings.n_shards == 3
    assert [list(settings.clips_of(shard)) for shard in range(3)] == [[0, 1, 2], [3, 4, 5], [6]]
    lines: list[str] = []
    described = render_corpus(tmp_path, settings, log=lines.append)
    assert lines == [f"rendered {done} of 7 clips" for done in (3, 6, 7)]
    assert described["settings"] == {key: value for key, value in asdict(settings).items() if key != "soundfont"}
    found = load_corpus(tmp_path)
    assert found.description == json.loads(json.dumps(described))
    assert found.labels.shape == found.raw.shape == (7, 7)
    assert load_corpus(tmp_path, spectrograms=False).spectrograms.size == 0
    assert np.array_equal(load_corpus(tmp_path, spectrograms=False).labels, found.labels)
    assert not list(tmp_path.glob("*.partial"))
    table_rows = (tmp_path / "labels.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in table_rows] == ["clip", *map(str, range(7))]
    assert_allclose([float(value) for value in table_rows[3].split(",")[8:]], found.raw[2], atol=1e-5)


def test_corpus_against_the_design_a_clip_that_falls_silent_is_composed_again():
    tries: list[Score] = []

    def prepare(score):
        tries.append(score)
        silent = tuple(replace(part, notes=part.notes if part.is_drums else ()) for part in score.parts)
        if len(tries) < 3 and any(part.notes for part in silent):
            return replace(score, parts=silent)
        return score

    settings = CorpusSettings(1, seconds=2.0)
    score, _ = compose_clip(settings, 0, studio=Studio(prepare, lambda scores: [], {}))
    assert score is tries[-1]
    assert any(part.notes for part in score.parts if not part.is_drums)
    first = compose(np.random.default_rng([0, 0]), seconds=2.0)
    assert tries[0] == first


def test_table_against_markdown():
    assert table(["feature", "a", "b"], [["x", "1", "2"]]).split("\n") == [
        "| feature | a | b |",
        "| --- | ---: | ---: |",
        "| x | 1 | 2 |",
    ]


FIGURES: dict[str, Any] = {
    "test_r": {name: 0.1 * place for place, name in enumerate(MIDLEVEL_NAMES, start=1)},
    "carry_over_r": {name: 0.05 * place for place, name in enumerate(MIDLEVEL_NAMES, start=1)},
}
CARD: dict[str, Any] = {
    "name": "toy", "architecture": "a2mid2e", "width": 0.05, "window_seconds": 10.0, "mid_to_emotion": "published-2019",
    "training": {"learning_rate": 0.002, "epochs": 3}, "versions": {"torch": "2.6"}, "corpus": {"soundfont": None},
    "training_data": "40 clips", "figures": FIGURES, "n_test": 400, "n_carry_over": 100, "limitations": "A toy.",
    "carry_over_synthesiser": "numpy", "commands": ["emomod corpus render", "emomod train"],
}  # fmt: skip


@pytest.fixture
def checkpoint(tmp_path):
    network = load_checkpoint(tiny_checkpoint(tmp_path / "t.safetensors")).network
    return Checkpoint(network, CARD, "t", "0" * 64)


def test_card_against_its_figures(checkpoint):
    text = model_card(checkpoint, checks=["## A check\n\nDone."])
    assert "| melodiousness | 0.10 | 0.05 |" in text
    assert "| mean | 0.40 | 0.20 |" in text  # of 0.1 .. 0.7
    assert "Standard errors are at most 0.10." in text  # 1 / sqrt(100)
    assert "Learnt least: melodiousness and articulation." in text
    assert "emomod corpus render\nemomod train\n```" in text
    assert "learning rate 0.002, epochs 3" in text
    assert "soundfont or synthesiser: NumPy synthesiser" in text
    n_weights = sum(parameter.numel() for parameter in checkpoint.network.parameters())
    assert f"width 0.05, {n_weights / 1e6:.2f} million weights, windows of 10 s" in text
    assert text.index("## A check") < text.index("## Limitations\n\nA toy.")
    assert text.startswith("# Model card: toy\n\n")


def test_card_against_its_figures_without_another_synthesiser(checkpoint):
    figures = {"test_r": FIGURES["test_r"]}
    text = model_card(replace(checkpoint, card=CARD | {"figures": figures}))
    assert "| mean | 0.40 |\n" in text + "\n"
    assert "another synthesiser" not in text
    assert "Standard errors are at most 0.05." in text  # 1 / sqrt(400)


def test_card_on_phrases_against_theory(checkpoint, monkeypatch):
    measured = {"valence": 0.61, "energy": 0.72, "key clarity": 0.53, "onset density": 0.84}
    monkeypatch.setattr(card_module, "rate_phrases", lambda network, phrases: measured)
    monkeypatch.setattr(card_module, "load_phrases", lambda folder: RatedPhrases((None,) * 5, *[np.zeros(5)] * 2))  # type: ignore[arg-type]
    text = card_module.on_phrases(checkpoint, None)  # type: ignore[arg-type]
    assert "| valence | 0.61 | key clarity of the score: 0.53 |" in text
    assert "| arousal | 0.72 | onset density of the score: 0.84 |" in text
    assert text.startswith("## Phrases that listeners rated\n\n5 phrases")


def test_card_against_its_arguments(checkpoint, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(card_module, "load_checkpoint", lambda path: checkpoint)
    monkeypatch.setattr(card_module, "on_phrases", lambda found, folder: f"## Phrases in {folder.name}")
    monkeypatch.setattr(card_module, "beside_published", lambda found, clip, published: f"## {clip} {published}")
    card_module.main(["--phrases", str(tmp_path / "rated"), "--clip", "a.wav", "--published", "a.json"])
    text = capsys.readouterr().out
    assert text.index("## Phrases in rated") < text.index("## a.wav a.json") < text.index("## Limitations")
    card_module.main(["--clip", "a.wav"])
    assert "a.wav" not in capsys.readouterr().out


def test_card_beside_published_against_theory(checkpoint, monkeypatch, tmp_path):
    theirs = {"midlevel_predictions": [0.5] * 7, "emotion_predictions": [0.25] * 8, "clip": "clip 1"}
    (tmp_path / "p.json").write_text(json.dumps(theirs))
    ours = torch.tensor([[0.6] * 7 + [0.0] * 8])
    heard = []

    def read(clip, *, seconds):
        heard.append((clip, seconds))
        return SimpleNamespace(y=np.zeros(SR, dtype=np.float32))

    monkeypatch.setattr(card_module, "read_clip", read)
    monkeypatch.setattr(card_module, "compute_spectrogram", lambda y: SimpleNamespace(log_spectrogram=torch.ones(2)))
    fake = replace(checkpoint, network=lambda spectrograms: ours)
    text = card_module.beside_published(fake, tmp_path / "a.wav", published=tmp_path / "p.json")
    assert heard == [(tmp_path / "a.wav", 10.0)]
    assert "Mean absolute difference: 0.10 over mid-level features, 0.25 over emotions." in text
    assert "| articulation | 0.60 | 0.50 |" in text
    assert "| valence | 0.00 | 0.25 |" in text
    assert "The first window of clip 1," in text


def test_release_against_the_design_the_commands_make_it_again():
    from emomod.cli.main import build_parser

    made = asdict(CorpusSettings(80, seed=3, synthesiser="numpy"))
    settings = TrainingSettings(width=0.25, epochs=5, seed=7, batch_size=8)
    render, fit = (
        build_parser().parse_args(line.split()[1:])
        for line in release._commands(made, settings, out="mine.safetensors")
    )
    assert (render.clips, render.seed, render.synthesiser) == (80, 3, "numpy")
    assert (fit.width, fit.epochs, fit.seed, fit.batch) == (0.25, 5, 7, 8)
    assert fit.corpus == render.out
    assert str(fit.out) == "mine.safetensors"


@pytest.mark.parametrize(("used", "other"), [("numpy", "fluidsynth"), ("fluidsynth", "numpy")])
def test_release_against_the_design_what_carries_over_is_heard_on_the_other_synthesiser(monkeypatch, used, other):
    description = {"settings": {"synthesiser": used, "seed": 4, "seconds": 2.0}}
    asked = []

    def render(folder, settings, log):
        asked.append(settings)
        raise InputError("it is not installed")

    monkeypatch.setattr(release, "render_corpus", render)
    lines: list[str] = []
    corpus = Corpus(np.zeros((1, 1, 1), dtype=np.float16), np.zeros((1, 7)), np.zeros((1, 7)), description)
    assert release._carry_over(None, corpus, n_clips=12, log=lines.append) is None  # type: ignore[arg-type]
    assert (asked[0].synthesiser, asked[0].n_clips, asked[0].seconds) == (other, 12, 2.0)
    assert asked[0].seed != 4  # other clips than the corpus has
    assert lines == ["no check on the other synthesiser: it is not installed"]


def test_release_iv(tmp_path):
    with pytest.raises(InputError, match="n_carry_over must be a whole number of at least 10"):
        release.train(tmp_path, tmp_path / "x", TrainingSettings(), n_carry_over=9)
    with pytest.raises(InputError, match="must be a file in a folder that exists"):
        release.train(tmp_path, tmp_path, TrainingSettings())
    render_corpus(tmp_path / "c", CorpusSettings(1, synthesiser="numpy", seconds=1.0))
    stored = json.loads((tmp_path / "c" / "corpus.json").read_text())
    (tmp_path / "c" / "corpus.json").write_text(json.dumps(stored | {"composer_version": 0}))
    with pytest.raises(InputError, match="another version of the composer"):
        release.train(tmp_path / "c", tmp_path / "x", TrainingSettings())


def test_augmentation_against_itself_other_seeds_other_clips():
    clips = torch.rand(3, 10, 12)
    one, other = (augment(clips, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    assert not torch.equal(one, other)
