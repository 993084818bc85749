"""By SQL, in the rows about third parties: an order, a disclosure or a recipient altered, copied or put back is never a package."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from keys.blobs import seal_blob
from keys.packages import PackageKey, read_package
from keys.secret import Secret
from tests.access.counter import Counter, by_law_of_orders
from tests.access.desk import Row, put, rows_of
from tests.access.test_tampering import told as laid_out
from tests.household import FATIMA, store
from tests.simulator import World
from vault.access.shapes import DISCLOSURE, ORDER
from vault.access.tables import order_record
from vault.examining import examine
from vault.reclosing import reclose
from vault.rulebook.shapes import RECIPIENT
from vault.rulebook.tables import fact
from vault.settings import Settings
from vault.storage.journal import Closing

pytestmark = pytest.mark.asyncio(loop_scope="function")
told = laid_out
COPY = "0" * 32


def of(rows: list[Row], kind: str) -> Row:
    return next(row for row in rows if row["kind"] == kind)


def tamperings(rows: list[Row], before: list[Row], forged: Row) -> Iterator[tuple[str, list[Row]]]:
    """What the database's keeper can do to the facts of third parties."""
    for kind in (ORDER.name, DISCLOSURE.name, RECIPIENT.name):
        row = of(rows, kind)
        rest = [one for one in rows if one is not row]
        yield f"{kind}: altered", [*rest, {**row, "sealed": row["sealed"][:-1] + bytes([row["sealed"][-1] ^ 1])}]
        yield f"{kind}: another version", [*rest, {**row, "version": row["version"] + 1}]
        yield f"{kind}: deleted", rest
        yield f"{kind}: copied", [*rows, {**row, "key": COPY}]
        yield f"{kind}: under another kind", [*rest, {**row, "kind": "order" if kind != "order" else "disclosure"}]
        yield f"{kind}: put back", [*rest, of(before, kind)]
    yield "disclosure: widened by who holds the facts' key", [one for one in rows if one["kind"] != DISCLOSURE.name] + [forged]


async def test_no_package_comes_of_rows_that_somebody_else_wrote(told: tuple[World, Settings]):
    world, settings = told
    async with Counter.over(world) as counter:
        kept = await store(world)
        await counter.recipient("court", kind="authority")
        order = (await counter.ask("officer", "POST", "/orders", counter.order(kept.record))).json()["id"]
        unapproved = of(rows_of(world, fact), ORDER.name)
        await counter.approve("second_officer", f"/orders/{order}/approval")
        id_ = await counter.requested(kept.record, **by_law_of_orders(order))
        before = [unapproved, *(row for row in rows_of(world, fact) if row["kind"] != ORDER.name)]
        await counter.approve("second_officer", f"/disclosures/{id_}/approval")
        await counter.ask("officer", "PUT", "/recipients/court", counter.party("authority", name={"ar": "محكمة", "en": "Court"}))
        await counter.confirm("court")
        await counter.ask("officer", "PUT", "/recipients/court", counter.party("authority"))
        await counter.confirm("court")
        assert (await counter.package(id_)).status_code == 200
        rows, healthy = rows_of(world, fact), examine(settings, world.clock.now)
        assert all("ceremony" in line for line in healthy)
        forged = wider(world, of(rows, DISCLOSURE.name))
        for what, changed in tamperings(rows, before, forged):
            put(world, fact, changed)
            answer = await fresh(counter, str(uuid.UUID(COPY)) if what.endswith("copied") else id_)
            assert answer.status_code == (404 if what == "order: copied" else 503), (what, answer.text)
            new = [line for line in examine(settings, world.clock.now) if line not in healthy]
            assert any(what.partition(":")[0] in line or "rulebook_fact" in line for line in new), (what, new)
            put(world, fact, rows)
        assert (await fresh(counter, id_)).status_code == 200


async def fresh(counter: Counter, id_: str) -> Any:
    """Fetch through a process that knows no book yet."""
    counter.world.association.books.latest = None
    return await counter.package(id_)


def wider(world: World, row: Row) -> Row:
    """The disclosure's row sealed anew with a wider grant, as who has the key of the facts could."""
    place = [b"fact/v1", world.association.id, b"disclosure", row["key"].encode(), str(row["version"]).encode()]
    content = b'{"id":"' + row["key"].encode() + b'","basis":"order","recipient":"court","purpose":"legal_order","granted":[],"refused":[]}'
    return {**row, "sealed": seal_blob(world.association.cabinet.facts, b"\x00".join(place), content)}


async def test_a_key_swapped_by_sql_seals_nothing(told: tuple[World, Settings]):
    world, _ = told
    async with Counter.over(world) as counter:
        kept = await store(world)
        await counter.recipient("court", kind="authority")
        id_ = await counter.approved(kept.record, **by_law_of_orders(await counter.ordered(kept.record)))
        mine, thief = counter.key, PackageKey(Secret.random())
        counter.key = thief
        await counter.recipient("thief")
        counter.key = mine
        rows = rows_of(world, fact)
        stolen = next(row for row in rows if row["key"] == "thief")
        put(world, fact, [row | ({"sealed": stolen["sealed"]} if row["key"] == "court" else {}) for row in rows])
        assert (await fresh(counter, id_)).status_code == 503
        put(world, fact, rows)
        assert read_package((await fresh(counter, id_)).content).manifest.key == mine.fingerprint


async def test_the_doctor_names_what_is_wrong_with_the_index(told: tuple[World, Settings]):
    world, settings = told
    async with Counter.over(world) as counter:
        kept, other = await store(world), await store(world, FATIMA | {"national_id": "1000000016"})
        await counter.recipient("court", kind="authority")
        await counter.ordered(kept.record)
    [row] = rows_of(world, order_record)
    healthy = examine(settings, world.clock.now)

    def new() -> list[str]:
        return [line for line in examine(settings, world.clock.now) if line not in healthy]

    assert new() == []
    put(world, order_record, [])
    assert ["missing" in line and kept.record.hex() in line for line in new()] == [True]
    put(world, order_record, [row, {**row, "record": other.record}])
    assert ["no order says so" in line and other.record.hex() in line for line in new()] == [True]
    put(world, order_record, [{**row, "order_id": bytes(16)}])
    assert len(new()) == 2
    put(world, order_record, [row])
    assert new() == []
    facts = rows_of(world, fact)
    put(world, fact, [one for one in facts if one["kind"] != ORDER.name])
    assert any(line.startswith("probe: rulebook_fact order") for line in new())


async def test_an_order_only_the_journal_knows_as_revoked_is_revoked(counter: Counter):
    kept = await store(counter.world)
    await counter.recipient("court", kind="authority")
    order = await counter.ordered(kept.record)
    id_ = await counter.approved(kept.record, **by_law_of_orders(order))
    reference = order.replace("-", "")
    counter.world.clock.forward(1)
    size = len(counter.world.entries())
    counter.world.association.log.journal.append(size, counter.world.clock.now, [Closing("order", reference), Closing("order", "ab" * 16)])
    assert reclose(counter.world.association, counter.world.clock) == 1
    assert (await counter.package(id_)).json()["code"] == "decision-stale"
    assert counter.world.entries()[size].kind == "order.ended"
    assert reclose(counter.world.association, counter.world.clock) == 0
