"""One person in two records is erased by one request on either, and the certificate names all that went."""

import uuid
from typing import Any

import pytest
from msgspec.structs import replace

from tests.access.desk import Desk, rows_of, written
from tests.access.erasures import ask, erased, line, orphan, settle, somebody, verified
from tests.access.test_erasing import TABLES
from tests.access.test_silences import joined
from tests.household import FATIMA, grant, lay_down, read, store
from tests.household import asked as consent_to
from vault.access.certificate import ERASURE, Certificate, ErasureFact, Told
from vault.access.certifying import sheet_of
from vault.access.erasure_words import ERASE, LOCK
from vault.reclosing import reclose
from vault.records.service import Kept
from vault.rulebook import facts
from vault.subjects import people

pytestmark = pytest.mark.asyncio(loop_scope="function")
ID = "e" * 32


async def both(desk: Desk) -> tuple[Kept, Kept]:
    """One person's two records."""
    one, other = await somebody(desk.world), await store(desk.world, {**FATIMA, "mobile": "0557654321"})
    await joined(desk.world, one.subject, other.subject)
    desk.world.clock.forward(1)
    return one, other


async def fact_of(desk: Desk, erasure: str) -> ErasureFact:
    found = await desk.world.association.run(lambda deed: facts.read(deed, ERASURE, erasure.replace("-", "")))
    assert found is not None
    return found


async def is_locked(desk: Desk, kept: Kept) -> bool:
    return bool(await desk.world.association.run(lambda deed: sheet_of(people.of_subject(deed, kept.subject)).person.locked))


@pytest.mark.parametrize("through", [0, 1])
async def test_one_request_on_either_takes_both_and_the_certificate_names_both(desk: Desk, through: int):
    pair, neighbour = await both(desk), await somebody(desk.world)
    asked, other = pair[through], pair[1 - through]
    answer = await ask(desk, asked.record)
    assert answer.status_code == 202, answer.text
    assert [(await desk.read(one.record)).status_code for one in pair] == [403, 403]
    again = await ask(desk, other.record)
    assert (again.status_code, again.json()["code"]) == (409, "erasure-pending")
    shown = (await desk.get(f"/v1/erasures/{answer.json()['id']}", await desk.world.session("second_officer"))).json()
    assert (shown["record"], shown["records"]) == (written(asked.record), [written(asked.record), written(other.record)])
    done = await settle(desk, answer.json()["id"])
    assert done.status_code == 200, done.text
    told = done.json()
    assert told["records"] == [written(asked.record), written(other.record)]
    named = [one for one in told["note"].split("\n") if one.startswith("person ")]
    assert named == [f"person {asked.subject.hex()}", f"person {other.subject.hex()}"]
    assert [(await desk.read(one.record)).status_code for one in (*pair, neighbour)] == [404, 404, 200]
    gone = {one for kept in pair for one in (kept.subject, kept.record)}
    for table in TABLES:
        for row in rows_of(desk.world, table):
            assert not gone & {value for name, value in row.items() if name != "made" and isinstance(value, bytes)}, table.name
    closings = [one.closing for one in desk.world.association.log.journal.lines()][-4:]
    assert [(one.kind, one.reference) for one in closings] == [
        (LOCK, asked.subject.hex()),
        (LOCK, other.subject.hex()),
        (ERASE, asked.subject.hex()),
        (ERASE, other.subject.hex()),
    ]
    assert await verified(desk.world) == []
    assert reclose(desk.world.association, desk.world.clock) == 0


async def test_called_off_opens_both_again(desk: Desk):
    pair = await both(desk)
    answer = await ask(desk, pair[1].record)
    assert (await settle(desk, answer.json()["id"], "cancellation")).status_code in {200, 204}
    assert [(await desk.read(one.record)).status_code for one in pair] == [200, 200]
    assert await verified(desk.world) == []


async def test_classes_alone_are_emptied_in_both(desk: Desk):
    one, other = await both(desk)
    told = await erased(desk, other.record, classes=["health"])
    assert (told["scope"], told["classes"], set(told["records"])) == ("classes", ["health"], {written(one.record), written(other.record)})
    desk.world.clock.forward(1)
    await grant(desk.world, one.record, await consent_to(desk.world, explicit=True, fields=frozenset({"full_name", "health_note"})))
    for kept in (one, other):
        given = await read(desk.world, kept.record, fields=("full_name", "health_note"))
        assert (given["health_note"], given["full_name"]) == (None, FATIMA["full_name"])
        assert not await is_locked(desk, kept)
    entry = next(each for each in desk.world.entries() if each.kind == "erasure.approved")
    assert {about.subject for about in entry.about} == {one.subject, other.subject}
    assert await verified(desk.world) == []
    assert reclose(desk.world.association, desk.world.clock) == 0


