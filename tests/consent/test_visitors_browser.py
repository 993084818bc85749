"""A website of another origin asks its visitors with the vault's script: a real browser, both languages, and no trace before a yes."""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.breach_reports.browser import CHROMIUM, Looked, chromium, looking
from tests.journeys.served import Served

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here (Debian package chromium)"),
    pytest.mark.slow,
]
WINDOWS = [(width, language) for width in (360, 1280) for language in ("ar", "en")]
SHOTS = os.environ.get("AMANAH_TESTS_SCREENSHOTS")
PAGE = """<!doctype html><html lang="{language}" dir="{way}"><head><meta charset="utf-8"><title>site</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>الجمعية</h1><p>…</p></main>
<script>
window.said = [];
for (const name of ["agreed", "ended"]) document.addEventListener("amanah:" + name, event => said.push(name));
</script>
<script src="http://127.0.0.1:{port}/first/visitors.js"></script></body></html>"""
POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' http://127.0.0.1:{port}; connect-src http://127.0.0.1:{port}"
"""As strict as a site with this script can be, but for the test's own inline script and its driver: nothing of ours needs more."""


OLD = """localStorage.setItem("amanah:first:visitor_analytics", JSON.stringify({visitor: amanahVisitors.visitor, notice: "old:1"}))"""


