"""What stands on the page of a run: every number comes from the result, every word about it from here or words.py."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emomod.attribution.methods import METHODS
from emomod.labels import spoken
from emomod.loudness import MAX_GAIN_DB, loudness, matched_gains_db
from emomod.notebook import audio_uri
from emomod.report.words import (
    HINTS,
    SIGNIFICANT,
    WAYS,
    carried_by,
    describe_versions,
    headline,
    held_out_r,
    marking,
    moved_further,
    number,
    off_words,
    printed,
    sidedness,
    signed,
    trust,
    verdict,
    why_unchanged,
    window_words,
)
from emomod.result import RunResult

LEVEL_TITLES = {"midlevel": "Musical qualities", "emotion": "Emotions", "score": "Scores"}
VERSION_LABELS = {
    "original": "Original",
    "enhanced": "Enhanced",
    "weakened": "Weakened",
    "positive": "Only for",
    "negative": "Only against",
}
SHORT_CARD = ("limitations", "limits", "training_data")  # shown openly; the rest of the card can be opened


def page_content(result: RunResult) -> dict[str, Any]:
    """Return everything on the page but the pictures."""
    record = result.record
    target = spoken(record["target"])
    return {
        "title": Path(record["clip"]).name,
        "target": target,
        "gain_db": f"{record['gain_db']:g}",
        "window": {name: f"{value:.1f}" for name, value in record["window"].items()},
        "window_words": window_words(record["window"]["start"]),
        "levels": _levels(record, result.shown_names, result.explanation.scale),
        "scale": "{:g} to {:g}".format(*result.explanation.scale),
        "has_emotions": bool(record["predictions"]["before"]["emotion"]),
        "sentence": printed(result.sentence),
        "versions": _versions(result, target),
        "max_gain_db": f"{MAX_GAIN_DB:+g}",
        "n_positive": record["n_positive"],
        "n_negative": record["n_negative"],
        "headline": headline(record, target=target),
        "verdicts": _verdicts(result, target),
        "shifts": _shifts(result),
        "moved_further": moved_further(record),
        "marking": marking(record),
        "sidedness": sidedness(record),
        "fits": _fits(record, result.shown_names),
        "clip_r2": number(record["clip_r2"], 4),
        "precision": record["precision_words"],
        "components": record["components"]["text"],
        "method": record["settings"]["method"]["name"],
        "about_method": METHODS[record["settings"]["method"]["name"]].settings,
        "carried_by": carried_by(record["complexity"], record["n_components"]),
        "off": off_words(record["settings"]["method"]["off"]),
        "n_held_out": record["settings"]["method"]["n_held_out"],
        "warnings": record["warnings"],
        "notes": record["notes"],
        "n_scores": len(result.explanation.names),
        "n_shown": len(result.shown_names),
        "model": record["model"]["name"],
        "details": _details(record),
        "card": {key: str(record["model"][key]) for key in SHORT_CARD if key in record["model"]},
        "has_effects": result.explanation.effects is not None,
        "command": command_of(record, out=result.folder),
    }


def _levels(record: Mapping[str, Any], shown: Sequence[str], scale: tuple[float, float]) -> list[dict[str, Any]]:
    """The scores of the clip that are ``shown`` as bars, level by level; a level without scores is left out."""
    levels, held_out, (low, high) = [], held_out_r(record["model"]), scale
    for level, scores in record["predictions"]["before"].items():
        rows = [
            {
                "name": spoken(name),
                "hint": HINTS.get(name, ""),
                "r": held_out.get(name, ""),
                "score": number(score, 2),
                "percent": round(100 * min(max((score - low) / (high - low), 0.0), 1.0), 1),
                "is_target": name == record["target"],
            }
            for name, score in scores.items()
            if name in shown
        ]
        if rows:
            levels.append({"title": LEVEL_TITLES[level], "rows": rows})
    return levels


def _versions(result: RunResult, target: str) -> list[dict[str, Any]]:
    waveforms = result.modification.waveforms
    words, matched = describe_versions(result.record, target=target), matched_gains_db(waveforms)
    versions = []
    for key, y in waveforms.items():
        level = loudness(y)
        silent = not np.isfinite(level)
        versions.append(
            {
                "key": key,
                "label": VERSION_LABELS[key],
                "what": words[key],
                "uri": audio_uri(y),
                "loudness": "silent" if silent else f"{number(level, 1)} LUFS",
                "matched": "" if silent else f"{signed(matched[key], 1)} dB",
                "gain": round(float(10 ** (matched[key] / 20)), 5),
            }
        )
    return versions


def _verdicts(result: RunResult, target: str) -> list[dict[str, str]]:
    record, found = result.record, []
    for shift in result.modification.shifts:
        column = shift.names.index(record["target"])
        words = verdict(
            shift.version,
            target=target,
            before=float(shift.before[column]),
            shift=float(shift.shift[column]),
            controls=record["controls"][shift.version],
            unchanged=why_unchanged(record),
        )
        found.append({"version": shift.version, "words": words})
    return found


def _shifts(result: RunResult) -> list[dict[str, Any]]:
    """Rows of the table of shifts; "stands_out" marks shifts that few random changes of any kind reach."""
    kinds = [control.kind for control in result.modification.shifts[0].controls]
    rows, shown = [], result.shown_names
    for row in result.modification.rows():
        if row["name"] not in shown:
            continue
        cells = [
            {
                "shift": signed(row[f"shift_{version}"]),
                "after": number(row[version]),
                "stands_out": bool(kinds) and all(row[f"p_{kind}_{version}"] <= SIGNIFICANT for kind in kinds),
            }
            for version in WAYS
        ]
        rows.append(
            {
                "name": spoken(row["name"]),
                "level": LEVEL_TITLES[row["level"]],
                "before": number(row["before"]),
                "cells": cells,
                "is_target": row["name"] == result.modification.target,
            }
        )
    return rows


def _fits(record: Mapping[str, Any], shown: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"name": spoken(name), "r2": number(r2, 2), "trust": trust(r2), "is_target": name == record["target"]}
        for name, r2 in record["surrogate_r2"].items()
        if name in shown
    ]


def flatten(value: Any, *, name: str = "") -> list[tuple[str, str]]:
    """Return nested JSON as rows of dotted names and texts.

    >>> flatten({"a": {"b": 1}, "c": [1, "x"]})
    [('a.b', '1'), ('c', '1, x')]
    """
    if isinstance(value, Mapping):
        return [row for key, item in value.items() for row in flatten(item, name=f"{name}.{key}" if name else str(key))]
    return [(name, ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))]


def _details(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tables of settings, versions, hashes and the model card."""
    measured = {
        "n_components": record["n_components"],
        "n_positive": record["n_positive"],
        "n_negative": record["n_negative"],
        "identity_snr_db": number(record["identity_snr_db"], 1),
        "static_gain_db": number(record["static_gain_db"], 2),
    }
    hashes = {
        "clip": record["clip"],
        "clip sha256": record["clip_sha256"],
        "model sha256": record["model"].get("sha256"),
    }
    card = {key: value for key, value in record["model"].items() if key not in (*SHORT_CARD, "sha256")}
    tables = {
        "Settings": record["settings"],
        "Measured on the written files": measured,
        "Clip and model": hashes,
        "Software": record["versions"],
        "Model card": card,
    }
    return [{"title": title, "rows": flatten(table)} for title, table in tables.items()]


