"""Erased is erased (promise 7): nothing opens from the request on, two people carry it out, the certificate is true, the log verifies."""

import asyncio
import uuid
from typing import Any

import pytest
from sqlalchemy import insert

from keys.notes import verify as verify_note
from tests.access.desk import Desk, rows_of, written
from tests.access.erasures import NUMBER, REASON, ask, erased, found, settle, somebody, verified
from tests.household import BASIC, FATIMA, errand, grant, partner, read, store
from tests.household import asked as consent_to
from vault.access import reading, withdrawals
from vault.access.certificate import ERASURE
from vault.access.tables import order_record
from vault.access.verdicts import Asked
from vault.access_log.entry import About, Entry
from vault.access_log.verify import snapshot
from vault.consent.log_words import not_lost
from vault.errors import Conflict, Gone, NotFound, Refused
from vault.policy.events import GuardianAppointed, GuardianshipEnded
from vault.policy.facts import Guardian
from vault.reclosing import reclose
from vault.records import service
from vault.records import tables as record_tables
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.storage.metadata import OUTLASTS, metadata
from vault.subjects import people
from vault.subjects import tables as subject_tables
from vault.subjects.sheet import happened

pytestmark = pytest.mark.asyncio(loop_scope="function")
TABLES = [table for table in metadata.sorted_tables if not table.name.startswith("access_log_") and not table.info.get(OUTLASTS)]


async def test_nothing_opens_from_the_request_on_and_nothing_is_left_after_the_approval(desk: Desk):
    world = desk.world
    kept, other = await somebody(world), await somebody(world)
    locked = await ask(desk, kept.record)
    assert (locked.status_code, locked.json()["state"]) == (202, "locked")
    assert (await desk.read(kept.record)).status_code == 403
    assert (await desk.read(kept.record)).json()["code"] == "not-permitted"
    assert written(kept.record) not in await found(desk)
    assert written(kept.record) not in await found(desk, "service_delivery")
    assert await verified(world) == []
    answer = await settle(desk, locked.json()["id"])
    assert answer.status_code == 200
    assert (await desk.read(kept.record)).status_code == 404
    assert await found(desk) == [written(other.record)]
    for table in TABLES:
        for row in rows_of(world, table):
            assert kept.subject not in row.values(), table.name
            assert kept.record not in {value for name, value in row.items() if name != "made"}, table.name
    assert await verified(world) == []
    assert (await desk.read(other.record)).status_code == 200
    closings = [line.closing for line in world.association.log.journal.lines()]
    assert [(one.kind, one.reference) for one in closings] == [("lock", kept.subject.hex()), ("erasure", kept.subject.hex())]