async def test_a_lock_that_only_the_journal_knows_locks_both_and_shows_both_to_the_second_person(desk: Desk):
    one, other = await both(desk)
    orphan(desk.world, line(LOCK, other.subject, ID, record=other.record.hex()))
    assert reclose(desk.world.association, desk.world.clock) == 1
    assert [await is_locked(desk, kept) for kept in (one, other)] == [True, True]
    asked = await fact_of(desk, ID)
    assert (asked.others, asked.records) == ((one.subject.hex(),), (other.record.hex(), one.record.hex()))
    assert (await settle(desk, str(uuid.UUID(ID)))).status_code == 200
    assert [(await desk.read(kept.record)).status_code for kept in (one, other)] == [404, 404]


@pytest.mark.parametrize("classes", ["", "health"])
async def test_an_erasure_that_only_the_journal_knows_takes_both(desk: Desk, classes: str):
    one, other = await both(desk)
    lines = [line(ERASE, kept.subject, ID, record=one.record.hex(), classes=classes, settled="staff:" + "2" * 32) for kept in (one, other)]
    orphan(desk.world, *(lines[:1] if classes else lines))
    assert reclose(desk.world.association, desk.world.clock) == (1 if classes else 2)
    assert reclose(desk.world.association, desk.world.clock) == 0
    asked = await fact_of(desk, ID)
    assert asked.certificate is not None
    assert (asked.state, asked.certificate.records) == ("erased", (one.record.hex(), other.record.hex()))
    assert (asked.certificate.subject, asked.certificate.others) == (one.subject.hex(), (other.subject.hex(),))
    codes = [(await desk.read(kept.record)).status_code for kept in (one, other)]
    assert codes == ([200, 200] if classes else [404, 404])
    assert await verified(desk.world) == []


@pytest.mark.parametrize("settled", ["certified", "bare"])
async def test_what_a_copy_did_not_know_to_be_one_persons_is_added_to_what_was_certified(desk: Desk, settled: str):
    one, other = await somebody(desk.world), await somebody(desk.world)
    for kept in (one, other):
        orphan(desk.world, line(ERASE, kept.subject, ID, record=one.record.hex(), settled="staff:" + "2" * 32))
        if settled == "bare" and kept is one:
            assert reclose(desk.world.association, desk.world.clock) == 1
            await lay_down(desk.world, ERASURE, ID, replace(await fact_of(desk, ID), certificate=None))
    assert reclose(desk.world.association, desk.world.clock) == (1 if settled == "bare" else 2)
    asked = await fact_of(desk, ID)
    if settled == "bare":
        assert asked.certificate is None, "where nothing is certified nothing is added"
    else:
        assert asked.certificate is not None
        assert (asked.certificate.records, asked.certificate.others) == ((one.record.hex(), other.record.hex()), (other.subject.hex(),))
    assert [(await desk.read(kept.record)).status_code for kept in (one, other)] == [404, 404]
    assert await verified(desk.world) == []


async def test_a_certificate_grows_by_what_is_not_in_it():
    common: dict[str, Any] = {"erasure": ID, "whole": True, "requested_by": "self", "asked_by": "staff:1", "asked_at": 1}
    common |= {"approved_by": "staff:2", "approved_at": 2, "kept": (), "minimum_epoch": 1}
    given = Told(recipient="partner", record="b", at=1, index=3)
    one = Certificate(subject="1", records=("a",), classes=("contact",), recipients=(), epochs=(1,), index=7, due="2026-12-30", **common)
    more = Certificate(subject="2", records=("b",), classes=("health",), recipients=(given,), epochs=(2,), index=8, others=("1",), **common)
    both_ = one.with_more(more)
    assert both_ == replace(
        one, others=("2",), records=("a", "b"), classes=("contact", "health"), recipients=(given,), epochs=(1, 2), due="2026-12-30"
    )
    assert both_.with_more(more) == both_
