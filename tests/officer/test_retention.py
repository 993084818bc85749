"""The page of retention: what may go when, proposed by one, released by another on the page of approvals, and what stays of it."""

import uuid

import pytest

from tests.officer.browser import Window, text_of
from tests.officer.test_breach_approvals import PATH as APPROVALS
from tests.officer.test_breach_approvals import named
from tests.officer.test_report import found, step
from vault.officer.retention import PATH

pytestmark = pytest.mark.asyncio(loop_scope="function")
MONTH = 31 * 86_400


async def dismissed(window: Window) -> str:
    """The id of a report that two people dismissed, the officer and the second one."""
    await window.sign_in()
    report = await found(window)
    assert (await step(window, report, "propose-dismissal", reason="no_basis"))[0] == 303
    await window.sign_in("second_officer")
    id_, name = (await named(window))["dismissal"]
    assert (await window.approve("second_officer", kind="dismissal", id=id_, named=name, act="approve")).status_code == 303
    return report


async def test_what_is_due_goes_by_two_people_and_its_tombstone_is_shown(window: Window):
    report = await dismissed(window)
    page = await window.get(PATH)
    assert ("later" in text_of(page), "Propose to destroy" in text_of(page)) == (True, False)
    assert (await window.send(PATH)).status_code == 409, "nothing is due yet"
    window.world.clock.forward(13 * MONTH)
    await window.sign_in()
    page = await window.get(PATH)
    assert "How many are due: 1" in text_of(page)
    done = await window.send(PATH)
    assert (done.status_code, done.headers["location"]) == (303, f"{PATH}?done=proposed&lang=en")
    assert "It waits for a second person." in text_of(await window.get(PATH, done="proposed"))
    own = text_of(await window.get(APPROVALS))
    assert ("Destroying closed reports and incidents" in own, "only another person may approve it" in own) == (True, True)
    run, _ = (await named(window))["destruction"]
    assert (await window.approve("officer", kind="destruction", id=run, act="approve")).status_code == 403, (
        "nobody releases what she proposed"
    )
    await window.sign_in("second_officer")
    assert "BR-2026-" in text_of(await window.get(APPROVALS))
    run, name = (await named(window))["destruction"]
    assert name == ""
    assert (await window.approve("second_officer", kind="destruction", id=run, act="turn-down")).status_code == 303
    assert window.world.entries()[-1].kind == "breach_report.destruction-turned-down"
    assert "destruction" not in await named(window)
    await window.sign_in()
    await window.get(PATH)
    assert (await window.send(PATH)).status_code == 303, "what is due is proposed anew"
    await window.sign_in("second_officer")
    run, _ = (await named(window))["destruction"]
    assert (await window.approve("second_officer", kind="destruction", id=run, act="approve")).status_code == 303
    assert [entry.kind for entry in window.world.entries()][-2:] == ["breach_report.destroyed", "breach_report.destruction-released"]
    await window.sign_in()
    said = text_of(await window.get(PATH))
    assert ("Nothing is closed." in said, "Destroyed" in said, "without basis" in said) == (True, True, True)
    assert "Destroying closed" not in text_of(await window.get(APPROVALS))
    assert report not in said
    assert (await window.send(PATH)).status_code == 409


async def test_whom_a_case_excludes_is_told_one_number_and_sees_it_in_no_run(small_window: Window):
    window = small_window
    report = await dismissed(window)
    await window.sign_in()
    second = str(uuid.UUID((await window.world.person("second_officer")).id))
    assert (await step(window, report, "exclude", staff=second))[0] == 303
    window.world.clock.forward(13 * MONTH)
    await window.sign_in()
    await window.get(PATH)
    assert (await window.send(PATH)).status_code == 303
    await window.sign_in("second_officer")
    said = text_of(await window.get(PATH))
    assert ("Reports and incidents kept from you since you are excluded from them: 1" in said, "Nothing is closed." in said) == (True, True)
    assert "destruction" not in await named(window)
