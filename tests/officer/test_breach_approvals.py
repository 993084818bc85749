"""What waits about reports and incidents on the page of approvals: approved and turned down by two, and kept from whom it excludes."""

import re
import uuid

import pytest

from tests.officer.browser import Window, text_of
from tests.officer.test_incidents import HOUR, opened
from tests.officer.test_report import found, step
from tests.simulator import START
from vault.breach_reports import incidents
from vault.breach_reports.incidents import Proposing
from vault.rulebook.asker import Errand

pytestmark = pytest.mark.asyncio(loop_scope="function")
PATH = "/officer/approvals"
REASON = "قال المدير إننا علمنا صباحًا"


async def named(window: Window) -> dict[str, tuple[str, str]]:
    """What each kind that waits is named by: its id and what an approval means besides."""
    page = (await window.get(PATH)).text
    shown = r'name="kind" value="(\w+)">\s*<input type="hidden" name="id" value="([0-9a-f-]+)">\s*(?:<[^>]*name="named" value="(\w+)">)?'
    forms = re.findall(shown, page)
    return {kind: (id_, name) for kind, id_, name in forms}


async def waits(window: Window) -> tuple[str, bytes]:
    """A report whose dismissal and move of awareness wait, and an incident whose awareness does; as the officer proposed them."""
    await window.sign_in()
    report = await found(window)
    for act, fields in (
        ("triage", {"finding": "breach"}),
        ("propose-awareness", {"at": "2025-12-31T09:00", "says": REASON}),
        ("propose-dismissal", {"reason": "duplicate"}),
    ):
        assert (await step(window, report, act, **fields))[0] == 303
    _, incident = await opened(window)
    errand = Errand(await window.world.person("officer"), "request-1")
    to = Proposing("awareness", REASON, to=START - HOUR)
    await window.world.association.run(lambda deed: incidents.propose(deed, errand, incident, to))
    return report, incident


async def test_all_three_are_named_without_a_word_anybody_wrote_and_approved_by_another(window: Window):
    report, incident = await waits(window)
    own = await window.get(PATH)
    assert text_of(own).count("only another person may approve it") == 3
    assert REASON not in own.text
    await window.sign_in("second_officer")
    said = text_of(await window.get(PATH))
    for words in (
        "Dismissing a report",
        "Reason told already",
        "Moving the awareness",
        "as proposed 2025-12-31 09:00",
        "the moment of awareness",
    ):
        assert words in said
    told = await named(window)
    assert (told["dismissal"][0], told["awareness"][0], told["incident"][0]) == (report, report, str(uuid.UUID(bytes=incident)))
    for kind in ("awareness", "incident", "dismissal"):
        id_, name = told[kind]
        wrong = await window.send(PATH, kind=kind, id=id_, named=name, act="approve", code="000000")
        assert wrong.status_code == 403
        done = await window.approve("second_officer", kind=kind, id=id_, named=name, act="approve")
        assert done.headers["location"] == f"{PATH}?done=approved&lang=en", done.text
    assert "Nothing waits" in text_of(await window.get(PATH))
    kinds = [each.kind for each in window.world.entries() if each.outcome == "allow"]
    assert {"breach_report.awareness-moved", "breach_report.dismissed", "incident.awareness-moved"} <= {*kinds}


async def test_all_three_are_turned_down_by_one_and_nothing_moves(window: Window):
    await waits(window)
    await window.sign_in("second_officer")
    told = await named(window)
    for kind, (id_, name) in told.items():
        wrong = await window.send(PATH, kind=kind, id=id_, named=name, act="turn-down", code="000000")
        assert wrong.status_code == 403
        done = await window.approve("second_officer", kind=kind, id=id_, named=name, act="turn-down")
        assert done.headers["location"] == f"{PATH}?done=turned-down&lang=en", done.text
        assert (await window.approve("second_officer", kind=kind, id=id_, named=name, act="approve")).status_code == 409
        assert (await window.approve("second_officer", kind=kind, id=id_, named=name, act="turn-down")).status_code == 409
    assert "Nothing waits" in text_of(await window.get(PATH))
    kinds = {each.kind for each in window.world.entries() if each.outcome == "allow"}
    assert {"breach_report.awareness-turned-down", "breach_report.dismissal-turned-down", "incident.proposal-turned-down"} <= kinds
    assert not {"breach_report.dismissed", "breach_report.awareness-moved", "incident.awareness-moved"} & kinds


async def test_whom_they_exclude_is_told_how_many_and_refused(small_window: Window):
    window = small_window
    report, incident = await waits(window)
    told = await named(window)
    errand = Errand(await window.world.person("officer"), "request-1")
    other = uuid.UUID((await window.world.person("second_officer")).id).bytes
    assert (await step(window, report, "exclude", staff=str(uuid.UUID(bytes=other))))[0] == 303
    await window.world.association.run(lambda deed: incidents.exclude(deed, errand, incident, other))
    await window.sign_in("second_officer")
    said = text_of(await window.get(PATH))
    assert ("Reports and incidents kept from you since you are excluded from them: 2" in said, "Dismissing" in said) == (True, False)
    for kind, (id_, name) in told.items():
        for act in ("approve", "turn-down"):
            assert (await window.approve("second_officer", kind=kind, id=id_, named=name, act=act)).status_code == 403
    assert {each.reason for each in window.world.entries() if each.outcome == "refuse"} == {"EXCLUDED"}


async def test_a_form_nobody_is_shown_does_nothing(small_window: Window):
    window = small_window
    await waits(window)
    told = await named(window)
    await window.sign_in("second_officer")
    await window.get(PATH)
    for kind, (id_, _) in told.items():
        for act in ("approve", "turn-down"):
            for name in ("", "x", "9" * 40):
                assert (await window.approve("second_officer", kind=kind, id=id_, named=name, act=act)).status_code == 400
