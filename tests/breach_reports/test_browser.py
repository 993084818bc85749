"""The report page as people use it: a real browser, both languages, a telephone's width and a desk's, the keyboard alone."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload

from tests.breach_reports.browser import CHROMIUM, Looked, chromium, looking
from tests.journeys.served import PDF, Served, filled_in

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here (Debian package chromium)"),
    pytest.mark.slow,
]
WINDOWS = [(width, language) for width in (360, 1280) for language in ("ar", "en")]
WORDS = {
    "ar": "أرسلت الجمعية رقم جوالي إلى شركة دعاية دون أن أوافق على ذلك.",
    "en": "The association gave my mobile number to an advertising company without my consent.",
}
RECEIPT = re.compile(r"[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){3}")
PICTURE: FilePayload = {"name": "صورة.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n" + b"\x00" * 3000}
SHOTS = os.environ.get("AMANAH_TESTS_SCREENSHOTS")


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served vault whose association has told how it is reached."""
    made = Served(tmp_path_factory.mktemp("vault"), None)
    try:
        made.found()
        told = 'social = "@birr_example"\nemail = "privacy@example.org"\n[name]\nar = "جمعية البر المثالية"\nen = "Example Charity"\n'
        (made.data / "associations" / "first" / "public.toml").write_text(told, encoding="utf-8")
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(params=WINDOWS, ids=lambda window: f"{window[1]}-{window[0]}")
def looked(request: pytest.FixtureRequest, browser: Browser) -> Iterator[tuple[Looked, str, str]]:
    width, language = request.param
    with looking(browser, width, language) as found:
        yield found, language, f"{language}-{width}"


def keep(looked: Looked, name: str) -> None:
    """Keep a picture where somebody wants to see what people see."""
    if SHOTS:
        looked.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def judge(looked: Looked, vault: Served, name: str) -> None:
    """Fail unless the page is one anybody can use, and asked nobody else for anything."""
    keep(looked, name)
    assert looked.serious() == []
    assert not looked.is_wider_than_the_window()
    assert [address for address in looked.asked if not address.startswith(f"http://127.0.0.1:{vault.port}/")] == []
    assert looked.page.context.cookies() == []


