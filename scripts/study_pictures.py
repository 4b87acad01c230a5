"""Refresh the pictures of docs/listening_studies.md: a study of six clips, its pages in a browser, and its report.

python scripts/study_pictures.py [IMAGE_FOLDER], by default docs/images; needs a Chromium browser and the extras "study"
and "test". The clips are the demo and five that are composed from a fixed seed; one browser takes part up to the first
trials, and the answers of the others are drawn: they hear what the model predicts, a shift of the whole scale as twelve
standard deviations of their answers.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from effects_pictures import SEED, write_composed
from pictures import OPTIONS, browser, screenshot
from playwright.sync_api import Page, ViewportSize, sync_playwright

from emomod.cli.main import main as emomod
from emomod.cli.study_serve import TOKEN as TOKEN_NAME
from listening_study.conditions import ORIGINAL
from listening_study.package import Study, read_study
from listening_study.server.database import open_database
from listening_study.server.rows import answer_rows
from listening_study.server.store import ANSWER, FINISH, NewEvent, Store
from listening_study.table import write_table
from listening_study.trials import Trial

N_CLIPS, N_LISTENERS, N_LEFT = 5, 20, 3
CLEARNESS = 12.0  # how far a shift of the whole scale is heard, in standard deviations of single answers
TOKEN = "shown in no picture"
DESKTOP, PHONE = ViewportSize(width=1024, height=760), ViewportSize(width=390, height=844)


def make_study(folder: Path) -> Study:
    """Plan a study and make its stimuli with the documented commands."""
    clips = [str(path) for path in write_composed(folder, N_CLIPS)]
    plan, out = str(folder / "study.yaml"), str(folder / "study")
    run("study", "design", "demo", *clips, "--target", "articulation", "energy", "--out", plan)
    run("study", "stimuli", plan, "--out", out)
    return read_study(out)


def run(*words: str) -> None:
    """Run a command of emomod; stop where it fails."""
    if emomod(list(words)) != 0:
        raise SystemExit(f"study_pictures: emomod {' '.join(words)} failed")


@contextmanager
def served(study: Study, folder: Path) -> Iterator[tuple[str, Store]]:
    """The address of the study, and where its answers are kept."""
    db = f"sqlite:///{folder}/study.db"
    command = [sys.executable, "-m", "emomod", "study", "serve", str(study.folder), "--db", db, "--port", "0"]
    command += ["--contact", "Ada, ada@example.org"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, TOKEN_NAME: TOKEN}) as server:
        address = next(iter(server.stdout or ())).split()[-1].rstrip("/")  # of participants
        try:
            with closing(open_database(db)) as database:
                yield address, Store(database, len(study.lists))
        finally:
            server.terminate()


# ---- listeners who are drawn -----------------------------------------------------------------------------------------


def let_them_answer(study: Study, store: Store) -> None:
    """All listeners answer all trials; the last ones leave in the middle."""
    for number in range(N_LISTENERS):
        rng = np.random.default_rng([SEED, number])
        person = store.join(join_key=f"drawn {number}", consent="drawn", device=("computer", "phone")[number % 4 == 3])
        trials = study.lists[person.list]
        stays = number < N_LISTENERS - N_LEFT
        trials = trials if stays else trials[: len(trials) // 2]
        passed = {"sides": [2, 2], "woods": [1, 1], "huggins": [1, 1], "passed": True}
        events = [NewEvent("headphones", "headphones", None, "drawn", passed)]
        events += [
            NewEvent(trial.trial_id, ANSWER, trial.trial_id, "drawn", drawn(study, trial, rng)) for trial in trials
        ]
        store.add_events(person.id, [*events, NewEvent(FINISH, FINISH, None, "drawn", {})] if stays else events)


def drawn(study: Study, trial: Trial, rng: np.random.Generator) -> dict[str, Any]:
    """What a listener answers who hears what the model predicts, and noise."""
    first, second = (heard(study, trial, condition) + rng.normal() for condition in trial.heard)
    response = "same" if abs(first - second) < 0.4 else "first" if first > second else "second"
    listened = [int(each) for each in rng.integers(4000, 12000, 2)]
    sure = 1 + min(4, int(2 * abs(first - second)))
    return {"response": response, "confidence": sure, "rt_ms": sum(listened) + 2000, "listened_ms": listened} | {
        "n_plays": 1,
        "n_switches": 3,
    }


def heard(study: Study, trial: Trial, condition: str) -> float:
    """How much there is of what is asked about, in standard deviations of single answers."""
    if trial.has_right_answer:
        return 10.0 * (condition == trial.condition)
    return CLEARNESS * study.predicted(trial.item, condition, trial.attribute) if condition != ORIGINAL else 0.0


# ---- pictures --------------------------------------------------------------------------------------------------------


def take_part(page: Page, address: str, images: Path) -> None:
    """Go from consent to the first trials, with a picture of what is seen."""
    page.goto(address)
    page.wait_for_selector("input[type=checkbox]")
    page.screenshot(path=images / "study-consent.png")
    page.check("input[type=checkbox]")
    page.click("form button.main")
    page.wait_for_selector("button.play")
    page.click("button.play")
    page.get_by_text("Pause").wait_for()
    page.wait_for_timeout(1500)
    page.click("button.main")
    page.wait_for_selector("button.main.play")
    page.screenshot(path=images / "study-headphones.png")


def see_a_trial(page: Page, address: str, store: Store, image: Path) -> None:
    """The first trial of somebody who has set the level and checked the headphones."""
    person = store.join(join_key=image.name, consent="drawn", device="computer")
    before = [NewEvent(kind, kind, None, "drawn", {"volume": 50, "passed": True}) for kind in ("level", "headphones")]
    store.add_events(person.id, before)
    page.goto(f"{address}/p/{person.id}")
    page.wait_for_selector(".question")
    page.click("button.main")
    page.wait_for_selector("form")
    page.click("button.play")
    page.wait_for_timeout(700)
    page.locator(".versions button").nth(1).click()
    page.locator("form input[type=radio]").nth(2).check()
    page.screenshot(path=image, full_page=True)
    page.goto("about:blank")


def see_the_experimenter(page: Page, address: str, image: Path) -> None:
    """How the study goes."""
    page.goto(f"{address}/experimenter")
    page.fill("#token", TOKEN)
    page.click("button.main")
    page.wait_for_selector("#live")
    page.screenshot(path=image)


def pages(study: Study, folder: Path, images: Path) -> Path:
    """Take the pictures of the pages; return the table of answers."""
    flags = [each for each in OPTIONS if not each.startswith(("--headless", "--force-device"))]
    with served(study, folder) as (address, store), sync_playwright() as found:
        chromium = found.chromium.launch(executable_path=browser(), args=[*flags, "--mute-audio"])
        let_them_answer(study, store)
        desktop = chromium.new_page(viewport=DESKTOP, device_scale_factor=1.5)
        see_the_experimenter(desktop, address, images / "study-experimenter.png")
        take_part(desktop, address, images)
        see_a_trial(desktop, address, store, images / "study-trial.png")
        phone = chromium.new_page(viewport=PHONE, device_scale_factor=1.5, has_touch=True, is_mobile=True)
        see_a_trial(phone, address, store, images / "study-trial-phone.png")
        chromium.close()
        answers = [row for person, events in store.everything() for row in answer_rows(study, person, events)]
    return write_table(folder / "answers.csv", answers)


def main(images: Path) -> None:
    """Make the study in a temporary folder, and keep the pictures."""
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = make_study(folder)
        answers = pages(study, folder, images)
        run("study", "analyse", str(study.folder), str(answers), "--out", str(folder / "analysed"))
        screenshot(folder / "analysed" / "report.html", (images / "study-report.png").absolute(), size="1024,1640")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/images"))
