"""Refresh the README's pictures: the figures of a run and a screenshot of its report, into docs/images/.

python scripts/pictures.py [RUN_FOLDER] [IMAGE_FOLDER], by default demo-out and docs/images; needs a Chromium browser.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1.5",
)
SCREENS = {"report": "1024,1640", "report-phone": "500,1640"}  # width and height, in CSS pixels


def browser() -> str:
    """Return the path of a Chromium browser."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    return found or sys.exit(f"pictures: needs one of {', '.join(BROWSERS)}")


def screenshot(page: Path, image: Path, *, size: str) -> None:
    """Write what a browser window of ``size`` shows of ``page``."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        place = [f"--user-data-dir={profile}", f"--window-size={size}", f"--screenshot={image}"]
        command = [browser(), *OPTIONS, *place, page.absolute().as_uri()]
        subprocess.run(command, check=True, timeout=120, stderr=subprocess.DEVNULL)


def main(run: Path, images: Path) -> None:
    """Copy the figures of ``run`` and take the screenshots of its report."""
    if not (run / "report.html").is_file():
        sys.exit(
            f"pictures: {run} holds no report.html; make one with: emomod run demo --target articulation --out {run}"
        )
    images.mkdir(parents=True, exist_ok=True)
    for figure in sorted((run / "figures").glob("*.png")):
        shutil.copy(figure, images / figure.name)
    for name, size in SCREENS.items():
        screenshot(run / "report.html", (images / f"{name}.png").absolute(), size=size)
    print(*sorted(path.name for path in images.glob("*.png")), sep="\n")


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given + [Path("demo-out"), Path("docs/images")][len(given) :]))
