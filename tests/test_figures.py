"""Figures against the definitions of their colours, axes and numbers."""

import io
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from fakes import grid_components, tones
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.text import Text

from emomod import figures
from emomod.component_map import Location, map_of_labels
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.report import charts
from emomod.spectrogram import band_frequencies, compute_spectrogram, n_frames_of

NONE = np.array([], dtype=np.intp)
COMPONENTS = grid_components()
LOG_SPECTROGRAM = compute_spectrogram(tones()).log_spectrogram.numpy()
WHERE = map_of_labels(COMPONENTS.regions)
WEIGHTS = np.linspace(-0.4, 0.3, COMPONENTS.n_components)
# Vienot, Brettel, Mollon: Digital video colourmaps for checking the legibility of displays by dichromats, 1999.
DICHROMATS = {
    "protan": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    "deutan": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
}


def words(figure: Figure) -> str:
    """Every text of a figure."""
    return " | ".join(artist.get_text() for artist in figure.findobj(match=Text) if isinstance(artist, Text))


def shifts_figure(target: str = "articulation") -> tuple[Figure, np.ndarray]:
    up = np.linspace(-0.05, 0.09, len(SCORE_NAMES))
    before = np.full(len(SCORE_NAMES), 0.5)
    return charts.draw_shifts(SCORE_NAMES, before, {"enhanced": up, "weakened": -up}, target=target), up


def every_figure() -> dict[str, Figure]:
    layer, rng = published_layer(), np.random.default_rng(0)
    controls = {(v, k): rng.normal(0, 0.01, 19) for v in ("enhanced", "weakened") for k in ("count", "energy")}
    observed, kinds = {"enhanced": 0.05, "weakened": -0.04}, {"count": "parts", "energy": "energy"}
    sides = {"positive": np.array([11, 10]), "negative": np.array([0])}
    return {
        "spectrogram": figures.draw_spectrogram(LOG_SPECTROGRAM),
        "explanation": figures.draw_components(
            LOG_SPECTROGRAM, WHERE, WEIGHTS, **sides, name="tonal_stability", seconds=None
        ),
        "sides": figures.draw_sides(LOG_SPECTROGRAM, WHERE, **sides, name="tonal_stability", seconds=1.0),
        "effects": figures.draw_effects(
            layer.effects(np.full(7, 0.5)), intercepts=layer.intercepts, emotions=EMOTION_NAMES
        ),
        "shifts": shifts_figure()[0],
        "controls": charts.draw_controls(observed, controls, target="articulation", kinds=kinds),
        "parts": figures.draw_parts(
            [Location(0.0, 1.0, 0.5, 50, 900, part) for part in ("bass", "drums")],
            WEIGHTS[:2],
            name="energy",
            seconds=1.0,
        ),
        "maps": figures.draw_weight_maps(WHERE, np.stack([WEIGHTS] * 7), titles=MIDLEVEL_NAMES),
    }


FIGURES = every_figure()


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_pictures_against_theory_twice_800_pixels_wide(name):
    pixels = matplotlib.image.imread(io.BytesIO(figures.png_bytes(FIGURES[name])), format="png")
    assert pixels.shape[1] == 1600
    assert pixels[..., :3].std() > 0.01


@pytest.mark.parametrize("name", ["effects", "shifts"])
def test_drawings_against_itself_same_figure_same_text(name):
    first, second = figures.svg_text(every_figure()[name]), figures.svg_text(every_figure()[name])
    assert first == second
    assert "<svg" in first


def test_frequencies_against_theory_every_band_on_its_row():
    np.testing.assert_allclose(figures.rows_of(band_frequencies()), np.arange(149), atol=1e-9)
    octaves = figures.rows_of([1000, 2000, 4000])
    assert np.allclose(np.diff(octaves), 24, atol=1.0)  # 24 bands an octave; centres are rounded to STFT bins


@pytest.mark.parametrize("name", ["spectrogram", "explanation"])
def test_axes_against_theory_seconds_and_hertz(name):
    axes = FIGURES[name].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "frequency (Hz)")
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["50", "100", "200", "500", "1k", "2k", "5k", "10k"]
    np.testing.assert_allclose(axes.get_yticks(), figures.rows_of(figures.TICKS_HZ))
    assert axes.get_xlim()[1] == pytest.approx((LOG_SPECTROGRAM.shape[1] - 0.5) * 704 / 22050)


def test_spectrogram_pixels_against_theory_loud_is_dark_low_is_below():
    ramp = np.zeros((149, 4))
    ramp[0] = 1.0
    pixels = figures.spectrogram_pixels(ramp)
    assert pixels.shape == (149, 4, 4)
    assert (pixels[-1, :, :3] == 0).all()
    assert (pixels[0, :, :3] == 255).all()


