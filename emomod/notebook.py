"""Small pieces of HTML with which results show themselves in a notebook: tables, players, pictures, pages.

Nothing is loaded from elsewhere: sounds and pictures are data URIs. Every text that comes from outside is escaped.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
import soundfile
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE

NUMBERS = (float, np.floating)


class Shift(float):
    """A change, shown with its sign."""


def _cell(value: object) -> str:
    text, side = escape(str(value)), "left"
    if isinstance(value, NUMBERS):
        rounded = round(float(value), 3) + 0.0  # no minus before what rounds to 0
        text, side = f"{rounded:{'+' if isinstance(value, Shift) else ''}.3f}".replace("-", "−"), "right"
    return f'<td style="text-align:{side}">{text}</td>'


def _head(text: str, is_number: bool) -> str:
    return f'<th style="text-align:{"right" if is_number else "left"}">{escape(text)}</th>'


def table_html(header: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "") -> str:
    """Return an HTML table; floats are shown with three decimals, the rest as escaped text."""
    kept = [list(row) for row in rows]
    numeric = [any(isinstance(row[column], NUMBERS) for row in kept) for column in range(len(header))]
    head = "".join(_head(text, is_number) for text, is_number in zip(header, numeric, strict=True))
    body = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in kept)
    title = f'<caption style="text-align:left;font-weight:bold;white-space:nowrap">{escape(caption)}</caption>'
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def audio_uri(y: NDArray[np.floating]) -> str:
    """Return a waveform [n_samples] within -1..1 as a data URI that browsers play (FLAC, 16 bit)."""
    buffer = io.BytesIO()
    soundfile.write(buffer, y, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(buffer.getvalue()).decode()


def player_html(y: NDArray[np.floating], *, title: str) -> str:
    """Return a labelled player of a waveform [n_samples] within -1..1."""
    sound = f'<audio controls preload="metadata" aria-label="{escape(title)}" src="{audio_uri(y)}"></audio>'
    style = "display:inline-block;margin:.3em 1em .3em 0"
    return f'<figure style="{style}"><figcaption>{escape(title)}</figcaption>{sound}</figure>'


def png_uri(png: bytes) -> str:
    """Return a PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def svg_uri(svg: str) -> str:
    """Return an SVG document as a data URI."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def picture_html(uri: str, *, alt: str) -> str:
    """Return a picture that scales with the page; ``alt`` says what it shows."""
    return f'<img src="{uri}" alt="{escape(alt)}" style="width:100%;max-width:60em;background:#fff">'


def page_html(page: str, *, title: str, height: str = "50em") -> str:
    """Return a whole HTML page inside a frame."""
    source = escape(page)
    return f'<iframe title="{escape(title)}" srcdoc="{source}" style="width:100%;height:{height};border:0"></iframe>'
