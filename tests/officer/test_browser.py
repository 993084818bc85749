"""The officer's pages as people use them: a real browser, both languages, a telephone's width and a desk's, the keyboard alone."""

import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.breach_reports.browser import CHROMIUM, Looked, chromium, looking
from tests.journeys.served import Served, moment

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here (Debian package chromium)"),
    pytest.mark.slow,
]
WINDOWS = [(width, language) for width in (360, 1280) for language in ("ar", "en")]
PAGES = (
    *(
        "",
        "/own",
        "/log",
        "/alerts",
        "/approvals",
        "/consents",
        "/forms",
        "/requests",
        "/reports",
        "/quarantine",
        "/entries",
        "/incidents",
        "/month",
    ),
    "/retention",
    *("/recalls", "/take-downs", "/referrals"),
    "/statistics",
    "/exclusions",
    "/standing",
)
SHOTS = os.environ.get("AMANAH_TESTS_SCREENSHOTS")
RNG = random.Random("officer")  # invented people


@dataclass(slots=True)
class Office:
    """A served vault in which something happened: a person who was read, one whose erasure waits, a report."""

    vault: Served
    person: str
    values: dict[str, str]
    erasure: str
    request: str
    report: str
    incident: str
    group: str
    notices: str = ""
    letters: str = ""
    notice: str = ""
    piece: str = ""
    records: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.vault.port}/officer"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Served(tmp_path_factory.mktemp("vault"), None)
    try:
        made.found()
        told = '[name]\nar = "جمعية البر المثالية"\nen = "Example Charity"\n'
        (made.data / "associations" / "first" / "public.toml").write_text(told, encoding="utf-8")
        made.start()
        values = made.fields(RNG)
        person = made.store(values)["id"]
        agreed = made.consent("electronic", "service_delivery", ["full_name", "iban"])
        assert made.call("POST", f"/v1/records/{person}/consents", agreed, token=made.key()).status == 201
        for fields in ("full_name", "full_name,iban", "national_id"):
            made.call("GET", f"/v1/records/{person}?purpose=service_delivery&fields={fields}", token=made.key())
        gone = made.store(made.fields(RNG))["id"]
        asked = made.call(
            "POST", f"/v1/records/{gone}/erasure", {"reason": "طلبت ذلك", "requested_by": "self"}, token=made.session("officer")
        )
        assert asked.status == 202, asked.text
        officer = made.session("officer")
        court = {"name": {"ar": "المحكمة", "en": "Court"}, "kind": "authority", "country": "SA"}
        assert made.call("PUT", "/v1/recipients/court", court, token=officer).status in (200, 201)
        order = {
            "authority": "المحكمة العامة بالرياض",
            "kind": "judicial",
            "number": "45/112",
            "issued_on": "2025-12-30",
            "recipient": "court",
            "records": [person],
            "fields": ["full_name", "iban"],
            "valid_from": moment(-3600),
            "valid_to": moment(86400),
            "document_sha256": "cd" * 32,
        }
        waits = made.call("POST", "/v1/orders", order, token=officer)
        assert waits.status == 201, waits.text
        records = several_pages(made, order, waits.json["id"], person)
        studies(made)
        signed = made.consent("written", "publication", ["full_name"])
        assert made.call("POST", f"/v1/records/{person}/consents", signed, token=made.key()).status == 201
        asked_for = {"record": person, "kind": "copy", "channel": "phone", "says": "أريد نسخة من بياناتي"}
        taken = made.call("POST", "/v1/requests", asked_for, token=made.key())
        assert taken.status == 201, taken.text
        report = {"category": "other", "narrative": "نشرت الجمعية صورة ابنتي في حسابها دون موافقتي.", "language": "ar"}
        for narrative in (report["narrative"], f"{report['narrative']} 2", f"{report['narrative']} 3"):
            assert made.call("POST", "/v1/public/first/breach-reports", {**report, "narrative": narrative}).status == 201
        [group] = made.call("GET", "/v1/breach-reports/groups", token=officer).json["items"]
        assert group["count"] == 3
        for hours, answer in ((20, "yes"), (80, "no")):
            found = {"summary": "وصلت قائمة أسماء إلى جهة لا شأن لها بها", "aware_at": moment(-hours * 3600)}
            incident = made.call("POST", "/v1/incidents", found, token=officer)
            assert incident.status == 201, incident.text
            weight = {"sensitive": answer, "over_100": answer}
            assert made.call("POST", f"/v1/incidents/{incident.json['id']}/assessment", weight, token=officer).status == 200
        moved = {"aware_at": moment(-90 * 3600), "reason": "علمنا مساء اليوم الذي قبله"}
        assert made.call("POST", f"/v1/incidents/{incident.json['id']}/awareness", moved, token=officer).status == 200
        reports = made.call("GET", "/v1/breach-reports", token=officer).json["items"]
        came = next(each["id"] for each in reports if each["id"] != group["example"]["id"])
        for step, body in (
            ("acknowledgement", None),
            ("triage", {"finding": "breach", "note": "نُشرت الصورة فعلًا"}),
            ("reply", {"text": "شكرًا لكم"}),
        ):
            assert made.call("POST", f"/v1/breach-reports/{came}/{step}", body, token=officer).status == 200
        assert made.call("POST", f"/v1/breach-reports/{came}/dismissal", {"reason": "duplicate"}, token=officer).status == 200
        noticed = (*notices(made, incident.json["id"], gone), evidence(made, incident.json["id"]))
        for what, id_ in (("incidents", incident.json["id"]), ("breach-reports", came)):
            for step in ("legal-hold", "legal-hold/lifting"):
                assert made.call("POST", f"/v1/{what}/{id_}/{step}", {"reason": "دعوى منظورة"}, token=officer).status == 200
        cases = (asked.json["id"], taken.json["id"], came, incident.json["id"], group["example"]["id"])
        yield Office(made, person, values, *cases, *noticed, records)
    finally:
        made.stop()


