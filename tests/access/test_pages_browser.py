"""The pages of the person as people use them: a real browser, both languages, a telephone's width and a desk's, the keyboard alone."""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.breach_reports.browser import CHROMIUM, Looked, chromium, looking
from tests.journeys.served import Served

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here (Debian package chromium)"),
    pytest.mark.slow,
]
WINDOWS = [(width, language) for width in (360, 1280) for language in ("ar", "en")]
SHOTS = os.environ.get("AMANAH_TESTS_SCREENSHOTS")
RNG = random.Random("the person's pages")  # invented people


@dataclass(slots=True)
class House:
    """A served vault with somebody in it."""

    vault: Served
    person: str
    values: dict[str, str]

    def consent(self, purpose: str = "service_delivery") -> str:
        """A consent of hers that stands."""
        return self.vault.grant(self.person, self.vault.consent("electronic", purpose, ["full_name", "iban"]))

    def link(self, consent: str) -> str:
        """The address by which it is withdrawn."""
        made = self.vault.call("POST", f"/v1/consents/{consent}/withdrawal-link", token=self.vault.key())
        assert made.status == 201, made.text
        return f"http://127.0.0.1:{self.vault.port}{made.json['path']}"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = Served(tmp_path_factory.mktemp("vault"), None)
    try:
        made.found()
        told = '[name]\nar = "جمعية البر المثالية"\nen = "Example Charity"\n'
        (made.data / "associations" / "first" / "public.toml").write_text(told, encoding="utf-8")
        made.start()
        values = made.fields(RNG)
        yield House(made, made.store(values)["id"], values)
    finally:
        made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def judge(looked: Looked, house: House, name: str) -> None:
    """Fail unless the page is one anybody can use, asked nobody else for anything, broke no policy, set no cookie and shows no value."""
    if SHOTS:
        looked.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)
    assert looked.serious() == []
    assert not looked.is_wider_than_the_window()
    assert [address for address in looked.asked if not address.startswith(f"http://127.0.0.1:{house.vault.port}/")] == []
    assert [said for said in looked.complaints if not said.startswith("Failed to load resource")] == []
    assert looked.page.context.cookies() == []
    assert looked.page.locator("script").count() == 0
    assert not [value for value in house.values.values() if value in looked.page.content()]


def tab_to(looked: Looked, wanted: str) -> None:
    """Press Tab until what matches the selector has the focus."""
    for _ in range(60):
        looked.page.keyboard.press("Tab")
        if looked.page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(f"the keyboard does not reach {wanted}")


@pytest.mark.parametrize(("width", "language"), WINDOWS)
def test_whoever_holds_the_link_looks_and_presses_once_and_types_nothing(house: House, browser: Browser, width: int, language: str):
    consent = house.consent()
    with looking(browser, width, language) as seen:
        page = seen.page
        page.goto(house.link(consent))
        assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
        judge(seen, house, f"{language}-{width}-withdraw")
        seen.asked.clear()
        tab_to(seen, "button")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=status]")
        assert len([address for address in seen.asked if not address.endswith("favicon.ico")]) == 1
        judge(seen, house, f"{language}-{width}-withdrawn")
        assert page.locator("button").count() == 0
        tab_to(seen, "nav a")
        page.keyboard.press("Enter")
        page.wait_for_selector(f"html[lang={'en' if language == 'ar' else 'ar'}]")
        judge(seen, house, f"{language}-{width}-withdrawn-other-language")
    listed = house.vault.call("GET", f"/v1/records/{house.person}/consents?limit=500", token=house.vault.key()).json["items"]
    assert next(one["state"] for one in listed if one["id"] == consent) == "withdrawn"


@pytest.mark.parametrize(("width", "language"), WINDOWS)
def test_a_person_comes_in_by_code_reads_the_words_withdraws_and_leaves(house: House, browser: Browser, width: int, language: str):
    consent = house.consent()
    made = house.vault.call("POST", f"/v1/records/{house.person}/person-page", {}, token=house.vault.key()).json
    with looking(browser, width, language) as seen:
        page, keyboard = seen.page, seen.page.keyboard
        page.goto(f"http://127.0.0.1:{house.vault.port}{made['path']}")
        judge(seen, house, f"{language}-{width}-door")
        tab_to(seen, "#code")
        keyboard.insert_text("1")
        keyboard.press("Enter")
        page.wait_for_selector("[role=alert]")
        judge(seen, house, f"{language}-{width}-door-wrong")
        tab_to(seen, "#code")
        keyboard.insert_text(made["code"])
        keyboard.press("Enter")
        page.wait_for_selector("section h2")
        assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
        tab_to(seen, "summary")
        keyboard.press("Enter")
        assert page.locator("details[open] .document").is_visible()
        judge(seen, house, f"{language}-{width}-person")
        tab_to(seen, "button[value=withdraw]")
        keyboard.press("Enter")
        page.wait_for_selector("[role=status]")
        judge(seen, house, f"{language}-{width}-person-withdrawn")
        tab_to(seen, "input[value=copy]")
        keyboard.press("Space")
        tab_to(seen, "button[value=ask]")
        keyboard.press("Enter")
        page.wait_for_selector("#asked")
        judge(seen, house, f"{language}-{width}-person-asked")
        tab_to(seen, ".turned")
        keyboard.press("Enter")
        page.wait_for_selector(f"html[lang={'en' if language == 'ar' else 'ar'}]")
        assert page.locator("section h2").count() >= 1, "the other language keeps her in"
        assert made["code"] not in page.url
        tab_to(seen, "button[value=leave]")
        keyboard.press("Enter")
        page.wait_for_selector("[role=status]")
        judge(seen, house, f"{language}-{width}-person-left")
        assert page.locator("section, #code").count() == 0
    listed = house.vault.call("GET", f"/v1/records/{house.person}/consents?limit=500", token=house.vault.key()).json["items"]
    assert next(one["state"] for one in listed if one["id"] == consent) == "withdrawn"
