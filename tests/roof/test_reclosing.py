"""Doors the journal closed and the database shows open are closed again before the service opens its own."""

import pytest
from msgspec.structs import replace
from sqlalchemy import select, update

from tests.household import agreement, grant, lay_down, read, store, withdraw
from tests.simulator import World
from vault.access_log import tables as log_tables
from vault.errors import Refused, Unavailable
from vault.policy.facts import key
from vault.reclosing import reclose
from vault.rulebook.shapes import RECIPIENT, RecipientFact
from vault.storage.journal import Closing

pytestmark = pytest.mark.asyncio(loop_scope="function")


def orphan(world: World, *closings: Closing) -> None:
    """Lines whose deeds are not in the database: the process died before the commit, or an older database was put back."""
    world.clock.forward(1)
    world.association.log.journal.append(size(world), world.clock.now, closings)


def size(world: World) -> int:
    with world.database.connect() as connection:
        return int(connection.execute(select(log_tables.head.c.size)).scalar_one())


async def test_a_withdrawal_that_only_the_journal_knows_bites(vault: World):
    kept = await store(vault)
    await grant(vault, kept.record)
    assert await read(vault, kept.record)
    orphan(vault, Closing("withdrawal", kept.subject.hex(), key("service_delivery", "INTERNAL")))
    assert reclose(vault.association, vault.clock) == 1
    with pytest.raises(Refused, match="consent-withdrawn"):
        await read(vault, kept.record)
    last = vault.entries()[-2]
    assert (last.kind, last.actor, last.flags, last.about[0].record) == ("consent.withdrawn", "system", ("from-journal",), kept.record)
    vault.clock.forward(1)
    assert reclose(vault.association, vault.clock) == 0, "what is closed is left alone"


async def test_a_withdrawal_that_is_in_the_log_is_not_told_twice(vault: World):
    kept = await store(vault)
    given = await grant(vault, kept.record)
    vault.clock.forward(1)
    await withdraw(vault, given.id)
    before = size(vault)
    assert reclose(vault.association, vault.clock) == 0
    assert size(vault) == before


async def test_consent_given_anew_after_a_recorded_withdrawal_stands_through_a_start(vault: World):
    kept = await store(vault)
    given = await grant(vault, kept.record)
    vault.clock.forward(1)
    await withdraw(vault, given.id)
    vault.clock.forward(1)
    await grant(vault, kept.record)
    assert reclose(vault.association, vault.clock) == 0
    assert await read(vault, kept.record)


async def test_somebody_who_is_not_in_this_database_needs_no_closing(vault: World):
    orphan(vault, Closing("withdrawal", "ab" * 16, key("service_delivery", "INTERNAL")))
    assert reclose(vault.association, vault.clock) == 0


async def test_credentials_that_only_the_journal_knows_as_ended_open_nothing(vault: World):
    book = await vault.association.refresh()
    [(client_key, client)] = book.clients.items()
    token = await vault.session("officer")
    caller = await vault.knock(token)
    orphan(vault, Closing("client", client.id), Closing("session", caller.session), Closing("staff", caller.id))
    assert reclose(vault.association, vault.clock) == 3
    await vault.association.refresh()
    assert await vault.knock(vault.ceremony.api_key) is None
    assert await vault.knock(token) is None
    again = await vault.association.refresh()
    assert again.clients[client_key].revoked_at is not None
    assert again.staff[caller.id].active is False
    assert reclose(vault.association, vault.clock) == 0


async def test_a_rotated_key_ends_when_the_journal_says(vault: World):
    book = await vault.association.refresh()
    [(client_key, _)] = book.clients.items()
    end = vault.clock.now + 60_000_000
    orphan(vault, Closing("client-key", client_key, str(end)))
    assert reclose(vault.association, vault.clock) == 1
    assert (await vault.association.refresh()).clients[client_key].expires_at == end
    assert reclose(vault.association, vault.clock) == 0


