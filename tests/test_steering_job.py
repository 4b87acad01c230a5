"""The steering job: what is written, and whether it is true of the files."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from fakes import sound_file, tiny_checkpoint, tones
from small_runs import small_predictor

from emomod import steering_job as job
from emomod.attribution.lime import LimeSettings
from emomod.audio import SAMPLE_RATE, read_clip
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES, SCORE_NAMES
from emomod.loudness import loudness
from emomod.model.other import Model
from emomod.model.predictor import load_predictor, score_waveforms
from emomod.report.steer_made import command_of
from emomod.rescoring import score_file
from emomod.steering.controls import Controls
from emomod.steering.likeness import shifts_like
from emomod.steering.request import Limit, Request
from emomod.steering.settings import SteerSettings
from emomod.steering_job import steer

FILES = {
    "original.wav", "steered.wav", "steer.json", "shifts.csv", "components.csv", "points.csv", "explanation.json",
    "explanation.npz", "report.html", "figures",
}  # fmt: skip
ASKED = Request({"articulation": 0.01}, hold=("dissonance",))


def settings(**changes):
    few = LimeSettings(n_perturbations=128, n_held_out=2)
    return replace(SteerSettings(components="grid:columns=6,rows=4", lime=few, n_random=2, n_steps=2), **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("steer")


@pytest.fixture(scope="module")
def clip(folder):
    return sound_file(folder, seconds=1.5)


@pytest.fixture(scope="module")
def companions(folder):
    """Two small networks with random weights."""
    paths = [tiny_checkpoint(folder / f"{seed}.safetensors", seed=seed, name=f"seed {seed}") for seed in (1, 2)]
    return [load_predictor(path, device="cpu") for path in paths]


@pytest.fixture(scope="module")
def steered(folder, clip, companions):
    return steer(
        clip,
        ASKED,
        out=folder / "out",
        settings=settings(write_steps=True),
        predictor=small_predictor(),
        companions=companions,
    )


@pytest.fixture(scope="module")
def record(steered):
    return json.loads((steered.folder / "steer.json").read_text())


@pytest.fixture
def quick(monkeypatch):
    """The job without its page and its controls."""
    monkeypatch.setattr(job, "write_steer_page", lambda *_: None)
    monkeypatch.setattr(job, "controls_of", lambda problem, *_, **__: no_controls(len(problem.slopes)))


def no_controls(n_names):
    return Controls(np.zeros((1, n_names)), np.zeros(n_names), None)


def gains_of(clip, out, *, request=ASKED, predictor=None, **given):
    """Gains of a job without its page."""
    return steer(clip, request, out=out, predictor=predictor or small_predictor(), **given).gains_db


def test_steer_against_the_design_writes_all_files(steered):
    assert {path.name for path in steered.folder.iterdir()} == {*FILES, "steps"}
    assert [path.name for path in (steered.folder / "steps").iterdir()] == ["step_1.wav"]


def test_record_against_scoring_the_written_files_again(steered, record):
    predictor = small_predictor()
    before, after = (score_file(predictor, steered.folder / f"{name}.wav") for name in ("original", "steered"))
    shift = dict(zip(SCORE_NAMES, after - before, strict=True))
    assert record["requested"] == {"articulation": 0.01}
    assert record["reached"] == pytest.approx({"articulation": shift["articulation"]}, abs=1e-9)
    assert record["held"] == pytest.approx({"dissonance": shift["dissonance"]}, abs=1e-9)
    assert record["shifts"] == pytest.approx(shift, abs=1e-9)
    assert record["reached"]["articulation"] == pytest.approx(0.01, abs=0.001)
    assert abs(record["held"]["dissonance"]) < 0.005


def test_record_against_what_other_models_hear_in_the_files(steered, record, companions):
    ys = [read_clip(steered.folder / f"{name}.wav").y for name in ("original", "steered")]
    assert [each["model"] for each in record["transfer"]] == ["seed 1", "seed 2"]
    for each, companion in zip(record["transfer"], companions, strict=True):
        before, after = score_waveforms(companion, ys)
        assert each["shifts"] == pytest.approx(dict(zip(SCORE_NAMES, after - before, strict=True)), abs=1e-6)
        assert each["used"] is False
        assert each["origin"] == companion.origin != ""


@pytest.mark.usefixtures("quick")
def test_record_against_the_promise_companions_that_ship_need_no_name(clip, companions, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "companions_of", lambda model: companions)
    found = steer(clip, ASKED, out=tmp_path / "out", settings=settings(), predictor=small_predictor())
    assert [each["origin"] for each in found.record["transfer"]] == ["", ""]
    assert "--second" not in command_of(found.record, ASKED, out=tmp_path / "out")


def test_record_against_the_gains_that_make_the_file(steered, record):
    gains = np.array(record["gains_db"])
    assert gains.shape == (record["n_components"],)
    assert np.abs(gains).max() <= 9.0
    assert record["points"][-1]["articulation"] == pytest.approx(record["reached"]["articulation"], abs=1e-4)
    assert [point["share"] for point in record["points"]] == [0.5, 1.0]
    assert record["points"][0]["articulation"] == pytest.approx(0.005, abs=0.0015)
    assert record["points"][0]["size_db"] < record["points"][1]["size_db"] == record["size_db"]
    with (steered.folder / "components.csv").open() as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose([float(row["gain_db"]) for row in rows], gains, atol=1e-3)
    carried = sum(float(row["share_articulation"]) for row in rows)
    assert carried == pytest.approx(record["reached"]["articulation"], rel=0.03)


def test_versions_against_the_promise_equally_loud_and_unclipped(steered, record):
    found = {path.stem: soundfile.read(path, dtype="float64")[0] for path in steered.folder.rglob("*.wav")}
    assert set(found) == {"original", "steered", "step_1"}
    level = loudness(found["original"])
    for y in found.values():
        assert loudness(y) == pytest.approx(level, abs=0.1)
        assert np.abs(y).max() < 1.0
    original, given = read_clip(record["clip"]).y, record["level_db"]["original"]
    np.testing.assert_allclose(found["original"], original * 10.0 ** (given / 20.0), atol=1e-4)


def test_versions_against_the_promise_unclipped_where_the_clip_is_at_full_scale(clip, folder, tmp_path, quick):
    y, rate = soundfile.read(clip, dtype="float32")
    soundfile.write(tmp_path / "loud.wav", y / np.abs(y).max() * 0.9999, rate, subtype="FLOAT")
    steer(
        tmp_path / "loud.wav", Request({"energy": np.inf}), out=tmp_path / "out", settings=settings(),
        predictor=small_predictor(),
    )  # fmt: skip
    one, other = (soundfile.read(tmp_path / "out" / f"{name}.wav")[0] for name in ("original", "steered"))
    assert max(np.abs(one).max(), np.abs(other).max()) < 1.0
    assert loudness(one) == pytest.approx(loudness(other), abs=0.1)


def test_sentence_against_the_scores_that_moved(steered):
    assert steered.sentence.startswith("Articulation +0.01.")
    assert "f the parts turned up, those" in steered.sentence


def test_tables_against_the_record(steered, record):
    with (steered.folder / "shifts.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert tuple(rows) == SCORE_NAMES
    assert {name: row["asked"] for name, row in rows.items() if row["asked"]} == {
        "articulation": "+0.01",
        "dissonance": "hold",
    }
    for name, row in rows.items():
        assert float(row["shift"]) == pytest.approx(record["shifts"][name], rel=1e-3, abs=1e-6)


def test_controls_against_the_promise_as_large(record):
    controls = record["controls"]
    assert len(controls["random"]) == 2
    assert max(abs(shift) for shift in controls["level"].values()) < 1e-5
    assert controls["equaliser"]["size_db"] <= 1.01 * record["size_db"]
    assert record["lasting"]["6 dB softer"] == pytest.approx(record["shifts"], abs=1e-5)


@pytest.mark.usefixtures("quick")
def test_steer_against_itself_same_seed_same_gains_to_the_bit(clip, tmp_path):
    one, other = (gains_of(clip, tmp_path / name, settings=settings()) for name in ("one", "other"))
    assert one.tobytes() == other.tobytes()
    files = [(tmp_path / name / "steered.wav").read_bytes() for name in ("one", "other")]
    assert files[0] == files[1]


@pytest.mark.usefixtures("quick")
def test_steer_against_the_promise_the_robust_search_listens_to_companions_but_the_last(clip, companions, tmp_path):
    heard = []
    hooks = [
        companion.module.register_forward_pre_hook(
            lambda _, given, name=companion.card["name"]: heard.append((name, given[0].requires_grad))
        )
        for companion in companions
    ]
    robust = settings(robust=True)
    found = steer(
        clip, ASKED, out=tmp_path / "out", settings=robust, predictor=small_predictor(), companions=companions
    )
    for hook in hooks:
        hook.remove()
    assert [(each.model, each.used) for each in found.transfers] == [("seed 1", True), ("seed 2", False)]
    searched_with = {name for name, with_gradient in heard if with_gradient}
    assert searched_with == {"seed 1"}
    assert found.record["settings"]["robust"] is True


@pytest.mark.parametrize(
    ("request_", "message"),
    (
        (
            Request({"articulation": 0.3}),
            r"articulation \+0.3 cannot be had by changing parts by at most 9 dB up and down; the most .* \+0.0",
        ),
        (
            Request({"articulation": -0.3}),
            r"articulation -0.3 cannot be had by changing parts by at most 9 dB up and down; the most .* -0.0",
        ),
        (
            Request({"articulation": 0.08}, hold=("energy",), budget_db=1.0, max_gain_db=6.0),
            r"articulation \+0.08 cannot be had by changing parts .* 6 dB .* and all of .* 1 dB, .*, while energy",
        ),
        (Request({"articulation": 2.0}), r"articulation cannot be shifted by \+2: scores go from 0 to 1, and it is 0."),
        (Request({"articulaton": 0.1}), "score must be one of melodiousness, "),
        (Request({"happy": 0.01}, limits=(Limit(0.0, 20000.0, 0.0),)), "limits must leave a part of the sound"),
    ),
)
@pytest.mark.usefixtures("quick")
def test_steer_iv_one_line_and_nothing_is_left(clip, tmp_path, request_, message):
    with pytest.raises(InputError, match=f"^{message}") as caught:
        gains_of(clip, tmp_path / "out", request=request_, settings=settings())
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_steer_iv_what_is_no_model_clip_or_setting(clip, companions, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(2 * SAMPLE_RATE), SAMPLE_RATE)
    others = [small_predictor(two_levels=False)]
    with pytest.raises(InputError, match=r"^companions must have the model's scores, got others of bands <&>$"):
        gains_of(clip, tmp_path / "out", companions=[*companions, *others])
    with pytest.raises(InputError, match="silent"):
        gains_of(tmp_path / "silent.wav", tmp_path / "out")
    for off in ("silence", "mean"):
        with pytest.raises(InputError, match=r"^lime: off must be a cut in dB to steer by, got"):
            SteerSettings(lime=LimeSettings(off=off))
    for name, value in (("bits", 8), ("n_random", 0), ("n_steps", 0), ("seed", -1)):
        with pytest.raises(InputError):
            SteerSettings(**{name: value})  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_steer_iv_an_error_at_the_end_leaves_nothing(clip, tmp_path, monkeypatch, quick):
    def fail(*_):
        raise InputError("no page today")

    monkeypatch.setattr(job, "write_steer_page", fail)
    with pytest.raises(InputError, match="no page today"):
        gains_of(clip, tmp_path / "out", settings=settings())
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("quick")
def test_steer_against_limits_and_so_many_parts(clip, tmp_path):
    request = Request({"articulation": 0.01}, most_changed=4, limits=(Limit(0.0, 300.0, 1.0),))
    found = steer(clip, request, out=tmp_path / "out", settings=settings(), predictor=small_predictor())
    assert 0 < np.count_nonzero(found.gains_db) <= 4
    bounds = request.bounds_db(found.explanation.locations)
    assert sorted(set(bounds)) == [1.0, 9.0]
    assert (np.abs(found.gains_db) <= bounds + 1e-9).all()


@pytest.mark.usefixtures("quick")
def test_steer_against_the_promise_stems_get_mixing_advice(clip, tmp_path):
    y = read_clip(clip).y
    spectrum, low = np.fft.rfft(y), np.fft.rfftfreq(y.size, 1.0 / SAMPLE_RATE) < 500.0
    for name, kept in (("low", low), ("high", ~low)):
        soundfile.write(tmp_path / f"{name}.wav", np.fft.irfft(spectrum * kept, y.size), SAMPLE_RATE, subtype="FLOAT")
    components = f"stems:low={tmp_path / 'low.wav'},high={tmp_path / 'high.wav'}"
    few = LimeSettings(n_perturbations=64, n_held_out=2)
    found = steer(
        clip,
        Request({"articulation": np.inf}, max_gain_db=4.0),
        out=tmp_path / "out",
        settings=settings(components=components, lime=few),
        predictor=small_predictor(),
    )
    assert [each.part for each in found.explanation.locations] == ["low", "high"]
    assert np.abs(found.gains_db).max() == pytest.approx(4.0, abs=0.01)
    assert found.gains_db.shape == (2,)
    assert "low" in found.sentence or "high" in found.sentence
    assert found.shift[SCORE_NAMES.index("articulation")] > 0.001


@pytest.mark.usefixtures("quick")
def test_steer_a_model_without_mid_level_features(clip, tmp_path):
    predictor = small_predictor(two_levels=False)
    found = steer(clip, Request({"sad": 0.01}), out=tmp_path / "out", settings=settings(), predictor=predictor)
    assert found.shift[predictor.names.index("sad")] == pytest.approx(0.01, abs=0.002)
    assert found.features == {}
    assert found.sentence.startswith("Sad +0.01. ")


class Brightness(torch.nn.Module):
    """How much of a sound's magnitude is above 1 kHz, and how much below; levels do not matter."""

    def forward(self, sounds):
        magnitudes = torch.fft.rfft(sounds).abs()
        place = round(1000.0 * sounds.shape[1] / SAMPLE_RATE)
        low, high = magnitudes[:, :place].sum(dim=1), magnitudes[:, place:].sum(dim=1)
        return torch.stack([high / (low + high), low / (low + high)], dim=1)


