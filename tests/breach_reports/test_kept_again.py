"""What the journal brings back where an older database is put back: who is excluded from a case, and what is held."""

import uuid
from functools import partial

import pytest
from sqlalchemy import update

from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import PARTS, incident, opened, read, refused, report
from tests.breach_reports.test_exclusion import WORDS, id_in_account, settle, waiting
from tests.breach_reports.test_retention import DAY, YEAR, closed, dismissed, findings, pass_, preview
from tests.simulator import START
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry
from vault.access_log.tables import entry
from vault.breach_reports import kept_again
from vault.breach_reports.tombstones import Ending
from vault.reclosing import close, reclose
from vault.rulebook.tables import fact
from vault.storage.engine import enter
from vault.storage.journal import Closing, Line

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def her(desk: Desk, who: str = "officer") -> str:
    return (await desk.world.person(who)).id


async def carry_out(desk: Desk, *closings: Closing, base: int = 1_000_000, time: int = START - 1) -> list[int]:
    """Carry out lines of a history that is lost, one after the other; how many doors each closed."""
    association = desk.world.association
    return [await association.run(partial(close, association=association, line=Line(base, time, each))) for each in closings]


def lines(desk: Desk, kind: str) -> list[Closing]:
    """What the journal has of a kind."""
    return [line.closing for line in desk.world.association.log.journal.lines() if line.closing.kind == kind]


async def test_an_exclusion_is_a_line_for_each_case_of_the_circle(desk: Desk):
    one, two, who = await report(desk), await report(desk), await her(desk)
    case = await opened(desk, one, two)
    by = f"staff:{await her(desk, 'second_officer')}"
    assert (await desk.as_("second_officer", "POST", f"/{one}/exclusion", {"staff": str(uuid.UUID(who))})).status_code == 200
    told = {(line.reference, line.detail) for line in lines(desk, kept_again.EXCLUDED)}
    meant = {(uuid.UUID(each).hex, f"{what}|staff:{who}|{by}") for each, what in ((one, "report"), (two, "report"), (case, "incident"))}
    assert told == meant
    assert reclose(desk.world.association, desk.world.clock) == 0, "the database knows of it"


@pytest.mark.parametrize("what", ["report", "incident"])
async def test_whom_a_copy_does_not_exclude_yet_is_excluded_again(desk: Desk, what: str):
    id_, who = (await report(desk) if what == "report" else await opened(desk)), await her(desk)
    closing = Closing(kept_again.EXCLUDED, uuid.UUID(id_).hex, f"{what}|staff:{who}|staff:00")
    assert await carry_out(desk, closing, closing) == [1, 0]
    told = next(each for each in reversed(desk.world.entries()) if each.about)
    assert (told.kind, told.flags) == (f"{'breach_report' if what == 'report' else 'incident'}.excluded", ("from-journal",))
    if what == "report":
        assert (await desk.as_("officer", "GET", f"/{id_}")).json()["code"] == "excluded"
    else:
        assert await refused(desk, f"/{id_}", method="GET") == (403, "excluded", [])
    assert desk.findings() == []


async def test_who_excluded_herself_is_nobodys_second(desk: Desk):
    id_, who = await report(desk), await her(desk)
    assert (await desk.as_("officer", "POST", f"/{id_}/exclusion", {"staff": str(uuid.UUID(who))})).status_code == 200
    [line] = lines(desk, kept_again.EXCLUDED)
    assert line.detail == f"report|staff:{who}|"
    other = await report(desk)
    assert await carry_out(desk, Closing(line.kind, uuid.UUID(other).hex, line.detail)) == [1]
    assert (await desk.as_("officer", "GET", f"/{other}")).json()["code"] == "excluded"


@pytest.mark.parametrize("what", ["report", "incident"])
async def test_what_a_copy_does_not_hold_yet_is_held_again_and_two_lift_it(desk: Desk, what: str):
    id_ = await dismissed(desk) if what == "report" else await closed(desk)
    place = uuid.UUID(id_[0] if isinstance(id_, tuple) else id_)
    closing = Closing(kept_again.HELD, place.hex, f"{what}|staff:{await her(desk)}|{START - 1}")
    assert await carry_out(desk, closing, closing) == [1, 0]
    for _ in range(2):
        desk.world.clock.forward(60)
        assert reclose(desk.world.association, desk.world.clock) == 0, "and not at every start"
    pass_(desk, 6 * YEAR + 2 * DAY)
    assert list((await preview(desk)).values()) == ["legal-hold"]
    told = await desk.read(str(place)) if what == "report" else await read(desk, str(place))
    [hold] = told["holds"]
    assert ("Laid again after a restore" in hold["reason"], hold["at"]) == (True, "2025-12-31T23:59:59.999999Z")
    assert desk.findings() == []


async def test_a_hold_is_a_line_that_leaves_nothing_to_do_whatever_became_of_it(desk: Desk):
    id_ = await report(desk)
    assert (await desk.as_("officer", "POST", f"/{id_}/legal-hold", {"reason": PARTS})).status_code == 200
    [line] = lines(desk, kept_again.HELD)
    assert (line.reference, line.detail) == (uuid.UUID(id_).hex, f"report|staff:{await her(desk)}|{desk.world.clock.now}")
    assert reclose(desk.world.association, desk.world.clock) == 0


