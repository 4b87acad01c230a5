"""What stands on the page of a steered clip: every number comes from the result or its record."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.component_map import Location
from emomod.labels import level_of, spoken
from emomod.loudness import loudness
from emomod.notebook import audio_uri
from emomod.report.content import LEVEL_TITLES, SHORT_CARD
from emomod.report.steer_charts import MOST_OF_IT, shown_names, turned
from emomod.report.steer_made import command_of, details, made_words
from emomod.report.steer_words import (
    asked_words,
    cost_rows,
    equaliser_words,
    lasting_words,
    middle_random,
    mixing_words,
    others_moved,
    percent,
    random_words,
    share_of,
    shown_words,
    simpler_words,
    sums_words,
    transfer_words,
    turned_words,
    verdict,
)
from emomod.report.words import HINTS, change, held_out_r, number, printed, signed, window_words
from emomod.result import MANY
from emomod.sentences import moment
from emomod.steered import REST, Steered, asked_of
from emomod.steering.parts import audible_shares

MOST_CARRIERS = 8  # components in a table
STEP = "step_"

Array = NDArray[np.float64]
Content = dict[str, Any]


def steer_content(steered: Steered) -> Content:
    """Return everything on the page but the pictures."""
    record, names = steered.record, shown_names(steered)
    up, down = turned(steered)
    return {
        "title": f"{Path(record['clip']).name}, steered",
        "window": {name: f"{value:.1f}" for name, value in record["window"].items()},
        "window_words": window_words(record["window"]["start"]),
        "sentence": printed(steered.sentence),
        "asked": [_score_row(steered, name) for name in (*steered.request.shifts, *steered.request.hold)],
        "shown_words": shown_words(names, n_asked=len(steered.request.shifts)),
        "others": others_moved(steered),
        "levels": _other_levels(steered),
        "wants_most": steered.request.wants_most,
        "scale": "{:g} to {:g}".format(*steered.explanation.scale),
        "versions": _versions(steered),
        "turned": turned_words(up.size, down.size, share=MOST_OF_IT, n_components=record["n_components"]),
        "names": [spoken(name) for name in names],
        "features": [_features(steered, name) for name in steered.features],
        "has_layer": steered.explanation.effects is not None,
        "can_differentiate": steered.controls.equaliser is not None,
        "sums": _sums(steered),
        "carriers": _carriers(steered),
        "mix": _mix(steered),
        "cost": cost_rows(steered.points[-1].cost, size_db=steered.points[-1].size_db),
        "points": _points(steered),
        "controls": _controls(steered),
        "simpler_words": simpler_words(steered),
        "random_words": random_words(steered),
        "equaliser": steered.controls.equaliser and equaliser_words(steered.controls.equaliser.equaliser),
        "lasting": _lasting(steered),
        "lasting_words": lasting_words(steered),
        "transfer_words": transfer_words(steered),
        "made": made_words(steered),
        "model": record["model"]["name"],
        "card": {key: str(record["model"][key]) for key in SHORT_CARD if key in record["model"]},
        "command": command_of(record, steered.request, out=steered.folder),
        "details": details(record),
        "files": ("steered.wav", "steer.json", "shifts.csv", "components.csv", "points.csv", "figures/"),
    }


def _of(steered: Steered, name: str, values: Array) -> float:
    return float(values[steered.names.index(name)])


def _score_row(steered: Steered, name: str) -> Content:
    """What was asked of a score and what came of it."""
    shift = _of(steered, name, steered.shift)
    asked = asked_of(steered.request, name)
    return {
        "name": spoken(name),
        "hint": HINTS.get(name, ""),
        "r": held_out_r(steered.record["model"]).get(name, ""),
        "asked": asked_words(steered.request, name) if asked else "",
        "before": number(_of(steered, name, steered.before)),
        "after": number(_of(steered, name, steered.after)),
        "shift": signed(shift),
        "verdict": verdict(steered.request, name, shift) if asked else "",
    }


def _other_levels(steered: Steered) -> list[Content]:
    """The scores that nothing was asked of by level, of many those that moved most."""
    others = [name for name in steered.names if not asked_of(steered.request, name)]
    kept = sorted(others, key=lambda name: -abs(_of(steered, name, steered.shift)))[:MANY]
    rows = {
        level: [_score_row(steered, name) for name in others if name in kept and level_of(name) == level]
        for level in LEVEL_TITLES
    }
    return [{"title": LEVEL_TITLES[level], "rows": found} for level, found in rows.items() if found]


def _versions(steered: Steered) -> list[Content]:
    """The original, growing shares of the request where they were written, and the steered version."""
    order = sorted(steered.waveforms, key=lambda name: (name == "steered", name != "original"))
    return [_version(steered, name) for name in order]


def _version(steered: Steered, name: str) -> Content:
    y = steered.waveforms[name]
    level, given = loudness(y), steered.record["level_db"][name]
    labels = {"original": ("Original", "the clip as it is"), "steered": ("Steered", "all that was asked")}
    if name.startswith(STEP):
        share = percent(steered.points[int(name.removeprefix(STEP)) - 1].share)
        labels[name] = (share, f"{share} of what was asked")
    return {
        "key": name,
        "label": labels[name][0],
        "what": labels[name][1],
        "uri": audio_uri(y),
        "loudness": f"{number(level, 1)} LUFS" if np.isfinite(level) else "too soft to measure",
        "given": f"{change(given, 1)} dB",
        "gain": 1.0,
    }


def _features(steered: Steered, emotion: str) -> Content:
    """What each mid-level feature adds to the shift of an emotion."""
    added = steered.features[emotion]
    largest = max(*map(abs, added.values()), 1e-12)
    rows = [
        {
            "name": spoken(feature),
            "shift": signed(_of(steered, feature, steered.shift)),
            "added": change(value, 3),
            "percent": round(50 * abs(value) / largest, 1),
            "side": "plus" if value >= 0 else "minus",
        }
        for feature, value in added.items()
    ]
    return {"name": spoken(emotion), "rows": rows, "sum": change(sum(added.values()), 3)}


def _sums(steered: Steered) -> str:
    total = steered.shares.sum(axis=1)
    sums = {name: (_of(steered, name, total), _of(steered, name, steered.shift)) for name in shown_names(steered)}
    record = steered.record
    return sums_words(sums, n_components=record["n_components"], components=record["components"]["text"])


def _carried(steered: Steered) -> Array:
    """How far each component [K] carried all that was asked, in the directions in which it went."""
    rows = [steered.names.index(name) for name in steered.request.shifts]
    return np.asarray(np.sign(steered.shift[rows]) @ steered.shares[rows])


def _carriers(steered: Steered) -> list[Content]:
    """The components that carried most."""
    chosen = np.argsort(-_carried(steered), kind="stable")[:MOST_CARRIERS]
    locations = steered.explanation.locations
    return [
        {
            "what": _place(locations[k]),
            "when": moment(locations[k]),
            "gain": f"{change(float(steered.gains_db[k]), 1)} dB",
            "shares": [change(_of(steered, name, steered.shares[:, k]), 3) for name in shown_names(steered)],
        }
        for k in chosen
    ]


def _place(location: Location) -> str:
    """What sounds, and between which frequencies."""
    words = f"{location.low:.0f} to {location.high:.0f} Hz"
    return f"{location.part}, {words}" if location.part else words


def _mix(steered: Steered) -> Content | None:
    """Mean gains of the parts that have names, by how audible their components are; None where there is but one."""
    parts, gains = np.array([location.part or REST for location in steered.explanation.locations]), steered.mix
    if not gains:
        return None
    audible = audible_shares(steered.explanation.where, steered.log_spectrogram.cpu().numpy())
    rows = []
    for part in gains:
        mine = parts == part
        weights, own = audible[mine], steered.gains_db[mine]
        rows.append(
            {
                "name": part,
                "gain": f"{change(gains[part], 1)} dB",
                "range": f"{change(float(own.min()), 1)} to {change(float(own.max()), 1)} dB",
                "audible": percent(float(weights.sum() / audible.sum())),
                "shares": [
                    change(_of(steered, name, steered.shares[:, mine].sum(axis=1)), 3) for name in shown_names(steered)
                ],
                "order": -gains[part],
            }
        )
    return {"words": mixing_words(gains), "rows": sorted(rows, key=lambda row: row["order"])}


def _points(steered: Steered) -> list[list[str]]:
    """Rows of the curve: share of the request, size, distance, smear, shifts."""
    return [
        [
            percent(point.share),
            f"{number(point.size_db, 1)} dB",
            f"{number(point.cost.spectral_distance_db, 1)} dB",
            f"{change(point.cost.transient_smear_db, 1)} dB",
            *(signed(_of(steered, name, point.shift)) for name in shown_names(steered)),
        ]
        for point in steered.points
    ]


def _moved(steered: Steered, title: str, shift: Array, *, note: str = "") -> Content:
    """A row of what was asked, as it moved elsewhere."""
    share = share_of(shift, steered)
    return {
        "name": title,
        "note": note,
        "shifts": [change(_of(steered, name, shift), 3) for name in shown_names(steered)],
        "share": percent(share),
        "percent": round(100 * min(max(share or 0.0, 0.0), 1.0), 1),
    }


def _controls(steered: Steered) -> list[Content]:
    controls = steered.controls
    rows = [_moved(steered, "steered", steered.shift)]
    if controls.equaliser is not None:
        size = f"asked the same, {number(controls.equaliser.size_db, 1)} dB"
        rows.append(_moved(steered, "equaliser", controls.equaliser.shift, note=size))
    middle = f"the middle of {len(controls.random)}"
    rows.append(_moved(steered, "random parts", middle_random(steered), note=middle))
    rows.append(_moved(steered, "all parts alike", controls.level, note="the level alone"))
    return rows


def _lasting(steered: Steered) -> list[Content]:
    rows = [_moved(steered, "as written", steered.shift)]
    rows += [_moved(steered, way, shift) for way, shift in steered.lasting.items()]
    notes = {True: "another model, which took part in the search", False: "another model, which took no part"}
    rows += [_moved(steered, each.model, each.shift, note=notes[each.used]) for each in steered.transfers]
    return rows
