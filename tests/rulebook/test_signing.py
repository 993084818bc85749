"""The key that signs the log is followed by another: both sign for thirty days, and each note is held against the key in force."""

import pytest
from sqlalchemy import delete, insert, select, update

from keys.errors import Unopenable
from keys.notes import Signer, succeeded, verify
from tests.household import findings, read, store
from tests.simulator import World
from vault.access_log import tables as log_tables
from vault.access_log.checkpoint import Checkpoint, NotACheckpoint, opened, origin
from vault.access_log.entry import parse
from vault.access_log.verify import snapshot
from vault.access_log.verify import verify as verified
from vault.errors import Unavailable
from vault.identity.opening import unseal
from vault.rulebook import signing
from vault.rulebook.shapes import SigningKeyFact
from vault.rulebook.signing import OVERLAP, ROTATED
from vault.rulebook.tables import association_key, fact

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 24 * 3600


async def rotated(world: World) -> SigningKeyFact:
    return await world.association.run(lambda deed: signing.rotate(deed, by="staff:00"))


async def grown(world: World) -> str:
    """A checkpoint over one entry more."""
    await store(world, {"full_name": "سارة", "national_id": None, "identity_note": "newborn"})
    world.clock.forward(2)
    return await world.association.checkpoint()


def lines(world: World, *, held: str | None = None) -> list[str]:
    """What `log verify` finds, by keys it reads itself."""
    identifier, cabinet = unseal(world.database, code=world.code, root=world.root, folder=world.folder)
    with snapshot(world.database, identifier) as connection:
        outside = world.association.outside.read()
        return verified(connection, identifier, world.code, cabinet.signer.vkey_at, outside, held=held).lines()


async def test_both_keys_sign_for_thirty_days_and_then_the_new_one_alone(vault: World):
    await store(vault)
    vault.clock.forward(2)
    before, old = await vault.association.checkpoint(), vault.association.cabinet.signer.vkey
    made = await rotated(vault)
    assert made.vkey != old
    note = await grown(vault)
    assert verify(note, old) == verify(note, made.vkey)
    assert vault.association.cabinet.signer.vkey == made.vkey
    vault.clock.forward(30 * DAY)
    late = await grown(vault)
    assert verify(late, made.vkey)
    with pytest.raises(Unopenable):
        verify(late, old)
    for held in (before, note, late):
        assert lines(vault, held=held) == []
    assert findings(vault) == []
    through = vault.reopen()
    assert through.cabinet.signer.vkeys == (old, made.vkey)
    through.log.close()


async def test_the_log_itself_names_the_new_key_and_the_old_one_says_who_follows(vault: World):
    old = vault.association.cabinet.signer.vkey
    made = await rotated(vault)
    (entry,) = [one for one in vault.entries() if one.kind == ROTATED]
    assert [(one.kind, one.key) for one in entry.facts] == [("signing_key", made.vkey)]
    assert succeeded(made.succession, old) == (made.vkey, made.first_size)
    body = select(log_tables.entry.c.body).where(
        log_tables.entry.c.association_id == vault.association.id, log_tables.entry.c.number == made.first_size - 1
    )
    with vault.database.connect() as connection:
        assert parse(bytes(connection.execute(body).scalar_one())).entry == entry


async def test_another_process_signs_nothing_beyond_without_the_new_key(vault: World):
    other = vault.reopen()
    made = await rotated(vault)
    vault.clock.forward(2)
    assert verify(await other.checkpoint(), made.vkey)
    assert other.cabinet.signer.vkey == made.vkey
    other.log.close()


async def test_a_checkpoint_beyond_by_the_old_key_alone_is_none(vault: World):
    """Whoever got hold of the old key makes no history with it: neither at start, nor for who verifies."""
    old = vault.association.cabinet.signer
    vkey = old.vkey
    await rotated(vault)
    standing = opened(await grown(vault), vault.association.cabinet.signer.vkey_at, vault.code)
    thief = unseal_first(vault)
    forged = thief.sign(Checkpoint(standing.origin, standing.size, standing.root).text())
    assert opened(forged, vkey, vault.code).size == standing.size
    with pytest.raises(NotACheckpoint):
        opened(forged, vault.association.cabinet.signer.vkey_at, vault.code)
    assert lines(vault, held=forged) == ["the checkpoint in the file given is not signed by the log's key"]
    vault.association.outside.path.write_text(forged)
    with pytest.raises(Unavailable) as told:
        vault.reopen()
    assert told.value.code == "checkpoint-unreadable"


def unseal_first(world: World) -> Signer:
    """The old key as a thief holds it."""
    keys = world.association.cabinet.keys
    with world.database.connect() as connection:
        wrapped = connection.execute(
            select(association_key.c.wrapped).where(
                association_key.c.association_id == world.association.id, association_key.c.name == "signing"
            )
        ).scalar_one()
    return Signer(origin(world.code), keys.named("signing", bytes(wrapped)))


async def test_a_third_key_follows_and_all_notes_stay_good(vault: World):
    held = [await grown(vault)]
    for _ in range(3):
        await rotated(vault)
        held.append(await grown(vault))
        vault.clock.forward(31 * DAY)
        held.append(await grown(vault))
    assert len(vault.association.cabinet.signer.vkeys) == 4
    for each in held:
        assert lines(vault, held=each) == []


async def test_a_rotation_that_was_not_committed_leaves_the_key_that_is(vault: World):
    signer = vault.association.cabinet.signer
    old = signer.vkey

    def fails(deed: object) -> None:
        signing.rotate(deed, by="staff:00")  # type: ignore[arg-type]
        signing.settle(deed.transaction.connection, vault.association.cabinet, vault.association.id, vault.clock.now)  # type: ignore[attr-defined]
        assert signer.vkey != old
        raise Unavailable("busy")

    with pytest.raises(Unavailable):
        await vault.association.run(fails)
    assert verify(await grown(vault), old)
    assert signer.vkeys == (old,)
    assert lines(vault) == []


@pytest.mark.parametrize("gone", ["key", "fact", "both", "another's", "planted"])
async def test_keys_and_facts_that_differ_open_nothing(small: World, gone: str):
    await rotated(small)
    await grown(small)
    own = small.association.id
    keys, place = association_key, fact.c.kind == "signing_key"
    with small.database.connect() as connection, connection.begin():
        if gone in {"key", "both"}:
            connection.execute(delete(keys).where(keys.c.association_id == own, keys.c.name == "signing-2"))
        if gone in {"fact", "both"}:
            connection.execute(delete(fact).where(place))
        if gone == "another's":
            connection.execute(
                update(keys).where(keys.c.name == "signing-2").values(wrapped=small.association.cabinet.keys.new_named("signing-2"))
            )
        if gone == "planted":
            wrapped = small.association.cabinet.keys.new_named("signing-3")
            connection.execute(insert(keys).values(association_id=own, name="signing-3", wrapped=wrapped))
    for opens in (small.reopen, lambda: lines(small)):
        with pytest.raises(Unavailable) as told:
            opens()
        assert told.value.code == "integrity"
    with pytest.raises(Unavailable):
        await grown(small)


async def test_a_value_is_given_out_under_either_key(vault: World):
    kept = await store(vault)
    await rotated(vault)
    assert await read(vault, kept.record, "intake", ("mobile",)) == {"mobile": "+966551234567"}
    assert OVERLAP == 30 * DAY * 1_000_000
