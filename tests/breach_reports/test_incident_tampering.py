# ruff: noqa: S608  # tampering is SQL put together, with our own names
"""By SQL: no row of an incident, altered, deleted, inserted or put back, opens what it should not, and the doctor names it."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import PARTS, SUMMARY, done, opened, plain, read, refused, report
from vault.access_log.deed import Deed
from vault.breach_reports import door, incident_file
from vault.breach_reports.incident_shapes import INCIDENT, KINDS
from vault.errors import Unavailable
from vault.rulebook import facts
from vault.rulebook.asker import Errand

pytestmark = pytest.mark.asyncio(loop_scope="function")
UNREADABLE: tuple[int, str, list[Any]] = (503, "integrity", [])


def blob(connection: Connection, value: bytes) -> str:
    return f"x'{value.hex()}'" if connection.dialect.name == "sqlite" else f"'\\x{value.hex()}'::bytea"


def sql(desk: Desk, statement: str, *ids: str) -> None:
    """Run a statement as the keeper of the database may; `{0}`, `{1}` stand for incidents."""
    with desk.world.database.connect() as connection, connection.begin():
        connection.exec_driver_sql(statement.format(*(blob(connection, bytes.fromhex(plain(each))) for each in ids)))


KEYS, SEALED = "incident_key", "incident_part"
ALTERED = {
    "a key deleted": (f"DELETE FROM {KEYS} WHERE incident = {{0}}", UNREADABLE, "cannot be read"),
    "another's key put under it": (
        f"UPDATE {KEYS} SET wrapped = (SELECT wrapped FROM {KEYS} WHERE incident = {{1}}) WHERE incident = {{0}}",
        UNREADABLE,
        "does not open for its incident",
    ),
    "a part altered": (
        f"UPDATE {SEALED} SET sealed = (SELECT sealed FROM {SEALED} WHERE incident = {{1}}) WHERE incident = {{0}} AND number = 0",
        UNREADABLE,
        "not what was written",
    ),
    "a part deleted": (f"DELETE FROM {SEALED} WHERE incident = {{0}} AND number = 1", UNREADABLE, "1: missing"),
    "a part inserted": (
        f"INSERT INTO {SEALED} SELECT association_id, incident, 9, sealed FROM {SEALED} WHERE incident = {{0}} AND number = 0",
        None,
        "no part its incident knows",
    ),
    "a key of an incident that never was": (
        f"INSERT INTO {KEYS} SELECT association_id, association_id, wrapped FROM {KEYS} WHERE incident = {{0}}",
        None,
        "no incident the log knows",
    ),
    "the fact deleted": ("DELETE FROM rulebook_fact WHERE kind = 'incident' AND version = 2", UNREADABLE, "missing, and the log names it"),
}


@pytest.mark.parametrize("name", ALTERED)
async def test_what_was_done_to_a_row_is_named_and_opens_nothing(desk: Desk, name: str):
    statement, answer, finding = ALTERED[name]
    id_, other = await opened(desk), await opened(desk)
    await done(desk, f"/{id_}/state", {"state": "confirmed", "note": PARTS})
    assert desk.findings() == []
    sql(desk, statement, id_, other)
    if answer is None:
        assert (await read(desk, id_))["summary"] == SUMMARY
    else:
        assert await refused(desk, f"/{id_}", method="GET") == answer
        told = desk.world.entries()[-1]
        assert (told.kind, told.reason, [each.subject.hex() for each in told.about]) == ("alarm", "INTEGRITY", [plain(id_)])
    assert any(finding in each for each in desk.findings()), desk.findings()


@pytest.mark.parametrize("name", ["a key deleted", "another's key put under it"])
async def test_nothing_is_written_under_a_key_that_is_not_the_incidents(desk: Desk, name: str):
    id_, other = await opened(desk), await opened(desk)
    sql(desk, ALTERED[name][0], id_, other)
    assert await refused(desk, f"/{id_}/state", {"state": "confirmed", "note": PARTS}) == UNREADABLE


async def test_a_link_that_one_side_alone_tells_of_is_named(desk: Desk):
    kept = await report(desk)
    id_ = await opened(desk, kept)

    def forget(deed: Deed) -> None:
        found = incident_file.load(deed, bytes.fromhex(plain(id_)))
        fact = facts.write(deed, INCIDENT, found.fact.id, msgspec.structs.replace(found.fact, reports=()))
        deed.append(errand.entry(kind="incident.moved", outcome="allow", facts=(fact,)))

    errand = Errand(await desk.world.person("officer"), "r")
    await desk.world.association.run(forget)
    assert [each.partition(": ")[2] for each in desk.findings()] == [f"linked to report {plain(kept)} by one of the two only"]


async def test_nothing_opens_before_the_commit_of_the_entry_nor_twice(desk: Desk):
    id_ = await opened(desk)
    errand = Errand(await desk.world.person("officer"), "r")

    def unit(deed: Deed) -> door.TakenIncident:
        entry = errand.entry(kind="incident.read", outcome="allow", purpose="breach_report", article="cooperative:8")
        taken = door.take_incident(deed, incident_file.load(deed, bytes.fromhex(plain(id_))), entry, KINDS)
        with pytest.raises(Unavailable):
            door.give_out(taken)
        return taken

    taken = await desk.world.association.run(unit)
    assert len(door.give_out(taken)) == 1
    with pytest.raises(Unavailable) as second:
        door.give_out(taken)
    assert second.value.code == "integrity"


async def test_a_key_swapped_between_the_entry_and_the_opening_is_an_alarm(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    id_ = await opened(desk)

    def swapped(_taken: door.TakenIncident) -> list[door.Opened]:
        raise Unavailable("integrity")

    monkeypatch.setattr(door, "give_out", swapped)
    assert await refused(desk, f"/{id_}", method="GET") == UNREADABLE
    assert [entry.kind for entry in desk.world.entries()][-2:] == ["incident.read", "alarm"]


async def test_no_word_of_an_incident_lies_in_the_database(desk: Desk):
    id_ = await opened(desk)
    await done(desk, f"/{id_}/state", {"state": "confirmed", "note": PARTS})
    with desk.world.database.connect() as connection:
        for table in ("incident_key", "incident_part", "rulebook_fact", "access_log_entry"):
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}"):
                held = b"".join(bytes(each) if isinstance(each, (bytes, memoryview)) else str(each).encode() for each in row)
                assert SUMMARY.encode() not in held
                assert PARTS.encode() not in held
                assert b"suspected" not in held
