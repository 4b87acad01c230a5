"""Pages and Markdown of titled tables, each with a text and perhaps a picture."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from emomod.markdown import table
from emomod.report.content import flatten
from emomod.report.page import read_part, render_template

TEMPLATE = "sections.html.j2"
FIGURE = re.compile(r"[-−+<]?\.?\d|–$")  # how a cell begins that holds one, or none


@dataclass(frozen=True)
class Section:
    """A part of a page."""

    title: str
    text: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    plot: str = ""  # name of the figure that belongs to it

    @property
    def is_number(self) -> tuple[bool, ...]:
        """Of each column, whether most of its cells are figures, to be aligned as such."""
        return tuple(
            2 * sum(FIGURE.match(row[place]) is not None for row in self.rows) > len(self.rows)
            for place in range(len(self.header))
        )


@dataclass(frozen=True)
class About:
    """What stands above and below the sections."""

    title: str
    lead: str
    made: str
    command: str
    details: Mapping[str, Mapping[str, Any]]  # tables by title
    files: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    warnings_title: str = "Left out"


def render_sections(about: About, sections: Sequence[Section], *, pictures: Mapping[str, str]) -> str:
    """Return the page; ``pictures`` are data URIs by the name of the figure."""
    return render_template(
        TEMPLATE,
        title=about.title,
        lead=about.lead,
        warnings=about.warnings,
        warnings_title=about.warnings_title,
        sections=[(each, pictures.get(each.plot)) for each in sections],
        made=about.made,
        card={},
        command=about.command,
        details=[{"title": title, "rows": flatten(each)} for title, each in about.details.items()],
        files=about.files,
        style=Markup(read_part("report.css") + read_part("many.css")),
    )


def markdown(about: About, sections: Sequence[Section], *, drawn: Sequence[str] = ()) -> str:
    """The same tables as Markdown, with the pictures that were ``drawn``."""
    pieces = [f"# {about.title}", about.lead, *(f"{about.warnings_title}: {each}" for each in about.warnings)]
    for each in sections:
        picture = [f"![{each.title}](figures/{each.plot}.png)"] if each.plot in drawn else []
        pieces += [f"## {each.title}", each.text, *picture, table(each.header, each.rows, is_number=each.is_number)]
    return "\n\n".join(pieces) + "\n"
