"""Whatever is done to the rows by SQL, no question answered no becomes yes, no value is an older one, and the examiners name the row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, LargeBinary, String, Table, delete, insert, select

from keys.container import header
from tests.household import BASIC, FATIMA, asked, errand, findings, grant, partner, read, store, verify, withdraw, written
from tests.simulator import World
from vault.access import withdrawals
from vault.access_log import tables as log_tables
from vault.access_log.entry import Entry
from vault.consent import history
from vault.errors import NotFound, Unavailable, VaultError
from vault.identity.opening import unseal
from vault.records import service
from vault.records import tables as record_tables
from vault.rulebook import tables as book_tables
from vault.storage.journal import Closing
from vault.subjects import people, tables

pytestmark = pytest.mark.asyncio(loop_scope="function")

TABLES = (
    tables.sheet,
    tables.event,
    tables.data_key,
    tables.record,
    tables.consent,
    record_tables.container,
    book_tables.fact,
    book_tables.association_key,
)
NOBODY = bytes(range(16))
Row = dict[str, Any]
Rows = dict[str, list[Row]]


@dataclass(frozen=True, slots=True)
class Question:
    """One read: of whose record, for what, which fields, to whom."""

    record: bytes
    purpose: str
    fields: tuple[str, ...] = BASIC
    recipient: str | None = None


@dataclass(frozen=True, slots=True)
class Tampering:
    """One change by SQL: what is done to which table, and its rows afterwards."""

    what: str
    table: Table
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Story:
    """A vault in which something was allowed, then less: the questions, and the rows before the last changes."""

    questions: Sequence[Question]
    before: Rows


async def tell(world: World) -> Story:
    """Two people; what one agreed to is withdrawn, unverified, of another recipient, and her number has changed since."""
    first, second = await store(world), await store(world, FATIMA | {"national_id": "1000000016"})
    officer = await world.person("officer")
    await partner(world, "partner")
    await partner(world, "other")
    world.clock.forward(60)
    delivery = await grant(world, first.record)
    await grant(world, second.record)
    await grant(world, first.record, await asked(world, "sms_offers", fields=frozenset({"mobile"})))
    paper = {"form": "written", "evidence": written("second_officer@probe", world.clock.now)}
    await grant(world, first.record, await asked(world, "partner_sharing", recipient="partner", **paper))
    shared = await grant(world, second.record, await asked(world, "partner_sharing", recipient="partner", **paper))
    await verify(world, shared.id, officer)
    gone = await grant(world, second.record, await asked(world, "partner_sharing", recipient="other", **paper))
    await verify(world, gone.id, officer)
    before = stored_rows(world)
    world.clock.forward(60)
    await withdraw(world, delivery.id)
    await partner(world, "other", revoked_at=world.clock.now)
    job = await errand(world)
    await world.association.run(lambda deed: service.update(deed, job, first.record, 1, {"mobile": "0559999999"}))
    questions = [
        Question(first.record, "service_delivery"),
        Question(first.record, "sms_offers", ("mobile",)),
        Question(first.record, "partner_sharing", ("mobile",), "partner"),
        Question(second.record, "service_delivery"),
        Question(second.record, "service_delivery", ("health_note",)),
        Question(second.record, "partner_sharing", ("mobile",), "partner"),
        Question(second.record, "partner_sharing", ("mobile",), "other"),
        Question(first.record, "intake"),
    ]
    return Story(questions, before)


def stored_rows(world: World) -> Rows:
    """Every row of the tables that are tampered with."""
    with world.database.connect() as connection, connection.begin():
        return {table.name: rows_of(connection, table) for table in TABLES}


def rows_of(connection: Connection, table: Table) -> list[Row]:
    return [dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]


def put(world: World, table: Table, rows: Sequence[Row]) -> None:
    """Make these the rows of a table."""
    with world.database.connect() as connection, connection.begin():
        connection.execute(delete(table))
        if rows:
            connection.execute(insert(table), [dict(row) for row in rows])


def key_of(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key.columns)


def tamperings(now: Rows, before: Rows) -> Iterator[Tampering]:
    """Every column of every kind of row altered, rows deleted, copied under another key, and put back as they were before."""
    for table in TABLES:
        rows = now[table.name]
        for number in sorted({0, len(rows) // 2, len(rows) - 1}):
            rest = rows[:number] + rows[number + 1 :]
            yield Tampering(f"row {number} deleted", table, rest)
            for column in table.columns:
                altered = rows[number] | {column.name: other(column.type, rows[number][column.name])}
                beside = [row for row in rest if key_of(table, row) != key_of(table, altered)]
                yield Tampering(f"row {number}: {column.name} altered", table, [*beside, altered])
                if column.primary_key and column.name != "association_id" and len(beside) == len(rest):
                    yield Tampering(f"row {number}: copied under another {column.name}", table, [*rows, altered])
            for place in rest[:1]:
                moved = rows[number] | {column.name: place[column.name] for column in table.primary_key.columns}
                if moved == place:
                    continue
                yield Tampering(f"row {number}: in the place of another", table, [*(row for row in rows if row is not place), moved])
        older = {key_of(table, row): row for row in before[table.name]}
        for number, row in enumerate(rows):
            was = older.get(key_of(table, row))
            if was is not None and was != row:
                yield Tampering(f"row {number} as it was before", table, [*rows[:number], was, *rows[number + 1 :]])


def other(kind: Any, value: Any) -> Any:
    if isinstance(kind, LargeBinary):
        return bytes([value[0] ^ 1]) + value[1:]
    return f"x{value[1:]}" if isinstance(kind, String) else value + 1


async def answers(world: World, questions: Sequence[Question]) -> list[dict[str, Any] | None]:
    """What a process that starts now answers to each question: the values, or None for a no of any kind."""
    try:
        through = world.reopen()
    except VaultError:
        return [None] * len(questions)
    found: list[dict[str, Any] | None] = []
    try:
        for each in questions:
            try:
                found.append(await read(world, each.record, each.purpose, each.fields, through=through, recipient=each.recipient))
            except VaultError:
                found.append(None)
    finally:
        through.log.close()
    return found


def named(world: World) -> list[str]:
    """What the doctor says: the examiners' findings, or that the keys themselves do not open."""
    try:
        unseal(world.database, code=world.code, root=world.root, folder=world.folder)
    except VaultError as error:
        return [f"association_key: {error.code}"]
    return findings(world)