@pytest.mark.parametrize("smooth", (True, False))
@pytest.mark.usefixtures("quick")
def test_steer_a_model_of_waveforms(clip, tmp_path, smooth):
    scorer = Brightness() if smooth else lambda ys: Brightness()(torch.from_numpy(ys)).numpy()
    predictor = Model(scorer, names=("bright", "dark"), window_seconds=1.5, name="brightness")
    found = steer(clip, Request({"bright": -0.05}), out=tmp_path / "out", settings=settings(), predictor=predictor)
    np.testing.assert_allclose(found.shift, [-0.05, 0.05], atol=0.006)
    np.testing.assert_allclose(found.shift, score_file(predictor, tmp_path / "out" / "steered.wav") - found.before)


def test_shifts_like_against_the_scores_of_both(clip, tmp_path):
    predictor, other = small_predictor(), sound_file(tmp_path, seconds=1.5, seed=5, name="other.wav")
    here, there = score_waveforms(predictor, [read_clip(each).y for each in (clip, other)])
    found = shifts_like(clip, other, predictor=predictor)
    assert found == pytest.approx(dict(zip(MIDLEVEL_NAMES, (there - here)[:7], strict=True)), abs=1e-6)
    with pytest.raises(InputError, match=r"^like: .*clip.wav is heard as .*clip.wav is, so that there is nothing to"):
        shifts_like(clip, clip, predictor=predictor)


@pytest.mark.usefixtures("quick")
def test_steer_against_the_promise_like_comes_nearer(clip, tmp_path):
    predictor, other = small_predictor(), sound_file(tmp_path, seconds=1.5, seed=5, name="other.wav")
    wanted = shifts_like(clip, other, predictor=predictor)
    found = steer(clip, Request(wanted, nearest=True), out=tmp_path / "out", settings=settings(), predictor=predictor)
    goal = np.array(list(wanted.values()))
    left = goal - found.shift[[SCORE_NAMES.index(name) for name in wanted]]
    assert np.linalg.norm(left) < 0.7 * np.linalg.norm(goal)


@pytest.mark.usefixtures("quick")
def test_steer_the_shortest_clip_that_there_is(tmp_path):
    soundfile.write(tmp_path / "short.wav", tones(0.5), SAMPLE_RATE)
    few = settings(components="grid:columns=2,rows=3")
    request = Request({"articulation": 0.01}, nearest=True)
    assert gains_of(tmp_path / "short.wav", tmp_path / "out", request=request, settings=few).size == 6
