"""Erased is erased (promise 7): nothing opens from the request on, two people carry it out, the certificate is true, the log verifies."""

import asyncio
import shutil
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select, update

from keys import epochs
from keys.errors import Unopenable
from keys.notes import verify as verify_note
from tests.access.desk import Desk, put, rows_of, written
from tests.household import BASIC, FATIMA, errand, findings, grant, partner, read, store
from tests.household import asked as consent_to
from tests.simulator import World
from vault.access import erasing, erasure_limits, erasures, reading
from vault.access.certificate import ERASURE, ErasureFact
from vault.access.tables import order_record
from vault.access.verdicts import Asked
from vault.access_log.entry import About, Entry
from vault.access_log.verify import snapshot, verify
from vault.consent import service as consents
from vault.consent.log_words import not_lost
from vault.errors import Conflict, Gone, NotFound, Refused, TooMany
from vault.policy.events import GuardianAppointed, GuardianshipEnded, Locked
from vault.policy.facts import Guardian
from vault.reclosing import reclose
from vault.records import emptying, service
from vault.records import tables as record_tables
from vault.records.service import Kept
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.tables import fact as fact_rows
from vault.storage.engine import Database
from vault.storage.journal import Closing, Journal
from vault.storage.metadata import OUTLASTS, metadata
from vault.subjects import people
from vault.subjects import tables as subject_tables
from vault.subjects.sheet import happened

pytestmark = pytest.mark.asyncio(loop_scope="function")
NUMBER = FATIMA["national_id"]
REASON = "طلبت صاحبة البيانات إتلاف بياناتها كلها"
TABLES = [table for table in metadata.sorted_tables if not table.name.startswith("access_log_") and not table.info.get(OUTLASTS)]


async def somebody(world: World, **whose: Any) -> Kept:
    """A record whose person agreed to service delivery."""
    kept = await store(world, **whose)
    world.clock.forward(60)
    await grant(world, kept.record)
    return kept


async def ask(desk: Desk, record: bytes, **more: Any) -> httpx.Response:
    body = {"reason": REASON, "requested_by": "self", **more}
    return await desk.post(f"/v1/records/{written(record)}/erasure", body, desk.officer)


async def settle(desk: Desk, erasure: str, what: str = "approval", who: str = "second_officer", **body: Any) -> httpx.Response:
    session = await desk.world.session(who)
    if "code" not in body:
        body["code"] = desk.world.one_time_code(who)
    return await desk.post(f"/v1/erasures/{erasure}/{what}", {key: value for key, value in body.items() if value}, session)


async def erased(desk: Desk, record: bytes, **more: Any) -> dict[str, Any]:
    """Asked for and carried out: the certificate."""
    locked = await ask(desk, record, **more)
    assert (locked.status_code, locked.json()["state"]) == (202, "locked"), locked.text
    answer = await settle(desk, locked.json()["id"])
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def found(desk: Desk, purpose: str = "intake", value: str = NUMBER) -> list[str]:
    body = {"type": "beneficiary", "field": "national_id", "value": value, "purpose": purpose}
    answer = await desk.post("/v1/records/search", body)
    assert answer.status_code == 200, answer.text
    return [match["id"] for match in answer.json()["matches"]]


async def verified(world: World) -> list[str]:
    """What the log's own verification and the examiners find."""
    note = await world.association.checkpoint()
    with snapshot(world.database, world.association.id) as connection:
        tree = verify(connection, world.association.id, world.code, world.association.cabinet.signer.vkey, note, deep=True)
        return [*tree.lines(), *findings(world)]


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
        await world.association.run(lambda deed: consents.withdraw(deed, job, consent.id, "self", None))

    async def withdrawn() -> None:
        await world.association.run(lambda deed: consents.withdraw(deed, job, consent.id, "self", None))

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


