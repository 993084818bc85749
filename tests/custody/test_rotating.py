"""A new epoch: what is new is wrapped under it in every process, and what was there still opens."""

import asyncio
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from keys import epochs
from keys.keyring import epoch_of
from tests.custody.keeper import known, rewrap, rotate
from tests.household import BASIC, FATIMA, errand, grant, read, store
from tests.simulator import World
from vault.attachments import receiving
from vault.attachments.receiving import Arrival
from vault.attachments.tables import evidence
from vault.custody import rewrapping
from vault.custody.retiring import settle
from vault.custody.tables import PLACES
from vault.errors import Unavailable
from vault.identity.opening import open_association
from vault.storage.metadata import metadata
from vault.subjects import tables as subjects

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def somebody(world: World) -> bytes:
    kept = await store(world)
    world.clock.forward(1)
    await grant(world, kept.record)
    return kept.record


def epochs_of(world: World, subject: bytes | None = None) -> set[int]:
    """Under which epochs data keys lie, of one person or of everybody."""
    place = subjects.data_key
    with world.database.connect() as connection:
        rows = connection.execute(select(place.c.wrapped).where(*([place.c.subject == subject] if subject else [])))
        return {epoch_of(row.wrapped) for row in rows}


async def test_what_is_new_is_wrapped_under_the_new_epoch_and_what_was_there_still_opens(vault: World):
    record = await somebody(vault)
    assert rotate(vault) == 2
    later = await store(vault, FATIMA | {"national_id": "1000000016"})
    assert epochs_of(vault, later.subject) == {2}
    assert epochs_of(vault) == {1, 2}
    assert (await read(vault, record))["national_id"] == FATIMA["national_id"]
    entry = vault.entries()[-3]
    told = [(each.kind, each.actor, each.count, each.article, each.flags) for each in vault.entries() if each.kind == "keys.rotated"]
    assert told == [("keys.rotated", "system", 2, "cooperative:7", ("at-the-machine",))], entry
    assert known(vault).newest == 2


async def test_another_process_wraps_under_the_new_epoch_from_its_next_deed_on(vault: World):
    other = vault.reopen()
    try:
        await other.refresh()
        rotate(vault)
        assert other.cabinet.keys.epoch == 1
        await other.refresh()
        assert other.cabinet.keys.epoch == 2
    finally:
        other.log.close()


async def test_a_key_of_an_epoch_this_process_was_not_told_of_opens_all_the_same(vault: World):
    record = await somebody(vault)
    rotate(vault)
    other = vault.reopen()
    try:
        await other.refresh()
        epochs.rotate(vault.folder / "epochs", vault.association.id, vault.root, vault.clock.now)
        vault.association.cabinet.keys.take(epochs.load(vault.folder / "epochs", vault.association.id, vault.root))
        rewrap(vault)
        assert other.cabinet.keys.epoch == 2
        assert set(await read(vault, record, through=other)) == set(BASIC)
        assert other.cabinet.keys.epoch == 3
    finally:
        other.log.close()


async def test_where_the_file_cannot_be_read_when_the_law_moves_nothing_is_wrapped_under_an_old_epoch(small: World):
    other = small.reopen()
    try:
        await other.refresh()
        path = small.folder / "epochs"
        old = path.read_bytes()
        rotate(small)
        new = path.read_bytes()
        path.unlink()
        with pytest.raises(Unavailable, match="sealed"):
            await other.refresh()
        path.write_bytes(new)
        path.chmod(0o600)
        await other.refresh()
        rotate(small)
        path.write_bytes(old)
        with pytest.raises(Unavailable, match="epochs-older"):
            await other.refresh()
    finally:
        other.log.close()


async def test_another_machine_that_was_not_brought_the_file_wraps_nothing(small: World, tmp_path: Path):
    await store(small)
    folder = tmp_path / "elsewhere"
    shutil.copytree(small.folder, folder)
    other = open_association(small.database, code=small.code, root=small.root, folder=folder, executor=small.executor, clock=small.clock)
    try:
        await other.refresh()
        rotate(small)
        with pytest.raises(Unavailable, match="epochs-older"):
            await other.refresh()
        shutil.copy(small.folder / "epochs", folder / "epochs")
        await other.refresh()
        assert other.cabinet.keys.epoch == 2
    finally:
        other.log.close()


async def test_a_key_of_an_unknown_epoch_is_an_integrity_failure_where_the_file_is_gone(small: World):
    record = await somebody(small)
    other = small.reopen()
    try:
        await other.refresh()
        newer = epochs.rotate(small.folder / "epochs", small.association.id, small.root, small.clock.now)
        small.association.cabinet.keys.take(newer)
        rewrap(small)
        (small.folder / "epochs").unlink()
        with pytest.raises(Unavailable, match="integrity"):
            await read(small, record, through=other)
    finally:
        other.log.close()


async def test_a_rotation_whose_entry_was_lost_is_told_of_at_the_next_start(vault: World):
    epochs.rotate(vault.folder / "epochs", vault.association.id, vault.root, vault.clock.now)
    other = vault.reopen()
    try:
        assert settle(other, lambda: vault.root, vault.clock)
        assert known(vault).newest == 2
        last = vault.entries()[-1]
        assert (last.kind, last.count, last.flags) == ("keys.rotated", 2, ("found-at-start",))
        assert not settle(other, lambda: vault.root, vault.clock)
    finally:
        other.log.close()


async def test_a_scan_on_its_way_in_during_a_rotation_lies_under_the_new_epoch(small: World):
    arrival = Arrival(small.association, 10_000)
    arrival.take(b"%PDF-1.7\n")
    rotate(small)
    arrival.end()
    job = await errand(small)
    await small.association.run(lambda deed: receiving.keep(deed, job, arrival, None))
    with small.database.connect() as connection:
        assert epoch_of(connection.execute(select(evidence.c.wrapped)).scalar_one()) == 2


async def test_reads_and_writes_go_on_while_keys_are_rotated_and_rewrapped(vault: World):
    records = [await somebody(vault) for _ in range(6)]

    async def use() -> None:
        for record in records * 3:
            assert await read(vault, record)
            await store(vault)

    async def keep() -> None:
        other = vault.reopen()
        try:
            for _ in range(3):
                await asyncio.to_thread(rotate, vault)
                await asyncio.to_thread(rewrap, vault, other)
        finally:
            other.log.close()

    await asyncio.gather(use(), keep())
    rewrap(vault)
    assert rewrapping.waiting(vault.association) == 0
    assert epochs_of(vault) == {4}


async def test_every_table_with_a_wrapped_key_is_a_place_the_worker_knows():
    assert {place.table.name for place in PLACES} == {table.name for table in metadata.sorted_tables if "wrapped" in table.columns}
