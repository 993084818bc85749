"""A person's keys are renewed as a whole: the same values, other keys, and nothing of what was before opens any more."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest

from keys.keyring import epoch_of
from tests.access.counter import Counter, told
from tests.access.desk import Row, put, rows_of, written
from tests.household import BASIC, FATIMA, asked, findings, grant, store, withdraw
from tests.simulator import World
from vault.access import renewing
from vault.access_log.verify import snapshot, verify
from vault.errors import NotFound
from vault.policy.events import Locked
from vault.records import renewing as records
from vault.records import tables as record_tables
from vault.records.service import Kept
from vault.rulebook.asker import Errand
from vault.subjects import people
from vault.subjects import tables as subject_tables
from vault.subjects.people import Known
from vault.subjects.sheet import Renewed, happened

pytestmark = pytest.mark.asyncio(loop_scope="function")
EACH = (subject_tables.data_key, subject_tables.sheet, record_tables.container, record_tables.token)
FIELDS = ",".join(BASIC)


async def renew(counter: Counter, record: bytes, who: str = "officer") -> httpx.Response:
    return await counter.ask(who, "POST", f"/records/{written(record)}/key-renewal", {})


async def read(counter: Counter, record: bytes) -> httpx.Response:
    return await counter.ask("key", "GET", f"/records/{written(record)}?purpose=service_delivery&fields={FIELDS}")


async def found(counter: Counter, value: str = FATIMA["national_id"]) -> list[str]:
    body = {"type": "beneficiary", "field": "national_id", "value": value, "purpose": "service_delivery"}
    answer = await counter.ask("key", "POST", "/records/search", body)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["matches"]]


async def somebody(world: World) -> Kept:
    kept = await store(world)
    await grant(world, kept.record)
    return kept


async def whole(world: World) -> list[str]:
    """What the log's own verification and the examiners find."""
    note = await world.association.checkpoint()
    with snapshot(world.database, world.association.id) as connection:
        tree = verify(connection, world.association.id, world.code, world.association.cabinet.signer.vkey, note, deep=True)
        return [*tree.lines(), *findings(world)]


async def test_the_same_values_are_read_and_found_under_other_keys(counter: Counter):
    world, kept = counter.world, await somebody(counter.world)
    other = await store(world, {**FATIMA, "national_id": "1000000016"}, known=kept.subject)
    await store(world, {"full_name": "علي حسن", "identity_note": "لا يحمل هوية"})
    before, old = (await read(counter, kept.record)).json(), {table.name: rows_of(world, table) for table in EACH}
    done = await renew(counter, kept.record)
    assert done.status_code == 200, done.text
    assert {one["id"]: one["revision"] for one in done.json()["records"]} == {written(kept.record): 2, written(other.record): 2}
    after = (await read(counter, kept.record)).json()
    assert (after["fields"], after["revision"]) == (before["fields"], 2)
    assert await found(counter) == [written(kept.record)]
    for table in EACH:
        now = rows_of(world, table)
        mine = [(was, row) for was, row in zip(old[table.name], now, strict=True) if hers(row, kept.subject, kept.record, other.record)]
        assert mine, table.name
        for was, row in mine:
            secret = next(name for name in ("wrapped", "container", "proof") if name in row)
            assert row[secret] != was[secret], f"{table.name}.{secret}"
        assert len([row for row in now if row in old[table.name]]) == len(now) - len(mine), "nobody else's moved"
    assert {row["key_version"] for row in rows_of(world, subject_tables.data_key) if row["subject"] == kept.subject} == {2}
    entry = [one for one in world.entries() if one.kind == renewing.KIND]
    assert [(one.outcome, one.count, one.about[0].record, one.about[0].version) for one in entry] == [("allow", 2, kept.record, 4)]
    assert await whole(world) == []


def hers(row: Row, subject: bytes, *of: bytes) -> bool:
    return row.get("subject") == subject or row.get("record") in of


async def test_her_history_reads_on_and_she_is_renewed_again_and_erased(counter: Counter):
    world, kept = counter.world, await somebody(counter.world)
    for _ in range(3):
        assert (await renew(counter, kept.record)).status_code == 200
        world.clock.forward(1)
        given = await grant(world, kept.record, await asked(world, "internal_research", indicated_at=world.clock.now))
        await withdraw(world, given.id)
    events = await world.association.run(lambda deed: people.history(deed, people.of_subject(deed, kept.subject)))
    assert [sum(isinstance(one, Renewed) for one in version) for version in events] == [0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0]
    assert (await read(counter, kept.record)).json()["revision"] == 4
    patched = await world.association.run(lambda deed: people.of_record(deed, kept.record).version)
    assert patched == len(events)
    assert await whole(world) == []
    locked = await counter.ask("officer", "POST", f"/records/{written(kept.record)}/erasure", {"reason": "r", "requested_by": "self"})
    done = await counter.approve("second_officer", f"/erasures/{locked.json()['id']}/approval")
    assert done.status_code == 200, done.text
    assert told(await renew(counter, kept.record)) == (404, "not-found")
    assert await whole(world) == []


