"""The paper of an order: sealed as it arrives, the one that was registered, seen by who approves, and shown on an entry alone."""

import hashlib
import uuid
from typing import Any

import pytest
from sqlalchemy import func, select

from keys.chunks import CHUNK
from keys.keyring import epoch_of
from tests.access.counter import MOST_PAPER, Counter, told
from tests.access.desk import put, rows_of, written
from tests.access.test_door import deed_of
from tests.access.test_showing import to_the_end
from tests.backup.rescue import Rescue
from tests.consent.test_scans import altering
from tests.custody.keeper import rewrap, rotate
from tests.household import findings, store
from vault.access import order_scans
from vault.access.door import give_out_scan
from vault.access.scans import Shown
from vault.access.showing import Showing
from vault.access_log.entry import About, Entry
from vault.attachments.tables import chunk, evidence
from vault.errors import Conflict, Stale, Unavailable
from vault.rulebook.asker import Errand
from vault.rulebook.tables import fact
from vault.web.call import parse_id
from vault.web.ranges import WHOLE, Wish
from vault.web.streaming import CutShort

pytestmark = pytest.mark.asyncio(loop_scope="function")

PAPER = b"%PDF-1.7\n" + hashlib.shake_256(b"an order of a court").digest(CHUNK * 19)
SHA256 = hashlib.sha256(PAPER).hexdigest()


async def registered(counter: Counter, **changes: Any) -> tuple[bytes, str]:
    """Somebody whom a registered order of the court names, and the order's id."""
    kept = await store(counter.world)
    if "court" not in (await counter.world.association.refresh()).recipients:
        await counter.recipient("court", kind="authority")
    made = await counter.ask("officer", "POST", "/orders", counter.order(kept.record, document_sha256=SHA256, **changes))
    assert made.status_code == 201, made.text
    return kept.record, str(made.json()["id"])


async def kept_paper(counter: Counter, **changes: Any) -> str:
    """A registered order whose paper was handed in."""
    _, order = await registered(counter, **changes)
    answer = await counter.paper(order, PAPER)
    assert (answer.status_code, answer.json()["sha256"]) == (201, SHA256), answer.text
    return order


async def see(counter: Counter, order: str, who: str = "second_officer", **headers: str) -> Any:
    return await counter.ask(who, "GET", f"/orders/{order}/scan", **headers)


async def officer(counter: Counter) -> Errand:
    return Errand(await counter.world.person("second_officer"), "see")


async def content(shown: Shown) -> bytes:
    return b"".join([piece async for piece in shown.pieces])


def entries(counter: Counter, kind: str) -> list[Entry]:
    return [entry for entry in counter.world.entries() if entry.kind == kind]


async def test_whoever_approves_saw_the_paper_and_each_look_is_an_entry(counter: Counter):
    order = await kept_paper(counter)
    path, id_ = f"/orders/{order}", parse_id(order).hex()
    [stored] = entries(counter, order_scans.STORED)
    assert (stored.order, stored.about, [one.kind for one in stored.facts]) == (id_, (), ["scan", "order"])
    assert (await counter.ask("second_officer", "GET", path)).json()["scan"] is True
    assert told(await counter.approve("second_officer", f"{path}/approval")) == (409, "paper-unseen")
    part = await see(counter, order, Range="bytes=0-99")
    assert (part.status_code, part.content) == (206, PAPER[:100])
    assert told(await counter.approve("second_officer", f"{path}/approval")) == (409, "paper-unseen"), "a part is not the paper"
    whole = await see(counter, order)
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, PAPER, "application/pdf")
    assert whole.headers["content-disposition"] == 'attachment; filename="order.pdf"'
    looks = entries(counter, "order.scan-read")
    assert [(one.outcome, one.order, one.evidence, one.basis, one.article, one.about) for one in looks] == [
        ("allow", id_, stored.evidence, "law", "cooperative:4", ())
    ] * 2
    assert told(await counter.approve("officer", f"{path}/approval")) == (409, "paper-unseen"), "another's look is not hers"
    approved = await counter.approve("second_officer", f"{path}/approval")
    assert (approved.status_code, approved.json()["state"]) == (200, "approved")
    assert findings(counter.world) == []


