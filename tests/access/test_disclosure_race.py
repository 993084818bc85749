"""Releases race withdrawals through two processes' logs over one database: no package is made behind a withdrawal, however they interleave.

As in `test_race`: in a third of the rounds the releases are held in the queue until the withdrawals are committed, in a third they are held
between their verdicts and their commit while the withdrawals wait for the head, and in a third both run free.
"""

import asyncio
import os

import pytest

from tests.access.counter import FIELDS, Counter
from tests.access.test_race import MODES, Second, Tally, second_process, withdraw
from tests.household import asked, errand, grant, none_disclosed_behind_a_withdrawal, store, verify, written
from tests.simulator import World
from vault.access import disclosures, releasing
from vault.access.approving import Approver
from vault.access.disclosures import Moved, Wanted
from vault.errors import Unavailable
from vault.identity.callers import Caller
from vault.rulebook.asker import Errand

pytestmark = [pytest.mark.asyncio(loop_scope="function"), pytest.mark.slow]
# A thousand by `make soak`; enough here to meet every mode often.
TRIALS = int(os.environ.get("AMANAH_TRIALS", "240"))
AT_ONCE = 20


async def approved(world: World, officer: Caller, second: Caller) -> tuple[bytes, bytes]:
    """Somebody who agreed in writing to sharing, and an approved disclosure of her data: its id and the consent's."""
    kept = await store(world)
    paper = {"form": "written", "evidence": written("second_officer@probe", world.clock.now)}
    given = await grant(world, kept.record, await asked(world, "partner_sharing", recipient="partner", fields=frozenset(FIELDS), **paper))
    await verify(world, given.id, officer)
    wanted = Wanted(basis="consent", order=None, recipient="partner", records=(kept.record,), fields=FIELDS, purpose="partner_sharing")
    job, approver = Errand(officer, "ask"), Approver(second, "approve", None, world.identity.factor)
    made = await world.association.run(lambda deed: disclosures.request(deed, job, wanted, None))
    id_ = bytes.fromhex(made.id)
    await world.association.run(lambda deed: disclosures.approve(deed, approver, id_))
    return id_, given.id


async def release(second: Second, disclosure: bytes, tally: Tally, withdrawn: asyncio.Event) -> None:
    """One package fetched; counted as across where it began before the withdrawal's commit and finished after it."""
    tally.begun += 1
    before = not withdrawn.is_set()
    try:
        outcome = await second.association.run(lambda deed: releasing.release(deed, second.job, disclosure))
        if isinstance(outcome, Moved):
            tally.refused += 1
        else:
            assert [values.keys() for values in outcome.values()] == [set(FIELDS)]
            tally.allowed += 1
    except Unavailable:
        tally.put_off += 1
    tally.finished += 1
    tally.across += before and withdrawn.is_set()


async def a_round(world: World, second: Second, people: tuple[Caller, Caller], mode: str, tally: Tally) -> None:
    """Twenty people at once: one release and one withdrawal for each."""
    job = await errand(world)
    made = await asyncio.gather(*(approved(world, *people) for _ in range(AT_ONCE)))
    world.clock.forward(1)
    ended = [asyncio.Event() for _ in made]
    second.closing.clear()
    if mode != MODES[2]:
        second.go_on.clear()
    if mode == MODES[0]:
        second.executor.submit(second.go_on.wait, 10)
    releases = [asyncio.ensure_future(release(second, id_, tally, event)) for (id_, _), event in zip(made, ended, strict=True)]
    await asyncio.sleep(0)
    if mode == MODES[1]:
        assert await asyncio.to_thread(second.closing.wait, 10)
    withdrawals = [asyncio.ensure_future(withdraw(world, job, consent, event)) for (_, consent), event in zip(made, ended, strict=True)]
    if mode == MODES[0]:
        await asyncio.gather(*withdrawals)
    elif mode == MODES[1]:
        await asyncio.sleep(0.02)  # the withdrawals are at the head by now
        assert not any(event.is_set() for event in ended)
    second.go_on.set()
    await asyncio.gather(*withdrawals, *releases)


async def test_no_package_is_released_behind_a_withdrawal_whichever_process_it_went_through(counter: Counter):
    world, tally = counter.world, Tally()
    await counter.recipient()
    officer, approver = await world.person("officer"), await stepped_up(world, "second_officer")
    with second_process(world, officer) as second:
        for number in range(TRIALS // AT_ONCE):
            if number % 8 == 7:
                approver = await stepped_up(world, "second_officer")
            await a_round(world, second, (officer, approver), MODES[number % len(MODES)], tally)
    print(  # noqa: T201 - the counts are asked for
        f"{world.database.url.get_backend_name()}: {tally.begun} releases against as many withdrawals: {tally.across} begun before "
        f"and finished after the withdrawal's commit; {tally.allowed} released, {tally.refused} stale, {tally.put_off} put off"
    )
    assert tally.begun == tally.finished == tally.allowed + tally.refused + tally.put_off == TRIALS
    assert tally.across >= TRIALS // 10
    assert min(tally.allowed, tally.refused) > TRIALS // 10
    assert len(none_disclosed_behind_a_withdrawal(world)) == TRIALS


async def stepped_up(world: World, who: str) -> Caller:
    """A person whose session may approve for the next minutes."""
    token = await world.session(who)
    await world.identity.sessions.step_up(await world.knock(token), world.one_time_code(who))
    found: Caller = await world.knock(token)
    return found
