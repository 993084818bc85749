"""One breach report on the officer's pages: read after an entry, worked on by forms, settled by two, and kept from whom it excludes."""

import re

import pytest

from tests.officer.browser import Window, text_of
from tests.officer.test_clocks_and_standing import reported
from tests.officer.test_entries import clock, report_of, typed
from tests.simulator import START
from vault.breach_reports.holds import lay
from vault.rulebook.asker import Errand
from vault.web.call import parse_id, write_id

pytestmark = pytest.mark.asyncio(loop_scope="function")
PATH, ONE = "/officer/reports", "/officer/reports/one"


async def found(window: Window) -> str:
    """The id of a report that came, by the link in the queue."""
    await reported(window)
    link = re.search(r"/officer/reports/one\?lang=en&amp;report=([0-9a-f-]{36})", (await window.get(PATH)).text)
    assert link is not None
    return link[1]


async def step(window: Window, report: str, act: str, **fields: str) -> tuple[int, str]:
    answer = await window.send(PATH, act=act, report=report, **fields)
    return answer.status_code, answer.headers.get("location", "") or text_of(answer)


def leads(report: str, act: str) -> tuple[int, str]:
    return 303, f"{ONE}?report={report}&done={act}&lang=en"


async def test_a_report_goes_from_the_queue_to_an_answer_and_each_look_is_an_entry(window: Window):
    await window.sign_in()
    report = await found(window)
    page = await window.get(ONE, report=report)
    told = window.world.entries()[-1]
    assert (told.kind, told.outcome, write_id(told.about[0].subject)) == ("breach_report.read", "allow", report)
    for words in ("What was reported", "provisional until judged", "received", "Acknowledge it", "Judge it", "Send the answer"):
        assert words in text_of(page)
    assert await step(window, report, "acknowledge") == leads(report, "acknowledge")
    assert "It was acknowledged." in text_of(await window.get(ONE, report=report, done="acknowledge"))
    at = {"finding": "breach", "at": "2026-01-01T02:30", "says": "اتصل بنا مدير القسم"}
    assert await step(window, report, "triage", **at) == leads(report, "triage")
    assert await step(window, report, "reply", says="نشكركم، وننظر في الأمر") == leads(report, "reply")
    said = text_of(await window.get(ONE, report=report))
    for words in ("triaged", "may be a breach of personal data", "اتصل بنا مدير القسم", "نشكركم، وننظر في الأمر", "the association"):
        assert words in said
    assert "Acknowledge it" not in said
    assert "2026-01-04 02:30" in said, "72 hours from the awareness typed, on the clocks of Riyadh"
    window.language = "ar"
    assert "المراسلات مع المُبلِّغ" in text_of(await window.get(ONE, report=report))


async def test_a_dismissal_takes_another_person_and_her_code(window: Window):
    await window.sign_in()
    report = await found(window)
    assert await step(window, report, "propose-dismissal", reason="duplicate", says="ورد أمس") == leads(report, "propose-dismissal")
    assert "only another person may approve it" in text_of(await window.get(ONE, report=report))
    status, said = await step(window, report, "dismiss", reason="duplicate", code=window.world.one_time_code("officer"))
    assert (status, "told already" in said) == (403, True)
    await window.sign_in("second_officer")
    await window.get(ONE, report=report)
    status, said = await step(window, report, "dismiss", reason="duplicate", code="000000")
    assert (status, "code" in said) == (403, True)
    status, _ = await step(window, report, "dismiss", reason="spam", code=window.world.one_time_code("second_officer"))
    assert status == 409, "what is approved is what was proposed"
    code = window.world.one_time_code("second_officer")
    assert await step(window, report, "dismiss", reason="duplicate", code=code) == leads(report, "dismiss")
    said = text_of(await window.get(ONE, report=report))
    assert "dismissed" in said
    assert "Propose to dismiss it" not in said


