"""What nobody has looked at, on the officer's pages: groups, one of them read, one deed on all of it, one report taken out."""

import re
import uuid

import pytest

from tests.breach_reports.test_groups import FORMS, PEOPLE
from tests.officer.browser import Window, text_of
from vault.breach_reports import service
from vault.breach_reports.intake import Told
from vault.breach_reports.reports import Knock
from vault.breach_reports.shapes import Doubt
from vault.rulebook.asker import Errand

pytestmark = pytest.mark.asyncio(loop_scope="function")
PATH, ONE = "/officer/quarantine", "/officer/quarantine/group"


async def taken(window: Window, narrative: str, seen: Doubt = "") -> str:
    """A report of this text: its reference."""
    knock = Knock("198.51.100.1", window.world.clock.now, "r", seen)
    window.world.clock.forward(1)
    return (await window.reports.receive(window.world.association, Told("other", narrative, "ar"), knock)).reference


async def flood(window: Window, many: int = 3) -> list[str]:
    """So many reports of one form, in quarantine."""
    return [await taken(window, FORMS[0].replace("{n}", str(number)).replace("{w}", "abcd"), "trap") for number in range(many)]


async def group(window: Window, reference: str) -> tuple[str, str]:
    """The page of the group that has this report for its example: its id, and the ids the page would do a deed on."""
    page = await window.get(PATH)
    found = re.search(r"report=([0-9a-f-]{36})[^>]*><bdi dir=\"ltr\">" + reference, page.text)
    assert found is not None
    one = await window.get(ONE, report=found[1])
    assert one.status_code == 200, one.text
    held = re.search(r'name="reports" value="([0-9a-f -]+)"', one.text)
    assert held is not None
    return found[1], held[1]


async def test_a_flood_is_one_line_and_one_deed_and_a_person_stands_before_it(window: Window):
    machines, person = await flood(window), await taken(window, PEOPLE[0])
    await window.sign_in()
    said = text_of(await window.get(PATH))
    assert said.index(person) < said.index(machines[0])
    assert machines[1] not in said
    assert "filled in a field people do not see (3)" in said
    assert person not in text_of(await window.get(PATH, state="quarantined"))
    example, reports = await group(window, machines[0])
    page = text_of(await window.get(ONE, report=example))
    assert FORMS[0].split()[1] in page, "the example is read"
    assert window.world.entries()[-1].kind == "breach_report.read"
    assert all(each in page for each in machines)
    done = await window.send(PATH, act="dismissal", report=example, reports=reports, reason="spam", note="إعلان")
    assert (done.status_code, done.headers["location"]) == (303, f"{PATH}?done=dismissal&count=3&left=0&lang=en")
    assert [one.kind for one in window.world.entries()][-3:] == ["breach_report.dismissal-proposed"] * 3
    assert "Proposed to be dismissed: 3" in text_of(await window.get(PATH, done="dismissal", count=3))
    assert "spam (3)" in text_of(await window.get(PATH))
    assert "Approve the proposed dismissal" not in text_of(await window.get(ONE, report=example)), "not offered to who proposed it"
    own = await window.send(
        PATH, act="approval", report=example, reports=reports, reason="spam", code=window.world.one_time_code("officer")
    )
    assert own.headers["location"] == f"{PATH}?done=approval&count=0&left=3&lang=en", "nobody dismisses what she proposed"
    assert "Not done for: 3" in text_of(await window.get(PATH, done="approval", count=0, left=3))
    await window.sign_in("second_officer")
    assert "Approve the proposed dismissal: spam (3)" in text_of(await window.get(ONE, report=example))
    wrong = await window.send(PATH, act="approval", report=example, reports=reports, reason="spam", code="000000")
    assert wrong.status_code == 403
    code = window.world.one_time_code("second_officer")
    done = await window.send(PATH, act="approval", report=example, reports=reports, reason="spam", code=code)
    assert done.headers["location"] == f"{PATH}?done=approval&count=3&left=0&lang=en"
    left = text_of(await window.get(PATH))
    assert (person in left, machines[0] in left) == (True, False)