@pytest.mark.slow
async def test_no_tampering_turns_a_no_into_a_yes_and_each_is_named(vault: World):
    story = await tell(vault)
    baseline = await answers(vault, story.questions)
    assert [one is not None for one in baseline] == [False, True, False, True, False, True, False, False]
    assert baseline[1] == {"mobile": "+966559999999"}
    assert named(vault) == []
    now = stored_rows(vault)
    seen = 0
    for tampering in tamperings(now, story.before):
        seen += 1
        put(vault, tampering.table, tampering.rows)
        what = f"{tampering.table.name}: {tampering.what}"
        for was, is_ in zip(baseline, await answers(vault, story.questions), strict=True):
            assert is_ is None or is_ == was, what
        assert any(tampering.table.name in line for line in named(vault)), what
        put(vault, tampering.table, now[tampering.table.name])
    assert seen > 100
    assert named(vault) == []
    assert await answers(vault, story.questions) == baseline


async def test_a_person_put_back_whole_as_she_was_before_is_met_by_the_log(vault: World):
    story = await tell(vault)
    now = stored_rows(vault)
    whole = [table for table in TABLES if table.name.startswith(("subject_", "record_"))]
    for table in whole:
        put(vault, table, story.before[table.name])
    baseline = [False, False, False, True, False, True, False, False]
    assert [one is not None for one in await answers(vault, story.questions)] == baseline
    assert any("not the one the log's newest entry names" in line for line in named(vault))
    for table in whole:
        put(vault, table, now[table.name])
    assert named(vault) == []


async def test_a_record_whose_row_was_taken_out_is_an_integrity_failure_until_its_person_is_erased(vault: World):
    kept, other_ = await store(vault), await store(vault, FATIMA | {"national_id": "1000000016"})
    await grant(vault, kept.record)
    await grant(vault, other_.record)
    rows = stored_rows(vault)[tables.record.name]
    put(vault, tables.record, [row for row in rows if row["record"] != kept.record])
    with pytest.raises(Unavailable, match="integrity"):
        await read(vault, kept.record)
    assert await read(vault, other_.record)
    with pytest.raises(NotFound):
        await read(vault, NOBODY)
    put(vault, tables.record, rows)
    gone = Entry(kind="erasure.approved", outcome="allow", actor="system")
    closes = Closing("erasure", kept.subject.hex())
    await vault.association.run(lambda deed: people.erase(deed, kept.subject, [kept.record], gone, closes=closes))
    with pytest.raises(NotFound):
        await read(vault, kept.record)


async def test_a_cell_altered_inside_a_container_gives_no_value(vault: World):
    story = await tell(vault)
    container = record_tables.container

    def altered(content: bytes) -> bytes:
        cells = 70 + 6 * len(header(content).field_ids)  # docs/spec/container.md: the header, then six bytes for each cell
        return content[:cells] + bytes(byte ^ 1 for byte in content[cells:])

    put(vault, container, [row | {"container": altered(row["container"])} for row in stored_rows(vault)[container.name]])
    assert await answers(vault, story.questions) == [None] * len(story.questions)


