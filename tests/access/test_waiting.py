"""What waits for a second person: shown while it does, and the look is an entry."""

import pytest

from tests.access.counter import HOUR, Counter
from vault.access.waiting import waiting
from vault.rulebook.asker import Errand

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def seen(counter: Counter) -> tuple[list[str], list[str]]:
    """The numbers of the orders and the ids of the disclosures that wait."""
    errand = Errand(await counter.world.person("second_officer"), "request-1")
    found = await counter.world.association.run(lambda deed: waiting(deed, errand))
    return [each.number for each in found.orders], [each.id for each in found.disclosures]


async def test_orders_and_disclosures_wait_until_somebody_settles_them(counter: Counter):
    kept = await counter.agreed()
    await counter.recipient("court", kind="authority")
    assert await seen(counter) == ([], [])
    await counter.ordered(kept.record)
    made = []
    for number in ("1", "2"):
        made.append((await counter.ask("officer", "POST", "/orders", counter.order(kept.record, number=number))).json()["id"])
        counter.world.clock.forward(1)
    asked = await counter.requested(kept.record)
    assert await seen(counter) == (["1", "2"], [asked.replace("-", "")])
    last = counter.world.entries()[-1]
    assert (last.kind, last.outcome, last.count) == ("approvals.read", "allow", 3)
    await counter.ask("officer", "POST", f"/orders/{made[0]}/revocation")
    await counter.approve("second_officer", f"/disclosures/{asked}/approval")
    assert await seen(counter) == (["2"], [])
    counter.world.clock.forward(25 * HOUR)
    counter.tokens.clear()
    assert await seen(counter) == ([], [])
