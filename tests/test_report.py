"""The report of a run: needs nothing but itself, says what run.json says, plays in a browser."""

import base64
import io
import json
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import asdict
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
import soundfile
from fakes import tones
from small_runs import SECONDS, small_run  # type: ignore[import-not-found]

from emomod.cli.main import build_parser
from emomod.cli.options import lime_settings, modify_settings
from emomod.labels import SCORE_NAMES, spoken
from emomod.report.content import command_of
from emomod.report.loudness import k_weighting, loudness, matched_gains_db
from emomod.report.page import write_report
from emomod.report.words import describe_versions, headline, number, signed, verdict
from emomod.result import RunResult

NASTY = '<img src=x onerror=alert(1)>&".wav'
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


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
    assert names == {f"{name}.png" for name in ("spectrogram", "explanation", "effects", "shifts", "controls")}


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
    shown = re.findall(r'class="shift (?:up|down)( clear)?"', html)
    expected = [
        all(row[f"p_{kind}_{version}"] <= 0.05 for kind in ("count", "energy"))
        for row in result.modification.rows()
        for version in ("enhanced", "weakened")
    ]
    assert [bool(mark) for mark in shown] == expected


def test_fits_against_itself_those_of_run_json(result, page):
    for name, r2 in result.record["surrogate_r2"].items():
        assert page.row(spoken(name), table=4)[1] == [number(r2, 2)]
    assert f"= {number(result.record['clip_r2'], 4)}: what the 2019 notebook prints" in page.text


def test_words_against_itself_name_sentence_hashes_command_and_card(result, page):
    for words in (result.sentence, result.record["clip_sha256"], "A toy.", "bands <&>", NASTY):
        assert words in page.text
    for version, kinds in result.record["controls"].items():
        share = kinds["count"]["share_beaten"]
        said = "all 19" if share == 1 else f"{100 * share:.0f} % of 19"
        assert f"{said} random changes of as many parts" in page.text, version
    command = command_of(result.record, out=result.folder)
    assert command in page.text


def test_command_against_itself_the_command_line_reads_the_same_settings(result):
    program, *words = shlex.split(command_of(result.record, out=result.folder))
    arguments = build_parser().parse_args(words)
    assert program == "emomod"
    assert (str(arguments.clip), arguments.target) == (result.record["clip"], "articulation")
    assert arguments.out == result.folder
    assert asdict(modify_settings(arguments)) == result.record["settings"]["modify"]
    made = result.record["settings"]["lime"] | {"batch_size": 16, "n_held_out": 256}  # these two are no options
    assert asdict(lime_settings(arguments)) == made


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


def test_nothing_selected_against_itself_is_said(tmp_path):
    page = Page((small_run(tmp_path, rule="ratio:0").folder / "report.html").read_text(encoding="utf-8"))
    assert "No part of the sound stands out for or against articulation" in page.text
    assert "silent: nothing stands out for articulation" in page.text
    assert "Nothing changed: articulation stayed where it was." in page.text
    assert "no component speaks for articulation" in page.text


def test_one_level_against_itself_has_no_effects(tmp_path):
    found = small_run(tmp_path, target="happy", two_levels=False)
    page = Page((found.folder / "report.html").read_text(encoding="utf-8"))
    assert not (found.folder / "figures" / "effects.png").exists()
    assert "This model has no mid-level layer" in page.text
    assert "Musical qualities" not in page.text


def record_of(enhanced: float, weakened: float, *, p_value: float = 0.01) -> dict[str, Any]:
    control = {"count": {"p_value": p_value, "share_beaten": 0.97, "n": 99}}
    return {
        "target": "energy",
        "gain_db": 6.0,
        "n_positive": 1,
        "n_negative": 12,
        "settings": {"modify": {"sides": "both"}},
        "shifts": {"enhanced": {"energy": enhanced}, "weakened": {"energy": weakened}},
        "controls": {"enhanced": control, "weakened": control},
    }


@pytest.mark.parametrize(
    ("record", "opening"),
    [
        (record_of(0.1, -0.1), "Yes"),
        (record_of(0.1, -0.1, p_value=0.2), "In part"),
        (record_of(0.1, 0.1), "In part"),
        (record_of(-0.1, 0.1), "No:"),
        (record_of(0.0, 0.0), "Nothing changed"),
    ],
)
def test_headline_against_theory(record, opening):
    assert headline(record, target="energy").startswith(opening)


def test_verdict_against_theory():
    controls = record_of(0.1, 0.1)["controls"]["enhanced"]
    right = verdict("enhanced", target="energy", before=0.5, shift=0.0341, controls=controls)
    assert right == (
        "energy went up by 0.034, from 0.500 to 0.534. "
        "That is further up than 97 % of 99 random changes of as many parts (p = 0.01)."
    )
    wrong = verdict("weakened", target="energy", before=0.5, shift=0.1, controls=controls)
    assert "went up by 0.100, from 0.500 to 0.600, which is the wrong way" in wrong