def tab_to(looked: Looked, name: str) -> None:
    """Press Tab until the named field or the button has the focus."""
    for _ in range(20):
        looked.page.keyboard.press("Tab")
        held = looked.page.evaluate("[document.activeElement.name, document.activeElement.type, document.activeElement.tagName]")
        if name in (held[0], held[1]):
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def test_a_report_is_sent_and_followed_with_the_keyboard_alone(vault: Served, looked: tuple[Looked, str, str]):
    seen, language, name = looked
    page = seen.page
    page.goto(f"http://127.0.0.1:{vault.port}/first/report")
    assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
    judge(seen, vault, f"{name}-1-form")
    tab_to(seen, "category")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "narrative"
    page.keyboard.insert_text(WORDS[language])
    tab_to(seen, "submit")
    page.keyboard.press("Enter")
    page.wait_for_selector("#receipt")
    judge(seen, vault, f"{name}-2-taken")
    receipt = page.inner_text("#receipt").strip()
    assert RECEIPT.fullmatch(receipt)
    assert receipt not in page.url
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab_to(seen, "button")
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('said').textContent !== ''")
    assert page.evaluate("navigator.clipboard.readText()") == receipt
    page.evaluate("window.print = () => { document.title = 'printed' }")
    page.click("[data-does=print]")
    assert page.title() == "printed"
    judge(seen, vault, f"{name}-2-copied")
    page.goto(f"http://127.0.0.1:{vault.port}/first/report/status")
    judge(seen, vault, f"{name}-3-ask")
    tab_to(seen, "receipt")
    page.keyboard.insert_text(receipt.lower().replace("-", " ").translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")))
    page.keyboard.press("Enter")
    page.wait_for_selector("#text")
    tab_to(seen, "text")
    page.keyboard.insert_text(WORDS[language])
    tab_to(seen, "submit")
    page.keyboard.press("Enter")
    page.wait_for_selector(".message")
    judge(seen, vault, f"{name}-4-followed")
    assert WORDS[language] in page.inner_text(".message")
    assert receipt not in "".join(seen.asked)


def test_what_is_wrong_is_told_beside_the_field_and_nothing_typed_is_lost(vault: Served, looked: tuple[Looked, str, str]):
    seen, language, name = looked
    page = seen.page
    page.goto(f"http://127.0.0.1:{vault.port}/first/report?lang={language}")
    page.fill("#narrative", "قصير")
    page.fill("#contact", "0500000000")
    page.click("button")
    page.wait_for_selector(".wrong")
    judge(seen, vault, f"{name}-5-wrong")
    assert page.evaluate("document.activeElement.className") == "wrong"
    assert page.input_value("#narrative") == "قصير"
    assert page.input_value("#contact") == "0500000000"
    assert page.get_attribute("#category", "aria-invalid") == "true"
    page.click(".wrong a")
    assert page.evaluate("document.activeElement.id") == "category"


# In two windows, for one network's look-ups of receipts are bounded and all tests here come from one.
@pytest.mark.parametrize("looked", [(360, "ar"), (1280, "en")], ids=["360-ar", "1280-en"], indirect=True)
def test_files_go_both_ways_and_one_that_is_not_taken_is_told_beside_the_field(vault: Served, looked: tuple[Looked, str, str]):
    seen, language, name = looked
    page = seen.page
    page.goto(f"http://127.0.0.1:{vault.port}/first/report?lang={language}")
    page.select_option("#category", "other")
    page.fill("#narrative", WORDS[language])
    page.set_input_files("#file", {"name": "a.exe", "mimeType": "image/png", "buffer": b"MZ\x90\x00" + b"\x00" * 300})
    page.click("form [type=submit]")
    page.wait_for_selector(".wrong")
    judge(seen, vault, f"{name}-7-file-wrong")
    assert page.input_value("#narrative") == WORDS[language]
    page.click(".wrong a")
    assert page.evaluate("document.activeElement.id") == "file"
    page.set_input_files("#file", PICTURE)
    page.click("form [type=submit]")
    page.wait_for_selector("#receipt")
    receipt = page.inner_text("#receipt").strip()
    officer = vault.session("officer")
    newest = vault.call("GET", "/v1/breach-reports", token=officer).json["items"][0]["id"]
    raw, headers = filled_in({"text": "انظر المرفق"}, [("x.pdf", PDF)])
    assert vault.call("POST", f"/v1/breach-reports/{newest}/reply/files", raw=raw, headers=headers, token=officer).status == 200
    page.goto(f"http://127.0.0.1:{vault.port}/first/report/status?lang={language}")
    page.fill("#receipt", receipt)
    page.click("form [type=submit]")
    page.fill("#text", WORDS[language])
    page.set_input_files("#file", PICTURE)
    page.click("form:has(textarea) [type=submit]")
    page.wait_for_selector(".message:nth-of-type(2)")
    judge(seen, vault, f"{name}-8-files")
    with page.expect_download() as waited:
        page.click(".message [type=submit]")
    assert waited.value.suggested_filename == "file.pdf"
    assert Path(waited.value.path()).read_bytes() == PDF


def test_a_page_that_is_not_there_is_a_page(vault: Served, looked: tuple[Looked, str, str]):
    seen, _language, name = looked
    answer = seen.page.goto(f"http://127.0.0.1:{vault.port}/nobody/report")
    assert answer is not None
    assert answer.status == 404
    judge(seen, vault, f"{name}-6-nothing")


def test_the_style_that_the_policy_names_is_the_one_that_holds(vault: Served, browser: Browser):
    with looking(browser, 1280, "ar") as seen:
        seen.page.goto(f"http://127.0.0.1:{vault.port}/first/report")
        assert seen.page.evaluate("getComputedStyle(document.querySelector('.top')).backgroundColor") == "rgb(11, 90, 76)"
        assert seen.complaints == []


@pytest.mark.parametrize("language", ["ar", "en"])
def test_without_a_script_a_report_is_sent_and_followed_all_the_same(vault: Served, browser: Browser, language: str):
    with looking(browser, 360, language, script=False) as seen:
        page = seen.page
        page.goto(f"http://127.0.0.1:{vault.port}/first/report")
        page.select_option("#category", "other")
        page.fill("#narrative", WORDS[language])
        page.check("[name=exclude_administrator]")
        page.set_input_files("#file", [PICTURE, PICTURE])
        page.click("form [type=submit]")
        receipt = page.inner_text("#receipt").strip()
        assert RECEIPT.fullmatch(receipt)
        assert page.locator("[data-does]:visible").count() == 0, "what takes a script is not shown"
        keep(seen, f"{language}-360-noscript-taken")
        page.goto(f"http://127.0.0.1:{vault.port}/first/report/status")
        page.fill("#receipt", receipt)
        page.click("form [type=submit]")
        page.fill("#text", WORDS[language])
        page.set_input_files("#file", PICTURE)
        page.click("form:has(textarea) [type=submit]")
        assert "PNG" in page.inner_text(".message")
        assert WORDS[language] in page.inner_text(".message")
        assert seen.complaints == []