async def test_a_recipient_and_a_key_that_only_the_journal_knows_as_ended_are_closed(vault: World):
    at = vault.clock.now
    for code in ("gone", "changed"):
        party = RecipientFact(code=code, name={}, kind="partner", country="SA", key_type="age", key_public="age1", registered_by="staff:01")
        await lay_down(vault, RECIPIENT, code, replace(party, confirmed_by="staff:02", confirmed_at=at))
    orphan(vault, Closing("recipient", "gone"), Closing("recipient-key", "changed", "ab"), Closing("recipient", "never"))
    assert reclose(vault.association, vault.clock) == 2
    book = await vault.association.refresh()
    assert book.recipients["gone"].revoked_at is not None
    changed = book.recipients["changed"]
    assert (changed.confirmed_by, changed.confirmed_at, changed.hands) == ("", None, ("staff:01",))
    assert reclose(vault.association, vault.clock) == 0
    vault.clock.forward(1)
    await lay_down(vault, RECIPIENT, "changed", replace(changed, confirmed_by="staff:02", confirmed_at=vault.clock.now))
    assert reclose(vault.association, vault.clock) == 0, "what was confirmed anew since stays so"


async def test_an_agreement_that_only_the_journal_knows_as_revoked_is_closed(vault: World):
    made, other = await agreement(vault), await agreement(vault)
    orphan(vault, Closing("agreement", made.id), Closing("agreement", "ab" * 16))
    assert reclose(vault.association, vault.clock) == 1
    book = await vault.association.refresh()
    ended = book.agreements[made.id]
    assert (ended.counts, ended.revoked_by, ended.revoked_at) == (False, "system", vault.clock.now)
    assert book.agreements[other.id].counts
    last = [entry for entry in vault.entries() if entry.kind == "agreement.ended"]
    assert [(entry.actor, entry.flags) for entry in last] == [("system", ("from-journal",))]
    assert reclose(vault.association, vault.clock) == 0


async def test_lines_that_the_checkpoint_outside_covers_need_no_look(vault: World):
    kept = await store(vault)
    given = await grant(vault, kept.record)
    vault.clock.forward(1)
    await withdraw(vault, given.id)
    first = vault.entries()[0]
    for _ in range(1030):
        await vault.association.log.append(first)
    vault.clock.forward(2)
    await vault.association.checkpoint()
    assert reclose(vault.association, vault.clock) == 0


async def test_a_second_sheet_of_the_same_version_is_not_the_one_that_was_written(vault: World):
    """Sealed for a deed that failed, it opens under her own key; the digest in the log tells it apart."""
    kept = await store(vault)
    await grant(vault, kept.record)
    assert await read(vault, kept.record)
    told = log_tables.subject
    with vault.database.connect() as connection, connection.begin():
        # As if the entry of this version had been written with another sheet.
        connection.execute(update(told).where(told.c.subject == kept.subject, told.c.version == 2).values(sheet=bytes(32)))
    with pytest.raises(Unavailable, match="integrity"):
        await read(vault, kept.record)


async def test_an_event_that_was_not_written_is_no_history(vault: World):
    kept = await store(vault)
    given = await grant(vault, kept.record)
    told = log_tables.subject
    with vault.database.connect() as connection, connection.begin():
        connection.execute(update(told).where(told.c.subject == kept.subject, told.c.version == 2).values(event=bytes(32)))
    with pytest.raises(Unavailable, match="integrity"):
        await withdraw(vault, given.id)


async def test_somebody_whose_rows_do_not_hold_keeps_nobody_else_from_being_served(vault: World):
    kept = await store(vault)
    await grant(vault, kept.record)
    orphan(vault, Closing("withdrawal", kept.subject.hex(), key("service_delivery", "INTERNAL")))
    told = log_tables.subject
    with vault.database.connect() as connection, connection.begin():
        connection.execute(update(told).where(told.c.subject == kept.subject, told.c.version == 2).values(sheet=bytes(32)))
    assert reclose(vault.association, vault.clock) == 0
    assert vault.entries()[-1].kind == "alarm"
    with pytest.raises(Unavailable, match="integrity"):
        await read(vault, kept.record)
