import numpy as np
import pytest
from fakes import grid_components, tones
from scipy.sparse import csr_array

from emomod.audio import SAMPLE_RATE
from emomod.component_map import ComponentMap, Location, map_of_labels
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.errors import InputError
from emomod.spectrogram import HOP_LENGTH
from emomod.steering.parts import FRAME_SECONDS, SHORTEST, Parts, audible_shares, borders, groups_of, parts_of

KINDS = (
    "felzenszwalb",
    "time:seconds=0.05",
    "grid:columns=12,rows=3",
    "hpss",
    "nmf:n=3",
    "hpss x time:seconds=0.06",
    "onsets",
)


def place(start, end, part=""):
    """A location of the frames ``start`` to ``end``."""
    return Location(start * FRAME_SECONDS, end * FRAME_SECONDS, start * FRAME_SECONDS, 100.0, 200.0, part)


def span(locations):
    return max(each.end for each in locations) - min(each.start for each in locations) + FRAME_SECONDS


def of_kind(kind, y=None):
    sound = sound_of(tones(1.0) if y is None else y)
    components = cut(sound, kind)
    where = ComponentMap(components.shares(), sound.spectrogram.shape)
    return sound, where, components.locations()


def test_borders_against_counting_by_hand():
    labels = np.array([[0, 0, 1], [0, 2, 1], [2, 2, 1]])
    found = borders(map_of_labels(labels), [place(0, 1), place(2, 2), place(0, 1)]).toarray()
    assert found.tolist() == [[0, 1, 3], [1, 0, 2], [3, 2, 0]]


def test_borders_against_itself_only_within_one_part():
    labels = np.array([[0, 0, 1], [0, 2, 1], [2, 2, 1]])
    found = borders(map_of_labels(labels), [place(0, 1, "drums"), place(2, 2, "bass"), place(0, 1, "drums")]).toarray()
    assert found.tolist() == [[0, 0, 3], [0, 0, 0], [3, 0, 0]]


@pytest.mark.parametrize("kind", KINDS)
def test_borders_against_itself_symmetric(kind):
    _, where, locations = of_kind(kind)
    found = borders(where, locations).toarray()
    np.testing.assert_allclose(found, found.T, atol=1e-3)
    assert (found >= 0.0).all()
    assert not found.diagonal().any()
    parts = np.array([each.part for each in locations])
    assert not found[parts[:, None] != parts].any()


def test_groups_of_against_reckoning_by_hand_the_longest_border_wins():
    touching = np.zeros((4, 4))
    touching[0, 1] = touching[1, 0] = 2.0
    touching[1, 2] = touching[2, 1] = 3.0
    touching[2, 3] = touching[3, 2] = 1.0
    locations = [place(0, 9), place(10, 10), place(11, 20), place(21, 30)]
    assert groups_of(locations, csr_array(touching)).tolist() == [0, 1, 1, 2]


