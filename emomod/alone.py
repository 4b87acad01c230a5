"""One process at a time at a place that two would spoil: the second is refused, and one that is killed lets go."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from emomod.errors import InputError


class InUse(InputError):  # noqa: N818 - a state of the place, not a mistake
    """Another process is at work there."""


@contextmanager
def alone(place: Path) -> Iterator[Callable[[], None]]:
    """Hold ``place``: a folder that is there, or else a lock file, which is made for it and removed at the end.

    Yields a check that raises InputError where the place has gone, as when its disk was unmounted. InUse where another
    process holds it, InputError where it cannot be opened. A file system without locks holds nothing.
    """
    is_folder = place.is_dir()
    try:
        handle = os.open(place, os.O_RDONLY if is_folder else os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"{place}: cannot be written ({error.strerror})") from None
    try:
        lock(handle, place)
        try:
            yield partial(_check_there, handle, place)
        finally:
            if not is_folder and _is_there(handle, place):
                with suppress(OSError):
                    place.unlink()
    finally:
        os.close(handle)


def lock(handle: int, place: Path) -> None:
    """Lock what is open, until it is closed; InUse where another process has it, or had it and has just removed it."""
    taken = InUse(f"out: another run is at work on it ({place} is in use)")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise taken from None
    except OSError:
        return
    if not _is_there(handle, place):
        raise taken


def _check_there(handle: int, place: Path) -> None:
    if not _is_there(handle, place):
        raise InputError(f"out: {place} has gone; nothing is written in its place")


def _is_there(handle: int, place: Path) -> bool:
    """Whether what is open is still what has the name."""
    try:
        return os.path.samestat(os.fstat(handle), place.stat())
    except OSError:
        return False