def test_versions_against_theory_what_goes_up_and_what_goes_down():
    words = describe_versions(record_of(0.1, -0.1), target="energy")
    assert words["enhanced"] == "the 1 part for energy up by 6 dB and the 12 parts against it down by 6 dB"
    assert words["weakened"] == "the 1 part for energy down by 6 dB and the 12 parts against it up by 6 dB"


def test_k_weighting_against_theory_the_table_of_bs1770_at_48_khz():
    shelf, high_pass = k_weighting(48000)
    np.testing.assert_allclose(shelf[0], [1.53512485958697, -2.69169618940638, 1.19839281085285], atol=1e-10)
    np.testing.assert_allclose(shelf[1], [1.0, -1.69065929318241, 0.73248077421585], atol=1e-10)
    np.testing.assert_allclose(high_pass[1], [1.0, -1.99004745483398, 0.99007225036621], atol=1e-10)


@pytest.mark.parametrize("sr", [22050, 48000])
@pytest.mark.parametrize("gain_db", [0.0, -20.0])
def test_loudness_against_theory_a_sine_of_997_hz(sr, gain_db):
    y = 10 ** (gain_db / 20) * np.sin(2 * np.pi * 997 * np.arange(3 * sr) / sr)
    assert loudness(y, sr=sr) == pytest.approx(-3.01 + gain_db, abs=0.05)  # the recommendation asks for 0.1


def test_loudness_against_theory_pauses_are_gated_out():
    y = tones(3.0)
    assert loudness(np.concatenate([y, np.zeros(3 * 22050)])) == pytest.approx(loudness(y), abs=0.5)
    assert loudness(np.zeros(22050)) == float("-inf")
    assert np.isfinite(loudness(tones(0.2)))


def test_matched_gains_against_itself_equally_loud_and_nothing_clips():
    y = tones(2.0)
    waveforms = {"a": y, "b": (0.3 * y).astype(np.float32), "c": np.zeros_like(y), "d": (0.01 * y).astype(np.float32)}
    gains = matched_gains_db(waveforms)
    played = {name: 10 ** (gains[name] / 20) * waveforms[name] for name in waveforms}
    assert loudness(played["a"]) == pytest.approx(loudness(played["b"]), abs=1e-6)
    assert max(np.abs(y).max() for y in played.values()) <= 1.0 + 1e-9
    assert (gains["c"], gains["d"]) == (0.0, 20.0)


SELF_TEST = """<script>
(async () => {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const body = document.body, playhead = document.getElementById("playhead");
  for (let tries = 0; tries < 200 && !body.dataset.ready && !body.dataset.error; tries += 1) await pause(50);
  const chosen = () => document.querySelector("button[data-version][aria-pressed=true]").dataset.version;
  const press = (key) => body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const before = playhead.style.left;
  press(" ");
  await pause(400);
  const found = { ready: body.dataset.ready, playing: document.getElementById("play").textContent };
  found.moved = playhead.style.left !== before;
  press("3");
  found.version = chosen();
  press(" ");
  found.stopped = document.getElementById("play").textContent;
  found.fits = document.documentElement.scrollWidth <= window.innerWidth;
  found.error = body.dataset.error || "";
  location.href = "/done?" + new URLSearchParams(found);
})();
</script></body>"""


@pytest.fixture
def told(html: str) -> Iterator[tuple[str, list[dict[str, str]], threading.Event]]:
    """Serve the page with a self-test; what that finds arrives in the list."""
    found: list[dict[str, str]] = []
    arrived = threading.Event()
    served = re.sub(r"<meta http-equiv[^>]*>", "", html).replace("</body>", SELF_TEST).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlparse(self.path)
            if address.path == "/done":
                found.append({name: values[0] for name, values in parse_qs(address.query).items()})
                arrived.set()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(served if address.path == "/" else b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in http.server
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", found, arrived
        server.shutdown()
        thread.join()


@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium browser")
def test_player_against_chromium_decodes_plays_and_switches(told, tmp_path: Path):
    address, found, arrived = told
    options = [f"--user-data-dir={tmp_path}", "--window-size=500,900", "--remote-debugging-port=0"]
    with subprocess.Popen(
        [str(CHROMIUM), *QUIET, *options, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as browser:
        try:
            assert arrived.wait(60), "the page did not report within a minute"
        finally:
            browser.terminate()
            browser.wait(20)
    expected = {
        "ready": "5",
        "playing": "Pause",
        "moved": "true",
        "version": "weakened",
        "stopped": "Play",
        "fits": "true",
    }
    assert found == [expected]


def test_small_run_against_itself_has_the_length_it_says(result):
    assert result.modification.waveforms["original"].size == round(SECONDS * 22050)
