"""One incident on the officer's pages: opened from a finding or a report, worked on by forms, settled by two, kept from some."""

import re
import uuid

import pytest

from tests.officer.browser import Window, text_of
from tests.officer.test_incidents import SUMMARY, opened
from tests.officer.test_report import found, step

pytestmark = pytest.mark.asyncio(loop_scope="function")
PATH, ONE = "/officer/incidents", "/officer/incidents/one"


async def act(window: Window, incident: str, what: str, **fields: str) -> tuple[int, str]:
    answer = await window.send(PATH, act=what, incident=incident, **fields)
    return answer.status_code, answer.headers.get("location", "") or text_of(answer)


async def test_an_incident_goes_from_the_finding_to_its_end_and_every_step_stands_on_its_page(window: Window):
    await window.sign_in()
    await window.get(PATH)
    made = await window.send(PATH, act="open", says=SUMMARY, at="2025-12-31T20:00")
    leads = re.search(r"incident=([0-9a-f-]{36})&done=open", made.headers["location"])
    assert leads is not None
    incident = leads[1]
    page = await window.get(ONE, incident=incident, done="open")
    assert window.world.entries()[-1].kind == "incident.read"
    for words in ("Incident IN-", SUMMARY, "Opened, aware since \u20662025-12-31 20:00", "72 h 2026-01-03 20:00", "to be told"):
        assert words in text_of(page)
    for what, fields in (
        ("assess", {"sensitive": "yes", "over_100": "no", "says": "قائمة مرضى"}),
        ("move", {"state": "confirmed", "says": ""}),
        ("file", {"track": "authority", "at": "2026-01-01T03:00", "reference": "R-7", "says": ""}),
        ("reopen", {"track": "authority", "says": "أُرسل إلى غيرها"}),
        ("propose-not-required", {"track": "people", "says": "لم تُفتح القائمة"}),
    ):
        assert (await act(window, incident, what, **fields)) == (303, f"{ONE}?incident={incident}&done={what}&lang=en")
    said = text_of(await window.get(ONE, incident=incident))
    for words in (
        "sensitive data: yes",
        "State: confirmed",
        "R-7",
        "to be told again",
        "أُرسل إلى غيرها",
        "only another person may approve it",
    ):
        assert words in said
    number = re.search(r'name="proposal" value="([0-9]+)"', (await window.get(ONE, incident=incident)).text)
    assert number is not None
    proposal = {"proposal": number[1]}
    assert (await act(window, incident, "approve", **proposal, code=window.world.one_time_code("officer")))[0] == 403
    await window.sign_in("second_officer")
    await window.get(ONE, incident=incident)
    assert (await act(window, incident, "turn-down", **proposal, code="000000"))[0] == 403
    assert (await act(window, incident, "approve", **proposal, code=window.world.one_time_code("second_officer")))[0] == 303
    assert (await act(window, incident, "turn-down", **proposal, code=window.world.one_time_code("second_officer")))[0] == 409
    assert "need not be told" in text_of(await window.get(ONE, incident=incident))


async def test_a_report_is_linked_unlinked_and_its_proposals_turned_down(small_window: Window):
    window = small_window
    await window.sign_in()
    report = await found(window)
    await step(window, report, "acknowledge")
    await window.get("/officer/reports/one", report=report)
    assert (await step(window, report, "open-incident", says=SUMMARY))[0] == 303
    reference, id_ = await opened(window)
    page = await window.get("/officer/reports/one", report=report)
    first = re.search(r"incidents/one\?lang=en&amp;incident=([0-9a-f-]{36})", page.text)
    assert first is not None
    assert report in (await window.get(ONE, incident=first[1])).text
    assert (await act(window, first[1], "unlink", report=report, says="غيرها"))[0] == 303
    assert reference in text_of(await window.get("/officer/reports/one", report=report))
    incident = str(uuid.UUID(bytes=id_))
    assert (await step(window, report, "link", incident=incident))[0] == 303
    for what in ("propose-ruling-out", "propose-awareness"):
        assert (await act(window, incident, what, says="خطأ", at="2025-12-31T20:00"))[0] == 303
    number = re.search(r'name="proposal" value="([0-9]+)"', (await window.get(ONE, incident=incident)).text)
    assert number is not None
    assert (await act(window, incident, "turn-down", proposal=number[1], code=window.world.one_time_code("officer")))[0] == 303
    assert "Turned down: ruling the incident out" in text_of(await window.get(ONE, incident=incident))


async def test_whom_it_excludes_sees_nothing_and_what_is_wrong_does_nothing(small_window: Window):
    window = small_window
    _, id_ = await opened(window)
    incident = str(uuid.UUID(bytes=id_))
    await window.sign_in()
    await window.get(ONE, incident=incident)
    for what, fields in (("burn", {}), ("move", {"state": "x"}), ("assess", {"sensitive": "maybe"}), ("approve", {"proposal": "x"})):
        assert (await act(window, incident, what, **fields))[0] == 400
    status, said = await act(window, incident, "file", track="people", at="yesterday", says="كلام طويل")
    assert (status, "كلام طويل" in said) == (422, True)
    assert (await window.send(PATH, act="open", says=" ", at="")).status_code == 422
    assert (await act(window, "x", "assess"))[0] == 404
    assert (await window.get(ONE, incident=str(uuid.UUID(int=1)))).status_code == 404
    other = (await window.world.person("second_officer")).id
    assert (await act(window, incident, "exclude", staff=str(uuid.UUID(other))))[0] == 303
    await window.sign_in("second_officer")
    page = await window.get(ONE, incident=incident)
    assert (page.status_code, SUMMARY in page.text) == (403, False)
    assert window.world.entries()[-1].reason == "EXCLUDED"
