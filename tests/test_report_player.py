"""The player on the report's page, in a browser."""

import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from browsers import PROGRAM
from small_runs import small_run

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture
def html(tmp_path: Path) -> str:
    return (small_run(tmp_path).folder / "report.html").read_text(encoding="utf-8")


SELF_TEST = """<script>
(async () => {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const body = document.body, playhead = document.getElementById("playhead");
  for (let tries = 0; tries < 200 && !body.dataset.ready && !body.dataset.error; tries += 1) await pause(50);
  const chosen = () => document.querySelector("button[data-version][aria-pressed=true]").dataset.version;
  const press = (key) => body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const before = playhead.style.left;
  press(" ");
  await pause(400);
  const found = { ready: body.dataset.ready, playing: document.getElementById("play").textContent };
  found.moved = playhead.style.left !== before;
  const strip = document.getElementById("strip");
  const native = window.requestAnimationFrame.bind(window);
  let frames = 0, callbacks = 0, counting = true;
  window.requestAnimationFrame = (callback) => native((now) => { callbacks += 1; callback(now); });
  for (let i = 0; i < 40; i += 1) {
    strip.dispatchEvent(new KeyboardEvent("keydown", { key: i % 2 ? "ArrowLeft" : "ArrowRight", bubbles: true }));
    if (i % 4 === 0) document.getElementById("loop").click();
    if (i % 8 === 0) await pause(20);
  }
  frames = callbacks = 0;
  const count = () => { frames += 1; if (counting) native(count); };
  native(count);
  await pause(500);
  counting = false;
  const one = frames >= 3 && callbacks > frames / 2 && callbacks <= frames + 2;
  found.loops = one ? "1" : `${callbacks} callbacks in ${frames} frames`;
  strip.dispatchEvent(new KeyboardEvent("keydown", { key: "End", bubbles: true }));
  press(" ");
  found.end = 100 - parseFloat(playhead.style.left) < 1 ? "at the end" : playhead.style.left;
  press(" ");
  press("3");
  found.version = chosen();
  press(" ");
  found.stopped = document.getElementById("play").textContent;
  found.fits = document.documentElement.scrollWidth <= window.innerWidth;
  found.error = body.dataset.error || "";
  location.href = "/done?" + new URLSearchParams(found);
})();
</script></body>"""


@pytest.fixture
def told(html: str) -> Iterator[tuple[str, list[dict[str, str]], threading.Event]]:
    """Serve the page with a self-test; what that finds arrives in the list."""
    found: list[dict[str, str]] = []
    arrived = threading.Event()
    served = re.sub(r"<meta http-equiv[^>]*>", "", html).replace("</body>", SELF_TEST).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlparse(self.path)
            if address.path == "/done":
                found.append({name: values[0] for name, values in parse_qs(address.query).items()})
                arrived.set()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(served if address.path == "/" else b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in http.server
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", found, arrived
        server.shutdown()
        thread.join()


@pytest.mark.skipif(PROGRAM is None, reason="needs a Chromium browser")
def test_player_against_chromium_decodes_plays_and_switches(told, tmp_path: Path):
    address, found, arrived = told
    options = [f"--user-data-dir={tmp_path}", "--window-size=500,900", "--remote-debugging-port=0"]
    with subprocess.Popen(
        [str(PROGRAM), *QUIET, *options, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as browser:
        try:
            assert arrived.wait(60), "the page did not report within a minute"
        finally:
            browser.terminate()
            browser.wait(20)
    expected = {
        "ready": "5",
        "playing": "Pause",
        "moved": "true",
        "loops": "1",
        "end": "at the end",
        "version": "weakened",
        "stopped": "Play",
        "fits": "true",
    }
    assert found == [expected]
