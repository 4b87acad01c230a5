"""How the command's process waits and keeps memory, of which libraries must be told before they are loaded.

OpenMP's threads spin while they wait; where another process wants the core, that makes torch several times slower.

The network reads and writes some hundred megabytes for each sound. By itself glibc asks the system for each large array
anew, in pages of 4 KB that the processor has to look up one by one. Told to take huge pages and to keep them, the same
work takes less time; docs/performance.md has how much. It reads that when a process starts, so that the command starts
itself anew, within its process. Other C libraries ignore it.
"""

import os
import sys

THREADS_THAT_WAIT_QUIETLY = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
TUNABLES = "GLIBC_TUNABLES"
HUGE_PAGES_THAT_ARE_KEPT = ":".join(
    (
        "glibc.malloc.hugetlb=1",  # ask for huge pages, where the system has them for those that ask
        "glibc.malloc.arena_max=1",  # which it does in the one heap
        f"glibc.malloc.mmap_threshold={2**30}",  # from which large arrays are taken, too,
        f"glibc.malloc.trim_threshold={2**30}",  # and that does not shrink between them
    )
)


def wait_quietly() -> None:
    """Let threads of libraries that are loaded from now on wait without spinning, unless the environment says how."""
    for name, value in THREADS_THAT_WAIT_QUIETLY.items():
        os.environ.setdefault(name, value)


def keep_huge_pages() -> None:
    """On Linux, start the process anew with memory in huge pages, unless the environment says how memory is kept."""
    if sys.platform == "linux" and TUNABLES not in os.environ:
        os.environ[TUNABLES] = HUGE_PAGES_THAT_ARE_KEPT
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