async def test_every_row_put_back_by_sql_opens_nothing_and_is_named(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    before = {table.name: rows_of(world, table) for table in TABLES if table.name != "rulebook_fact"}
    await erased(desk, kept.record)
    for table in TABLES:
        if table.name in before:
            put(world, table, before[table.name])
    assert len(findings(world)) > 5
    answer = await desk.read(kept.record)
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")
    assert world.entries()[-1].kind == "alarm"
    assert (
        await desk.post("/v1/records/search", {"type": "beneficiary", "field": "national_id", "value": NUMBER, "purpose": "intake"})
    ).status_code == 503


async def test_the_fact_of_an_erasure_altered_settles_nothing(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    erasure = (await ask(desk, kept.record)).json()["id"]
    cancelled = rows_of(world, fact_rows)
    await settle(desk, erasure, "cancellation")
    put(
        world,
        fact_rows,
        [row for row in rows_of(world, fact_rows) if row["kind"] != "erasure"] + [r for r in cancelled if r["kind"] == "erasure"],
    )
    assert any("rulebook_fact erasure" in finding for finding in findings(world))
    answer = await settle(desk, erasure)
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")


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


def orphan(world: World, *closings: Closing) -> None:
    """Lines whose deeds are not in the database."""
    world.clock.forward(1)
    world.association.log.journal.append(len(world.entries()), world.clock.now, closings)


def line(kind: str, subject: bytes, erasure: str, by: str = "staff:" + "1" * 32, **more: str) -> Closing:
    """What the journal says of an erasure that `by` asked for."""
    words = {"erasure": erasure, "by": by, "for": "self", "record": "0" * 32, "at": "1", "settled": "", "classes": "", **more}
    return Closing(kind, subject.hex(), "|".join(words.values()))


def lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next deed that closes a door is lost behind its line in the journal: the process was killed, the disk was full."""
    real = Journal.append

    def append(journal: Journal, *line: Any) -> None:
        real(journal, *line)
        monkeypatch.setattr(Journal, "append", real)
        raise OSError("gone")

    world.clock.forward(1)
    monkeypatch.setattr(Journal, "append", append)


async def test_an_erasure_called_off_after_its_commit_was_lost_is_not_carried_out_at_start(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    world = desk.world
    kept = await somebody(world)
    erasure = (await ask(desk, kept.record)).json()["id"]
    await world.session("second_officer")
    lost(world, monkeypatch)
    assert (await settle(desk, erasure)).status_code == 503
    world.clock.forward(60)
    assert (await settle(desk, erasure, "cancellation")).status_code == 200
    assert reclose(world.association, world.clock) == 0
    assert (world.entries()[-1].kind, world.entries()[-1].reason) == ("alarm", "ERASURE_CALLED_OFF")
    assert (await desk.read(kept.record)).status_code == 200
    assert await verified(world) == []


@pytest.mark.parametrize("classes", [None, ["health"]])
async def test_a_lost_approval_is_carried_out_at_start_and_its_approver_is_given_the_certificate(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, classes: list[str] | None
):
    world = desk.world
    kept = await somebody(world)
    erasure = (await ask(desk, kept.record, **({"classes": classes} if classes else {}))).json()["id"]
    await world.session("second_officer")
    lost(world, monkeypatch)
    assert (await settle(desk, erasure)).status_code == 503
    assert reclose(world.association, world.clock) == 1
    number = len(world.entries()) - 1
    assert reclose(world.association, world.clock) == 0
    world.clock.forward(60)
    told = await settle(desk, erasure)
    assert (told.status_code, told.json()["scope"], told.json()["entry"]) == (200, "classes" if classes else "person", number)
    assert told.json()["approved_by"] == f"staff:{(await world.person('second_officer')).id}"
    assert (await desk.read(kept.record)).status_code == (200 if classes else 404)
    assert await verified(world) == []


async def test_a_lost_request_comes_back_as_it_was_and_takes_another_person(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    world = desk.world
    kept = await somebody(world)
    lost(world, monkeypatch)
    assert (await ask(desk, kept.record, classes=["health"])).status_code == 503
    assert (await desk.read(kept.record)).status_code == 200
    assert reclose(world.association, world.clock) == 1
    erasure = str(uuid.UUID(world.entries()[-1].facts[0].key))
    for what in ("approval", "cancellation"):
        alone = await settle(desk, erasure, what, who="officer")
        assert (alone.status_code, alone.json()["code"]) == (403, "same-person")
    told = await settle(desk, erasure)
    assert (told.json()["scope"], told.json()["classes"], told.json()["records"]) == ("classes", ["health"], [written(kept.record)])
    assert told.json()["asked_by"] == f"staff:{(await world.person('officer')).id}"
    assert (await desk.read(kept.record)).status_code == 200


async def test_a_restore_empties_exactly_the_classes_again(desk: Desk):
    """An older database put back: nothing in it tells of the request, and another's lock stays."""
    world = desk.world
    kept, locked = await somebody(world), await somebody(world)
    await ask(desk, locked.record)
    before = {(row["subject"], row["class_id"]): row["wrapped"] for row in rows_of(world, subject_tables.data_key)}
    orphan(world, *(line("erasure", one.subject, uuid.uuid4().hex, classes="health") for one in (kept, locked)))
    assert reclose(world.association, world.clock) == 2
    after = {(row["subject"], row["class_id"]): row["wrapped"] for row in rows_of(world, subject_tables.data_key)}
    assert {place for place in after if after[place] != before[place]} == {(kept.subject, 6), (locked.subject, 6)}
    assert [(await desk.read(one.record)).status_code for one in (kept, locked)] == [200, 403]
    assert await verified(world) == []
    assert reclose(world.association, world.clock) == 0


async def test_a_class_erasure_has_its_line_in_the_journal(small_desk: Desk):
    kept = await somebody(small_desk.world)
    await erased(small_desk, kept.record, classes=["health", "finance"])
    closings = [one.closing for one in small_desk.world.association.log.journal.lines()]
    assert [one.kind for one in closings] == ["lock", "erasure"]
    assert closings[-1].detail.endswith("|finance,health")


async def test_a_lock_that_only_the_journal_knows_bites_and_can_be_settled(desk: Desk):
    world = desk.world
    kept, id_ = await somebody(world), uuid.uuid4()
    orphan(world, line("lock", kept.subject, id_.hex), line("lock", b"\xab" * 16, id_.hex))
    assert reclose(world.association, world.clock) == 1
    assert (await desk.read(kept.record)).status_code == 403
    assert (world.entries()[-2].kind, world.entries()[-2].flags) == ("erasure.requested", ("from-journal",))
    assert reclose(world.association, world.clock) == 0
    assert await verified(world) == []
    assert (await settle(desk, str(id_), "cancellation")).status_code == 200
    assert reclose(world.association, world.clock) == 0
    assert (await desk.read(kept.record)).status_code == 200


async def test_a_lock_the_sheet_lost_is_put_back_at_start_under_the_request_there_is(small_desk: Desk):
    world = small_desk.world
    kept = await somebody(world)
    erasure = (await ask(small_desk, kept.record)).json()["id"]
    await unlocked(world, kept)
    assert (await small_desk.read(kept.record)).status_code == 200
    assert reclose(world.association, world.clock) == 1
    assert (await small_desk.read(kept.record)).status_code == 403
    assert (await settle(small_desk, erasure)).status_code == 200


async def test_somebody_without_a_sheet_is_nobody_to_be_erased(small: World):
    known = await small.association.run(lambda deed: people.begin(deed)[0])
    job = await errand(small)
    with pytest.raises(NotFound):
        erasing.sheet_of(known)
    with pytest.raises(NotFound):
        await small.association.run(lambda deed: emptying.empty(deed, job, known, {2}))


async def test_an_erasure_that_only_the_journal_knows_is_carried_out_at_start(desk: Desk):
    """An older database put back: the person is there, locked or not, and the journal says she was erased."""
    world = desk.world
    kept, locked = await somebody(world), await somebody(world)
    asked = uuid.UUID((await ask(desk, locked.record)).json()["id"])
    orphan(world, line("erasure", kept.subject, uuid.uuid4().hex), line("erasure", locked.subject, asked.hex))
    assert reclose(world.association, world.clock) == 2
    for one in (kept, locked):
        assert (await desk.read(one.record)).status_code == 404
    assert await found(desk) == []
    assert await verified(world) == []
    assert reclose(world.association, world.clock) == 0
    late = await settle(desk, str(asked))
    assert (late.status_code, late.json()["code"]) == (409, "erasure-settled")


async def test_a_person_whose_rows_do_not_hold_is_erased_by_the_journal_all_the_same(desk: Desk):
    world = desk.world
    kept, other = await somebody(world), await somebody(world)
    with world.database.connect() as connection, connection.begin():
        connection.execute(update(subject_tables.sheet).values(sealed=b"x"))
    orphan(world, line("erasure", kept.subject, uuid.uuid4().hex), line("lock", other.subject, uuid.uuid4().hex))
    assert reclose(world.association, world.clock) == 1
    assert world.entries()[-1].kind == "alarm"
    assert kept.subject not in {row["subject"] for row in rows_of(world, subject_tables.data_key)}


async def unlocked(world: World, kept: Kept) -> None:
    """Take the lock from her sheet, as no call does."""
    job = await errand(world)

    def unlock(deed: Any) -> None:
        known = people.of_subject(deed, kept.subject)
        event = happened(Locked(deed.now, on=False), at=deed.now, by="test")
        people.change(deed, known, [event], job.entry(kind="test", outcome="allow"), record=kept.record)

    await world.association.run(unlock)


async def test_the_approval_after_a_lock_the_sheet_does_not_know_is_503(desk: Desk):
    """The request's fact says locked and the sheet does not: nothing is destroyed on that word."""
    world = desk.world
    kept = await somebody(world)
    erasure = (await ask(desk, kept.record)).json()["id"]
    await unlocked(world, kept)
    assert (await settle(desk, erasure)).status_code == 503
    assert (await desk.read(kept.record)).status_code == 200


async def test_a_repeat_whose_fact_is_gone_is_503_and_a_line_that_is_none_stops_the_approval(small_desk: Desk):
    world = small_desk.world
    kept = await somebody(world)
    key = {"Idempotency-Key": uuid.uuid4().hex, "Authorization": f"Bearer {small_desk.officer}"}
    path, body = f"/v1/records/{written(kept.record)}/erasure", {"reason": REASON, "requested_by": "self"}
    assert (await small_desk.http.post(path, json=body, headers=key)).status_code == 202
    with world.database.connect() as connection, connection.begin():
        connection.exec_driver_sql("DELETE FROM rulebook_fact WHERE kind = 'erasure'")
    assert (await small_desk.http.post(path, json=body, headers=key)).status_code == 503


async def test_a_release_that_cannot_be_read_stops_the_certificate(small_desk: Desk):
    world = small_desk.world
    kept = await somebody(world)
    assert (await small_desk.read(kept.record)).status_code == 200
    erasure = (await ask(small_desk, kept.record)).json()["id"]
    with world.database.connect() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE access_log_entry SET body = x'00' WHERE kind = 'record.read'")
    assert (await settle(small_desk, erasure)).status_code == 503


async def test_a_copy_taken_before_opens_until_its_epoch_is_retired(small: World, tmp_path: Path):
    """With root and epochs the copy opens, as the certificate says; with the epoch retired it opens nothing, root included."""
    async with Desk.over(small) as desk:
        kept = await somebody(small)
        small.database.settle()
        copy = tmp_path / "copy.sqlite3"
        shutil.copy(str(small.database.url.database), copy)
        told = await erased(desk, kept.record)
        assert told["copies"] == {"epochs": [1], "minimum_epoch": 1, "opens_until": "epoch-retired", "due": "2026-02-05"}
        path, association = small.folder / "epochs", small.association.id
        live = Path(str(small.database.url.database))
    stolen = Database(f"sqlite:///{copy}")
    try:
        with stolen.connect() as connection:
            place = subject_tables.data_key
            wrapped = [(row.class_id, row.wrapped) for row in connection.execute(select(place).where(place.c.subject == kept.subject))]
    finally:
        stolen.dispose()
    assert len(wrapped) == 6
    keys = epochs.load(path, association, small.root)
    for class_id, blob in wrapped:
        assert keys.unwrap(kept.subject, class_id, blob).class_id == class_id
        # Nothing of it is left in the live database's files, free pages and write-ahead file included.
        assert not [file for file in live.parent.glob(f"{live.name}*") if blob in file.read_bytes()]
    epochs.rotate(path, association, small.root, small.clock.now)
    retired = epochs.retire(path, association, small.root, 2)
    for class_id, blob in wrapped:
        with pytest.raises(Unopenable):
            retired.unwrap(kept.subject, class_id, blob)


async def listed(desk: Desk, **query: Any) -> dict[str, Any]:
    answer = await desk.get("/v1/erasures", desk.officer, **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_who_settles_an_erasure_sees_who_asked_when_for_whom_and_which_classes(desk: Desk):
    world = desk.world
    one, two, three = [await somebody(world) for _ in range(3)]
    first = (await ask(desk, one.record)).json()["id"]
    second = (await ask(desk, two.record, classes=["health"])).json()["id"]
    third = (await ask(desk, three.record)).json()["id"]
    await settle(desk, third, "cancellation")
    officer = f"staff:{(await world.person('officer')).id}"
    session = await world.session("second_officer")
    answer = await desk.get(f"/v1/erasures/{second}", session)
    told = answer.json()
    assert (answer.status_code, told["state"], told["scope"], told["classes"]) == (200, "locked", "classes", ["health"])
    assert (told["record"], told["requested_by"], told["asked_by"], told["settled_by"]) == (written(two.record), "self", officer, None)
    entry = world.entries()[-1]
    assert (entry.kind, entry.outcome, entry.about) == ("erasure.read", "allow", (About(two.subject, two.record),))
    every = await listed(desk)
    assert [(each["id"], each["state"]) for each in every["items"]] == [(third, "cancelled"), (second, "locked"), (first, "locked")]
    assert every["items"][0]["settled_by"] not in {None, officer}
    assert every["items"][0]["settled_at"]
    assert (world.entries()[-1].kind, world.entries()[-1].count) == ("erasures.read", 3)
    page = await listed(desk, state="locked", limit=1)
    assert [each["id"] for each in page["items"]] == [second]
    rest = await listed(desk, state="locked", limit=1, after=page["next"])
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([first], None)
    assert REASON not in str((told, every))
    system = await desk.get("/v1/erasures")
    assert (system.status_code, system.json()["code"]) == (403, "out-of-scope")
    assert (await desk.get(f"/v1/erasures/{uuid.uuid4()}", session)).status_code == 404


async def test_a_page_looks_at_so_many_requests_and_says_where_the_next_begins(small_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(erasures, "MOST_LOOKED_AT", 1)
    asked = [(await ask(small_desk, (await somebody(small_desk.world)).record)).json()["id"] for _ in range(2)]
    empty = await listed(small_desk, state="erased")
    assert (empty["items"], empty["next"] is None) == ([], False)
    page = await listed(small_desk, after=empty["next"])
    assert [each["id"] for each in page["items"]] == [asked[0]]


async def test_an_erasure_without_a_record_is_shown_too(small_desk: Desk):
    """An older database that had the person and no record of hers."""
    world, id_ = small_desk.world, uuid.uuid4()
    asked = ErasureFact(id=id_.hex, subject="1" * 32, record="", requested_by="2" * 32, asked_by="staff:1", asked_at=world.clock.now)
    job = await errand(world)

    def write(deed: Any) -> None:
        deed.append(job.entry(kind="test", outcome="allow", facts=(facts.write(deed, ERASURE, asked.id, asked),)))

    await world.association.run(write)
    told = (await small_desk.get(f"/v1/erasures/{id_}", small_desk.officer)).json()
    assert (told["record"], told["requested_by"]) == (None, str(uuid.UUID("2" * 32)))
    assert world.entries()[-1].about == (About(bytes.fromhex("1" * 32)),)


async def test_one_person_asks_for_so_many_erasures_and_the_alarm_rings_once(small_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    world = small_desk.world
    kept = await somebody(world)
    nobody = uuid.uuid4().bytes
    for _ in range(erasure_limits.BURST):
        assert (await ask(small_desk, nobody)).status_code == 404
    shut = [await ask(small_desk, kept.record) for _ in range(2)]
    assert [(each.status_code, each.json()["code"]) for each in shut] == [(429, "too-many-requests")] * 2
    alarms = [entry for entry in world.entries() if entry.reason == "ERASURES_ASKED"]
    assert [(entry.kind, entry.actor, entry.count) for entry in alarms] == [("alarm", f"staff:{(await world.person('officer')).id}", 30)]
    assert (await small_desk.read(kept.record)).status_code == 200
    world.clock.forward(24 * 60)
    assert (await ask(small_desk, kept.record)).status_code == 202


async def test_who_is_shut_out_stays_so_where_the_alarm_cannot_be_written(small: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(erasure_limits, "BURST", 1)
    limits, job = erasure_limits.ErasureLimits(), await errand(small)
    await limits.admit(job)
    monkeypatch.setattr(erasure_limits, "_tell", lambda *_: (_ for _ in ()).throw(Conflict("integrity")))
    with pytest.raises(TooMany):
        await limits.admit(job)
