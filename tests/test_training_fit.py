"""Training: it learns what it is shown, goes on where it was stopped, and never looks at what it may not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from emomod.alone import alone
from emomod.datasets.splits import split_groups
from emomod.errors import InputError
from emomod.labelled_clips import LabelledClips
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.training import fit as fit_module
from emomod.training.augmentation import augment, scale_cells
from emomod.training.fit import fit_network, order_of_round
from emomod.training.fit_state import FitState, load_state, optimiser_moments, restore_moments, save_state
from emomod.training.scoring import heard_r, pearson_r, predict_midlevel, predict_scores, window_of
from emomod.training.settings import TrainingSettings
from emomod.training.targets import fit_mid_to_emotion, masked_error, new_network, training_loss

TINY = TrainingSettings(width=0.05, rounds=2, round_clips=16, batch_size=8, window_seconds=1.0)  # 31 frames


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def some_clips(n=40, *, n_frames=40, seed=0):
    """Clips of noise with random labels, each of a group of its own."""
    rng = np.random.default_rng(seed)
    names = tuple(map(str, range(n)))
    return LabelledClips(names, names, rng.random((n, 149, n_frames)).astype(np.float16), rng.random((n, 15)))


@pytest.fixture(scope="module")
def clips():
    return some_clips()


def mean_loss(scores, labels):
    return float(((scores - labels) ** 2).mean())


def test_scaling_cells_against_theory():
    cells = torch.log10(1 + torch.tensor([0.0, 1.0, 3.0]))
    assert_allclose(scale_cells(cells, torch.tensor(2.0)), torch.log10(1 + torch.tensor([0.0, 2.0, 6.0])), atol=1e-6)


def test_augmentation_against_itself():
    clips = torch.rand(4, 149, 20)
    first, second, other = (augment(clips, range(4), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert first.shape == clips.shape
    assert (first >= 0).all()
    assert not torch.equal(first, clips)


def test_augmentation_against_itself_clips_that_are_alike():
    clips = torch.rand(3, 149, 20)[[0, 1, 0]]
    alone, together = (augment(clips, alike, torch.Generator().manual_seed(3)) for alike in ((0, 1, 2), (0, 1, 0)))
    assert torch.equal(alone[:2], together[:2])
    assert_allclose(together[0], together[2], atol=1e-6)
    assert not torch.equal(alone[0], alone[2])


def test_pearson_r_against_numpy(rng):
    a, b = rng.random((50, 7)), rng.random((50, 7))
    assert_allclose(pearson_r(a, b), [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(7)], rtol=1e-9)
    assert np.isnan(pearson_r(np.ones((5, 7)), b[:5])).all()


def test_pearson_r_against_numpy_over_the_known_labels(rng):
    a, b = rng.random((20, 3)), rng.random((20, 3))
    b[::2, 1], b[1:, 2] = np.nan, np.nan
    expected = [np.corrcoef(a[:, 0], b[:, 0])[0, 1], np.corrcoef(a[1::2, 1], b[1::2, 1])[0, 1], np.nan]
    assert_allclose(pearson_r(a, b), expected, rtol=1e-9)


@pytest.mark.parametrize("constant", [0.1, 0.3, 1e5])
def test_what_does_not_vary_has_no_r_and_has_heard_nothing(constant, rng):
    scores, labels = rng.random((50, 3)), rng.random((50, 3))
    scores[:, 0] = constant
    labels[1:, 2] = np.nan
    assert np.isnan(pearson_r(scores, labels)).tolist() == [True, False, True]
    assert np.isnan(heard_r(scores, labels)).tolist() == [False, False, True]
    assert heard_r(scores, labels)[0] == 0.0
    labels[:, 2] = np.nan
    assert np.isnan(pearson_r(scores, labels)[2])


def test_split_is_a_partition_against_theory():
    split = split_groups([str(k) for k in range(57)], seed=0)
    assert sorted(np.concatenate([split.train, split.validation, split.test]).tolist()) == list(range(57))
    assert len(split.validation) == len(split.test) == 5
    assert not np.array_equal(split.test, split_groups([str(k) for k in range(57)], seed=1).test)


def test_split_keeps_groups_whole_whatever_the_order(rng):
    groups = np.array([f"song {k}" for k in rng.integers(0, 40, 300)])
    split = split_groups(groups.tolist(), seed=3)
    parts = [set(groups[indices]) for indices in (split.train, split.validation, split.test)]
    assert sum(map(len, parts)) == len(set(groups))  # so that they are disjoint
    assert all(30 <= len(indices) <= 50 for indices in (split.validation, split.test))
    order = rng.permutation(300)
    again = split_groups(groups[order].tolist(), seed=3)
    assert set(groups[order][again.test]) == parts[2]


def test_split_iv():
    with pytest.raises(InputError, match="number of clips must be"):
        split_groups(["a"] * 9, seed=0)
    with pytest.raises(InputError, match="enough for three parts, got 2 groups"):
        split_groups(["a", "b"] * 10, seed=0)


def test_rounds_against_theory_each_clip_is_shown_once_before_any_is_shown_again():
    train, settings = np.arange(100, 130), replace(TINY, round_clips=24, batch_size=8)
    units = list(train[:, None])
    shown = np.concatenate([order_of_round(units, settings, number).ravel() for number in range(5)])
    assert order_of_round(units, settings, 0).shape == (3, 8)
    for begin in range(0, 120, 30):
        assert sorted(shown[begin : begin + 30]) == train.tolist()
    assert shown[:30].tolist() != shown[30:60].tolist()


@pytest.mark.parametrize(("place", "start"), [(0.0, 0), (0.5, 3), (0.999, 6), (1.0, 6)])
def test_window_against_theory(place, start):
    clip = np.tile(np.arange(10.0), (2, 1))
    assert window_of(clip, n_frames=4, place=place).tolist() == clip[:, start : start + 4].tolist()


def test_window_of_a_short_clip_ends_in_silence():
    assert window_of(np.ones((1, 2)), n_frames=4).tolist() == [[1.0, 1.0, 0.0, 0.0]]


def test_predictions_against_itself_batches_do_not_matter(clips):
    network = new_network(TINY)
    whole = predict_scores(network, clips.spectrograms, batch_size=40)
    assert_allclose(predict_scores(network, clips.spectrograms, batch_size=7), whole, atol=1e-5)
    assert whole.shape == (40, 15)
    assert_allclose(predict_midlevel(network, clips.spectrograms), whole[:, :7], atol=1e-5)
    assert_allclose(predict_scores(network, clips.spectrograms, autocast=True), whole, atol=0.03)
    assert not network.training


def test_predictions_against_itself_windows_of_clips_of_many_lengths(clips):
    network = new_network(TINY)
    ragged = [clips.spectrograms[0], clips.spectrograms[1][:, :31], clips.spectrograms[2][:, :35]]
    found = predict_scores(network, ragged, n_frames=31)
    by_hand = np.stack([ragged[0][:, 5:36], ragged[1], ragged[2][:, 2:33]])
    assert_allclose(found, predict_scores(network, by_hand), atol=1e-5)


def test_new_network_against_itself_is_its_seeds_and_leaves_the_process_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same, other = (new_network(replace(TINY, seed=seed)).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(tensor, same[name]) for name, tensor in one.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert (one["head.bias"] == 0.5).all()  # scores begin in the middle of their scale


def test_emotion_layers_are_what_the_settings_say(rng):
    layer = published_layer()
    for variant in ("a2mid2e", "a2mid2e-joint"):
        published = new_network(replace(TINY, variant=variant)).emotion
        assert published is not None
        assert_allclose(published.weight.detach(), layer.weights, atol=1e-6)
        assert not published.weight.requires_grad
    midlevel = rng.random((40, 7))
    labels = np.hstack([midlevel, midlevel @ np.ones((7, 8)) + 0.25])
    for variant, learns in (("a2mid2e", False), ("a2mid2e-joint", True)):
        fitted = new_network(replace(TINY, variant=variant, emotion_layer="trained"), labels).emotion
        assert fitted is not None
        assert_allclose(fitted.weight.detach(), np.ones((8, 7)), atol=1e-5)
        assert fitted.weight.requires_grad is learns
    with pytest.raises(InputError, match="at least 9 clips, got 8"):
        new_network(replace(TINY, emotion_layer="trained"), labels[:8])
    drawn = new_network(replace(TINY, variant="a2mid2e-joint", emotion_layer="trained"), labels[:8]).emotion
    assert drawn is not None
    assert drawn.weight.requires_grad
    assert drawn.weight.abs().max() < 1.0  # neither layer
    assert new_network(replace(TINY, variant="a2e")).emotion is None


def test_mid2e_against_theory_recovers_a_planted_layer_from_the_known_labels(rng):
    layer = published_layer()
    midlevel = rng.random((30, 7))
    labels = np.hstack([midlevel, layer.emotions(midlevel)])
    labels[:10, 9] = np.nan  # an emotion of some clips
    labels[20:23, 2] = np.nan  # a feature of others
    found = fit_mid_to_emotion(labels)
    assert_allclose(found.weights, layer.weights, atol=1e-9)
    assert_allclose(found.intercepts, layer.intercepts, atol=1e-9)
    labels[8:, 14] = np.nan
    with pytest.raises(InputError, match="must have tender and all 7 mid-level features of at least 9 clips, got 8"):
        fit_mid_to_emotion(labels)


def test_loss_against_theory_unknown_labels_take_no_part():
    scores = torch.tensor([[0.0, 1.0], [2.0, 3.0]], requires_grad=True)
    loss = masked_error(scores, torch.tensor([[1.0, float("nan")], [float("nan"), 0.0]]))
    assert loss.item() == (1.0 + 9.0) / 2
    torch.autograd.backward(loss)
    assert scores.grad is not None
    assert scores.grad.tolist() == [[-1.0, 0.0], [0.0, 3.0]]
    assert masked_error(scores, torch.full((2, 2), float("nan"))).item() == 0.0


@pytest.mark.parametrize(
    ("variant", "names", "expected"),
    [("a2e", EMOTION_NAMES, 0.04), ("a2mid2e", SCORE_NAMES, 0.01), ("a2mid2e-joint", SCORE_NAMES, 0.05)],
)
def test_loss_against_theory_each_variant_learns_its_own(variant, names, expected):
    errors = torch.tensor([0.1 if name in MIDLEVEL_NAMES else 0.2 for name in names])
    found = training_loss(errors.repeat(3, 1), torch.zeros(3, len(names)), names=names, variant=variant)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_joint_loss_reaches_features_through_the_frozen_layer():
    network = new_network(replace(TINY, variant="a2mid2e-joint"))
    labels = torch.full((4, 15), 0.3)
    labels[:, :7] = float("nan")  # nothing but emotions is known
    scores = network(torch.rand(4, 149, 31))
    torch.autograd.backward(training_loss(scores, labels, names=SCORE_NAMES, variant="a2mid2e-joint"))
    assert network.emotion is not None
    assert network.emotion.weight.grad is None
    assert network.head.weight.grad is not None
    assert network.head.weight.grad.abs().sum() > 0


def planted(n=80, *, seed=440):
    """Clips whose share of loud frames is all that their labels are made of."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.1, 0.9, n)
    loud = np.where(np.arange(32) % 8 < 8 * level[:, None, None], 1.0, 0.1)
    images = (rng.uniform(0, 2, (n, 149, 1)) * loud).astype(np.float16)
    slopes = np.linspace(0.5, 1.0, 15) * np.where(np.arange(15) % 2, 1.0, -1.0)
    names = tuple(map(str, range(n)))
    return LabelledClips(names, names, images, 0.5 + slopes * (level[:, None] - 0.5))