async def test_the_certificate_says_who_what_what_is_kept_and_what_still_opens_it(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    second = await store(world, known=kept.subject)
    told = await erased(desk, second.record)
    assert (told["state"], told["scope"], told["requested_by"]) == ("erased", "person", "self")
    assert set(told["records"]) == {written(kept.record), written(second.record)}
    assert told["classes"] == ["contact", "family", "finance", "health", "identity", "sensitive"]
    assert told["asked_by"] != told["approved_by"]
    assert told["kept"] == [{"what": "access_log", "rule": "cooperative:7"}, {"what": "erasure_request", "rule": "sa-pdpl:18"}]
    assert told["copies"] == {"epochs": [1], "minimum_epoch": 1, "opens_until": "epoch-retired", "due": "2026-02-05"}
    assert told["recipients"] == []
    entry = world.entries()[told["entry"]]
    assert (entry.kind, entry.outcome, entry.article, entry.law) == ("erasure.approved", "allow", "cooperative:7", "sa-pdpl:18")
    assert (entry.about[0].subject, entry.about[0].record, entry.about[0].sheet) == (kept.subject, second.record, None)
    assert world.entries()[told["entry"] + 1].about == (About(kept.subject, kept.record),)
    text = verify_note(told["note"], world.association.cabinet.signer.vkey)
    assert text.startswith("amanah erasure certificate 1\nassociation probe\n")
    assert f"\nentry {told['entry']}\n" in text
    assert "\ncopy-opens-until-retired epoch 1\n" in text
    assert REASON not in str(told)


async def test_recipients_of_past_disclosures_are_named(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    await partner(world)
    given = Entry(
        kind="disclose",
        outcome="allow",
        actor="staff:1",
        about=(About(kept.subject, kept.record),),
        fields=("full_name",),
        purpose="partner_sharing",
        recipient="partner",
        basis="written_consent",
    )
    for entry in (given, Entry(**{**_members(given), "outcome": "refuse"}), Entry(**{**_members(given), "recipient": "INTERNAL"})):
        await world.association.log.append(entry)
    number = len(world.entries()) - 3
    told = await erased(desk, kept.record)
    assert [(one["recipient"], one["record"], one["entry"]) for one in told["recipients"]] == [("partner", written(kept.record), number)]
    assert f"\ngiven {told['recipients'][0]['at']} partner {kept.record.hex()} entry {number}\n" in told["note"]


async def test_an_order_that_names_her_stays_and_the_certificate_says_so(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    with world.database.connect() as connection, connection.begin():
        row = {"association_id": world.association.id, "record": kept.record, "order_id": bytes(16)}
        connection.execute(insert(order_record).values(row))
    told = await erased(desk, kept.record)
    assert {"what": "orders", "rule": "cooperative:4"} in told["kept"]
    assert rows_of(world, order_record) == [row]


async def test_a_disclosure_that_names_her_stays_and_the_certificate_says_so(desk: Desk):
    world = desk.world
    kept, other = await somebody(world), await somebody(world)
    about = (About(kept.subject, kept.record),)
    await world.association.log.append(Entry(kind="disclosure.decided", outcome="refuse", actor="staff:1", about=about))
    told = [await erased(desk, one.record) for one in (kept, other)]
    assert [{"what": "disclosures", "rule": "cooperative:7"} in one["kept"] for one in told] == [True, False]


def _members(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__dataclass_fields__}


async def test_the_reason_lies_in_no_entry_no_fact_and_no_journal(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    await erased(desk, kept.record)
    assert REASON not in str(world.entries())
    assert REASON.encode() not in (world.folder / "journal").read_bytes()
    with snapshot(world.database) as connection:
        stored = facts.read_all(connection, world.association.cabinet, world.association.id, {ERASURE.name})
    assert stored[ERASURE.name]
    assert REASON.encode() not in b"".join(stored[ERASURE.name].values())


async def test_two_people_and_a_fresh_code(small_desk: Desk):
    world = small_desk.world
    kept = await somebody(world)
    erasure = (await ask(small_desk, kept.record)).json()["id"]
    for what in ("approval", "cancellation"):
        same = await settle(small_desk, erasure, what, who="officer")
        assert (same.status_code, same.json()["code"]) == (403, "same-person")
        assert (world.entries()[-1].outcome, world.entries()[-1].reason) == ("refuse", "SAME_PERSON")
        stale = await settle(small_desk, erasure, what, code=None)
        assert (stale.status_code, stale.json()["code"]) == (403, "step-up-required")
        wrong = await settle(small_desk, erasure, what, code="000000")
        assert (wrong.status_code, wrong.json()["code"]) == (403, "step-up-required")
    system = await small_desk.post(f"/v1/erasures/{erasure}/approval", {})
    assert (system.status_code, system.json()["code"]) == (403, "out-of-scope")
    asked = await small_desk.post(f"/v1/records/{written(kept.record)}/erasure", {"reason": "x", "requested_by": "self"})
    assert (asked.status_code, asked.json()["code"]) == (403, "out-of-scope")
    assert (await settle(small_desk, str(uuid.uuid4()))).status_code == 404
    assert (await settle(small_desk, erasure)).status_code == 200


async def test_a_cancellation_opens_again_what_was_agreed_to(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    erasure = (await ask(desk, kept.record)).json()["id"]
    answer = await settle(desk, erasure, "cancellation")
    assert (answer.status_code, answer.json()) == (200, {"id": erasure, "state": "cancelled"})
    assert world.entries()[-1].kind == "erasure.cancelled"
    assert (await desk.read(kept.record)).status_code == 200
    assert await verified(world) == []
    for what in ("approval", "cancellation"):
        late = await settle(desk, erasure, what)
        assert (late.status_code, late.json()["code"]) == (409, "erasure-settled")
    assert reclose(world.association, world.clock) == 0
    assert (await desk.read(kept.record)).status_code == 200
    assert (await ask(desk, kept.record)).status_code == 202


async def test_a_repeat_by_who_approved_gives_the_certificate_again_and_erases_nothing(small_desk: Desk):
    world = small_desk.world
    kept = await somebody(world)
    erasure = (await ask(small_desk, kept.record)).json()["id"]
    first = await settle(small_desk, erasure)
    size = len(world.entries())
    again = await settle(small_desk, erasure)
    assert again.json() == first.json()
    assert [entry.kind for entry in world.entries()[size:] if "erasure" in entry.kind] == []
    other = await settle(small_desk, erasure, who="admin")
    assert other.status_code == 403


async def test_an_erasure_is_asked_for_once_at_a_time_and_nothing_is_added_meanwhile(small_desk: Desk):
    world = small_desk.world
    kept = await somebody(world)
    second = await store(world, known=kept.subject)
    await ask(small_desk, kept.record)
    for record in (kept.record, second.record):
        again = await ask(small_desk, record)
        assert (again.status_code, again.json()["code"]) == (409, "erasure-pending")
    job = await errand(world)
    with pytest.raises(Conflict, match="erasure-pending"):
        await world.association.run(lambda deed: service.update(deed, job, kept.record, 1, {"mobile": "0559999999"}))
    with pytest.raises(Conflict, match="erasure-pending"):
        await grant(world, kept.record)


async def test_a_request_repeated_gives_the_one_it_made_and_410_once_it_is_carried_out(small_desk: Desk):
    world = small_desk.world
    kept = await somebody(world)
    body, key = (
        {"reason": REASON, "requested_by": "self"},
        {"Idempotency-Key": uuid.uuid4().hex, "Authorization": f"Bearer {small_desk.officer}"},
    )
    path = f"/v1/records/{written(kept.record)}/erasure"
    first, again = [await small_desk.http.post(path, json=body, headers=key) for _ in range(2)]
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    other = await small_desk.http.post(path, json={**body, "reason": "another"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-mismatch")
    await settle(small_desk, first.json()["id"])
    gone = await small_desk.http.post(path, json=body, headers=key)
    assert (gone.status_code, gone.json()["code"]) == (410, "gone")


async def test_what_was_made_and_is_erased_is_410_for_the_request_that_made_it(desk: Desk):
    world = desk.world
    job = await errand(world)
    kept = await somebody(world)
    consent = await grant(world, kept.record)
    await erased(desk, kept.record)
    world.database.settle()
    with pytest.raises(NotFound):
        await world.association.run(lambda deed: withdrawals.withdraw(deed, job, consent.id, "self", None))

    async def withdrawn() -> None:
        await world.association.run(lambda deed: withdrawals.withdraw(deed, job, consent.id, "self", None))

    with pytest.raises(Gone):
        await not_lost(world.association, consent.id, withdrawn)
    assert await verified(world) == []


@pytest.mark.parametrize(
    ("changes", "status", "member", "code"),
    [
        ({"requested_by": "somebody"}, 422, "requested_by", "unknown-guardian"),
        ({"requested_by": str(uuid.uuid4())}, 422, "requested_by", "unknown-guardian"),
        ({"reason": ""}, 422, None, None),
        ({"reason": " \u200b\u3000."}, 422, "reason", "out-of-range"),
        ({"reason": "x" * 2001}, 422, None, None),
        ({"classes": []}, 422, "classes", "out-of-range"),
        ({"classes": ["health", "health"]}, 422, "classes", "out-of-range"),
        ({"classes": ["sheet"]}, 422, "classes", "unknown-class"),
        ({"classes": ["identity"]}, 422, "classes", "required-class"),
        ({"classes": ["contact"]}, 409, None, None),
    ],
)
async def test_what_does_not_hold_locks_nobody(
    small_desk: Desk, changes: dict[str, Any], status: int, member: str | None, code: str | None
):
    kept = await somebody(small_desk.world)
    answer = await ask(small_desk, kept.record, **changes)
    assert answer.status_code == status, answer.text
    if member is not None:
        assert answer.json()["errors"] == [{"field": member, "code": code}]
    if status == 409:
        assert answer.json()["code"] == "classes-in-use"
    assert (await small_desk.read(kept.record)).status_code == 200


async def test_a_guardian_may_ask_and_a_former_one_may_not(small_desk: Desk):
    world = small_desk.world
    kept, guardian = await somebody(world), await store(world, {"full_name": "علي حسن", "national_id": "1000000016"})
    job = await errand(world)

    async def happens(event: Any) -> None:
        def unit(deed: Any) -> None:
            known = people.of_subject(deed, kept.subject)
            people.change(
                deed, known, [happened(event, at=deed.now, by="test")], job.entry(kind="test", outcome="allow"), record=kept.record
            )

        await world.association.run(unit)

    named = Guardian(guardian.subject.hex(), "agent", verified=True)
    await happens(GuardianAppointed(named))
    locked = await ask(small_desk, kept.record, requested_by=written(guardian.subject))
    assert locked.status_code == 202
    await settle(small_desk, locked.json()["id"], "cancellation")
    await happens(GuardianshipEnded(guardian.subject.hex(), world.clock.now))
    world.clock.forward(1)
    refused = await ask(small_desk, kept.record, requested_by=written(guardian.subject))
    assert (refused.status_code, refused.json()["code"]) == (403, "guardian-removed")
    assert (world.entries()[-1].kind, world.entries()[-1].about[0].record) == ("erasure.requested", kept.record)
    await happens(GuardianAppointed(named))
    told = await erased(small_desk, kept.record, requested_by=written(guardian.subject))
    assert told["requested_by"] == written(guardian.subject)


async def test_the_association_asks_where_the_law_orders_it(small_desk: Desk):
    kept = await somebody(small_desk.world)
    assert (await erased(small_desk, kept.record, requested_by="association"))["requested_by"] == "association"


async def test_classes_alone_are_emptied_and_the_rest_is_as_it_was(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    second = await store(world, known=kept.subject)
    before = {row["class_id"]: row["wrapped"] for row in rows_of(world, subject_tables.data_key) if row["subject"] == kept.subject}
    told = await erased(desk, kept.record, classes=["health", "finance"])
    assert (told["scope"], told["classes"]) == ("classes", ["finance", "health"])
    assert {"what": "other_classes", "rule": "cooperative:6.1"} in told["kept"]
    assert "\nscope classes\nclass finance\nclass health\n" in told["note"]
    after = {row["class_id"]: row["wrapped"] for row in rows_of(world, subject_tables.data_key) if row["subject"] == kept.subject}
    assert {class_id for class_id in after if after[class_id] != before[class_id]} == {4, 6}
    assert (await desk.read(kept.record, fields="full_name,national_id,mobile")).json()["fields"]["national_id"] == NUMBER
    await grant(world, kept.record, await consent_to(world, fields=frozenset({"health_note"}), explicit=True))
    assert (await read(world, kept.record, fields=("health_note",))) == {"health_note": None}
    assert set(await found(desk)) == {written(kept.record), written(second.record)}
    assert await verified(world) == []
    job = await errand(world)
    await world.association.run(lambda deed: service.update(deed, job, kept.record, 2, {"health_note": "سليمة"}))
    assert (await read(world, kept.record, fields=("health_note",))) == {"health_note": "سليمة"}
    assert await verified(world) == []


async def test_a_class_that_is_emptied_is_found_by_no_more(desk: Desk):
    world = desk.world
    kept = await store(world)
    world.clock.forward(60)
    await grant(world, kept.record, await consent_to(world, fields=frozenset({"full_name"})))
    before = rows_of(world, record_tables.token)
    await erased(desk, kept.record, classes=["contact"])
    body = {"type": "beneficiary", "field": "mobile", "value": FATIMA["mobile"], "purpose": "intake"}
    assert (await desk.post("/v1/records/search", body)).json()["matches"] == []
    after = rows_of(world, record_tables.token)
    assert [row["field_id"] for row in before] == [row["field_id"] for row in after], "what she lacks cannot be seen"
    assert [(one["field_id"]) for one, other in zip(before, after, strict=True) if one["proof"] != other["proof"]] == [7]
    assert await verified(world) == []


async def test_reads_that_race_the_request_are_not_allowed_behind_it(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    system = Errand(await world.system(), "race")
    wanted = Asked(kept.record, "use", "service_delivery", BASIC)

    async def one() -> None:
        try:
            await reading.read(system, wanted)
        except Refused:
            return

    await asyncio.gather(*(one() for _ in range(10)), ask(desk, kept.record), *(one() for _ in range(10)))
    entries = world.entries()
    end = next(number for number, entry in enumerate(entries) if entry.kind == "erasure.requested")
    late = [entry for number, entry in enumerate(entries) if number > end and entry.about and entry.about[0].subject == kept.subject]
    assert not [entry for entry in late if entry.outcome == "allow" and entry.kind == "record.read"]
