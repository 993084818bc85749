"""A scan leaves chunk by chunk: in parts that join to the whole, each an entry, and not one chunk further once its ground has moved."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from keys.chunks import CHUNK
from tests.access.test_scans import content, officer
from tests.consent.test_scans import Desk, altering, code, desk, erased, till
from tests.household import asked, errand, grant, store, written
from tests.simulator import World
from vault.access import scans, scans_api
from vault.access.door import give_out_scan
from vault.access.scans_api import Turns, etag
from vault.access.showing import CHUNKS_AT_ONCE, Showing
from vault.attachments.receiving import receive
from vault.attachments.tables import chunk, evidence
from vault.errors import RangeNotSatisfiable, Stale, Unavailable
from vault.policy.events import Locked
from vault.subjects import people
from vault.subjects.sheet import happened
from vault.web.call import parse_id, write_id
from vault.web.ranges import WHOLE, Part, Wish
from vault.web.streaming import CutShort

__all__ = ["desk", "till"]

pytestmark = pytest.mark.asyncio(loop_scope="function")
LARGE = b"%PDF-1.7 " + hashlib.shake_256(b"a long deed").digest(CHUNK * (CHUNKS_AT_ONCE + 3))


async def pieces(of: bytes) -> AsyncIterator[bytes]:
    yield of


async def proven(world: World, of: bytes = LARGE) -> tuple[bytes, bytes]:
    """A person whose written consent rests on a scan of these bytes: her id and the scan's."""
    kept = await store(world)
    scan = (await receive(await errand(world), pieces(of), most=len(of), key=None)).id
    paper = {**written("second_officer@probe", world.clock.now), "scan": write_id(scan)}
    await grant(world, kept.record, await asked(world, form="written", evidence=paper))
    return kept.subject, scan


async def to_the_end(shown: scans.Shown, given: list[bytes]) -> None:
    """Add every piece that is still given."""
    async for piece in shown.pieces:
        given.append(piece)  # noqa: PERF401 - what was given before it ends is kept


async def lock(world: World, subject: bytes) -> None:
    """Write something about her."""
    job = await officer(world)

    def locked(deed: Any) -> None:
        event = happened(Locked(deed.now), at=deed.now, by="x")
        people.change(deed, people.of_subject(deed, subject), [event], job.entry(kind="erasure.locked", outcome="allow"))

    await world.association.run(locked)


