"""A two-level explanation: which mid-level features make an emotion, and which components make a feature.

Level 1 is exact: an emotion is a linear layer of the mid-level features, so ``effect = weight * feature`` and the
effects sum, with the intercept, to the emotion. Level 2 is a surrogate's weights, see component_weights. Both levels
chain through the layer.
"""

from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from emomod.checks import check_number
from emomod.component_map import ComponentMap, Location
from emomod.component_weights import UNCERTAIN, ComponentWeights, Selection
from emomod.errors import InputError
from emomod.figures import draw_effects, draw_weight_maps, png_bytes, svg_text
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, spoken
from emomod.model.mid_to_emotion import MidToEmotion
from emomod.notebook import picture_html, png_uri, svg_uri, table_html
from emomod.output import to_json
from emomod.reading.arrays import read_npz
from emomod.reading.json_files import read_object

FORMAT = "emomod explanation 2"
RECORDED = {"clip": ("path", "sha256"), "model": ("name", "sha256"), "components": ("text",)}  # texts
SPARSE = ("data", "indices", "indptr")  # of a matrix in compressed rows
MOST_CELLS = 1 << 24  # of a map; a window of 60 s has a million
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)


@dataclass(frozen=True, eq=False)
class Effects:
    """Level 1: what each mid-level feature adds to each emotion."""

    layer: str  # name of the linear layer
    values: NDArray[np.float64]  # [8, 7], weight times feature
    intercepts: NDArray[np.float64]  # [8]

    def of(self, emotion: str) -> dict[str, float]:
        """The effects on one emotion by feature, largest absolute effect first."""
        row = self.values[EMOTION_NAMES.index(emotion)]
        return {MIDLEVEL_NAMES[column]: float(row[column]) for column in np.argsort(-np.abs(row), kind="stable")}


def compute_effects(layer: MidToEmotion, midlevel: NDArray[np.floating]) -> Effects:
    """Return the exact effects of mid-level scores [7] through ``layer``."""
    return Effects(layer.name, layer.effects(midlevel), layer.intercepts)


