"""Taking a report down on the page: it is read back once, confirmed, and its slip printed; what was typed wrongly comes back."""

import re
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from tests.household import lay_down
from tests.officer.browser import OURS, Window, text_of
from vault.breach_reports.reports import Knock
from vault.identity.scopes import ROLES
from vault.rulebook.shapes import RECIPIENT, STAFF, RecipientFact
from vault.web.times import RIYADH, moment

pytestmark = pytest.mark.asyncio(loop_scope="function")
PATH, CONFIRMED = "/officer/entries", "/officer/entries/confirmation"
SAID = "اتصلت أم تقول إن صورة ابنتها نُشرت دون موافقتها."
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64


def clock(window: Window, **back: int) -> str:
    """A moment as it is typed: by the clocks of Riyadh."""
    return (moment(window.world.clock.now).astimezone(RIYADH) - timedelta(**back)).strftime("%Y-%m-%dT%H:%M")


async def clerk(window: Window) -> None:
    """Somebody with a clerk's rights and no others signs in."""
    person = await window.world.person("admin")
    member = (await window.world.association.refresh()).staff[person.id]
    await lay_down(window.world, STAFF, person.id, msgspec.structs.replace(member, roles=("clerk",), scopes=ROLES["clerk"]))
    await window.sign_in("admin")


async def typed(window: Window, files: Any = None, **changes: str) -> httpx.Response:
    """The form as it is sent, with what the page laid down in it."""
    page = await window.get(PATH)
    once = re.search(r'name="once" value="([0-9a-f]{32})"', page.text)
    assert once is not None
    fields = {"channel": "telephone", "category": "other", "language": "ar", "narrative": SAID, "seen_at": clock(window, hours=1)}
    return await sent(window, {"token": window.token, "once": once[1], **fields, **changes}, files)


async def sent(window: Window, fields: dict[str, str], files: Any = None) -> httpx.Response:
    more = {"files": files} if files else {}
    return await window._ask("POST", PATH, {"lang": window.language}, data=fields, headers=OURS, **more)


def report_of(answer: httpx.Response) -> str:
    found = re.search(r'name="report" value="([0-9a-f-]{36})"', answer.text)
    assert found is not None
    return found[1]


async def test_a_clerk_takes_down_reads_back_and_prints_the_slip_and_sees_none_of_it_again(window: Window):
    await clerk(window)
    first = await window.get("/officer")
    assert (PATH in first.text, "/officer/reports" in first.text) == (True, False)
    back = await typed(window, {"file": ("لقطة.png", PNG)}, contact="0500000000", exclude="")
    assert (back.status_code, SAID in text_of(back), "0500000000" in text_of(back)) == (200, True, True), back.text
    assert "لقطة.png" in back.text
    assert [one.kind for one in window.world.entries()][-1] == "breach_report.read"
    report = report_of(back)
    slip = await window.send(CONFIRMED, report=report, correction="كان ذلك أمس.")
    assert slip.status_code == 200
    receipt = re.search(r'<p class="receipt" lang="en">([0-9A-Z-]{23})</p>', slip.text)
    assert receipt is not None
    said = text_of(slip)
    assert ("إيصالك السري" in said, "Your secret receipt" in said, "/probe/report/status" in said) == (True, True, True), "both languages"
    assert (SAID in said, "SDAIA" in said) == (False, True)
    again = await window.send(CONFIRMED, report=report, correction="")
    assert (again.status_code, receipt[1] in again.text) == (403, False)
    assert "closed" in text_of(again)
    association = window.world.association
    knocked = await window.reports.follow(association, receipt[1], Knock("198.51.100.1", window.world.clock.now, "r"))
    assert knocked.taken.case.fact.channel == "telephone"


async def test_the_same_form_loaded_again_makes_no_second_report_and_shows_nothing(small_window: Window):
    window = small_window
    await clerk(window)
    page = await window.get(PATH)
    once = re.search(r'name="once" value="([0-9a-f]{32})"', page.text)
    assert once is not None
    fields = {"token": window.token, "once": once[1], "channel": "walk_in", "category": "other", "language": "ar"}
    fields |= {"narrative": SAID, "seen_at": clock(window)}
    assert (await sent(window, fields)).status_code == 200
    again = await sent(window, fields, {"file": ("a.png", PNG)})
    assert (again.status_code, SAID in again.text) == (403, False)
    assert [one.kind for one in window.world.entries()].count("breach_report.received") == 1


