"""What visitors may fill has an end before reports have one, and no withdrawal meets it (promise 10)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.consent.test_visitors import OTHER, VISITOR, Site, code, site_of
from tests.simulator import World
from vault.breach_reports import limits as of_reports
from vault.consent import visitor_limits
from vault.consent.visitor_limits import LEAST_FREE, VisitorLimits
from vault.errors import Unavailable
from vault.rulebook.association import Association

pytestmark = pytest.mark.asyncio(loop_scope="function")


class Disk:
    """A disk that is as full as it is told to be."""

    def __init__(self) -> None:
        self.free = LEAST_FREE

    def __call__(self, _folder: Path) -> int:
        return self.free


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest_asyncio.fixture(loop_scope="function")
async def site(vault: World, disk: Disk) -> AsyncIterator[Site]:
    async for made in site_of(vault, VisitorLimits(disk)):
        yield made


async def test_consents_pause_before_reports_do_and_withdrawals_never(site: Site, disk: Disk):
    record = (await site.store()).json()["id"]
    await site.say()
    disk.free = LEAST_FREE - 1
    assert disk.free > of_reports.LEAST_FREE, "reports go on"
    before = len(site.world.entries())
    assert code(await site.say(OTHER)) == (503, "consents-paused")
    assert code(await site.say("x" * 22, gpc=True)) == (503, "consents-paused"), "nothing of hers opens"
    assert len(site.world.entries()) == before
    site.world.clock.forward(1)
    assert (await site.say(gpc=True)).json()["state"] == "opted-out"
    assert await site.read(record) == (403, "signal-opt-out")
    assert code(await site.say()) == (503, "consents-paused")
    assert (await site.take_back()).status_code == 201
    assert [one.kind for one in site.world.entries() if one.actor == "visitor"][-1] == "consent.withdrawn"
    disk.free = LEAST_FREE
    assert (await site.say(OTHER)).status_code == 201


async def test_new_visitors_have_an_end_in_a_day_and_officers_learn_of_it_once(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(visitor_limits, "MOST_NEW", 2)
    monkeypatch.setattr(visitor_limits, "PER_SECOND", 2 / 86_400)
    for visitor in (VISITOR, OTHER):
        assert (await site.say(visitor)).status_code == 201
    for number in range(3):
        answer = await site.say(f"{number:022d}")
        assert code(answer) == (429, "visitors-full")
        assert int(answer.headers["retry-after"]) > 3600
    alarms = [one for one in site.world.entries() if one.kind == "alarm"]
    assert [(one.reason, one.actor, one.about) for one in alarms] == [("VISITORS_FULL", "visitor", ())]
    site.world.clock.forward(1)
    assert (await site.say(VISITOR, gpc=True)).status_code == 201, "who is known is heard"
    assert (await site.take_back(OTHER)).status_code == 201
    site.world.clock.forward(43_200)
    assert (await site.say("2" * 22)).status_code == 201


async def test_withdrawals_for_nobody_shut_out_no_real_one(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(visitor_limits, "WITHDRAWALS_OF_ALL", ("visitor-withdrawals-of-all", 2, 0.001))
    for visitor in (VISITOR, OTHER, "x" * 22):
        assert (await site.say(visitor)).status_code == 201
    site.world.clock.forward(1)
    for number in range(10):
        assert (await site.take_back(f"{number:022d}")).status_code == 201, "random ids end nothing, and count for nothing"
    assert [(await site.take_back(visitor)).status_code for visitor in (VISITOR, VISITOR, OTHER)] == [201] * 3
    assert code(await site.take_back("x" * 22)) == (429, "too-many-requests"), "what becomes an entry is bounded"
    assert [one.kind for one in site.world.entries()].count("consent.withdrawn") == 2


async def test_where_even_the_alarm_cannot_be_written_the_visitor_is_turned_away_all_the_same(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(visitor_limits, "MOST_NEW", 0)

    def failing(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(visitor_limits, "_tell", failing)
    assert code(await site.say()) == (429, "visitors-full")


async def test_the_real_disk_is_asked(small: World):
    association: Association = small.association
    assert VisitorLimits().room(association).is_short == (VisitorLimits()._free(association.folder) < LEAST_FREE)
