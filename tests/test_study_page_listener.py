"""Whole studies in a browser, as listeners go through them: by keys alone, with reloads, lost networks, second tabs."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from browsers import of_kind, quick_study
from study_servers import served

from listening_study.package import Study
from listening_study.questions import question_about
from listening_study.server.models import Event
from listening_study.server.rows import first_answers
from listening_study.server.service import Service
from listening_study.server.settings import ServeSettings
from listening_study.server.store import NewEvent

TOLD = ("original", "softer", "enhanced", "weakened", "opposite", "sham", "6 dB", "clip0", "clip1", "l00t", "Small")
NO_INDEXED_DB = "Object.defineProperty(window, 'indexedDB', { get() { throw new Error('refused'); } });"


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return quick_study(tmp_path_factory.mktemp("study"))


@dataclass
class Listener:
    """Somebody at a page."""

    page: Any
    service: Service

    def tab_to(self, selector: str) -> None:
        """Press Tab until what is meant has the focus."""
        for _ in range(40):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"Tab does not lead to {selector}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def agree(self) -> None:
        self.page.wait_for_selector("input[type=checkbox]")
        self.tab_to("input[type=checkbox]")
        self.press("Space")
        self.tab_to("button.main")
        self.press("Enter")

    def set_level(self) -> None:
        self.page.wait_for_selector("button.play")
        self.tab_to("button.play")
        self.press("Enter")
        self.tab_to("input[type=range]")
        self.press("ArrowRight")
        self.page.get_by_text("Pause").wait_for()
        self.page.wait_for_timeout(1500)
        self.tab_to("button.main")
        self.press("Enter")

    def go_on(self) -> None:
        """Past the screen that tells what is asked."""
        self.page.wait_for_selector("p.question")
        assert "null" not in self.page.inner_text("main")
        self.tab_to("button.main")
        self.press("Enter")

    def begin(self, address: str) -> None:
        """As somebody who agreed and set the level before."""
        person = self.service.store.join(join_key="tests", consent="I agree.", device="computer")
        self.service.store.add_events(person.id, [NewEvent("level", "level", None, "earlier", {"volume": 50})])
        self.page.goto(f"{address}/p/{person.id}")
        self.go_on()

    def at_trial(self, number: int) -> None:
        self.page.get_by_text(f"{number} of 7", exact=True).wait_for()
        self.page.wait_for_selector("form")

    def hear(self) -> None:
        """Until the place in the sounds has moved on by a tenth of a second, however busy the machine is."""
        place = "Number(document.querySelector('section input[type=range]').value)"
        begun = self.page.evaluate(place)
        self.page.wait_for_function(f"(begun) => Math.abs({place} - begun) >= 0.1", arg=begun)

    def has_sounds_of(self, n_trials: int) -> None:
        """Until the sounds of so many trials, of two each, have come."""
        came = "performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/sounds/')).length"
        self.page.wait_for_function(f"(n) => {came} >= n", arg=2 * n_trials)

    def listen(self) -> None:
        self.press("Space")
        self.hear()
        self.press("2")
        self.hear()
        self.press("1")

    def answer(self, number: int) -> None:
        """The second is chosen; one is certain."""
        self.at_trial(number)
        self.listen()
        self.tab_to("input[type=radio]")
        self.press("Space", "ArrowDown")
        self.tab_to("fieldset:last-of-type input[type=radio]")
        self.press("Space", "ArrowUp", "Enter")
        if number == 1:  # the practice is over
            self.go_on()

    def finish(self) -> str:
        self.page.wait_for_selector("main .code")
        return str(self.page.inner_text("main .code"))

    def stored(self) -> list[Event]:
        (found,) = self.service.store.everything()
        return found[1]

    def n_answers(self) -> int:
        return len([each for each in self.stored() if each.kind == "answer"])


@pytest.fixture
def listener(browser, study, tmp_path) -> Iterator[tuple[Listener, str]]:
    with served(study, tmp_path) as (address, service):
        context = browser.new_context(viewport={"width": 800, "height": 700})
        yield Listener(context.new_page(), service), address
        context.close()


def until(wanted: Callable[[], bool], page: Any) -> None:
    """Wait until something is so on the server."""
    end = time.monotonic() + 15
    while not wanted():
        assert time.monotonic() < end, "it did not come"
        page.wait_for_timeout(50)


# ---- from end to end -------------------------------------------------------------------------------------------------


def test_a_whole_study_by_keys_alone(browser, study, tmp_path):
    """With headphones tested; nothing that tells in the document, nothing on the console, nothing asked of others."""
    with served(study, tmp_path, ServeSettings(headphone_trials=1, least_listened_s=0.05)) as (address, service):
        context = browser.new_context(viewport={"width": 800, "height": 700})
        page, said, asked, documents = context.new_page(), [], [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        someone = Listener(page, service)
        page.goto(address)
        someone.agree()
        someone.set_level()
        for number in range(4):
            page.get_by_text(f"Sound test {number + 1} of 4").wait_for()
            someone.tab_to("button.play")
            someone.press("Enter")
            page.wait_for_selector("button:focus:not(.play)", timeout=10_000)
            someone.press("Enter")
        someone.go_on()
        for number in range(1, 8):
            someone.answer(number)
            documents.append(page.content())
        code = someone.finish()
        (found,) = service.store.everything()
        assert code == found[0].withdrawal_code
        assert [each.kind for each in found[1]] == ["level", "headphones", *["answer"] * 7, "finish"]
        for trial, event in zip(study.lists[0], first_answers(found[1]).values(), strict=True):
            given = event.payload
            assert event.trial_id == trial.trial_id
            assert (given["response"], given["confidence"], given["n_plays"], given["n_switches"]) == (
                "second",
                5,
                1,
                2,
            )
            assert min(given["listened_ms"]) >= 50
            assert max(given["listened_ms"]) <= given["rt_ms"]
        assert found[1][0].payload == {"volume": 55}
        assert found[1][1].payload["sides"][1] == 2
        assert said == []
        assert [url for url in asked if not url.startswith(address)] == []
        assert [word for word in TOLD for each in (*documents, *asked) if word in each] == []
        context.close()


@pytest.mark.parametrize("kind", ["ccr", "sliders", "scale", "abx"])
def test_every_kind_of_trial_on_a_small_screen(browser, study, tmp_path, kind):
    """The first trial is answered, on a phone, and nothing is wider than the screen."""
    with served(of_kind(study, kind), tmp_path) as (address, service):
        context = browser.new_context(viewport={"width": 320, "height": 568}, has_touch=True, is_mobile=True)
        page = context.new_page()
        someone = Listener(page, service)
        widths: list[int] = []

        def measure() -> None:
            widths.append(page.evaluate("document.documentElement.scrollWidth"))

        page.goto(address)
        page.wait_for_selector("h1")
        measure()
        someone.begin(address)
        page.wait_for_selector("form")
        measure()
        page.click("button.play")
        someone.hear()
        for button in page.locator(".versions button").all():
            button.tap()
            someone.hear()
        page.click("form button.main")
        page.get_by_text(re.compile(r"^Please (answer|rate each version) first\.$")).wait_for()
        for number, slider in enumerate(page.locator(".slider input").all()):
            slider.focus()
            someone.press(*["ArrowRight"] * (number + 1))
        if kind != "sliders":
            page.locator("input[type=radio]").nth(1).check()
        for summary in page.locator("summary").all():
            summary.click()
        measure()
        page.click("form button.main")
        until(lambda: someone.n_answers() == 1, page)
        wanted = {"ccr": -2, "sliders": [51, 52], "scale": 2, "abx": "second"}[kind]
        assert [e.payload["response"] for e in someone.stored() if e.kind == "answer"] == [wanted]
        assert max(widths) <= 320
        context.close()


def test_a_study_in_german(browser, study, tmp_path):
    german = replace(study, plan=replace(study.plan, language="de"))
    with served(german, tmp_path) as (address, _):
        page = browser.new_page()
        page.goto(address)
        page.get_by_text("Bevor Sie beginnen").wait_for()
        assert page.get_attribute("html", "lang") == "de"
        page.close()


@pytest.mark.parametrize(("width", "device"), [(390, "phone"), (820, "tablet")])
def test_only_a_rough_class_of_the_device_is_told(browser, study, tmp_path, width, device):
    with served(study, tmp_path) as (address, service):
        size = {"width": width, "height": 1180}
        context = browser.new_context(viewport=size, screen=size, has_touch=True, is_mobile=True)
        someone = Listener(context.new_page(), service)
        someone.page.goto(address)
        someone.agree()
        someone.page.wait_for_selector("button.play")
        assert service.store.everything()[0][0].device == device
        context.close()


def test_an_answer_is_taken_once_all_was_heard(listener):
    someone, address = listener
    someone.begin(address)
    someone.at_trial(1)
    someone.tab_to("form button.main")
    someone.press("Enter")
    someone.page.get_by_text("Still to hear: A, B").wait_for()
    someone.page.locator("h1").focus()
    someone.listen()
    someone.tab_to("form button.main")
    someone.press("Enter")
    someone.page.get_by_text("Please answer first.").wait_for()
    someone.press("Space", "ArrowDown", "Enter")
    someone.page.get_by_text("Please say how sure you are.").wait_for()
    assert someone.n_answers() == 0


# ---- coming back -----------------------------------------------------------------------------------------------------


def test_a_reload_goes_on_where_one_was(listener):
    someone, address = listener
    someone.begin(address)
    someone.answer(1)
    someone.answer(2)
    someone.at_trial(3)
    someone.page.reload()
    someone.go_on()
    someone.at_trial(3)
    for number in range(3, 8):
        someone.answer(number)
    someone.finish()
    assert [each.kind for each in someone.stored()] == ["level", *["answer"] * 7, "finish"]
    assert len({each.session for each in someone.stored()}) == 3  # with the one before the tests
    someone.page.reload()
    someone.finish()


def test_who_comes_back_at_a_catch_trial_is_told_the_question_of_the_pass(browser, tmp_path):
    study = quick_study(tmp_path)
    trials = study.lists[0]
    place = next(each.place for each in trials if each.attribute == "loudness")
    with served(study, tmp_path) as (address, service):
        person = service.store.join(join_key="tests", consent="I agree.", device="computer")
        said = {"response": "first", "confidence": 3, "rt_ms": 1, "listened_ms": [1, 1], "n_plays": 1, "n_switches": 1}
        before = [NewEvent(each.trial_id, "answer", each.trial_id, "earlier", said) for each in trials[:place]]
        service.store.add_events(person.id, [NewEvent("level", "level", None, "earlier", {"volume": 50}), *before])
        page = browser.new_page()
        page.goto(f"{address}/p/{person.id}")
        page.wait_for_selector("p.question")
        assert page.inner_text("p.question") == question_about("energy").pair
        page.click("button.main")
        page.get_by_text(f"{place + 1} of {len(trials)}", exact=True).wait_for()
        page.wait_for_selector("form")
        assert page.inner_text("h1") == question_about("loudness").pair
        page.close()


def test_the_door_knows_who_began_here(listener):
    someone, address = listener
    someone.begin(address)
    someone.answer(1)
    someone.at_trial(2)
    someone.page.goto(address)
    someone.page.get_by_text("Continue where you stopped").click()
    someone.go_on()
    someone.at_trial(2)
    someone.page.goto(address)
    someone.page.get_by_text("Begin as a new participant").click()
    someone.agree()
    someone.page.get_by_text("Set the level").wait_for()
    assert len(someone.service.store.everything()) == 2


def test_the_back_button_takes_nothing_back(listener):
    someone, address = listener
    someone.begin(address)
    someone.answer(1)
    someone.at_trial(2)
    someone.page.go_back()
    someone.page.get_by_text("Earlier answers are kept").wait_for()
    someone.at_trial(2)
    someone.answer(2)
    someone.at_trial(3)
    someone.page.goto("about:blank")
    someone.page.go_back()
    someone.go_on()
    someone.at_trial(3)
    assert someone.n_answers() == 2


def test_two_tabs_are_one_listener(listener):
    someone, address = listener
    someone.begin(address)
    someone.answer(1)
    someone.at_trial(2)
    other = Listener(someone.page.context.new_page(), someone.service)
    other.page.goto(someone.page.url)
    other.page.get_by_role("heading", name="Open in another window").wait_for()
    assert someone.page.locator("form").count() == 1
    other.page.get_by_text("Continue here").click()
    someone.page.get_by_text("The study goes on in another window or tab.").wait_for()
    other.go_on()
    other.answer(2)
    other.at_trial(3)
    someone.page.get_by_text("Continue here").click()
    someone.page.get_by_role("heading", name="Open in another window").wait_for()
    someone.page.get_by_text("Continue here").click()
    someone.go_on()
    someone.at_trial(3)
    assert someone.n_answers() == 2


# ---- lost networks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("indexed", [True, False], ids=["IndexedDB", "localStorage"])
def test_answers_without_a_network_are_sent_later(listener, indexed):
    """The sounds of the next trial are there already; then it waits, and goes on by itself."""
    someone, address = listener
    if not indexed:
        someone.page.add_init_script(NO_INDEXED_DB)
    someone.begin(address)
    someone.answer(1)
    someone.at_trial(2)
    until(lambda: someone.n_answers() == 1, someone.page)
    someone.has_sounds_of(3)
    context = someone.page.context
    context.set_offline(True)
    someone.answer(2)
    someone.answer(3)
    someone.page.get_by_text("No connection.").wait_for()
    assert someone.n_answers() == 1
    context.set_offline(False)
    someone.answer(4)
    until(lambda: someone.n_answers() == 4, someone.page)
    assert len(first_answers(someone.stored())) == 4


@pytest.mark.parametrize("indexed", [True, False], ids=["IndexedDB", "localStorage"])
def test_answers_survive_that_the_page_is_closed_without_a_network(listener, indexed):
    someone, address = listener
    context = someone.page.context
    if not indexed:
        context.add_init_script(NO_INDEXED_DB)
    someone.begin(address)
    someone.at_trial(1)
    someone.has_sounds_of(2)
    context.set_offline(True)
    someone.answer(1)
    someone.page.get_by_text("not yet sent: 1").wait_for()
    url = someone.page.url
    someone.page.close()
    assert someone.n_answers() == 0
    context.set_offline(False)
    again = Listener(context.new_page(), someone.service)
    again.page.goto(url)
    again.go_on()
    again.at_trial(2)
    until(lambda: again.n_answers() == 1, again.page)


def test_answers_whose_receipt_was_lost_are_stored_once(listener):
    """The server stores what is sent and the connection breaks before it can say so, twice."""
    someone, address = listener
    lost: list[int] = []

    def lose(route: Any) -> None:
        if len(lost) < 2:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    someone.begin(address)
    someone.page.route("**/events", lose)
    someone.answer(1)
    someone.answer(2)
    until(lambda: someone.n_answers() == 2 and len(lost) == 2, someone.page)
    someone.page.get_by_text("not yet sent").wait_for(state="detached")
    assert lost == [200, 200]
    assert [each.kind for each in someone.stored()] == ["level", "answer", "answer"]


# ---- the way out -----------------------------------------------------------------------------------------------------


def test_withdrawing_from_within(listener):
    someone, address = listener
    someone.begin(address)
    someone.answer(1)
    someone.at_trial(2)
    until(lambda: someone.n_answers() == 1, someone.page)
    url = someone.page.url
    someone.page.click("footer summary")
    someone.page.click("footer button")
    someone.page.get_by_role("button", name="Delete everything").click()
    assert someone.n_answers() == 1  # not before it is pressed once more
    someone.page.get_by_role("button", name="Yes, delete everything now").click()
    someone.page.get_by_role("heading", name="Everything is deleted").wait_for()
    assert someone.service.store.everything() == []
    someone.page.goto(url)
    someone.page.get_by_text("Nothing is stored here").wait_for()


def test_withdrawing_later_by_the_code(listener):
    someone, address = listener
    person = someone.service.store.join(join_key="a", consent="yes", device="phone")
    someone.page.goto(address + "/withdraw")
    someone.page.fill("input[type=text]", "no such code")
    someone.press("Enter", "Enter")
    someone.page.get_by_text("There is no such code").wait_for()
    someone.page.fill("input[type=text]", person.withdrawal_code.lower())
    someone.press("Enter")
    someone.page.get_by_role("heading", name="Everything is deleted").wait_for()
    assert someone.service.store.everything() == []