def several_pages(vault: Served, order: Mapping[str, object], waits: str, person: str) -> tuple[str, ...]:
    """A second page for the order that waits, and a disclosure of two pages on another: what their records are asked with."""
    officer, second = vault.session("officer"), vault.approver("second_officer")
    others = [vault.store(vault.fields(RNG))["id"] for _ in range(3)]
    approved = vault.call("POST", "/v1/orders", {**order, "number": "45/113", "records": [person, *others[:2]]}, token=officer).json["id"]
    assert vault.call("POST", f"/v1/orders/{approved}/approval", {}, token=second).status == 200
    asked = {"basis": "order", "order": approved, "recipient": "court", "records": [person], "fields": ["full_name", "mobile"]}
    disclosure = vault.call("POST", "/v1/disclosures", {**asked, "purpose": "legal_order"}, token=officer)
    assert disclosure.status == 201, disclosure.text
    for whole, more in ((f"orders/{waits}", others[:2]), (f"disclosures/{disclosure.json['id']}", others)):
        added = vault.call("POST", f"/v1/{whole}/records", {"records": more}, token=officer)
        assert added.status == 201, added.text
    whole = f"kind=disclosure&id={disclosure.json['id']}"
    return (f"kind=order&id={waits}&page=2", f"{whole}&page=1", f"{whole}&page=2")


def studies(vault: Served) -> None:
    """A study that waits, and an extract the officer asked for of one in force."""
    admin, officer = vault.session("admin"), vault.session("officer")
    age = {"name": "age", "field": "birth_date", "steps": [18, 35, 60]}
    gender = {"name": "gender", "field": "gender", "groups": {"female": ["female"], "male": ["male"]}}
    region = {"name": "region", "field": "short_address", "groups": {"riyadh": ["R"], "makkah": ["M"]}}
    study = {"type": "beneficiary", "purpose": "internal_research"}
    for code, form, title, dimensions in (
        ("by_age", "table", "أعمار المستفيدين وأجناسهم", [age, gender]),
        ("regions", "extract", "توزيع المستفيدين على المناطق", [region]),
    ):
        body = {**study, "form": form, "title": {"ar": title, "en": "Who is served"}, "dimensions": dimensions}
        made = vault.call("PUT", f"/v1/research/{code}", body, token=admin)
        assert made.status == 200, made.text
    wording = {"proposal": made.json["proposal"]}
    assert vault.call("POST", "/v1/research/regions/approval", wording, token=vault.approver("second_officer")).status == 200
    assert vault.call("POST", "/v1/research/regions/extract", token=officer).status == 200


