"""Is a store whole? Every file against the hash that it was written with, every window of the list, every row."""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emomod.batch.clips_table import read_clips_table
from emomod.batch.store import CLIPS, CLIPS_TABLE, LOCK, damage_of, found_keys, held, read_record
from emomod.batch.tables import damage_of_rows, remake_tables, unequal_keys
from emomod.output import PARTIAL, SCORES
from emomod.stages import Stages

AGAIN = "`emomod batch`, as it was called,"
UNFINISHED = (PARTIAL, SCORES, LOCK)  # how names end of what a killed worker leaves
MOST_TOLD = 10  # of each kind, in words


@dataclass(frozen=True)
class Verified:
    """What was found."""

    n_whole: int  # windows whose files are as they were written
    damaged: dict[str, str]  # folders, and what is wrong with each
    unfinished: tuple[str, ...]  # what killed processes left, which the next run does away with or goes on with
    ended: bool  # whether the last run did, so that it is known what it had to do
    missing: tuple[str, ...]  # windows of the last run that are not there, "path at start"
    failed: tuple[str, ...]  # windows and clips that could not be done in the last run
    unequal: int  # windows whose rows are missing in the tables, or that have rows and no folder
    repaired: bool = False

    @property
    def healthy(self) -> bool:
        """Whether nothing is to be done again."""
        return self.ended and not (self.damaged or self.missing or self.failed or self.unequal)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"healthy": self.healthy} | {name: getattr(self, name) for name in self.__dataclass_fields__}

    def as_text(self) -> str:
        """For people: what is wrong, and what to do."""
        lines = [f"{self.n_whole} windows are whole"]
        lines += _some("damaged", [f"{folder}: {why}" for folder, why in self.damaged.items()])
        lines += _some("missing", self.missing) + _some("failed", self.failed) + _some("unfinished", self.unfinished)
        lines += [f"the tables disagree with the folders about {self.unequal} windows"] if self.unequal else []
        lines += [] if self.ended else ["the last run did not end"]
        if self.repaired:
            lines.append(f"damaged folders are removed and the tables made anew; {AGAIN} does what is missing")
        elif self.damaged:
            lines.append("`emomod store verify --repair` removes damaged folders, so that they can be made again")
        elif not self.healthy:
            lines.append(f"{AGAIN} does what is missing or failed, and puts the tables right")
        return "\n".join(lines)


def _some(what: str, which: list[str] | tuple[str, ...]) -> list[str]:
    """Lines for the first of them, and how many more there are."""
    more = [f"{what}: {len(which) - MOST_TOLD} more (--json tells all)"] if len(which) > MOST_TOLD else []
    return [f"{what}: {each}" for each in which[:MOST_TOLD]] + more


def verify_store(store: str | Path, *, repair: bool = False, stages: Stages | None = None) -> Verified:
    """Compare every file of a store with the hash that it was written with; read all, change nothing.

    With ``repair`` damaged folders are removed, so that the next run makes them again, and the tables are made anew.
    InputError where the folder is no store, or is to be repaired while a run is at work on it.
    """
    place, stages = Path(store), stages or Stages()
    read_record(place)
    with ExitStack() as stack:
        if repair:
            stack.enter_context(held(place))
        with stages.stage("reading every file"):
            folders = found_keys(place)
            damaged = _damaged(folders, stages)
        whole = {key: folder for key, folder in folders.items() if key not in damaged}
        found = _compared(place, folders, damaged, whole, repaired=repair)
        if repair:
            for key in damaged:
                _remove(folders[key])
            with stages.stage("tables"):
                remake_tables(place, whole)
    return found


def _damaged(folders: dict[str, Path], stages: Stages) -> dict[str, str]:
    """What is wrong with each folder that is not whole, by key."""
    damaged = {}
    for done, (key, folder) in enumerate(folders.items()):
        if why := damage_of(folder) or damage_of_rows(folder):
            damaged[key] = why
        stages.progress(done + 1, len(folders))
    return damaged


def _compared(
    place: Path, folders: dict[str, Path], damaged: dict[str, str], whole: dict[str, Path], *, repaired: bool
) -> Verified:
    missing, failed = _listed(place, whole)
    hidden = sorted((place / CLIPS).glob("??/.*"))
    return Verified(
        n_whole=len(whole),
        damaged={str(folders[key].relative_to(place)): why for key, why in damaged.items()},
        unfinished=tuple(str(path.relative_to(place)) for path in hidden if path.suffix in UNFINISHED),
        ended=(place / CLIPS_TABLE).is_file(),
        missing=missing,
        failed=failed,
        unequal=len(unequal_keys(place, whole)),
        repaired=repaired,
    )


def _remove(folder: Path) -> None:
    """Remove a damaged folder; of a link only the link."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink()
    else:
        shutil.rmtree(folder)


def _listed(store: Path, whole: dict[str, Path]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What of the last run's list is missing, and what failed."""
    rows = [
        (row["state"], row["key"], f"{row['path']} at {row['start'] or 0} s") for row in read_clips_table(store) or ()
    ]
    missing = tuple(window for state, key, window in rows if state == "done" and key not in whole)
    return missing, tuple(window for state, _, window in rows if state != "done")
