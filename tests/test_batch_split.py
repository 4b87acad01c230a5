import numpy as np
import pytest
from fakes import sound_file
from test_batch_work import job_of, window_of

from emomod.batch.split import score_masks
from emomod.errors import InputError


def test_score_masks_iv_another_file_on_this_machine(tmp_path):
    job = job_of(tmp_path)
    window = window_of(tmp_path, job)
    packed = np.packbits(np.ones((2, 9), dtype=bool)).tobytes()
    sound_file(tmp_path, seed=5)  # in the place of the first
    with pytest.raises(InputError, match="is another file on this machine"):
        score_masks(window, job, packed, (2, 9))
