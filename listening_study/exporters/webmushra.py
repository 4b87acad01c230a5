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

Each listener's sounds have names of their own, so that two listeners of a list find nothing in common.

Source: webMUSHRA's doc/experimenter.md (07130f2), and what its YAML reader was seen to take.
"""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from emomod.checks import check_count
from emomod.output import new_folder
from listening_study.exporters.choices import choices_of
from listening_study.exporters.screens import Screen, screens_of
from listening_study.exporters.sequences import sequence_name, write_sequence
from listening_study.exporters.simple_yaml import to_yaml
from listening_study.exporters.sound_names import copy_sounds_of, sounds_of
from listening_study.package import STIMULI, Study
from listening_study.page_texts import page_texts
from listening_study.table import study_id
from listening_study.trials import Trial

IN_SEQUENCE = {"pair": "A, B", "ccr": "A, B", "abx": "A, B, X"}  # trial types, and what is heard in which order
CHECK = "check"  # id of the page that checks the level
CODE = "participant_id"
README = """# A listening study for webMUSHRA

1. Copy the folders `configs` and `stimuli` into the folder of your webMUSHRA.
2. Give each listener an address of their own, and each address to one listener only:
{addresses}
3. Afterwards import the folder `results`, or, if `emomod study serve --webmushra` takes the answers, the file
   `webmushra.jsonl` from its page /experimenter: `emomod study import STUDY results --from webmushra --out answers.csv`

Sliders are scales of 0, 10, ..., 100 here, and how sure somebody is is not asked. Answers are sent at the end only. A
code that a listener types must not have an ampersand (&): webMUSHRA's own service loses all answers then.
"""


def export_webmushra(study: Study, out: str | Path, *, listeners: int | None = None) -> Path:
    """Write configs for ``listeners``, who take turns in the lists, as the new folder ``out``.

    ``listeners``: how many, by default one for each list. InputError where ``out`` cannot be written or is not new.
    """
    count = len(study.lists) if listeners is None else check_count("listeners", listeners)
    with new_folder(out, inputs=[study.folder]) as folder:
        (folder / "configs").mkdir()
        (folder / STIMULI).mkdir()
        for number in range(count):
            code, trials = f"p{number + 1:04d}", study.lists[number % len(study.lists)]
            config = to_yaml(_config(study, trials, code))
            (folder / "configs" / f"{study_id(study)}_{code}.yaml").write_text(config, encoding="utf-8")
            for trial in trials:
                _write_sounds(study, trial, folder / STIMULI, code)
        addresses = "\n".join(f"   - `?config={path.name}`" for path in sorted((folder / "configs").iterdir()))
        (folder / "README.md").write_text(README.format(addresses=addresses), encoding="utf-8")
    return Path(out)


def _write_sounds(study: Study, trial: Trial, folder: Path, code: str) -> None:
    if trial.trial_type in IN_SEQUENCE:
        write_sequence(study, trial, folder / f"{sequence_name(study, trial, listener=code)}.wav")
    else:
        copy_sounds_of(study, trial, folder, listener=code)


def page_sounds(study: Study, trial: Trial, code: str) -> tuple[str, ...]:
    """Names of the sounds on a trial's page in the config of the listener ``code``."""
    in_sequence = trial.trial_type in IN_SEQUENCE
    return (sequence_name(study, trial, listener=code),) if in_sequence else sounds_of(study, trial, listener=code)


def _config(study: Study, trials: tuple[Trial, ...], code: str) -> dict[str, Any]:
    return {
        "testname": page_texts(study.plan.language)["heading"],
        "testId": f"{study_id(study)}_l{trials[0].list:02d}_{code}",
        "bufferSize": 2048,
        "stopOnErrors": True,
        "showButtonPreviousPage": False,
        "remoteService": "service/write.php",
        "language": study.plan.language,
        "pages": list(_pages(study, trials, code)),
    }


def _pages(study: Study, trials: tuple[Trial, ...], code: str) -> Iterator[dict[str, Any]]:
    texts = page_texts(study.plan.language)
    level = f"{texts['level_text']} {texts['heard_well']}"
    heard = list(zip(("no", "yes"), texts["heard_well_answers"], strict=True))
    yield _rated(CHECK, texts["level_title"], level, page_sounds(study, trials[0], code)[:1], heard)
    for number, (trial, screen) in enumerate(zip(trials, screens_of(study, trials), strict=True), 1):
        if screen.begins:
            counts = texts["begins_practice" if screen.practice else "begins_counts"]
            told = [texts["begins_text"], screen.question, screen.explained, counts]
            yield _text(f"about_{trial.trial_id}", texts["begins_title"], " ".join(each for each in told if each))
        name = texts["progress"].format(n=number, of=len(trials))
        name += f" ({texts['practice']})" if screen.practice else ""
        heard_in_turn = texts["in_turn"].format(names=IN_SEQUENCE[screen.kind]) if screen.kind in IN_SEQUENCE else ""
        content = f"{heard_in_turn} {screen.question}".strip()
        answers = answers_to(screen, study.plan.language)
        yield _rated(trial.trial_id, name, content, page_sounds(study, trial, code), answers)
    question = {"type": "text", "label": escape(texts["own_code"]), "name": CODE, "optional": True}
    end = {"type": "finish", "name": escape(texts["finished_title"]), "content": escape(texts["send_answers"])}
    yield end | {"showErrors": True, "writeResults": True, "questionnaire": [question]}


def answers_to(screen: Screen, language: str) -> list[tuple[str, str]]:
    """Values and labels of the answers to a trial."""
    if screen.kind in IN_SEQUENCE:
        return choices_of(screen.kind, language=language)
    steps = [str(step) for step in (range(1, 10) if screen.kind == "scale" else range(0, 101, 10))]
    ends = {steps[0]: f"{steps[0]} {screen.low}", steps[-1]: f"{steps[-1]} {screen.high}"}
    return [(step, ends.get(step, step)) for step in steps]


def _text(page_id: str, name: str, content: str) -> dict[str, Any]:
    return {"type": "generic", "id": page_id, "name": escape(name), "content": escape(content)}


def _rated(
    page_id: str, name: str, content: str, sounds: tuple[str, ...], answers: list[tuple[str, str]]
) -> dict[str, Any]:
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
