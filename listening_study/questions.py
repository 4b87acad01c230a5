"""The questions that listeners are asked about each attribute, in every language that questions.yaml has."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from emomod.checks import check_choice
from emomod.labels import SCORE_NAMES
from emomod.reading.yaml_files import read_yaml

LOUDNESS = "loudness"  # what catch trials ask about


@dataclass(frozen=True)
class Question:
    """What is asked about an attribute in one language."""

    attribute: str  # a score of the model, or loudness
    pair: str  # of two versions: which is more ...?
    scale: str  # of one version: how ...?
    low: str  # the lower end of a scale
    high: str  # its upper end
    explained: str  # shown before the first trial


@cache
def _stored() -> dict[str, dict[str, dict[str, str]]]:
    return read_yaml(str(files("listening_study").joinpath("questions.yaml")), extra="study")


def languages() -> tuple[str, ...]:
    """Languages in which all attributes can be asked about."""
    known = [set(by_language) for by_language in _stored().values()]
    return tuple(sorted(set.intersection(*known)))


def question_about(attribute: str, *, language: str = "en") -> Question:
    """The question about ``attribute``; InputError where it, or the ``language``, is not known.

    >>> question_about("sad").pair
    'Which version sounds sadder?'
    """
    check_choice("attribute", attribute, (*SCORE_NAMES, LOUDNESS))
    check_choice("language", language, languages())
    return Question(attribute, **_stored()[attribute][language])
