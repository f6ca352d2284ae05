"""A headless Chromium for tests of pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser(playwright: "Playwright") -> str | None:
    """Playwright's own Chromium if it was installed, else one on the PATH."""
    own = playwright.chromium.executable_path
    return own if Path(own).is_file() else next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def open_browser() -> Iterator["Browser"]:
    """A browser, closed at the end; skips the test where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="pages are tested with playwright, which is not installed")
    with api.sync_playwright() as playwright:
        path = find_browser(playwright)
        if path is None:
            pytest.skip(f"no browser: `playwright install chromium`, or put one of {', '.join(NAMES)} on the PATH")
        # Chromium's sandbox does not start for root, as in containers.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()
