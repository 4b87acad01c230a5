"""What benchmarks of speed share: processes of their own, a network of full width, a model run in other ways, tables.

Conventions: times are seconds of wall clock and speeds things a second; both differ from machine to machine, so that
what is published is ratios of runs that were neighbours in time, as medians over turns. Scripts are run from the
root of the project as modules, ``python -m benchmarks.engines``.
"""

import inspect
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from emomod.audio import read_clip
from emomod.cli.options import clip_path
from emomod.cli.process import HUGE_PAGES_THAT_ARE_KEPT, THREADS_THAT_WAIT_QUIETLY, TUNABLES
from emomod.components.base import sound_of
from emomod.components.kinds import DEFAULT, cut
from emomod.components.layered import LayeredComponents
from emomod.model.checkpoint import save_checkpoint
from emomod.model.engines import Scores
from emomod.model.mid_to_emotion import MidToEmotion
from emomod.model.network import EmotionNetwork
from emomod.model.predictor import Predictor, Takes, load_predictor
from emomod.output import to_json, whole_file, write_csv

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_WIDTH, FULL_WIDTH = 0.5, 1.0  # of the checkpoint that ships; of the 2019 network, of which none ships
Row = dict[str, Any]


def apart(
    job: Callable[..., Row], *, quiet: bool = True, huge: bool = False, timeout: float | None = None, **given: Any
) -> Row:
    """Return what a function of a benchmark gives in a new process; what goes in and comes out is JSON.

    ``quiet``: OpenMP's threads wait as those of the command ``emomod`` do, else as the library has it. ``huge``: memory
    is kept in huge pages as that of the command, else as in a script of a user's own. Raises CalledProcessError where
    the process fails, TimeoutExpired after ``timeout`` (s).
    """
    ways = {*THREADS_THAT_WAIT_QUIETLY, TUNABLES}
    environment = {name: value for name, value in os.environ.items() if name not in ways}
    environment |= THREADS_THAT_WAIT_QUIETLY if quiet else {}
    environment |= {TUNABLES: HUGE_PAGES_THAT_ARE_KEPT} if huge else {}
    environment |= {"TQDM_DISABLE": "1"}  # no progress bars of lime's
    command = [sys.executable, "-m", "benchmarks.measuring", Path(inspect.getfile(job)).stem, job.__name__]
    done = subprocess.run(
        [*command, json.dumps(given)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=timeout,
    )
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found


def seconds_of(job: Callable[[], object]) -> float:
    """Wall time of ``job``."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def peak_mib() -> float:
    """The most memory that this process has held, in MiB, libraries and model included."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 2**20 if sys.platform == "darwin" else held / 2**10


def median_ratio(above: ArrayLike, below: ArrayLike) -> float:
    """The median of the ratios of neighbours [n].

    >>> median_ratio([2.0, 9.0, 4.0], [1.0, 3.0, 2.0])
    2.0
    """
    return float(np.median(np.asarray(above, dtype=float) / np.asarray(below, dtype=float)))


def components_of(clip: str = "demo", components: str = DEFAULT) -> LayeredComponents:
    """A clip cut into components."""
    return cut(sound_of(read_clip(clip_path(clip)).y), components)


def checkpoint_of(width: float, folder: Path) -> str | None:
    """A checkpoint of a width for ``load_predictor``: the one that ships (None), or one that is written to ``folder``.

    The latter has random weights of a fixed seed, and batch norms with the statistics of the bundled clip.
    """
    if width == DEFAULT_WIDTH:
        return None
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = EmotionNetwork(width=width, dropout=0.0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over what it sees
    clip = components_of()
    with torch.no_grad():
        network(clip.mix(torch.ones(1, clip.n_components)))
    card = {"name": f"random, width {width:g}", "window_seconds": 10.0, "training_data": "none", "figures": {}}
    return str(save_checkpoint(folder / f"width_{width:g}.safetensors", network, card))


@dataclass(frozen=True, eq=False)
class Heard:
    """A model whose scores are made by ``scores``, as a model that can be explained."""

    predictor: Predictor
    scores: Scores
    mid_to_emotion: MidToEmotion | None
    names: tuple[str, ...]
    takes: Takes = "spectrogram"

    @property
    def device(self) -> torch.device:
        """Where the sounds should be."""
        return self.predictor.device

    @torch.inference_mode()
    def __call__(self, sounds: torch.Tensor, /) -> torch.Tensor:
        """Return scores [n, n_names]."""
        return self.scores(sounds)


def heard_by(predictor: Predictor, scores: Scores) -> Heard:
    """The predictor's model with its scores made in another way."""
    return Heard(predictor, scores, predictor.mid_to_emotion, predictor.names)


def predictor_of(checkpoint: str | None, *, engine: str | None = None) -> Predictor:
    """The model on the CPU; None is the checkpoint that ships, or the fastest engine in float32."""
    return load_predictor(checkpoint, device="cpu", engine=engine)


def made_by(script: str) -> str:
    """Where figures come from, for the end of a page."""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"Made on {datetime.now(UTC).date()} by {script} in {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}; load of the machine at its end {load}. Machines differ, the ratios less."
    )


def told(value: float | None, form: str = ".1f") -> str:
    """A figure as text; a dash for none."""
    return "–" if value is None or not np.isfinite(value) else format(value, form)


def page_of(title: str, *pieces: str) -> str:
    """A page of texts and tables."""
    return "\n\n".join([f"# {title}", *pieces]) + "\n"


def about(module_doc: str | None) -> str:
    """What a script's docstring says after its title and its commands, for its page."""
    return "\n\n".join((module_doc or "").strip().split("\n\n")[2:])


def write_results(
    out: Path, name: str, *, page: str, tables: Mapping[str, Sequence[Row]], figures: Row | None = None
) -> None:
    """Write NAME.md, a CSV for each of the ``tables`` and, where there are ``figures``, NAME.json into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    texts = {"md": page} | ({} if figures is None else {"json": to_json(figures) + "\n"})
    for ending, text in texts.items():
        with whole_file(out / f"{name}.{ending}") as partial:
            partial.write_text(text, encoding="utf-8")
    for which, rows in tables.items():
        with whole_file(out / f"{which}.csv") as partial:
            write_csv(partial, rows)


def note(text: str) -> None:
    """Say how far a benchmark is."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    print(json.dumps(getattr(import_module(f"benchmarks.{sys.argv[1]}"), sys.argv[2])(**json.loads(sys.argv[3]))))