@pytest.mark.parametrize("variant", ["a2e", "a2mid2e-joint"])
def test_training_learns_a_planted_truth(variant, tmp_path):
    settings = TrainingSettings(
        variant=variant, emotion_layer="trained", width=0.05, rounds=12, round_clips=64, batch_size=8, dropout=0.0,
        window_seconds=1.0, learning_rate=2e-2,
    )  # fmt: skip
    found = fit_network(planted(), settings, state_path=tmp_path / "x.state", device="cpu")
    others = planted(40, seed=1)
    scores = predict_scores(found.network, others.spectrograms, n_frames=31)
    wanted = others.labels[:, [SCORE_NAMES.index(name) for name in found.network.names]]
    assert pearson_r(scores, wanted).mean() > 0.85


def same_weights(one, other):
    theirs = other.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in one.state_dict().items())


def test_a_stopped_training_goes_on_to_the_same_weights(clips, tmp_path):
    settings = replace(TINY, rounds=3, variant="a2mid2e-joint", emotion_layer="trained")
    whole = fit_network(clips, settings, state_path=tmp_path / "whole.state", device="cpu")

    def stop(line):
        if line.startswith("round 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_network(clips, settings, state_path=tmp_path / "parts.state", device="cpu", log=stop)
    lines: list[str] = []
    parts = fit_network(clips, settings, state_path=tmp_path / "parts.state", device="cpu", log=lines.append)
    assert len(lines) == 1
    assert same_weights(whole.network, parts.network)
    assert np.array_equal(whole.test_r, parts.test_r)
    assert parts.best_round == whole.best_round


def test_a_training_that_was_killed_before_its_table_was_written_writes_it(clips, tmp_path):
    fit_network(clips, TINY, state_path=tmp_path / "x.state", device="cpu")
    table = (tmp_path / "x.csv").read_bytes()
    (tmp_path / "x.csv").write_bytes(b"".join(table.splitlines(keepends=True)[:-1]))  # a round behind the state
    (tmp_path / "x.csv.partial").write_text("half")
    fit_network(clips, TINY, state_path=tmp_path / "x.state", device="cpu")
    assert (tmp_path / "x.csv").read_bytes() == table
    assert {path.name for path in tmp_path.iterdir()} == {"x.csv", "x.state"}


def test_training_iv_another_run_at_the_same_state_or_a_folder_that_goes_away(clips, tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    with alone(folder / "x.state.lock"), pytest.raises(InputError, match="another run is at work on it"):
        fit_network(clips, TINY, state_path=folder / "x.state", device="cpu")

    def gone(*given):
        (folder / "x.state.lock").unlink(missing_ok=True)
        return heard_r(*given)

    monkeypatch.setattr(fit_module, "heard_r", gone)
    with pytest.raises(InputError, match="has gone; nothing is written in its place"):
        fit_network(clips, TINY, state_path=folder / "x.state", device="cpu")
    assert not list(folder.iterdir())


def test_clips_without_labels_are_not_shown(clips, tmp_path, monkeypatch):
    split = split_groups(clips.groups, seed=0)
    labels = clips.labels.copy()
    labels[split.train[4:], :7] = np.nan
    shown: set[int] = set()

    def order(units, settings, number):
        shown.update(np.concatenate(units).tolist())
        return order_of_round(units, settings, number)

    monkeypatch.setattr(fit_module, "order_of_round", order)
    fit_network(replace(clips, labels=labels), TINY, state_path=tmp_path / "x.state", device="cpu")
    assert shown == set(split.train[:4].tolist())


def test_a_loss_that_grows_without_end_is_told(clips, tmp_path):
    loud = replace(clips, labels=np.full((40, 15), 1e30))
    with pytest.raises(InputError, match=r"learning_rate 0.002 is too high: the loss became (inf|nan)"):
        fit_network(loud, TINY, state_path=tmp_path / "x.state", device="cpu")


def test_training_does_not_look_at_test_labels_nor_at_unknown_ones(clips, tmp_path):
    split = split_groups(clips.groups, seed=0)
    hidden = clips.labels.copy()
    hidden[split.test[2:]] = np.nan  # two are needed for a correlation
    hidden[:, 7:] = np.nan  # a2mid2e learns no emotions
    one = fit_network(clips, TINY, state_path=tmp_path / "1.state", device="cpu")
    other = fit_network(replace(clips, labels=hidden), TINY, state_path=tmp_path / "2.state", device="cpu")
    assert same_weights(one.network, other.network)
    assert np.isnan(other.test_r[7:]).all()
    assert np.isfinite(other.test_r[:7]).all()


def test_training_against_the_design_the_best_round_is_kept(clips, tmp_path):
    chosen = replace(TINY, rounds=4, round_clips=32, patience=4, autocast=False, learning_rate=0.02)
    lines: list[str] = []
    fit = fit_network(clips, chosen, state_path=tmp_path / "x.state", log=lines.append, device="cpu")
    rows = np.loadtxt(tmp_path / "x.csv", delimiter=",", skiprows=1)
    header = (tmp_path / "x.csv").read_text().splitlines()[0].split(",")
    assert header == ["round", "loss", "mean_r", "learning_rate", "clips_per_second", *SCORE_NAMES]
    assert rows[:, 0].tolist() == [1, 2, 3, 4]
    assert fit.best_round == rows[:, 2].argmax() + 1
    assert_allclose(fit.validation_r, rows[fit.best_round - 1, 5:], rtol=1e-4)
    assert_allclose(rows[:, 2], rows[:, 5:12].mean(axis=1), atol=1e-4)  # of what a2mid2e is trained for
    assert_allclose(fit.seconds, (32 / rows[:, 4]).sum(), rtol=1e-3)
    for number, line in enumerate(lines, start=1):
        assert line.startswith(f"round {number} of 4: loss {rows[number - 1, 1]:.4f}"[:24])
    for indices, told in ((fit.split.validation, fit.validation_r), (fit.split.test, fit.test_r)):
        chosen_clips = clips.only(indices)
        scores = predict_scores(fit.network, chosen_clips.spectrograms, n_frames=31).astype(float)
        expected = [np.corrcoef(scores[:, k], chosen_clips.labels[:, k])[0, 1] for k in range(15)]
        assert_allclose(told, expected, atol=1e-3)
    assert not fit.network.training


def test_training_against_the_design_it_stops_when_nothing_gets_better(clips, tmp_path):
    constant = replace(clips, labels=np.full((40, 15), 0.5))  # r is 0 in all rounds: the first is the best
    lines: list[str] = []
    chosen = replace(TINY, rounds=9, patience=2)
    fit = fit_network(constant, chosen, state_path=tmp_path / "x.state", log=lines.append, device="cpu")
    assert fit.best_round == 1
    assert len(lines) == 3


def test_training_against_the_design_a_given_split_is_kept(clips, tmp_path):
    split = split_groups(clips.groups, seed=9)
    fit = fit_network(clips, TINY, state_path=tmp_path / "x.state", split=split, device="cpu")
    assert fit.split is split


def test_training_state_against_itself_comes_back_whole(tmp_path):
    layer = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(4, 3)).sum().backward()
    optimiser.step()
    moments = optimiser_moments(optimiser)
    assert set(moments) == {f"{index}.{name}" for index in (0, 1) for name in ("step", "exp_avg", "exp_avg_sq")}
    stored = FitState(layer.state_dict(), {"a/b": torch.arange(3.0)}, moments, {"round": 3, "table": [[1.0]]})
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


@pytest.mark.gpu
def test_training_on_a_gpu_goes_on_and_comes_back(clips, tmp_path):
    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_network(clips, TINY, state_path=tmp_path / "x.state", device="cuda", log=stop)
    fit = fit_network(clips, TINY, state_path=tmp_path / "x.state", device="cuda")
    assert fit.network.head.weight.device.type == "cpu"
    assert np.isfinite(fit.test_r).all()


def test_training_iv(clips, tmp_path):
    state_path = tmp_path / "x.state"
    fit_network(clips, replace(TINY, rounds=1), state_path=state_path, device="cpu")
    with pytest.raises(InputError, match="other settings or clips"):
        fit_network(clips, TINY, state_path=state_path, device="cpu")
    with pytest.raises(InputError, match="other settings or clips"):
        fit_network(some_clips(seed=1), replace(TINY, rounds=1), state_path=state_path, device="cpu")
    pairs = replace(clips, couples=tuple(str(k // 2) for k in range(40)))
    with pytest.raises(InputError, match="other settings or clips"):
        fit_network(pairs, replace(TINY, rounds=1), state_path=state_path, device="cpu")
    state_path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="not the state of a training run"):
        fit_network(clips, TINY, state_path=state_path, device="cpu")
    labels = clips.labels.copy()
    labels[:, 3] = np.nan
    with pytest.raises(InputError, match="at least 2 clips of train, but not so rhythm_stability"):
        fit_network(replace(clips, labels=labels), TINY, state_path=tmp_path / "y.state", device="cpu")


@pytest.mark.parametrize(
    ("field", "value"),
    [("batch_size", 1), ("round_clips", 15), ("variant", "mid2e"), ("emotion_layer", "mine"), ("window_seconds", 0.5)],
)
def test_settings_iv(field, value):
    with pytest.raises(InputError, match=f"{field} must be"):
        TrainingSettings(**{field: value})


def test_the_state_is_written_each_round(clips, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(fit_module, "save_state", lambda path, state: written.append(state.record["round"]))
    fit_network(clips, TINY, state_path=tmp_path / "x.state", device="cpu")
    assert written == [1, 2]
