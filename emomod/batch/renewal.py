"""The tables of a store are renewed by a process of its own.

Not all of the memory that Arrow takes for a data set goes back: in a command that renews it again and again for days,
or in a worker, it would pile up. What a process takes is gone with it.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from emomod.batch.store import StoreError, blaming, found_keys
from emomod.batch.tables import update_tables
from emomod.errors import EmomodError, InputError


def renew_tables(store: Path) -> None:
    """Have the rows of all windows that are in a store in its tables, and no others.

    InputError where a manifest cannot be read, StoreError where tables cannot be written.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-m", __name__, str(store.resolve())]
    alive, ours = os.pipe()  # it reads there until this process is gone
    try:
        done = subprocess.run(  # in a session of its own, which Ctrl-C does not reach
            command,
            stdin=alive,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(alive)
        os.close(ours)
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2] or "memory?"
        raise StoreError(f"the tables of {store} could not be written: their process ended ({why:.300})")
    kind, told = json.loads(done.stdout)
    if told:
        raise StoreError(told) if kind == StoreError.__name__ else InputError(told)


def _told(store: Path) -> tuple[str, str]:
    """Do it; what kind of error came of it and its text, both empty where none did."""
    try:
        with blaming(store):
            update_tables(store, found_keys(store))
    except EmomodError as error:
        return type(error).__name__, str(error)
    return "", ""


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: a later run may be at the tables by then."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(json.dumps(_told(Path(sys.argv[1]))))