@pytest.mark.parametrize("n_samples", [11025, 11026, 22050, 44000, 220500])
def test_reach_end_against_theory_the_last_frame_goes_on_to_the_clips_end(n_samples):
    seconds, n_frames = n_samples / 22050, n_frames_of(n_samples)
    found = figures.reach_end(n_frames, seconds)
    start, end = figures.time_span(found.size)
    assert start < 0 < seconds <= end < seconds + figures.FRAME_SECONDS
    assert np.array_equal(found[:n_frames], np.arange(n_frames))
    assert (found[n_frames:] == n_frames - 1).all()


def test_axes_against_theory_the_clips_end_is_the_axiss_end():
    sides = {"positive": np.array([1]), "negative": NONE}
    for figure in (
        figures.draw_spectrogram(LOG_SPECTROGRAM, seconds=0.97),
        figures.draw_components(LOG_SPECTROGRAM, WHERE, WEIGHTS, **sides, name="energy", seconds=0.97),
        figures.draw_sides(LOG_SPECTROGRAM, WHERE, **sides, name="energy", seconds=0.97),
    ):
        assert figure.axes[0].get_xlim() == (0.0, 0.97)


@pytest.mark.parametrize(("side", "colour"), [("positive", figures.ORANGE), ("negative", figures.BLUE)])
def test_sides_against_theory_only_the_chosen_cells_and_loud_is_dark(side, colour):
    pixels = figures.side_pixels(LOG_SPECTROGRAM, WHERE, chosen=[3, 7], side=side)
    visible = np.isin(COMPONENTS.regions[::-1], [3, 7])
    assert np.array_equal(pixels[..., 3], np.where(visible, 255, 0))
    seen, loudness = pixels[visible][:, :3].astype(float), LOG_SPECTROGRAM[::-1][visible]
    assert (np.diff(seen.sum(axis=1)[np.argsort(loudness)]) <= 0).all()
    assert (seen.sum(axis=1) < 3 * 255).all()  # the quietest is not as white as what is left out
    stronger = int(np.argmax(to_rgb(colour)))
    assert (seen[:, stronger] >= seen.max(axis=1)).all()


def test_sides_against_itself_two_panels_with_the_same_axes():
    figure = FIGURES["sides"]
    above, below = figure.axes
    assert "for tonal stability (parts: 2)" in above.get_title(loc="left")
    assert "against tonal stability (parts: 1)" in below.get_title(loc="left")
    assert above.get_xlim() == below.get_xlim() == (0.0, 1.0)
    assert above.get_ylim() == below.get_ylim()
    assert below.get_xlabel() == "time (s)"
    labels = [label.get_text() for label in below.get_yticklabels()]
    assert labels == ["100", "200", "500", "1k", "2k", "5k", "10k"]  # 50 would run into 100 on so low an axis


def test_components_against_theory_stronger_weights_are_fuller_others_clear():
    pixels = figures.component_pixels(WHERE, WEIGHTS, chosen=[9, 11], colour=figures.ORANGE)
    assert np.unique(pixels[..., :3].reshape(-1, 3), axis=0).tolist() == [
        [round(255 * part) for part in to_rgb(figures.ORANGE)]
    ]
    labels = COMPONENTS.regions[::-1].repeat(figures.ZOOM, axis=0).repeat(figures.ZOOM, axis=1)
    opacity = {label: np.median(pixels[..., 3][labels == label]) for label in range(COMPONENTS.n_components)}
    assert opacity[11] > opacity[9] > 0
    assert all(opacity[label] == 0 for label in opacity if label not in (9, 11))


def test_components_against_itself_nothing_chosen_nothing_drawn():
    assert not figures.component_pixels(WHERE, WEIGHTS, chosen=NONE, colour=figures.BLUE)[..., 3].any()
    flat = np.zeros_like(WEIGHTS)
    figure = figures.draw_components(LOG_SPECTROGRAM, WHERE, flat, positive=NONE, negative=NONE, name="energy")
    assert "For energy (orange, 0 parts) and against it (blue, 0 parts)" in words(figure)
    assert figures.png_bytes(figure, dpi=50)


def bars_of(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def test_effects_against_theory_orange_adds_blue_takes_away_grey_is_the_base():
    layer, midlevel = published_layer(), np.linspace(0.2, 0.9, 7)
    effects = layer.effects(midlevel)
    figure = figures.draw_effects(effects, intercepts=layer.intercepts, emotions=EMOTION_NAMES)
    assert len(figure.axes) == 8
    for axes, row, base, score in zip(figure.axes, effects, layer.intercepts, layer.emotions(midlevel), strict=True):
        bars = bars_of(axes)
        np.testing.assert_allclose([bar.get_width() for bar in bars], [*row, base], atol=1e-12)
        expected = [to_rgba(figures.ORANGE if value >= 0 else figures.BLUE) for value in row]
        assert [bar.get_facecolor() for bar in bars] == [*expected, to_rgba(figures.GREY)]
        assert axes.get_title().endswith(f"{score:.2f}")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()][1] == "articulation"


