"""Reads race withdrawals through two processes' logs over one database: no `allow` stands behind the withdrawal, however they interleave.

A read has begun once it stands in its process's queue, and has finished with its answer. In a third of the rounds the reads are held in the
queue until the withdrawals are committed, in a third they are held between their facts and their commit while the withdrawals wait for the
head, and in a third both run free.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from tests.household import asked, errand, grant, store
from tests.simulator import World
from vault.access import reading, withdrawals
from vault.access.verdicts import Asked
from vault.access_log.deed import Deed
from vault.errors import Refused, Unavailable
from vault.identity.callers import Caller
from vault.identity.opening import open_association
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association

pytestmark = [pytest.mark.asyncio(loop_scope="function"), pytest.mark.slow]
TRIALS = int(os.environ.get("AMANAH_TRIALS", "480"))  # make soak has a thousand on each engine
AT_ONCE = 20
MODES = ("held in the queue", "held before the commit", "free")


@dataclass(slots=True)
class Tally:
    """What became of the reads."""

    begun: int = 0
    finished: int = 0
    across: int = 0
    allowed: int = 0
    refused: int = 0
    put_off: int = 0


@dataclass(slots=True)
class Second:
    """The association in another process: its reads can be held in the queue, or between facts and commit."""

    association: Association
    executor: ThreadPoolExecutor
    job: Errand
    go_on: threading.Event
    closing: threading.Event


@contextmanager
def second_process(world: World, system: Caller) -> Iterator[Second]:
    """Open the same association once more and stand at the end of its transactions."""
    go_on, closing = threading.Event(), threading.Event()
    go_on.set()

    class Held(Deed):
        """A deed that waits, its facts read and its verdicts made, before it writes and commits them."""

        __slots__ = ()

        def close(self) -> None:
            closing.set()
            assert go_on.wait(10)
            Deed.close(self)

    with ThreadPoolExecutor(1) as executor:
        opened = open_association(
            world.database, code=world.code, root=world.root, folder=world.folder, executor=executor, clock=world.clock
        )
        through = opened.log._commit._begin

        def begin(transaction):
            deed = through(transaction)
            deed.__class__ = Held
            return deed

        opened.log._commit._begin = begin
        try:
            yield Second(opened, executor, Errand(replace(system, association=opened, law=-1), "read"), go_on, closing)
        finally:
            go_on.set()
            opened.log.close()


async def read(second: Second, record: bytes, tally: Tally, withdrawn: asyncio.Event) -> None:
    """One read; counted as across where it began before the withdrawal's commit and finished after it."""
    tally.begun += 1
    before = not withdrawn.is_set()
    try:
        await reading.read(second.job, Asked(record, None, "service_delivery", ("full_name",)))
        tally.allowed += 1
    except Refused:
        tally.refused += 1
    except Unavailable:
        tally.put_off += 1
    tally.finished += 1
    tally.across += before and withdrawn.is_set()


async def withdraw(world: World, job: Errand, consent: bytes, withdrawn: asyncio.Event) -> None:
    """One withdrawal through the first process; told once it is committed."""
    while True:
        try:
            await world.association.run(lambda deed: withdrawals.withdraw(deed, job, consent, "self", None))
            break
        except Unavailable:
            continue  # the second process held the database too long: the client asks again
    withdrawn.set()


async def a_round(world: World, second: Second, job: Errand, mode: str, tally: Tally) -> None:
    """Twenty people at once: one read and one withdrawal for each."""
    consent = await asked(world)
    kept = await asyncio.gather(*(store(world) for _ in range(AT_ONCE)))
    world.clock.forward(1)
    given = await asyncio.gather(*(grant(world, one.record, consent) for one in kept))
    ended = [asyncio.Event() for _ in kept]
    second.closing.clear()
    if mode != MODES[2]:
        second.go_on.clear()
    if mode == MODES[0]:
        second.executor.submit(second.go_on.wait, 10)
    reads = [asyncio.ensure_future(read(second, one.record, tally, event)) for one, event in zip(kept, ended, strict=True)]
    await asyncio.sleep(0)
    if mode == MODES[1]:
        assert await asyncio.to_thread(second.closing.wait, 10)
    withdrawals = [asyncio.ensure_future(withdraw(world, job, one.id, event)) for one, event in zip(given, ended, strict=True)]
    if mode == MODES[0]:
        await asyncio.gather(*withdrawals)
    elif mode == MODES[1]:
        await asyncio.sleep(0.02)  # the withdrawals are at the head by now
        assert not any(event.is_set() for event in ended)
    second.go_on.set()
    await asyncio.gather(*withdrawals, *reads)


async def test_no_read_is_allowed_behind_a_withdrawal_whichever_process_it_went_through(vault: World):
    tally, job = Tally(), await errand(vault)
    with second_process(vault, await vault.system()) as second:
        for number in range(TRIALS // AT_ONCE):
            await a_round(vault, second, job, MODES[number % len(MODES)], tally)
        assert second.association.log.writer != vault.association.log.writer
    print(  # noqa: T201 - the counts are asked for
        f"{vault.database.url.get_backend_name()}: {tally.begun} reads against as many withdrawals: {tally.across} begun before "
        f"and finished after the withdrawal's commit; {tally.allowed} allowed, {tally.refused} refused, {tally.put_off} put off"
    )
    assert tally.begun == tally.finished == tally.allowed + tally.refused + tally.put_off == TRIALS
    assert tally.across >= TRIALS // 10
    assert min(tally.allowed, tally.refused) > TRIALS // 10
    ended: set[bytes] = set()
    for entry in vault.entries():
        for about in entry.about:
            if entry.kind == "consent.withdrawn":
                ended.add(about.subject)
            elif entry.kind == "record.read":
                assert (entry.outcome == "allow") == (about.subject not in ended)
    assert len(ended) == TRIALS
