# ruff: noqa: S608  # tampering is SQL put together, with our own names
"""By SQL: no row of a report, altered, deleted, inserted or put back, opens what it should not, and the doctor names it."""

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Connection

from keys.case_file import case_key, seal_part
from keys.errors import Unopenable
from tests.breach_reports.desk import NARRATIVE, Desk
from vault.breach_reports import index, reports, tables
from vault.errors import Unavailable
from vault.rulebook import facts

pytestmark = pytest.mark.asyncio(loop_scope="function")


class Case:
    """Two reports, each with an answer; what is done to the first is seen by officer and reporter."""

    def __init__(self, desk: Desk, first: dict[str, str], second: dict[str, str]) -> None:
        self.desk, self.first, self.second = desk, first, second
        self.id = self.other = ""

    def sql(self, *statements: str) -> None:
        """Run statements as the keeper of the database may: past the guard of what is only ever added to."""
        with self.desk.world.database.connect() as connection, connection.begin():
            id_, other = (_blob(connection, bytes.fromhex(each.replace("-", ""))) for each in (self.id, self.other))
            asked = connection.exec_driver_sql(f"SELECT receipt_hash FROM breach_report WHERE report = {other}")
            theirs = bytes(asked.scalar() or b"")
            named = {"id": id_, "other": other, "theirs": _blob(connection, theirs), "nothing": _blob(connection, bytes(32))}
            for statement in statements:
                connection.exec_driver_sql(statement.format(**named))

    async def seen(self) -> tuple[int, int, int]:
        """Status of the officer's list, of her look, and of the reporter's."""
        listed = await self.desk.as_("officer", "GET", "")
        read = await self.desk.as_("officer", "GET", f"/{self.id}")
        followed = await self.desk.public("/status", {"receipt": self.first["receipt"]})
        theirs = await self.desk.public("/status", {"receipt": self.second["receipt"]})
        assert theirs.status_code != 200 or theirs.json()["reference"] == self.second["reference"], "her receipt opens another's case"
        for answer in (listed, read, followed):
            assert answer.status_code == 200 or NARRATIVE not in answer.text
        return listed.status_code, read.status_code, followed.status_code


def _blob(connection: Connection, value: bytes) -> str:
    return f"x'{value.hex()}'" if connection.dialect.name == "sqlite" else f"'\\x{value.hex()}'::bytea"


@pytest_asyncio.fixture(loop_scope="function")
async def case(desk: Desk) -> AsyncIterator[Case]:
    made = Case(desk, await desk.report(contact="0500000000"), await desk.report(narrative=NARRATIVE + " مرة أخرى"))
    made.id, made.other = [await desk.id_of(each["reference"]) for each in (made.first, made.second)]
    for id_ in (made.id, made.other):
        await desk.as_("officer", "POST", f"/{id_}/reply", {"text": "جواب"})
    assert await made.seen() == (200, 200, 200)
    assert desk.findings() == []
    yield made


