import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emomod.errors import InputError
from emomod.perturbation import DESIGNS, HELD_OUT, least_perturbations, mask_blocks


def masks_of(n_components, n_perturbations, design, *, seed=0, first_block=0):
    blocks = mask_blocks(
        n_components, n_perturbations=n_perturbations, design=design, seed=seed, first_block=first_block
    )
    return np.vstack(list(blocks))


@given(
    n_components=st.integers(1, 70), n_perturbations=st.integers(1, 2500), design=st.sampled_from(DESIGNS),
    seed=st.integers(0, 2**32),
)  # fmt: skip
@settings(max_examples=25)
def test_masks_against_the_design_shape_first_row_and_seed(n_components, n_perturbations, design, seed):
    masks = masks_of(n_components, n_perturbations, design, seed=seed)
    assert masks.shape == (n_perturbations, n_components)
    assert masks.dtype == bool
    assert masks[0].all()
    assert np.array_equal(masks, masks_of(n_components, n_perturbations, design, seed=seed))
    shorter = masks_of(n_components, max(1, n_perturbations // 2), design, seed=seed)
    assert np.array_equal(masks[: len(shorter)], shorter)


@given(n_components=st.integers(1, 70), design=st.sampled_from(("paired", "hadamard")), seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_masks_against_theory_each_row_is_followed_by_its_complement(n_components, design, seed):
    masks = masks_of(n_components, 512, design, seed=seed)
    assert np.array_equal(masks[1::2], ~masks[::2])


@given(n_components=st.integers(1, 70), seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_hadamard_against_theory_a_block_is_orthogonal(n_components, seed):
    blocks = mask_blocks(n_components, n_perturbations=1024, design="hadamard", seed=seed)
    for block in itertools.islice(blocks, 2):
        assert len(block) == 2 * 2 ** int(np.floor(np.log2(n_components)) + 1)
        signs = np.column_stack([2.0 * block - 1.0, np.ones(len(block))])
        assert np.array_equal(signs.T @ signs, len(block) * np.eye(n_components + 1))


@pytest.mark.parametrize("n_components", (3, 7, 12))
def test_hadamard_against_theory_pairs_of_components_do_not_disturb_main_effects(rng, n_components):
    signs = 2.0 * masks_of(n_components, 4 * 2 ** n_components.bit_length(), "hadamard", seed=1) - 1.0
    effects, pairs = rng.normal(size=n_components), rng.normal(size=(n_components, n_components))
    scores = 0.3 + signs @ effects + np.einsum("ij,ni,nj->n", np.triu(pairs, 1), signs, signs)
    np.testing.assert_allclose(signs.T @ scores / len(signs), effects, atol=1e-12)
    iid = 2.0 * masks_of(n_components, len(signs), "iid", seed=1) - 1.0
    disturbed = 0.3 + iid @ effects + np.einsum("ij,ni,nj->n", np.triu(pairs, 1), iid, iid)
    assert np.abs(iid.T @ disturbed / len(iid) - effects).max() > 0.01  # which shows that the test can fail


@pytest.mark.parametrize("design", DESIGNS)
def test_masks_against_theory_components_are_on_half_of_the_time(design):
    share = masks_of(60, 8192, design)[1:].mean(axis=0)
    assert np.abs(share - 0.5).max() < 5 * 0.5 / np.sqrt(8191)


@pytest.mark.parametrize("design", DESIGNS)
def test_masks_against_itself_seeds_blocks_and_held_out_masks_differ(design):
    first = masks_of(40, 512, design, seed=5)
    assert not np.array_equal(first[1:], masks_of(40, 512, design, seed=6)[1:])
    assert not np.array_equal(masks_of(40, 2048, design, seed=5)[1024:1536], first)
    held_out = masks_of(40, 512, design, seed=5, first_block=HELD_OUT)
    assert not held_out[0].all()
    known = {row.tobytes() for row in first}
    assert sum(row.tobytes() in known for row in held_out) < 3


@pytest.mark.parametrize(
    ("changed", "message"),
    (
        ({"design": "sobol"}, "design must be one of iid, paired, hadamard, exhaustive, got 'sobol'"),
        ({"n_perturbations": 0}, "n_perturbations must be a whole number of at least 1, got 0"),
        ({"n_perturbations": 10.0}, "n_perturbations must be a whole number"),
        ({"n_components": 0}, "n_components must be a whole number"),
        ({"seed": -1}, "a seed must be >= 0"),
        ({"seed": None}, "so that a run can be repeated"),
        ({"seed": True}, "so that a run can be repeated"),
    ),
)
def test_masks_iv(changed, message):
    with pytest.raises(InputError, match=message):
        masks_of(**({"n_components": 4, "n_perturbations": 8, "design": "iid", "seed": 0} | changed))


@pytest.mark.parametrize("design", ("paired", "hadamard"))
@pytest.mark.parametrize("n_components", (3, 7, 20))
def test_least_perturbations_against_the_rank_of_the_design(design, n_components):
    least = least_perturbations(n_components, design=design)
    fewer = masks_of(n_components, least - 4, design)  # least - 2 leave no row for noise
    assert np.linalg.matrix_rank(np.column_stack([fewer, np.ones(len(fewer))])) < n_components + 1
