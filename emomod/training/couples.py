"""Clips of counterfactual pairs are shown side by side, so that what sets them apart is learnt by itself.

Both clips of a pair share nearly everything that their labels depend on, and the augmentation; half of the pairs share
the room, too (emomod.corpus.render). So the difference of their scores should be the effect of the one planted change,
and of nothing else. Its squared error is added to the loss (``couple_weight`` of the settings). The few pairs that the
border of two batches parts count as single clips.
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


def units_to_show(chosen: NDArray[np.intp], couples: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The indices ``chosen`` in arrays: both clips of a couple in one, every other clip in its own.

    ``couples`` [n_clips]: numbers of couples, -1 for none.
    """
    alone = chosen[couples[chosen] < 0]
    paired = chosen[couples[chosen] >= 0]
    ordered = paired[np.argsort(couples[paired], kind="stable")]
    borders = np.flatnonzero(np.diff(couples[ordered])) + 1
    return [*alone[:, None], *(np.split(ordered, borders) if ordered.size else [])]


def coupled(couples: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places of first and second clips [n_pairs] of one couple in a batch of the numbers ``couples`` [n_batch].

    A clip that is in the batch twice, where one pass over all clips ends and the next begins, pairs with itself, too.
    """
    order = np.argsort(couples, kind="stable")
    same = np.flatnonzero((np.diff(couples[order]) == 0) & (couples[order][1:] >= 0))
    return order[same], order[same + 1]


def alike(couples: NDArray[np.intp]) -> list[int]:
    """Place in a batch of the numbers ``couples`` [n_batch] of the first clip of each clip's couple; its own if alone.

    >>> alike(np.array([-1, 4, -1, 4]))
    [0, 1, 2, 1]
    """
    places: list[int] = []
    first: dict[int, int] = {}
    for place, couple in enumerate(couples.tolist()):
        places.append(place if couple < 0 else first.setdefault(couple, place))
    return places


def couples_loss(
    scores: torch.Tensor, labels: torch.Tensor, couples: NDArray[np.intp], *, names: tuple[str, ...], variant: str
) -> torch.Tensor:
    """The loss of ``variant`` of the differences within the couples of a batch; 0 where none is whole.

    Scores and labels [n_batch, n_names] with the columns ``names``; ``couples`` [n_batch]: numbers, -1 for none.
    """
    first, second = coupled(couples)
    return training_loss(scores[first] - scores[second], labels[first] - labels[second], names=names, variant=variant)
