"""A scan leaves through the door against its own entry, once, and a confided reason is not told to who may not hear it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.access.test_door import deed_of
from tests.household import asked, errand, grant, store, written
from tests.simulator import World
from vault.access import scans
from vault.access.door import give_out_scan
from vault.access_log.entry import About, Entry
from vault.attachments import scans as scans_room
from vault.attachments.receiving import receive
from vault.attachments.tables import chunk, evidence
from vault.errors import NotFound, Refused, Unavailable
from vault.policy.events import Locked
from vault.rulebook.asker import Errand
from vault.storage.engine import enter
from vault.subjects import people
from vault.subjects import tables as subject_tables
from vault.subjects.sheet import happened
from vault.web.call import write_id

pytestmark = pytest.mark.asyncio(loop_scope="function")
FORM = b"%PDF-1.7 signed"


async def pieces() -> AsyncIterator[bytes]:
    yield FORM


async def proven(world: World) -> tuple[bytes, bytes]:
    """A person whose written consent rests on a scan: her id and the scan's."""
    kept = await store(world)
    scan = (await receive(await errand(world), pieces(), most=1000, key=None)).id
    paper = {**written("second_officer@probe", world.clock.now), "scan": write_id(scan)}
    await grant(world, kept.record, await asked(world, form="written", evidence=paper))
    return kept.subject, scan


def sealed_chunks(world: World, scan: bytes) -> list[bytes]:
    """The rows of a scan's chunks, in order."""
    with world.database.connect() as connection, connection.begin():
        enter(connection, world.association.id)
        count = connection.execute(select(func.count()).select_from(chunk).where(chunk.c.evidence == scan)).scalar_one()
        return scans_room.chunks(connection, world.association.id, scan, range(count)) or []


async def content(shown: scans.Shown) -> bytes:
    """Every piece of what is shown."""
    return b"".join([piece async for piece in shown.pieces])


async def officer(world: World) -> Errand:
    return Errand(await world.person("officer"), "see")


async def test_no_byte_leaves_before_the_commit_and_once_after_it(small: World):
    _, scan = await proven(small)
    job = await officer(small)
    with deed_of(small) as deed:
        decided = scans.decide(deed, job, scan)
        assert decided.sealed is not None
        with pytest.raises(Unavailable, match="log-unavailable"):
            give_out_scan(decided.standing.appended, decided.sealed)
        deed.close()
    deed.commit_seen()
    opener = give_out_scan(decided.standing.appended, decided.sealed)
    assert opener.open(0, sealed_chunks(small, scan)[0]) == FORM
    with pytest.raises(Unavailable, match="integrity"):
        give_out_scan(decided.standing.appended, decided.sealed)
    assert await content(await scans.show(job, scan)) == FORM


async def test_the_entry_of_one_scan_opens_no_other(small: World):
    _, scan = await proven(small)
    _, other = await proven(small)
    job = await officer(small)
    with deed_of(small) as deed:
        one, two = scans.decide(deed, job, scan), scans.decide(deed, job, other)
        deed.close()
    deed.commit_seen()
    assert two.sealed is not None
    with pytest.raises(Unavailable, match=r"^integrity$"):
        give_out_scan(one.standing.appended, two.sealed)


@pytest.mark.parametrize(
    "change",
    [
        {"evidence": None},
        {"consents": ()},
        {"purpose": None},
        {"basis": "none"},
        {"basis": None},
        {"about": ()},
        {"fields": ("full_name",)},
        {"evidence": "no id"},
    ],
)
async def test_an_entry_that_does_not_say_what_it_shows_is_not_taken(small: World, change: dict[str, Any]):
    told = Entry(
        kind=scans.KIND,
        outcome="allow",
        actor="staff:1",
        about=(About(bytes(16), bytes(16)),),
        purpose="p",
        basis="law",
        consents=("c",),
        evidence="ab" * 16,
    )
    with deed_of(small) as deed:
        assert deed.append(told).opens
        assert deed.append(replace(told, outcome="refuse")).opens == []
        with pytest.raises(ValueError):
            deed.append(replace(told, **change))


async def test_a_confided_reason_is_told_to_who_may_hear_it_alone(small: World):
    subject, scan = await proven(small)
    job = await officer(small)

    def lock(deed: Any) -> None:
        event = happened(Locked(deed.now), at=deed.now, by="x")
        people.change(deed, people.of_subject(deed, subject), [event], job.entry(kind="erasure.locked", outcome="allow"))

    await small.association.run(lock)
    with pytest.raises(Refused, match="erasure-pending"):
        await scans.show(job, scan)
    deaf = replace(job.asker, asker=replace(job.asker.asker, sees_reasons=False))  # type: ignore[type-var]
    with pytest.raises(Refused, match="not-permitted") as refused:
        await scans.show(Errand(deaf, "see"), scan)
    assert refused.value.leaf_hash
    assert [one.reason for one in small.entries() if one.kind == scans.KIND] == ["ERASURE_PENDING"] * 2


async def test_what_is_nobodys_is_not_found_and_what_was_made_somebodys_is_an_alarm(small: World):
    subject, scan = await proven(small)
    uncited = (await receive(await errand(small), pieces(), most=1000, key=None)).id
    job = await officer(small)
    for nothing in (uncited, bytes(16)):
        with pytest.raises(NotFound):
            await scans.show(job, nothing)
    hers = await small.association.run(lambda deed: deed.cabinet.keys.hand_over(uncited, subject, 64, _wrapped(deed, uncited)))
    with small.database.connect() as connection, connection.begin():
        connection.execute(evidence.update().where(evidence.c.evidence == uncited).values(subject=subject, wrapped=hers))
    with pytest.raises(Unavailable, match="integrity"):
        await scans.show(job, uncited)
    with small.database.connect() as connection, connection.begin():
        connection.execute(subject_tables.sheet.delete())
    with pytest.raises(Unavailable, match="integrity"):
        await scans.show(job, scan)


def _wrapped(deed: Any, scan: bytes) -> bytes:
    rows = deed.transaction.connection.execute(evidence.select().where(evidence.c.evidence == scan))
    return bytes(rows.one().wrapped)
