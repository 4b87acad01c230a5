"""Clips of counterfactual pairs are shown together, so that what sets them apart is learnt by itself.

Both clips of a pair share nearly everything that their labels depend on; the difference of their scores is the effect
of the one thing that was changed. Its squared error is added to the loss (``couple_weight`` of the settings).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.training.targets import training_loss


def couple_numbers(couples: Sequence[str]) -> NDArray[np.intp]:
    """A number [n] for each couple of ``couples`` [n], the same for the same name; -1 for ""."""
    names, numbers = np.unique(np.asarray(couples, dtype=str), return_inverse=True)
    return np.asarray(np.where(names == "", -1, np.arange(names.size))[numbers])


def shown_together(chosen: NDArray[np.intp], couples: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The clips ``chosen`` (ascending indices), each pair of one couple in one array, every other clip in its own.

    ``couples`` [n_clips]: numbers of couples, -1 for none.
    """
    alone = chosen[couples[chosen] < 0]
    paired = chosen[couples[chosen] >= 0]
    ordered = paired[np.argsort(couples[paired], kind="stable")]
    borders = np.flatnonzero(np.diff(couples[ordered])) + 1
    return [*alone[:, None], *(np.split(ordered, borders) if ordered.size else [])]


def coupled(couples: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places of the first and second clips [n_pairs] of the couples that are whole in ``couples`` [n_batch]."""
    order = np.argsort(couples, kind="stable")
    same = np.flatnonzero((np.diff(couples[order]) == 0) & (couples[order][1:] >= 0))
    return order[same], order[same + 1]


def couples_loss(
    scores: torch.Tensor, labels: torch.Tensor, couples: NDArray[np.intp], *, names: tuple[str, ...], variant: str
) -> torch.Tensor:
    """The loss of ``variant`` of the differences within the couples of a batch; 0 where none is whole.

    Scores and labels [n_batch, n_names] with the columns ``names``; ``couples`` [n_batch]: numbers, -1 for none.
    """
    first, second = coupled(couples)
    return training_loss(scores[first] - scores[second], labels[first] - labels[second], names=names, variant=variant)
