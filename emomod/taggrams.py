"""A taggram: the scores of a long sound, window by window, as a table and as a picture of names by time.

Conventions: times are seconds of the file; in the picture a window's cell lies around its middle, and dark is high.
Pons & Serra: musicnn, Pre-trained convolutional neural networks for music audio tagging, 2019 (arXiv:1909.06654),
whose tagger gave the picture its name.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE, read_clip, read_windows
from emomod.checks import check_count, check_number
from emomod.errors import InputError
from emomod.figures import WIDTH, png_bytes
from emomod.labels import spoken
from emomod.model.predictor import Predictor, ScoringModel, score_waveform
from emomod.model.probe import probe
from emomod.notebook import picture_html, png_uri, table_html
from emomod.output import whole_file, write_csv

SHOWN = 20  # names in the picture
LISTED = 10  # names in a notebook's table
HEIGHT_MAP = LinearSegmentedColormap.from_list("scores", ["#e9e9e9", "#000000"])  # lowest: not the white of silence


@dataclass(frozen=True, eq=False)
class Taggram:
    """Scores of the windows of a sound that are not silent."""

    names: tuple[str, ...]
    starts: NDArray[np.float64]  # [n_windows], s
    scores: NDArray[np.float64]  # [n_windows, n_names]
    path: str
    window_seconds: float  # length of a window, s
    hop_seconds: float  # from window to window, s

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean scores [n_names] over the windows."""
        return np.asarray(self.scores.mean(axis=0))

    def top(self, n: int = LISTED) -> tuple[str, ...]:
        """Return the ``n`` names (or all there are) of highest mean, highest first."""
        order = np.argsort(-self.means, kind="stable")[: check_count("n", n)]
        return tuple(self.names[index] for index in order)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a window: its start (s) and its scores."""
        return [
            {"start": float(start)} | dict(zip(self.names, row.tolist(), strict=True))
            for start, row in zip(self.starts, self.scores, strict=True)
        ]

    def draw(self, *, shown: int = SHOWN) -> Figure:
        """Draw the ``shown`` names of highest mean, highest on top, over time; silent windows are left white."""
        names = self.top(shown)
        columns = np.round((self.starts - self.starts[0]) / self.hop_seconds).astype(np.intp)
        cells = np.full((len(names), int(columns[-1]) + 1), np.nan)
        cells[:, columns] = self.scores[:, [self.names.index(name) for name in names]].T
        figure = Figure(figsize=(WIDTH, 1.2 + 0.2 * len(names)), layout="constrained")
        axes = figure.subplots()
        left = float(self.starts[0]) + 0.5 * (self.window_seconds - self.hop_seconds)
        extent = (left, left + cells.shape[1] * self.hop_seconds, len(names) - 0.5, -0.5)
        image = axes.imshow(cells, cmap=HEIGHT_MAP, extent=extent, aspect="auto", interpolation="nearest")
        axes.set_yticks(range(len(names)), [spoken(name) for name in names], fontsize=8)
        axes.set(xlim=(0.0, float(self.starts[-1]) + self.window_seconds), xlabel="time (s)")
        axes.set_title(f"Scores of {len(names)} of {len(self.names)} names: darker is higher", loc="left")
        figure.colorbar(image, ax=axes, aspect=30, pad=0.015, label="score")
        return figure

    def save(self, folder: str | Path) -> Path:
        """Write taggram.csv (a row a window) and taggram.png into a folder, which is made if need be; return it."""
        target = Path(folder)
        try:
            target.mkdir(parents=True, exist_ok=True)
            with whole_file(target / "taggram.csv") as partial:
                write_csv(partial, self.rows())
            with whole_file(target / "taggram.png") as partial:
                partial.write_bytes(png_bytes(self.draw()))
        except OSError as error:
            raise InputError(f"folder: {target} cannot be written ({error.strerror})") from None
        return target

    def _repr_html_(self) -> str:
        """The names of highest mean and the picture, for a notebook."""
        names = self.top(LISTED)
        means = dict(zip(self.names, self.means.tolist(), strict=True))
        highest = self.scores.max(axis=0)
        rows = [(spoken(name), means[name], float(highest[self.names.index(name)])) for name in names]
        table = table_html(("name", "mean", "highest"), rows, caption=f"{Path(self.path).name}: {self._windows()}")
        alt = f"Scores over time in {self._windows()}, highest on the mean: {', '.join(map(spoken, names))}"
        return table + picture_html(png_uri(png_bytes(self.draw())), alt=alt)

    def _windows(self) -> str:
        return f"{len(self.starts)} window{'s' if len(self.starts) > 1 else ''} of {self.window_seconds:.3g} s"


def taggram(path: str | Path, *, predictor: ScoringModel, hop_seconds: float | None = None) -> Taggram:
    """Score every window of a sound file that is not silent.

    Windows are as long as the model's, and the fewest that cover the file; with ``hop_seconds`` they follow each other
    at that distance, and what is left at the end is not heard. A shorter file is one window. InputError where the file
    cannot be read, or all of it is silent; EmomodError where the model gives no scores.
    """
    window = predictor.window_seconds
    hop = None if hop_seconds is None else check_number("hop_seconds", hop_seconds, low=0.01, high=window)
    if not isinstance(predictor, Predictor):
        probe(predictor, read_clip(path, seconds=window, silence=0.0).y)
    windows = read_windows(path, seconds=window, hop=hop)
    found = [(start, y.size / SAMPLE_RATE, score_waveform(predictor, y)) for start, y in windows]
    starts = np.array([start for start, _, _ in found])
    length = max(seconds for _, seconds, _ in found)
    distance = float(hop or (np.diff(starts).min() if len(found) > 1 else length))
    return Taggram(predictor.names, starts, np.array([row for *_, row in found]), str(path), length, distance)
