"""Classes of a person's data are destroyed alone only where no consent, no order of an authority and no open disclosure needs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, update

from tests.access.counter import Counter, by_law_of_orders, told
from tests.access.desk import put, rows_of, written
from tests.household import asked, electronic, findings, grant, store, withdraw
from tests.simulator import SECOND, World
from vault.access import holding
from vault.access.disclosures import APPROVAL_LASTS, REQUESTED
from vault.access.orders import REGISTERED
from vault.access.tables import order_record
from vault.access_log import tables as log_tables
from vault.errors import Conflict
from vault.policy.facts import Caller
from vault.records import tables as record_tables
from vault.rulebook.tables import fact as fact_rows
from vault.subjects import people
from vault.subjects import tables as subject_tables
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 24 * 3600
HEALTH = ["full_name", "health_note"]
UNDER_ORDER, UNDER_DISCLOSURE = (409, "classes-under-order"), (409, "classes-under-disclosure")


async def ask(counter: Counter, record: bytes, *classes: str) -> httpx.Response:
    """Ask for the erasure of the health class, or of these."""
    body = {"reason": "r", "requested_by": "self", "classes": list(classes or ("health",))}
    return await counter.ask("officer", "POST", f"/records/{written(record)}/erasure", body)


async def settle(counter: Counter, asked: httpx.Response, what: str = "approval") -> httpx.Response:
    """A second officer's word."""
    return await counter.approve("second_officer", f"/erasures/{asked.json()['id']}/{what}")


async def ordered(counter: Counter, record: bytes, **changes: Any) -> str:
    """An order in force for the health note of this record."""
    return await counter.ordered(record, **{"fields": HEALTH, **changes})


async def test_attack_39_of_a_destroyed_class_nothing_opens_again_and_the_others_read_as_before(counter: Counter):
    world = counter.world
    kept = await store(world)
    both = await asked(world, fields=frozenset({"full_name", "mobile"}))
    given = await grant(world, kept.record, both)
    path = f"/records/{written(kept.record)}?purpose=service_delivery&fields=full_name,mobile"
    before = (await counter.ask("key", "GET", path)).json()["fields"]
    assert before["mobile"]
    world.clock.forward(1)
    await withdraw(world, given.id)
    world.clock.forward(1)
    keys, containers = rows_of(world, subject_tables.data_key), rows_of(world, record_tables.container)
    assert (await settle(counter, await ask(counter, kept.record, "contact"))).status_code == 200
    await grant(world, kept.record, replace(both, indicated_at=world.clock.now, evidence=electronic(both.sha256, world.clock.now)))
    after = (await counter.ask("key", "GET", path)).json()["fields"]
    assert after == {**before, "mobile": None}
    assert findings(world) == []
    put(world, subject_tables.data_key, keys)
    assert told(await counter.ask("key", "GET", path)) == (503, "integrity"), "an old key"
    put(world, record_tables.container, containers)
    assert told(await counter.ask("key", "GET", path)) == (503, "integrity"), "and what it sealed"


async def test_a_standing_consent_that_covers_a_field_is_told_first(counter: Counter):
    kept = await store(counter.world)
    given = await grant(counter.world, kept.record, await asked(counter.world, fields=frozenset({"full_name", "mobile"})))
    assert told(await ask(counter, kept.record, "contact")) == (409, "classes-in-use")
    counter.world.clock.forward(1)
    await withdraw(counter.world, given.id)
    assert (await ask(counter, kept.record, "contact")).status_code == 202


async def test_an_order_holds_its_fields_from_its_registration_to_its_end(counter: Counter):
    await counter.recipient("court", kind="authority")
    kept, other = await store(counter.world), await store(counter.world)
    registered = await counter.ask("officer", "POST", "/orders", counter.order(kept.record, fields=HEALTH))
    assert told(await ask(counter, kept.record)) == UNDER_ORDER, "while it awaits approval"
    assert (await counter.approve("second_officer", f"/orders/{registered.json()['id']}/approval")).status_code == 200
    assert told(await ask(counter, kept.record)) == UNDER_ORDER
    assert (await ask(counter, kept.record, "finance")).status_code == 202, "of other fields"
    assert (await ask(counter, other.record)).status_code == 202, "of somebody else"


@pytest.mark.parametrize("how", ["revoked", "run out"])
async def test_an_order_that_has_ended_holds_nothing(small_counter: Counter, how: str):
    await small_counter.recipient("court", kind="authority")
    kept = await store(small_counter.world)
    order = await ordered(small_counter, kept.record)
    if how == "revoked":
        assert (await small_counter.ask("officer", "POST", f"/orders/{order}/revocation")).status_code == 200
    else:
        small_counter.world.clock.forward(DAY)
        small_counter.tokens = {"key": small_counter.tokens["key"]}
    assert (await ask(small_counter, kept.record)).status_code == 202


async def test_an_order_not_yet_in_force_holds_already(small_counter: Counter):
    await small_counter.recipient("court", kind="authority")
    kept = await store(small_counter.world)
    await ordered(small_counter, kept.record, valid_from=write_time(small_counter.world.clock.now + 3600 * SECOND))
    assert told(await ask(small_counter, kept.record)) == UNDER_ORDER


