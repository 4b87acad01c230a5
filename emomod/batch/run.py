"""The batch: every window of every clip that is not in the store yet, done by workers, a bounded number at a time."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker, as_completed

from emomod.batch.clip_list import read_clip_list
from emomod.batch.cluster import GONE, client_of, reaching, threads_of
from emomod.batch.ledger import Ledger, Task
from emomod.batch.recipe import Recipe, read_recipe
from emomod.batch.renewal import renew_tables
from emomod.batch.split import do_split
from emomod.batch.store import CLIPS_TABLE, FORMAT, StoreError, blaming, found_keys, held, open_store, sweep
from emomod.batch.work import Job, Outcome, Window, do, look
from emomod.checks import check_choice, check_count
from emomod.errors import InputError
from emomod.explained import model_record
from emomod.model.load import load_model
from emomod.model.predictor import ScoringModel
from emomod.output import whole_file, write_csv
from emomod.provenance import machine, package_versions
from emomod.stages import Stages

IN_HAND = 3  # tasks for each thread of a worker, so that none waits
TABLES_EVERY = 512  # windows that were done, at least, and a quarter of what is in the tables
DIED = "its worker died of it (memory?), or was killed"
DO = {"clips": do, "masks": do_split}  # by what is split among workers


@dataclass(frozen=True)
class BatchResult:
    """What a run of a batch did."""

    folder: Path
    n_done: int  # windows of the list that are in the store now
    n_kept: int  # of these, that were there before
    failed: tuple[Outcome, ...]
    seconds: dict[str, float]  # by stage

    def as_dict(self) -> dict[str, Any]:
        """The result for JSON."""
        return {
            "store": str(self.folder),
            "done": self.n_done,
            "kept": self.n_kept,
            "failed": [{"path": each.path, "start": each.start, "error": each.error} for each in self.failed],
            "seconds": self.seconds,
        }


def run_batch(
    corpus: str | Path,
    recipe: str | Path,
    *,
    out: str | Path,
    n_workers: int | None = None,
    scheduler: str | None = None,
    split: str = "clips",
    retries: int = 2,
    device: str | None = None,
    stages: Stages | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> BatchResult:
    """Do what the YAML file ``recipe`` says with every clip of a CSV or folder ``corpus``; results go into ``out``.

    What is in the store already is not done again, so that the same call goes on where one was stopped. A clip that
    cannot be used is recorded, and the others go on; where another try may help, there are ``retries``. What is split
    among workers are "clips", or the "masks" of one clip after the other, see emomod.batch.split. InputError
    for a list, a recipe or a store that cannot be used; StoreError where the store goes away or is full.
    """
    stages, folder = stages or Stages(), Path(out)
    check_count("retries", retries, low=0)
    check_choice("split", split, tuple(DO))
    if n_workers is not None:
        check_count("n_workers", n_workers)
    clips, wanted = read_clip_list(Path(corpus).absolute()), read_recipe(recipe)
    predictor = load_model(wanted.model or None, device=device)
    _check(wanted, predictor)
    with held(folder):
        open_store(folder, record_of(wanted, predictor))
        job = Job(str(folder.resolve()), wanted, device, predictor.sha256, _place_of(wanted.model))
        with blaming(folder), stages.stage("reading the store"):
            ledger = Ledger(clips, found_keys(folder), retries=retries)
        with ExitStack() as cluster:
            with stages.stage("starting workers"):
                client = cluster.enter_context(client_of(scheduler, n_workers=n_workers))
            if scheduler is None and client.dashboard_link:
                log(f"what the workers do: {client.dashboard_link}")
            with blaming(folder), reaching(client), stages.stage("clips"):
                (folder / CLIPS_TABLE).unlink(missing_ok=True)  # it is there when a run has ended
                if not threads_of(client):
                    log("no worker is there yet; the clips wait for the first one")
                _work_off(client, job, ledger, split=split, stages=stages)
        with blaming(folder), stages.stage("tables"):
            sweep(folder)
            renew_tables(folder)
            places = {key: str(place.relative_to(folder)) for key, place in found_keys(folder).items()}
            with whole_file(folder / CLIPS_TABLE) as partial:
                write_csv(partial, list(ledger.rows(places)))
    return BatchResult(folder, len(ledger.done), ledger.n_kept, tuple(ledger.failed), stages.seconds)


def _check(recipe: Recipe, predictor: ScoringModel) -> None:
    """InputError where the recipe cannot be done with the model."""
    recipe.check_model(predictor)
    if not predictor.sha256:
        raise InputError(f"model {recipe.model} must be in a file, so that its results are known from another's")


def _place_of(model: str) -> str:
    """A model as workers in other folders find it: a file by its whole path, also in FILE.py:NAME."""
    file, colon, name = model.rpartition(":")
    if Path(model).is_file() or not colon:
        return str(Path(model).absolute()) if Path(model).is_file() else model
    return f"{Path(file).absolute()}:{name}" if Path(file).is_file() else model


def record_of(recipe: Recipe, predictor: ScoringModel) -> dict[str, Any]:
    """The content of batch.json."""
    model = model_record(predictor)
    return {
        "format": FORMAT,
        "emomod": package_versions()["emomod"],
        "recipe": recipe.resolved(),
        "recipe_sha256": recipe.sha256,
        "model": {name: model[name] for name in ("name", "sha256", "origin") if name in model},
        "model_sha256": predictor.sha256,
        "versions": package_versions(),
        "machine": machine(),
    }


def _work_off(client: Client, job: Job, ledger: Ledger, *, split: str, stages: Stages) -> None:
    """Keep workers busy until nothing waits. The scheduler knows of a few tasks at a time, however many there are."""
    tasks: dict[Any, Task] = {}
    finished, in_tables = as_completed(loop=client.loop), ledger.n_in_store

    def submit() -> None:
        most = 1 if split == "masks" else IN_HAND * max(1, threads_of(client))
        while len(tasks) < most and (task := ledger.next_task()) is not None:
            future = client.submit(DO[split] if isinstance(task, Window) else look, task, job, pure=False)
            tasks[future.key] = task
            finished.add(future)

    submit()
    for future in finished:
        task = tasks.pop(future.key)
        ledger.take(task, _results_of(future, task))
        future.release()
        submit()
        if ledger.n_in_store - in_tables >= max(TABLES_EVERY, in_tables // 4):
            renew_tables(Path(job.store))
            in_tables = ledger.n_in_store
        stages.progress(ledger.n_ended, ledger.n_ended + ledger.n_open)


def _results_of(future: Future[Any], task: Task) -> Sequence[Window | Outcome]:
    """What a task gave; where its worker died, outcomes that say so."""
    if future.status == "finished":
        result = future.result()
        return [result] if isinstance(result, Outcome) else result
    if future.status != "error":
        raise StoreError(GONE)
    error = future.exception()
    told = DIED if isinstance(error, KilledWorker) else f"could not be done ({error!r:.300})"
    if isinstance(task, Window):
        return [Outcome(task.path, task.start, task.key, told, final=False)]
    return [Outcome(clip.path, clip.start, "", told, final=False) for clip in task]
