"""What all importers share: from records of a file with their places to answers checked against a study."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from emomod.errors import InputError
from listening_study.exporters.sound_names import sounds_of
from listening_study.listened import with_listened
from listening_study.package import Study
from listening_study.table import Answer, Given, Session, answers_of, check_answers, study_id
from listening_study.trials import Trial


@dataclass(frozen=True)
class Found:
    """An answered trial of a file."""

    place: str  # file and row, or record
    trial: Trial
    session: Session
    given: Given
    listened_ms: tuple[float, ...] = ()  # of each version in the order presented, where that is known


@contextmanager
def at(place: str) -> Iterator[None]:
    """Name the ``place`` in every InputError from within, and refuse numbers that no float can hold."""
    try:
        yield
    except (InputError, OverflowError) as error:
        raise InputError(f"{place}: {error}") from None


def collected(
    study: Study, files: Sequence[str | Path], found_in: Callable[[Path], Iterable[Found]]
) -> tuple[Answer, ...]:
    """The answers that ``found_in`` finds in each of ``files``, checked together.

    InputError names the place that is refused, and the file that holds no answer.
    """
    answers: list[Answer] = []
    places: list[str] = []
    for file in _named_once(files):
        before = len(answers)
        for each in found_in(Path(file)):
            rows = _rows(study, each)
            answers += rows
            places += [each.place] * len(rows)
        if all(answer.response is None for answer in answers[before:]):
            raise InputError(f"{file}: holds no answer to this study")
    return check_answers(study, answers, places=places)


def _named_once(files: Sequence[str | Path]) -> Sequence[str | Path]:
    if not files:
        raise InputError("files must be at least one, got none")
    if len({str(file) for file in files}) < len(files):
        raise InputError(f"files must be named once each, got {', '.join(map(str, files))}")
    return files


def _rows(study: Study, found: Found) -> tuple[Answer, ...]:
    with at(found.place):
        rows = answers_of(study, found.trial, session=found.session, given=found.given)
    return with_listened(rows, found.listened_ms) if found.listened_ms else rows


def trial_told(study: Study, trial_id: str, *, told_study: str, told_list: str) -> Trial:
    """The trial of an id; InputError where the file tells of another study or list, or the study has no such trial."""
    if told_study != study_id(study):
        raise InputError(f"study must be {study_id(study)}, got {told_study!r:.200}, another study's")
    found = next((trial for trials in study.lists for trial in trials if trial.trial_id == trial_id), None)
    if found is None:
        raise InputError(f"trial_id must be one of the study's, got {trial_id!r:.200}")
    if told_list != str(found.list):
        raise InputError(f"list must be {found.list}, which has {trial_id}, got {told_list!r:.200}")
    return found


def check_sounds(study: Study, trial: Trial, told: Sequence[str]) -> None:
    """InputError where ``told``, names or paths of sounds in the order presented, are not the trial's."""
    names = tuple(PurePosixPath(str(each).replace("\\", "/")).stem for each in told)
    if names != sounds_of(study, trial):
        raise InputError(f"stimuli of {trial.trial_id} must be {' '.join(sounds_of(study, trial))}, got {told!r:.200}")


def text_of(record: dict[str, Any], name: str) -> str:
    """A field of a record as text without blanks around; InputError where it is missing or empty."""
    found = record.get(name)
    if found is None or isinstance(found, (dict, list)) or not str(found).strip():
        raise InputError(f"{name} must be there and not empty, got {found!r:.200}")
    return str(found).strip()
