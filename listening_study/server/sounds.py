"""Reads a stimulus as it was made: what else lies, or is linked to, under its name is never sent."""

import hashlib
import os
import stat
from pathlib import Path

MAX_SOUND = 64 * 1024 * 1024  # bytes


class ChangedSoundError(Exception):
    """What lies there is not what was made."""


def read_sound(path: Path, *, sha256: str) -> bytes:
    """The bytes of a file; ChangedSoundError where they have not the hash ``sha256``, OSError where none can be read.

    A link is followed, since what it leads to must have the hash as well. Pipes and devices are not waited for.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ChangedSoundError("it is no file")
        with open(handle, "rb", closefd=False) as file:
            found = file.read(MAX_SOUND + 1)
    finally:
        os.close(handle)
    if hashlib.sha256(found).hexdigest() != sha256:
        raise ChangedSoundError("it was changed after it was made")
    return found
