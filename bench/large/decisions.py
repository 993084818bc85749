"""What a decision costs over HTTP for people with 10, 1,000 and 100,000 events, and 500 in a batch against 60 alone, in one run.

Every call takes the whole way, route to commit, in a vault in a file; the calls of the sides alternate and all sides are printed. Ends
with 1 where the longer history costs more than the gate allows, or a batch of 500 as much as 60 single ones. Other numbers of events can
be given as arguments.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.household import asked, errand, grant, store
from tests.simulator import World, world
from vault.access.api import routes
from vault.access_log.deed import Deed
from vault.policy.events import Given, Stopped
from vault.policy.facts import INTERNAL, SELF, Grant, Stop
from vault.rulebook.asker import Errand
from vault.subjects import people
from vault.subjects.sheet import happened
from vault.web.call import write_id

SIZES = (10, 1_000, 100_000)
GATE = 1.5
ROUNDS = 150
BATCH, ALONE, BATCHES = 500, 60, 5
IN_A_DEED = 500
FIELDS = ["full_name", "mobile"]
PURPOSES = ("sms_offers", "email_offers", "internal_research")


@dataclass(frozen=True, slots=True)
class Desk:
    """A system that asks: each call comes some seconds after the one before, so that no limit is met."""

    vault: World
    http: httpx.AsyncClient

    async def ask(self, path: str, body: Any) -> float:  # noqa: ANN401 - JSON
        """Seconds until the answer; every decision in it is a permit."""
        self.vault.clock.forward(600)
        headers = {"Authorization": f"Bearer {self.vault.ceremony.api_key}"}
        begun = time.perf_counter()
        answer = await self.http.post(path, json=body, headers=headers)
        seconds = time.perf_counter() - begun
        told = answer.json()
        if answer.status_code != 200 or any(one.get("decision") != "permit" for one in told.get("results", [told])):
            raise SystemExit(f"{path}: {answer.status_code} {answer.text[:300]}")
        return seconds


def question(record: bytes) -> dict[str, Any]:
    """What is asked of everybody."""
    return {"record": write_id(record), "action": "use", "purpose": "service_delivery", "recipient": "INTERNAL", "fields": FIELDS}


def happen(deed: Deed, job: Errand, subject: bytes, first: int, last: int) -> None:
    """These events of a person, by their numbers: each her own change with its entry; what is given is taken back in turn."""
    known = people.of_subject(deed, subject)
    for number in range(first, last):
        purpose, at = PURPOSES[number // 2 % len(PURPOSES)], deed.now
        event: Given | Stopped = Stopped(purpose, INTERNAL, Stop("withdraw", at, at))
        if number % 2 == 0:
            event = Given(purpose, INTERNAL, Grant(f"{number:032x}", "electronic", frozenset({"mobile"}), "n:1", SELF, at, at, at))
        told = job.entry(kind="consent.granted" if number % 2 == 0 else "consent.withdrawn", outcome="allow", purpose=purpose)
        known, _ = people.change(deed, known, [happened(event, at=at, by="client:00")], told)


async def somebody(vault: World, events: int) -> bytes:
    """The record of a person who consents to service delivery and to whom as many things happened."""
    kept = await store(vault)
    await grant(vault, kept.record, await asked(vault, fields=frozenset(FIELDS)))
    job = await errand(vault)
    for first in range(2, events, IN_A_DEED):  # stored and agreed to: two already
        last = min(first + IN_A_DEED, events)
        vault.clock.forward(1)
        await vault.association.run(partial(happen, job=job, subject=kept.subject, first=first, last=last))
    known = await vault.association.run(lambda deed: people.of_subject(deed, kept.subject))
    if known.version != events:
        raise SystemExit(f"{known.version} events, not {events}")
    return kept.record


async def by_events(desk: Desk, sizes: tuple[int, ...]) -> bool:
    """Whether a decision costs the same for each of these people."""
    records = {size: await somebody(desk.vault, size) for size in sizes}
    sides: dict[int, list[float]] = {size: [] for size in sizes}
    for number in range(ROUNDS + 10):
        for size, record in records.items():
            seconds = await desk.ask("/v1/decisions", question(record))
            if number >= 10:
                sides[size].append(seconds)
    least = statistics.median(sides[min(sizes)])
    good = True
    for size, each in sides.items():
        middle = statistics.median(each)
        good &= middle <= GATE * least
        print(f"{size:>9,} events: a decision {middle * 1e3:6.2f} ms, ratio {middle / least:.2f} (gate {GATE})")
    return good


async def by_batch(desk: Desk) -> bool:
    """Whether 500 in a batch cost less than 60 alone."""
    records = [await somebody(desk.vault, 2) for _ in range(20)]
    items = [question(records[number % len(records)]) for number in range(BATCH)]
    together, alone = [], []
    for _ in range(BATCHES):
        together.append(await desk.ask("/v1/decisions/batch", {"items": items}))
        alone.append(sum([await desk.ask("/v1/decisions", item) for item in items[:ALONE]]))
    one, other = statistics.median(together), statistics.median(alone)
    print(f"{BATCH} in a batch {one * 1e3:7.1f} ms, {ALONE} alone {other * 1e3:7.1f} ms, ratio {one / other:.2f} (gate below 1)")
    return one < other


async def measure(vault: World, sizes: tuple[int, ...]) -> bool:
    """Both, in one vault."""
    async with vault.front(*routes()) as http:
        desk = Desk(vault, http)
        batch = await by_batch(desk)
        return await by_events(desk, sizes) and batch


def main(sizes: tuple[int, ...]) -> int:
    """Measure; 1 where a gate is missed."""
    with tempfile.TemporaryDirectory(prefix="amanah-bench-") as name:
        folder = Path(name)
        with world(f"sqlite:///{folder / 'bench.sqlite3'}", folder) as vault:
            return int(not asyncio.run(measure(vault, sizes)))


if __name__ == "__main__":
    sys.exit(main(tuple(int(size) for size in sys.argv[1:]) or SIZES))