@dataclass(frozen=True, eq=False)
class Explanation:
    """A two-level explanation of one clip, for all scores at once."""

    names: tuple[str, ...]  # the scores, mid-level features before emotions
    scores: NDArray[np.float64]  # [n_names], of the clip as it is
    effects: Effects | None  # None for a model without a mid-level layer
    weights: ComponentWeights
    where: ComponentMap  # which share each component has of every cell
    locations: tuple[Location, ...]  # where each component lies in the clip
    record: dict[str, Any]  # clip (path, sha256, start), components, method, model, versions

    def __post_init__(self) -> None:
        n_components = self.weights.weights.shape[1]
        if self.scores.shape != (len(self.names),) or not np.isfinite(self.scores).all():
            raise InputError(f"scores must be {len(self.names)} finite numbers, got shape {self.scores.shape}")
        if len(self.locations) != n_components or self.where.n_components != n_components:
            counts = f"{len(self.locations)} locations and a map of {self.where.n_components}"
            raise InputError(f"locations and the map must be of {n_components} components, got {counts}")

    def __repr__(self) -> str:
        clip, n_components = self.record.get("clip", {}).get("path"), self.weights.weights.shape[1]
        return f"<Explanation of {clip}: {n_components} components, {len(self.names)} scores>"

    def score(self, name: str) -> float:
        """The score ``name`` of the clip."""
        return float(self.scores[self.weights.index(name)])

    @property
    def scale(self) -> tuple[float, float]:
        """The lowest and the highest score that the model is said to give."""
        low, high = self.record.get("model", {}).get("scale", (0.0, 1.0))
        return float(low), float(high)

    def height(self, name: str) -> float:
        """Where the score ``name`` lies on the model's scale, 0 to 1."""
        low, high = self.scale
        return (self.score(name) - low) / (high - low)

    def rows(self, selection: Selection) -> list[dict[str, Any]]:
        """One row a component: place (s within the window, Hz), weight on the selection's target, and its side.

        Standard errors and p-values are left out where the method has none.
        """
        row, sides = self.weights.index(selection.target), dict[int, str]()
        columns = {"weight": self.weights.weights, "standard_error": self.weights.standard_errors}
        columns |= {"p_value": self.weights.p_values}
        for side in ("positive", "negative"):
            sides |= dict.fromkeys(getattr(selection, side).tolist(), side)
        return [
            {
                "component": k,
                **asdict(location),
                **{name: float(values[row, k]) for name, values in columns.items() if values is not None},
                "side": sides.get(k, ""),
            }
            for k, location in enumerate(self.locations)
        ]

    def save(self, folder: str | Path) -> tuple[Path, Path]:
        """Write explanation.npz (arrays) and explanation.json (the rest) into ``folder``; return their paths."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {"scores": self.scores, "map.shape": np.array(self.where.shape)}
        arrays |= {f"map.{name}": getattr(self.where.shares, name) for name in SPARSE}
        arrays["locations"] = np.array([astuple(location)[:-1] for location in self.locations])
        arrays |= {f"weights.{name}": array for name, array in _arrays(self.weights).items()}
        text: dict[str, Any] = {"format": FORMAT, "names": list(self.names)}
        text |= {"clip_r2": self.weights.clip_r2, "n_masks": self.weights.n_masks}
        text["parts"] = [location.part for location in self.locations]
        if self.effects:
            arrays |= {f"effects.{name}": array for name, array in _arrays(self.effects).items()}
            text["layer"] = self.effects.layer
        npz, js = Path(folder) / "explanation.npz", Path(folder) / "explanation.json"
        np.savez_compressed(npz, allow_pickle=False, **arrays)
        js.write_text(to_json(text | {"record": self.record}) + "\n", encoding="utf-8")
        return npz, js

    def _repr_html_(self) -> str:
        """Scores with the fit of the surrogate, effects, and where the weights lie, for a notebook."""
        fits = zip(self.names, self.scores, self.weights.neighbourhood_r2, strict=True)
        rows = [(spoken(name), float(score), float(r2)) for name, score, r2 in fits]
        caption = Path(self.record["clip"]["path"]).name
        parts = [table_html(("name", "score", "surrogate R²"), rows, caption=caption)]
        if self.effects:
            effects = draw_effects(self.effects.values, intercepts=self.effects.intercepts, emotions=EMOTION_NAMES)
            parts.append(picture_html(svg_uri(svg_text(effects)), alt="Effects of mid-level features on emotions"))
        shown = [row for row, name in enumerate(self.names) if name in MIDLEVEL_NAMES] or list(range(len(self.names)))
        titles = [spoken(self.names[row]) for row in shown]
        maps = draw_weight_maps(self.where, self.weights.weights[shown], titles=titles)
        parts.append(picture_html(png_uri(png_bytes(maps)), alt="Weights of components in time and frequency"))
        return "".join(parts)


def _arrays(result: object) -> dict[str, NDArray[np.float64]]:
    """The array fields of a result by name."""
    values = {field.name: getattr(result, field.name) for field in fields(result)}  # type: ignore[arg-type]
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def load_explanation(folder: str | Path) -> Explanation:
    """Load what ``Explanation.save`` wrote into ``folder``; InputError where that is missing or damaged."""
    npz, js = Path(folder) / "explanation.npz", Path(folder) / "explanation.json"
    try:
        return _parsed(read_object(js), read_npz(npz))
    except DAMAGED as error:
        told = str(error)[:300] if isinstance(error, InputError) else f"{type(error).__name__}: {str(error)[:200]}"
        raise InputError(f"{folder}: holds no explanation that can be read ({told})") from None


def _parsed(text: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Explanation:
    if text.get("format") != FORMAT:
        raise InputError(f"format must be {FORMAT!r}, got {text.get('format')!r:.80}")
    names, record = _names_of(text["names"]), text["record"]
    groups = {
        prefix: {key.partition(".")[2]: value for key, value in arrays.items() if key.startswith(f"{prefix}.")}
        for prefix in ("weights", "effects", "map")
    }
    for key in ("scores", "locations", *(key for key in arrays if key.startswith(("weights.", "effects.")))):
        if arrays[key].dtype.kind != "f":
            raise InputError(f"{key} must be floating point, got {arrays[key].dtype}")
    clip_r2 = float("nan") if text["clip_r2"] is None else float(text["clip_r2"])
    unknown: dict[str, Any] = dict.fromkeys(UNCERTAIN)
    n_masks = int(text.get("n_masks", 0))  # it is not in what earlier versions wrote
    weights = ComponentWeights(names=names, clip_r2=clip_r2, n_masks=n_masks, **(unknown | groups["weights"]))
    effects = _effects_of(text["layer"], groups["effects"]) if groups["effects"] else None
    _check_record(record)
    locations = _locations_of(arrays["locations"], text["parts"])
    return Explanation(names, arrays["scores"], effects, weights, _map_of(groups["map"]), locations, record)


def _names_of(found: Any) -> tuple[str, ...]:
    """The names of the scores, texts, none twice."""
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found) or len(set(found)) < len(found):
        raise InputError(f"names must be texts, none twice, got {found!r:.80}")
    return tuple(found)


def _effects_of(layer: Any, arrays: dict[str, NDArray[Any]]) -> Effects:
    effects = Effects(layer=str(layer), **arrays)
    shape = (len(EMOTION_NAMES), len(MIDLEVEL_NAMES))
    if effects.values.shape != shape or effects.intercepts.shape != shape[:1]:
        raise InputError(f"effects must have the shape {list(shape)}, got {list(effects.values.shape)}")
    if not (np.isfinite(effects.values).all() and np.isfinite(effects.intercepts).all()):
        raise InputError("effects must be finite")
    return effects


def _locations_of(extents: NDArray[Any], parts: Any) -> tuple[Location, ...]:
    """Where components lie, of five numbers and a text each."""
    if extents.ndim != 2 or extents.shape[1] != len(fields(Location)) - 1 or not np.isfinite(extents).all():
        raise InputError(f"locations must be five finite numbers for each component, got shape {list(extents.shape)}")
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise InputError(f"parts must be texts, got {parts!r:.80}")
    if len(parts) != len(extents):
        raise InputError(f"parts must be one for each of {len(extents)} components, got {len(parts)}")
    return tuple(Location(*(*extent, part)) for extent, part in zip(extents.tolist(), parts, strict=True))


def _check_record(record: dict[str, Any]) -> None:
    """What others read of a record without looking must be there and of its kind."""
    for part, keys in RECORDED.items():
        for key in keys:
            if not isinstance(record[part][key], str):
                raise InputError(f"{key} of the {part} must be text, got {record[part][key]!r:.80}")
    start, scale = record["clip"]["start"], record["model"].get("scale", [0.0, 1.0])
    if isinstance(start, (str, bool)):
        raise InputError(f"start of the clip must be a number, got {start!r}")
    check_number("start of the clip", start, low=0.0)
    low, high = (check_number("scale of the model", end) for end in scale)
    if low >= high:
        raise InputError(f"scale of the model must be the lowest before the highest score, got {scale!r}")


def _map_of(arrays: dict[str, NDArray[Any]]) -> ComponentMap:
    n_bands, n_frames = (int(side) for side in arrays["shape"])
    if not (n_bands > 0 and n_frames > 0 and n_bands * n_frames <= MOST_CELLS):
        raise InputError(f"the map must have 1..{MOST_CELLS} cells, got {n_bands} x {n_frames}")
    sparse = tuple(arrays[name] for name in SPARSE)
    if any(array.ndim != 1 for array in sparse) or [array.dtype.kind for array in sparse] != ["f", "i", "i"]:
        raise InputError(f"the map must be of lists of shares and places, got {[str(each.dtype) for each in sparse]}")
    shares = csr_array(sparse, shape=(len(arrays["indptr"]) - 1, n_bands * n_frames))
    shares.check_format(full_check=True)
    if not np.isfinite(shares.data).all():
        raise InputError("shares of the map must be finite")
    return ComponentMap(shares, (n_bands, n_frames))
