from typing import Any

import numpy as np
import pytest
from fakes import sound_file, tiny_checkpoint

from emomod.alone import InUse
from emomod.attribution.methods import parse_method
from emomod.errors import InputError
from emomod.explained import explain_clip
from emomod.model.predictor import load_predictor
from emomod.output import scores_file
from emomod.score_log import BLOCK, HEAD, ScoreLog, kept_scores
from emomod.stages import Stages

ABOUT = {"clip": "a"}


@pytest.fixture
def masks(rng):
    return rng.random((2 * BLOCK + 3, 5)) < 0.5


def doubled(masks):
    return np.cumsum(masks, axis=1)[:, :2] * 0.1


def never(masks):
    raise AssertionError(f"{len(masks)} masks were scored again")


def written(path, masks):
    log = ScoreLog(path, ABOUT)
    found = log(masks, doubled)
    log.close()
    return found


def test_score_log_against_the_design_nothing_is_scored_twice(tmp_path, masks):
    found = written(tmp_path / "s", masks)
    assert np.array_equal(found, doubled(masks))
    log = ScoreLog(tmp_path / "s", ABOUT)
    assert log.n_known == len(masks)
    assert np.array_equal(log(masks, never), found)
    log.close()


@pytest.mark.parametrize("kept", (0, 1, 2))
@pytest.mark.parametrize("torn", (0, 1, HEAD.size, HEAD.size + 9))
def test_score_log_against_the_design_a_kill_costs_a_block_at_most(tmp_path, masks, kept, torn):
    path = tmp_path / "s"
    found = written(path, masks)
    block = HEAD.size + BLOCK * 2 * 8
    head = len(path.read_bytes()) - 2 * block - HEAD.size - 3 * 2 * 8
    path.write_bytes(path.read_bytes()[: head + kept * block + torn])
    scored = []
    log = ScoreLog(path, ABOUT)

    def counted(some):
        scored.append(len(some))
        return doubled(some)

    again = log(masks, counted)
    log.close()
    assert np.array_equal(again, found)
    assert sum(scored) == len(masks) - kept * BLOCK
    assert np.array_equal(written(path, masks), found)


@pytest.mark.parametrize("place", (0.2, 0.5, 0.99))
def test_score_log_against_the_design_a_flipped_bit_is_noticed(tmp_path, masks, place):
    path = tmp_path / "s"
    found = written(path, masks)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(bytes(data))
    assert np.array_equal(written(path, masks), found)


def test_score_log_against_the_design_scores_of_something_else_are_not_taken(tmp_path, masks):
    written(tmp_path / "s", masks)
    log = ScoreLog(tmp_path / "s", {"clip": "b"})
    assert log.n_known == 0
    log.close()
    other = ~masks
    written(tmp_path / "s", masks)
    assert np.array_equal(written(tmp_path / "s", other), doubled(other))
    log = ScoreLog(tmp_path / "s", ABOUT)
    assert np.array_equal(log(other, never), doubled(other))
    log.close()


def test_score_log_iv_in_use(tmp_path, masks):
    log = ScoreLog(tmp_path / "s", ABOUT)
    log(masks, doubled)
    with pytest.raises(InUse, match="another run is at work"):
        ScoreLog(tmp_path / "s", ABOUT)
    log.close()


def test_kept_scores_against_the_design_they_go_when_the_job_cannot_be_done(tmp_path, masks):
    def stopped(error):
        with kept_scores(tmp_path / "s", ABOUT) as log:
            assert log is not None
            log(masks, doubled)
            raise error

    for error, stays in ((InputError, False), (KeyboardInterrupt, True)):
        with pytest.raises(error):
            stopped(error)
        assert (tmp_path / "s").exists() == stays
    with kept_scores(None, ABOUT) as log:
        assert log is None


@pytest.mark.parametrize(
    "method",
    (
        "lime:n_perturbations=700,n_held_out=32",
        "lime:n_perturbations=2000,precision=0.2,n_held_out=32",
        "kernel_shap:n_perturbations=700,n_held_out=32",
        "occlusion:n_held_out=300",
        "gradient:n_held_out=300",
    ),
)
def test_explain_clip_regression_stopped_and_gone_on_is_the_same_to_the_bit(tmp_path, monkeypatch, method):
    clip, predictor = sound_file(tmp_path, seconds=2.0), load_predictor(tiny_checkpoint(tmp_path / "t.safetensors"))
    settings: dict[str, Any] = {"components": "grid", "method": parse_method(method)}
    whole = explain_clip(clip, predictor, Stages(), **settings).explanation
    scores, scored = scores_file(tmp_path / "out"), list[int]()

    def stopped(masks, score):
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(len(masks))
        return score(masks)

    with pytest.raises(KeyboardInterrupt):
        explain_clip(clip, predictor, Stages(), **settings, scores=scores, through=stopped)
    known: list[int] = []

    class Counted(ScoreLog):
        def __init__(self, *given):
            super().__init__(*given)
            known.append(self.n_known)

    monkeypatch.setattr("emomod.score_log.ScoreLog", Counted)
    again = explain_clip(clip, predictor, Stages(), **settings, scores=scores).explanation
    assert known == [sum(scored)]
    for name in ("weights", "standard_errors", "neighbourhood_r2"):
        one, other = (getattr(each.weights, name) for each in (whole, again))
        assert (one is None and other is None) or np.array_equal(one, other, equal_nan=True)


def test_kept_scores_regression_whoever_is_refused_leaves_the_scores_of_the_other(tmp_path, masks):
    with kept_scores(tmp_path / "s", ABOUT) as late:  # before the other has written its first block
        assert late is not None
        log = ScoreLog(tmp_path / "s", ABOUT)
        log(masks, doubled)
        with pytest.raises(InUse), kept_scores(tmp_path / "s", ABOUT):
            pass

        def refused():
            with kept_scores(tmp_path / "s", {"clip": "late"}) as other:
                assert other is not None
                other(masks, doubled)

        with pytest.raises(InUse):
            refused()
        with pytest.raises(InUse):
            late(masks, doubled)
    log.close()
    again = ScoreLog(tmp_path / "s", ABOUT)
    assert again.n_known == len(masks)
    again.close()
