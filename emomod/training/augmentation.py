"""Change log spectrograms as a recording might, without changing what the labels say: level, equalisation, start.

All in the log10(1 + x) domain of the front end: a factor g on the magnitude is ``log10(1 + g * (10 ** s - 1))``.
"""

from collections.abc import Sequence

import torch

GAIN_DB = 6.0  # level is drawn from +-GAIN_DB
TILT_DB = 6.0  # difference between the lowest and the highest band is drawn from +-2 * TILT_DB
BELL_DB = 6.0
LARGEST_SHIFT = 0.5  # share of the clip by which it may be rotated in time


def scale_cells(spectrograms: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
    """Scale the magnitudes of log spectrograms [n, n_bands, n_frames] by ``gains`` that broadcast to them."""
    return torch.log10(1.0 + gains * (10.0**spectrograms - 1.0))


def augment(spectrograms: torch.Tensor, alike: Sequence[int], generator: torch.Generator) -> torch.Tensor:
    """Return [n, n_bands, n_frames] with a drawn level, tilt, bell and rotation in time for each clip.

    Clip i gets what was drawn for clip ``alike[i]``. What is drawn comes from ``generator``, on the CPU; the
    spectrograms may be on any device.
    """
    (n, n_bands, n_frames), places = spectrograms.shape, list(alike)

    def draw(scale: float) -> torch.Tensor:
        return scale * (2.0 * torch.rand(n, 1, generator=generator) - 1.0)[places]

    place = torch.linspace(-1.0, 1.0, n_bands)
    bell = torch.exp(-0.5 * ((place - draw(1.0)) / 0.2) ** 2)
    decibels = draw(GAIN_DB) + draw(TILT_DB) * place + draw(BELL_DB) * bell
    gains = 10.0 ** (decibels / 20.0)[:, :, None]
    changed = scale_cells(spectrograms, gains.to(spectrograms.device))
    shifts = torch.randint(0, max(1, int(LARGEST_SHIFT * n_frames)), (n,), generator=generator)[places]
    return torch.stack([clip.roll(int(shift), dims=-1) for clip, shift in zip(changed, shifts, strict=True)])