KEYS = "breach_report_key"
PARTS = "breach_report_part"
ALTERED = {
    "an index row deleted": (["DELETE FROM breach_report WHERE report = {id}"], (503, 200, 503), "missing, and the log knows"),
    "a state altered": (["UPDATE breach_report SET state = 'dismissed' WHERE report = {id}"], (503, 200, 200), "not what its fact says"),
    "a report hidden in quarantine": (
        ["UPDATE breach_report SET state = 'quarantined' WHERE report = {id}"],
        (503, 200, 200),
        "not what its fact says",
    ),
    "a report in a state there is none of": (
        ["UPDATE breach_report SET state = 'nowhere' WHERE report = {id}"],
        (503, 200, 200),
        "not what its fact says",
    ),
    "a report put at the end of every list": (
        ["UPDATE breach_report SET received_at = 0 WHERE report = {id}"],
        (503, 200, 200),
        "not what its fact says",
    ),
    "a reference altered": (
        ["UPDATE breach_report SET reference = 'BR-1' WHERE report = {id}"],
        (503, 200, 200),
        "not what its fact says",
    ),
    "a reporter cut off": (
        ["UPDATE breach_report SET receipt_hash = {nothing} WHERE report = {id}"],
        (503, 200, 503),
        "not what its fact says",
    ),
    "another's receipt put under it": (
        [
            "UPDATE breach_report SET receipt_hash = {nothing} WHERE report = {other}",
            "UPDATE breach_report SET receipt_hash = {theirs} WHERE report = {id}",
        ],
        (503, 200, 503),
        "not what its fact says",
    ),
    "a key deleted": ([f"DELETE FROM {KEYS} WHERE report = {{id}}"], (200, 503, 503), "cannot be read"),
    "another's key put under it": (
        [f"UPDATE {KEYS} SET wrapped = (SELECT wrapped FROM {KEYS} WHERE report = {{other}}) WHERE report = {{id}}"],
        (200, 503, 503),
        "does not open for its report",
    ),
    "a part inserted": (
        [f"INSERT INTO {PARTS} SELECT association_id, report, 9, sealed FROM {PARTS} WHERE report = {{id}} AND number = 0"],
        (200, 200, 200),
        "no part its report knows",
    ),
    "a row of a report that never was": (
        [
            "INSERT INTO breach_report SELECT association_id, association_id, 'B', 1, 'x', {nothing} FROM breach_report LIMIT 1",
        ],
        (503, 200, 200),
        "no report the log knows",
    ),
    "a key of a report that never was": (
        [f"INSERT INTO {KEYS} SELECT association_id, association_id, wrapped FROM {KEYS} WHERE report = {{id}}"],
        (200, 200, 200),
        "no report the log knows",
    ),
    "the fact deleted": (
        ["DELETE FROM rulebook_fact WHERE kind = 'breach_report' AND version = 2"],
        (503, 503, 503),
        "missing, and the log names it",
    ),
}


@pytest.mark.parametrize("name", ALTERED)
async def test_what_was_done_to_a_row_is_named_and_opens_nothing(case: Case, name: str):
    statements, seen, finding = ALTERED[name]
    case.sql(*statements)
    assert await case.seen() == seen
    assert any(finding in each for each in case.desk.findings()), case.desk.findings()
    if 503 in seen:
        assert any(entry.kind == "alarm" for entry in case.desk.world.entries())


async def test_wrong_receipts_make_the_vault_compare_once_a_minute_and_no_lie_lasts_longer(case: Case):
    world, wrong = case.desk.world, {"receipt": "0000-0000"}
    assert (await case.desk.public("/status", wrong)).status_code == 404
    case.sql("UPDATE breach_report SET receipt_hash = {nothing} WHERE report = {id}")
    assert (await case.desk.public("/status", wrong)).status_code == 404, "compared a moment ago"
    world.clock.forward(60)
    assert (await case.desk.public("/status", {"receipt": case.first["receipt"]})).status_code == 503
    assert [entry.reason for entry in world.entries() if entry.kind == "alarm"] == ["INTEGRITY"]
    assert (await case.desk.public("/status", wrong)).status_code == 503


async def test_parts_take_no_update_and_no_delete_and_altered_all_the_same_they_are_named(case: Case):
    world = case.desk.world
    stored = "SELECT sealed FROM breach_report_part WHERE report = {other} AND number = 0"
    case.sql(f"UPDATE breach_report_part SET sealed = ({stored}) WHERE report = {{id}} AND number = 0")
    assert await case.seen() == (200, 503, 200)
    assert any("breach_report_part" in each and "not what was written" in each for each in case.desk.findings())
    case.sql("DELETE FROM breach_report_part WHERE report = {id} AND number = 2")
    assert await case.seen() == (200, 503, 503)
    assert any("breach_report_part" in each and each.endswith("2: missing") for each in case.desk.findings())
    assert any(entry.reason == "INTEGRITY" for entry in world.entries())


async def test_a_part_that_another_life_of_the_vault_sealed_for_the_same_place_does_not_count(case: Case):
    world, report = case.desk.world, bytes.fromhex(case.id.replace("-", ""))
    keys = world.association.cabinet.keys
    wrapped = await world.association.run(lambda deed: tables.wrapped_key(deed, report) or b"")
    forged = seal_part(keys, case_key(keys, report, wrapped), report, b'{"narrative":"nothing happened"}', number=0, kind="report")
    literal = f"x'{forged.sealed.hex()}'" if world.database.is_sqlite else f"'\\x{forged.sealed.hex()}'::bytea"
    case.sql(f"UPDATE breach_report_part SET sealed = {literal} WHERE report = {{id}} AND number = 0")
    assert await case.seen() == (200, 503, 200)
    assert any("breach_report_part" in each and "not what was written" in each for each in case.desk.findings())


