"""One window at a time, its masks shared out among workers: for a few clips with many masks.

One worker cuts, fits, renders and re-scores; all of them score blocks of masks. Each has the clip and the model, so
that only masks and scores travel. Results are those of whole clips, to the bit: no mixture's score depends on others.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from distributed import Client, worker_client

from emomod.attribution.common import Array, Masks, Neighbourhood, Through, neighbourhood
from emomod.audio import read_clip
from emomod.batch.cluster import threads_of
from emomod.batch.work import Job, Outcome, Window, do, model_of
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.errors import InputError

MOST_ROWS = 64  # masks of a task: more would leave workers waiting at the end of a block


def do_split(window: Window, job: Job) -> Outcome:
    """Do a window, as ``do``, in a worker that has others score its masks."""
    with worker_client() as client:
        return do(window, job, through=_shared_out(client, window, job))


def _shared_out(client: Client, window: Window, job: Job) -> Through:
    """Scores of masks by way of the workers."""

    def through(masks: Masks, score: Callable[[Masks], Array]) -> Array:  # noqa: ARG001 - others score
        size = min(MOST_ROWS, -(-len(masks) // max(1, threads_of(client))))
        pieces = [masks[first : first + size] for first in range(0, len(masks), size)]
        futures = [
            client.submit(score_masks, window, job, np.packbits(each).tobytes(), each.shape, pure=False)
            for each in pieces
        ]
        return np.vstack(client.gather(futures))

    return through


def score_masks(window: Window, job: Job, packed: bytes, shape: tuple[int, int]) -> Array:
    """Scores [n, T] of masks of ``shape`` [n, K], eight of whose bits are a byte."""
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=shape[0] * shape[1])
    return _hood(window, job).scores(bits.reshape(shape).astype(bool))


@lru_cache(maxsize=1)
def _hood(window: Window, job: Job) -> Neighbourhood:
    """The clip, cut once in a process."""
    predictor = model_of(job)
    clip = read_clip(window.path, start=window.start, seconds=predictor.window_seconds)
    if clip.sha256 != window.clip_sha256:
        raise InputError(f"{window.path}: is another file on this machine")
    parts = cut(sound_of(clip.y, start=clip.start), job.recipe.components, device=predictor.device)
    return neighbourhood(predictor, parts, job.recipe.method_settings)
