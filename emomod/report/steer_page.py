"""The page of a steered clip: what was asked and reached, how it sounds, who carried it, what it costs, what lasts."""

from pathlib import Path

from markupsafe import Markup

from emomod.report.page import read_part, render_template
from emomod.report.pictures import write_figures
from emomod.report.steer_charts import steer_figures, steer_strip
from emomod.report.steer_content import steer_content
from emomod.steered import Steered


def write_steer_page(steered: Steered, folder: Path) -> None:
    """Write report.html and figures/*.png into ``folder``."""
    page = render_template(
        "steer.html.j2",
        **steer_content(steered),
        pictures=write_figures(steer_figures(steered), folder / "figures"),
        strip=steer_strip(steered),
        style=Markup(read_part("report.css") + read_part("many.css") + read_part("steer.css")),
        script=Markup(read_part("player.js")),
    )
    (folder / "report.html").write_text(page, encoding="utf-8")