def notices(vault: Served, incident: str, record: str) -> tuple[str, str, str]:
    """What the pages of an incident's notices are asked with: of all, of one to people, of one to the authority."""
    officer, place = vault.session("officer"), f"/v1/incidents/{incident}"
    words = {"ar": "وصف يطول " * 20, "en": "Words that go on " * 10}
    whole = dict.fromkeys(("description", "circumstances", "categories", "data", "effects", "measures", "planned", "contact"), words)
    drafts = [vault.call("POST", f"{place}/authority-notices", body, token=officer) for body in (whole, {"people": 3})]
    assert {each.status for each in drafts} == {201}, drafts[0].text
    first = drafts[0].json["notice"]
    reasons = {"partial": True, "reasons": "لم تنتهِ المراجعة", "late_reason": "تعطلت المنصة"}
    late = {"filed_at": moment(-1), "reference": "SDAIA-1", **reasons}
    assert vault.call("POST", f"{place}/authority-notices/{first}/filing", late, token=officer).status == 200
    made = vault.call("POST", f"{place}/people-notices", dict.fromkeys(("description", "risks", "contact", "advice"), words), token=officer)
    assert made.status == 201, made.text
    number = made.json["notice"]
    assert vault.call("POST", f"{place}/people-notices/{number}/people", {"records": [record]}, token=officer).status == 200
    about = f"incident={incident}"
    return about, f"{about}&notice={number}", f"{about}&notice={first}"


def evidence(vault: Served, incident: str) -> str:
    """What the page of a piece of evidence is asked with: what the association's own system touched in the last hour."""
    time.sleep(1)  # so that a second written without its fraction lies behind what was done
    officer = vault.session("officer")
    entries = vault.call("GET", "/v1/access-log?limit=200", token=officer).json["items"]
    hand = next(each["actor"] for each in entries if each["kind"] == "record.read")
    asked = {"actor": hand, "from": moment(-3600), "to": moment()}
    made = vault.call("POST", f"/v1/incidents/{incident}/evidence", asked, token=officer)
    assert made.status == 201, made.text
    return f"incident={incident}&piece={made.json['id']}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def judge(looked: Looked, office: Office, name: str) -> None:
    """Fail unless the page is one anybody can use, asked nobody else for anything, broke no policy and shows no value."""
    if SHOTS:
        looked.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)
    assert looked.serious() == []
    assert not looked.is_wider_than_the_window()
    assert [address for address in looked.asked if not address.startswith(f"http://127.0.0.1:{office.vault.port}/")] == []
    assert [said for said in looked.complaints if not said.startswith("Failed to load resource")] == []
    assert not [value for value in office.values.values() if value in looked.page.content()]


def tab_to(looked: Looked, wanted: str) -> None:
    """Press Tab until what matches the selector has the focus."""
    for _ in range(60):
        looked.page.keyboard.press("Tab")
        if looked.page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(f"the keyboard does not reach {wanted}")


def sign_in(looked: Looked, office: Office, who: str) -> None:
    """Sign in with the keyboard alone."""
    account, keyboard = office.vault.secrets["first"]["staff"][who], looked.page.keyboard
    looked.page.goto(office.url)
    tab_to(looked, "#username")
    keyboard.insert_text(account["username"])
    keyboard.press("Tab")
    keyboard.insert_text(account["password"])
    keyboard.press("Tab")
    keyboard.insert_text(office.vault.code(who))
    keyboard.press("Enter")
    looked.page.wait_for_selector(".places")


@pytest.mark.parametrize(("width", "language"), [(360, "ar"), (1280, "en")])
def test_from_signing_in_who_saw_a_person_is_three_requests_and_one_line_typed(office: Office, browser: Browser, width: int, language: str):
    with looking(browser, width, language) as seen:
        page = seen.page
        page.goto(office.url)
        judge(seen, office, f"{language}-{width}-sign-in")
        assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
        seen.asked.clear()
        sign_in(seen, office, "officer" if language == "ar" else "second_officer")
        [cookie] = page.context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == ("__Host-amanah", True, True, "Strict")
        if language == "en":  # the role `officer` reads the log; both of the ceremony hold it
            assert page.locator("#person").count() == 1
        tab_to(seen, "#person")
        page.keyboard.insert_text(office.person)
        page.keyboard.press("Enter")
        page.wait_for_selector("#seers-title")
        # Led to the page of signing in, signing in, led to the first page, the report: nothing else was asked for.
        pages = [address.partition("?")[0].rpartition("/officer")[2] for address in seen.asked]
        assert pages == ["", "/sign-in", "/sign-in", "", "/person"]
        assert "2" in page.inner_text("section[aria-labelledby=seers-title] tbody")
        judge(seen, office, f"{language}-{width}-person")
        tab_to(seen, ".plain")
        page.keyboard.press("Enter")
        page.wait_for_selector("#username")
        assert page.context.cookies() == []


