"""Units share a commit, fail alone, and are answered after it."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import insert

from tests.conftest import OWN_PATIENCE
from tests.storage.deeds import ASSOCIATION, Ledger, Queue, Refusal, deed, queue, waits, writes
from vault.errors import Conflict, NotFound, Unavailable, VaultError
from vault.storage import group_commit

pytestmark = pytest.mark.asyncio


async def under_way(queued: Queue, number: int = 0) -> tuple[threading.Event, asyncio.Task[int]]:
    """A first unit that holds the thread until its event is set."""
    reached, go = threading.Event(), threading.Event()
    first = asyncio.create_task(queued.commit.run(waits(reached, go, number)))
    await asyncio.to_thread(reached.wait, 10)
    return go, first


async def test_a_unit_is_answered_with_its_result_and_its_row_stands(queued: Queue):
    assert await queued.commit.run(writes(1)) == 1
    assert queued.words() == ["word 1"]
    assert queued.story == ["close ['word 1']", "commit seen"]


async def test_alone_each_unit_has_a_transaction_of_its_own(queued: Queue):
    for number in range(5):
        await queued.commit.run(writes(number))
    assert (queued.commit.batches, queued.commit.units) == (5, 5)


async def test_what_arrives_while_a_batch_runs_goes_in_the_next_one_together(queued: Queue):
    go, first = await under_way(queued)
    rest = [asyncio.create_task(queued.commit.run(writes(number))) for number in range(1, 51)]
    await asyncio.sleep(0.05)
    go.set()
    assert await asyncio.gather(first, *rest) == list(range(51))
    assert (queued.commit.batches, queued.commit.units) == (2, 51)
    assert len(queued.words()) == 51


async def test_a_batch_is_bounded_by_weight_and_a_heavy_unit_still_runs(queued: Queue):
    go, first = await under_way(queued)
    weights = [300, 300, 212, 1, 5000]
    rest = [asyncio.create_task(queued.commit.run(writes(number), weight=weight)) for number, weight in enumerate(weights, 1)]
    await asyncio.sleep(0.05)
    go.set()
    await asyncio.gather(first, *rest)
    # 300 | 300 + 212 | 1 | 5000, after the first one
    assert queued.commit.batches == 5


async def test_a_refused_unit_is_undone_alone_and_its_refusal_stays(queued: Queue):
    def refused(ledger: Ledger) -> None:
        ledger.write(7, "must not stay")
        raise Refusal

    go, first = await under_way(queued)
    others = [asyncio.create_task(queued.commit.run(unit)) for unit in (writes(1), refused, writes(2))]
    await asyncio.sleep(0.05)
    go.set()
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert answers[0:2] + answers[3:] == [0, 1, 2]
    assert isinstance(answers[2], Refusal)
    assert queued.words() == ["word 0", "word 1", "word 2", "no-consent"]
    assert queued.commit.batches == 2
    assert queued.story[2:] == ["close ['word 1', 'no-consent', 'word 2']", "commit seen"]


@pytest.mark.parametrize("error", [NotFound(), Conflict("idempotency-mismatch"), KeyError("a defect"), StopIteration()])
async def test_what_a_unit_raises_reaches_its_caller_alone(queued: Queue, error: Exception):
    def fails(ledger: Ledger) -> None:
        ledger.write(7, "must not stay")
        raise error

    go, first = await under_way(queued)
    others = [asyncio.create_task(queued.commit.run(unit)) for unit in (fails, writes(2))]
    await asyncio.sleep(0.05)
    go.set()
    failed, good = await asyncio.gather(*others, return_exceptions=True)
    assert isinstance(failed, RuntimeError if isinstance(error, StopIteration) else type(error))
    assert (await first, good) == (0, 2)
    assert queued.words() == ["word 0", "word 2"]


async def test_a_row_in_the_way_is_an_integrity_refusal_for_its_unit_alone(queued: Queue):
    await queued.commit.run(writes(1))
    go, first = await under_way(queued)
    others = [asyncio.create_task(queued.commit.run(unit)) for unit in (writes(1, "again"), writes(2))]
    await asyncio.sleep(0.05)
    go.set()
    failed, good = await asyncio.gather(*others, return_exceptions=True)
    assert isinstance(failed, Unavailable)
    assert failed.code == "integrity"
    assert (await first, good) == (0, 2)
    assert queued.words() == ["word 0", "word 1", "word 2"]


async def test_the_answer_waits_for_the_commit(queued: Queue, monkeypatch: pytest.MonkeyPatch):
    dialect = queued.database.engine.dialect
    commit, reached, go = dialect.do_commit, threading.Event(), threading.Event()
    await queued.commit.run(writes(1))

    def slow(connection: Any) -> None:
        reached.set()
        assert go.wait(10)
        commit(connection)
        queued.story.append("committed")

    monkeypatch.setattr(dialect, "do_commit", slow)
    queued.story.clear()
    waiting = asyncio.create_task(queued.commit.run(writes(2)))
    await asyncio.to_thread(reached.wait, 10)
    await asyncio.sleep(0.05)
    assert not waiting.done()
    assert queued.story == ["close ['word 2']"]
    go.set()
    assert await waiting == 2
    assert queued.story == ["close ['word 2']", "committed", "commit seen"]


class Doubled:
    """A set of units that writes each number and answers with its double; it tells when it is asked what."""

    def __init__(self, story: list[str], answers: int | None = None) -> None:
        self.story, self.answers = story, answers

    def decide(self, session: Ledger, arguments: Sequence[int]) -> list[int | VaultError]:
        self.story.append(f"decide {list(arguments)}")
        return [NotFound() if number < 0 else session.write(number, f"word {number}") for number in arguments]

    def release(self, decided: Sequence[int | VaultError]) -> list[int | VaultError]:
        self.story.append("release")
        return [one if isinstance(one, VaultError) else one * 2 for one in decided][: self.answers]


async def test_a_set_is_decided_in_one_go_and_released_after_the_commit(queued: Queue):
    units = Doubled(queued.story)
    go, first = await under_way(queued)
    asked = [asyncio.create_task(queued.commit.run_in(units, number)) for number in (3, -1, 4)]
    await asyncio.sleep(0.05)
    go.set()
    await first
    three, lost, four = await asyncio.gather(*asked, return_exceptions=True)
    assert (three, four) == (6, 8)
    assert isinstance(lost, NotFound)
    assert queued.story[2:] == ["decide [3, -1, 4]", "close ['word 3', 'word 4']", "commit seen", "release"]


async def test_a_release_that_answers_too_few_leaves_nobody_waiting(queued: Queue):
    with pytest.raises(ValueError, match="zip"):
        await asyncio.wait_for(queued.commit.run_in(Doubled([], answers=0), 3), 10)
    assert await queued.commit.run(writes(4)) == 4


async def test_a_set_that_fails_takes_its_batch_with_it(queued: Queue):
    class Broken(Doubled):
        def decide(self, session: Ledger, arguments: Sequence[int]) -> list[int | VaultError]:
            session.write(9, "must not stay")
            raise KeyError("a defect")

    go, first = await under_way(queued)
    both = [asyncio.create_task(queued.commit.run_in(Broken([]), 1)), asyncio.create_task(queued.commit.run(writes(2)))]
    await asyncio.sleep(0.05)
    go.set()
    await first
    assert [type(answer) for answer in await asyncio.gather(*both, return_exceptions=True)] == [KeyError, KeyError]
    assert queued.words() == ["word 0"]
    assert await queued.commit.run(writes(3)) == 3


async def test_who_stops_waiting_in_the_queue_takes_the_unit_back(queued: Queue):
    go, first = await under_way(queued)
    queuing = asyncio.create_task(queued.commit.run(writes(1)))
    await asyncio.sleep(0.05)
    queuing.cancel()
    go.set()
    await first
    assert await queued.commit.run(writes(2)) == 2
    assert queued.words() == ["word 0", "word 2"]


async def test_who_stops_waiting_for_a_unit_under_way_stops_nothing(queued: Queue):
    go, first = await under_way(queued)
    first.cancel()
    await asyncio.sleep(0)
    go.set()
    assert await queued.commit.run(writes(2)) == 2
    assert queued.words() == ["word 0", "word 2"]


async def test_beyond_the_longest_queue_the_answer_is_busy(queued: Queue, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(group_commit, "MOST_WAITING", 3)
    go, first = await under_way(queued)
    waiting = [asyncio.create_task(queued.commit.run(writes(number))) for number in (1, 2, 3)]
    await asyncio.sleep(0.05)
    with pytest.raises(Unavailable) as refused:
        await queued.commit.run(writes(4))
    assert refused.value.code == "busy"
    go.set()
    assert await asyncio.gather(first, *waiting) == [0, 1, 2, 3]


async def test_what_waited_too_long_is_busy_and_did_nothing(queued: Queue, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(group_commit, "LOOK_SECONDS", 60)  # a commit that takes its time here is not what is asked
    go, first = await under_way(queued)
    waiting = asyncio.create_task(queued.commit.run(writes(1)))
    await asyncio.sleep(0.3)
    # Who comes when others have waited too long is told at once, though the thread still hangs.
    for attempt in (queued.commit.run(writes(2)), waiting):
        if attempt is waiting:
            go.set()
        with pytest.raises(Unavailable) as refused:
            await attempt
        assert refused.value.code == "busy"
    assert await first == 0
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", OWN_PATIENCE)
    assert await queued.commit.run(writes(3)) == 3
    assert queued.words() == ["word 0", "word 3"]


async def test_while_the_disk_hangs_all_are_answered_and_afterwards_all_goes_on(queued: Queue, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(group_commit, "LOOK_SECONDS", 0.05)
    stuck, free, close = threading.Event(), threading.Event(), Ledger.close

    def hangs(ledger: Ledger) -> None:
        stuck.set()
        free.wait(10)
        close(ledger)

    monkeypatch.setattr(Ledger, "close", hangs)
    first = asyncio.create_task(queued.commit.run(writes(1)))
    await asyncio.to_thread(stuck.wait, 10)
    behind = asyncio.create_task(queued.commit.run(writes(2)))
    for task, code in ((first, "log-unavailable"), (behind, "busy")):
        with pytest.raises(Unavailable) as refused:
            await asyncio.wait_for(task, 5)
        assert refused.value.code == code
    assert not free.is_set()
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", OWN_PATIENCE)
    free.set()
    monkeypatch.setattr(Ledger, "close", close)
    for _ in range(500):
        try:
            assert await queued.commit.run(writes(3)) == 3
            break
        except Unavailable:  # what waited behind is not yet taken out of the queue
            await asyncio.sleep(0.01)
    # What was under way came to be, what waited behind it did not.
    assert queued.words() == ["word 1", "word 3"]


async def test_a_unit_that_takes_its_time_is_not_taken_for_a_disk_that_hangs(queued: Queue, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(group_commit, "LOOK_SECONDS", 0.02)
    go, first = await under_way(queued)
    await asyncio.sleep(0.3)
    assert not first.done()
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", OWN_PATIENCE)  # the commit that follows may take longer on a busy machine
    go.set()
    assert await first == 0


async def test_a_connection_is_readied_once_and_never_used_half_ready(queued: Queue):
    calls: list[int] = []

    def prepare(_connection: Any) -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise OSError("not yet")

    queued.commit._prepare = prepare
    with pytest.raises(Unavailable):
        await queued.commit.run(writes(1))
    for number in (2, 3):
        await queued.commit.run(writes(number))
    assert calls == [0, 1]
    assert queued.words() == ["word 2", "word 3"]


async def test_a_transaction_the_engine_took_back_unseen_is_not_answered_as_committed(queued: Queue):
    class Swallows(Doubled):
        def decide(self, session: Ledger, arguments: Sequence[int]) -> list[int | VaultError]:
            session.transaction.connection.execute(insert(deed).values(association_id=ASSOCIATION, number=5, word="gone"))
            if session.transaction.connection.dialect.name == "sqlite":
                session.transaction.driver.execute("ROLLBACK")
            else:
                with pytest.raises(Exception, match="nothing"):
                    session.transaction.driver.execute("SELECT * FROM nothing")
            return list(arguments)

    with pytest.raises(Unavailable) as refused:
        await queued.commit.run_in(Swallows([]), 1)
    assert refused.value.code == "log-unavailable"
    assert queued.words() == []
    assert await queued.commit.run(writes(1)) == 1


async def test_after_the_thread_ended_the_answer_is_unavailable(tmp_path):
    with queue(f"sqlite:///{tmp_path / 'deeds.sqlite3'}") as queued:
        go, first = await under_way(queued)
        second = asyncio.create_task(queued.commit.run(writes(1)))
        await asyncio.sleep(0.05)
        ended = asyncio.create_task(asyncio.to_thread(queued.executor.shutdown))
        await asyncio.sleep(0.05)
        go.set()
        await ended
        assert await first == 0
        for attempt in (second, queued.commit.run(writes(2))):
            with pytest.raises(Unavailable) as refused:
                await asyncio.wait_for(attempt, 10)
            assert refused.value.code == "log-unavailable"
        queued.commit._drop()
        queued.commit.close = lambda: None  # type: ignore[method-assign]
