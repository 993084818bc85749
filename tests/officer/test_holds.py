"""A legal hold on the pages of a report and of an incident: laid by one, lifted by two there or on the page of approvals."""

import pytest

from tests.officer.browser import Window, text_of
from tests.officer.test_breach_approvals import PATH as APPROVALS
from tests.officer.test_incident import act
from tests.officer.test_incidents import opened
from tests.officer.test_report import ONE, found, leads, step
from vault.web.call import write_id

pytestmark = pytest.mark.asyncio(loop_scope="function")
WHY, DONE = "رُفعت دعوى", "انتهت الدعوى"


async def test_a_hold_on_a_report_is_laid_by_one_and_lifted_by_two(window: Window):
    await window.sign_in()
    report = await found(window)
    assert "Lay a legal hold" in text_of(await window.get(ONE, report=report))
    assert (await step(window, report, "hold", says=" "))[0] == 422
    assert await step(window, report, "hold", says=WHY) == leads(report, "hold")
    said = text_of(await window.get(ONE, report=report, done="hold"))
    assert ("It is under a legal hold." in said, WHY in said, "Lay a legal hold" in said) == (True, True, False)
    assert (await step(window, report, "hold", says=WHY))[0] == 409
    assert await step(window, report, "propose-lifting", says=DONE) == leads(report, "propose-lifting")
    own = await window.get(ONE, report=report)
    assert ("Lifting it waits for approval" in text_of(own), DONE in text_of(own), "approve-lifting" in own.text) == (True, True, False)
    assert "Lifting the legal hold on a report" in text_of(await window.get(APPROVALS))
    await window.sign_in("second_officer")
    page = (await window.get(ONE, report=report)).text
    proposal = page.partition('name="proposal" value="')[2].partition('"')[0]
    wrong = {"proposal": "999", "code": window.world.one_time_code("second_officer")}
    assert (await step(window, report, "approve-lifting", **wrong))[0] == 409
    assert (await step(window, report, "approve-lifting", proposal=proposal, code="000000"))[0] == 403
    code = window.world.one_time_code("second_officer")
    assert await step(window, report, "approve-lifting", proposal=proposal, code=code) == leads(report, "approve-lifting")
    assert window.world.entries()[-1].kind == "breach_report.hold-lifted"
    assert "Lay a legal hold" in text_of(await window.get(ONE, report=report, done="approve-lifting"))


async def test_that_on_an_incident_is_lifted_on_the_page_of_approvals_and_by_nobody_alone(small_window: Window):
    window = small_window
    await window.sign_in()
    _, id_ = await opened(window)
    incident = write_id(id_)
    assert (await act(window, incident, "hold", says=WHY))[0] == 303
    assert (await act(window, incident, "propose-lifting", says=DONE))[0] == 303
    page = (await window.get("/officer/incidents/one", incident=incident)).text
    assert ("It is under a legal hold" in page, DONE in page) == (False, True)
    proposal = {"kind": "incident-lifting", "id": incident, "named": "2"}
    assert (await window.approve("officer", **proposal, act="approve")).status_code == 403
    await window.sign_in("second_officer")
    said = (await window.get(APPROVALS)).text
    assert "Lifting the legal hold on an incident" in text_of(await window.get(APPROVALS))
    assert DONE not in said, "words are read on the incident's own page"
    named = said.partition('value="incident-lifting"')[2].partition('name="named" value="')[2].partition('"')[0]
    assert (await window.approve("second_officer", **proposal, act="turn-down")).status_code == 400
    assert (await window.approve("second_officer", **{**proposal, "named": named}, act="approve")).status_code == 303
    assert window.world.entries()[-1].kind == "incident.hold-lifted"
    assert "Lifting the legal hold" not in text_of(await window.get(APPROVALS))
