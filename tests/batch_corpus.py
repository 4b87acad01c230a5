"""A small corpus for `emomod batch`, where its workers are, and how what two runs left is compared."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fakes import sound_file, tiny_checkpoint
from killing import processes, timeless

from emomod.batch.store import CLIPS_TABLE, MANIFEST, found_keys
from emomod.batch.tables import read_rows

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
N_CLIPS = 5  # of sound, each another


def write_corpus(folder: Path, *, n_masks: int = 64, model: str = "", more: str = "") -> Path:
    """Write clips, a copy of one, a file that is no sound, a list of these and of one that is absent, and a recipe."""
    names = [str(sound_file(folder, name=f"clip{k}.wav", seed=k)) for k in range(N_CLIPS)]
    shutil.copy(names[0], folder / "copy.wav")
    (folder / "bad.wav").write_text("nonsense")
    names += [str(folder / name) for name in ("copy.wav", "bad.wav", "absent.wav")]
    (folder / "list.csv").write_text("\n".join(["path", *names]) + "\n")
    checkpoint = tiny_checkpoint(folder / "tiny.safetensors")
    (folder / "recipe.yaml").write_text(
        f"targets: [articulation, energy]\nmodel: {model or checkpoint}\ncomponents: grid\n"
        f'method: "lime:n_perturbations={n_masks},n_held_out=8"\nmodify: {{n_controls: 2, rule: "top:9"}}\n{more}'
    )
    return folder


def differences(store: Path, other: Path) -> list[str]:
    """In what two stores differ, but for times: names of files, and of clips.csv the lines."""
    one, two = contents(store), contents(other)
    rows = [[str(row) for row in each.pop(CLIPS_TABLE)] for each in (one, two)]
    return [name for name in sorted(one.keys() | two.keys()) if one.get(name) != two.get(name)] + sorted(
        set(rows[0]) ^ set(rows[1])
    )


def contents(store: Path) -> dict[str, Any]:
    """All that a batch left, without times: of tables the rows, of other files what they hold."""
    found: dict[str, Any] = {"runs": read_rows(store, "runs"), "shifts": read_rows(store, "shifts")}
    for path in sorted((store / "clips").rglob("*")):
        if path.is_file():
            found[str(path.relative_to(store))] = timeless(path)
    return found | {CLIPS_TABLE: [{**row, "tries": ""} for row in rows_of(store)]}


def rows_of(store: Path) -> list[dict[str, str]]:
    """The lines of clips.csv."""
    with open(store / CLIPS_TABLE, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def made(store: Path) -> dict[Path, tuple[int, int]]:
    """What tells whether windows were written again: inode and time of each manifest."""
    paths = [folder / MANIFEST for folder in found_keys(store).values()]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths if path.is_file()}


def wait_for(happens: Callable[[], Any], *, seconds: float = 120.0) -> Any:
    """Wait until something is so, and return it; TimeoutError where it does not come."""
    deadline = time.monotonic() + seconds
    while not (found := happens()):
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen")
        time.sleep(0.02)
    return found


def emomod_batch(corpus: Path, store: Path, *words: str) -> "subprocess.Popen[str]":
    """Start the command as a process with a group of its own, as a terminal does."""
    told = ["batch", str(corpus / "list.csv"), "--recipe", str(corpus / "recipe.yaml"), "--out", str(store), *words]
    return subprocess.Popen(
        [sys.executable, "-m", "emomod", *told],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | ENVIRONMENT,
    )


@contextmanager
def scheduler_and_worker(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A scheduler and a worker of it as they are started by hand; both gone at the end."""
    address, started = f"tcp://127.0.0.1:{port}", list["subprocess.Popen[bytes]"]()
    for words in (
        ("dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"),
        ("dask_worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"),
    ):
        command = [sys.executable, "-m", f"distributed.cli.{words[0]}", *words[1:]]
        with open(folder / f"{words[0]}.txt", "a") as log:
            started.append(
                subprocess.Popen(command, stderr=log, cwd=folder, env=os.environ | ENVIRONMENT, start_new_session=True)
            )
    try:
        yield started[0]
    finally:
        for process in started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """Have ``act`` done in a thread; what it raises is raised at the end."""
    raised = list[BaseException]()

    def acting() -> None:
        try:
            act()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=acting)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if raised:
        raise raised[0]


@contextmanager
def paused(workers: Iterable[int]) -> Iterator[None]:
    """Have processes stand still, so that nothing more is done in the meantime."""
    stopped = list(workers)
    for worker in stopped:
        os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in stopped:
            os.kill(worker, signal.SIGCONT)


def begun(store: Path, n: int = 1) -> dict[Path, tuple[int, int]]:
    """The manifests, once there are ``n``."""
    found: dict[Path, tuple[int, int]] = wait_for(lambda: windows if len(windows := made(store)) >= n else None)
    return found


def children_of(parent: int) -> list[int]:
    """The processes that a process started and that run."""
    return [process for process, of, _ in processes() if of == parent]