@pytest.mark.parametrize(("width", "language"), WINDOWS)
def test_every_page_can_be_used_in_both_languages_and_widths(office: Office, browser: Browser, width: int, language: str):
    with looking(browser, width, language) as seen:
        token = office.vault.session("officer")
        cookie = {"name": "__Host-amanah", "value": token, "domain": "127.0.0.1", "path": "/", "secure": True, "sameSite": "Strict"}
        seen.page.context.add_cookies([cookie])  # type: ignore[list-item]  # its TypedDict takes a dict
        request = f"request={office.request}"
        single = [
            ("/requests/one", request),
            ("/requests/letter", request),
            ("/reports/one", f"report={office.report}"),
            ("/incidents/one", f"incident={office.incident}"),
        ]
        pages = [(path, "") for path in PAGES] + single
        pages += [("/evidence", f"incident={office.incident}"), ("/evidence/people", office.piece)]
        pages += [("/quarantine/group", f"report={office.group}"), *(("/approvals/records", query) for query in office.records)]
        pages += [("/notices", office.notices), ("/notices/people", office.letters), ("/notices/authority", office.notice)]
        for path, query in pages:
            answer = seen.page.goto(f"{office.url}{path}?lang={language}&{query}".rstrip("&"))
            assert answer is not None
            assert answer.status == 200, path
            number = office.records.index(query) if query in office.records else ""
            judge(seen, office, f"{language}-{width}{path.replace('/', '-') or '-home'}{number}")
        seen.page.emulate_media(media="print")
        seen.page.goto(f"{office.url}/month?lang={language}")
        judge(seen, office, f"{language}-{width}-print")
        assert not seen.page.is_visible(".places")


@pytest.mark.parametrize(("width", "language"), WINDOWS)
def test_whom_a_reporter_meant_can_be_said_in_both_languages_and_widths(office: Office, browser: Browser, width: int, language: str):
    narrative = "نشر الموظف صور الأسر في مجموعة عامة دون موافقتهم."
    for exclude in ({"offices": ["officer"]}, {"words": "مدير الفرع الجديد"}):
        told = {"category": "other", "narrative": narrative, "language": "ar", "exclude": exclude}
        assert office.vault.call("POST", "/v1/public/first/breach-reports", told).status == 201
    admin = office.vault.session("admin")
    waits = office.vault.call("GET", "/v1/breach-reports/reporter-exclusions", token=admin).json["items"]
    with looking(browser, width, language) as seen:
        cookie = {"name": "__Host-amanah", "value": admin, "domain": "127.0.0.1", "path": "/", "secure": True, "sameSite": "Strict"}
        seen.page.context.add_cookies([cookie])  # type: ignore[list-item]  # its TypedDict takes a dict
        ways = ["", "/exclusions", *(f"/exclusions/group?report={each['like']}" for each in waits)]
        for number, path in enumerate(ways):
            answer = seen.page.goto(f"{office.url}{path}{'&' if '?' in path else '?'}lang={language}")
            assert answer is not None
            assert answer.status == 200, path
            judge(seen, office, f"{language}-{width}-exclusions-{number}")
            assert narrative not in seen.page.content()


@pytest.mark.parametrize("typed", ["1000000008", "فاطمة بنت خالد"])
def test_a_number_or_a_name_typed_for_a_record_never_comes_to_stand_in_the_address(office: Office, browser: Browser, typed: str):
    with looking(browser, 1280, "ar") as seen:
        token = office.vault.session("officer")
        cookie = {"name": "__Host-amanah", "value": token, "domain": "127.0.0.1", "path": "/", "secure": True, "sameSite": "Strict"}
        seen.page.context.add_cookies([cookie])  # type: ignore[list-item]  # its TypedDict takes a dict
        for path in ("", "/log", "/consents"):
            seen.page.goto(f"{office.url}{path}?lang=ar")
            seen.asked.clear()
            seen.page.fill("#person", typed)
            seen.page.press("#person", "Enter")
            assert not seen.page.evaluate("document.querySelector('#person').validity.valid")
            seen.page.fill("#person", office.person.upper())
            with seen.page.expect_navigation():
                seen.page.press("#person", "Enter")
            assert len(seen.asked) == 1
            assert office.person in seen.asked[0].lower()


