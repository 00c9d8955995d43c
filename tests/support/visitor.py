"""A person at the dashboard, in a real browser: finds things by what they are called, and waits instead of sleeping."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from sentinel.settings import PROJECT_ROOT

# A busy machine draws a page in some seconds.
SECONDS = 60
VARIABLE = "SENTINEL_TEST_CHROMIUM"
# No shared memory of containers, no updates, no request to anybody but the page.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_HEADER, _ROW = 35, 35


def find_chromium() -> str | None:
    """Return the browser's executable: what the variable names, else what the path has."""
    named = os.environ.get(VARIABLE)
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browser() -> Iterator[Browser]:
    """Run Chromium without a window."""
    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        try:
            yield opened
        finally:
            opened.close()


def menu() -> dict[str, str]:
    """Return the dashboard's pages: title -> path."""
    source = (PROJECT_ROOT / "dashboard" / "navigation.py").read_text()
    found = re.findall(r'"(\w+)\.py", title="([\w ]+)"(.*)', source)
    return {title: "/" if "default=True" in rest else f"/{view}" for view, title, rest in found}


class Visitor:
    """Somebody who looks at the dashboard.

    Attributes:
        faults: Exceptions of the page's own scripts.
        asked: Hosts that the page asked.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.faults: list[str] = []
        self.asked: set[str] = set()
        page.set_default_timeout(SECONDS * 1000)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self.asked.add(re.sub(r"^\w+://([^/]*).*", r"\1", request.url)))

    def open(self, path: str) -> None:
        """Go to an address of the dashboard, and wait until the page is drawn."""
        self.page.goto(f"{self.url}{path}")
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        self.settle()

    def settle(self) -> None:
        """Wait until nothing runs on the server for this page, and all that it sent is drawn."""
        expect(self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_attached()
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0)

    def button(self, name: str) -> Locator:
        """Return a button by its words, with or without an icon before them."""
        return self.page.get_by_role("button", name=re.compile(rf"(^|\s){re.escape(name)}$"))

    def click(self, name: str) -> None:
        """Press a button."""
        self.button(name).click()
        self.settle()

    def write(self, label: str, text: str) -> None:
        """Write into a field, and leave it so that the page takes it."""
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Control+Enter" if field.evaluate("each => each.tagName") == "TEXTAREA" else "Enter")
        self.settle()

    def choose(self, label: str, option: str) -> None:
        """Choose from a list."""
        self.page.get_by_role("combobox", name=re.compile(re.escape(label))).click()
        self.page.get_by_role("option", name=option, exact=True).click()
        self.settle()

    def unfold(self, title: str) -> None:
        """Open an expander."""
        self.page.locator("summary").filter(has_text=title).click()
        self.settle()

    def choose_row(self, key: str, number: int = 0) -> None:
        """Choose a row of a table by the box before it; the table is drawn, so its place is what there is."""
        table = self.page.locator(f"[class*='st-key-{key}'] .dvn-scroller").first
        table.click(position={"x": 15, "y": _HEADER + _ROW * number + _ROW / 2})
        self.settle()

    def cell(self, text: str) -> Locator:
        """Return cells of tables with a text: a table's canvas holds them for those who cannot see it."""
        return self.page.locator("canvas [role=gridcell]").filter(has_text=text)