def test_shifts_against_theory_dots_lie_at_the_shifts_and_the_target_is_marked():
    figure, up = shifts_figure("happy")
    axes = figure.axes[0]
    dots = {dots.get_label(): dots for dots in axes.collections if not str(dots.get_label()).startswith("_")}
    np.testing.assert_allclose(np.asarray(dots["enhanced"].get_offsets())[:, 0], up)
    np.testing.assert_allclose(np.asarray(dots["weakened"].get_offsets())[:, 0], -up)
    assert tuple(np.asarray(dots["enhanced"].get_facecolor())[0]) == to_rgba(figures.ORANGE)
    assert tuple(np.asarray(dots["weakened"].get_facecolor())[0]) == to_rgba(figures.BLUE)
    bold = [label.get_text() for label in axes.get_yticklabels() if label.get_fontweight() == "bold"]
    assert bold == ["happy  0.50"]


def test_shifts_against_itself_one_level_of_scores_and_no_shift_at_all():
    still = np.zeros(8)
    figure = charts.draw_shifts(EMOTION_NAMES, still, {"enhanced": still, "weakened": still}, target="sad")
    assert len(figure.axes[0].get_yticklabels()) == 8
    assert figures.png_bytes(figure, dpi=50)


def counts_of(axes: Axes) -> list[float]:
    return [count for patch in axes.patches if isinstance(patch, StepPatch) for count in patch.get_data()[0]]


def test_controls_against_theory_every_control_is_counted_and_the_shift_is_a_line():
    figure = FIGURES["controls"]
    for axes, observed in zip(figure.axes, (0.05, 0.05, -0.04, -0.04), strict=True):
        assert sum(counts_of(axes)) == 19
        assert observed in [np.asarray(line.get_xdata())[0] for line in axes.lines]
    assert "random changes" in words(figure)


@pytest.mark.parametrize("low", [-0.0812, -0.1, -0.035, 0.0])
def test_controls_against_itself_five_ticks_at_most(low):
    controls = {("enhanced", kind): np.array([low, 0.003]) for kind in ("count", "energy")}
    figure = charts.draw_controls({"enhanced": 0.012}, controls, target="fear", kinds={"count": "a", "energy": "b"})
    for axes in figure.axes:
        (left, right), ticks = axes.get_xlim(), axes.get_xticks()
        assert 2 <= ((ticks >= left) & (ticks <= right)).sum() <= 5


def test_controls_against_itself_all_equal():
    controls = {("enhanced", "count"): np.zeros(5)}
    figure = charts.draw_controls({"enhanced": 0.0}, controls, target="fear", kinds={"count": "parts"})
    assert sum(counts_of(figure.axes[0])) == 5


@pytest.mark.parametrize("kind", sorted(DICHROMATS))
def test_colours_against_theory_dichromats_tell_them_apart(kind):
    seen = {}
    for name, colour in (("for", figures.ORANGE), ("against", figures.BLUE)):
        linear = np.array(to_rgb(colour)) ** 2.2
        seen[name] = np.clip(np.array(DICHROMATS[kind]) @ linear, 0, 1) ** (1 / 2.2)
    assert np.linalg.norm(seen["for"] - seen["against"]) > 0.5  # of sqrt(3) between black and white


def test_drawing_against_itself_pyplot_stays_out():
    code = "import sys, numpy, emomod.figures as f; f.png_bytes(f.draw_spectrogram(numpy.ones((149, 9))), dpi=20)"
    code += "; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_draw_parts_against_theory():
    """A row a part; weights of one moment add up, and the last stretch reaches the clip's end."""
    places = [Location(0.0, 0.96, 0.5, 50, 9000, part) for part in ("drums", "bass")]
    places += [Location(0.99, 1.94, 1.5, 50, 400, "drums"), Location(0.99, 1.94, 1.5, 400, 9000, "drums")]
    figure = figures.draw_parts(places, np.array([0.2, -0.1, 0.3, 0.1]), name="energy", seconds=2.0)
    axes = figure.axes[0]
    cells = np.asarray(axes.images[0].get_array())
    assert [label.get_text() for label in axes.get_yticklabels()] == ["drums", "bass"]
    np.testing.assert_allclose(cells[:, 5], [0.2, -0.1])
    np.testing.assert_allclose(cells[:, -1], [0.4, 0.0])
    assert "energy" in words(figure)
