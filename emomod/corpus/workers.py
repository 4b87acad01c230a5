"""Do pieces of work in several processes that neither outlive this one nor are cut off in the middle of a piece.

Ctrl-C stops after the pieces in hand: the processes do not hear it. If this process is killed, they end by themselves.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from emomod.errors import InputError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Log = Callable[[str], None]


def work_off(make: Callable[[int], int], items: Sequence[int], *, n_workers: int, log: Log) -> Iterator[int]:
    """Give what ``make``, which other processes can load, makes of each of ``items``, in the order of their ends.

    InputError where a process was ended from outside.
    """
    if n_workers == 1 or len(items) < 2:
        yield from map(make, items)
        return
    context, waiting = multiprocessing.get_context("spawn"), iter(items)
    with _one_thread_each(), ProcessPoolExecutor(n_workers, mp_context=context, initializer=_begin) as pool:
        at_work: set[Future[int]] = set()
        try:
            while at_work or _submit(pool, make, waiting, at_work, most=n_workers):
                done, at_work = wait(at_work, return_when=FIRST_COMPLETED)
                _submit(pool, make, waiting, at_work, most=n_workers)
                yield from (finished.result() for finished in done)
        except KeyboardInterrupt:
            log(f"stopping after the {len(at_work)} shards in hand")
            raise
        except BrokenProcessPool:
            raise InputError(
                "n_workers: one of the processes was ended from outside, perhaps since memory ran out; the same "
                "command goes on where it was, perhaps with fewer workers"
            ) from None


def _submit(
    pool: ProcessPoolExecutor,
    make: Callable[[int], int],
    waiting: Iterator[int],
    at_work: "set[Future[int]]",
    *,
    most: int,
) -> bool:
    """Add waiting items to those at work, up to ``most``; True if any are at work."""
    while len(at_work) < most and (item := next(waiting, None)) is not None:
        at_work.add(pool.submit(make, item))
    return bool(at_work)


def _begin() -> None:
    """What each process does first: leave Ctrl-C to its parent, and watch that the parent lives."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Have the processes that start here compute in one thread, so that they do not wait for each other."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
