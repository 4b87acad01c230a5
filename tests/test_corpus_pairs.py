"""Counterfactual pairs: one planted change and nothing else, and the truth about where it is."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
from fakes import tones
from numpy.testing import assert_allclose
from small_scores import BEAT, small_score

from emomod.cli.corpus_pairs import add_pairs_arguments, pairs_command
from emomod.corpus import pairs as pairing
from emomod.corpus.clip_files import read_clip_folder
from emomod.corpus.compose import compose
from emomod.corpus.difference_cells import difference_cells
from emomod.corpus.instruments import SUSTAINED, instrument, is_held_out
from emomod.corpus.labels import raw_labels, scaled_labels
from emomod.corpus.pair_clips import draw_pairs, hear_pairs, write_pairs
from emomod.corpus.pairs import KINDS, ChangedNote, Pair, applicable, compare_scores, draw_pair, make_pair
from emomod.corpus.render import draw_clip, open_studio
from emomod.corpus.score import Note, Part, Score
from emomod.corpus.stems import Stems
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.spectrogram import band_frequencies

SETTINGS = CorpusSettings(1, seed=11, synthesiser="numpy", seconds=4.0)


def notes_of(score, role):
    return next(part.notes for part in score.parts if part.role == role)


def composed_pairs(kind, *, count):
    """Pairs of a kind from composed clips."""
    found: list[Pair] = []
    seed = 0
    while len(found) < count:
        score = compose(np.random.default_rng([77, seed]), seconds=6.0)
        if applicable(score, kind):
            found.append(make_pair(score, kind, seed))
        seed += 1
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_the_named_parts_differ_against_itself(kind):
    for pair in [make_pair(small_score(), kind, 0), *composed_pairs(kind, count=4)]:
        differing = {index for index, part in enumerate(pair.before.parts) if part != pair.after.parts[index]}
        assert differing
        assert differing <= set(pair.parts)
        silent = [replace(part, notes=()) for score in (pair.before, pair.after) for part in score.parts]
        assert silent[: len(silent) // 2] == silent[len(silent) // 2 :]  # roles, programs, levels
        assert (pair.before.beats, pair.before.seconds) == (pair.after.beats, pair.after.seconds)
        assert {note.part for note in pair.changed} <= differing


@pytest.mark.parametrize("kind", KINDS)
def test_the_label_moves_the_right_way_against_the_labels(kind):
    column = MIDLEVEL_NAMES.index(KINDS[kind].feature)
    for pair in composed_pairs(kind, count=6):
        before, after = (scaled_labels(raw_labels(score))[column] for score in (pair.before, pair.after))
        assert pair.label_shift == pytest.approx(pair.direction * (after - before))
        assert pair.label_shift > 0


def unchanged(score):
    return score


def without_pitch(score):
    return replace(score, parts=score.parts[3:])


def test_drawn_pair_against_theory_what_the_label_does_not_notice_is_none(monkeypatch):
    pair = draw_pair(small_score(), "jitter", 2, prepare=unchanged)
    assert pair == make_pair(small_score(), "jitter", 2)
    assert draw_pair(small_score(), "jitter", 2, prepare=without_pitch) is None  # drums alone have no labels
    assert draw_pair(pair.after, "jitter", 2, prepare=unchanged) is None  # it is loose already
    loose, wrong = replace(KINDS["jitter"], write=lambda score, parts, rng: (pair.after, pair.before)), small_score()
    monkeypatch.setitem(pairing.KINDS, "jitter", loose)
    assert draw_pair(wrong, "jitter", 2, prepare=unchanged) is None
    monkeypatch.setitem(pairing.KINDS, "jitter", replace(loose, write=lambda score, parts, rng: (score, score)))
    assert draw_pair(wrong, "jitter", 2, prepare=unchanged) is None


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_against_itself_same_seed_same_pair(kind):
    assert make_pair(small_score(), kind, 3) == make_pair(small_score(), kind, 3)


@pytest.mark.parametrize("kind", ["syncopation", "jitter", "cluster", "modulation"])
def test_pairs_are_drawn(kind):
    assert len({make_pair(small_score(), kind, seed).after for seed in range(8)}) > 2


def test_staccato_against_theory():
    score = replace(small_score(drums=False), parts=small_score().parts[:1])
    pair = make_pair(score, "staccato", 0)
    assert_allclose([note.duration for note in pair.before.parts[0].notes], 0.97 * BEAT)
    assert_allclose([note.duration for note in pair.after.parts[0].notes], 0.2 * BEAT)
    assert pair.changed[0] == ChangedNote("before", 0, 0.2 * BEAT, 0.97 * BEAT, 72)
    assert len(pair.spans) == 16  # the attacks are the same


def test_mode_against_theory():
    major, minor = small_score(), small_score(minor=True)
    pair = make_pair(major, "mode", 0)
    assert pair.before == major
    classes = {note.pitch % 12 for part in pair.after.parts if not part.is_drums for note in part.notes}
    assert classes == {0, 2, 3, 5, 7, 8, 11}
    assert pair.after == minor
    back = make_pair(minor, "mode", 0)
    assert back.before == major
    assert back.after == minor


@pytest.mark.parametrize("tonic", range(54, 66))
def test_mode_against_itself_in_every_key(tonic):
    pair = make_pair(small_score(tonic=tonic), "mode", 0)
    assert pair.after == small_score(tonic=tonic, minor=True)


def test_modulation_against_theory():
    pair = make_pair(small_score(), "modulation", 5)
    shifts: dict[float, set[int]] = {}
    for before, after in zip(notes_of(pair.before, "harmony"), notes_of(pair.after, "harmony"), strict=True):
        assert before.onset == after.onset
        shifts.setdefault(before.onset, set()).add((after.pitch - before.pitch + 6) % 12 - 6)
    assert all(len(found) == 1 for found in shifts.values())  # chords stay what they are
    late = [found.pop() for onset, found in shifts.items() if onset >= 4.0]
    assert {found.pop() for onset, found in shifts.items() if onset < 4.0} == {0}
    assert all(a == b for a, b in zip(late[::2], late[1::2], strict=True))
    assert all(a != b for a, b in zip(late[:-2:2], late[2::2], strict=True))
    assert {abs(shift) for shift in late} <= {1, 4, 6}


def test_syncopation_against_theory():
    pair = make_pair(replace(small_score(), parts=small_score().parts[:1]), "syncopation", 1)
    plain, complex_ = (
        np.array([note.onset for note in notes_of(s, "melody")]) / BEAT for s in (pair.before, pair.after)
    )
    assert_allclose(plain, np.round(plain))
    assert_allclose(complex_ * 4, np.round(complex_ * 4))
    assert (complex_ % 1 != 0).mean() > 0.5
    pitches = {note.onset: note.pitch for note in notes_of(small_score(), "melody")}
    for note in (*notes_of(pair.before, "melody"), *notes_of(pair.after, "melody")):
        assert note.pitch == pitches[BEAT * np.floor(note.onset / BEAT + 1e-9)]


def test_jitter_against_theory():
    pair = make_pair(small_score(seconds=30.0), "jitter", 2)
    assert [pair.after.parts[index].role for index in pair.parts] == ["drums"]
    before, after = (
        sorted((n.pitch, n.velocity, n.duration) for n in s.parts[3].notes) for s in (pair.before, pair.after)
    )
    assert before == after
    onsets = [np.sort([n.onset for n in s.parts[3].notes if n.pitch != 42]) for s in (pair.before, pair.after)]
    assert 0.04 < np.std(onsets[1] - onsets[0]) < 0.08  # 60 ms, 60 hits
    assert make_pair(small_score(drums=False), "jitter", 2).parts == (0, 1, 2)


def test_cluster_against_theory():
    pair = make_pair(small_score(), "cluster", 0)
    assert pair.before.parts == (*small_score().parts, replace(pair.after.parts[-1], notes=()))
    added = pair.after.parts[-1].notes
    for onset in {note.onset for note in added}:
        keys = sorted(note.pitch for note in added if note.onset == onset)
        assert np.diff(keys).tolist() == [1, 1]
    assert_allclose(sum(note.duration for note in added) / 3, 8.0)
    assert pair.spans == ((0.0, 8.0),)


def with_programs(score, programs):
    """``score`` with other instruments, in turn."""
    parts = zip(score.parts, programs, strict=False)
    return replace(score, parts=tuple(replace(part, program=program) for part, program in parts))


@pytest.mark.parametrize(
    ("programs", "held_out"), [((75, 3, 35, 0), True), ((75, 3, 32, 0), False), ((73, 0, 32, 3), False)]
)
def test_the_cluster_is_on_the_side_of_the_score_that_is_kept_for_tests_or_not(programs, held_out):
    score = with_programs(small_score(), programs)
    found = {make_pair(score, "cluster", seed).after.parts[-1].program for seed in range(60)}
    assert {is_held_out(program) for program in found} == {held_out}
    assert len(found) > 3
    assert all(instrument(program).decay == SUSTAINED for program in found)


def test_melody_against_theory():
    pair = make_pair(small_score(), "melody", 0)
    assert pair.before == small_score()
    assert pair.after.parts == (replace(small_score().parts[0], notes=()), *small_score().parts[1:])
    assert pair.keys == (72, 79)
    assert len(pair.changed) == 16


def test_what_allows_no_pair_against_theory():
    drums = Score(small_score().parts[3:], 8.0, small_score().beats)
    assert [kind for kind in KINDS if applicable(drums, kind)] == ["syncopation", "jitter"]
    assert not applicable(replace(small_score(), parts=small_score().parts[1:]), "melody")
    melody = replace(small_score(), parts=small_score().parts[:1])
    assert not applicable(melody, "melody")  # nothing would be left
    xylophone = replace(melody, parts=(replace(melody.parts[0], program=13),))
    assert not applicable(xylophone, "staccato")  # its notes do not last
    loose = make_pair(small_score(), "jitter", 0).after
    assert not applicable(loose, "jitter")
    clustered = [Note(0.0, 8.0, 60 + step, 120) for step in range(5)]
    dense = replace(small_score(), parts=(*small_score().parts, Part("harmony", 48, tuple(clustered))))
    assert not applicable(dense, "cluster")
    chromatic = [Note(n * BEAT, 0.4, 60 + n % 12, 90) for n in range(16)]
    assert not applicable(replace(melody, parts=(Part("melody", 0, tuple(chromatic)),)), "mode")


def test_comparison_against_theory():
    def score(*notes, program=0):
        return Score((Part("melody", program, notes),), 2.0, (0.0, 1.0, 2.0))

    kept, short, long = Note(0.0, 0.5, 60, 90), Note(1.0, 0.25, 62, 90), Note(1.0, 4.0, 62, 90)
    assert compare_scores(score(kept, short), score(kept, long)) == (ChangedNote("after", 0, 1.25, 2.0, 62),)
    assert compare_scores(score(kept, short), score(kept)) == (ChangedNote("before", 0, 1.0, 1.25, 62),)
    assert compare_scores(score(kept), score(kept)) == ()
    with pytest.raises(InputError, match="must have the same parts, instruments"):
        compare_scores(score(kept), score(kept, program=1))


def test_pairs_iv():
    with pytest.raises(InputError, match="kind must be one of staccato, syncopation"):
        make_pair(small_score(), "louder", 0)
    with pytest.raises(InputError, match="the score must have what a pair of kind melody needs"):
        make_pair(replace(small_score(), parts=small_score().parts[1:]), "melody", 0)
    with pytest.raises(InputError, match="rng must be"):
        make_pair(small_score(), "mode", None)  # type: ignore[arg-type]


# ---- cells -----------------------------------------------------------------------------------------------------------


def tone(frequency, *, start=0.0, stop=2.0):
    time = np.arange(44100) / 22050
    return (0.3 * np.sin(2 * np.pi * frequency * time) * ((time >= start) & (time < stop))).astype(np.float32)


def test_cells_against_theory():
    silence = np.zeros(44100, dtype=np.float32)
    before = Stems(("melody", "bass"), np.array([silence, tone(100)]), silence)
    after = Stems(("melody", "bass"), np.array([tone(2000, start=0.5, stop=1.0), tone(100)]), silence)
    found = difference_cells(before, after)
    assert found.magnitude.shape == found.share.shape == (149, 62)
    seconds, near = np.arange(62) * 704 / 22050, np.abs(np.log2(band_frequencies() / 2000)) < 0.1
    inside = (seconds > 0.45) & (seconds < 1.05)
    energy = found.magnitude.astype(np.float64) ** 2
    assert energy[np.ix_(near, inside)].sum() > 0.95 * energy.sum()
    assert found.share[np.ix_(near, (seconds > 0.55) & (seconds < 0.95))].min() > 0.99
    assert found.share[:, seconds > 1.1].max() == 0.0
    at_100_hz = int(np.abs(band_frequencies() - 100).argmin())
    assert found.share[at_100_hz, inside].max() < 0.05  # the bass is there, and it stayed


def test_cells_against_theory_bounds(rng):
    parts = np.array([tones(1.0, seed=seed) for seed in range(3)], dtype=np.float32) / np.float32(4)
    rest = (1e-3 * rng.standard_normal(parts.shape[1])).astype(np.float32)
    same, other = Stems(("a", "b", "c"), parts, rest), Stems(("a", "b", "c"), parts[[0, 2, 2]], rest)
    assert not difference_cells(same, same).magnitude.any()
    found = difference_cells(same, other)
    assert 0.0 <= found.share.min() <= found.share.max() <= 1.0
    assert_allclose(found.magnitude, difference_cells(other, same).magnitude, atol=1e-6)
    with pytest.raises(InputError, match="must have the same parts and length"):
        difference_cells(same, Stems(("a", "b"), parts[:2], rest))


# ---- on disk ---------------------------------------------------------------------------------------------------------


def test_heard_pairs_against_itself_what_stays_is_bit_identical():
    studio = open_studio(SETTINGS)
    drawn = draw_pairs(SETTINGS, studio=studio, kinds=["staccato", "cluster"], count=2)
    for kind, pairs in drawn.items():
        for heard in hear_pairs(pairs, studio=studio):
            same = (heard.before.parts == heard.after.parts).all(axis=1)
            assert set(np.flatnonzero(~same)) == set(heard.drawn.pair.parts), kind
            assert np.array_equal(heard.before.rest, heard.after.rest)
            assert max(np.abs(heard.before.mix).max(), np.abs(heard.after.mix).max()) <= 1.0


def test_drawn_pairs_against_itself_a_kind_does_not_depend_on_the_others():
    studio = open_studio(SETTINGS)
    alone, both = (
        draw_pairs(SETTINGS, studio=studio, kinds=kinds, count=2) for kinds in (["jitter"], ["cluster", "jitter"])
    )
    assert alone["jitter"] == both["jitter"]


def test_drawn_pairs_iv():
    with pytest.raises(InputError, match="kind must be one of"):
        draw_pairs(SETTINGS, studio=open_studio(SETTINGS), kinds=["all"], count=1)
    with pytest.raises(InputError, match="count must be"):
        draw_pairs(SETTINGS, studio=open_studio(SETTINGS), kinds=["mode"], count=0)


@pytest.mark.parametrize("seed", [0, 11])
def test_drawn_pairs_do_not_share_random_numbers_with_clips(monkeypatch, seed):
    """Every generator that clips and couples are drawn with, against those of the pairs."""
    drawn: list[int] = []
    make = np.random.default_rng

    def noted(key):
        drawn.append(int(make(key).integers(2**60)))
        return make(key)

    monkeypatch.setattr(np.random, "default_rng", noted)
    for settings in (replace(SETTINGS, seed=seed), replace(SETTINGS, seed=seed, held_out=True)):
        studio = open_studio(settings)
        for index in range(2):
            draw_clip(settings, index, studio=studio)
            draw_clip(replace(settings, couples=True), index, studio=studio)
    of_clips, drawn = set(drawn), []
    settings = replace(SETTINGS, seed=seed)
    draw_pairs(settings, studio=open_studio(settings), kinds=tuple(KINDS), count=1)
    shared = of_clips.intersection(drawn)
    assert shared <= {make([seed, index]).integers(2**60) for index in range(2)}  # the clips that pairs are made from
    assert len(set(drawn) - of_clips) >= len(KINDS)


def test_written_pairs_iv_before_anything_is_opened(tmp_path):
    nowhere = replace(SETTINGS, scores=str(tmp_path / "none"))
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="kind must be one of"):
        write_pairs(tmp_path / "new", nowhere, kinds=["mode", "louder"], count=1)
    with pytest.raises(InputError, match="count must be"):
        write_pairs(tmp_path / "new", nowhere, kinds=["mode"], count=0)
    with pytest.raises(InputError, match="is not empty"):
        write_pairs(tmp_path, nowhere, kinds=["mode"], count=1)
    with pytest.raises(InputError, match="there is no such folder"):
        write_pairs(tmp_path / "new", nowhere, kinds=["mode"], count=1)


def test_command_against_itself(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    add_pairs_arguments(parser)
    assert all(f" {kind}," in " ".join(parser.format_help().split()) for kind in KINDS)
    out = tmp_path / "pairs"
    words = ["--kind", "melody", "--count", "1", "--seed", "4", "--synthesiser", "numpy", "--out", str(out)]
    made = pairs_command(parser.parse_args(words))
    json.dumps(made)
    assert "rendered pair 1 of 1 of kind melody" in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == ["melody_000", "pairs.json"]
    truth = json.loads((out / "melody_000" / "truth.json").read_text())
    before, after = (read_clip_folder(out / "melody_000" / version) for version in ("before", "after"))
    assert truth["feature"] == "melodiousness"
    assert truth["label_after"] == after.facts["labels"]["melodiousness"] < truth["label_before"]
    with np.load(out / "melody_000" / "truth.npz") as stored:
        assert_allclose(stored["magnitude"], difference_cells(before.stems, after.stems).magnitude, atol=1e-6)
        late = np.arange(stored["share"].shape[1]) * 704 / 22050 > truth["spans"][0][0] - 0.1
        assert (stored["magnitude"][:, late] ** 2).sum() > 0.999 * (stored["magnitude"] ** 2).sum()
    with pytest.raises(InputError, match="is not empty"):
        pairs_command(parser.parse_args(words))
