"""Take the picture of the report that the README shows, after `make demo`.

    python docs/generate_picture.py [REPORT]

Needs Chromium; the page loads nothing, so the network may be off.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "build/demo/out/report.html"
PICTURE = ROOT / "docs/images/report.png"
WIDTH, HEIGHT = 980, 1860


def command(browser: str, report: Path, picture: Path, profile: str) -> list[str]:
    """Return what makes `browser` draw the first page of `report`."""
    return [
        browser,
        "--headless",
        "--no-sandbox",  # a container's user has no sandbox to give; the page is our own
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
        f"--window-size={WIDTH},{HEIGHT}",
        f"--screenshot={picture}",
        report.resolve().as_uri(),
    ]


def main(words: list[str]) -> str:
    """Take the picture and say where it is, or what is missing."""
    report = Path(words[0]) if words else REPORT
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return "No Chromium was found; install the package chromium."
    if not report.is_file():
        return f"{report} is not there; run `make demo` first."
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(command(browser, report, PICTURE, profile), check=True, capture_output=True)  # noqa: S603 - our own words
    return f"The picture is {PICTURE}."


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