def spec_of(method: Mapping[str, Any]) -> str:
    """Return the text that names a method and its settings.

    >>> spec_of({"name": "occlusion", "off": "-6dB", "n_held_out": 256})
    'occlusion:off=-6dB,n_held_out=256'
    """
    options = ",".join(f"{name}={value}" for name, value in method.items() if name != "name" and value != "")
    return f"{method['name']}:{options}"


def command_of(record: Mapping[str, Any], *, out: Path) -> str:
    """Return the command that makes this run again, its options spelt out.

    The model is named only where the record does, which is where it is not the one that ships.
    """
    method, modify = record["settings"]["method"], record["settings"]["modify"]
    clip, model = record["clip"], record["model"].get("origin")
    options = {
        "target": record["target"],
        "gain-db": f"{modify['gain_db']:g}",
        "sides": modify["sides"],
        "rule": modify["rule"],
        "bits": modify["bits"],
        "controls": modify["n_controls"],
        "start": f"{record['settings']['start']:g}",
        "components": record["components"]["text"],
        "method": spec_of(method),
        "seed": modify["seed"],
        **({"model": model} if model else {}),
        "out": out,
    }
    words = [f"--{name}={value}" for name, value in options.items()]  # with "=", for values that begin with "-"
    return shlex.join(["emomod", "run", f"./{clip}" if clip.startswith("-") else clip, *words])
