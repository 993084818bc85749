"""A falsification that was there for a moment and is gone again: it opens nothing, or the log convicts it for ever after."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec
import pytest
from sqlalchemy import Connection, delete, insert, select, update

from tests.household import asked, grant, lay_down, partner, read, store, withdraw
from tests.simulator import World
from vault.access import reading
from vault.access.verdicts import Asked
from vault.access_log import tables as log_tables
from vault.access_log.checkpoint import Outside
from vault.access_log.verify import snapshot, verify
from vault.errors import Refused, Unauthenticated, Unavailable
from vault.identity.callers import Caller
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association
from vault.rulebook.shapes import CLIENT, ClientFact
from vault.subjects import tables

pytestmark = pytest.mark.asyncio(loop_scope="function")

HEAD = log_tables.head


def verified(world: World, *, deep: bool = False) -> list[str]:
    """What `amanah log verify` finds."""
    own, cabinet = world.association, world.association.cabinet
    standing = Outside(world.folder / "checkpoint").read()
    with snapshot(world.database, own.id) as connection:
        return verify(connection, own.id, own.code, cabinet.signer.vkey, standing, deep=deep, cabinet=cabinet).lines()


@contextmanager
def keeper(world: World) -> Iterator[Connection]:
    """The keeper of the database, who may write every row."""
    with world.database.connect() as connection, connection.begin():
        yield connection


async def test_a_yes_under_a_withdrawal_that_was_hidden_for_a_moment_is_found_when_all_is_back(vault: World):
    kept = await store(vault)
    given = await grant(vault, kept.record)
    newest = log_tables.subject.c.version
    with keeper(vault) as connection:
        before = connection.execute(select(tables.sheet)).mappings().one()
    vault.clock.forward(1)
    await withdraw(vault, given.id)
    withdrawal = len(vault.entries()) - 1
    with keeper(vault) as connection:
        sheet = connection.execute(select(tables.sheet)).mappings().one()
        told = connection.execute(select(log_tables.subject).where(newest == sheet["version"])).mappings().one()
        connection.execute(delete(log_tables.subject).where(newest == told["version"]))
        connection.execute(delete(tables.sheet))
        connection.execute(insert(tables.sheet).values(**before))
    assert await read(vault, kept.record)
    with keeper(vault) as connection:
        connection.execute(delete(tables.sheet))
        connection.execute(insert(tables.sheet).values(**sheet))
        connection.execute(insert(log_tables.subject).values(**told))
    with pytest.raises(Refused, match="consent-withdrawn"):
        await read(vault, kept.record)
    found = [f"entry {withdrawal + 1}: it was allowed on a consent that entry {withdrawal} closed"]
    assert verified(vault) == found
    assert verified(vault, deep=True) == found


async def test_consent_given_anew_is_no_finding_on_any_engine(vault: World):
    kept = await store(vault)
    given = await grant(vault, kept.record)
    assert await read(vault, kept.record)
    vault.clock.forward(1)
    await withdraw(vault, given.id)
    vault.clock.forward(1)
    await grant(vault, kept.record, await asked(vault))
    assert await read(vault, kept.record)
    assert verified(vault, deep=True) == []


@contextmanager
def elsewhere(world: World) -> Iterator[Association]:
    """The same association in another process."""
    other = world.reopen()
    try:
        yield other
    finally:
        other.log.close()


async def answered(other: Association, caller: Caller, record: bytes) -> dict[str, object]:
    """What the other process reads for a caller it let in before."""
    errand = Errand(replace(caller, association=other), "elsewhere")
    return (await reading.read(errand, Asked(record, "use", "service_delivery", ("full_name",)))).values


async def revoked(world: World, caller: Caller) -> None:
    """The caller's key is revoked through this process."""
    client: ClientFact = (await world.association.refresh()).clients[caller.key]
    await lay_down(world, CLIENT, caller.key, msgspec.structs.replace(client, revoked_at=world.clock.now))


async def test_a_law_set_back_for_a_moment_lets_no_revoked_key_in_through_another_process(vault: World):
    kept = await store(vault)
    await grant(vault, kept.record)
    caller = await vault.system()
    with elsewhere(vault) as other:
        assert await answered(other, caller, kept.record)
        with keeper(vault) as connection:
            old = connection.execute(select(HEAD.c.law)).scalar_one()
        await revoked(vault, caller)
        with keeper(vault) as connection:
            new = connection.execute(select(HEAD.c.law)).scalar_one()
            connection.execute(update(HEAD).values(law=old))
        assert new != old
        with pytest.raises(Unavailable, match="integrity"):
            await answered(other, caller, kept.record)
        assert "the head of the log is not as the vault wrote it" in verified(vault)
        with keeper(vault) as connection:
            connection.execute(update(HEAD).values(law=new))
        with pytest.raises(Unauthenticated):
            await answered(other, caller, kept.record)
        assert verified(vault) == []


async def test_a_head_put_back_whole_lets_no_revoked_key_in_through_another_process(vault: World):
    kept = await store(vault)
    await grant(vault, kept.record)
    caller = await vault.system()
    with elsewhere(vault) as other:
        assert await answered(other, caller, kept.record)
        with keeper(vault) as connection:
            old = connection.execute(select(HEAD)).mappings().one()
        await revoked(vault, caller)
        with keeper(vault) as connection:
            connection.execute(update(HEAD).values(**old))
        with pytest.raises(Unavailable, match=r"integrity|log-unavailable"):
            await answered(other, caller, kept.record)


async def test_a_head_without_a_mac_moves_the_law_and_everybody_looks_again(vault: World):
    kept = await store(vault)
    await grant(vault, kept.record)
    caller = await vault.system()
    with elsewhere(vault) as other:
        assert await answered(other, caller, kept.record)
        with keeper(vault) as connection:
            old = connection.execute(select(HEAD.c.law)).scalar_one()
        await revoked(vault, caller)
        with keeper(vault) as connection:
            connection.execute(update(HEAD).values(law=old, mac=None))
        with pytest.raises(Unauthenticated):
            await answered(other, caller, kept.record)
    sealed = [number for number, entry in enumerate(vault.entries()) if entry.kind == "log.head-sealed"]
    assert len(sealed) == 1
    with keeper(vault) as connection:
        assert connection.execute(select(HEAD.c.law)).scalar_one() == sealed[0]
    assert verified(vault, deep=True) == []


@pytest.mark.parametrize("column", ["size", "frontier", "law", "newest", "mac"])
async def test_a_head_that_says_anything_else_opens_nothing(vault: World, column: str):
    await partner(vault)
    with keeper(vault) as connection:
        was = connection.execute(select(HEAD)).mappings().one()[column]
        connection.execute(update(HEAD).values({column: was + 1 if isinstance(was, int) else bytes(len(was))}))
    with pytest.raises(Unavailable, match="integrity"):
        await partner(vault, "other")


@pytest.mark.parametrize("column", ["size", "frontier", "law", "newest", "mac"])
@pytest.mark.parametrize("value", ["'text'", "1.5", "-1", "x'ff'"])
async def test_a_head_of_a_foreign_type_is_an_integrity_failure_and_no_error(small: World, column: str, value: str):
    with keeper(small) as connection:
        connection.exec_driver_sql(f"UPDATE access_log_head SET {column} = {value}")  # noqa: S608 - this test's own words
    with pytest.raises(Unavailable, match="integrity"):
        await small.association.refresh()
    assert verified(small)
