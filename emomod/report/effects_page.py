"""The page of a corpus: box plots of effects with single clips marked, and how the features hang together."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from emomod.correlations import Correlations
from emomod.effects import Box, CorpusEffects
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, spoken
from emomod.report.content import SHORT_CARD, flatten
from emomod.report.correlation_charts import draw_correlations_among, draw_weights_beside_correlations
from emomod.report.correlation_words import correlation_content
from emomod.report.effect_charts import ALL_SHOWN, draw_effect_boxes, with_room
from emomod.report.page import read_part, render_template
from emomod.report.pictures import write_figures
from emomod.report.words import change, held_out_r, number, printed


def write_effects_page(
    effects: CorpusEffects, found: Correlations, *, marked: list[int], record: Mapping[str, Any], folder: Path
) -> None:
    """Write effects.html and figures/*.png into ``folder``; ``record`` is the content of effects.json."""
    letters = dict(zip(ascii_uppercase, marked, strict=False))
    figures = {f"effects_{emotion}": _draw(effects, emotion, letters) for emotion in EMOTION_NAMES}
    figures |= {"correlations": draw_correlations_among(found), "weights": draw_weights_beside_correlations(found)}
    pictures = write_figures(figures, folder / "figures")
    page = render_template(
        "effects.html.j2",
        **effects_content(effects, letters=letters, pictures=pictures, record=record),
        correlations=correlation_content(found, effects),
        pictures=pictures,
        style=Markup(read_part("report.css") + read_part("many.css")),
    )
    (folder / "effects.html").write_text(page, encoding="utf-8")


def effects_content(
    effects: CorpusEffects, *, letters: Mapping[str, int], pictures: Mapping[str, str], record: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what is on the page but for the correlations; ``letters`` mark clips."""
    names = effects.scores.names
    return {
        "title": f"Effects in {len(names)} clips",
        "n": len(names),
        "dots": "every dot is a clip" if len(names) <= ALL_SHOWN else "dots are the clips beyond them",
        "emotions": [_emotion(effects, emotion, letters, pictures) for emotion in EMOTION_NAMES],
        "marked": [
            {"letter": letter, "name": names[clip], "sentence": printed(effects.clip_sentence(clip))}
            for letter, clip in letters.items()
        ],
        "learned": ", ".join(
            f"{spoken(name)} {r}" for name, r in held_out_r(record["model"]).items() if name in MIDLEVEL_NAMES
        ),
        "warnings": [*(f"left out: {reason}" for reason in record["unusable"].values()), *record["warnings"]],
        "made": _made(effects, record),
        "command": command_of(record),
        "files": ("effects.csv", "scores.csv", "correlations.csv", "effects.json", "figures/"),
        **model_content(record),
    }


def model_content(record: Mapping[str, Any]) -> dict[str, Any]:
    """The model card and the software, for the end of a page."""
    card = record["model"]
    rest = {key: value for key, value in card.items() if key not in SHORT_CARD}
    tables = {"Model card": rest, "Software": record["software"]}
    return {
        "card": {key: str(card[key]) for key in SHORT_CARD if key in card},
        "details": [{"title": title, "rows": flatten(table)} for title, table in tables.items()],
    }


def _draw(effects: CorpusEffects, emotion: str, letters: Mapping[str, int]) -> Figure:
    row, order = EMOTION_NAMES.index(emotion), list(effects.boxes(emotion))
    columns = [MIDLEVEL_NAMES.index(name) for name in order]
    values = np.column_stack([effects.values[:, row, columns], effects.sums[:, row]])
    limits = with_room(np.concatenate([effects.values.ravel(), effects.sums.ravel()]))  # the same for all emotions
    return draw_effect_boxes([*map(spoken, order), emotion], values, marked=letters, limits=limits)


def _emotion(
    effects: CorpusEffects, emotion: str, letters: Mapping[str, int], pictures: Mapping[str, str]
) -> dict[str, Any]:
    row, clips = EMOTION_NAMES.index(emotion), list(letters.values())
    weights, sums = effects.layer.weights[row], effects.sums[:, row]
    boxes, total = effects.boxes(emotion), effects.sum_box(emotion)
    largest, widest = effects.main_features(emotion)
    rows = [
        _row(spoken(name), box, effects.values[clips, row, column], weight=change(float(weights[column])))
        for name, box in boxes.items()
        for column in (MIDLEVEL_NAMES.index(name),)
    ]
    return {
        "name": spoken(emotion),
        "sentence": printed(effects.emotion_sentence(emotion)),
        "score": f"{number(total.median, 2)} ({number(total.quartile_low, 2)} to {number(total.quartile_high, 2)})",
        "largest": f"{spoken(largest)} ({change(boxes[largest].median)})",
        "widest": f"{spoken(widest)} ({_half(boxes[widest])})",
        "picture": pictures[f"effects_{emotion}"],
        "base": change(float(effects.layer.intercepts[row])),
        "sums": [number(float(value), 2) for value in sums[clips]],
        "rows": [*rows, _row(spoken(emotion), total, sums[clips], weight="")],
    }


def _half(box: Box) -> str:
    return f"{change(box.quartile_low)} to {change(box.quartile_high)}"


def _row(name: str, box: Box, marked: Any, *, weight: str) -> dict[str, Any]:
    return {
        "name": name,
        "weight": weight,
        "median": change(box.median, 3),
        "quartiles": f"{change(box.quartile_low, 3)} to {change(box.quartile_high, 3)}",
        "range": f"{change(box.minimum, 3)} to {change(box.maximum, 3)}",
        "marked": [change(float(value), 3) for value in marked],
    }


def _made(effects: CorpusEffects, record: Mapping[str, Any]) -> str:
    model, layer = record["model"]["name"], effects.layer.name
    if record["table"]:
        return f"Scores read from the table {record['table']}; effects by the layer {layer} of the model {model}."
    return (
        f"Every file was heard by the model {model} in windows of {record['window_seconds']:g} s that cover it "
        f"({sum(effects.scores.n_windows)} windows in all), and its scores are the mean over them, as in emomod "
        f"predict. The layer ({layer}) is linear, so that the effects of the mean are the mean of the windows' "
        "effects."
    )


def command_of(record: Mapping[str, Any]) -> str:
    """Return the command that makes this page again."""
    words = [f"./{name}" if name.startswith("-") else name for name in record["inputs"]]
    options = [f"--from={record['table']}"] if record["table"] else []
    options += [f"--mark={mark}" for mark in record["marks"]]
    options += [f"--model={name}"] if (name := record["model"].get("origin")) else []
    command = shlex.join(["emomod", "effects", *words, *options, f"--out={record['out']}"])
    return command.encode("utf-8", "replace").decode()  # names on disk can be anything
