"""What participants are asked in the trials of a list, wherever a study runs; nothing of the key is in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from listening_study.page_texts import page_texts
from listening_study.plan import PAIRED
from listening_study.questions import LOUDNESS, question_about
from listening_study.trials import Trial


@dataclass(frozen=True)
class Asked:
    """What is asked in a trial."""

    kind: str  # trial type
    practice: bool
    begins: bool  # whether a new question, its practice or the trials that count begin here, which a page tells before
    question: str
    explained: str  # what the attribute means; "" of ABX, which asks about none
    low: str  # ends of a scale; "" of ABX
    high: str


def asked_in(trials: Sequence[Trial], *, language: str) -> Iterator[Asked]:
    """What is asked in each of ``trials``, a list; catch trials about loudness begin nothing."""
    before = ("", False)
    for trial in trials:
        about = question_about(trial.attribute, language=language)
        words = (about.pair if trial.trial_type in PAIRED else about.scale, about.explained, about.low, about.high)
        if trial.trial_type == "abx":
            words = (str(page_texts(language)["abx_question"]), "", "", "")
        practice = trial.phase == "practice"
        begins = (words[0], practice) != before and trial.attribute != LOUDNESS
        before = (words[0], practice) if begins else before
        yield Asked(trial.trial_type, practice, begins, *words)
