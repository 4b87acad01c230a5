"""What pages say beside the questions, in each language."""

from dataclasses import dataclass

from emomod.errors import InputError


@dataclass(frozen=True)
class Words:
    """The texts of a language."""

    welcome: str
    practice: str
    trial: str  # followed by a number
    begin: str
    further: str
    play: str
    stop: str
    version: str  # followed by a letter or number
    same: str
    sequence: str  # where versions are heard one after another
    first: str
    second: str
    steps: tuple[str, ...]  # of ccr, -3..+3, of {} against the first
    which_is_x: str
    hear_all: str
    thanks: str
    code: str
    send: str
    level: str
    heard_well: tuple[str, str]


ENGLISH = Words(
    welcome="Please use headphones, in a quiet place, and set a comfortable volume. Then keep it as it is.",
    practice="Practice",
    trial="Trial",
    begin="Begin",
    further="Next",
    play="Play",
    stop="Stop",
    version="Version",
    same="No difference",
    sequence="You hear two versions, one after the other.",
    first="The first",
    second="The second",
    steps=(
        "{} much less",
        "{} less",
        "{} slightly less",
        "no difference",
        "{} slightly more",
        "{} more",
        "{} much more",
    ),
    which_is_x="Which version is X?",
    hear_all="Please listen to every version first.",
    thanks="Thank you! Your answers are complete.",
    code="Your code",
    send="Please send your answers.",
    level="Please set a comfortable volume and keep it. Can you hear this well?",
    heard_well=("no", "yes"),
)
GERMAN = Words(
    welcome="Bitte benutzen Sie Kopfhörer an einem ruhigen Ort, stellen Sie die Lautstärke angenehm ein und lassen Sie "
    "sie dann so.",
    practice="Übung",
    trial="Durchgang",
    begin="Anfangen",
    further="Weiter",
    play="Abspielen",
    stop="Anhalten",
    version="Fassung",
    same="Kein Unterschied",
    sequence="Sie hören zwei Fassungen nacheinander.",
    first="Die erste",
    second="Die zweite",
    steps=(
        "{} viel weniger", "{} weniger", "{} etwas weniger", "kein Unterschied",
        "{} etwas mehr", "{} mehr", "{} viel mehr",
    ),
    which_is_x="Welche Fassung ist X?",
    hear_all="Bitte hören Sie zuerst jede Fassung an.",
    thanks="Vielen Dank! Ihre Antworten sind vollständig.",
    code="Ihr Code",
    send="Bitte senden Sie Ihre Antworten ab.",
    level="Bitte stellen Sie die Lautstärke angenehm ein und lassen Sie sie so. Hören Sie das gut?",
    heard_well=("nein", "ja"),
)  # fmt: skip
WORDS = {"en": ENGLISH, "de": GERMAN}


def words_of(language: str) -> Words:
    """The texts of a ``language``; InputError where there are none."""
    if language not in WORDS:
        raise InputError(f"language must be one of {', '.join(WORDS)} for an export, got {language!r}")
    return WORDS[language]


def steps_of(words: Words, name: str) -> tuple[str, ...]:
    """The steps -3..+3 of ccr that speak of the version ``name``.

    >>> steps_of(ENGLISH, "B")[-1], steps_of(ENGLISH, "B")[3]
    ('B much more', 'no difference')
    """
    return tuple(step.format(name) for step in words.steps)
