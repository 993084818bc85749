"""A copy put back into either engine: what was closed since stays closed, who is there is found, the log goes on and verifies."""

import uuid
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from sqlalchemy import select

from keys import epochs
from keys.tokens import new_api_key
from tests.access.desk import Desk
from tests.access.erasures import erased, found, verified
from tests.backup.rescue import Rescue
from tests.household import FATIMA, grant, lay_down, read, store, withdraw
from tests.simulator import NETWORK, World
from vault.access_log.checkpoint import opened, origin_of
from vault.access_log.entry import Entry
from vault.access_log.restored import Beginning, beginnings
from vault.access_log.verify import snapshot, verify
from vault.errors import Conflict, Refused, Unauthenticated, Unavailable
from vault.identity.names import name_hash
from vault.identity.pack_change import written
from vault.policy import pack as packs
from vault.policy.facts import INTERNAL
from vault.reclosing import reclose
from vault.rulebook import facts
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import CLIENT, STAFF, ClientFact
from vault.storage.engine import enter
from vault.subjects import tables as subjects

pytestmark = pytest.mark.asyncio(loop_scope="function")
OTHERS = {**FATIMA, "full_name": "نورة بنت سعد القحطاني", "national_id": "1000000016", "mobile": "0551234568"}


async def client(world: World) -> str:
    """A second API client's key."""
    key = new_api_key(world.code)
    fact = ClientFact(
        id="c1" * 16,
        name="second",
        party=INTERNAL,
        kind="batch",
        scopes=("records:read",),
        purposes=("service_delivery",),
        secret_hash=world.association.cabinet.pepper.hash("key", key.secret).hex(),
    )
    await written_down(world, CLIENT, key.id, fact)
    return key.text


async def written_down(world: World, kind: Kind[Any], key: str, value: Any) -> None:
    """Write a fact where no system of the ceremony stands any more."""
    told = Entry(kind=f"{kind.name}.written", outcome="allow", actor="system")
    await world.association.run(
        lambda deed: deed.append(replaced(told, facts=(facts.write(deed, kind, key, value),)), changes_law=True),
    )


async def third(world: World) -> str:
    """One more officer, who signs in with what the first has; her id."""
    book = await world.association.refresh()
    officer = book.staff[book.staff_by_name[name_hash(world.association.cabinet, "officer", world.code)]]
    id_ = "d3" * 16
    await lay_down(world, STAFF, id_, replace(officer, id=id_, name_hash=name_hash(world.association.cabinet, "third", world.code)))
    return id_


async def sign_in(world: World) -> str:
    """Her session's token. Raises Unauthenticated."""
    account = world.ceremony.staff["officer"]
    code = world.one_time_code("third", account.totp_secret)
    return (await world.identity.sessions.sign_in(f"third@{world.code}", account.password, code, network=NETWORK)).token