async def test_the_moment_of_awareness_is_moved_by_two(small_window: Window):
    window = small_window
    await window.sign_in()
    report = await found(window)
    await step(window, report, "triage", finding="breach")
    proposed = {"at": "2025-12-31T09:00", "says": "علمنا صباحًا"}
    assert await step(window, report, "propose-awareness", **proposed) == leads(report, "propose-awareness")
    await window.sign_in("second_officer")
    page = await window.get(ONE, report=report)
    assert "Aware since 2025-12-31 09:00" in text_of(page)
    at = re.search(r'name="at" value="(\d+)"', page.text)
    assert at is not None
    assert int(at[1]) < START
    status, _ = await step(window, report, "move-awareness", at=str(int(at[1]) + 1), code=window.world.one_time_code("second_officer"))
    assert status == 409
    code = window.world.one_time_code("second_officer")
    assert await step(window, report, "move-awareness", at=at[1], code=code) == leads(report, "move-awareness")
    assert "2026-01-03 09:00" in text_of(await window.get(ONE, report=report))


async def test_whom_a_report_excludes_sees_nothing_of_it_here_either(small_window: Window):
    window = small_window
    await window.sign_in()
    report = await found(window)
    other = (await window.world.person("second_officer")).ref
    status, said = await step(window, report, "exclude", staff="staff:nobody")
    assert (status, "staff:nobody" in said) == (422, False)
    kind, _, id_ = other.partition(":")
    assert await step(window, report, "exclude", staff=f"{kind}:{write_id(bytes.fromhex(id_))}") == leads(report, "exclude")
    await window.sign_in("second_officer")
    page = await window.get(ONE, report=report)
    assert (page.status_code, "What was reported" in page.text) == (403, False)
    assert window.world.entries()[-1].reason == "EXCLUDED"
    for act, fields in (("acknowledge", {}), ("reply", {"says": "x"}), ("dismiss", {"reason": "spam", "code": "000000"})):
        assert (await step(window, report, act, **fields))[0] == 403


async def test_what_is_typed_wrongly_comes_back_and_does_nothing(small_window: Window):
    window = small_window
    await window.sign_in()
    report = await found(window)
    before = len(window.world.entries())
    for fields in (
        {"act": "burn"},
        {"act": "triage", "finding": "perhaps"},
        {"act": "propose-dismissal", "reason": "boring"},
        {"act": "dismiss", "reason": "", "code": "1"},
        {"act": "move-awareness", "at": "٣", "code": "1"},
        {"act": "move-awareness", "at": "9" * 30, "code": "1"},
    ):
        assert (await window.send(PATH, report=report, **fields)).status_code == 400, fields
    assert (await window.send(PATH, act="acknowledge", report="x")).status_code == 404
    assert len(window.world.entries()) == before
    status, said = await step(window, report, "triage", finding="breach", at="9999-12-31T23:59", says="كلام طويل")
    assert (status, "كلام طويل" in said) == (422, True)
    assert (await step(window, report, "triage", finding="breach", at="yesterday"))[0] == 422
    assert (await step(window, report, "reply", says=" "))[0] == 422
    stale = {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    assert (await window.send(PATH, stale, act="acknowledge", report=report)).status_code == 409
    nobody = "00000000-0000-4000-8000-000000000000"
    assert (await window.get(ONE, report=nobody)).status_code == 404
    assert (await window.get("/officer/reports/file", report=report, file=nobody)).status_code == 404


async def test_a_legal_hold_is_told_on_the_page_and_in_the_queue_while_it_stands(small_window: Window):
    window = small_window
    await window.sign_in()
    report = await found(window)
    assert "under a legal hold" not in text_of(await window.get(ONE, report=report))
    errand = Errand(await window.world.person("officer"), "request-1")
    await window.world.association.run(lambda deed: lay(deed, errand, "report", parse_id(report), "a case before the court"))
    for path, more in ((ONE, {"report": report}), (PATH, {})):
        assert "under a legal hold" in text_of(await window.get(path, **more))


async def test_how_a_report_was_taken_down_stands_on_its_page(small_window: Window):
    window = small_window
    await window.sign_in("second_officer")
    lines = {"platform": "X", "handle": "@invented", "link": "https://social.example/1", "posted_at": clock(window, hours=3)}
    report = report_of(await typed(window, channel="social_media", **lines))
    await window.sign_in()
    said = text_of(await window.get(ONE, report=report))
    assert "Taken down by staff:" in said
    assert "Account there @invented" in said
