"""What was erased or locked stays so: through lost commits, restored databases and rows that are put back (promise 7)."""

import shutil
import uuid
from pathlib import Path

import pytest
from sqlalchemy import select, update

from keys import epochs
from keys.errors import Unopenable
from tests.access.desk import Desk, put, rows_of, written
from tests.access.erasures import NUMBER, REASON, ask, erased, found, line, lost, orphan, settle, somebody, unlocked, verified
from tests.household import errand, findings
from tests.simulator import World
from vault.access.certifying import sheet_of
from vault.errors import NotFound
from vault.reclosing import reclose
from vault.records import emptying
from vault.rulebook.tables import fact as fact_rows
from vault.storage.engine import Database
from vault.storage.metadata import OUTLASTS, metadata
from vault.subjects import people
from vault.subjects import tables as subject_tables

pytestmark = pytest.mark.asyncio(loop_scope="function")
TABLES = [table for table in metadata.sorted_tables if not table.name.startswith("access_log_") and not table.info.get(OUTLASTS)]


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
        sheet_of(known)
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