def test_groups_of_against_reckoning_by_hand_until_it_is_long_enough():
    chain = np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1)
    alone = np.zeros((6, 6))
    frames = [place(k, k) for k in range(6)]  # of 32 ms each: three are not enough for 100 ms, four are
    grouped = groups_of(frames, csr_array(chain))
    assert all(span([frames[k] for k in np.flatnonzero(grouped == g)]) >= SHORTEST - 1e-9 for g in set(grouped))
    assert len(set(grouped)) < 3
    assert groups_of(frames, csr_array(alone)).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_against_the_promise_nothing_changes_alone_for_less_than_a_tenth_of_a_second(kind):
    sound, where, locations = of_kind(kind)
    log_spectrogram = sound.spectrogram.log_spectrogram.numpy()
    one, other = (parts_of(where, locations, log_spectrogram, bounds_db=np.full(len(locations), 9.0)) for _ in range(2))
    touching, shorter = borders(where, locations), 0
    assert sorted(set(one.group)) == list(range(one.n_groups))
    for group in range(one.n_groups):
        members = np.flatnonzero(one.group == group)
        assert len({locations[k].part for k in members}) == 1
        outside = touching[members].sum(axis=0)
        outside[members] = 0.0
        if span([locations[k] for k in members]) < SHORTEST - 1e-9:
            assert not outside.any()
            shorter += 1
    assert shorter == 0
    for name in ("group", "audible", "bounds_db", "edges", "lengths"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(("kind", "total"), [(k, 0.99 if "hpss" in k or "nmf" in k else 1.0) for k in KINDS])
def test_audible_shares_against_theory(kind, total):
    sound, where, _ = of_kind(kind)
    shares = audible_shares(where, sound.spectrogram.log_spectrogram.numpy())
    assert shares.min() >= 0.0
    assert total - 1e-6 <= shares.sum() <= 1.0 + 1e-6


def test_audible_shares_against_arithmetic():
    where = map_of_labels(np.array([[0, 0], [1, 2]]))
    np.testing.assert_allclose(audible_shares(where, np.array([[1.0, 2.0], [0.0, 5.0]])), [3 / 8, 0.0, 5 / 8])


def grid_parts(bounds=None, *, silence=0.0):
    """Parts of a sound of 1 s in four rows and three columns, of which the beginning is made silent."""
    components = grid_components()
    where = ComponentMap(components.shares(), components.shape)
    sound = sound_of(tones(1.0))
    log_spectrogram = sound.spectrogram.log_spectrogram.numpy().copy()
    log_spectrogram[:, : int(silence * log_spectrogram.shape[1])] = 0.0
    bounds = np.full(12, 9.0) if bounds is None else bounds
    return parts_of(where, components.locations(), log_spectrogram, bounds_db=bounds), components


def test_parts_of_against_counting_by_hand_edges_and_lengths():
    parts, components = grid_parts()
    assert parts.n_groups == 12
    neighbours = {tuple(sorted(edge)) for edge in parts.edges.tolist()}
    expected = {(3 * r + c, 3 * r + c + 1) for r in range(4) for c in range(2)}
    expected |= {(3 * r + c, 3 * (r + 1) + c) for r in range(3) for c in range(3)}
    assert neighbours == expected
    assert len(parts.edges) == len(expected)
    assert parts.lengths.sum() == pytest.approx(1.0)
    regions = components.regions
    border = int(((regions[:, :-1] == 0) & (regions[:, 1:] == 1)).sum())
    total = int((regions[:, :-1] != regions[:, 1:]).sum() + (regions[:-1] != regions[1:]).sum())
    edge = parts.edges.tolist().index([0, 1])
    assert parts.lengths[edge] == pytest.approx(border / total)


def test_differences_against_arithmetic(rng):
    parts, _ = grid_parts()
    gains = rng.normal(size=12)
    np.testing.assert_allclose(parts.differences @ gains, gains[parts.edges[:, 0]] - gains[parts.edges[:, 1]])


def test_size_db_against_arithmetic(rng):
    parts, _ = grid_parts()
    assert parts.size_db(np.full(12, -3.0)) == pytest.approx(3.0)
    gains = rng.normal(size=12)
    assert parts.size_db(gains) == pytest.approx(np.sqrt(np.average(gains**2, weights=parts.audible)))


def grouped(audible=(0.1, 0.3, 0.2, 0.0, 0.0)):
    """Five components in three groups, the last of them silent."""
    group, each = np.array([0, 1, 0, 2, 2]), np.array(audible)
    total = np.bincount(group, each).astype(np.float64)
    return Parts(group, each, total, np.full(3, 9.0), np.zeros((0, 2), dtype=np.intp), np.zeros(0))


def test_divided_against_arithmetic_and_sums_back(rng):
    parts = grouped()
    np.testing.assert_allclose(parts.divided(np.array([3.0, 5.0, 4.0])), [1.0, 5.0, 2.0, 2.0, 2.0])
    shares = rng.normal(size=(7, 3))
    divided = parts.divided(shares)
    back = np.stack([divided[:, parts.group == g].sum(axis=1) for g in range(3)], axis=1)
    np.testing.assert_allclose(back, shares)


def test_spread_against_arithmetic():
    np.testing.assert_allclose(grouped().spread(np.array([[1.0, 2.0, 3.0]])), [[1.0, 2.0, 1.0, 3.0, 3.0]])


def test_parts_of_against_the_promise_a_group_goes_as_far_as_each_of_its_components(rng):
    sound, where, locations = of_kind("time:seconds=0.05")
    bounds = rng.uniform(1.0, 9.0, len(locations))
    parts = parts_of(where, locations, sound.spectrogram.log_spectrogram.numpy(), bounds_db=bounds)
    assert parts.n_groups < len(locations)
    for group in range(parts.n_groups):
        assert parts.bounds_db[group] == bounds[parts.group == group].min()


def test_parts_of_against_the_promise_silence_is_left_alone():
    parts, components = grid_parts(silence=0.4)
    silent = components.regions.reshape(-1)[: components.shape[1]][0]
    assert parts.audible[silent] == 0.0
    np.testing.assert_array_equal(parts.bounds_db == 0.0, parts.audible == 0.0)
    assert np.isfinite(parts.divided(np.ones((2, 12)))).all()


def test_parts_of_iv_limits_that_leave_nothing():
    with pytest.raises(InputError, match=r"^limits must leave a part of the sound that may change, got limits of 0 dB"):
        grid_parts(np.zeros(12))


def test_parts_of_iv_limits_that_leave_only_silence():
    _, components = grid_parts()
    first = np.unique(components.regions[:, 0])
    with pytest.raises(InputError, match=r"^limits must leave a part of the sound that may change"):
        grid_parts(np.where(np.isin(np.arange(12), first), 9.0, 0.0), silence=0.4)


def test_frame_seconds_against_the_front_end():
    assert pytest.approx(HOP_LENGTH / SAMPLE_RATE) == FRAME_SECONDS
