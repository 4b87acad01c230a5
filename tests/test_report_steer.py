"""The page of a steered clip: needs nothing but itself, says what steer.json says, plays in a browser."""

import base64
import io
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from browsers import chromium
from fakes import sound_file
from small_runs import SECONDS, small_predictor
from test_report import NASTY, Page  # type: ignore[import-not-found]

from emomod.attribution.lime import LimeSettings
from emomod.cli.main import build_parser
from emomod.cli.steer import _request
from emomod.ear import EarCost
from emomod.labels import spoken
from emomod.loudness import loudness
from emomod.model.predictor import Predictor
from emomod.report.steer_charts import draw_cost, turned
from emomod.report.steer_content import steer_content
from emomod.report.steer_made import command_of
from emomod.report.steer_page import write_steer_page
from emomod.report.steer_words import cost_rows, share_of, verdict
from emomod.report.words import change, number, printed, signed
from emomod.steered import Steered
from emomod.steering.parts import audible_shares
from emomod.steering.request import Limit, Request
from emomod.steering.robustness import Transfer
from emomod.steering.settings import SteerSettings
from emomod.steering_job import steer

N_RANDOM = 5
REQUEST = Request({"happy": 0.01}, hold=("energy",))


def companion(name: str, *, factor: float) -> Predictor:
    """The small model with other weights of the bands."""
    other = small_predictor()
    other.checkpoint.network.bands.mul_(factor)
    return replace(other, checkpoint=replace(other.checkpoint, card=other.card | {"name": name}, sha256=name))


@pytest.fixture(scope="module")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Steered:
    folder = tmp_path_factory.mktemp("steered")
    settings = SteerSettings(
        lime=LimeSettings(n_perturbations=256, n_held_out=32, batch_size=64),
        n_random=N_RANDOM,
        write_steps=True,
        n_steps=2,
    )
    clip, others = sound_file(folder, seconds=SECONDS, name=NASTY), [companion("other <b>", factor=0.8)]
    return steer(clip, REQUEST, out=folder / "out", settings=settings, predictor=small_predictor(), companions=others)


@pytest.fixture(scope="module")
def html(steered: Steered) -> str:
    return (steered.folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def written(steered: Steered, folder: Path, **changes: Any) -> Page:
    """The page of a result that differs."""
    write_steer_page(replace(steered, **changes), folder)
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def words_of(page: Page) -> str:
    return " ".join(page.text.split())


def rows_of(page: Page, id_: str) -> dict[str, list[str]]:
    """The rows of a table by their first cell."""
    place = [tag.get("id") for tag in page.of("table")].index(id_)
    return {row[0].partition(" r .")[0]: row[1:] for row in page.tables[place]}


def table_with(page: Page, *header: str) -> list[list[str]]:
    return next(table for table in page.tables if table and table[0][: len(header)] == list(header))


def test_figures_against_itself_all_are_written(steered):
    assert {path.name for path in (steered.folder / "figures").iterdir()} == {"gains.png", "shares.png", "cost.png"}


def test_page_against_itself_needs_no_other_file(html, page):
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "poster", "action", "data"):
            assert attributes.get(name, "#").startswith(("data:", "#"))
    assert not re.search(r"@import|url\(|\bimport\b|fetch\(|XMLHttpRequest|WebSocket", re.sub(r"data:[^\"]*", "", html))
    policy = next(tag["content"] for tag in page.of("meta") if "content" in tag and "default-src" in tag["content"])
    assert policy.startswith("default-src 'none'")


def test_page_against_steer_json_of_many_scores_those_that_moved_most(steered, page, tmp_path):
    asked = dict.fromkeys(steered.names[:6], 0.01)
    many = written(steered, tmp_path, request=Request(asked))
    words = re.search(r"Below stand the 4 of these 6 that moved most, (.*?); shifts\.csv has all\.", words_of(many))
    assert words is not None
    far = sorted(asked, key=lambda name: -abs(float(steered.shift[steered.names.index(name)])))
    assert set(re.split(", | and ", words[1])) == {spoken(name) for name in far[:4]}
    assert "Below stand" not in words_of(page)


