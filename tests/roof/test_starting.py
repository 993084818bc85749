"""A service that starts beside others which write waits for its turn, and takes nothing another does meanwhile for a fault."""

from typing import Any

import pytest
from sqlalchemy import delete, select, update

from tests.simulator import World
from vault import app
from vault.access_log import tables
from vault.access_log.entry import Entry
from vault.app import House
from vault.commands import Failed, named
from vault.errors import Unavailable
from vault.rulebook import signing
from vault.rulebook.association import Association
from vault.settings import Settings
from vault.storage import engine, schema
from vault.storage.engine import enter
from vault.storage.transaction import Transaction


def settings_of(vault: World) -> Settings:
    """The settings of a service over this world, whose folder it finds among those of its associations."""
    (homes := vault.folder.parent / "associations").mkdir()
    (homes / vault.code).symlink_to(vault.folder)
    address = vault.database.url.set(drivername=vault.database.url.get_backend_name()).render_as_string(hide_password=False)
    return Settings(data_dir=str(vault.folder.parent), database_url=address, root_key_file=str(vault.folder.parent / "root"))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine waits for a lock no longer than a moment, so that a start has to come again; worlds are made without migrations."""
    monkeypatch.setattr(engine, "BUSY_MS", 10)
    monkeypatch.setattr(schema, "check", lambda _: None)


def test_a_start_waits_until_another_process_lets_go_of_the_log(vault: World):
    said: list[str] = []
    with vault.database.connect() as other:
        transaction = other.begin()
        enter(other, vault.association.id)
        vault.association.log.begin(Transaction(other, vault.clock()))

        def say(line: str) -> None:
            said.append(line)
            transaction.rollback()

        house = House.open(settings_of(vault), now=vault.clock, say=say)
    try:
        assert set(house.associations) == {vault.code}
    finally:
        house.close()
    assert said == ["others hold the database; the start waits for them, 30 seconds at most"]


def test_a_start_that_waited_long_enough_ends_with_a_line_that_says_why(vault: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app, "START_SECONDS", 0.05)
    monkeypatch.setattr(app, "Database", lambda _: vault.database)
    with vault.database.connect() as other, other.begin():
        enter(other, vault.association.id)
        vault.association.log.begin(Transaction(other, vault.clock()))
        with pytest.raises(Failed, match=r"^database-held: Other processes hold the database or the journal"):
            named(House.open, settings_of(vault), now=vault.clock)


def test_a_command_that_got_no_turn_says_the_same(vault: World):
    def deed() -> None:
        vault.association.log.run_now(vault.database, [lambda _: None], vault.clock)

    with vault.database.connect() as other, other.begin():
        enter(other, vault.association.id)
        vault.association.log.begin(Transaction(other, vault.clock()))
        with pytest.raises(Failed, match=r"^database-held: "):
            named(deed)


def test_a_checkpoint_another_process_puts_outside_during_a_start_is_none_the_log_is_too_short_for(
    vault: World, monkeypatch: pytest.MonkeyPatch
):
    settle = signing.settle
    others: list[Association] = []

    def meanwhile(*arguments: Any) -> None:
        settle(*arguments)  # from here on this start sees the database as it is now
        if not others:
            others.append(vault.association)
            vault.association.log.run_now(
                vault.database, [lambda deed: deed.append(Entry(kind="probe", outcome="allow", actor="system"))], vault.clock
            )
            vault.association.checkpoint_now(vault.clock)

    monkeypatch.setattr(signing, "settle", meanwhile)
    assert vault.reopen().log.least_size > 0
    assert len(others) == 1


def test_a_log_put_back_during_a_start_to_what_the_checkpoint_covered_before_is_not_opened(vault: World, monkeypatch: pytest.MonkeyPatch):
    """What another process puts outside after the first look is looked at before the door opens."""
    settle = signing.settle
    others: list[Association] = []
    head, entry = tables.head, tables.entry

    def meanwhile(*arguments: Any) -> None:
        if not others:
            others.append(vault.association)
            with vault.database.connect() as reader:
                before = reader.execute(select(head)).mappings().one()
            vault.association.log.run_now(
                vault.database, [lambda deed: deed.append(Entry(kind="probe", outcome="allow", actor="system"))], vault.clock
            )
            vault.association.checkpoint_now(vault.clock)
            with vault.database.connect() as keeper, keeper.begin():
                keeper.execute(delete(entry).where(entry.c.number >= before["size"]))
                keeper.execute(update(head).values(before))
        settle(*arguments)

    monkeypatch.setattr(signing, "settle", meanwhile)
    with pytest.raises(Unavailable, match="log-shorter-than-checkpoint"):
        vault.reopen()
