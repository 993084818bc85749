"""Past recipients are told over real TLS; who is slow, down, redirecting or hostile keeps nobody but itself from being told."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from tests.access.conftest import counter as counter_fixture
from tests.access.counter import Counter
from tests.access.desk import rows_of
from tests.access.test_recalls import recalls
from tests.household import lay_down, store
from tests.household import withdraw as take_back
from tests.roof.receivers import Authority, authority, drips, hangs_up, receiving, says
from vault.access import outbox
from vault.access.recall_note import read
from vault.access.tables import recall_outbox
from vault.app import House
from vault.errors import Unavailable
from vault.recalling import Recaller
from vault.rulebook.shapes import RECIPIENT
from vault.settings import Settings, SettingsRefused
from vault.webhooks import Wire, trust

pytestmark = pytest.mark.asyncio(loop_scope="function")
counter = counter_fixture
OK = says("HTTP/1.1 200 OK")


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return authority(tmp_path / "ca")


@asynccontextmanager
async def recalling(counter: Counter, ours: Authority, patience: float = 5.0) -> AsyncIterator[Recaller]:
    wire = Wire(trust(str(ours.file)), private_targets=True, patience=patience)
    made = Recaller(counter.world.association, wire)
    try:
        yield made
    finally:
        await made.close()
        wire.close()


async def given(counter: Counter, *recipients: str) -> list[bytes]:
    """Somebody who agreed that each of these was given her data, which each fetched: her consents."""
    world, made = counter.world, []
    kept = await store(world)
    for code in recipients:
        await counter.recipient(code)
        world.clock.forward(1)
        made.append(await counter.shared(kept.record, code))
        assert (await counter.package(await counter.approved(kept.record, recipient=code))).status_code == 200
    world.clock.forward(1)
    return made


async def hooked(counter: Counter, code: str, port: int) -> None:
    found = (await counter.world.association.refresh()).recipients[code]
    fact = msgspec.structs.replace(found, webhook=f"https://localhost:{port}/hook")
    await lay_down(counter.world, RECIPIENT, code, fact)


async def test_a_recipient_is_told_once_and_can_check_who_told_it(counter: Counter, ours: Authority):
    (consent,) = await given(counter, "partner")
    world = counter.world
    async with receiving(OK, ours.context) as receiver, recalling(counter, ours) as recaller:
        await hooked(counter, "partner", receiver.port)
        await take_back(world, consent)
        for _ in range(3):
            await recaller.round()
            await recaller.settle()
        (body,) = receiver.bodies
        message = read(body, world.association.cabinet.signer.vkey, "partner", world.clock.now // 1_000_000)
    (one,) = recalls(world)
    assert (message.recall.hex, message.what, message.record.hex) == (one.id, "withdrawal", one.record)
    assert one.told_at is not None
    assert rows_of(world, recall_outbox) == []


async def test_who_is_slow_down_redirecting_or_hostile_keeps_nobody_else_waiting(counter: Counter, ours: Authority):
    bad = {"slow": drips, "away": says("HTTP/1.1 307 Elsewhere", "Location: https://localhost/"), "rude": hangs_up}
    consents = await given(counter, "partner", "down", *bad)
    world = counter.world
    async with receiving(OK, ours.context) as gone:
        pass
    async with (
        recalling(counter, ours, patience=1.5) as recaller,
        receiving(OK, ours.context) as receiver,
        receiving(bad["slow"], ours.context) as slow,
        receiving(bad["away"], ours.context) as away,
        receiving(bad["rude"], ours.context) as rude,
    ):
        for code, place in {"partner": receiver, "slow": slow, "away": away, "rude": rude, "down": gone}.items():
            await hooked(counter, code, place.port)
        for consent in consents:
            await take_back(world, consent)
        await recaller.round()
        await asyncio.wait_for(receiver.met.wait(), 30)
        # The slow one is still at it, and the vault answers and writes as ever.
        assert "slow" in recaller._under_way
        await store(world)
        await recaller.settle()
    stands = {one.recipient: one.told_at is not None for one in recalls(world)}
    assert stands == {"partner": True, "slow": False, "away": False, "rude": False, "down": False}
    left = {row["recipient"]: row["attempts"] for row in rows_of(world, recall_outbox)}
    assert left == {"slow": 1, "away": 1, "rude": 1, "down": 1}
    assert all(row["claimed_until"] == 0 and row["due"] > world.clock.now for row in rows_of(world, recall_outbox))
    assert away.calls == 1, "no redirection was followed"


async def test_what_was_in_hand_when_a_process_died_is_told_by_another(counter: Counter, ours: Authority):
    (consent,) = await given(counter, "partner")
    world = counter.world
    async with receiving(OK, ours.context) as receiver, recalling(counter, ours) as one, recalling(counter, ours) as two:
        await hooked(counter, "partner", receiver.port)
        await take_back(world, consent)
        await one.follower.follow()
        claimed = await world.association.run(partial(_claim, association=world.association))
        assert len(claimed) == 1  # and now that process is gone
        await two.round()
        await two.settle()
        assert receiver.bodies == []
        world.clock.now += outbox.LEASE
        await two.round()
        await two.settle()
        assert len(receiver.bodies) == 1


def _claim(deed, association):
    return outbox.claim(deed, association.books.at(deed), frozenset())


async def test_several_recalls_of_one_recipient_go_one_after_another(counter: Counter, ours: Authority):
    world = counter.world
    consents = []
    await counter.recipient()
    for _ in range(3):
        kept = await store(world)
        world.clock.forward(1)
        consents.append(await counter.shared(kept.record))
        assert (await counter.package(await counter.approved(kept.record))).status_code == 200
    async with receiving(OK, ours.context) as receiver, recalling(counter, ours) as recaller:
        await hooked(counter, "partner", receiver.port)
        world.clock.forward(1)
        for consent in consents:
            await take_back(world, consent)
        await recaller.round()
        await recaller.settle()
        assert len(receiver.bodies) == len(set(receiver.bodies)) == 3


async def test_a_vault_that_cannot_write_leaves_the_lease_to_end_by_itself(
    counter: Counter, ours: Authority, monkeypatch: pytest.MonkeyPatch
):
    (consent,) = await given(counter, "partner")
    world = counter.world

    def broken(_deed, job):
        raise Unavailable

    async with receiving(OK, ours.context) as receiver, recalling(counter, ours) as recaller:
        await hooked(counter, "partner", receiver.port)
        await take_back(world, consent)
        with monkeypatch.context() as patched:
            patched.setattr(outbox, "delivered", broken)
            await recaller.round()
            await recaller.settle()
        assert len(rows_of(world, recall_outbox)) == 1
        world.clock.now += outbox.LEASE
        await recaller.round()
        await recaller.settle()
        assert len(receiver.bodies) == 2, "told twice rather than not at all"
    assert rows_of(world, recall_outbox) == []


async def test_closing_breaks_off_what_is_on_its_way(counter: Counter, ours: Authority):
    (consent,) = await given(counter, "partner")
    async with receiving(drips, ours.context) as receiver, recalling(counter, ours) as recaller:
        await hooked(counter, "partner", receiver.port)
        await take_back(counter.world, consent)
        await recaller.round()
        await asyncio.wait_for(receiver.met.wait(), 30)
        begun = time.monotonic()
        await recaller.close()
        assert time.monotonic() - begun < 2
    assert len(rows_of(counter.world, recall_outbox)) == 1


async def test_the_house_looks_after_every_association_and_says_where_it_cannot(counter: Counter):
    said: list[str] = []
    world = counter.world
    house = House(Settings(), world.database, say=said.append)
    house.recallers["probe"] = Recaller(world.association, house.wire)
    await house.recall()
    assert said == []
    with world.database.connect() as connection, connection.begin():
        connection.execute(update(recall_outbox).values(attempts=1))
        connection.exec_driver_sql(
            "UPDATE access_log_head SET mac = newest" if world.database.is_sqlite else "UPDATE access_log_head SET law = 99"
        )
    await house.recall()
    assert len(said) == 1
    assert said[0].startswith("probe: past recipients could not be looked after (")
    house.wire.close()


async def test_a_file_of_authorities_that_is_none_is_refused_at_start(tmp_path: Path, counter: Counter):
    (tmp_path / "none.pem").write_text("no certificate", encoding="utf-8")
    for name in ("none.pem", "missing.pem"):
        with pytest.raises(SettingsRefused, match="settings-webhook-ca-file"):
            House(Settings(webhook_ca_file=str(tmp_path / name)), counter.world.database)