async def test_what_is_to_leave_on_an_order_is_told_as_such(counter: Counter):
    await counter.recipient("court", kind="authority")
    kept = await store(counter.world)
    order = await ordered(counter, kept.record)
    body = by_law_of_orders(order, fields=["full_name"])
    await counter.requested(kept.record, **body)
    assert told(await ask(counter, kept.record)) == UNDER_ORDER, "nothing of the class is to leave"
    id_ = await counter.requested(kept.record, **{**body, "fields": HEALTH})
    assert told(await ask(counter, kept.record)) == UNDER_DISCLOSURE, "it awaits approval"
    assert (await counter.approve("second_officer", f"/disclosures/{id_}/approval")).status_code == 200
    assert told(await ask(counter, kept.record)) == UNDER_DISCLOSURE, "it may be fetched"


async def test_a_disclosure_whose_approval_has_lapsed_or_whose_order_has_ended_is_over(small_counter: Counter):
    await small_counter.recipient("court", kind="authority")
    world, kept = small_counter.world, await store(small_counter.world)
    order = await ordered(small_counter, kept.record, valid_to=write_time(world.clock.now + 30 * DAY * SECOND))
    await small_counter.approved(kept.record, **by_law_of_orders(order, fields=HEALTH))
    world.clock.forward(APPROVAL_LASTS // SECOND)
    small_counter.tokens = {"key": small_counter.tokens["key"]}
    assert told(await ask(small_counter, kept.record)) == UNDER_ORDER
    world.clock.forward(30 * DAY)
    small_counter.tokens = {"key": small_counter.tokens["key"]}
    assert (await ask(small_counter, kept.record)).status_code == 202


async def test_an_order_that_comes_between_request_and_approval_holds(small_counter: Counter):
    await small_counter.recipient("court", kind="authority")
    kept = await store(small_counter.world)
    locked = await ask(small_counter, kept.record)
    await ordered(small_counter, kept.record)
    assert told(await settle(small_counter, locked)) == UNDER_ORDER
    assert (await settle(small_counter, locked, "cancellation")).status_code == 200


async def test_an_order_taken_out_of_the_index_holds_all_the_same(counter: Counter):
    await counter.recipient("court", kind="authority")
    kept = await store(counter.world)
    order = await ordered(counter, kept.record)
    await counter.requested(kept.record, **by_law_of_orders(order, fields=HEALTH))
    with counter.world.database.connect() as connection, connection.begin():
        connection.execute(delete(order_record))
    assert told(await ask(counter, kept.record)) == UNDER_DISCLOSURE


@pytest.mark.parametrize("kind", ["order", "disclosure"])
async def test_a_fact_that_is_gone_destroys_nothing(small_counter: Counter, kind: str):
    await small_counter.recipient("court", kind="authority")
    kept = await store(small_counter.world)
    order = await ordered(small_counter, kept.record)
    await small_counter.requested(kept.record, **by_law_of_orders(order, fields=HEALTH))
    with small_counter.world.database.connect() as connection, connection.begin():
        connection.execute(delete(fact_rows).where(fact_rows.c.kind == kind))
    assert told(await ask(small_counter, kept.record)) == (503, "integrity")


@contextmanager
def rewriting(world: World) -> Iterator[Any]:
    """What a keeper of the database can do who has taken the triggers away."""
    with world.database.connect() as connection, connection.begin():
        for name in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        yield connection


@pytest.mark.parametrize("kind", [REGISTERED, REQUESTED])
async def test_a_line_of_the_log_that_is_none_destroys_nothing(small_counter: Counter, kind: str):
    await small_counter.recipient("court", kind="authority")
    kept = await store(small_counter.world)
    order = await ordered(small_counter, kept.record)
    await small_counter.requested(kept.record, **by_law_of_orders(order, fields=HEALTH))
    with rewriting(small_counter.world) as connection:
        connection.execute(update(log_tables.entry).where(log_tables.entry.c.kind == kind).values(body=b"{}"))
    assert told(await ask(small_counter, kept.record)) == (503, "integrity")


@pytest.mark.parametrize("kind", ["order", "disclosure"])
async def test_a_fact_that_every_row_is_silent_about_destroys_nothing(small_counter: Counter, kind: str):
    await small_counter.recipient("court", kind="authority")
    kept = await store(small_counter.world)
    order = await ordered(small_counter, kept.record)
    await small_counter.requested(kept.record, **by_law_of_orders(order, fields=HEALTH))
    with rewriting(small_counter.world) as connection:
        connection.execute(delete(log_tables.fact).where(log_tables.fact.c.fact_kind == kind))
        connection.execute(delete(fact_rows).where(fact_rows.c.kind == kind))
    assert told(await ask(small_counter, kept.record)) == (503, "integrity")


async def test_who_may_not_hear_of_orders_hears_that_the_classes_are_in_use(small_counter: Counter):
    await small_counter.recipient("court", kind="authority")
    kept = await store(small_counter.world)
    await ordered(small_counter, kept.record)

    def heard_by(caller: Caller) -> str:
        def unit(deed: Any) -> str:
            with pytest.raises(Conflict) as refused:
                holding.require_free(deed, people.of_record(deed, kept.record), ["health_note"], caller)
            return refused.value.code

        return small_counter.world.association.log.run_now(small_counter.world.database, [unit], small_counter.world.clock)[0]

    assert heard_by(Caller()) == "classes-in-use"
    assert heard_by(Caller(may_ask_orders=True)) == heard_by(Caller(sees_reasons=True)) == "classes-under-order"
