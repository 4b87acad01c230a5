"""The report of a run: needs nothing but itself, says what run.json says, plays in a browser."""

import base64
import io
import json
import re
import shlex
from dataclasses import asdict, replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import soundfile
from small_runs import SECONDS, small_run

from emomod.attribution.methods import METHODS, name_of, parse_method
from emomod.cli.main import build_parser
from emomod.cli.options import method_settings, modify_settings
from emomod.explained import method_record
from emomod.labels import SCORE_NAMES, spoken
from emomod.report.content import command_of, spec_of
from emomod.report.page import render_page, write_report
from emomod.report.words import number, p_words, printed, signed, window_words
from emomod.result import RunResult

NASTY = '<img src=x onerror=alert(1)>&".wav'
FIGURES = ("spectrogram", "explanation", "sides", "effects", "shifts", "controls")


class Page(HTMLParser):
    """A page's tags, its text, and the rows of its tables by id of the table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self._cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            self.tables[-1][-1][-1] = f"{self.tables[-1][-1][-1]} {data}".strip()

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for found, attributes in self.tags if found == tag]

    def row(self, name: str, *, table: int) -> list[list[str]]:
        return [cell.split() for cell in next(row for row in self.tables[table] if row[0].startswith(name))]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return small_run(tmp_path_factory.mktemp("report"), name=NASTY)


@pytest.fixture(scope="module")
def html(result: RunResult) -> str:
    return (result.folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_figures_against_itself_all_are_written(result):
    names = {path.name for path in (result.folder / "figures").iterdir()}
    assert names == {f"{name}.png" for name in FIGURES}


def test_report_against_itself_needs_no_other_file(html, page):
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "poster", "action", "data"):
            assert attributes.get(name, "#").startswith(("data:", "#"))
    assert not re.search(r"@import|url\(|\bimport\b|fetch\(|XMLHttpRequest|WebSocket", re.sub(r"data:[^\"]*", "", html))
    policy = next(tag["content"] for tag in page.of("meta") if "content" in tag and "default-src" in tag["content"])
    assert policy.startswith("default-src 'none'")
    assert len(html) < 6e6


def test_report_against_itself_same_result_same_page(result, html, tmp_path):
    write_report(result, tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html


def test_players_against_theory_the_five_versions_as_written(result, page):
    sounds = page.of("audio")
    assert [sound["data-version"] for sound in sounds] == ["original", "enhanced", "weakened", "positive", "negative"]
    for sound in sounds:
        y, sr = soundfile.read(io.BytesIO(base64.b64decode(sound["src"].partition(",")[2])))
        written, rate = soundfile.read(result.folder / f"{sound['data-version']}.wav")
        assert (sr, len(y)) == (rate, len(written))
        np.testing.assert_allclose(y, written, atol=1 / 32768)


def test_scores_against_itself_those_of_run_json(result, page):
    record = json.loads((result.folder / "run.json").read_text())
    scores = record["predictions"]["before"]["midlevel"] | record["predictions"]["before"]["emotion"]
    found = {row[0].splitlines()[0]: row[-1] for table in page.tables[:2] for row in table[1:]}
    for name, score in scores.items():
        cell = next(text for shown, text in found.items() if shown.startswith(spoken(name)))
        assert cell == number(score, 2)


def test_shifts_against_itself_those_of_run_json(result, page):
    record = json.loads((result.folder / "run.json").read_text())
    for name in SCORE_NAMES:
        _, before, *cells = page.row(spoken(name), table=3)
        rows = {row["name"]: row for row in result.modification.rows()}
        assert before == [number(rows[name]["before"])]
        for version, cell in zip(("enhanced", "weakened"), cells, strict=True):
            assert cell == [signed(record["shifts"][version][name]), number(rows[name][version])]


def test_shifts_against_theory_only_what_beats_every_kind_of_control_stands_out(result, html):
    shown = re.findall(r'class="shift( clear)?"', html)
    expected = [
        all(row[f"p_{kind}_{version}"] <= 0.05 for kind in ("count", "energy"))
        for row in result.modification.rows()
        for version in ("enhanced", "weakened")
    ]
    assert [bool(mark) for mark in shown] == expected


def rendered(result: RunResult, **changes: Any) -> str:
    """The page, without pictures, of a result whose record differs."""
    return render_page(replace(result, record=result.record | changes), pictures=dict.fromkeys(FIGURES, "data:,"))


def between(text: str, first: str, last: str) -> str:
    return text[text.index(first) : text.index(last)]


def test_headline_against_the_design_is_about_the_model_alone(html):
    said = "This is about the model's score; whether listeners hear it has not been tested."
    assert said in Page(html.partition('class="headline"')[2][:400]).text
    assert "the explanation found parts that this model reacts to" in " ".join(html.split())


def test_moved_further_against_itself_stands_under_the_headline(result):
    further = {"enhanced": ["tension", "rhythm_complexity"], "weakened": []}
    shift = result.record["shifts"]["enhanced"]
    text = between(Page(rendered(result, moved_further=further)).text, "What changed", "Every score")
    assert (
        f"Other scores moved at least as far: enhanced: tension ({signed(shift['tension'])}), "
        f"rhythm complexity ({signed(shift['rhythm_complexity'])}); weakened: none."
    ) in text
    none: dict[str, list[str]] = {"enhanced": [], "weakened": []}
    assert "No other score moved as far as the target." in Page(rendered(result, moved_further=none)).text


def test_p_values_against_itself_their_sides_and_number_are_said(result, page):
    assert "one-sided (in the intended direction)" in page.text
    assert "none is corrected for the number of scores (15 scores × 2 versions)." in page.text
    for kinds in result.record["controls"].values():
        for control in kinds.values():
            assert f"({p_words(control)})" in page.text


def test_held_out_r_against_itself_stands_beside_the_scores_that_have_one(result, page):
    legend = "r = correlation of the model with the labels of clips that it had not seen."
    labels = [row[0] for table in page.tables[:2] for row in table[1:]]
    assert [text for text in labels if " r ." in text] == [next(text for text in labels if "articulation" in text)]
    assert "articulation r .79" in labels[1]
    assert legend in page.text
    without = Page(rendered(result, model={"name": "bare"}))
    assert legend not in without.text
    assert without.tables[0][2][0].startswith("articulation legato")


def test_hints_against_the_design_say_the_scale_and_the_loudness(page):
    assert "match them before you use them in a listening test." in between(page.text, "Listen", "What changed")
    assert page.text.count("about 0 to 1; the line is the middle") == 2
    assert "on its own scale of about 0 to 1" in page.text


def test_window_against_itself_a_later_start_is_said_beside_both_pictures(result, page):
    assert "Times are counted" not in page.text
    later = Page(rendered(result, window={"start": 12.5, "seconds": SECONDS}))
    assert later.text.count(window_words(12.5)) == 2


def test_warnings_against_the_design_stand_right_below_what_the_model_hears(result):
    text = Page(rendered(result, warnings=["Beware <of> this."])).text
    assert "Beware <of> this." in between(text, "What the model hears", "Listen")
    assert "Warnings" not in Page(rendered(result, warnings=[])).text


def test_fits_against_itself_those_of_run_json(result, page):
    for name, r2 in result.record["surrogate_r2"].items():
        assert page.row(spoken(name), table=4)[1] == [number(r2, 2)]
    assert f"= {number(result.record['clip_r2'], 4)}: what the 2019 notebook prints" in page.text


def test_words_against_itself_name_sentence_hashes_command_and_card(result, page):
    for words in (printed(result.sentence), result.record["clip_sha256"], "A toy.", "bands <&>", NASTY):
        assert words in page.text
    for version, kinds in result.record["controls"].items():
        share = kinds["count"]["share_beaten"]
        said = "all 19" if share == 1 else f"{100 * share:.0f} % of 19"
        assert f"{said} random changes of as many parts" in page.text, version
    assert command_of(result.record, out=result.folder) in page.text


def test_command_against_itself_the_command_line_reads_the_same_settings(result):
    program, *words = shlex.split(command_of(result.record, out=result.folder))
    arguments = build_parser().parse_args(words)
    assert program == "emomod"
    assert (str(arguments.clip), arguments.target) == (result.record["clip"], "articulation")
    assert arguments.out == result.folder
    assert asdict(modify_settings(arguments)) == result.record["settings"]["modify"]
    assert arguments.components == result.record["components"]["text"]
    made = method_settings(arguments)
    assert {"name": name_of(made), **asdict(made)} == result.record["settings"]["method"]


def test_command_against_itself_another_checkpoint_a_cut_and_a_clip_that_begin_with_a_dash(result, tmp_path):
    settings = result.record["settings"]
    record = result.record | {
        "clip": "-6dB.wav",
        "model": {"name": "own", "origin": "own models/-m.safetensors"},
        "settings": settings | {"method": settings["method"] | {"off": "-9dB"}},
    }
    arguments = build_parser().parse_args(shlex.split(command_of(record, out=tmp_path))[1:])
    assert str(arguments.clip) == "-6dB.wav"  # pathlib leaves ./ out
    assert arguments.model == "own models/-m.safetensors"
    assert method_settings(arguments).off == "-9dB"
    assert arguments.out == tmp_path
    assert "--model" not in command_of(result.record | {"model": {"name": "ours"}}, out=tmp_path)


def test_text_from_outside_against_itself_stays_text(html, page):
    assert NASTY not in html
    assert not [image for image in page.of("img") if "onerror" in image]
    assert len(page.of("script")) == 1


def test_accessibility_against_itself(page):
    assert page.of("html")[0]["lang"] == "en"
    assert len(page.of("main")) == len(page.of("h1")) == 1
    ids = {tag["id"] for _, tag in page.tags if "id" in tag}
    assert all(section["aria-labelledby"] in ids for section in page.of("section"))
    assert all("alt" in image for image in page.of("img"))
    pressed = [button["aria-pressed"] for button in page.of("button") if "data-version" in button]
    assert pressed == ["true", "false", "false", "false", "false"]
    live = [tag for tag, attributes in page.tags if tag == "output" or "aria-live" in attributes]
    assert not live, "the clock is rewritten with every frame"
    assert "aria-pressed" not in next(button for button in page.of("button") if button.get("id") == "play")


def test_strip_against_theory_its_width_is_the_clip(page):
    strip = next(tag for tag in page.of("div") if tag.get("id") == "strip")
    assert float(strip["data-seconds"]) == SECONDS
    left, width = (float(value) for value in re.findall(r"[-\d.]+(?=%)", page.of("img")[0]["style"]))
    half_a_frame = 100 * 0.5 * 704 / 22050 / SECONDS
    assert left == pytest.approx(-half_a_frame, abs=1e-3)
    assert 100 <= left + width < 100 + 2 * half_a_frame


def test_nothing_selected_against_itself_is_said(tmp_path):
    page = Page((small_run(tmp_path, rule="ratio:0").folder / "report.html").read_text(encoding="utf-8"))
    assert "No part of the sound stands out for or against articulation" in page.text
    assert "silent: nothing stands out for articulation" in page.text
    assert "Nothing changed, because no part was selected: articulation stayed where it was." in page.text
    assert page.text.count("nothing changed, because no part was selected: articulation stayed at 0.") == 2
    assert "That is further" not in page.text
    assert "no component speaks for articulation" in page.text


def test_one_level_against_itself_has_no_effects(tmp_path):
    found = small_run(tmp_path, target="happy", two_levels=False)
    page = Page((found.folder / "report.html").read_text(encoding="utf-8"))
    assert not (found.folder / "figures" / "effects.png").exists()
    assert "This model has no mid-level layer" in page.text
    assert "Musical qualities" not in page.text


def test_few_controls_against_itself_are_said(tmp_path):
    page = Page((small_run(tmp_path, n_controls=3).folder / "report.html").read_text(encoding="utf-8"))
    few = "With only 3 random changes of each kind this cannot tell much: ask for 19 or more."
    assert page.text.count(few) == 2
    assert "No change is marked: even one that is larger than all random changes could be chance." in page.text
    assert "In part" not in page.text


def test_small_run_against_itself_has_the_length_it_says(result):
    assert result.modification.waveforms["original"].size == round(SECONDS * 22050)


@pytest.mark.parametrize("name", METHODS)
def test_spec_of_against_what_is_typed(name):
    settings = METHODS[name].settings()
    assert parse_method(spec_of(method_record(settings))) == settings
