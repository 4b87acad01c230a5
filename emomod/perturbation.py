"""Random on/off patterns of components.

Conventions: masks are bool [n_perturbations, n_components], True where a component sounds as it is; the first row is
all on. Masks come in blocks; block b depends on (seed, b) alone, so a longer run begins with the masks of a shorter
one and batch sizes change nothing.

Designs that draw: "iid" draws every entry with probability 1/2, as LIME does (Ribeiro et al., KDD 2016); "paired"
follows each row by its complement (Covert & Lee, AISTATS 2021); "hadamard" takes the rows of a Hadamard matrix and
their complements, a two-level fold-over design in which no main effect is mixed with another or with an interaction
of two (Box & Hunter, Technometrics 3, 1961). "exhaustive" draws nothing: it is all 2^K masks of a few components, each
followed by its complement, as audioLIME takes them (Haunschmid et al., 2020, arXiv:2008.00582).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

from emomod.checks import check_choice, check_count, check_rng
from emomod.errors import InputError

FOLD_OVER = ("paired", "hadamard")  # each mask is followed by its complement
DESIGNS = ("iid", *FOLD_OVER)  # they draw
EXHAUSTIVE = "exhaustive"
ALL_DESIGNS = (*DESIGNS, EXHAUSTIVE)
MOST_EXHAUSTIVE = 16  # components, of which there are 65 536 masks
RANDOM_BLOCK = 1024  # rows in a block of the random designs
HELD_OUT = 2**31  # blocks from here on are for masks that no fit has seen


def _iid(n_components: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    return rng.random((RANDOM_BLOCK, n_components)) < 0.5


def _paired(n_components: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    half = rng.random((RANDOM_BLOCK // 2, n_components)) < 0.5
    return np.stack([half, ~half], axis=1).reshape(RANDOM_BLOCK, n_components)


def _hadamard(n_components: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    order = 1 << n_components.bit_length()  # the least power of two above n_components: column 0 is constant
    columns = 1 + rng.permutation(order - 1)[:n_components]
    half = hadamard(order, dtype=np.int8)[:, columns] > 0
    half = half[rng.permutation(order)] ^ (rng.random(n_components) < 0.5)
    return np.stack([half, ~half], axis=1).reshape(2 * order, n_components)


def n_masks(n_components: int) -> int:
    """Return how many masks there are of ``n_components``; InputError where they are too many to take them all."""
    if n_components > MOST_EXHAUSTIVE:
        most = f"at most {MOST_EXHAUSTIVE} components, of which there are {2**MOST_EXHAUSTIVE} masks"
        raise InputError(f"the design {EXHAUSTIVE} is for {most}, got {n_components}")
    return int(2 ** check_count("n_components", n_components))


def can_be_exhaustive(n_components: int, *, n_perturbations: int) -> bool:
    """Return whether all masks there are of ``n_components`` are no more than ``n_perturbations``."""
    return n_components <= MOST_EXHAUSTIVE and n_masks(n_components) <= n_perturbations


def _all_masks(n_components: int) -> Iterator[NDArray[np.bool_]]:
    first = np.arange(n_masks(n_components) // 2)
    codes = np.stack([n_masks(n_components) - 1 - first, first], axis=1).ravel()  # a mask and its complement
    for start in range(0, codes.size, RANDOM_BLOCK):
        block = codes[start : start + RANDOM_BLOCK, None]
        yield (block >> np.arange(n_components) & 1).astype(bool)


def least_perturbations(n_components: int, *, design: str) -> int:
    """Return how many masks of a design can tell all components, an intercept and noise apart.

    A mask and its complement say one thing about main effects, so the fold-over designs need two rows for each. The
    exhaustive design needs all masks there are.
    """
    if check_choice("design", design, ALL_DESIGNS) == EXHAUSTIVE:
        return n_masks(n_components)
    return 2 * n_components + 2 if design in FOLD_OVER else n_components + 2


def block_rows(n_components: int, *, design: str) -> int:
    """Return how many masks a block of a design that draws has."""
    return 2 << n_components.bit_length() if design == "hadamard" else RANDOM_BLOCK


_DRAW = {"iid": _iid, "paired": _paired, "hadamard": _hadamard}


def mask_blocks(
    n_components: int, *, n_perturbations: int, design: str, seed: int, first_block: int = 0
) -> Iterator[NDArray[np.bool_]]:
    """Yield masks [<= block rows, n_components], ``n_perturbations`` rows in all; the very first row is all on.

    ``first_block=HELD_OUT`` gives masks that are independent of those of the same seed. The exhaustive design draws
    none: all of its masks come, whatever ``n_perturbations``, seed and block.
    """
    check_choice("design", design, ALL_DESIGNS)
    check_count("n_components", n_components)
    if design == EXHAUSTIVE:
        yield from _all_masks(n_components)
        return
    check_rng(seed)
    left, block = check_count("n_perturbations", n_perturbations), first_block
    while left > 0:
        masks = _DRAW[design](n_components, np.random.default_rng([seed, block]))[:left]
        if block == 0:
            masks = masks ^ ~masks[0]  # flips components, which changes no design
        left, block = left - len(masks), block + 1
        yield masks
