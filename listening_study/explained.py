"""Clips that were explained before, by ``emomod run`` or ``emomod batch``, as items: they are not explained again."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from emomod.batch.store import MANIFEST, RECORD, found_keys
from emomod.errors import InputError
from emomod.reading.json_files import read_object
from emomod.reading.text import path_inside

RUN = "run.json"
MOST_WINDOWS = 200  # of a batch: as many as a plan may have items


@dataclass(frozen=True)
class Explained:
    """A window of a clip, and the folder that its explanation lies in."""

    name: str  # for people; of a batch with the window's key where others have the clip's name
    clip: str  # path
    start: float  # s
    explanation: str


def explained_in(folder: str | Path) -> list[Explained]:
    """The explained windows in a folder of ``emomod run`` or in the store of a batch; none where it is neither.

    InputError where such a folder cannot be read, or a batch kept no explanations.
    """
    source = Path(folder)
    if (source / RUN).is_file():
        return [_explained(source, name="")]
    if not (source / RECORD).is_file():
        return []
    windows = sorted(found_keys(source).values(), key=lambda place: place.name)
    if len(windows) > MOST_WINDOWS:
        raise InputError(f"{source}: has {len(windows)} windows, too many for a study; name folders of some of them")
    stems = [window.name.rpartition("-")[0] for window in windows]
    counts = Counter(stems)
    return [
        _explained(_first_target(source, window), name=stem if counts[stem] == 1 else window.name)
        for window, stem in zip(windows, stems, strict=True)
    ]


def _first_target(store: Path, window: Path) -> Path:
    """The folder of one of the window's targets: each holds the explanation of all scores."""
    try:
        run = read_object(window / MANIFEST)["runs"][0]
        return path_inside(store / run["folder"], folder=store)
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"{window / MANIFEST}: does not tell its targets ({error!r})") from None


def _explained(folder: Path, *, name: str) -> Explained:
    if not (folder / "explanation.npz").is_file():
        raise InputError(f"{folder}: holds no explanation; a batch keeps them when its recipe says keep: [explanation]")
    record = read_object(folder / RUN)
    try:
        clip, start = str(record["clip"]), float(record["window"]["start"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder / RUN}: does not tell the clip ({error!r})") from None
    return Explained(name or Path(clip).stem, clip, start, str(folder))
