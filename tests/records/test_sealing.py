"""What lies of a record: every field sealed in every class and at every revision, and nothing tells what somebody lacks."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from keys.container import Header, header
from tests.household import BASIC, FATIMA, HOUR, errand, findings, grant, lay_down, read, store
from tests.simulator import World
from vault.errors import Conflict, Invalid, Unavailable
from vault.policy.events import Locked
from vault.policy.facts import NEVER, Guardian
from vault.records import service, shelf
from vault.records import tables as record_tables
from vault.records.service import GuardianOf, Kept
from vault.rulebook.shapes import RECORD_TYPE, FieldFact
from vault.subjects import people, tables
from vault.subjects.sheet import Sheet, happened

pytestmark = pytest.mark.asyncio(loop_scope="function")

LACKS = {"full_name": "علي الشمري", "national_id": "1000000016"}
HAS = {
    "full_name": "فاطمة بنت خالد بن عبدالرحمن الشمري",
    "national_id": "1000000008",
    "birth_date": "10/5/1410",
    "gender": "female",
    "nationality": "سعودية",
    "mobile": "0551234567",
    "email": "fatima.alshammari.family@example.org",
    "social_handle": "@fatima_family",
    "short_address": "RRRD2929",
    "national_address": "حي النزهة، شارع الأمير، مبنى ٢٩٢٩، الرياض",
    "iban": "SA0380000000608010167519",
    "monthly_income": 4200,
    "marital_status": "widowed",
    "family_size": 6,
    "housing": "rented",
    "health_note": "ضغط الدم والسكري، علاج دائم",
    "orphan_status": "يتيم الأب",
}


def containers(world: World, record: bytes) -> dict[int, tuple[int, bytes]]:
    place = record_tables.container
    with world.database.connect() as connection:
        rows = connection.execute(select(place).where(place.c.record == record)).all()
    return {row.class_id: (row.revision, bytes(row.container)) for row in rows}


def headers(world: World, record: bytes) -> dict[int, Header]:
    return {class_id: header(content) for class_id, (_, content) in containers(world, record).items()}


async def change(world: World, kept: Kept, revision: int, **fields: Any) -> Kept:
    job = await errand(world)
    return await world.association.run(lambda deed: service.update(deed, job, kept.record, revision, fields))


async def sheet_of(world: World, record: bytes) -> Sheet:
    known = await world.association.run(lambda deed: people.of_record(deed, record))
    assert known.sheet is not None
    return known.sheet


def declared(world_types: Any, values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in {one.name for one in world_types["beneficiary"].fields}}


async def test_what_a_person_lacks_cannot_be_seen_in_the_size(vault: World):
    types = (await vault.association.book()).types
    rich, poor = await store(vault, declared(types, HAS)), await store(vault, LACKS)
    sizes = [{class_id: len(content) for class_id, (_, content) in containers(vault, one.record).items()} for one in (rich, poor)]
    assert sizes[0] == sizes[1]
    assert set(sizes[0]) == {2, 3, 4, 5, 6, 7}
    for class_id, found in headers(vault, poor.record).items():
        assert found.field_ids == tuple(sorted(one.number for one in types["beneficiary"].fields if one.class_id == class_id))


async def test_no_stored_byte_string_holds_a_value(vault: World):
    types = (await vault.association.book()).types
    kept = await store(vault, declared(types, HAS))
    lying = b"".join(content for _, content in containers(vault, kept.record).values())
    with vault.database.connect() as connection:
        for table in (tables.sheet, tables.event, tables.data_key):
            lying += b"".join(bytes(row.sealed if "sealed" in table.c else row.wrapped) for row in connection.execute(select(table)))
    for value in HAS.values():
        if isinstance(value, str):
            assert value.encode() not in lying


async def test_every_class_is_sealed_anew_at_every_revision(vault: World):
    kept = await store(vault)
    before, sheet = headers(vault, kept.record), await sheet_of(vault, kept.record)
    done = await change(vault, kept, 1, mobile="0559999999")
    after = headers(vault, kept.record)
    assert done.revision == 2
    assert {found.revision for found in after.values()} == {2}
    assert before.keys() == after.keys()
    assert all(before[class_id].salt != after[class_id].salt for class_id in before)
    assert {class_id: len(content) for class_id, (_, content) in containers(vault, kept.record).items()} == {
        class_id: len(content) for class_id, (_, content) in containers(vault, (await store(vault)).record).items()
    }
    state = (await sheet_of(vault, kept.record)).records[kept.record.hex()]
    assert state.salts == {str(class_id): found.salt.hex() for class_id, found in after.items()}
    assert state.review_month == sheet.records[kept.record.hex()].review_month
    await grant(vault, kept.record)
    assert await read(vault, kept.record) == {"full_name": FATIMA["full_name"], "national_id": "1000000008", "mobile": "+966559999999"}


async def test_what_is_emptied_is_null_and_keeps_its_size(vault: World):
    kept = await store(vault)
    before = {class_id: len(content) for class_id, (_, content) in containers(vault, kept.record).items()}
    await change(vault, kept, 1, mobile=None)
    assert {class_id: len(content) for class_id, (_, content) in containers(vault, kept.record).items()} == before
    await grant(vault, kept.record)
    assert (await read(vault, kept.record, fields=("mobile",))) == {"mobile": None}


async def test_an_update_in_a_later_month_leaves_nothing_for_the_doctor(vault: World):
    kept = await store(vault)
    vault.clock.now += 70 * 24 * HOUR
    await change(vault, kept, 1, mobile="0559999999")
    assert findings(vault) == []


async def test_a_class_declared_later_gets_its_container_with_the_next_revision(vault: World):
    kept = await store(vault)
    laid = (await vault.association.refresh()).types["beneficiary"]
    more = FieldFact(name="blood_group", number=4000, kind="text", field_class="health", class_id=9)
    added = FieldFact(name="landline", number=4001, kind="text", field_class="contact", class_id=3)
    wider = msgspec.structs.replace(laid, schema=laid.schema + 1, fields=(*laid.fields, more, added))
    await lay_down(vault, RECORD_TYPE, "beneficiary", wider)
    await change(vault, kept, 1, blood_group="O+")
    found = headers(vault, kept.record)
    assert found[9].field_ids == (4000,)
    assert 4001 in found[3].field_ids
    assert {one.schema for one in found.values()} == {laid.schema + 1}
    assert findings(vault) == []
    await grant(vault, kept.record)
    assert (await read(vault, kept.record)).keys() == set(BASIC)


@pytest.mark.parametrize("what", ["a container lost", "a container of before", "a key lost"])
async def test_an_update_on_rows_that_do_not_hold_changes_nothing(vault: World, what: str):
    kept = await store(vault)
    place, key = record_tables.container, tables.data_key
    old = containers(vault, kept.record)[3][1]
    await change(vault, kept, 1, mobile="0559999999")
    statement = {
        "a container lost": place.delete().where(place.c.class_id == 3),
        "a container of before": update(place).where(place.c.class_id == 3).values(container=old),
        "a key lost": key.delete().where(key.c.class_id == 3),
    }[what]
    with vault.database.connect() as connection, connection.begin():
        connection.execute(statement)
    before = len(vault.entries())
    with pytest.raises(Unavailable) as refused:
        await change(vault, kept, 2, email="f@example.org")
    assert refused.value.code == "integrity"
    assert len(vault.entries()) == before
    assert (await sheet_of(vault, kept.record)).records[kept.record.hex()].revision == 2


async def test_nothing_is_added_to_what_is_to_be_erased(small: World):
    kept = await store(small)
    job = await errand(small)

    def lock(deed: Any) -> None:
        known = people.of_record(deed, kept.record)
        people.change(deed, known, [happened(Locked(deed.now), at=deed.now, by="x")], job.entry(kind="test.locked", outcome="allow"))

    await small.association.run(lock)
    for attempt in (change(small, kept, 1, mobile="0559999999"), store(small, known=kept.subject)):
        with pytest.raises(Conflict) as refused:
            await attempt
        assert refused.value.code == "erasure-pending"


async def test_a_second_record_of_a_person_shares_her_keys_and_her_sheet(vault: World):
    kept = await store(vault)
    again = await store(vault, LACKS, known=kept.subject)
    assert again.subject == kept.subject
    assert set((await sheet_of(vault, kept.record)).records) == {kept.record.hex(), again.record.hex()}
    with vault.database.connect() as connection:
        assert len(connection.execute(select(tables.data_key)).all()) == 6
    assert findings(vault) == []


async def test_a_guardian_stands_in_the_sheet_unverified(vault: World):
    guardian = await store(vault, LACKS, type_="guardian")
    child = await store(vault, FATIMA, kind="beneficiary", guardian=GuardianOf(guardian.subject, "wali", "45/1", vault.clock.now + HOUR))
    sheet = await sheet_of(vault, child.record)
    assert sheet.kind == "beneficiary"
    assert sheet.person.guardians == (
        Guardian(guardian.subject.hex(), "wali", verified=False, valid_from=vault.clock.now, valid_to=vault.clock.now + HOUR),
    )


@pytest.mark.parametrize(
    ("kind", "birth_date", "never"),
    [("wali", None, True), ("wali", "2020-05-10", False), ("agent", None, False), ("carer", "1950-05-10", True), (None, None, False)],
)
async def test_who_comes_with_a_guardian_and_no_birth_date_has_no_capacity_until_one_is_known(
    small: World, kind: Any, birth_date: str | None, never: bool
):
    guardian = await store(small, LACKS, type_="guardian")
    fields = {name: value for name, value in (FATIMA | {"birth_date": birth_date}).items() if value is not None}
    kept = await store(small, fields, kind="beneficiary", guardian=GuardianOf(guardian.subject, kind) if kind else None)
    day = (await sheet_of(small, kept.record)).person.full_capacity_from
    assert (day == NEVER) is never
    assert (day is None) is (birth_date is None and not never)
    await change(small, kept, 1, birth_date="2019-05-10")
    day = (await sheet_of(small, kept.record)).person.full_capacity_from
    assert (day == NEVER) is (kind == "carer")


async def test_checked_values_are_what_is_sealed(small: World):
    shape = (await small.association.book()).types["beneficiary"]
    cleaned = shelf.clean(shape, {"full_name": "  فاطمة   الشمري ", "national_id": "١٠٠٠٠٠٠٠٠٨", "mobile": "0551234567"})
    assert cleaned.values == {"full_name": "فاطمة الشمري", "national_id": "1000000008", "mobile": "+966551234567"}
    with pytest.raises(Invalid):
        service.type_of(await small.association.book(), "orphan")


async def test_attack_22_a_salt_that_two_containers_have_is_named(small: World):
    one, two = await store(small, HAS), await store(small, LACKS)
    assert findings(small) == []
    planted = next(iter(containers(small, one.record).items()))
    place = record_tables.container
    with small.database.connect() as connection, connection.begin():
        row = (place.c.record == two.record) & (place.c.class_id == planted[0])
        connection.execute(update(place).where(row).values(container=planted[1][1]))
    names = {f"record_container {record.hex()} {planted[0]}: has the salt of another container" for record in (one.record, two.record)}
    assert len(names & set(findings(small))) == 1
