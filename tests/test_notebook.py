"""What results show of themselves in a notebook."""

import base64
import io
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fakes import tones
from small_runs import small_run

from emomod.notebook import Shift, audio_uri, page_html, picture_html, player_html, svg_uri, table_html
from emomod.result import Prediction, RunResult


class Seen(HTMLParser):
    """Tags with their attributes, cell texts, and how many tags were left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.cells: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag != "img":
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for found, attributes in self.tags if found == tag]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return small_run(tmp_path_factory.mktemp("notebook"), sides="both")


def decoded(uri: str) -> tuple[np.ndarray, int]:
    return soundfile.read(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_table_against_theory_numbers_signs_and_escapes():
    seen = Seen(table_html(("a<b", "x"), [("<script>", -0.25), ("&", Shift(0.5)), ("n", np.float64(1))], caption="<c>"))
    assert seen.cells == ["a<b", "x", "<script>", "−0.250", "&", "+0.500", "n", "1.000"]
    assert not seen.of("script")
    assert not seen.open


def test_audio_uri_against_theory_sixteen_bits():
    y = tones(0.5)
    found, sr = decoded(audio_uri(y))
    assert sr == 22050
    np.testing.assert_allclose(found, y, atol=1 / 32768)  # half a step of rounding, half of float32


def test_pieces_against_itself_text_from_outside_stays_text():
    y, nasty = tones(0.1), '"><script>alert(1)</script>'
    for html in (
        player_html(y, title=nasty),
        picture_html(svg_uri("<svg/>"), alt=nasty),
        page_html(nasty, title=nasty),
    ):
        assert not Seen(html).of("script")
    assert Seen(page_html("<p>a & b</p>", title="t")).of("iframe")[0]["srcdoc"] == "<p>a & b</p>"


def test_prediction_against_itself_every_score_is_shown():
    seen = Seen(
        Prediction("<x>.wav", {"midlevel": {"tonal_stability": 0.25}, "emotion": {"energy": 0.5}}, 1)._repr_html_()
    )
    assert seen.cells[2:] == ["tonal stability", "0.250", "energy", "0.500"]


def test_explanation_against_itself_scores_effects_and_maps(result):
    seen = Seen(result.explanation._repr_html_())
    assert seen.cells[4] == f"{result.explanation.scores[0]:.3f}"
    assert len(seen.cells) == 3 + 3 * 15
    kinds = [image["src"][:15] for image in seen.of("img")]
    assert kinds == ["data:image/svg+", "data:image/png;"]
    assert all(image["alt"] for image in seen.of("img"))


def test_explanation_against_itself_one_level_shows_no_effects(tmp_path):
    shown = small_run(tmp_path, target="energy", two_levels=False).explanation._repr_html_()
    assert len(Seen(shown).of("img")) == 1


def test_modification_against_itself_players_and_shifts(result):
    changed = result.modification
    seen = Seen(changed._repr_html_())
    for audio, (name, y) in zip(seen.of("audio"), changed.waveforms.items(), strict=True):
        assert audio["aria-label"] == name
        assert len(decoded(audio["src"])[0]) == len(y)
    row = changed.rows()[1]
    at = seen.cells.index("articulation")
    expected = [
        row["before"],
        row["enhanced"],
        Shift(row["shift_enhanced"]),
        row["weakened"],
        Shift(row["shift_weakened"]),
    ]
    plain = [f"{value:+.3f}" if isinstance(value, Shift) else f"{value:.3f}" for value in expected]
    assert seen.cells[at + 1 : at + 6] == [text.replace("-", "−") for text in plain]


def test_run_against_itself_the_report_in_a_frame(result):
    frame = Seen(result._repr_html_()).of("iframe")[0]
    assert frame["srcdoc"] == (result.folder / "report.html").read_text(encoding="utf-8")
    assert Path(result.record["clip"]).name in frame["title"]


def test_run_against_itself_without_its_folder_the_parts_show_themselves(result, tmp_path):
    lost = replace(result, folder=tmp_path)
    assert lost._repr_html_() == lost.explanation._repr_html_() + lost.modification._repr_html_()
