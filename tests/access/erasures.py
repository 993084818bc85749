"""Erasures as they are asked for and settled over HTTP, and lines of the journal whose deeds are lost; people are invented."""

from typing import Any

import httpx
import pytest

from tests.access.desk import Desk, written
from tests.household import FATIMA, errand, findings, grant, store
from tests.simulator import World
from vault.access_log.verify import snapshot, verify
from vault.policy.events import Locked
from vault.records.service import Kept
from vault.storage.journal import Closing, Journal
from vault.subjects import people
from vault.subjects.sheet import happened

NUMBER = FATIMA["national_id"]
REASON = "طلبت صاحبة البيانات إتلاف بياناتها كلها"


async def somebody(world: World, **whose: Any) -> Kept:
    """A record whose person agreed to service delivery."""
    kept = await store(world, **whose)
    world.clock.forward(60)
    await grant(world, kept.record)
    return kept


async def ask(desk: Desk, record: bytes, **more: Any) -> httpx.Response:
    body = {"reason": REASON, "requested_by": "self", **more}
    return await desk.post(f"/v1/records/{written(record)}/erasure", body, desk.officer)


async def settle(desk: Desk, erasure: str, what: str = "approval", who: str = "second_officer", **body: Any) -> httpx.Response:
    session = await desk.world.session(who)
    if "code" not in body:
        body["code"] = desk.world.one_time_code(who)
    return await desk.post(f"/v1/erasures/{erasure}/{what}", {key: value for key, value in body.items() if value}, session)


async def erased(desk: Desk, record: bytes, **more: Any) -> dict[str, Any]:
    """Asked for and carried out: the certificate."""
    locked = await ask(desk, record, **more)
    assert (locked.status_code, locked.json()["state"]) == (202, "locked"), locked.text
    answer = await settle(desk, locked.json()["id"])
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def found(desk: Desk, purpose: str = "intake", value: str = NUMBER) -> list[str]:
    body = {"type": "beneficiary", "field": "national_id", "value": value, "purpose": purpose}
    answer = await desk.post("/v1/records/search", body)
    assert answer.status_code == 200, answer.text
    return [match["id"] for match in answer.json()["matches"]]


async def verified(world: World) -> list[str]:
    """What the log's own verification and the examiners find."""
    note = await world.association.checkpoint()
    with snapshot(world.database, world.association.id) as connection:
        tree = verify(connection, world.association.id, world.code, world.association.cabinet.signer.vkey, note, deep=True)
        return [*tree.lines(), *findings(world)]


def orphan(world: World, *closings: Closing) -> None:
    """Lines whose deeds are not in the database."""
    world.clock.forward(1)
    world.association.log.journal.append(len(world.entries()), world.clock.now, closings)


def line(kind: str, subject: bytes, erasure: str, by: str = "staff:" + "1" * 32, **more: str) -> Closing:
    """What the journal says of an erasure that `by` asked for."""
    words = {"erasure": erasure, "by": by, "for": "self", "record": "0" * 32, "at": "1", "settled": "", "classes": "", **more}
    return Closing(kind, subject.hex(), "|".join(words.values()))


def lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next deed that closes a door is lost behind its line in the journal: the process was killed, the disk was full."""
    real = Journal.append

    def append(journal: Journal, *line: Any) -> None:
        real(journal, *line)
        monkeypatch.setattr(Journal, "append", real)
        raise OSError("gone")

    world.clock.forward(1)
    monkeypatch.setattr(Journal, "append", append)


async def unlocked(world: World, kept: Kept) -> None:
    """Take the lock from her sheet, as no call does."""
    job = await errand(world)

    def unlock(deed: Any) -> None:
        known = people.of_subject(deed, kept.subject)
        event = happened(Locked(deed.now, on=False), at=deed.now, by="test")
        people.change(deed, known, [event], job.entry(kind="test", outcome="allow"), record=kept.record)

    await world.association.run(unlock)
