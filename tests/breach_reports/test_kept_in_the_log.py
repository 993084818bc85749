"""What the log tells whom a report or an incident excludes: nothing of it, by no entry, whatever that entry is about."""

import uuid
from typing import Any

import httpx
import msgspec
import pytest

from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import PARTS, done, incident, opened, refused, report
from tests.household import lay_down
from tests.simulator import NETWORK, START
from vault.access import alerts, audit, incident_export
from vault.access.approving import Approver
from vault.access.audit import Wanted
from vault.access.watching import Watcher
from vault.access_log.entry import About
from vault.breach_reports.ringing import Ringer
from vault.breach_reports.tombstones import Ending
from vault.identity.names import name_hash
from vault.reclosing import close
from vault.rulebook.asker import Errand
from vault.rulebook.shapes import STAFF
from vault.storage.journal import Line

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def account(desk: Desk, who: str) -> str:
    return str(uuid.UUID((await desk.world.person(who)).id))


async def third(desk: Desk) -> str:
    """The account of an officer beside the two, who has the second one's password and code."""
    world = desk.world
    like = (await world.association.refresh()).staff[(await world.person("second_officer")).id]
    made = msgspec.structs.replace(like, id="d3" * 16, name_hash=name_hash(world.association.cabinet, "third", world.code))
    await lay_down(world, STAFF, made.id, made)
    return str(uuid.UUID(made.id))


async def kept_from_the_officer(desk: Desk) -> str:
    """An incident the second officer opened, from which she excluded the first."""
    id_ = str((await done(desk, "", {"summary": PARTS}, who="second_officer"))["id"])
    await done(desk, f"/{id_}/exclusion", {"staff": await account(desk, "officer")}, who="second_officer")
    return id_


async def seen(desk: Desk, **wanted: Any) -> list[str]:
    """The kinds of entries the officer finds."""
    job = Errand(await desk.world.person("officer"), "request-1")
    shown = await desk.world.association.run(lambda deed: audit.entries(deed, job, Wanted(**wanted)))
    return [one.stored.entry.kind for one in shown.items]


async def test_an_alert_names_the_case_whose_clock_rang_and_so_does_its_review(desk: Desk):
    id_, world = await kept_from_the_officer(desk), desk.world
    world.clock.forward(24 * 3600)
    await Ringer(world.association).round()
    await Watcher(world.association).look_through()
    [raised] = [entry for entry in world.entries() if entry.kind == "alert.raised"]
    case = uuid.UUID(id_).bytes
    assert raised.about == (About(case, case),)
    [fact] = raised.facts
    second = await world.person("second_officer")
    approver = Approver(second, "request-2", None, world.identity.factor)
    await world.association.run(lambda deed: alerts.review(deed, approver, bytes.fromhex(fact.key), "explained"))
    assert [entry.about for entry in world.entries() if entry.kind == "alert.reviewed"] == [raised.about]
    assert (await seen(desk, kind="alert.raised"), await seen(desk, kind="alert.reviewed")) == ([], [])


async def test_a_wrong_code_on_a_case_names_it(desk: Desk):
    world, account_ = desk.world, desk.world.ceremony.staff["second_officer"]
    await third(desk)
    id_ = await kept_from_the_officer(desk)
    waiting = (await done(desk, f"/{id_}/ruling-out", {"reason": PARTS}, who="second_officer"))["waiting"]
    world.clock.forward(60)
    code = world.one_time_code("third", account_.totp_secret)
    desk.tokens["third"] = (await world.identity.sessions.sign_in(f"third@{world.code}", account_.password, code, network=NETWORK)).token
    body = {"proposal": waiting[-1]["proposal"], "code": "000000"}
    assert (await refused(desk, f"/{id_}/approval", body, who="third"))[1] == "step-up-required"
    assert [kind for kind in await seen(desk) if kind.startswith(("incident.", "breach_report."))] == []


async def test_a_link_that_is_refused_names_the_incident_as_well(desk: Desk):
    mine = await report(desk)
    id_ = await kept_from_the_officer(desk)
    assert (await desk.as_("second_officer", "POST", f"/{mine}/exclusion", {"staff": await third(desk)})).status_code == 200
    assert (await refused(desk, f"/{id_}/link", {"report": mine}, who="second_officer"))[:2] == (403, "same-person")
    assert await seen(desk, kind="incident.linked") == []


@pytest.mark.parametrize("destroyed", [False, True])
async def test_an_incident_tells_nothing_of_a_report_taken_out_of_it_to_whom_that_excludes(desk: Desk, *, destroyed: bool):
    one, two = await report(desk), await report(desk)
    id_ = await opened(desk, one, two)
    await done(desk, f"/{id_}/unlink", {"report": two, "reason": PARTS}, who="second_officer")
    assert two in (await incident(desk, "officer", "GET", f"/{id_}")).text
    answer = await desk.as_("second_officer", "POST", f"/{two}/exclusion", {"staff": await account(desk, "officer")})
    assert answer.status_code == httpx.codes.OK
    if destroyed:
        line = Line(1_000_000, START, Ending("00" * 16, START, "no_basis").closing("report", uuid.UUID(two).hex))
        association = desk.world.association
        assert await association.run(lambda deed: close(deed, association=association, line=line)) == 1
    read = await incident(desk, "officer", "GET", f"/{id_}")
    assert (read.status_code, two in read.text, PARTS in read.text) == (httpx.codes.OK, False, False)
    job = Errand(await desk.world.person("officer"), "request-1")
    exporting = await desk.world.association.run(lambda deed: incident_export.take(deed, job, uuid.UUID(id_).bytes))
    assert exporting.taken.case.fact.unlinked == ()
    assert two in (await incident(desk, "second_officer", "GET", f"/{id_}")).text
