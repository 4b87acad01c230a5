"""A study as configs and sounds for webMUSHRA, one config a listener, since that is its only way to balance orders.

What webMUSHRA has is not always what a trial is:

pair, ccr, abx   likert_single_stimulus, with the versions one after another in one sound: webMUSHRA's paired comparison
                 asks one fixed question (which is the reference?) and knows neither attribute nor tie
scale            likert_single_stimulus, 1..9
sliders          likert_multi_stimulus, 0..100 in steps of 10: its mushra page always shows a reference and hides it
                 among the versions. webMUSHRA shuffles the versions itself, and results tell the order

The first rated page is one of likert_single_stimulus, a check of the level: `write.php` on PHP 8 crashes otherwise and
loses answers. Nothing is random but that shuffle: orders are those of the lists. webMUSHRA's licence does not allow to
ship it; README.md of the export says where the folders go.

Source: webMUSHRA's doc/experimenter.md (07130f2), and what its YAML reader was seen to take.
"""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from emomod.checks import check_count
from emomod.output import new_folder
from listening_study.exporters.presented import Screen, copy_sounds, screens_of
from listening_study.exporters.sequences import sequence_name, write_sequence
from listening_study.exporters.simple_yaml import to_yaml
from listening_study.exporters.words import Words, steps_of, words_of
from listening_study.package import STIMULI, Study
from listening_study.table import study_id
from listening_study.trials import Trial

IN_SEQUENCE = ("pair", "ccr", "abx")
CHECK = "check"  # id of the page that checks the level
CODE = "participant_id"
README = """# A listening study for webMUSHRA

1. Copy the folders `configs` and `stimuli` into the folder of your webMUSHRA.
2. Give each listener an address of their own, and each address to one listener only:
{addresses}
3. Afterwards import the folder `results`.

Answers are sent at the end only. A code that a listener types must not have an ampersand (&): webMUSHRA loses all
answers then.
"""


def export_webmushra(study: Study, out: str | Path, *, listeners: int | None = None) -> Path:
    """Write configs for ``listeners``, who take turns in the lists, as the new folder ``out``.

    ``listeners``: how many, by default one for each list. InputError where ``out`` cannot be written or is not new.
    """
    words = words_of(study.plan.language)
    count = len(study.lists) if listeners is None else check_count("listeners", listeners)
    with new_folder(out, inputs=[study.folder]) as folder:
        (folder / "configs").mkdir()
        for number in range(count):
            code, which = f"p{number + 1:04d}", number % len(study.lists)
            config = _config(study, which, code, words)
            (folder / "configs" / f"{study_id(study)}_{code}.yaml").write_text(to_yaml(config), encoding="utf-8")
        _write_sounds(study, folder)
        addresses = "\n".join(f"   - `?config={path.name}`" for path in sorted((folder / "configs").iterdir()))
        (folder / "README.md").write_text(README.format(addresses=addresses), encoding="utf-8")
    return Path(out)


def _write_sounds(study: Study, folder: Path) -> None:
    if study.plan.trial_type not in IN_SEQUENCE:
        copy_sounds(study, folder)
        return
    (folder / STIMULI).mkdir()
    for trial in {sequence_name(study, trial): trial for trials in study.lists for trial in trials}.values():
        write_sequence(study, trial, folder / STIMULI)


def _config(study: Study, number: int, code: str, words: Words) -> dict[str, Any]:
    return {
        "testname": study.plan.title,
        "testId": f"{study_id(study)}_l{number:02d}_{code}",
        "bufferSize": 2048,
        "stopOnErrors": True,
        "showButtonPreviousPage": False,
        "remoteService": "service/write.php",
        "language": study.plan.language,
        "pages": list(_pages(study, study.lists[number], words)),
    }


def _pages(study: Study, trials: Sequence[Trial], words: Words) -> Iterator[dict[str, Any]]:
    yield _text("welcome", study.plan.title, words.welcome)
    screens = list(screens_of(study, trials))
    answers = list(zip(("no", "yes"), words.heard_well, strict=True))
    yield _rated(CHECK, words.begin, words.level, sounds_of_page(study, trials[0], screens[0])[:1], answers)
    for number, (trial, screen) in enumerate(zip(trials, screens, strict=True), 1):
        if screen.explained:
            yield _text(f"about_{trial.trial_id}", study.plan.title, screen.explained)
        name = f"{words.trial} {number}" + (f" ({words.practice})" if screen.practice else "")
        content = words.which_is_x if trial.trial_type == "abx" else screen.question
        if trial.trial_type in IN_SEQUENCE and trial.trial_type != "abx":
            content = f"{words.sequence} {content}"
        yield _rated(trial.trial_id, name, content, sounds_of_page(study, trial, screen), answers_to(screen, words))
    question = {"type": "text", "label": escape(words.code), "name": CODE}
    end = {"type": "finish", "name": words.further, "content": words.send, "showErrors": True, "writeResults": True}
    yield end | {"questionnaire": [question]}


def sounds_of_page(study: Study, trial: Trial, screen: Screen) -> list[str]:
    """Names of the sounds of a trial's page."""
    return [sequence_name(study, trial)] if trial.trial_type in IN_SEQUENCE else list(screen.sounds)


def answers_to(screen: Screen, words: Words) -> list[tuple[str, str]]:
    """Values and labels of the answers to a trial."""
    if screen.kind == "pair":
        return [("first", words.first), ("same", words.same), ("second", words.second)]
    if screen.kind == "abx":
        return [("first", words.first), ("second", words.second)]
    if screen.kind == "ccr":
        return [(str(step), label) for step, label in zip(range(-3, 4), steps_of(words, words.second), strict=True)]
    steps = [str(step) for step in (range(1, 10) if screen.kind == "scale" else range(0, 101, 10))]
    ends = {steps[0]: f"{steps[0]} {screen.low}", steps[-1]: f"{steps[-1]} {screen.high}"}
    return [(step, ends.get(step, step)) for step in steps]


def _text(page_id: str, name: str, content: str) -> dict[str, Any]:
    return {"type": "generic", "id": page_id, "name": escape(name), "content": escape(content)}


def _rated(page_id: str, name: str, content: str, sounds: list[str], answers: list[tuple[str, str]]) -> dict[str, Any]:
    """A page on which one sound, or each of several, is rated once it has been heard to its end."""
    return {
        "type": "likert_multi_stimulus" if len(sounds) > 1 else "likert_single_stimulus",
        "id": page_id,
        "name": escape(name),
        "content": escape(content),
        "mustRate": True,
        "mustPlayback": "ended",
        "stimuli": {sound: f"{STIMULI}/{sound}.wav" for sound in sounds},
        "response": [{"value": value, "label": escape(label)} for value, label in answers],
    }