@pytest.mark.parametrize("size", [9, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, len(LARGE)])
async def test_the_whole_and_its_parts_are_the_file_whatever_its_size(small: World, size: int):
    file = LARGE[:size]
    _, scan = await proven(small, file)
    job = await officer(small)
    whole = await scans.show(job, scan)
    assert (whole.type, whole.part) == ("application/pdf", Part(0, size, size, asked=False))
    assert await content(whole) == file
    for first, last in ((0, 0), (size - 1, None), (size // 2, size // 2 + CHUNK), (0, size // 3), (None, 5), (1, None)):
        part = await scans.show(job, scan, Wish(first, last))
        assert await content(part) == file[part.part.first : part.part.end]
        assert part.part.length == len(file[part.part.first : part.part.end])


async def test_every_part_is_an_entry_and_one_beyond_the_end_opens_nothing(small: World):
    _, scan = await proven(small, LARGE[:200_000])
    job = await officer(small)
    for first in (0, 100_000):
        await content(await scans.show(job, scan, Wish(first)))
    with pytest.raises(RangeNotSatisfiable) as refused:
        await scans.show(job, scan, Wish(200_000))
    assert refused.value.size == 200_000
    assert [(one.outcome, one.evidence) for one in small.entries() if one.kind == scans.KIND] == [("allow", scan.hex())] * 3


async def test_no_more_than_a_few_chunks_are_held_and_none_after_the_last(small: World):
    _, scan = await proven(small)
    shown = await scans.show(await officer(small), scan)
    held = []
    async for piece in shown.pieces:
        assert len(piece) <= CHUNK
        held.append(len(shown.pieces._sealed))
    assert max(held) < CHUNKS_AT_ONCE
    assert (held[-1], shown.pieces._opened) == (0, None)


async def test_one_part_does_not_read_on_into_the_next(small: World):
    _, scan = await proven(small)
    shown = await scans.show(await officer(small), scan, Wish(CHUNK, 2 * CHUNK - 1))
    assert len(shown.pieces._sealed) == 0, "the one chunk is opened already and no other was read"
    assert await content(shown) == LARGE[CHUNK : 2 * CHUNK]


async def test_nothing_more_leaves_once_anything_was_written_about_her(small: World):
    subject, scan = await proven(small)
    shown = await scans.show(await officer(small), scan)
    given = [await anext(shown.pieces)]
    await lock(small, subject)
    with pytest.raises(CutShort):
        await to_the_end(shown, given)
    assert b"".join(given) == LARGE[: CHUNK * CHUNKS_AT_ONCE]
    assert small.entries()[-1].kind == "erasure.locked", "what has moved is no alarm"


async def test_a_verdict_that_moved_before_the_first_byte_is_stale(small: World):
    subject, scan = await proven(small)
    job = await officer(small)
    decided = await small.association.run(lambda deed: scans.decide(deed, job, scan))
    assert decided.sealed is not None
    await lock(small, subject)
    opener = give_out_scan(decided.standing.appended, decided.sealed)
    with pytest.raises(Stale):
        await Showing(decided.standing, opener, WHOLE.of(decided.about.size)).ready()


DAMAGE = {
    "a chunk is gone": chunk.delete().where(chunk.c.number == CHUNKS_AT_ONCE + 1),
    "a chunk is another": chunk.update().where(chunk.c.number == CHUNKS_AT_ONCE + 1).values(sealed=bytes(CHUNK + 16)),
}


@pytest.mark.parametrize("case", DAMAGE)
async def test_what_does_not_hold_further_on_stops_the_answer_and_rings(small: World, case: str):
    _, scan = await proven(small)
    with altering(small) as connection:
        connection.execute(DAMAGE[case])
    shown = await scans.show(await officer(small), scan)
    with pytest.raises(CutShort):
        await content(shown)
    assert [one.reason for one in small.entries() if one.kind == "alarm"] == ["INTEGRITY"]


async def test_a_file_of_another_length_than_was_told_does_not_end_well(small: World):
    _, scan = await proven(small, LARGE[:100])
    job = await officer(small)
    decided = await small.association.run(lambda deed: scans.decide(deed, job, scan))
    assert decided.sealed is not None
    opener = give_out_scan(decided.standing.appended, decided.sealed)
    with pytest.raises(Unavailable, match="integrity"):
        await Showing(decided.standing, opener, Part(0, 101, 101)).ready()


async def test_what_is_closed_gives_nothing_more_and_says_so_once(small: World):
    _, scan = await proven(small)
    told: list[None] = []
    shown = await scans.show(await officer(small), scan, done=lambda: told.append(None))
    await anext(shown.pieces)
    await shown.pieces.aclose()
    assert [piece async for piece in shown.pieces] == []
    assert (len(told), len(shown.pieces._sealed)) == (1, 0)


def the_tag(one: Desk, scan: str) -> str:
    return etag(one.world.association.id, parse_id(scan))


async def part(one: Desk, scan: str, **headers: str) -> Any:
    return await one.call("GET", f"/evidence/{scan}", who="officer", headers=headers)


async def test_a_download_that_broke_is_taken_up_where_it_ended(desk: Desk):
    scan = await desk.scan(content=LARGE)
    await desk.grant(scan=scan)
    whole = await part(desk, scan)
    assert (whole.status_code, whole.content, whole.headers["content-length"]) == (200, LARGE, str(len(LARGE)))
    assert (whole.headers["accept-ranges"], whole.headers["etag"]) == ("bytes", the_tag(desk, scan))
    rest = await part(desk, scan, Range="bytes=700000-", **{"If-Range": whole.headers["etag"]})
    assert (rest.status_code, rest.content) == (206, LARGE[700_000:])
    assert rest.headers["content-range"] == f"bytes 700000-{len(LARGE) - 1}/{len(LARGE)}"
    for answer in (whole, rest):
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"] == 'attachment; filename="scan.pdf"'
        assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
    changed = await part(desk, scan, Range="bytes=700000-", **{"If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, LARGE)
    beyond = await part(desk, scan, Range=f"bytes={len(LARGE)}-")
    assert (code(beyond), beyond.headers["content-range"]) == ((416, "range-not-satisfiable"), f"bytes */{len(LARGE)}")
    read = [one.outcome for one in desk.world.entries() if one.kind == scans.KIND]
    assert read == ["allow"] * 4, "each request is an entry"


async def test_the_tag_tells_nothing_of_the_paper_and_a_range_nothing_to_who_may_not_see_it(till: Desk):
    one, two = await till.scan(), await till.scan()
    assert the_tag(till, one) != the_tag(till, two), "the same paper twice is not known again by its tag"
    await till.grant(scan=one)
    for scan in (two, write_id(bytes(16))):
        answer = await part(till, scan, Range="bytes=999999999-", **{"If-Range": the_tag(till, two)})
        assert code(answer) == (404, "not-found")
    answer = await till.call("GET", f"/evidence/{one}", who="admin", headers={"Range": "bytes=999999999-"})
    assert (code(answer), "content-range" in answer.headers) == ((403, "out-of-scope"), False)


async def test_two_ranges_of_one_request_are_refused_before_anything_is_an_entry(till: Desk):
    scan = await till.scan()
    await till.grant(scan=scan)
    token = await till.token("officer")
    headers = [("Authorization", f"Bearer {token}"), ("Range", "bytes=0-1"), ("Range", "bytes=2-3")]
    assert code(await till.http.get(f"/v1/evidence/{scan}", headers=headers)) == (400, "malformed")
    assert [one for one in till.world.entries() if one.kind == scans.KIND] == []


async def test_an_erased_scan_is_gone_for_who_comes_back_for_the_rest(desk: Desk):
    scan = await desk.scan(content=LARGE)
    await desk.grant(scan=scan)
    begun = await scans.show(await officer(desk.world), parse_id(scan))
    await anext(begun.pieces)
    with altering(desk.world) as connection:
        kept = [dict(row._mapping) for row in connection.execute(chunk.select().where(chunk.c.evidence == parse_id(scan)))]
        row = dict(connection.execute(evidence.select().where(evidence.c.evidence == parse_id(scan))).one()._mapping)
    assert (await erased(desk)).status_code == 200
    with altering(desk.world) as connection:  # put back by who keeps the database
        connection.execute(evidence.insert(), [row])
        connection.execute(chunk.insert(), kept)
    with pytest.raises(CutShort):
        await content(begun)
    assert code(await part(desk, scan, Range="bytes=100-")) == (503, "integrity")


async def test_so_many_at_once_and_the_next_is_told_to_come_again(till: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scans_api, "AT_ONCE", 1)
    scan = await till.scan()
    await till.grant(scan=scan)
    turns = Turns()
    back = turns.take()
    with pytest.raises(Unavailable, match="busy"):
        turns.take()
    back()
    back()
    assert turns.taken == 0
    for _ in range(3):  # a turn is given back by who was shown something and by who was refused
        assert (await till.see(scan)).status_code == 200
        assert code(await till.see(write_id(bytes(16)))) == (404, "not-found")


async def test_an_opener_is_of_its_own_file(small: World):
    _, scan = await proven(small, LARGE[:200])
    _, other = await proven(small, LARGE[:300])
    job = await officer(small)
    one = await small.association.run(lambda deed: scans.decide(deed, job, scan))
    assert one.sealed is not None
    opener = give_out_scan(one.standing.appended, one.sealed)
    wrong = Showing(replace(one.standing, scan=other), opener, Part(0, 200, 200))
    with pytest.raises(Unavailable, match="integrity"):
        await wrong.ready()
