"""Small pieces of HTML with which results show themselves in a notebook: tables, players, pictures."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
import soundfile
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE


def table_html(header: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "") -> str:
    """Return an HTML table; numbers are shown with three decimals, the rest as escaped text."""

    def cell(value: object) -> str:
        return f"{value:.3f}" if isinstance(value, (float, np.floating)) else escape(str(value))

    head = "".join(f"<th>{escape(text)}</th>" for text in header)
    body = "".join("<tr>" + "".join(f"<td>{cell(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def audio_uri(y: NDArray[np.floating]) -> str:
    """Return a waveform [n_samples] within -1..1 as a data URI that browsers play (FLAC, 16 bit)."""
    buffer = io.BytesIO()
    soundfile.write(buffer, y, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(buffer.getvalue()).decode()


def player_html(y: NDArray[np.floating], *, title: str) -> str:
    """Return a labelled player of a waveform [n_samples] within -1..1."""
    return f'<figure><figcaption>{escape(title)}</figcaption><audio controls src="{audio_uri(y)}"></audio></figure>'


def picture_html(svg: str) -> str:
    """Return an SVG drawing so that it scales with the page."""
    return f'<div style="max-width:60em">{svg[svg.index("<svg"):]}</div>'


def page_html(page: str, *, height: str = "50em") -> str:
    """Return a whole HTML page inside a frame."""
    return f'<iframe srcdoc="{escape(page, quote=True)}" style="width:100%;height:{height};border:0"></iframe>'