async def test_what_does_not_hold_comes_back_with_what_was_typed(small_window: Window):
    window = small_window
    await clerk(window)
    await lay_down(window.world, RECIPIENT, "host", RecipientFact(code="host", name={"en": "Host Co"}, kind="processor", country="SA"))
    assert "Host Co" in text_of(await window.get(PATH))
    late = await typed(window, seen_at=clock(window, hours=25))
    assert late.status_code == 422
    assert "Why it is taken down late: This is needed." in text_of(late)
    assert SAID in late.text
    cases = [
        ({"seen_at": clock(window, hours=-1)}, "That time has not come yet."),
        ({"seen_at": "heute"}, "Not written as it should be."),
        ({"posted_at": "x"}, "Not written as it should be."),
        ({"channel": "pigeon"}, "How did it come?: This is needed."),
        ({"channel": "social_media"}, "Platform: This is needed."),
        ({"processor": "host"}, "The processor: Not accepted"),
        ({"narrative": "قصير"}, "in the reporter's words: Not accepted"),
    ]
    for changes, words in cases:
        answer = await typed(window, **changes)
        assert (answer.status_code, words in text_of(answer)) == (422, True), (changes, text_of(answer))
    wrong = await typed(window, {"file": ("a.zip", b"PK\x03\x04" + b"\x00" * 99)})
    assert (wrong.status_code, SAID in wrong.text, "no JPEG" in text_of(wrong)) == (422, True, True)
    assert (await typed(window, language="fr")).status_code == 400
    stale = await window._ask("POST", PATH, {"lang": "en"}, data={"token": "0"}, headers=OURS)
    assert stale.status_code == 409
    assert [one.kind for one in window.world.entries()].count("breach_report.received") == 0
    given = await typed(window, channel="processor_notice", processor="host", late_reason="x", seen_at=clock(window, hours=30))
    assert given.status_code == 200


async def test_a_report_that_excludes_who_takes_it_down_is_for_somebody_else(small_window: Window):
    window = small_window
    await window.sign_in("officer")
    answer = await typed(window, exclude="المسؤولة")
    assert (answer.status_code, "let somebody else take it down" in text_of(answer)) == (422, True)


async def test_a_post_gets_no_slip_and_a_correction_too_long_comes_back(small_window: Window):
    window = small_window
    await clerk(window)
    lines = {"platform": "X", "handle": "@invented", "link": "https://social.example/1", "posted_at": clock(window, hours=3)}
    back = await typed(window, channel="social_media", **lines)
    assert "https://social.example/1" in text_of(back)
    report = report_of(back)
    long = await window.send(CONFIRMED, report=report, correction="س" * 5001)
    assert (long.status_code, "س" * 5001 in long.text, SAID in long.text) == (422, True, False)
    done = await window.send(CONFIRMED, report=report, correction="")
    assert (done.status_code, 'class="receipt"' in done.text) == (200, False)
    assert "gets no receipt" in text_of(done)
    assert (await window.send(CONFIRMED, report="x", correction="")).status_code == 400


async def test_another_report_in_a_form_that_was_sent_before_comes_back_and_is_kept_once_it_is_sent_again(small_window: Window):
    window = small_window
    await clerk(window)
    first = await typed(window)
    once = re.search(r'name="once" value="([0-9a-f]{32})"', (await window.get(PATH)).text)
    assert once is not None
    fields = {"token": window.token, "once": once[1], "channel": "telephone", "category": "other", "language": "ar"}
    fields |= {"seen_at": clock(window, hours=1), "narrative": SAID}
    assert (first.status_code, (await sent(window, fields)).status_code) == (200, 200)
    other = fields | {"narrative": "اتصل رجل يقول إن راتبه قيل لجاره في المجلس"}
    back = await sent(window, other)
    assert (back.status_code, other["narrative"] in back.text, SAID in back.text) == (409, True, False)
    assert "The form was sent before" in text_of(back)
    fresh = re.search(r'name="once" value="([0-9a-f]{32})"', back.text)
    assert fresh is not None
    kept = await sent(window, other | {"once": fresh[1]})
    assert (kept.status_code, other["narrative"] in text_of(kept)) == (200, True)
    assert [one.kind for one in window.world.entries()].count("breach_report.received") == 3
