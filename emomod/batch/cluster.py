"""Where a batch runs: workers of its own on this machine, or a cluster that is running already.

The workers of its own are processes of one thread each, which only this machine can reach, and only with a key that
is drawn anew for each run: whoever can reach the port of a Dask scheduler can have code run.
"""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

import dask
import distributed
from dask.system import CPU_COUNT
from distributed.comm.core import CommClosedError
from distributed.security import Security
from distributed.system import MEMORY_LIMIT

from emomod.batch.store import StoreError
from emomod.errors import EmomodError, InputError

QUIET = {
    "distributed.admin.log-length": 1000,  # nothing may pile up with the number of clips
    "distributed.admin.low-level-log-length": 1000,
    "distributed.scheduler.allowed-failures": 0,  # the ledger counts the tries
    "distributed.scheduler.worker-saturation": 1.0,  # a clip that takes its worker down takes no other clip with it
    "distributed.worker.memory.target": False,  # there is nothing to spill,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,  # and a worker that paused would wait for ever
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ": {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "MALLOC_TRIM_THRESHOLD_": "65536",
    },
}
TIMEOUT = "30s"  # for a scheduler to answer
MEMORY = 2**30  # bytes that a worker should have; with the model that ships it takes 0.6 GB
GONE = "the scheduler is gone; when it is there again, the same command goes on where this one was"


@contextmanager
def client_of(scheduler: str | None, *, n_workers: int | None) -> Iterator[distributed.Client]:
    """Yield a client of the ``scheduler`` at an address such as tcp://host:8786, or of ``n_workers`` of its own.

    By default these are as many as there are cores and memory for. InputError where the address is none, nothing
    answers there, or workers cannot be started.
    """
    with dask.config.set(QUIET), _hushed():
        if scheduler is None:
            with _own(n_workers or default_workers()) as cluster, distributed.Client(cluster) as client:
                yield client
            return
        try:
            client = distributed.Client(scheduler, timeout=TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(f"scheduler: nothing answers at {scheduler} ({error})") from None
        try:
            yield client
        finally:
            client.close(timeout=1)


def default_workers() -> int:
    """As many workers as there are cores, if there is memory for so many."""
    return max(1, min(CPU_COUNT, MEMORY_LIMIT // MEMORY))


def threads_of(client: distributed.Client) -> int:
    """The threads of all workers that are there."""
    return sum(client.nthreads().values())


@contextmanager
def reaching(client: distributed.Client) -> Iterator[None]:
    """Tell what goes wrong inside as a StoreError where the scheduler is gone."""
    try:
        yield
    except EmomodError:
        raise
    except Exception as error:
        if isinstance(error, CommClosedError) or client.status != "running":
            raise StoreError(GONE) from None
        raise


def _own(count: int) -> distributed.LocalCluster:
    """Workers on this machine, which share its memory; one that takes more than its share is killed."""
    try:
        with _deaf():
            return distributed.LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                memory_limit=MEMORY_LIMIT // count,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                security=Security.temporary(),
                silence_logs=logging.CRITICAL,
            )
    except (OSError, RuntimeError, TimeoutError) as error:
        raise InputError(f"workers: {count} could not be started ({error})") from None


@contextmanager
def _deaf() -> Iterator[None]:
    """Start threads and processes that Ctrl-C does not reach: this process ends them."""
    resource_tracker.ensure_running()  # which would let the signal through again, were it started below
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep to itself what Dask has to say: what matters to the batch comes back as results."""
    talkers = ("distributed", "tornado", "asyncio")
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in talkers]
    loggers = [logging.getLogger(name) for name in names]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
