"""A batch's store of one window without its sounds, and every reader of what lies in it."""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

from small_batches import small_store

from emomod.batch.clips_table import COLUMNS
from emomod.batch.recipe import read_recipe
from emomod.batch.store import CLIPS, CLIPS_TABLE, MANIFEST, TABLES, found_keys
from emomod.batch.tables import update_tables
from emomod.batch.verify import verify_store
from emomod.errors import InputError
from emomod.output import write_csv
from emomod.replay import _job, _read
from emomod.run_differences import differences, outcome_of
from evaluation.batches import rows_of_store
from listening_study.explained import explained_in

FOLDER = TemporaryDirectory()
INPUT = "input"  # what is changed of a store; a reader puts it in its place first
RECIPE = b"""targets: [energy, sad]
components: "hpss x time:seconds=2"
method: "lime:n_perturbations=512,off=-12dB"
modify: {gain_db: 4.5, sides: both, rule: "top:9", n_controls: 19, bits: 16}
windows: all
keep: [sounds, report]
seed: 3
"""
CLIP_LIST = b'\xef\xbb\xbfpath,start,remark\na.wav,,x\n"b, c.wav",12.5,"two\nlines"\n/d/e.flac,0,\n'


@cache
def store() -> Path:
    """The store; tests change copies of it."""
    made = small_store(Path(FOLDER.name), n_clips=1, targets=["energy"], keep=["explanation"])
    for folder in (made / CLIPS).iterdir():
        if not any(folder.iterdir()):
            folder.rmdir()  # most of 256, so that a copy takes no time
    window = _window(made)
    told = {"path": "clip0.wav", "start": 0.0, "key": window.name.rpartition("-")[2], "folder": window.name}
    write_csv(made / CLIPS_TABLE, [dict.fromkeys(COLUMNS, "") | told | {"state": "done", "tries": 1}])
    return made


@cache
def a_run() -> Path:
    """The folder of a run, whose clip and model lie elsewhere."""
    return Path(copytree(_window(store()) / "energy", Path(FOLDER.name) / "run"))


def _window(place: Path) -> Path:
    return next((place / CLIPS).glob("??/*"))


def _place_of(name: str, place: Path) -> Path:
    """Where a file lies in a store, by the name that it has in every store."""
    if name == MANIFEST:
        return _window(place) / name
    if name in ("runs", "shifts"):
        return next((place / TABLES / name).glob("*.parquet"))
    return _window(place) / "energy" / name if name == "run.json" else place / name


def of_store(name: str) -> bytes:
    """A file of the store."""
    return _place_of(name, store()).read_bytes()


def read_store(name: str, path: Path) -> None:
    """Everything that reads a store in which one file was changed."""
    place = path.parent
    path.replace(_place_of(name, place))
    _each((_verified, rows_of_store, explained_in, _updated, _repaired, rows_of_store), place)


def read_run(path: Path) -> None:
    """What is done with a run's folder before and after anything is computed."""
    _each((explained_in, _compared, _asked), path.parent)


def _each(readers: Iterable[Callable[[Path], object]], place: Path) -> None:
    """Call all readers, whatever one of them says; then raise what the first one said that gave up by name."""
    refused: list[InputError] = []
    for read in readers:
        try:
            read(place)
        except InputError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def _verified(place: Path) -> None:
    assert verify_store(place).as_text()


def _updated(place: Path) -> None:
    """As a run does that has made another window, whose rows come into the part that is there."""
    folders = found_keys(place)
    for key in [*folders]:
        update_tables(place, folders | {f"{key}b": folders[key]})


def _repaired(place: Path) -> None:
    assert verify_store(place, repair=True).as_text()


def _compared(place: Path) -> None:
    found = differences(outcome_of(place, _read(place / "run.json")), outcome_of(a_run()))
    assert found.table()
    assert found.sentence


def _asked(place: Path) -> None:
    _job(place / "run.json", _read(place / "run.json"), None, None, "cpu")


def read_whole_recipe(path: Path) -> None:
    """A recipe, and what follows from it."""
    recipe = read_recipe(path)
    assert recipe.sha256
    recipe.settings(0.0)