async def test_who_has_the_paper_before_her_tells_its_digest(counter: Counter):
    order = await kept_paper(counter)
    path = f"/orders/{order}/approval"
    wrong = await counter.approve("second_officer", path, scan_sha256="ab" * 32)
    assert (told(wrong), wrong.json()["errors"]) == (
        (422, "evidence-mismatch"),
        [{"field": "scan_sha256", "code": "evidence-mismatch"}],
    )
    assert told(await counter.approve("officer", path, scan_sha256=SHA256)) == (403, "same-person")
    assert (await counter.approve("second_officer", path, scan_sha256=SHA256.upper())).status_code == 200


async def test_a_digest_is_compared_where_no_paper_is_kept(small_counter: Counter):
    _, order = await registered(small_counter)
    path = f"/orders/{order}/approval"
    assert "scan" not in (await small_counter.ask("officer", "GET", f"/orders/{order}")).json()
    assert told(await small_counter.approve("second_officer", path, scan_sha256="ab" * 32)) == (422, "evidence-mismatch")
    assert (await small_counter.approve("second_officer", path)).status_code == 200
    assert (await small_counter.paper(order, PAPER)).status_code == 201, "the paper of an order that counts is kept as well"
    assert told(await see(small_counter, str(uuid.uuid4()))) == (404, "not-found")


async def test_another_file_than_the_one_registered_is_not_taken_and_leaves_nothing(counter: Counter):
    _, order = await registered(counter)
    for wrong, code in ((PAPER[:-1], "evidence-mismatch"), (b"MZ not a paper", "invalid"), (b"", "invalid")):
        assert told(await counter.paper(order, wrong)) == (422, code)
    assert told(await counter.paper(order, PAPER.ljust(MOST_PAPER + 1))) == (413, "too-large")
    empty = await counter.ask("officer", "POST", f"/orders/{order}/scan")
    assert empty.status_code in {400, 415, 422}, empty.text
    assert (rows_of(counter.world, evidence), rows_of(counter.world, chunk)) == ([], [])
    assert told(await see(counter, order)) == (404, "not-found")


async def test_an_order_has_one_paper_and_a_repeat_gives_the_same(counter: Counter):
    _, order = await registered(counter)
    once = {"Idempotency-Key": uuid.uuid4().hex}
    one, two = [await counter.paper(order, PAPER, **once) for _ in range(2)]
    assert (one.status_code, one.json()) == (201, two.json())
    assert told(await counter.paper(order, PAPER)) == (409, "conflict")
    assert told(await counter.paper(order, PAPER, **{"Idempotency-Key": uuid.uuid4().hex})) == (409, "conflict")
    _, other = await registered(counter, number="46")
    assert told(await counter.paper(other, PAPER, **once)) == (409, "idempotency-mismatch")
    await counter.ask("officer", "POST", f"/orders/{other}/revocation")
    assert told(await counter.paper(other, PAPER)) == (409, "order-revoked")
    assert told(await counter.paper(str(uuid.uuid4()), PAPER)) == (404, "not-found")
    assert len(rows_of(counter.world, evidence)) == 1
    assert len(entries(counter, order_scans.STORED)) == 1


