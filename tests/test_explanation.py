import json
from contextlib import suppress
from dataclasses import fields

import numpy as np
import pytest
from fakes import explanation, grid_components, linear_predict
from scipy.sparse import csr_array

from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.component_map import map_of_labels
from emomod.errors import InputError
from emomod.explanation import SPARSE, Explanation, compute_effects, load_explanation
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer

MIDLEVEL = np.array([0.637723, 0.886127, 0.529747, 0.895867, 0.247777, 0.854901, 0.131224])  # the published example


def explained(rng, *, two_levels):
    components, layer = grid_components(), published_layer() if two_levels else None
    names = SCORE_NAMES if two_levels else EMOTION_NAMES
    predict = linear_predict(components, rng.normal(size=(7 if two_levels else 8, 12)), layer, names)
    weights = explain_with_lime(predict, components, settings=LimeSettings(n_perturbations=64, n_held_out=8))
    effects = compute_effects(layer, MIDLEVEL) if layer else None
    located, record = (
        tuple(components.locations()),
        {
            "clip": {"path": "a b.wav", "sha256": "0", "start": 1.5},
            "model": {"name": "m", "sha256": "1"},
            "components": {"text": "grid", "kinds": []},
            "none": None,
        },
    )
    where = map_of_labels(components.regions)
    return Explanation(names, rng.random(len(names)), effects, weights, where, located, record)


def same(one, other):
    """Equal to the bit, whatever the kind of value."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, csr_array):
        return one.shape == other.shape and all(same(getattr(one, n), getattr(other, n)) for n in SPARSE)
    if hasattr(one, "__dataclass_fields__"):
        return type(one) is type(other) and all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return one == other


@pytest.mark.parametrize("two_levels", (True, False))
def test_explanation_against_itself_round_trip(tmp_path, rng, two_levels):
    saved = explained(rng, two_levels=two_levels)
    assert saved.save(tmp_path) == (tmp_path / "explanation.npz", tmp_path / "explanation.json")
    loaded = load_explanation(tmp_path)
    assert same(saved, loaded)
    assert (loaded.effects is not None) == two_levels
    assert loaded.score("energy") == saved.scores[saved.names.index("energy")]


def test_effects_against_the_notebook():
    effects = compute_effects(published_layer(), MIDLEVEL)
    energy = effects.of("energy")
    assert list(energy)[:2] == ["articulation", "tonal_stability"]  # largest absolute effect first
    assert sorted(energy) == sorted(MIDLEVEL_NAMES)
    assert sum(energy.values()) + effects.intercepts[EMOTION_NAMES.index("energy")] == pytest.approx(0.67731, abs=2e-3)


def test_explanation_against_itself_nothing_is_pickled(tmp_path, rng):
    explained(rng, two_levels=True).save(tmp_path)
    with np.load(tmp_path / "explanation.npz", allow_pickle=False) as stored:
        assert all(stored[name].dtype != object for name in stored.files)


def damaged(folder, name, content):
    explanation({"valence": 0.5}).save(folder)
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    (
        ("explanation.json", b"{", "holds no explanation that can be read"),
        ("explanation.json", b"{}", "format must be 'emomod explanation 2', got None"),
        ("explanation.json", json.dumps({"format": "emomod explanation 99"}).encode(), "got 'emomod explanation 99'"),
        ("explanation.npz", b"", "holds no explanation that can be read"),
        ("explanation.npz", b"text", "holds no explanation that can be read"),
        ("explanation.npz", b"PK\x03\x04cut off", "holds no explanation that can be read"),
    ),
)
def test_load_explanation_iv(tmp_path, name, content, message):
    damaged(tmp_path, name, content)
    with pytest.raises(InputError, match=message):
        load_explanation(tmp_path)


def rewrite(folder, *, text=None, arrays=None):
    """Save an explanation in which keys of the JSON and arrays are changed, or taken out by None."""
    explained(np.random.default_rng(0), two_levels=True).save(folder)
    told = json.loads((folder / "explanation.json").read_text()) | (text or {})
    (folder / "explanation.json").write_text(
        json.dumps({key: value for key, value in told.items() if value is not None})
    )
    with np.load(folder / "explanation.npz") as stored:
        changed = dict(stored) | (arrays or {})
    np.savez(folder / "explanation.npz", **{key: value for key, value in changed.items() if value is not None})


@pytest.mark.parametrize(
    "change",
    (
        *({"text": {key: None}} for key in ("names", "record", "clip_r2", "layer")),
        {"text": {"record": {"clip": {"path": "a.wav"}}}},
        {"text": {"record": [1]}},
        *({"arrays": {key: None}} for key in ("scores", "map.data", "locations", "weights.weights", "effects.values")),
        {"arrays": {"weights.extra": np.zeros(3)}},
        {"arrays": {"weights.weights": np.full((15, 12), np.nan)}},
        {"arrays": {"weights.weights": np.zeros((15, 5))}},
        {"arrays": {"map.shape": np.array([149, 9])}},
        {"arrays": {"map.indices": np.zeros(4, dtype=np.int32)}},
        {"arrays": {"map.indptr": np.arange(4, dtype=np.int32)}},
        {"arrays": {"scores": np.zeros(3)}},
    ),
)
def test_load_explanation_iv_parts_that_do_not_fit(tmp_path, change):
    rewrite(tmp_path, **change)
    with pytest.raises(InputError, match="holds no explanation that can be read"):
        load_explanation(tmp_path)


def test_load_explanation_iv_any_damaged_byte_is_refused_or_does_no_harm(tmp_path, rng):
    explained(rng, two_levels=True).save(tmp_path)
    whole = (tmp_path / "explanation.npz").read_bytes()
    for at in rng.integers(0, len(whole), 40):
        (tmp_path / "explanation.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with suppress(InputError):
            assert load_explanation(tmp_path).names == SCORE_NAMES


def test_load_explanation_iv_missing_or_pickled(tmp_path):
    with pytest.raises(InputError, match="holds no explanation"):
        load_explanation(tmp_path)
    explanation({"valence": 0.5}).save(tmp_path)
    np.savez(tmp_path / "explanation.npz", scores=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="holds no explanation"):
        load_explanation(tmp_path)


def test_score_iv():
    with pytest.raises(InputError, match="target must be one of valence, got 'groove'"):
        explanation({"valence": 0.5}).score("groove")
