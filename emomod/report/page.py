"""The report of a run: one page that needs nothing but itself, and its figures as files."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from emomod.report.content import page_content
from emomod.report.pictures import draw_all, strip, write_figures
from emomod.result import RunResult


def read_part(name: str) -> str:
    """Return a text file of this package: a template, a style, a script."""
    return files("emomod.report").joinpath(name).read_text(encoding="utf-8")


def render_template(name: str, *, read: Callable[[str], str] = read_part, **content: Any) -> str:
    """Return the page that a template makes of ``content``; texts are escaped, ``Markup`` is not.

    ``read`` gives a template's text by its name: by default those of this package.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(content)


def render_page(result: RunResult, *, pictures: dict[str, str]) -> str:
    """Return the page of a run; ``pictures`` are data URIs by name."""
    return render_template(
        "report.html.j2",
        **page_content(result),
        pictures=pictures,
        strip=strip(result),
        style=Markup(read_part("report.css")),
        script=Markup(read_part("player.js")),
    )


def write_report(result: RunResult, folder: Path) -> None:
    """Write report.html and figures/*.png into ``folder``."""
    pictures = write_figures(draw_all(result), folder / "figures")
    (folder / "report.html").write_text(render_page(result, pictures=pictures), encoding="utf-8")
