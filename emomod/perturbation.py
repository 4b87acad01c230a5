"""Random on/off patterns of components, and what "off" means.

Conventions: masks are bool [n_perturbations, n_components], True where a component sounds as it is; the first row is
all on. Masks come in blocks; block b depends on (seed, b) alone, so a longer run begins with the masks of a shorter
one and batch sizes change nothing.

Designs: "iid" draws every entry with probability 1/2, as LIME does (Ribeiro et al., KDD 2016); "paired" follows each
row by its complement (Covert & Lee, AISTATS 2021); "hadamard" takes the rows of a Hadamard matrix and their
complements, a two-level fold-over design in which no main effect is mixed with another or with an interaction of two
(Box & Hunter, Technometrics 3, 1961).
"""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

from emomod.checks import check_choice, check_count, check_rng
from emomod.errors import InputError

FOLD_OVER = ("paired", "hadamard")  # each mask is followed by its complement
DESIGNS = ("iid", *FOLD_OVER)
RANDOM_BLOCK = 1024  # rows in a block of the random designs
HELD_OUT = 2**31  # blocks from here on are for masks that no fit has seen


def off_gain(off: str) -> float:
    """Return the amplitude factor of a component that is off: "silence" or a cut in dB, with or without its sign.

    >>> off_gain("silence"), round(off_gain("-6dB"), 4), round(off_gain("6dB"), 4)
    (0.0, 0.5012, 0.5012)
    """
    if off == "silence":
        return 0.0
    found = re.fullmatch(r"-?(\d+(?:\.\d+)?)\s*dB", str(off))
    if not found or float(found[1]) == 0.0:
        raise InputError(f'off must be "silence" or a cut in dB such as "-6dB", got {off!r}')
    return float(10 ** (-float(found[1]) / 20))


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


def least_perturbations(n_components: int, *, design: str) -> int:
    """Return how many masks of a design can tell all components, an intercept and noise apart.

    A mask and its complement say one thing about main effects, so the fold-over designs need two rows for each.
    """
    return 2 * n_components + 2 if check_choice("design", design, DESIGNS) in FOLD_OVER else n_components + 2


_DRAW = {"iid": _iid, "paired": _paired, "hadamard": _hadamard}


def mask_blocks(
    n_components: int, *, n_perturbations: int, design: str, seed: int, first_block: int = 0
) -> Iterator[NDArray[np.bool_]]:
    """Yield masks [<= block rows, n_components], ``n_perturbations`` rows in all; the very first row is all on.

    ``first_block=HELD_OUT`` gives masks that are independent of those of the same seed.
    """
    check_choice("design", design, DESIGNS)
    check_count("n_components", n_components)
    check_rng(seed)
    left, block = check_count("n_perturbations", n_perturbations), first_block
    while left > 0:
        masks = _DRAW[design](n_components, np.random.default_rng([seed, block]))[:left]
        if block == 0:
            masks = masks ^ ~masks[0]  # flips components, which changes no design
        left, block = left - len(masks), block + 1
        yield masks