@pytest.mark.parametrize("value", ["text", 7], ids=["text", "number"])
async def test_an_examiner_does_not_stumble_over_a_column_of_another_type(small: World, value: Any):
    await tell(small)
    spots = [
        (table, column.name)
        for table in TABLES[:6]
        for column in table.columns
        if isinstance(column.type, LargeBinary) and column.name != "association_id"
    ]
    for table, column in spots:
        with small.database.connect() as connection, connection.begin():
            (rowid, was) = connection.exec_driver_sql(f"SELECT rowid, {column} FROM {table.name} LIMIT 1").one()  # noqa: S608 - names from the schema
            connection.exec_driver_sql(f"UPDATE {table.name} SET {column} = ? WHERE rowid = ?", (value, rowid))  # noqa: S608 - as above
        assert any(table.name in line for line in findings(small)), (table.name, column)
        with small.database.connect() as connection, connection.begin():
            connection.exec_driver_sql(f"UPDATE {table.name} SET {column} = ? WHERE rowid = ?", (was, rowid))  # noqa: S608 - as above
    assert findings(small) == []


async def test_a_row_of_nobody_is_named(vault: World):
    kept = await store(vault)
    rows: dict[Table, Row] = {
        tables.event: {"subject": NOBODY, "version": 1, "sealed": b"x"},
        tables.sheet: {"subject": NOBODY, "version": 1, "wrapped": b"x", "sealed": b"x"},
        tables.consent: {"consent": NOBODY, "subject": kept.subject, "record": kept.record},
        tables.record: {"record": NOBODY, "subject": kept.subject, "type": "beneficiary", "revision": 1, "review_month": "2027-01"},
        tables.data_key: {"subject": NOBODY, "class_id": 2, "key_version": 1, "wrapped": b"x"},
        record_tables.container: {"record": NOBODY, "class_id": 2, "revision": 1, "container": b"x"},
    }
    for table, row in rows.items():
        with vault.database.connect() as connection, connection.begin():
            connection.execute(insert(table).values(association_id=vault.association.id, **row))
        assert any(line.startswith(table.name) for line in findings(vault)), table.name
        with vault.database.connect() as connection, connection.begin():
            connection.execute(delete(table).where(table.c[next(iter(row))] == NOBODY))
    assert findings(vault) == []


async def test_somebody_whose_rows_do_not_hold_stores_nothing_more(vault: World):
    kept = await store(vault)
    with vault.database.connect() as connection, connection.begin():
        connection.execute(delete(tables.data_key).where(tables.data_key.c.class_id == 3))
    with pytest.raises(Unavailable) as refused:
        await store(vault, known=kept.subject)
    assert refused.value.code == "integrity"


async def test_a_history_with_a_gap_is_told_to_nobody(vault: World):
    kept = await store(vault)
    consent = await grant(vault, kept.record)
    job = await errand(vault)
    now = stored_rows(vault)
    event = tables.event
    for rows in (now[event.name][1:], [row | {"sealed": other(LargeBinary(), row["sealed"])} for row in now[event.name]]):
        put(vault, event, rows)
        for unit in (
            lambda deed: history.consents(deed, job, kept.record, None),
            lambda deed: withdrawals.withdraw(deed, job, consent.id, "self", None),
        ):
            with pytest.raises(Unavailable) as refused:
                await vault.association.run(unit)
            assert refused.value.code == "integrity"
    put(vault, event, now[event.name])
    await withdraw(vault, consent.id)


async def test_an_index_that_names_another_person_or_record_for_a_consent_is_met_by_the_history(vault: World):
    first, second = await store(vault), await store(vault)
    consent = await grant(vault, first.record)
    now = stored_rows(vault)[tables.consent.name]
    for wrong in ({"subject": second.subject}, {"record": second.record}):
        put(vault, tables.consent, [now[0] | wrong])
        with pytest.raises(Unavailable) as refused:
            await withdraw(vault, consent.id)
        assert refused.value.code == "integrity"


async def test_a_person_who_is_gone_from_under_an_index_is_an_integrity_failure(vault: World):
    kept = await store(vault)
    consent = await grant(vault, kept.record)
    put(vault, tables.sheet, [])
    with pytest.raises(Unavailable, match="integrity"):
        await withdraw(vault, consent.id)
    with pytest.raises(Unavailable):
        await read(vault, kept.record)


async def test_a_vault_without_its_own_fact_opens_no_book(small: World):
    with small.database.connect() as connection, connection.begin():
        connection.execute(delete(book_tables.fact).where(book_tables.fact.c.kind == "association"))
        connection.execute(delete(log_tables.fact).where(log_tables.fact.c.fact_kind == "association"))
    through = small.reopen()
    try:
        with pytest.raises(Unavailable) as refused:
            await through.book()
        assert refused.value.code == "integrity"
    finally:
        through.log.close()