@pytest.mark.parametrize("which", [*(table.name for table in EACH), "all of them"])
async def test_what_was_before_and_is_put_back_opens_nothing(counter: Counter, which: str):
    world, kept = counter.world, await somebody(counter.world)
    old = {table: rows_of(world, table) for table in EACH if which in (table.name, "all of them")}
    assert (await renew(counter, kept.record)).status_code == 200
    for table, rows in old.items():
        put(world, table, rows)
    if which == "record_token":
        assert await found(counter) == []
    else:
        assert told(await read(counter, kept.record)) == (503, "integrity")
    assert findings(world) != []


async def test_an_old_wrapped_key_of_the_sheet_alone_opens_nothing(counter: Counter):
    world, kept = counter.world, await somebody(counter.world)
    (old,) = rows_of(world, subject_tables.sheet)
    assert (await renew(counter, kept.record)).status_code == 200
    (new,) = rows_of(world, subject_tables.sheet)
    assert epoch_of(new["wrapped"]) == epoch_of(old["wrapped"])
    put(world, subject_tables.sheet, [{**new, "wrapped": old["wrapped"]}])
    assert told(await read(counter, kept.record)) == (503, "integrity")


@pytest.mark.parametrize("table", [record_tables.container, subject_tables.data_key], ids=lambda table: table.name)
async def test_what_does_not_hold_is_not_renewed(counter: Counter, table: Any):
    world, kept = counter.world, await somebody(counter.world)
    secret = "container" if table is record_tables.container else "wrapped"
    rows = rows_of(world, table)
    put(world, table, [{**rows[0], secret: rows[0][secret][:-1] + bytes([rows[0][secret][-1] ^ 1])}, *rows[1:]])
    broken = {each.name: rows_of(world, each) for each in EACH}
    assert told(await renew(counter, kept.record)) == (503, "integrity")
    assert broken == {each.name: rows_of(world, each) for each in EACH}, "nothing was changed"
    assert world.entries()[-1].kind == "alarm"


async def test_a_row_of_no_field_stops_the_renewal(small_counter: Counter):
    world, kept = small_counter.world, await somebody(small_counter.world)
    rows = rows_of(world, record_tables.token)
    put(world, record_tables.token, [{**rows[0], "field_id": 4000}, *rows[1:]])
    assert told(await renew(small_counter, kept.record)) == (503, "integrity")


async def test_readers_meet_the_old_or_the_new_and_never_anything_between(counter: Counter):
    world, kept = counter.world, await somebody(counter.world)
    before = (await read(counter, kept.record)).json()["fields"]
    await counter.ask("officer", "GET", "/recipients")
    answers: list[httpx.Response] = []

    async def reading() -> None:
        answers.extend([await read(counter, kept.record) for _ in range(12)])

    async def renewing_() -> None:
        for _ in range(6):
            assert (await renew(counter, kept.record)).status_code == 200

    await asyncio.gather(*(reading() for _ in range(4)), renewing_())
    assert {one.status_code for one in answers} == {200}
    assert all(one.json()["fields"] == before for one in answers)
    seen = [one.json()["revision"] for one in answers]
    assert set(seen) <= set(range(1, 8))
    assert await whole(world) == []


async def test_who_is_to_be_erased_is_not_renewed_and_strangers_are_not_found(small_counter: Counter):
    world, kept = small_counter.world, await somebody(small_counter.world)
    assert told(await renew(small_counter, uuid.uuid4().bytes)) == (404, "not-found")
    assert told(await renew(small_counter, kept.record, "admin")) == (403, "out-of-scope")
    assert told(await renew(small_counter, kept.record, "key")) == (403, "out-of-scope")
    job = await small_counter.world.person("officer")

    def lock(deed: Any) -> None:
        event = happened(Locked(deed.now), at=deed.now, by="x")
        people.change(deed, people.of_subject(deed, kept.subject), [event], Errand(job, "r").entry(kind="test", outcome="allow"))

    await world.association.run(lock)
    assert told(await renew(small_counter, kept.record)) == (409, "erasure-pending")


async def test_who_has_no_sheet_has_nothing_to_renew(small: World):
    job: Any = None
    with pytest.raises(NotFound):
        await small.association.run(lambda deed: records.renew(deed, job, Known(bytes(16), None, people.begin(deed)[0].key)))