def test_page_against_itself_same_result_same_page(steered, html, tmp_path):
    write_steer_page(steered, tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html


def test_text_from_outside_against_itself_stays_text(html, page):
    assert NASTY not in html
    assert "other <b>" not in html
    assert not [image for image in page.of("img") if "onerror" in image]
    assert len(page.of("script")) == 1
    for words in (NASTY, "other <b>", "bands <&>"):
        assert words in page.text


def test_scores_against_itself_those_of_steer_json(steered, page):
    record = json.loads((steered.folder / "steer.json").read_text())
    before, after = ({**each["midlevel"], **each["emotion"]} for each in record["predictions"].values())
    asked, others = rows_of(page, "asked"), rows_of(page, "others")
    shift = record["shifts"]["happy"]
    assert asked["happy"] == ["+0.01", number(before["happy"]), number(after["happy"]), signed(shift), "reached"]
    assert asked["energy calm to lively"][0] == "to stay"
    for name in set(record["shifts"]) - {"happy", "energy"}:
        found = next(row for first, row in others.items() if first.startswith(spoken(name)))
        assert found == [number(before[name]), number(after[name]), signed(record["shifts"][name])]
    assert printed(record["sentence"]) in words_of(page)
    assert "listeners were not asked" in words_of(page)


@pytest.mark.parametrize(
    ("request_", "name", "shift", "said"),
    [
        (REQUEST, "happy", 0.01 + 0.0199, "reached"),
        (REQUEST, "happy", 0.05, "missed by 0.040"),
        (REQUEST, "energy", 0.029, "stayed"),
        (REQUEST, "energy", -0.031, "moved all the same"),
        (Request({"sad": -np.inf}), "sad", -0.2, "went that way"),
        (Request({"sad": -np.inf}), "sad", 0.001, "did not go that way"),
    ],
)
def test_verdict_against_theory(request_, name, shift, said):
    assert verdict(request_, name, shift) == said


def test_players_against_theory_the_versions_as_written_in_growing_shares(steered, page):
    sounds = page.of("audio")
    assert [sound["data-version"] for sound in sounds] == ["original", "step_1", "steered"]
    paths = {"original": "original.wav", "step_1": "steps/step_1.wav", "steered": "steered.wav"}
    heard = []
    for sound in sounds:
        y, sr = soundfile.read(io.BytesIO(base64.b64decode(sound["src"].partition(",")[2])))
        file, rate = soundfile.read(steered.folder / paths[sound["data-version"]])
        assert (sr, len(y)) == (rate, len(file))
        np.testing.assert_allclose(y, file, atol=1 / 32768)
        heard.append(loudness(y))
    assert np.ptp(heard) < 0.05, "equally loud"
    buttons = [button for button in page.of("button") if "data-version" in button]
    assert [button["data-gain"] for button in buttons] == ["1.0"] * 3
    assert "hidden" in next(button for button in page.of("button") if button.get("id") == "matched")
    assert "50 % of what was asked" in page.text


def test_turned_against_theory_the_fewest_parts_that_make_up_most_of_the_change(steered):
    up, down = turned(steered)
    change_ = audible_shares(steered.explanation.where, steered.log_spectrogram.numpy()) * steered.gains_db**2
    chosen = np.concatenate([up, down])
    assert change_[chosen].sum() >= 0.95 * change_.sum()
    assert change_[chosen].sum() - change_[chosen].min() < 0.95 * change_.sum()
    assert change_[chosen].min() >= np.delete(change_, chosen).max()
    assert (steered.gains_db[up] > 0).all()
    assert (steered.gains_db[down] < 0).all()


def test_features_against_theory_they_sum_to_the_shift_of_the_emotion(steered, page):
    rows = rows_of(page, "features-1")
    for feature, added in steered.features["happy"].items():
        shift = float(steered.shift[steered.names.index(feature)])
        assert rows[spoken(feature)][:2] == [signed(shift), change(added, 3)]
    assert rows["happy, together"][1] == signed(float(steered.shift[steered.names.index("happy")]))


def test_carriers_against_itself_the_largest_shares_come_first(steered, page):
    row = steered.names.index("happy")
    shares = np.sort(steered.shares[row] * np.sign(steered.shift[row]))[::-1]
    found = [cells[-1] for cells in table_with(page, "what", "when")[1:]]
    assert found == [change(float(share), 3) for share in shares[:8]]
    assert (
        f"sum to {change(float(steered.shares[row].sum()), 3)} of {change(float(steered.shift[row]), 3)}" in page.text
    )


def test_mix_against_theory_means_by_what_is_audible(steered, tmp_path):
    places = steered.explanation.locations
    names = [NASTY if k % 3 == 0 else "" for k in range(len(places))]
    located = tuple(replace(place, part=name) for place, name in zip(places, names, strict=True))
    page = written(steered, tmp_path, explanation=replace(steered.explanation, locations=located))
    audible = audible_shares(steered.explanation.where, steered.log_spectrogram.numpy())
    row, rows = steered.names.index("happy"), rows_of(page, "mix")
    for name, shown in ((NASTY, NASTY), ("", "the rest")):
        mine = np.array([each == name for each in names])
        mean = (audible[mine] * steered.gains_db[mine]).sum() / audible[mine].sum()
        share = change(float(steered.shares[row, mine].sum()), 3)
        lowest, highest = (
            change(float(end), 1) for end in (steered.gains_db[mine].min(), steered.gains_db[mine].max())
        )
        part = f"{round(100 * audible[mine].sum() / audible.sum())} %"
        assert rows[shown] == [f"{change(mean, 1)} dB", f"{lowest} to {highest} dB", part, share]
        assert f"{shown} {change(mean, 1)} dB" in page.text
    assert (tmp_path / "figures" / "parts.png").exists()


def test_mix_against_itself_is_left_out_where_nothing_has_a_name(page):
    assert "mix" not in [tag.get("id") for tag in page.of("table")]
    assert "The mix" not in page.text


def test_cost_against_itself_that_of_steer_json(steered, page):
    record = json.loads((steered.folder / "steer.json").read_text())
    rows, cost = rows_of(page, "cost"), record["cost"]
    assert rows["Size of the change"][0] == f"{number(record['size_db'], 1)} dB"
    assert rows["Level change"][0] == f"{change(cost['level_change_lu'], 1)} LU"
    assert rows["Spectral distance"][0] == f"{number(cost['spectral_distance_db'], 1)} dB"
    assert rows["Consistency error"][0] == f"{number(cost['consistency_error_db'], 1)} dB"
    assert rows["Transient smear"][0] == f"{change(cost['transient_smear_db'], 1)} dB"
    points = rows_of(page, "points")
    assert points["50 %"][0] == f"{number(record['points'][0]['size_db'], 1)} dB"
    assert points["100 %"][-1] == signed(record["points"][-1]["happy"])


def test_cost_rows_against_theory_what_is_not_known_is_left_out():
    known = EarCost(-0.04, 1.25, -40.0, 0.5, 1, 4.256)
    rows = {name: (value, reading) for name, value, reading in cost_rows(known, size_db=2.0)}
    assert rows["Level change"][0] == "+0.0 LU"
    assert "here 1.0 % of it" in rows["Consistency error"][1]
    assert "the one attack" in rows["Transient smear"][1]
    assert rows["ViSQOL"][0] == "4.26 of 5"
    unknown = cost_rows(EarCost(0.0, 0.0, None, 0.0, 0, None), size_db=0.0)
    assert [name for name, *_ in unknown] == [
        "Size of the change",
        "Level change",
        "Spectral distance",
        "Transient smear",
    ]
    assert "no clear attacks" in unknown[-1][2]


def test_chart_of_cost_against_itself_the_points_and_the_controls(steered):
    axes = draw_cost(steered).axes[0]
    row = steered.names.index("happy")
    (line,) = [line for line in axes.get_lines() if line.get_label() == "steered"]
    np.testing.assert_allclose(
        np.asarray(line.get_xdata(), dtype=float), [0.0, *(point.size_db for point in steered.points)]
    )
    np.testing.assert_allclose(
        np.asarray(line.get_ydata(), dtype=float), [0.0, *(point.shift[row] for point in steered.points)]
    )
    dots = {each.get_label(): np.asarray(each.get_offsets()) for each in axes.collections}
    np.testing.assert_allclose(dots["random parts"][:, 1], steered.controls.random[:, row])
    assert steered.controls.equaliser is not None
    np.testing.assert_allclose(
        dots["equaliser"], [[steered.controls.equaliser.size_db, steered.controls.equaliser.shift[row]]]
    )
    np.testing.assert_allclose(dots["all parts alike"][0, 1], steered.controls.level[row])


def test_share_against_theory_along_the_way_that_the_clip_went(steered):
    asked = replace(steered, request=Request({"happy": 0.1, "sad": -0.1}), before=np.zeros(15), after=np.zeros(15))
    assert share_of(np.ones(15), asked) is None, "a clip that did not move has no way"
    asked.after[[asked.names.index("happy"), asked.names.index("sad")]] = 0.3, -0.4
    other = np.zeros(15)
    other[[asked.names.index("happy"), asked.names.index("sad")]] = 0.3, 0.1
    assert share_of(asked.after / 2.0, asked) == pytest.approx(0.5)
    assert share_of(other, asked) == pytest.approx((0.09 - 0.04) / 0.25)


def test_controls_against_itself_those_of_steer_json(steered, page):
    record = json.loads((steered.folder / "steer.json").read_text())
    controls, reached = record["controls"], record["shifts"]["happy"]
    rows = {cells[0]: cells[1:3] for cells in table_with(page, "change")}
    ways = sorted(each["happy"] for each in controls["random"])
    assert rows["steered"] == [change(reached, 3), "100 %"]
    assert rows[f"random parts the middle of {N_RANDOM}"][0] == change(ways[N_RANDOM // 2], 3)
    assert rows["all parts alike the level alone"][0] == change(controls["level"]["happy"], 3)
    equal = next(cells for first, cells in rows.items() if first.startswith("equaliser"))
    share = round(100 * controls["equaliser"]["shifts"]["happy"] / reached)
    assert equal == [change(controls["equaliser"]["shifts"]["happy"], 3), f"{share} %".replace("-", "−")]
    assert f"{N_RANDOM} times: {sum(way >= reached for way in ways) or 'none'} of these" in words_of(page)
    for frequency, gain in zip(controls["equaliser"]["frequencies"], controls["equaliser"]["gains_db"], strict=True):
        assert abs(gain) < 0.05 or f"at {frequency:.0f} Hz {change(gain, 1)} dB" in words_of(page)


def test_lasting_against_itself_those_of_steer_json(steered, page):
    record = json.loads((steered.folder / "steer.json").read_text())
    rows, reached = {cells[0]: cells[1:3] for cells in table_with(page, "heard")}, record["shifts"]["happy"]
    ways = {way: shifts["happy"] for way, shifts in record["lasting"].items()}
    ways["other <b> another model, which took no part"] = record["transfer"][0]["shifts"]["happy"]
    assert len(ways) >= 3
    for way, shift in ways.items():
        assert rows[way] == [change(shift, 3), f"{round(100 * shift / reached)} %".replace("-", "−")]
    assert "is an artefact of that network and no change of the music" in words_of(page)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([], "No other model with these scores was at hand: nothing is known"),
        ([("A", True, 0.9)], "none is left to judge whether a fresh one hears the shift."),
        ([("A", True, 0.9), ("B", False, 0.6)], "B, which took no part in the search, hears it, too: 60 % of it."),
        ([("B", False, 0.2)], "hears less than half of it: 20 %."),
        (
            [("B", False, 0.6), ("B", False, -0.05)],
            "hears it, too: 60 % of it. B, which took no part in the search, does",
        ),
        ([("B", False, -0.05)], "does not hear it (−5 %): take it for an artefact."),
    ],
)
def test_transfer_against_theory(steered, others, said):
    transfers = tuple(Transfer(name, used, np.zeros(15), share * steered.shift) for name, used, share in others)
    content = steer_content(replace(steered, transfers=transfers))
    assert said in content["transfer_words"]
    assert [row["name"] for row in content["lasting"][-len(others) :]] == [name for name, *_ in others] or not others


def test_transfer_against_theory_a_robust_search_is_named_where_it_would_help(steered):
    def said(share, *, robust):
        record = steered.record | {"settings": steered.record["settings"] | {"robust": robust}}
        transfers = (Transfer("B", False, np.zeros(15), share * steered.shift),)
        return "(--robust)" in steer_content(replace(steered, record=record, transfers=transfers))["transfer_words"]

    assert said(0.2, robust=False)
    assert not said(0.2, robust=True)
    assert not said(0.9, robust=False)


def test_lasting_against_theory_the_worst_case_is_named(steered):
    lasting = {"mp3": 0.95 * steered.shift, "20 ms later": 0.4 * steered.shift}
    assert steer_content(replace(steered, lasting=lasting))["lasting_words"] == (
        "The shift is fragile: 40 % of it is left after “20 ms later”."
    )
    lasting["20 ms later"] = 0.85 * steered.shift
    assert "at least 85 % of it" in steer_content(replace(steered, lasting=lasting))["lasting_words"]


def test_robust_search_against_itself_is_said(steered):
    record = steered.record | {"settings": steered.record["settings"] | {"robust": True}}
    used = (replace(steered.transfers[0], used=True),)
    made = steer_content(replace(steered, record=record, transfers=used))["made"]
    assert "it listened to 1 other model and to the sound half a frame later, too." in made
    assert "robust" not in steer_content(steered)["made"]


def test_one_level_without_gradients_against_itself_is_said(steered, tmp_path):
    controls = replace(steered.controls, equaliser=None)
    explanation = replace(steered.explanation, effects=None)
    page = written(steered, tmp_path, controls=controls, explanation=explanation, features={})
    said = words_of(page)
    assert "This model has no mid-level layer" in said
    assert "This model has no gradients: they are gain times the surrogate's weight" in said
    assert "No equaliser was set beside it" in said
    assert "equaliser" not in [cells[0].partition(" ")[0] for cells in table_with(page, "change")]


def test_qualities_against_itself_nothing_lies_below_them(steered):
    found = steer_content(replace(steered, request=Request({"minorness": -0.01}), features={}))
    assert (found["features"], found["has_layer"]) == ([], True)


def test_made_against_itself_card_hashes_and_settings(steered, page):
    for words in (steered.record["clip_sha256"], "A toy.", "lime.n_perturbations", "parts by at most 9 dB up and down"):
        assert words in page.text
    assert command_of(steered.record, REQUEST, out=steered.folder) in page.text


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        Request({"sad": -np.inf}, max_gain_db=6.5, budget_db=2.25, limits=(Limit(20.0, 200.0, 3.0),)),
        Request(
            {"happy": 0.012345678901234567, "minorness": -0.1}, hold=("fear", "anger"), most_changed=5, smoothness=0.5
        ),
    ],
)
def test_command_against_itself_the_command_line_reads_the_same_request(steered, request_, tmp_path):
    record = steered.record | {"clip": "-6dB.wav", "model": {"name": "own", "origin": "own models/-m.safetensors"}}
    program, *words = shlex.split(command_of(record, request_, out=tmp_path))
    arguments = build_parser().parse_args(words)
    assert program == "emomod"
    assert (str(arguments.clip), arguments.model, arguments.out) == ("-6dB.wav", "own models/-m.safetensors", tmp_path)
    assert _request(arguments, small_predictor()) == request_
    assert (arguments.n_perturbations, arguments.n_steps, arguments.bits, arguments.seed) == (256, 2, 24, 0)
    assert arguments.components == record["components"]["text"]
    assert not arguments.robust