async def test_of_two_who_hand_in_at_once_one_does(small_counter: Counter):
    _, order = await registered(small_counter)

    async def pieces() -> Any:
        yield PAPER[: len(PAPER) // 2]
        assert (await small_counter.paper(order, PAPER)).status_code == 201
        yield PAPER[len(PAPER) // 2 :]

    job = Errand(await small_counter.world.person("officer"), "second")
    with pytest.raises(Conflict):
        await order_scans.hand_in(job, parse_id(order), pieces(), most=MOST_PAPER, key=None)
    assert len(rows_of(small_counter.world, evidence)) == 1


async def test_a_form_without_a_file_hands_nothing_in(small_counter: Counter):
    _, order = await registered(small_counter)
    headers = {"Authorization": f"Bearer {small_counter.tokens['officer']}", "Content-Type": "multipart/form-data; boundary=x"}
    answer = await small_counter.http.post(f"/v1/orders/{order}/scan", content=b"--x--\r\n", headers=headers)
    assert (told(answer), answer.json()["errors"]) == ((422, "invalid"), [{"field": "file", "code": "missing"}])


async def test_a_scan_of_another_order_or_another_use_is_not_the_paper(small_counter: Counter):
    order, other = parse_id(await kept_paper(small_counter)), parse_id(await kept_paper(small_counter))

    def ask(deed: Any) -> None:
        scan = bytes.fromhex(order_scans.orders.of(deed, order).scan)  # type: ignore[attr-defined]
        for holder, which in ((other, scan), (order, bytes(16))):
            with pytest.raises(Unavailable, match="integrity"):
                order_scans._held(deed, holder, which)

    await small_counter.world.association.run(ask)


async def test_nobody_but_an_officer_touches_the_paper(small_counter: Counter):
    order = await kept_paper(small_counter)
    for who in ("key", "admin"):
        assert told(await see(small_counter, order, who)) == (403, "out-of-scope")
        assert told(await small_counter.paper(order, PAPER, who)) == (403, "out-of-scope")
    [paper] = rows_of(small_counter.world, evidence)
    answer = await small_counter.ask("officer", "GET", f"/orders/{uuid.UUID(bytes=paper['evidence'])}/scan")
    assert told(answer) == (404, "not-found")


async def test_no_byte_leaves_before_the_commit_and_once_after_it(small_counter: Counter):
    order, job = parse_id(await kept_paper(small_counter)), await officer(small_counter)
    with deed_of(small_counter.world) as deed:
        decided = order_scans.decide(deed, job, order)
        with pytest.raises(Unavailable, match="log-unavailable"):
            give_out_scan(decided.standing.appended, decided.sealed)
        deed.close()
    deed.commit_seen()
    first = rows_of(small_counter.world, chunk)[0]["sealed"]
    assert give_out_scan(decided.standing.appended, decided.sealed).open(0, first) == PAPER[:CHUNK]
    with pytest.raises(Unavailable, match="integrity"):
        give_out_scan(decided.standing.appended, decided.sealed)


@pytest.mark.parametrize(
    "change", [{"order": None}, {"evidence": None}, {"article": None}, {"basis": "none"}, {"basis": None}, {"fields": ("full_name",)}]
)
async def test_an_entry_that_does_not_say_what_it_shows_is_not_taken(small_counter: Counter, change: dict[str, Any]):
    said: dict[str, Any] = {"kind": "order.scan-read", "outcome": "allow", "actor": "staff:1", "order": "cd" * 16, "evidence": "ab" * 16}
    said |= {"basis": "law", "article": "cooperative:4"}
    with deed_of(small_counter.world) as deed:
        assert deed.append(Entry(**said)).opens
        assert deed.append(Entry(**said, about=(About(bytes(16)),))).opens[0].record == bytes(16)
        with pytest.raises(ValueError):
            deed.append(Entry(**{**said, **change}))


async def test_nothing_more_leaves_once_anything_was_written_about_the_order(counter: Counter):
    order, job = await kept_paper(counter), await officer(counter)
    begun = await order_scans.show(job, parse_id(order), lambda _: WHOLE)
    first = await anext(begun.pieces)
    await counter.ask("officer", "POST", f"/orders/{order}/revocation")
    given = [first]
    with pytest.raises(CutShort):
        await to_the_end(begun, given)
    assert b"".join(given) == PAPER[: CHUNK * 16]
    assert entries(counter, "alarm") == [], "what has moved is no alarm"
    again = await order_scans.show(job, parse_id(order), lambda _: Wish(5))
    assert await content(again) == PAPER[5:], "the paper of a revoked order is there to be read"


async def test_a_look_that_moved_before_the_first_byte_is_stale(small_counter: Counter):
    order, job = await kept_paper(small_counter), await officer(small_counter)
    decided = await small_counter.world.association.run(lambda deed: order_scans.decide(deed, job, parse_id(order)))
    await small_counter.ask("officer", "POST", f"/orders/{order}/revocation")
    opener = give_out_scan(decided.standing.appended, decided.sealed)
    with pytest.raises(Stale):
        await Showing(decided.standing, opener, WHOLE.of(decided.about.size)).ready()


async def test_a_paper_put_in_the_place_of_another_is_an_alarm(counter: Counter):
    order, other = await kept_paper(counter), await kept_paper(counter)
    rows = {row["subject"]: row for row in rows_of(counter.world, evidence)}
    one, two = rows[parse_id(order)], rows[parse_id(other)]
    for lie in (
        [{**one, "subject": two["subject"]}, two],
        [two],
        [{**one, "subject": None}, two],
        [{**one, "wrapped": two["wrapped"]}, two],
    ):
        put(counter.world, evidence, lie)
        assert told(await see(counter, order)) == (503, "integrity")
        assert findings(counter.world)
    assert [entry.reason for entry in entries(counter, "alarm")] == ["INTEGRITY"] * 4
    put(counter.world, evidence, [one, two])
    with altering(counter.world) as connection:
        connection.execute(chunk.update().where(chunk.c.evidence == one["evidence"], chunk.c.number == 17).values(sealed=bytes(CHUNK + 16)))
    begun = await order_scans.show(await officer(counter), parse_id(order), lambda _: WHOLE)
    with pytest.raises(CutShort):
        await content(begun)
    assert [line for line in findings(counter.world) if "header and chunks" in line]
    assert (await see(counter, other)).status_code == 200


async def test_a_look_put_back_by_the_keeper_of_the_database_approves_nothing(small_counter: Counter):
    order = await kept_paper(small_counter)
    await see(small_counter, order)
    put(small_counter.world, fact, [row for row in rows_of(small_counter.world, fact) if row["kind"] != "order_paper_seen"])
    assert told(await small_counter.approve("second_officer", f"/orders/{order}/approval")) == (503, "integrity")


async def test_an_erasure_leaves_the_paper_and_a_secret_order_is_in_no_report_of_the_person(counter: Counter):
    record, order = await registered(counter, secret=True)
    assert (await counter.paper(order, PAPER)).status_code == 201
    await see(counter, order)
    report = await counter.ask("officer", "GET", f"/records/{written(record)}/access-report?reader=person")
    assert [item["kind"] for item in report.json()["items"] if item["kind"].startswith("order.")] == []
    counter.world.clock.forward(1)
    await counter.ask("officer", "POST", f"/orders/{order}/revocation")
    asked = await counter.ask("officer", "POST", f"/records/{written(record)}/erasure", {"reason": "طلبها", "requested_by": "self"})
    assert (await counter.approve("second_officer", f"/erasures/{asked.json()['id']}/approval")).status_code == 200, asked.text
    assert (await see(counter, order)).content == PAPER
    assert findings(counter.world) == []


async def test_the_paper_is_under_the_newest_epoch_after_a_rotation_and_no_purge_takes_it(counter: Counter):
    order = await kept_paper(counter)
    rotate(counter.world)
    assert rewrap(counter.world).failed == []
    assert {epoch_of(row["wrapped"]) for row in rows_of(counter.world, evidence)} == {2}
    counter.world.clock.forward(48 * 3600)
    counter.tokens = {"key": counter.tokens["key"]}
    body = counter.order(document_sha256=SHA256, number="47", records=[written((await store(counter.world)).record)])
    other = (await counter.ask("officer", "POST", "/orders", body)).json()["id"]
    assert (await counter.paper(other, PAPER)).status_code == 201, "a purge goes with it"
    assert (await see(counter, order)).content == PAPER
    with counter.world.database.connect() as connection:
        assert connection.execute(select(func.count()).select_from(evidence)).scalar() == 2
    assert findings(counter.world) == []


async def test_a_copy_put_back_holds_the_paper(small_counter: Counter, tmp_path: Any):
    order = await kept_paper(small_counter)
    rescue = Rescue(small_counter.world, tmp_path / "rescue")
    copy, url, home = rescue.take(), f"sqlite:///{tmp_path / 'restored.sqlite3'}", rescue.home()
    rescue.restore(url, home, copy)
    with rescue.opened(url, home) as world:
        async with Counter.over(world) as there:
            assert (await see(there, order)).content == PAPER
            assert told(await there.approve("second_officer", f"/orders/{order}/approval")) != (409, "paper-unseen")
        assert findings(world) == []