@dataclass(slots=True)
class Site:
    """A website beside the vault: pages in both languages on an origin of their own; `stranger` is one the association did not name."""

    vault: Served
    origin: str
    stranger: str

    def page(self, language: str, origin: str = "") -> str:
        """The address of a page."""
        return f"{origin or self.origin}/{language}"

    def heard(self) -> list[tuple[str, str]]:
        """Kind and outcome of what the log tells of visitors."""
        told = self.vault.call("GET", "/v1/access-log?limit=500", token=self.vault.session("officer"))
        assert told.status == 200, told.text
        return [(one["kind"], one["outcome"]) for one in told.json["items"] if one["actor"] == "visitor"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Served(tmp_path_factory.mktemp("vault"), None)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the server's own name for it
            language = "en" if self.path == "/en" else "ar"
            body = PAGE.format(language=language, way="ltr" if language == "en" else "rtl", port=made.port).encode()
            self.send_response(200)
            for name, value in (("Content-Type", "text/html"), ("Content-Security-Policy", POLICY.format(port=made.port))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    origins = [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
    for thread in threads:
        thread.start()
    try:
        made.found()
        told = f'sites = ["{origins[0]}"]\n[name]\nar = "جمعية البر المثالية"\nen = "Example Charity"\n'
        (made.data / "associations" / "first" / "public.toml").write_text(told, encoding="utf-8")
        made.start()
        yield Site(made, *origins)
    finally:
        made.stop()
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def traces(page: Page) -> list[Any]:
    """What the browser keeps of the site: cookies, and both stores."""
    stores = page.evaluate("[JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage})]")
    return [*page.context.cookies(), *[one for one in stores if one != "{}"]]


def judge(looked: Looked, name: str) -> None:
    """Fail unless what the script shows is what anybody can use."""
    if SHOTS:
        looked.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))
    assert looked.serious() == []
    assert not looked.is_wider_than_the_window()


@pytest.mark.parametrize(("width", "language"), WINDOWS)
def test_nothing_is_kept_before_a_yes_and_one_press_takes_it_back(site: Site, browser: Browser, width: int, language: str):
    before = len(site.heard())
    with looking(browser, width, language) as seen:
        page, keyboard = seen.page, seen.page.keyboard
        page.goto(site.page(language))
        page.wait_for_selector("#amanah-visitors details")
        assert page.evaluate("getComputedStyle(document.querySelector('#amanah-visitors')).direction") == (
            "rtl" if language == "ar" else "ltr"
        )
        judge(seen, f"{language}-{width}-visitor-asked")
        assert (traces(page), page.evaluate("said"), page.evaluate("amanahVisitors.visitor")) == ([], [], None)
        assert len(site.heard()) == before
        keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY", "the first thing a keyboard meets"
        keyboard.press("Enter")
        judge(seen, f"{language}-{width}-visitor-text")
        calls: list[str] = []
        page.on("request", lambda one: calls.append(f"{one.method} {one.post_data or ''}") if one.method == "POST" else None)
        for _ in range(2):
            keyboard.press("Tab")
        keyboard.press("Enter")
        page.wait_for_function("said.length === 1")
        (giving,) = calls
        visitor = page.evaluate("amanahVisitors.visitor")
        assert (len(visitor), page.evaluate("said")) == (22, ["agreed"])
        judge(seen, f"{language}-{width}-visitor-agreed")
        assert site.heard()[0] == ("consent.granted", "allow")
        page.reload()
        page.wait_for_function("said.length === 1")
        assert page.evaluate("amanahVisitors.visitor") == visitor, "who agreed is not asked again"
        calls.clear()
        page.locator("#amanah-visitors button").focus()
        keyboard.press("Enter")
        page.wait_for_function("said.length === 2")
        page.wait_for_function("document.querySelector('#amanah-visitors') === null")
        assert (traces(page), page.evaluate("amanahVisitors.visitor")) == ([], None)
        assert site.heard()[0] == ("consent.withdrawn", "allow")
        (back,) = calls
        assert len(json.loads(back.removeprefix("POST "))) <= len(json.loads(giving.removeprefix("POST "))), "one press, one call, each way"
        assert seen.complaints == []


def test_a_no_is_kept_for_the_tab_alone_and_tells_the_vault_nothing(site: Site, browser: Browser):
    before = len(site.heard())
    with looking(browser, 1280, "ar") as seen:
        seen.page.goto(site.page("ar"))
        seen.page.locator("#amanah-visitors button", has_text="لا أوافق").click()
        assert traces(seen.page) == ['{"amanah:first:visitor_analytics":"no"}']
        seen.asked.clear()
        seen.page.reload()
        seen.page.wait_for_load_state("networkidle")
        assert seen.page.locator("#amanah-visitors").count() == 0
        assert not [one for one in seen.asked if "/v1/" in one]
    assert len(site.heard()) == before


def test_a_browser_with_global_privacy_control_is_never_asked_and_what_it_agreed_to_before_ends(site: Site, browser: Browser):
    signal = "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})"
    with looking(browser, 1280, "ar") as seen:
        seen.page.add_init_script(signal)
        seen.page.goto(site.page("ar"))
        seen.page.wait_for_load_state("networkidle")
        assert (traces(seen.page), seen.page.locator("#amanah-visitors").count()) == ([], 0)
        assert not [one for one in seen.asked if "/v1/" in one]
    with looking(browser, 1280, "ar") as seen:
        seen.page.goto(site.page("ar"))
        seen.page.locator("#amanah-visitors button").first.click()
        seen.page.wait_for_function("said.length === 1")
        seen.page.add_init_script(signal)
        seen.page.reload()
        seen.page.wait_for_function("said.length === 1 && localStorage.length === 0")
        assert seen.page.evaluate("said") == ["ended"]
    assert site.heard()[0] == ("consent.withdrawn", "allow")


def test_the_pages_of_a_site_the_association_did_not_name_cannot_ask(site: Site, browser: Browser):
    with looking(browser, 1280, "ar") as seen:
        seen.page.goto(site.page("ar", site.stranger))
        seen.page.wait_for_load_state("networkidle")
        assert (traces(seen.page), seen.page.locator("#amanah-visitors").count()) == ([], 0)
        assert any("CORS" in said for said in seen.complaints)


def test_a_yes_the_vault_did_not_take_is_no_consent(site: Site, browser: Browser):
    with looking(browser, 1280, "en") as seen:
        seen.page.goto(site.page("en"))
        seen.page.wait_for_selector("#amanah-visitors button")
        seen.page.route("**/visitor-consents", lambda route: route.fulfill(status=503, body="{}"))
        seen.page.locator("#amanah-visitors button").first.click()
        seen.page.wait_for_load_state("networkidle")
        assert (traces(seen.page), seen.page.evaluate("said")) == ([], [])


def test_other_words_are_asked_about_anew_and_a_no_to_them_ends_the_old_yes(site: Site, browser: Browser):
    with looking(browser, 1280, "ar") as seen:
        page = seen.page
        page.goto(site.page("ar"))
        page.locator("#amanah-visitors button").first.click()
        page.wait_for_function("said.length === 1")
        visitor = page.evaluate("amanahVisitors.visitor")
        page.evaluate(OLD)
        page.reload()
        page.wait_for_selector("#amanah-visitors details")
        assert page.evaluate("amanahVisitors.visitor") is None
        page.locator("#amanah-visitors button").first.click()
        page.wait_for_function("said.length === 1")
        assert page.evaluate("amanahVisitors.visitor") == visitor
        page.evaluate(OLD)
        page.reload()
        page.locator("#amanah-visitors button", has_text="لا أوافق").click()
        page.wait_for_function("localStorage.length === 0")
    assert site.heard()[0] == ("consent.withdrawn", "allow")
