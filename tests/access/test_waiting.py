"""What waits for a second person: shown while it does, and the look is an entry."""

import pytest

from tests.access.counter import HOUR, Counter
from tests.access.laboratory import AGE, REGION, Laboratory, people, settle
from tests.household import lay_down
from tests.simulator import World
from vault.access.study_shapes import RELEASE, ReleaseFact
from vault.access.waiting import Waiting, waiting
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


async def research_of(world: World) -> tuple[list[str], list[tuple[str, str]]]:
    """The codes of the studies that wait, and study and month of the extracts."""
    errand = Errand(await world.person("second_officer"), "request-1")
    found: Waiting = await world.association.run(lambda deed: waiting(deed, errand))
    assert world.entries()[-1].count == len(found.studies) + len(found.extracts)
    return [each.code for each in found.studies], [(study.code, asked.month) for study, asked in found.extracts]


async def test_studies_and_this_months_extracts_wait_until_somebody_settles_them(vault: World):
    await settle(vault, people((12, {"birth_date": "1990-05-10", "short_address": "RRRD2929"})))
    async with Laboratory.over(vault) as lab:
        assert await research_of(vault) == ([], [])
        await lab.propose("by_age", AGE)
        vault.clock.forward(1)
        made = (await lab.propose("rows", REGION, form="extract")).json()["proposal"]
        assert await research_of(vault) == (["by_age", "rows"], [])
        await lab.approve("officer", "/research/rows/approval", proposal=made)
        await lab.ask("admin", "POST", "/research/by_age/end")
        assert await research_of(vault) == ([], [])
        month = (await lab.ask("officer", "POST", "/research/rows/extract")).json()["month"]
        assert await research_of(vault) == ([], [("rows", month)])
        await lab.ask("second_officer", "POST", f"/research/rows/extract/{month}/rejection")
        assert await research_of(vault) == ([], [])
        await lab.ask("officer", "POST", "/research/rows/extract")
        lost = ReleaseFact(study="rows", month=month, released_by="system", released_at=0, lost=True)
        await lay_down(vault, RELEASE, f"rows:{month}", lost)
        assert await research_of(vault) == ([], []), "a month that was released before a restore is made no more"


async def test_an_extract_waits_in_its_month_and_while_its_study_stands(small: World):
    async with Laboratory.over(small) as lab:
        for code, dimension in (("rows", REGION), ("more", AGE)):
            await lab.laid_down(code, dimension, form="extract")
            await lab.ask("officer", "POST", f"/research/{code}/extract")
            small.clock.forward(1)
        month = (await lab.ask("officer", "POST", "/research/more/extract")).json()["month"]
        assert await research_of(small) == ([], [("rows", month), ("more", month)])
        await lab.ask("admin", "POST", "/research/more/end")
        assert await research_of(small) == ([], [("rows", month)])
    small.clock.forward(31 * 24 * 3600)
    assert await research_of(small) == ([], [])
