"""The page of versions of a song: players, scores, effects side by side, and what makes the difference."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.comparison import Comparison, Version
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES, spoken
from emomod.loudness import MAX_GAIN_DB, loudness, matched_gains_db
from emomod.notebook import audio_uri
from emomod.report.content import LEVEL_TITLES
from emomod.report.effect_charts import draw_versions, with_room
from emomod.report.effects_page import model_content
from emomod.report.page import read_part, render_template
from emomod.report.pictures import write_figures
from emomod.report.words import change, held_out_r, number, printed


def write_compare_page(
    compared: Comparison, sounds: Mapping[str, NDArray[np.float32]], *, record: Mapping[str, Any], folder: Path
) -> None:
    """Write compare.html and figures/*.png into ``folder``.

    sounds: waveform [n_samples] by label, from where a version was first heard; record: the content of compare.json.
    """
    figures = {f"effects_{emotion}": _draw(compared, emotion) for emotion in EMOTION_NAMES}
    pictures = write_figures(figures, folder / "figures")
    page = render_template(
        "compare.html.j2",
        **compare_content(compared, sounds, pictures=pictures, record=record),
        style=Markup(read_part("report.css") + read_part("many.css")),
    )
    (folder / "compare.html").write_text(page, encoding="utf-8")


def compare_content(
    compared: Comparison,
    sounds: Mapping[str, NDArray[np.float32]],
    *,
    pictures: Mapping[str, str],
    record: Mapping[str, Any],
) -> dict[str, Any]:
    """Return everything on the page."""
    versions = compared.versions
    headlines = {emotion: printed(sentence) for emotion, sentence in compared.headlines().items()}
    two = len(versions) == 2
    return {
        "title": " and ".join(Path(version.file).stem for version in versions)
        if two
        else f"{len(versions)} versions compared",
        "versions": _versions(compared, sounds),
        "sentences": list(headlines.values()),
        "pairing": "B is compared with A."
        if two
        else "For each emotion, the version where it is highest is compared with the one where it is lowest.",
        "warnings": record["warnings"],
        "max_gain_db": f"{MAX_GAIN_DB:+g}",
        "levels": _levels(compared, held_out_r(record["model"])),
        "window": f"{record['window_seconds']:g}",
        "spread": any(version.spread is not None for version in versions),
        "emotions": [
            _emotion(compared, emotion, headlines[emotion], pictures[f"effects_{emotion}"]) for emotion in headlines
        ],
        "made": f"Heard by the model {record['model']['name']}; effects by its layer {compared.layer.name}.",
        "command": command_of(compared, record),
        "files": ("compare.csv", "compare.json", "figures/"),
        **model_content(record),
    }


def _versions(compared: Comparison, sounds: Mapping[str, NDArray[np.float32]]) -> list[dict[str, str]]:
    gains, found = matched_gains_db(sounds), []
    for version in compared.versions:
        y = sounds[version.label]
        matched = y * np.float32(10 ** (gains[version.label] / 20))
        level = loudness(y)
        found.append(
            {
                "label": version.label,
                "name": Path(version.file).name,
                "uri": audio_uri(np.clip(matched, -1.0, 1.0)),
                "gain": f"{change(gains[version.label], 1)} dB",
                "loudness": f"{number(level, 1)} LUFS" if np.isfinite(level) else "silent",
                "heard": _heard(version, played=y.size / SAMPLE_RATE),
            }
        )
    return found


def _heard(version: Version, *, played: float) -> str:
    """Say how long a file is, and how much of it the player has."""
    if played >= version.seconds - 0.1:
        return f"{version.seconds:.1f} s."
    return f"{played:.0f} s from {version.starts[0]:.0f} s on, of {version.seconds:.0f} s; the scores are of all of it."


def _levels(compared: Comparison, held_out: Mapping[str, str]) -> list[dict[str, Any]]:
    first, *others = compared.versions
    rows: dict[str, list[dict[str, Any]]] = {"midlevel": [], "emotion": []}
    for column, name in enumerate(SCORE_NAMES):
        scores = [
            {
                "score": number(float(version.scores[column]), 2),
                "spread": "" if version.spread is None else number(float(version.spread[column]), 2),
            }
            for version in compared.versions
        ]
        differences = [change(float(version.scores[column] - first.scores[column])) for version in others]
        row = {"name": spoken(name), "r": held_out.get(name, ""), "scores": scores, "differences": differences}
        rows["midlevel" if name in MIDLEVEL_NAMES else "emotion"].append(row)
    return [{"title": LEVEL_TITLES[level], "rows": found} for level, found in rows.items()]


def _effects(compared: Comparison, emotion: str) -> tuple[list[str], NDArray[np.float64]]:
    """Names of rows and effects [n_versions, 8]: features by how far the versions lie apart, then the emotion."""
    row = EMOTION_NAMES.index(emotion)
    effects = np.array([compared.effects(version)[row] for version in compared.versions])
    order = np.argsort(-np.ptp(effects, axis=0), kind="stable")
    sums = effects.sum(axis=1) + compared.layer.intercepts[row]
    return [*(MIDLEVEL_NAMES[k] for k in order), emotion], np.column_stack([effects[:, order], sums])


def _draw(compared: Comparison, emotion: str) -> Figure:
    names, values = _effects(compared, emotion)
    labels = [version.label for version in compared.versions]
    return draw_versions([*map(spoken, names)], values, labels=labels, limits=_limits(compared))


def _limits(compared: Comparison) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ends of the axes of effects and of differences, the same for all emotions; with room for the numbers."""
    values = np.stack([_effects(compared, emotion)[1] for emotion in EMOTION_NAMES])
    return with_room(values, room=0.18), with_room(values[:, 1:] - values[:, :1], room=0.3)


def _emotion(compared: Comparison, emotion: str, sentence: str, picture: str) -> dict[str, Any]:
    row, (names, values) = EMOTION_NAMES.index(emotion), _effects(compared, emotion)
    weights = dict(zip(MIDLEVEL_NAMES, compared.layer.weights[row].tolist(), strict=True))
    return {
        "name": spoken(emotion),
        "sentence": sentence,
        "picture": picture,
        "base": change(float(compared.layer.intercepts[row])),
        "rows": [
            {
                "name": spoken(name),
                "weight": change(weights[name]) if name in weights else "",
                "effects": [change(float(value), 3) for value in effects],
                "differences": [change(float(value), 3) for value in effects[1:] - effects[0]],
            }
            for name, effects in zip(names, values.T, strict=True)
        ],
    }


def command_of(compared: Comparison, record: Mapping[str, Any]) -> str:
    """Return the command that makes this page again."""
    words = [f"./{v.file}" if v.file.startswith("-") else v.file for v in compared.versions]
    options = [f"--model={name}"] if (name := record["model"].get("origin")) else []
    return shlex.join(["emomod", "compare", *words, *options, f"--out={record['out']}"])
