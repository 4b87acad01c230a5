"""A trial as exports tell it: what is asked, and which sounds are heard in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from listening_study.exporters.sound_names import sounds_of
from listening_study.package import Study
from listening_study.trial_questions import Asked, asked_in
from listening_study.trials import Trial


@dataclass(frozen=True)
class Screen(Asked):
    """A trial as participants get it."""

    trial_id: str
    sounds: tuple[str, ...]  # names without suffix, in the order presented

    @property
    def introduction(self) -> str:
        """What is explained before this trial: the attribute, where the question is new, else nothing."""
        return self.explained if self.begins else ""


def screens_of(study: Study, trials: Sequence[Trial]) -> Iterator[Screen]:
    """The trials of a list as participants get them."""
    for trial, asked in zip(trials, asked_in(trials, language=study.plan.language), strict=True):
        yield Screen(**asdict(asked), trial_id=trial.trial_id, sounds=sounds_of(study, trial))
