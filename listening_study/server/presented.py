"""What a participant is sent: trials without a word of what they are, and sounds under names of their own.

Every sound of every trial has another name for every participant. From names it cannot be seen which sounds are the
same file, nor be asked for anybody else's; whether a trial is a catch trial or a repeat is not told.
"""

from dataclasses import asdict, dataclass
from typing import Any

from listening_study.package import Study
from listening_study.server.codes import sound_id
from listening_study.server.models import Participant
from listening_study.stimuli import Stimulus
from listening_study.trial_questions import asked_in
from listening_study.trials import Trial


@dataclass(frozen=True)
class Presenter:
    """Turns trials into what is presented."""

    study: Study
    key: str  # from which the names of sounds follow

    def trials_of(self, person: Participant) -> tuple[Trial, ...]:
        """The list of a participant."""
        return self.study.lists[person.list]

    def presented(self, person: Participant) -> list[dict[str, Any]]:
        """The trials of a participant, as the page gets them."""
        trials = self.trials_of(person)
        told = zip(trials, asked_in(trials, language=self.study.plan.language), strict=True)
        return [{**asdict(asked), "sounds": self._sounds(person, trial)} for trial, asked in told]

    def _sounds(self, person: Participant, trial: Trial) -> list[str]:
        return [self._name(person, trial, place) for place in range(len(trial.heard))]

    def _name(self, person: Participant, trial: Trial, place: int) -> str:
        return sound_id(self.key, person.id, trial.trial_id, place)

    def sound(self, person: Participant, name: str) -> Stimulus | None:
        """The stimulus behind the name of a sound, if it is one of this participant's."""
        for trial in self.trials_of(person):
            for place, condition in enumerate(trial.heard):
                if self._name(person, trial, place) == name:
                    return self.study.stimulus(trial.item, condition)
        return None
