"""The form to sign by hand in a real browser: both languages, a telephone's width and a desk's, and on sheets of A4."""

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.breach_reports.browser import CHROMIUM, chromium, looking
from tests.journeys.served import Served

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here (Debian package chromium)"),
    pytest.mark.slow,
]
WINDOWS = [(width, language) for width in (360, 1280) for language in ("ar", "en")]
SHOTS = os.environ.get("AMANAH_TESTS_SCREENSHOTS")
A4 = (595, 842)
"""Points, rounded."""
MILLIMETRE = 96 / 25.4


@dataclass(slots=True)
class Office:
    """A served vault whose forms are printed."""

    vault: Served
    notice: str

    def address(self, language: str) -> str:
        """Where the form for a beneficiary is."""
        asked = f"purpose=service_delivery&type=beneficiary&language={language}"
        return f"http://127.0.0.1:{self.vault.port}/v1/notices/{self.notice}/versions/1/form?{asked}"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Served(tmp_path_factory.mktemp("vault"), None)
    try:
        made.found()
        told = '[name]\nar = "جمعية البر المثالية"\nen = "Example Charity"\n'
        told = f'email = "privacy@example.org"\nsite = "https://vault.example.org"\n{told}'
        (made.data / "associations" / "first" / "public.toml").write_text(told, encoding="utf-8")
        made.start()
        yield Office(made, made.call("GET", "/v1/notices/current?purpose=service_delivery", token=made.key()).json["id"])
    finally:
        made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def sheets(pdf: bytes) -> list[tuple[int, int]]:
    """The size of each page of a PDF in whole points."""
    whole = pdf + b"".join(map(_inflated, re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)))
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([0-9.]+) ([0-9.]+)\s*\]", whole)
    return [(round(float(width)), round(float(height))) for width, height in boxes]


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:  # a picture or a font: not a part that names pages
        return b""


@pytest.mark.parametrize(("width", "language"), WINDOWS)
def test_a_form_is_read_by_anybody_and_asks_nobody_for_anything(office: Office, browser: Browser, width: int, language: str):
    with looking(browser, width, language) as seen:
        seen.page.set_extra_http_headers({"Authorization": f"Bearer {office.vault.key()}"})
        answer = seen.page.goto(office.address(language))
        assert answer is not None
        assert answer.status == 200
        if SHOTS:
            seen.page.screenshot(path=str(Path(SHOTS) / f"{language}-{width}-form.png"), full_page=True)
        assert seen.serious() == []
        assert not seen.is_wider_than_the_window()
        assert [one for one in seen.asked if not one.startswith(f"http://127.0.0.1:{office.vault.port}/")] == []
        assert seen.complaints == []
        assert seen.page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
        assert seen.page.locator("script, input, button, img").count() == 0
        text = seen.page.evaluate("document.querySelector('.frame p').textContent")
        told = office.vault.call("GET", f"/v1/notices/{office.notice}/versions/1", token=office.vault.key()).json
        assert text == told["texts"][language]
        other = "en" if language == "ar" else "ar"
        seen.page.click("nav a")
        seen.page.wait_for_selector(f"html[lang={other}]")
        assert "type=beneficiary" in seen.page.url


@pytest.mark.parametrize("language", ["ar", "en"])
def test_a_form_prints_on_sheets_of_a4_with_nothing_cut_off_and_room_to_write(office: Office, browser: Browser, language: str):
    with looking(browser, 1280, language) as seen:
        page = seen.page
        page.set_extra_http_headers({"Authorization": f"Bearer {office.vault.key()}"})
        page.goto(office.address(language))
        pdf = page.pdf(prefer_css_page_size=True)
        if SHOTS:
            (Path(SHOTS) / f"{language}-form.pdf").write_bytes(pdf)
        assert sheets(pdf) == [A4, A4], "two pages: one sheet, printed on both sides"
        # As wide as the paper between its margins: nothing may stick out of it.
        page.emulate_media(media="print")
        page.set_viewport_size({"width": int(180 * MILLIMETRE), "height": 1000})
        assert not seen.is_wider_than_the_window()
        for place, least in ((".qr svg", 30), (".sign", 20)):
            box = page.locator(place).first.bounding_box()
            assert box is not None
            assert box["height"] / MILLIMETRE >= least, place
        lines = page.evaluate("[...document.querySelectorAll('.blank')].map(e => e.getBoundingClientRect().height)")
        assert min(lines) / MILLIMETRE >= 7.9
        ticked = page.evaluate("[...document.querySelectorAll('.tick')].map(e => e.textContent + getComputedStyle(e).backgroundColor)")
        assert set(ticked) == {"rgb(255, 255, 255)"}
        for hidden in (".top", ".foot", ".skip"):
            assert not page.locator(hidden).first.is_visible()