def test_accessibility_against_itself(page):
    assert page.of("html")[0]["lang"] == "en"
    assert len(page.of("main")) == len(page.of("h1")) == 1
    ids = [tag["id"] for _, tag in page.tags if "id" in tag]
    assert len(set(ids)) == len(ids)
    assert all(section["aria-labelledby"] in ids for section in page.of("section"))
    assert all("alt" in image for image in page.of("img"))


PLAY = """async () => {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const playhead = document.getElementById("playhead"), before = playhead.style.left;
  press(" ");
  press("3");
  await pause(400);
  document.querySelector("button[data-layer=negative]").click();
  return [
    document.body.dataset.ready, document.getElementById("play").textContent, playhead.style.left !== before,
    document.querySelector("button[data-version][aria-pressed=true]").dataset.version,
    getComputedStyle(document.getElementById("layer-negative")).display, document.body.dataset.error || "",
    document.documentElement.scrollWidth <= window.innerWidth,
  ];
}"""


@pytest.mark.parametrize("width", [390, 1200])
def test_page_against_chromium_plays_in_step_switches_and_fits(steered, width):
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": 900})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((steered.folder / "report.html").as_uri())
        page.wait_for_function("document.body.dataset.ready || document.body.dataset.error")
        assert page.evaluate(PLAY) == ["3", "Pause", True, "steered", "none", "", True]
        assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [page.url]


@pytest.mark.parametrize(
    ("equaliser", "random", "said"),
    [
        (0.95, 0.1, "Yes: the equaliser did as well, by as large a change."),
        (0.2, 1.0, "Yes: random parts did as well, by as large a change."),
        (0.5, 0.0, "In part: the equaliser reached 50 % of it by as large a change."),
        (0.2, 0.01, "Not by as large a change: the best of what was tried, the equaliser, reached 20 % of it."),
    ],
)
def test_simpler_against_theory(steered, equaliser, random, said):
    control = steered.controls.equaliser
    assert control is not None
    controls = replace(
        steered.controls,
        random=np.tile(random * steered.shift, (3, 1)),
        equaliser=replace(control, shift=equaliser * steered.shift),
    )
    assert steer_content(replace(steered, controls=controls))["simpler_words"] == said
