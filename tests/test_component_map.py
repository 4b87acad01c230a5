import numpy as np
import pytest
from scipy.sparse import csr_array

from emomod.component_map import ComponentMap, map_of_labels
from emomod.errors import InputError

LABELS = np.array([[0, 0, 1], [2, 2, 1]], dtype=np.intp)


def shared_map():
    """Two components; the second has a quarter of the first two cells and all of the others."""
    shares = np.array([[0.75, 0.75, 0, 0, 0, 0], [0.25, 0.25, 1, 1, 1, 1]], dtype=np.float32)
    return ComponentMap(csr_array(shares), (2, 3))


def test_map_of_labels_against_theory():
    found = map_of_labels(LABELS)
    assert (found.n_components, found.shape) == (3, (2, 3))
    assert found.labels is not None
    assert np.array_equal(found.labels, LABELS)
    assert np.array_equal(found.spread([5.0, -1.0, 2.0]), np.array([5.0, -1.0, 2.0])[LABELS])


def test_spread_against_theory_of_shared_cells():
    found = shared_map()
    assert found.labels is None
    assert np.array_equal(found.spread([4.0, 8.0]), [[5.0, 5.0, 8.0], [8.0, 8.0, 8.0]])


def test_at_frames_against_theory():
    frames = np.array([0, 1, 2, 2])
    labels = map_of_labels(LABELS).at_frames(frames).labels
    assert labels is not None
    assert np.array_equal(labels, LABELS[:, frames])
    found = shared_map().at_frames(frames)
    assert np.array_equal(found.spread([4.0, 8.0]), [[5.0, 5.0, 8.0, 8.0], [8.0, 8.0, 8.0, 8.0]])


def test_agrees_against_theory():
    found = shared_map()
    assert found.agrees(found.shares * np.float32(1.001))
    assert not found.agrees(found.shares * np.float32(1.1))
    assert not found.agrees(map_of_labels(LABELS).shares)


def test_component_map_iv():
    with pytest.raises(InputError, match="shares must be of 2 x 4 cells, got 6"):
        ComponentMap(map_of_labels(LABELS).shares, (2, 4))
