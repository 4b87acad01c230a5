"""The page in a browser: its sounds measured, its tones, and that it says and fetches nothing that it should not."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsers import of_kind, quick_study
from study_servers import TOKEN, served

from listening_study.package import Study
from listening_study.server.settings import ServeSettings
from listening_study.server.store import NewEvent


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return quick_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def page(browser, study, tmp_path_factory) -> Iterator[Any]:
    """A page of the study on which its modules can be imported."""
    with served(study, tmp_path_factory.mktemp("database")) as (address, _):
        found = browser.new_page()
        found.goto(f"{address}/withdraw")
        yield found
        found.close()


# ---- the player, measured --------------------------------------------------------------------------------------------

RENDER = """async ({ sounds, rate, seconds, start, switches }) => {
  const { Crossfade, startVoices } = await import("/page/mixing.js");
  const context = new OfflineAudioContext(1, Math.round(seconds * rate), rate);
  const buffers = sounds.map((samples) => {
    const buffer = new AudioBuffer({ length: samples.length, numberOfChannels: 1, sampleRate: rate });
    buffer.copyToChannel(Float32Array.from(samples), 0);
    return buffer;
  });
  const fade = new Crossfade(sounds.length, 0);
  const voices = startVoices(context, buffers, context.destination, { gains: fade.gains, ...start });
  for (const [place, time] of switches) fade.choose(place, time, voices);
  return [...(await context.startRendering()).getChannelData(0)];
}"""
RATE = 44100
WHEN = 441  # samples of silence before the sounds


def rendered(page, sounds, *, switches, seconds=0.6, offset=0, loop=True, begin=0, end=None):
    end = len(sounds[0]) if end is None else end
    start = {"when": WHEN / RATE, "offset": offset / RATE, "loop": loop, "from": begin / RATE, "to": end / RATE}
    given = {"sounds": [s.tolist() for s in sounds], "rate": RATE, "seconds": seconds, "start": start}
    return np.array(page.evaluate(RENDER, {**given, "switches": switches}))


def test_switching_between_equal_sounds_cannot_be_heard(page, rng):
    """Noise through many loops and switches, some faster than a ramp: sample by sample that of one looped sound."""
    sound = rng.uniform(-0.9, 0.9, 5003).astype(np.float32)
    switches = [[1, 0.05], [2, 0.1003], [0, 0.103], [1, 0.104], [2, 0.3], [0, 0.3001], [1, 0.45]]
    got = rendered(page, [sound] * 3, switches=switches)
    wanted = np.resize(sound, got.size - WHEN)
    assert np.all(got[:WHEN] == 0.0)
    np.testing.assert_allclose(got[WHEN:], wanted, atol=1e-6)  # of single precision; no gap, no dip, no drift of a loop


def test_switching_takes_ten_milliseconds_without_a_step(page):
    low, high = np.full(4410, -0.5, np.float32), np.full(4410, 0.5, np.float32)
    got = rendered(page, [low, high], switches=[[1, 0.2], [0, 0.4]])
    time = np.arange(got.size) / RATE
    wanted = np.interp(time, [0.2, 0.21, 0.4, 0.41], [-0.5, 0.5, 0.5, -0.5])
    np.testing.assert_allclose(got[WHEN:], wanted[WHEN:], atol=1e-4)
    assert np.abs(np.diff(got[WHEN:])).max() <= 1.0 / (0.01 * RATE) + 1e-4


def test_versions_run_in_step(page, rng):
    """After a switch the other version is heard exactly as far on as the first would have been."""
    sounds = [rng.uniform(-0.9, 0.9, 7001).astype(np.float32) for _ in range(2)]
    got = rendered(page, sounds, switches=[[1, 0.25]], offset=1234)
    for sound, part in ((sounds[0], slice(WHEN, 11000)), (sounds[1], slice(11480, got.size))):
        place = np.arange(part.start, part.stop) - WHEN + 1234
        np.testing.assert_allclose(got[part], sound[place % 7001], atol=1e-6)


def test_a_part_is_looped_exactly(page, rng):
    sound = rng.uniform(-0.9, 0.9, 9000).astype(np.float32)
    got = rendered(page, [sound, sound], switches=[[1, 0.3]], offset=2205, begin=2205, end=6615)
    np.testing.assert_allclose(got[WHEN:], np.resize(sound[2205:6615], got.size - WHEN), atol=1e-6)


SLOW = """async () => {
  const { Player } = await import("/page/player.js");
  const context = new AudioContext(), resume = context.resume.bind(context);
  context.resume = () => new Promise((done) => setTimeout(() => resume().then(done), 150));
  const buffer = new AudioBuffer({ length: 44100, sampleRate: 44100 });
  const player = new Player(context, context.destination, [buffer, buffer]);
  const first = player.play();
  player.choose(1);
  const early = player.listenedMs;
  player.pause();
  const second = player.play(), third = player.play();
  await Promise.all([first, second, third]);
  await new Promise((done) => setTimeout(done, 300));
  const found = { early, heard: player.listenedMs, now: player.now, plays: player.nPlays };
  player.pause();
  return { ...found, sounding: player.sounding };
}"""


def test_presses_while_the_sound_is_starting_lose_and_double_nothing(page):
    found = page.evaluate(SLOW)
    assert found["early"] == [0, 0]
    assert found["plays"] == 1
    assert found["heard"][0] == 0
    assert 100 <= found["heard"][1] <= 600
    assert 0.05 < found["now"] < 0.6
    assert found["sounding"] is False


def test_without_a_loop_it_ends(page, rng):
    sound = rng.uniform(-0.9, 0.9, 4410).astype(np.float32)
    got = rendered(page, [sound, sound], switches=[[1, 0.05]], loop=False)
    np.testing.assert_allclose(got[WHEN : WHEN + 4410], sound, atol=1e-6)
    assert np.all(got[WHEN + 4410 :] == 0.0)


# ---- tones for headphones --------------------------------------------------------------------------------------------


def test_the_transform_against_numpy(page, rng):
    given = rng.standard_normal((2, 64))
    script = """async ([re, im]) => { const { transform } = await import("/page/tones.js");
      const a = Float64Array.from(re), b = Float64Array.from(im); transform(a, b); return [[...a], [...b]]; }"""
    real, imaginary = page.evaluate(script, given.tolist())
    np.testing.assert_allclose(
        np.array(real) + 1j * np.array(imaginary), np.fft.fft(given[0] + 1j * given[1]), atol=1e-12
    )


def tones_of(page, call: str):
    script = (
        f"async () => {{ const m = await import('/page/tones.js'); return m.{call}.map((s) => s.map((c) => [...c])); }}"
    )
    return np.array(page.evaluate(script))


def test_woods_against_what_was_published(page):
    """One tone at half the level, one in antiphase, the third plain; 200 Hz, 1 s."""
    soft, turned, plain = tones_of(page, "woods(16000, 0, 1)")
    assert soft.shape == (2, 16000)
    middle = slice(2000, 14000)
    rms = [np.sqrt(np.mean(each[0][middle] ** 2)) for each in (soft, turned, plain)]
    assert 20 * np.log10(rms[0] / rms[2]) == pytest.approx(-6.0, abs=0.01)
    assert rms[1] == pytest.approx(rms[2])
    assert np.array_equal(soft[0], soft[1])
    assert np.array_equal(plain[0], plain[1])
    assert np.array_equal(turned[0], -turned[1])  # a loudspeaker would make silence of it
    assert np.abs(np.fft.rfft(plain[0])).argmax() == 200
    assert np.abs(plain[:, [0, -1]]).max() < 1e-6


REPEATABLE = "(() => { let s = 1; return () => (s = (s * 16807) % 2147483647) / 2147483647; })()"


def test_huggins_against_what_was_published(page):
    """Noises equal at both ears, but for one, which differs between 564 and 636 Hz, by a turn of 180 degrees there."""
    noises = tones_of(page, f"huggins(16384, 1, {REPEATABLE})")
    assert np.array_equal(noises[0][0], noises[0][1])
    assert np.array_equal(noises[2][0], noises[2][1])
    left, right = (np.fft.rfft(np.hanning(12384) * side[2000:-2000]) for side in noises[1])
    hertz = np.fft.rfftfreq(noises.shape[-1] - 4000, 1 / 16384)
    inside, outside = np.abs(hertz - 600) < 33, np.abs(hertz - 600) > 39
    assert np.abs(left + right)[inside].mean() < 0.01 * np.abs(left)[inside].mean()
    assert np.abs(left - right)[outside].mean() < 0.01 * np.abs(left)[outside].mean()
    assert np.sqrt(np.mean(noises[:, :, 2000:-2000] ** 2)) == pytest.approx(0.07, rel=0.02)
    assert np.abs(noises).max() < 1.0


def test_sides(page):
    script = """async () => { const m = await import("/page/tones.js");
      return [0, 1].map((side) => m.sideTone(8000, side).map((samples) => Math.max(...samples))); }"""
    assert page.evaluate(script) == [[pytest.approx(0.2, abs=0.01), 0], [0, pytest.approx(0.2, abs=0.01)]]


# ---- pages without a participant -------------------------------------------------------------------------------------


def test_nothing_is_fetched_elsewhere_or_said_on_the_console(browser, study, tmp_path):
    with served(study, tmp_path) as (address, _):
        found, asked, said = browser.new_page(), [], []
        found.on("request", lambda request: asked.append(request.url))
        found.on("console", lambda message: said.append(message.text))
        found.on("pageerror", lambda error: said.append(str(error)))
        for path in ("/", "/withdraw", "/experimenter"):
            found.goto(address + path)
            found.wait_for_selector("h1")
        assert [url for url in asked if not url.startswith(address)] == []
        assert [text for text in said if "401" not in text] == []  # the browser itself tells of the closed page
        found.close()


def test_the_experimenters_page_keeps_up_to_date(browser, study, tmp_path):
    with served(study, tmp_path) as (address, service):
        found = browser.new_page()
        found.goto(address + "/experimenter")
        found.fill("#token", TOKEN)
        found.keyboard.press("Enter")
        found.wait_for_selector("#live")
        assert "0 finished, 0 active" in found.inner_text("#live")
        service.store.join(join_key="a", consent="yes", device="phone")
        found.get_by_text("1 active").wait_for(timeout=10_000)
        with found.expect_download() as download:
            found.click("text=answers.csv")
        assert Path(download.value.path()).read_text().startswith("study,participant,session")
        found.close()


# ---- accessibility ---------------------------------------------------------------------------------------------------


def violations(page, source: str) -> list[str]:
    page.evaluate(source + "; null")
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("(rules) => axe.run(document, { runOnly: rules })", rules)["violations"]
    return [f"{each['id']}: {json.dumps([node['html'] for node in each['nodes']])[:300]}" for each in found]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pair", "ccr", "sliders", "scale", "abx"])
def test_every_screen_against_axe(kind, browser, study, tmp_path):
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
    source = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    with served(of_kind(study, kind), tmp_path, ServeSettings(headphone_trials=1)) as (address, service):
        found = browser.new_page()
        screens = {}
        for path in ("/withdraw", "/experimenter", "/"):
            found.goto(address + path)
            found.wait_for_selector("h1")
            screens[path] = violations(found, source)
        found.check("input[type=checkbox]")
        found.click("form button.main")
        found.wait_for_selector("button.play")
        screens["level"] = violations(found, source)
        found.click("button.play")
        found.get_by_text("Pause").wait_for()
        found.wait_for_timeout(1500)
        found.click("button.main")
        found.wait_for_selector("button.main.play")
        found.click("summary")
        screens["headphones"] = violations(found, source)
        name = found.url.split("/")[-1]
        checked = {"sides": [2, 2], "woods": [1, 1], "huggins": [1, 1], "passed": True}
        service.store.add_events(name, [NewEvent("h", "headphones", None, "visit", checked)])
        found.reload()
        found.wait_for_selector(".question")
        screens["begins"] = violations(found, source)
        found.click("button.main")
        found.wait_for_selector("form")
        for summary in found.locator("summary").all():
            summary.click()
        found.click("form button.main")
        screens[kind] = violations(found, source)
        assert {name: each for name, each in screens.items() if each} == {}
        found.close()
