"""Input checks of the metrics."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emomod.errors import InputError


def check_numbers(name: str, values: ArrayLike, *, ndim: int, rows: int = 1) -> NDArray[np.float64]:
    """Return ``values`` as finite floats of ``ndim`` axes, none of length 0, the first of at least ``rows``."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers, got {values!r}") from None
    if array.ndim != ndim or 0 in array.shape or array.shape[0] < rows:
        wanted = f"at least {rows} x 1" if ndim == 2 else f"at least {rows}"
        raise InputError(f"{name} must have {ndim} axes of {wanted} numbers, got shape {list(array.shape)}")
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite, got {int((~np.isfinite(array)).sum())} of NaN or infinity")
    return array


def check_alike(**arrays: NDArray[np.float64]) -> None:
    """InputError unless all arrays have one shape."""
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise InputError(f"{' and '.join(shapes)} must have one shape, got {told}")
