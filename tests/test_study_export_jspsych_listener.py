"""A listener at the page for jsPsych, in a browser: what is played, said and stored is what our own page does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browsers import of_kind, quick_study

from listening_study.exporters.jspsych import export_jspsych
from listening_study.importers.jspsych import import_jspsych
from listening_study.page_texts import page_texts
from listening_study.table import study_id

pytestmark = pytest.mark.slow
LEAST_MS = 200


class Quiet(SimpleHTTPRequestHandler):
    """The static server of `python -m http.server`, without its log."""

    def log_message(self, *args: object) -> None:
        return


@contextmanager
def static(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return quick_study(tmp_path_factory.mktemp("study"))


@pytest.fixture
def exported(tool_folder, tmp_path):
    """A function that exports a study as a page that asks for little listening."""

    def export(study) -> Path:
        package = tool_folder("jspsych") / "node_modules" / "jspsych"
        folder = export_jspsych(study, tmp_path / "page", jspsych=package)
        about = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        assert about["least_listened_ms"] == 1000
        (folder / "study.json").write_text(json.dumps(about | {"least_listened_ms": LEAST_MS}), encoding="utf-8")
        return folder

    return export


def hear(page) -> None:
    """Until the place in the sounds has moved on, however busy the machine is."""
    place = "Number(document.querySelector('section input[type=range]').value)"
    begun = page.evaluate(place)
    page.wait_for_function(f"(begun) => Math.abs({place} - begun) >= {1.5 * LEAST_MS / 1000}", arg=begun)


def set_level(page) -> None:
    page.click("button.play")
    page.get_by_text(page_texts("en")["pause"]).wait_for()
    page.wait_for_timeout(1500)
    page.click("button.main")


def listen(page) -> None:
    """Play, and hear every version once."""
    page.click("button.play")
    hear(page)
    for version in page.locator(".versions button").all()[1:]:
        version.click()
        hear(page)


def choose_last(page) -> None:
    """The last answer of every question; sliders go to their end."""
    for fieldset in page.locator("fieldset:has(input[type=radio])").all():
        fieldset.locator("input[type=radio]").last.check()
    for slider in page.locator(".slider input").all():
        slider.press("End")


def take_part(page, screens: list[dict], *, of: int | None = None) -> None:
    """From the level to the answers of ``screens``, the first of ``of``."""
    set_level(page)
    for place, screen in enumerate(screens):
        if screen["begins"]:
            page.wait_for_selector("p.question")
            assert "null" not in page.inner_text("main")
            page.click("button.main")
        page.get_by_text(f"{place + 1} of {of or len(screens)}", exact=True).wait_for()
        page.wait_for_selector("form")
        assert page.inner_text("h1") == screen["question"]
        assert "null" not in page.inner_text("main")
        listen(page)
        choose_last(page)
        page.click("form button.main")


@pytest.mark.parametrize("kind", ["pair", "sliders"])
def test_a_listener_takes_part(kind, browser, study, exported, tmp_path):
    study = study if kind == "pair" else of_kind(study, kind)
    folder, said, asked = exported(study), [], []
    screens = json.loads((folder / "lists" / "01.json").read_text(encoding="utf-8"))
    with static(folder) as address:
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/?list=1&participant=ann")
        page.wait_for_selector("h1")
        assert page.title() == page.inner_text("#heading") == "Listening study"
        with page.expect_download() as download:
            take_part(page, screens)
        assert "Your answers are complete." in page.inner_text("main")
        download.value.save_as(tmp_path / "ann.csv")
        page.close()
    assert said == []
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []
    answers = import_jspsych(study, [tmp_path / "ann.csv"])
    versions = len(study.lists[1][0].heard)
    assert len(answers) == len(screens) * (versions if kind == "sliders" else 1)
    for each in answers:
        listened, switches = each.listened_ms or 0.0, each.n_switches or 0.0
        assert LEAST_MS * (1 if kind == "sliders" else versions) < listened < (each.rt_ms or 0.0)
        assert (each.n_plays, each.device, each.participant, each.list) == (1.0, "computer", "ann", 1)
        assert switches >= versions - 1  # a slider that gets the focus is heard
        if kind == "pair":  # the last answer is no difference
            assert (each.response, each.confidence) == (0.0, 5.0)
        else:
            assert (each.response, each.confidence) == (100.0, None)


def test_what_is_missing_is_said_in_the_words_of_our_own_page(browser, study, exported):
    texts = page_texts("en")
    size = {"width": 390, "height": 844}
    with static(exported(study)) as address:
        context = browser.new_context(viewport=size, screen=size, has_touch=True, is_mobile=True)
        page = context.new_page()
        page.goto(f"{address}/?list=0")
        page.click("button.main")
        page.get_by_text(texts["level_first"]).wait_for()
        set_level(page)
        page.click("button.main")
        page.click("form button.main")
        page.get_by_text(texts["listen_first"].replace("{names}", "A, B")).wait_for()
        listen(page)
        page.click("form button.main")
        page.get_by_text(texts["answer_first"]).wait_for()
        assert page.evaluate("import('./page/device.js').then((module) => module.device())") == "phone"
        context.close()


def test_addresses_iv(browser, study, exported):
    folder = exported(study)
    with static(folder) as address:
        page = browser.new_page()
        lists = len(study.lists)
        for asked in (f"list={lists}", "list=-1", "list=one"):
            page.goto(f"{address}/?{asked}")
            page.get_by_text(f"This study cannot be started (list must be 0 to {lists - 1}).").wait_for()
        for sound in (folder / "stimuli").iterdir():
            sound.unlink()
        page.goto(f"{address}/?list=0")
        page.get_by_text(page_texts("en")["failed"].replace("{reason}", "404")).wait_for()
        page.close()


def test_a_sound_that_is_missing_loses_no_answer(browser, study, exported, tmp_path):
    """The answers so far are saved, and it goes on once the sound is there."""
    texts, folder = page_texts("en"), exported(study)
    screens = json.loads((folder / "lists" / "00.json").read_text(encoding="utf-8"))
    sound = folder / "stimuli" / f"{screens[1]['sounds'][0]}.wav"
    moved = sound.rename(tmp_path / sound.name)
    with static(folder) as address:
        page = browser.new_page()
        page.goto(f"{address}/?list=0&participant=ann")
        with page.expect_download() as download:
            take_part(page, screens[:1], of=len(screens))
            page.wait_for_selector("p.question")  # the practice is over
            page.click("button.main")
        page.get_by_text(texts["failed"].replace("{reason}", "404")).wait_for()
        assert download.value.suggested_filename == f"{study_id(study)}_ann_part.csv"
        download.value.save_as(tmp_path / "part.csv")
        moved.rename(sound)
        page.get_by_text(texts["try_again"]).click()
        page.get_by_text(f"2 of {len(screens)}", exact=True).wait_for()
        page.close()
    assert [each.trial_id for each in import_jspsych(study, [tmp_path / "part.csv"])] == [screens[0]["trial_id"]]


def test_answers_that_cannot_be_sent_are_kept(browser, study, exported, tmp_path):
    """Where save.js fails, the browser keeps the answers, says so, and sends them on the next try."""
    texts, folder = page_texts("en"), exported(study)
    (folder / "save.js").write_text(
        "let tries = 0;\nexport async function save() { tries += 1; if (tries < 2) throw new Error('status 503'); }\n"
    )
    screens = json.loads((folder / "lists" / "00.json").read_text(encoding="utf-8"))[:1]
    (folder / "lists" / "00.json").write_text(json.dumps(screens))
    with static(folder) as address:
        page = browser.new_page()
        page.goto(f"{address}/?list=0&participant=ann")
        with page.expect_download() as download:
            take_part(page, screens)
        page.get_by_text(texts["failed"].replace("{reason}", "status 503")).wait_for()
        download.value.save_as(tmp_path / "part.csv")
        page.get_by_text(texts["try_again"]).click()
        page.get_by_text(texts["complete"]).wait_for()
        page.close()
    assert len(import_jspsych(study, [tmp_path / "part.csv"])) == 1