def test_a_notice_is_written_filed_and_printed_in_the_browser_alone(office: Office, browser: Browser):
    with looking(browser, 1280, "ar") as seen:
        sign_in(seen, office, "officer")
        page = seen.page
        page.goto(f"{office.url}/incidents?lang=ar")
        page.click("a:has-text('الإشعارات') >> nth=0")
        page.wait_for_selector("#step-draft")
        page.fill("#draft-description-ar", "أُرسل كشف إلى بريد خاطئ")
        page.fill("#draft-at", "2026-01-01T10:30")
        tab_to(seen, "button[value=draft]")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=status]")
        judge(seen, office, "ar-1280-notice-drafted")
        page.click("section[aria-labelledby=to-authority] article >> nth=0 >> a")
        page.wait_for_selector("#part-e")
        judge(seen, office, "ar-1280-notice-shown")
        assert "أُرسل كشف إلى بريد خاطئ" in page.inner_text("main")
        page.emulate_media(media="print")
        assert not page.is_visible(".top nav")
        if SHOTS:
            page.pdf(path=str(Path(SHOTS) / "ar-notice.pdf"), format="A4")
        page.emulate_media(media="screen")
        page.go_back()
        page.fill("#file-at", "2026-01-02T09:00")
        page.fill("#file-reference", "SDAIA-9")
        page.click("button[value=file]")
        page.wait_for_selector(".wrong[role=alert]")
        judge(seen, office, "ar-1280-notice-gaps")
        assert page.input_value("#file-reference") == "SDAIA-9"


def test_a_second_officer_approves_with_the_keyboard_alone(office: Office, browser: Browser):
    with looking(browser, 1280, "ar") as seen:
        sign_in(seen, office, "second_officer")
        seen.page.goto(f"{office.url}/approvals")
        assert office.erasure not in seen.page.inner_text("main")
        tab_to(seen, "input[name=code]")
        seen.page.keyboard.insert_text("000000")
        tab_to(seen, "button[value=approve]")
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_selector(".wrong")
        judge(seen, office, "ar-1280-approval-refused")
        tab_to(seen, "input[name=code]")
        seen.page.keyboard.insert_text(office.vault.code("second_officer"))
        tab_to(seen, "button[value=approve]")
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_selector("[role=status]")
        judge(seen, office, "ar-1280-approved")
        assert seen.page.locator("article").count() == 8


@pytest.mark.parametrize(("width", "language"), [(360, "ar"), (1280, "en")])
def test_a_report_is_taken_down_with_the_keyboard_read_back_and_its_slip_printed(
    office: Office, browser: Browser, width: int, language: str, tmp_path: Path
):
    shot = tmp_path / "post.png"
    shot.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\x00" * 64)
    said = "اتصلت أم تقول إن صورة ابنتها نُشرت دون موافقتها."
    with looking(browser, width, language) as seen:
        token = office.vault.session("officer")
        cookie = {"name": "__Host-amanah", "value": token, "domain": "127.0.0.1", "path": "/", "secure": True, "sameSite": "Strict"}
        seen.page.context.add_cookies([cookie])  # type: ignore[list-item]  # its TypedDict takes a dict
        page = seen.page
        page.goto(f"{office.url}/entries?lang={language}")
        tab_to(seen, "#channel")
        page.keyboard.press("ArrowDown")
        assert page.input_value("#channel") == "telephone"
        tab_to(seen, "#narrative")
        page.keyboard.insert_text("قصير")
        tab_to(seen, "button[type=submit]:not(.plain)")
        page.keyboard.press("Enter")
        page.wait_for_selector(".wrong")
        judge(seen, office, f"{language}-{width}-entry-wrong")
        assert page.input_value("#narrative") == "قصير"
        page.fill("#narrative", said)
        page.set_input_files("#file", str(shot))
        page.press("#contact", "Enter")
        page.wait_for_selector("#correction")
        assert said in page.inner_text("main")
        assert "post.png" in page.inner_text("main")
        judge(seen, office, f"{language}-{width}-entry-back")
        tab_to(seen, "#correction")
        page.keyboard.insert_text("كان ذلك أمس.")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector(".receipt")
        assert said not in page.inner_text("main")
        page.emulate_media(media="print")
        judge(seen, office, f"{language}-{width}-entry-slip")
        assert not page.is_visible(".places")
        assert page.locator(".receipt:visible").count() == 2
        receipt = page.locator(".receipt").first.inner_text()
        assert receipt not in page.url
        page.goto(f"{office.url}/entries?lang={language}")
        assert receipt not in page.content()