async def test_a_case_that_is_not_here_or_does_not_hold_leaves_the_others_to_be_closed(desk: Desk):
    who, id_ = await her(desk), await opened(desk)
    gone = [
        Closing(kind, "00" * 16, detail)
        for kind, detail in ((kept_again.EXCLUDED, f"report|staff:{who}|"), (kept_again.HELD, "incident|x|1"))
    ]
    assert await carry_out(desk, *gone) == [0, 0]
    with desk.world.database.connect() as connection, connection.begin():
        enter(connection, desk.world.association.id)
        connection.execute(update(fact).where(fact.c.kind == "incident").values(sealed=b"altered"))
    assert await carry_out(desk, Closing(kept_again.HELD, uuid.UUID(id_).hex, "incident|x|1")) == [0]
    last = desk.world.entries()[-1]
    assert (last.kind, last.reason, last.about[0].record) == ("alarm", "INTEGRITY", uuid.UUID(id_).bytes)


async def test_what_the_journal_brought_back_keeps_no_case_from_its_destruction(desk: Desk):
    """A copy of before all of it: excluded, held, lifted and destroyed in the history that is lost."""
    (id_, _), who = await dismissed(desk), await her(desk)
    plain, size = uuid.UUID(id_).hex, len(desk.world.entries())
    ended = Ending("00" * 16, START, "no_basis").closing("report", plain)
    closings = (
        Closing(kept_again.EXCLUDED, plain, f"report|staff:{who}|"),
        Closing(kept_again.HELD, plain, f"report|staff:{who}|{START}"),
        ended,
    )
    assert await carry_out(desk, *closings, base=size) == [1, 1, 1]
    assert (await desk.as_("second_officer", "GET", f"/{id_}")).status_code == 404


async def test_an_entry_nobody_can_read_keeps_the_case(desk: Desk):
    (id_, _), size = await dismissed(desk), len(desk.world.entries())
    assert (await desk.as_("officer", "POST", f"/{id_}/legal-hold", {"reason": PARTS})).status_code == 200
    with desk.world.database.connect() as connection, connection.begin():
        enter(connection, desk.world.association.id)
        connection.execute(update(entry).where(entry.c.number >= size).values(body=b"altered"))
    assert await carry_out(desk, Ending("00" * 16, START, "no_basis").closing("report", uuid.UUID(id_).hex), base=size) == [0]


async def test_a_hold_that_was_laid_again_finds_room_and_stays_lifted_once_two_lifted_it(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    id_ = await report(desk)
    for name in ("MOST_PARTS", "KEPT_FREE"):
        monkeypatch.setattr(f"vault.breach_reports.case.{name}", 1)
    assert (await desk.as_("officer", "POST", f"/{id_}/legal-hold", {"reason": PARTS})).status_code == 200
    lost = [Closing(kept_again.HELD, uuid.UUID(id_).hex, f"report|staff:{await her(desk)}|{START - number}") for number in (1, 2, 3)]
    assert await carry_out(desk, *lost) == [1, 1, 1]
    monkeypatch.undo()
    assert (await desk.as_("officer", "POST", f"/{id_}/legal-hold/lifting", {"reason": PARTS})).status_code == 200
    [*_, last] = (await desk.read(id_))["holds"]
    await desk.as_("second_officer", "GET", "")
    body = {"proposal": last["proposal"], "code": desk.world.one_time_code("second_officer")}
    assert (await desk.as_("second_officer", "POST", f"/{id_}/legal-hold/approval", body)).status_code == 200
    desk.world.clock.forward(60)
    assert reclose(desk.world.association, desk.world.clock) == 0
    assert "lifted_at" in (await desk.read(id_))["holds"][-1]


async def test_whom_somebody_settled_to_be_meant_are_one_line_and_excluded_again_by_it(desk: Desk):
    await desk.report(exclude={"words": WORDS})
    [item] = await waiting(desk)
    meant = [await id_in_account(desk, "admin"), str(uuid.UUID(await her(desk)))]
    assert (await settle(desk, item["id"], meant)).status_code == 200
    told = {(line.reference, line.detail) for line in lines(desk, kept_again.EXCLUDED)}
    detail = f"report|{','.join(sorted(f'staff:{uuid.UUID(who).hex}' for who in meant))}|"
    assert told == {(uuid.UUID(item["id"]).hex, detail)}
    other = await report(desk)
    assert await carry_out(desk, *[Closing(kept_again.EXCLUDED, uuid.UUID(other).hex, detail)] * 2) == [1, 0]
    assert (await desk.as_("officer", "GET", f"/{other}")).json()["code"] == "excluded"


@pytest.mark.parametrize("by_report", [False, True])
async def test_verify_convicts_for_each_case_of_a_circle_somebody_is_excluded_from(desk: Desk, *, by_report: bool):
    one, two, world = await report(desk), await report(desk), desk.world
    case, who = await opened(desk, one, two), await her(desk)
    body = {"staff": str(uuid.UUID(who))}
    answer = await (
        desk.as_("second_officer", "POST", f"/{one}/exclusion", body)
        if by_report
        else incident(desk, "second_officer", "POST", f"/{case}/exclusion", body)
    )
    assert answer.status_code == 200
    assert findings(desk) == []

    def falsified(deed: Deed, id_: bytes, kind: str) -> None:
        about = (About(id_, id_),)
        deed.append(Entry(kind=kind, outcome="allow", actor=f"staff:{who}", about=about, purpose="breach_report", basis="law"))

    for each, kind in ((one, "breach_report.read"), (two, "breach_report.read"), (case, "incident.read")):
        await world.association.run(partial(falsified, id_=uuid.UUID(each).bytes, kind=kind))
    found = [line for line in findings(desk) if "to whom a case is kept from" in line]
    assert len(found) == 3
