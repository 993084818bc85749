"""A real Chromium that reaches nothing but the vault under test."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--disable-dev-shm-usage"),
]
SERIOUS = {"serious", "critical"}


@dataclass(slots=True)
class Looked:
    """A page somebody looks at, and every address it asked for."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def complain(self, text: str, url: str) -> None:
        """Keep what the browser says, but for the icon it asks every site for by itself."""
        if not url.endswith("/favicon.ico"):
            self.complaints.append(text)

    def serious(self) -> list[str]:
        """What axe finds serious: rule and places."""
        found = Axe().run(self.page).response["violations"]
        return [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in found if each["impact"] in SERIOUS]

    def is_wider_than_the_window(self) -> bool:
        """Whether somebody would have to scroll sideways or zoom out."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, closed afterwards."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def looking(browser: Browser, width: int, language: str, *, script: bool = True) -> Iterator[Looked]:
    """A window of this width of somebody who reads this language, with or without scripts."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, locale="ar-SA" if language == "ar" else "en-GB", java_script_enabled=script
    )
    try:
        looked = Looked(context.new_page())
        looked.page.on("request", lambda request: _note(looked, request))
        looked.page.on("console", lambda message: looked.complain(message.text, message.location.get("url", "")))
        yield looked
    finally:
        context.close()


def _note(looked: Looked, request: Request) -> None:
    looked.asked.append(request.url)
