"""The report of a run: one page that needs nothing but itself, and its figures as files."""

from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from emomod.report.content import page_content
from emomod.report.pictures import draw_all, strip, write_figures
from emomod.result import RunResult


def _read(name: str) -> str:
    return files("emomod.report").joinpath(name).read_text(encoding="utf-8")


def render_page(result: RunResult, *, pictures: dict[str, str]) -> str:
    """Return the page of a run; ``pictures`` are data URIs by name."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        page_content(result),
        pictures=pictures,
        strip=strip(result),
        style=Markup(_read("report.css")),
        script=Markup(_read("player.js")),
    )


def write_report(result: RunResult, folder: Path) -> None:
    """Write report.html and figures/*.png into ``folder``."""
    pictures = write_figures(draw_all(result), folder / "figures")
    (folder / "report.html").write_text(render_page(result, pictures=pictures), encoding="utf-8")