async def post(http: httpx.AsyncClient, token: str, path: str) -> int:
    answer = await http.post(f"/v1{path}", json={}, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


async def test_attack_38_what_was_closed_after_the_copy_was_made_stays_closed(rescue: Rescue, empty: str):
    world = rescue.world
    kept = await store(world)
    consent = await grant(world, kept.record)
    gone, stays = await store(world, OTHERS), await store(world, {**OTHERS, "national_id": "1000000024"})
    for one in (gone, stays):
        await grant(world, one.record)
    second = await client(world)
    ends = await third(world)
    session = await sign_in(world)
    copy = rescue.take()
    assert await world.knock(second)
    await withdraw(world, consent.id)
    async with Desk.over(world) as desk:
        await erased(desk, gone.record)
        admin = await world.session("admin")
        assert await post(desk.http, admin, f"/clients/{uuid.UUID('c1' * 16)}/revocation") in {200, 204}
        assert await post(desk.http, admin, f"/staff/{uuid.UUID(ends)}/end") in {200, 204}
    world.clock.forward(2)
    await world.association.checkpoint()
    home = rescue.home()
    done = rescue.restore(empty, home, copy)
    assert (done.epoch, done.complete, done.unopened) == (2, True, 0)
    with rescue.opened(empty, home) as after:
        assert reclose(after.association, world.clock) == 0, "all is closed before the door opens"
        with pytest.raises(Refused, match="consent-withdrawn"):
            await read(after, kept.record)
        with after.database.connect() as connection, connection.begin():
            enter(connection, after.association.id)
            assert set(connection.execute(select(subjects.record.c.record)).scalars()) == {kept.record, stays.record}
        assert await read(after, stays.record)
        for key in (second, session):
            assert await after.knock(key) is None
        with pytest.raises(Unauthenticated):
            await sign_in(after)
        async with Desk.over(after) as desk:
            assert (await desk.read(gone.record)).status_code == 404
            assert await found(desk, value=OTHERS["national_id"]) == []
            assert len(await found(desk, purpose="service_delivery", value="1000000024")) == 1
        assert await verified(after) == []


async def test_what_a_change_of_pack_shut_after_the_copy_was_made_stays_shut_until_two_people_lay_it_down(rescue: Rescue, empty: str):
    world = rescue.world
    kept = await store(world)
    await grant(world, kept.record)
    copy = rescue.take()
    strict = packs.shipped("cooperative").own.replace('version = "2026.1"', 'version = "2026.2"', 1)
    strict = strict.replace(
        'action = "use"\nforms = ["written", "electronic"]\narticle = "6.1"', 'action = "use"\nforms = ["written"]\narticle = "6.1"'
    )
    told = await world.identity.packs.propose(await world.person("admin"), written(strict))
    officer = await world.person("officer")
    await world.identity.packs.approve(officer, bytes.fromhex(told.proposal.id), world.one_time_code("officer"))
    with pytest.raises(Refused, match="evidence-insufficient"):
        await read(world, kept.record)
    world.clock.forward(2)
    await world.association.checkpoint()
    home = rescue.home()
    assert rescue.restore(empty, home, copy).complete
    with rescue.opened(empty, home) as after:
        assert reclose(after.association, world.clock) == 0, "all is closed before the door opens"
        book = await after.association.book()
        assert (book.association.pack_version, book.purposes["service_delivery"].classes) == ("2026.1", ())
        with pytest.raises(Refused, match="fields-not-covered"):
            await read(after, kept.record)
        again = await after.identity.packs.propose(await after.person("admin"), written(strict))
        approver = await after.person("officer")
        await after.identity.packs.approve(approver, bytes.fromhex(again.proposal.id), after.one_time_code("officer"))
        with pytest.raises(Refused, match="evidence-insufficient"):
            await read(after, kept.record)


async def test_the_log_goes_on_as_the_next_epoch_and_its_first_entry_quotes_both_heads(rescue: Rescue, empty: str):
    world = rescue.world
    await store(world)
    copy = rescue.take()
    await store(world, OTHERS)
    world.clock.forward(2)
    note = await world.association.checkpoint()
    newest, home = opened(note, world.association.cabinet.signer.vkey, world.code), rescue.home()
    assert newest.size > copy.manifest.head.size
    rescue.restore(empty, home, copy)
    with rescue.opened(empty, home) as after:
        first = after.entries()[copy.manifest.head.size]
        assert (first.kind, first.actor, first.outcome) == ("log.restored", "system", "allow")
        said = copy.manifest.head
        assert first.flags == (
            "epoch:2",
            f"copy:amanah/probe/1:{said.size}:{said.root.hex()}",
            f"outside:amanah/probe/1:{newest.size}:{newest.root.hex()}",
            "journal:whole",
        )
        vkey = after.association.cabinet.signer.vkey
        assert origin_of(vkey) == "amanah/probe/2"
        assert opened(after.association.outside.read(), vkey, after.code).origin == "amanah/probe/2"
        outside = after.association.outside.read()
        with snapshot(after.database, after.association.id) as connection:
            told = verify(connection, after.association.id, after.code, vkey, outside, held=note).lines()
            early = (copy.folder / "checkpoint").read_text()
            assert verify(connection, after.association.id, after.code, vkey, outside, held=early).lines() == []
            assert len(verify(connection, after.association.id, after.code, vkey, early)) == 1, "what lies outside is of this epoch"
        size = copy.manifest.head.size
        lost = f"the entries {size} to {newest.size - 1} of that history are lost"
        put_back = f"the log was put back from a copy of {size} and goes on as epoch 2, as entry {size} says: {lost}"
        assert told == [f"the checkpoint in the file given, amanah/probe/1, covers {newest.size} entries; {put_back}"]


async def test_a_restored_vault_is_copied_and_restored_again_with_one_journal(small_rescue: Rescue, tmp_path: Path):
    world = small_rescue.world
    kept = await store(world)
    consent = await grant(world, kept.record)
    first = small_rescue.take()
    await withdraw(world, consent.id)
    world.clock.forward(2)
    await world.association.checkpoint()
    home, url = small_rescue.home(), f"sqlite:///{tmp_path / 'second.sqlite3'}"
    assert small_rescue.restore(url, home, first).closed == 1
    with small_rescue.opened(url, home) as second:
        again = Rescue(second, tmp_path / "again")
        second.clock.forward(1)
        anew = await grant(second, kept.record)
        copy = again.take()
        assert await read(second, kept.record)
        await withdraw(second, anew.id)
        second.clock.forward(2)
        await second.association.checkpoint()
        place, address = again.home(), f"sqlite:///{tmp_path / 'third.sqlite3'}"
        done = again.restore(address, place, copy)
        assert (done.epoch, done.complete, done.closed) == (3, True, 1), "what the first restore closed was opened by consent since"
        with again.opened(address, place) as third_life:
            with pytest.raises(Refused, match="consent-withdrawn"):
                await read(third_life, kept.record)
            assert await verified(third_life) == []
            assert [one.epoch for one in beginnings_of(third_life)] == [2, 3]
    # The copy of the first life, put back after all that: no epoch is ever named twice.
    last = again.home()
    done = small_rescue.restore(
        f"sqlite:///{tmp_path / 'fourth.sqlite3'}", last, first, checkpoints=[place / "checkpoint"], without_journal=True
    )
    assert (done.epoch, done.complete) == (4, False)


def beginnings_of(world: World) -> list[Beginning]:
    with snapshot(world.database, world.association.id) as connection:
        return beginnings(connection, world.association.id)


async def test_a_copy_goes_into_no_database_that_has_the_association(small_rescue: Rescue, tmp_path: Path):
    copy, home, url = small_rescue.take(), small_rescue.home(), f"sqlite:///{tmp_path / 'twice.sqlite3'}"
    small_rescue.restore(url, home, copy)
    with pytest.raises(Conflict, match="restore-not-empty"):
        small_rescue.restore(url, home, copy)
    # A marker of another restore makes nothing of it this one's.
    (home / "restoring").write_text('{"backup": "00"}')
    with pytest.raises(Conflict, match="restore-not-empty"):
        small_rescue.restore(url, home, copy)


async def test_attack_36_newer_keys_open_nothing_of_who_was_erased_since_even_without_the_journal(rescue: Rescue, empty: str):
    world = rescue.world
    gone, stays = await store(world), await store(world, OTHERS)
    for one in (gone, stays):
        await grant(world, one.record)
    older = rescue.take()
    async with Desk.over(world) as desk:
        await erased(desk, gone.record)
    newer = rescue.take()
    home = rescue.home("epochs")
    done = rescue.restore(empty, home, older, keys=newer, without_journal=True)
    assert (done.complete, done.unopened) == (False, 1)
    with rescue.opened(empty, home) as after:
        key = await client(after)
        async with Desk.over(after) as desk:
            for one, status in ((gone, 503), (stays, 200)):
                path = f"/v1/records/{uuid.UUID(bytes=one.record)}"
                assert (await desk.get(path, key, purpose="service_delivery", fields="full_name")).status_code == status


async def test_attack_38_older_keys_bring_nobody_back_whom_the_journal_says_was_erased(rescue: Rescue, empty: str):
    world = rescue.world
    gone = await store(world)
    older = rescue.take()
    copy = rescue.take()
    async with Desk.over(world) as desk:
        await erased(desk, gone.record)
    world.clock.forward(2)
    await world.association.checkpoint()
    home = rescue.home()
    done = rescue.restore(empty, home, copy, keys=older)
    assert done.complete
    with rescue.opened(empty, home) as after:
        async with Desk.over(after) as desk:
            assert (await desk.read(gone.record)).status_code == 404
            assert await found(desk) == []


async def test_attack_37_keys_older_than_a_retirement_open_nothing(small_rescue: Rescue, tmp_path: Path):
    world, url = small_rescue.world, f"sqlite:///{tmp_path / 'late.sqlite3'}"
    copy = small_rescue.take()
    home = small_rescue.home()
    epochs.rotate(home / "epochs", world.association.id, world.root, world.clock.now)
    epochs.retire(home / "epochs", world.association.id, world.root, 2)
    with pytest.raises(Unavailable, match="sealed"):
        small_rescue.restore(url, home, copy, without_journal=True)
    (home / "epochs").unlink()
    with pytest.raises(Unavailable, match="epochs-missing"):
        small_rescue.restore(url, home, copy, without_journal=True)
