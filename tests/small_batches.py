"""A store of a batch in a few seconds: made in this process, without a cluster."""

from pathlib import Path

from fakes import sound_file, tiny_checkpoint

from emomod.batch.clip_list import Listed
from emomod.batch.recipe import recipe_of
from emomod.batch.run import record_of
from emomod.batch.store import found_keys, open_store
from emomod.batch.tables import update_tables
from emomod.batch.work import Job, Outcome, Window, do, look
from emomod.model.load import load_model

QUICK = {
    "components": "grid",
    "method": "lime:n_perturbations=256,n_held_out=8",
    "modify": {"n_controls": 3, "rule": "top:9"},
}


def small_store(folder: Path, *, n_clips: int = 3, seconds: float = 2.0, **recipe: object) -> Path:
    """A store of clips named clip0.wav, ..., each with its tables, as ``emomod batch`` leaves it but for clips.csv."""
    checkpoint = tiny_checkpoint(folder / "tiny.safetensors")
    wanted = recipe_of({"targets": ["articulation", "energy"], **QUICK, "model": str(checkpoint), **recipe})
    clips = [Listed(str(sound_file(folder, seconds=seconds, name=f"clip{k}.wav", seed=k))) for k in range(n_clips)]
    store, predictor = folder / "store", load_model(checkpoint)
    store.mkdir()
    open_store(store, record_of(wanted, predictor))
    job = Job(str(store), wanted, None, predictor.sha256)
    for window in look(clips, job):
        assert isinstance(window, Window), window
        assert do(window, job) == Outcome(window.path, window.start, window.key)
    update_tables(store, found_keys(store))
    return store
