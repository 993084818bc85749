"""The page of alerts: what was found, by when it is to be reviewed, and the review by another person than whose deeds it is about."""

import re
import uuid
from dataclasses import replace

import pytest

from tests.access.desk import written
from tests.access.test_watching import alerts, declare
from tests.household import errand, grant, lay_down, store
from tests.officer.browser import Window, text_of
from vault.access.watching import Watcher
from vault.access_log.entry import About, Entry
from vault.breach_reports.shapes import EXCLUSIONS, ExclusionsFact
from vault.officer.alerts import PATH

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def broken(window: Window) -> str:
    """A case that somebody opened in an emergency; her hand as the log names it."""
    job, kept = await errand(window.world), await store(window.world)
    await tell(window, job.entry(kind="access.break_glass", outcome="allow", about=(About(kept.subject, kept.record),), basis="law"))
    return job.asker.ref


async def tell(window: Window, entry: Entry) -> None:
    """Append an entry and let the rules look through the log."""
    await window.world.association.run(lambda deed: deed.append(entry))
    await Watcher(window.world.association).look_through()


def named(page: str) -> str:
    """The alert that the first form of a page names."""
    return re.findall(r'name="alert" value="([0-9a-f-]+)"', page)[0]


async def test_an_emergency_opening_waits_for_review_until_somebody_says_what_it_was(window: Window):
    hand = await broken(window)
    home = await window.sign_in()
    assert f'href="{PATH}?' in home.text
    page = await window.get(PATH)
    said = text_of(page)
    assert "Data was opened by the emergency procedure" in said
    assert written(bytes.fromhex(hand.partition(":")[2])) in said
    assert "Review by" in said
    assert "That time is over." not in said
    assert window.world.entries()[-1].kind == "alerts.read"
    (alert,) = await alerts(window.world)
    shown = await window.get("/officer/log", after=max(alert.indexes) + 1)
    assert f">{max(alert.indexes)}</td>" in shown.text, "the link leads to the entry"
    assert f">{max(alert.indexes) + 1}</td>" not in shown.text
    assert "No review is overdue." in text_of(await window.get(PATH, state="overdue"))
    window.world.clock.forward(48 * 3600)
    await window.sign_in()
    assert "That time is over." in text_of(await window.get(PATH, state="overdue"))
    done = await window.send(PATH, alert=named(page.text), reason="explained")
    assert (done.status_code, done.headers["location"]) == (303, f"{PATH}?done=reviewed&lang=en")
    assert window.world.entries()[-1].kind == "alert.reviewed"
    assert "No alert waits for review." in text_of(await window.get(PATH, done="reviewed"))
    said = text_of(await window.get(PATH, state="reviewed"))
    assert ("there was a reason" in said, "Record the review" in said) == (True, False)
    again = await window.send(PATH, alert=named(page.text), reason="misuse")
    assert again.status_code == 409


async def test_nobody_reviews_her_own_alert_and_what_is_no_reason_or_alert_is_told(window: Window):
    world = window.world
    kept = await store(world)
    await grant(world, kept.record)
    await declare(world, canaries=((kept.record.hex(), kept.subject.hex()),))
    job, officer = await errand(world), f"staff:{(await world.person('officer')).id}"
    about = (About(kept.subject, kept.record),)
    told = job.entry(kind="decision", outcome="refuse", about=about, basis="none", reason="NO_CONSENT", article="cooperative:6.1")
    await tell(window, replace(told, actor=officer))
    await window.sign_in()
    alert = named((await window.get(PATH)).text)
    refused = await window.send(PATH, alert=alert, reason="explained")
    assert refused.status_code == 403
    assert world.entries()[-1].kind == "alerts.read", "the page is shown again"
    assert world.entries()[-2].reason == "SAME_PERSON"
    for fields, status in (({"reason": "boredom", "alert": alert}, 400), ({"reason": "test", "alert": str(uuid.uuid4())}, 404)):
        assert (await window.send(PATH, **fields)).status_code == status
    assert (await window.send(PATH, token="0", alert=alert, reason="test")).status_code == 409
    await window.sign_in("second_officer")
    await window.get(PATH)
    assert (await window.send(PATH, alert=alert, reason="test")).status_code == 303


async def test_what_is_about_a_case_is_counted_and_not_shown_and_the_system_is_a_word(small_window: Window):
    window, world = small_window, small_window.world
    case = uuid.uuid4().bytes
    job = await errand(world)
    told = job.entry(kind="incident.clock", outcome="error", about=(About(case, case),), basis="law", count=24)
    await tell(window, told)
    await window.sign_in()
    assert "hours passed since awareness: 24" in text_of(await window.get(PATH))
    window.language = "ar"
    assert "التنبيهات" in text_of(await window.get(PATH))
    window.language = "en"
    officer = (await world.person("officer")).id
    await lay_down(world, EXCLUSIONS, officer, ExclusionsFact(cases=(case.hex(),)))
    said = text_of(await window.get(PATH))
    assert ("hours passed" in said, "you are excluded from: 1" in said) == (False, True)


async def test_alerts_follow_page_by_page(small_window: Window, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vault.officer.alerts.PAGE", 1)
    await broken(small_window)
    await broken(small_window)
    await small_window.sign_in()
    first = await small_window.get(PATH)
    after = re.findall(r'href="(/officer/alerts\?[^"]*after=[0-9]+[^"]*)"', first.text)
    assert len(after) == 1
    number = re.findall(r"after=([0-9]+)", after[0])[0]
    second = await small_window.get(PATH, state="unreviewed", after=number)
    assert named(first.text) != named(second.text)
