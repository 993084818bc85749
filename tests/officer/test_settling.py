"""Whom a reporter meant, on the pages: it waits in sight of who may settle it, is read, and is said of one or of all that are alike."""

import re
import uuid

import pytest

from tests.breach_reports.test_exclusion import WORDS
from tests.breach_reports.test_groups import PEOPLE
from tests.officer.browser import Window, text_of
from vault.breach_reports.exclusion import NOBODY, Wish
from vault.breach_reports.intake import Told
from vault.breach_reports.reports import Knock
from vault.breach_reports.ringing import Ringer
from vault.errors import Unavailable
from vault.officer.settling import ONE, PATH
from vault.web.problems import SENTENCES

pytestmark = pytest.mark.asyncio(loop_scope="function")
OFFICES = Wish(offices=("officer",))


async def taken(window: Window, narrative: str = PEOPLE[0], wish: Wish = OFFICES) -> str:
    """A report that excludes somebody: its reference."""
    knock = Knock("198.51.100.1", window.world.clock.now, "r")
    window.world.clock.forward(1)
    return (await window.reports.receive(window.world.association, Told("other", narrative, "ar", exclude=wish), knock)).reference


async def opened(window: Window, reference: str) -> tuple[str, str]:
    """The page of the group that has this report for its oldest: its id, and the ids the page would settle."""
    found = re.search(r"report=([0-9a-f-]{36})[^>]*><bdi dir=\"ltr\">" + reference, (await window.get(PATH)).text)
    assert found is not None
    page = await window.get(ONE, report=found[1])
    held = re.search(r'name="reports" value="([0-9a-f -]+)"', page.text)
    assert (page.status_code, held is not None) == (200, True), page.text
    assert held is not None
    return found[1], held[1]


async def account(window: Window, who: str) -> str:
    return f"staff:{uuid.UUID((await window.world.person(who)).id)}"


async def test_somebody_who_may_settle_it_hears_of_a_report_that_excludes_the_officers(small_window: Window):
    """Its alarm and its clocks stand in a log that only those may read who are kept from it: the first page of the others tells of it."""
    window = small_window
    reference = await taken(window)
    window.world.clock.forward(25 * 3600)
    await Ringer(window.world.association).round()
    assert [one.reason for one in window.world.entries() if one.kind == "breach_report.clock"] == ["TRIAGE_24"]
    await window.sign_in("admin")
    home = text_of(await window.get("/officer"))
    assert "Reports that wait for you to say whom their reporter meant: 1 . The oldest has waited for 25 h ." in home
    page = text_of(await window.get(PATH))
    assert all(words in page for words in (reference, "25 h", "47 h", "The compliance officer and those who handle reports")), page
    assert PEOPLE[0] not in page
    window.language = "ar"
    assert "ينتظر منذ" in text_of(await window.get(PATH))
    window.language = "en"
    id_, reports = await opened(window, reference)
    assert reports == id_
    done = await window.send(PATH, report=id_, reports=reports, staff=await account(window, "officer"), more="")
    assert (done.status_code, done.headers["location"]) == (303, f"{PATH}?done=1&left=0&lang=en")
    page = text_of(await window.get(PATH, done=1))
    assert ("Settled: 1" in page, "No report waits for you" in page) == (True, True)
    assert "wait for you to say" not in text_of(await window.get("/officer"))
    await window.sign_in("second_officer")
    assert reference in text_of(await window.get("/officer/reports"))


async def test_who_may_be_meant_finds_nothing_of_it_nor_how_much_there_is(small_window: Window):
    window = small_window
    reference = await taken(window)
    await window.sign_in("admin")
    id_, _ = await opened(window, reference)
    await window.sign_in("officer")
    for path in ("/officer", PATH):
        page = text_of(await window.get(path))
        assert (reference in page, "wait for you to say" in page, "Reports that wait 1" in page) == (False, False, False)
    assert (await window.get(ONE, report=id_)).status_code == 404
    sent = await window.send(PATH, report=id_, reports=id_, staff=await account(window, "second_officer"), more="")
    assert sent.status_code == 404
    assert window.world.entries()[-1].kind == "breach_report.refused"


async def test_a_flood_is_one_line_and_settled_at_once_and_what_a_reporter_describes_is_read_before(window: Window):
    flood = [await taken(window, f"{PEOPLE[1]} {number}") for number in range(3)]
    described = [await taken(window, PEOPLE[1], Wish(words=f"{WORDS} {number}")) for number in range(2)]
    await taken(window, PEOPLE[2], NOBODY)
    await window.sign_in("admin")
    page = text_of(await window.get(PATH))
    assert page.index(described[0]) < page.index(flood[0]), "the few before the many"
    assert ("Reports that wait 5" in page, flood[1] in page, WORDS in page) == (True, False, False)
    before = len(window.world.entries())
    id_, reports = await opened(window, described[0])
    read = [one for one in window.world.entries()[before:] if one.kind == "breach_report.read"]
    assert [one.fields for one in read] == [("exclusion",)] * 2, "each look at somebody's words is an entry"
    page = text_of(await window.get(ONE, report=id_))
    assert all(f"{WORDS} {number}" in page for number in range(2))
    one = reports.split()[1]
    done = await window.send(PATH, report=id_, reports=reports, staff="", more="", one=one)
    assert done.headers["location"] == f"{PATH}?done=1&left=0&lang=en", "they mean nobody here"
    id_, reports = await opened(window, flood[0])
    officer = await account(window, "officer")
    for staff, more in (("", ""), ("", "somebody"), ("", str(uuid.UUID(int=1)))):
        wrong = await window.send(PATH, report=id_, reports=reports, staff=staff, more=more)
        assert (wrong.status_code, "Name an account of the association." in text_of(wrong)) == (422, True)
    nobody = await window.send(PATH, report=id_, reports=id_, staff=officer, more=await account(window, "second_officer"))
    assert (nobody.status_code, SENTENCES["last-officer"].say.en in text_of(nobody)) == (409, True)
    done = await window.send(PATH, report=id_, reports=f"{reports} {one}", staff=officer, more="")
    assert done.headers["location"] == f"{PATH}?done=3&left=1&lang=en"
    assert "Not done for: 1" in text_of(await window.get(PATH, done=3, left=1))
    for fields in ({"report": "x", "reports": reports}, {"report": id_, "reports": "x"}):
        assert (await window.send(PATH, staff=officer, more="", **fields)).status_code == 400
    again = await window.send(PATH, report=id_, reports=reports, staff=officer, more="")
    assert again.headers["location"] == f"{PATH}?done=0&left=3&lang=en", "what is said is said"


async def test_the_first_page_stands_where_it_cannot_be_known_what_waits(small_window: Window, monkeypatch: pytest.MonkeyPatch):
    window = small_window
    await window.sign_in("admin")

    async def fails(*_: object) -> None:
        raise Unavailable("integrity")

    monkeypatch.setattr(type(window.reports.index), "known", fails)
    home = await window.get("/officer")
    assert (home.status_code, "It cannot be seen now whether a report waits." in text_of(home)) == (200, True)
    assert (await window.get(PATH)).status_code == 503