async def test_a_report_put_back_as_it_was_before_is_named_and_its_older_state_counts_for_nothing(case: Case):
    with case.desk.world.database.connect() as connection:
        kept = connection.exec_driver_sql("SELECT key, version, sealed FROM rulebook_fact WHERE kind = 'breach_report'").all()
    await case.desk.as_("officer", "POST", f"/{case.id}/triage", {"finding": "breach"})
    key = case.id.replace("-", "")
    version, sealed = next((row.version, bytes(row.sealed)) for row in kept if row.key == key)
    literal = f"x'{sealed.hex()}'" if case.desk.world.database.is_sqlite else f"'\\x{sealed.hex()}'::bytea"
    case.sql(
        f"UPDATE rulebook_fact SET version = {version}, sealed = {literal} WHERE kind = 'breach_report' AND key = '{key}'",
        "UPDATE breach_report SET state = 'received' WHERE report = {id}",
    )
    assert await case.seen() == (503, 503, 503)
    assert any("not what the log's newest entry about it says" in each for each in case.desk.findings())


async def test_strangers_ring_the_alarm_about_an_altered_index_once(case: Case):
    case.sql("UPDATE breach_report SET state = 'dismissed' WHERE report = {id}")
    case.desk.world.clock.forward(60)

    def alarms() -> int:
        return sum(one.kind == "alarm" for one in case.desk.world.entries())

    for _ in range(5):
        answer = await case.desk.public("/status", {"receipt": "wrong"})
        assert (answer.status_code, answer.json()["code"]) == (503, "integrity")
    assert alarms() == 1
    case.desk.world.clock.forward(600)
    for _ in range(2):
        await case.desk.public("/status", {"receipt": "wrong"})
    assert alarms() == 2
    await case.desk.as_("officer", "GET", "")
    assert alarms() == 3, "an officer who meets it rings each time"


async def test_comparing_the_index_holds_up_no_deed_and_opens_no_fact_twice(case: Case, monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    real = facts._opened

    def counting(*given: Any) -> Any:
        opened.append(given[3][0])
        assert not threading.current_thread().name.startswith("writer"), "beside the queue of deeds"
        return real(*given)

    monkeypatch.setattr(facts, "_opened", counting)
    case.desk.world.clock.forward(60)
    assert (await case.desk.public("/status", {"receipt": "wrong"})).status_code == 404
    assert opened == [], "they were opened for the list before"
    third = await case.desk.report()
    assert third["reference"] in [each["reference"] for each in (await case.desk.as_("officer", "GET", "")).json()["items"]]
    assert len(opened) == 1, "only the new one"


async def test_an_alarm_that_cannot_be_written_is_rung_by_the_next_one(case: Case, monkeypatch: pytest.MonkeyPatch):
    case.sql("UPDATE breach_report SET state = 'dismissed' WHERE report = {id}")
    case.desk.world.clock.forward(60)

    def failing(*_given: object) -> None:
        raise Unavailable("busy")

    with monkeypatch.context() as patched:
        patched.setattr(reports, "integrity", failing)
        assert (await case.desk.public("/status", {"receipt": "wrong"})).status_code == 503
    assert (await case.desk.public("/status", {"receipt": "wrong"})).status_code == 503
    assert [one.reason for one in case.desk.world.entries() if one.kind == "alarm"] == ["INTEGRITY"]


async def test_a_fact_that_does_not_open_and_a_database_that_is_away_give_no_list(case: Case, monkeypatch: pytest.MonkeyPatch):
    def unopenable(*_given: object) -> bytes:
        raise Unopenable

    third = await case.desk.report()
    with monkeypatch.context() as patched:
        patched.setattr(facts, "open_blob", unopenable)
        with pytest.raises(Unavailable, match="integrity"):
            await case.desk.reports.index.known(case.desk.world.association)
    with monkeypatch.context() as patched:
        patched.setattr(index, "differences", unreadable)
        for asked in (case.desk.reports.index.known, case.desk.reports.index.require):
            case.desk.world.clock.forward(60)
            with pytest.raises(Unavailable, match="log-unavailable"):
                await asked(case.desk.world.association)
    assert (await case.desk.public("/status", {"receipt": third["receipt"]})).status_code == 200


def unreadable(*_given: object) -> None:
    raise OSError