async def test_a_report_is_read_and_taken_out_of_its_group(small_window: Window):
    window = small_window
    machines = await flood(window)
    await window.sign_in()
    example, reports = await group(window, machines[0])
    other = next(each for each in reports.split() if each != example)
    assert (await window.get(ONE, report=other)).status_code == 200
    done = await window.send(PATH, act="apart", report=example, one=other)
    assert done.headers["location"] == f"{ONE}?report={example}&done=apart&count=1&lang=en"
    assert "Reports that are alike: 2" in text_of(await window.get(ONE, report=example, done="apart", count=1))
    again = await window.send(PATH, act="apart", report=example, one=other)
    assert again.status_code == 409
    done = await window.send(PATH, act="apart", report=example, one=example)
    assert done.headers["location"] == f"{PATH}?done=apart&count=1&lang=en"
    assert "in so many groups: 3" in text_of(await window.get(PATH))


async def test_each_judgement_of_a_group_is_told_and_what_was_looked_at_is_gone_from_the_queue(small_window: Window):
    window = small_window
    await window.sign_in()
    for act, word in (("acknowledgement", "Acknowledged: 2"), ("no_breach", "no breach: 2"), ("breach", "a breach: 2")):
        machines = await flood(window, 2)
        example, reports = await group(window, machines[0])
        done = await window.send(PATH, act=act, report=example, reports=reports)
        assert done.headers["location"] == f"{PATH}?done={act}&count=2&left=0&lang=en"
        said = text_of(await window.get(PATH, done=act, count=2))
        assert word in said
        assert "There is no report that nobody has looked at." in said
        assert (await window.get(ONE, report=example)).status_code == 404


async def test_the_groups_go_on_page_by_page(small_window: Window, monkeypatch: pytest.MonkeyPatch):
    window = small_window
    monkeypatch.setattr("vault.officer.quarantine.PAGE", 1)
    first, second = await taken(window, PEOPLE[0]), await taken(window, PEOPLE[1])
    await window.sign_in()
    page = await window.get(PATH)
    assert (first in page.text, second in page.text) == (True, False)
    after = re.search(r"after=([0-9a-f-]{36})", page.text)
    assert after is not None
    assert second in (await window.get(PATH, after=after[1])).text


async def test_what_is_no_deed_of_the_page_does_nothing(small_window: Window):
    window = small_window
    machines = await flood(window)
    await window.sign_in()
    example, reports = await group(window, machines[0])
    before = len(window.world.entries())
    nobody = str(uuid.uuid4())
    for fields in (
        {"act": "burn", "report": example, "reports": reports},
        {"act": "dismissal", "report": example, "reports": reports, "reason": "boring"},
        {"act": "acknowledgement", "report": "x", "reports": reports},
        {"act": "acknowledgement", "report": example, "reports": "x"},
    ):
        assert (await window.send(PATH, **fields)).status_code == 400
    assert (await window.send(PATH, act="acknowledgement", report=nobody, reports="")).status_code == 404
    stale = await window.send(PATH, {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}, act="apart", report=example)
    assert stale.status_code == 409
    assert len(window.world.entries()) == before
    empty = await window.send(PATH, act="acknowledgement", report=example, reports="")
    assert empty.status_code == 422
    missing = await window.send(PATH, act="acknowledgement", report=example, reports=nobody)
    assert missing.headers["location"] == f"{PATH}?done=acknowledgement&count=0&left=1&lang=en"


async def test_whom_a_group_excludes_is_not_shown_it_and_is_told_how_many_are_kept_from_her(small_window: Window):
    window = small_window
    kept = await taken(window, PEOPLE[0])
    await window.sign_in("second_officer")
    example, _ = await group(window, kept)
    officer, second = await window.world.person("officer"), await window.world.person("second_officer")
    errand, report = Errand(second, "r"), bytes.fromhex(example.replace("-", ""))
    await window.world.association.run(lambda deed: service.exclude(deed, errand, report, bytes.fromhex(officer.id)))
    await window.sign_in()
    said = text_of(await window.get(PATH))
    assert (kept in said, "Reports you are excluded from: 1" in said) == (False, True)
    assert (await window.get(ONE, report=example)).status_code == 404


async def test_a_group_marks_the_report_whose_reporter_wrote_again(small_window: Window):
    window = small_window
    machines = await flood(window, 2)
    knock = Knock("198.51.100.9", window.world.clock.now, "r")
    mine = await window.reports.receive(window.world.association, Told("other", FORMS[0].replace("{n}", "9"), "ar"), knock)
    await window.reports.write(window.world.association, mine.receipt or "", "هل قرأتم بلاغي؟", knock)
    await window.sign_in()
    assert "the reporter wrote again (1)" in text_of(await window.get(PATH))
    example, _ = await group(window, machines[0])
    said = text_of(await window.get(ONE, report=example))
    assert said.count("the reporter wrote again") == 1
    assert said.index(mine.reference) < said.index("the reporter wrote again")
