"""Scans of signed forms over HTTP: handed in, cited, seen by the one who verifies, and gone with the person."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func, insert, select

from keys.chunks import CHUNK
from tests.household import BASIC, FATIMA, errand, findings, read, store, written
from tests.simulator import SECOND, World
from vault.access.erasure_api import routes as erasure_routes
from vault.access.scans_api import routes as scan_routes
from vault.access.withdrawal_api import withdrawal_routes
from vault.access_log.tables import entry
from vault.access_log.verify import snapshot
from vault.access_log.verify import verify as verify_log
from vault.app import House
from vault.attachments import receiving, scans
from vault.attachments.tables import chunk, evidence
from vault.consent import service
from vault.consent.api import ROUTES
from vault.consent.evidence_api import routes as evidence_routes
from vault.errors import Malformed, NotFound, Refused, Unavailable
from vault.reclosing import reclose
from vault.records.api import ROUTES as RECORDS
from vault.rulebook.tables import fact
from vault.settings import Settings
from vault.subjects.tables import sheet
from vault.web.call import parse_id, write_id
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 24 * 3600
MOST = 3 * 1024 * 1024
PDF = b"%PDF-1.7\n" + hashlib.shake_256(b"a signed form").digest(200_000)
SHA256 = hashlib.sha256(PDF).hexdigest()
KINDS = {
    "application/pdf": b"%PDF-1.4 x",
    "image/png": b"\x89PNG\r\n\x1a\nx",
    "image/jpeg": b"\xff\xd8\xff\xe0x" * 3,
    "image/tiff": b"MM\x00*xxxxx",
}


class Desk:
    """A stored person, the system that hands in, and the officers who verify."""

    def __init__(self, world: World, http: httpx.AsyncClient, record: bytes, subject: bytes) -> None:
        self.world, self.http, self.record, self.subject = world, http, write_id(record), subject
        self.tokens: dict[str, str] = {}

    async def token(self, who: str) -> str:
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        return self.tokens[who]

    async def call(self, method: str, path: str, body: Any = None, *, who: str = "", **more: Any) -> httpx.Response:
        token = await self.token(who) if who else self.world.ceremony.api_key
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        return await self.http.request(method, f"/v1{path}", json=body, headers=headers, **more)

    async def hand_in(self, content: bytes = PDF, *, who: str = "", key: str = "", name: str = "form.exe") -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.call("POST", "/evidence", who=who, headers=headers, files={"file": (name, content, "text/html")})

    async def scan(self, **more: Any) -> str:
        answer = await self.hand_in(**more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def grant(self, purpose: str = "service_delivery", *, record: str = "", who: str = "", **evidence_: Any) -> httpx.Response:
        notice = (await self.call("GET", f"/notices/current?purpose={purpose}")).json()
        now = self.world.clock.now
        paper = {**written("second_officer@probe", now), **evidence_}
        body = {
            "purpose": purpose,
            "fields": list(BASIC),
            "form": "written",
            "explicit": False,
            "notice": {"id": notice["id"], "version": notice["version"], "language": "ar", "sha256": notice["texts"]["ar"]["sha256"]},
            "given_by": "self",
            "indicated_at": write_time(now),
            "evidence": {name: value for name, value in paper.items() if value is not ...},
        }
        return await self.call("POST", f"/records/{record or self.record}/consents", body, who=who)

    async def verify(self, consent: str, sha256: str | None = SHA256, *, who: str = "officer", **over: Any) -> httpx.Response:
        body = {"result": "verified", "sighted": "scan", **({"scan_sha256": sha256} if sha256 else {}), **over}
        return await self.call("POST", f"/consents/{consent}/verification", body, who=who)

    async def see(self, scan: str, who: str = "officer") -> httpx.Response:
        return await self.call("GET", f"/evidence/{scan}", who=who)


@contextmanager
def altering(world: World) -> Iterator[Any]:
    with world.database.connect() as connection, connection.begin():
        yield connection


def rows(world: World, table: Any) -> int:
    with world.database.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def desk_of(world: World) -> AsyncIterator[Desk]:
    kept = await store(world)
    ends = (*withdrawal_routes(world.associations, {}), *erasure_routes(world.identity.factor))
    async with world.front(*ROUTES, *RECORDS, *evidence_routes(MOST), *scan_routes(), *ends) as http:
        yield Desk(world, http, kept.record, kept.subject)


@pytest_asyncio.fixture(loop_scope="function")
async def desk(vault: World) -> AsyncIterator[Desk]:
    async for made in desk_of(vault):
        yield made


@pytest_asyncio.fixture(loop_scope="function")
async def till(small: World) -> AsyncIterator[Desk]:
    async for made in desk_of(small):
        yield made


async def test_a_written_consent_from_scan_to_permit(desk: Desk):
    handed = await desk.hand_in()
    assert (handed.status_code, handed.json()["sha256"]) == (201, SHA256)
    scan = handed.json()["id"]
    given = await desk.grant(scan=scan)
    assert (given.status_code, given.json()["state"]) == (201, "awaiting-verification")
    consent = given.json()["id"]
    with pytest.raises(Refused, match="evidence-unverified"):
        await read(desk.world, parse_id(desk.record))
    seen = await desk.see(scan)
    assert (seen.status_code, seen.content, seen.headers["content-type"]) == (200, PDF, "application/pdf")
    assert seen.headers["content-disposition"] == 'attachment; filename="scan.pdf"'
    assert "sandbox" in seen.headers["content-security-policy"]
    told = (await desk.call("GET", f"/records/{desk.record}/consents")).json()["items"]
    assert [one["scan"] for one in told] == [scan]
    done = await desk.verify(consent, hashlib.sha256(seen.content).hexdigest())
    assert (done.status_code, done.json()["state"]) == (201, "verified")
    assert await read(desk.world, parse_id(desk.record))
    stored, granted, shown = (
        next(one for one in desk.world.entries() if one.kind == kind) for kind in ("evidence.stored", "consent.granted", "evidence.read")
    )
    assert stored.evidence == granted.evidence == shown.evidence == parse_id(scan).hex()
    assert (shown.outcome, shown.purpose, shown.basis, shown.article) == ("allow", "service_delivery", "law", "cooperative:6.1")
    assert (shown.about[0].subject, shown.about[0].record) == (desk.subject, parse_id(desk.record))
    assert shown.consents == (parse_id(consent).hex(),)
    assert findings(desk.world) == []
    cabinet = desk.world.association.cabinet
    with snapshot(desk.world.database) as connection:
        found = verify_log(connection, desk.world.association.id, desk.world.code, cabinet.signer.vkey, None, deep=True)
        assert [one for one in found if "checkpoint" not in str(one)] == []


async def test_the_sighted_original_is_enough_with_or_without_a_scan(till: Desk):
    for more in ({}, {"scan": None}, {"scan": await till.scan()}):
        consent = (await till.grant(**more)).json()["id"]
        assert (await till.verify(consent, None, sighted="original")).status_code == 201


async def test_who_saw_a_scan_tells_what_she_saw(desk: Desk):
    scan, bare = await desk.scan(), (await desk.grant()).json()["id"]
    consent = (await desk.grant(scan=scan)).json()["id"]
    for wrong in (None, "0" * 64, "", SHA256[:-1], hashlib.sha256(PDF + b"x").hexdigest()):
        assert code(await desk.verify(consent, wrong)) == (422, "evidence-mismatch")
    assert code(await desk.verify(consent, "0" * 64, sighted="original")) == (422, "evidence-mismatch")
    for sha256 in (SHA256, None):
        assert code(await desk.verify(bare, sha256)) == (422, "evidence-mismatch")
    assert (await desk.verify(consent, SHA256.upper())).status_code == 201


@pytest.mark.parametrize("kind", KINDS)
async def test_the_kinds_taken_are_known_by_their_first_bytes(till: Desk, kind: str):
    scan = await till.scan(content=KINDS[kind])
    await till.grant(scan=scan)
    seen = await till.see(scan)
    assert (seen.headers["content-type"], seen.content) == (kind, KINDS[kind])


@pytest.mark.parametrize(
    "content", [b"", b"%PDF", b"GIF89a..........", b"<html>%PDF-1.7", b" %PDF-1.7 xxxx", b"\x00" * 100_000, b"PK\x03\x04" * 90]
)
async def test_any_other_kind_is_refused_whatever_it_is_called(till: Desk, content: bytes):
    answer = await till.hand_in(content, name="form.pdf")
    assert code(answer) == (422, "evidence-malformed")
    assert answer.json()["errors"] == [{"field": "file", "code": "unknown-file-type"}]
    assert (rows(till.world, evidence), rows(till.world, chunk)) == (0, 0)


async def test_a_file_is_as_large_as_is_allowed_and_no_larger(till: Desk):
    most = b"%PDF-" + bytes(MOST - 5)
    scan = await till.scan(content=most)
    assert rows(till.world, chunk) == MOST // CHUNK + 1
    assert code(await till.hand_in(most + b"x")) == (413, "too-large")
    assert code(await till.hand_in(most + bytes(200_000))) == (413, "too-large")
    assert rows(till.world, evidence) == 1
    await till.grant(scan=scan)
    assert (await till.see(scan)).content == most


async def test_a_body_without_the_file_or_of_another_form_is_refused(till: Desk):
    assert code(await till.call("POST", "/evidence", {})) == (415, "content-type")
    assert (await till.call("POST", "/evidence", files={"other": ("x", PDF)})).status_code == 400
    twice = [("file", ("a", PDF)), ("file", ("b", PDF))]
    assert (await till.call("POST", "/evidence", files=twice)).status_code in (400, 413)
    body = b"--x\r\n\r\n--x--\r\n"
    answer = await till.http.post("/v1/evidence", content=body, headers={"Authorization": f"Bearer {till.world.ceremony.api_key}"})
    assert answer.status_code == 415
    empty = {"Content-Type": "multipart/form-data; boundary=x", "Authorization": f"Bearer {till.world.ceremony.api_key}"}
    answer = await till.http.post("/v1/evidence", content=b"--x--\r\n", headers=empty)
    assert answer.status_code in (400, 422)
    assert rows(till.world, evidence) == 0


async def test_a_repeat_with_its_key_is_the_same_scan(desk: Desk):
    first, again = await desk.hand_in(key="k" * 16), await desk.hand_in(key="k" * 16)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert rows(desk.world, evidence) == 1
    assert code(await desk.hand_in(b"%PDF- another", key="k" * 16)) == (409, "idempotency-mismatch")
    assert rows(desk.world, evidence) == 1
    with altering(desk.world) as connection:
        connection.execute(evidence.delete())
    assert code(await desk.hand_in(key="k" * 16)) == (503, "integrity")
    told = (await errand(desk.world)).entry(kind=scans.PURGED, outcome="allow")
    await desk.world.association.run(lambda deed: scans.retire(deed, [parse_id(first.json()["id"])], told))
    assert code(await desk.hand_in(key="k" * 16)) == (410, "gone")


async def test_one_form_may_carry_several_consents_of_one_person_and_of_no_other(desk: Desk):
    scan = await desk.scan()
    for purpose in ("service_delivery", "internal_research"):
        assert (await desk.grant(purpose, scan=scan)).status_code == 201
    other = await store(desk.world, {**FATIMA, "national_id": "1000000016"})
    answer = await desk.grant(record=write_id(other.record), scan=scan)
    assert (code(answer), answer.json()["errors"]) == (
        (422, "evidence-malformed"),
        [{"field": "evidence.scan", "code": "unknown-evidence"}],
    )
    assert findings(desk.world) == []


@pytest.mark.parametrize("scan", ["", "x", str(uuid.UUID(int=1)), "../../etc/passwd"])
async def test_a_scan_that_is_none_proves_nothing(till: Desk, scan: str):
    assert code(await till.grant(scan=scan)) == (422, "evidence-malformed")


async def test_what_no_consent_cites_is_gone_after_a_day(desk: Desk):
    scan, kept = await desk.scan(), await desk.scan(content=b"%PDF- kept")
    assert (await desk.grant(scan=kept)).status_code == 201
    desk.world.clock.forward(DAY + 1)
    assert code(await desk.grant(scan=scan)) == (422, "evidence-malformed")
    await desk.scan(content=b"%PDF- later")
    assert rows(desk.world, evidence) == 2
    purged = [one for one in desk.world.entries() if one.kind == "evidence.purged"]
    assert [(one.count, one.actor) for one in purged] == [(1, "system")]
    assert (await desk.see(kept)).status_code == 200
    assert findings(desk.world) == []


async def test_a_start_clears_away_all_of_a_day_ago(small: World):
    association = small.association
    job = await errand(small)

    async def pieces(content: bytes) -> AsyncIterator[bytes]:
        yield content

    for number in range(scans.MOST_PURGED + 3):
        await receiving.receive(job, pieces(b"%PDF- " + bytes([number])), most=MOST, key=None)
    small.clock.forward(DAY - 1)
    assert scans.clear_away(association, small.clock) == 0
    small.clock.forward(1)
    assert scans.clear_away(association, small.clock) == scans.MOST_PURGED + 3
    assert (rows(small, evidence), rows(small, chunk)) == (0, 0)


async def test_the_houses_own_round_purges_at_most_once_a_minute(small: World, monkeypatch: pytest.MonkeyPatch):
    house = House(Settings(), small.database, {"probe": small.association})
    await receiving.receive(await errand(small), _few(), most=MOST, key=None)
    small.clock.forward(DAY)
    await house.checkpoints()
    assert rows(small, evidence) == 0
    await receiving.receive(await errand(small), _few(), most=MOST, key=None)
    small.clock.forward(DAY)
    await house.checkpoints()
    assert rows(small, evidence) == 1
    monkeypatch.setattr(house, "_purge_again", 0.0)
    await house.checkpoints()
    assert rows(small, evidence) == 0


HANDS: dict[str, tuple[str, dict[str, str]]] = {
    "took it down, by user name": ("", {"captured_by": "officer@probe"}),
    "took it down, by staff id": ("", {"captured_by": "officer's id"}),
    "handed in the scan": ("officer", {}),
}


@pytest.mark.parametrize("case", HANDS)
async def test_who_had_the_form_in_hand_neither_verifies_nor_sees_it(desk: Desk, case: str):
    by, paper = HANDS[case]
    if paper.get("captured_by") == "officer's id":
        paper = {"captured_by": write_id(bytes.fromhex((await desk.world.person("officer")).id))}
    scan = await desk.scan(who=by)
    consent = (await desk.grant(scan=scan, **paper)).json()["id"]
    for answer in (await desk.verify(consent), await desk.verify(consent, None, sighted="original"), await desk.see(scan)):
        assert code(answer) == (403, "same-person")
        assert answer.json()["article"] == "cooperative:6.1"
        assert answer.json()["entry"]["leaf_hash"]
    refused = [(one.kind, one.reason, one.consents) for one in desk.world.entries() if one.outcome == "refuse"]
    kinds = ("consent.verified", "consent.verified", "evidence.read")
    assert refused == [(kind, "SAME_PERSON", (parse_id(consent).hex(),)) for kind in kinds]


PARTS = ("original_kept_at", "template", "signature", "identity_check", "signed_at", "place", "captured_by")


@pytest.mark.parametrize("part", [*PARTS, "witness"])
async def test_a_written_consent_that_lacks_a_part_is_recorded_and_never_enough(desk: Desk, part: str):
    lacking: dict[str, Any] = {"signature": "thumbprint"} if part == "witness" else {part: ...}
    given = await desk.grant(scan=await desk.scan(), **lacking)
    assert (given.status_code, given.json()["state"]) == (201, "evidence-incomplete")
    await desk.verify(given.json()["id"])
    with pytest.raises(Refused, match="evidence-incomplete"):
        await read(desk.world, parse_id(desk.record))
    whole = (await desk.grant(signature="thumbprint", witness="a neighbour who can read")).json()
    assert whole["state"] == "awaiting-verification"
    await desk.verify(whole["id"], None, sighted="original")
    assert await read(desk.world, parse_id(desk.record))


async def test_nobody_the_vault_knows_took_no_consent_down(till: Desk):
    for nobody in ("nobody@probe", "officer@elsewhere", str(uuid.UUID(int=3))):
        answer = await till.grant(captured_by=nobody)
        assert (code(answer), answer.json()["errors"][0]["field"]) == ((422, "evidence-malformed"), "evidence.captured_by")


async def test_who_recorded_a_consent_does_not_verify_it(till: Desk):
    consent = (await till.grant(who="officer", captured_by="second_officer@probe")).json()["id"]
    assert code(await till.verify(consent, None, sighted="original")) == (403, "same-person")


async def test_a_scan_is_seen_for_as_long_as_there_is_something_to_verify(desk: Desk):
    scan = await desk.scan()
    consent = (await desk.grant(scan=scan)).json()["id"]
    assert (await desk.verify(consent)).status_code == 201
    assert (await desk.see(scan)).status_code == 200, "what counts may still be found wanting"
    desk.world.clock.forward(1)
    await desk.call("POST", f"/consents/{consent}/withdrawal", {"given_by": "self"})
    assert code(await desk.see(scan)) == (403, "consent-not-standing")
    desk.world.clock.forward(1)
    again = (await desk.grant(scan=scan)).json()["id"]
    assert (await desk.see(scan)).status_code == 200
    assert (await desk.verify(again, result="rejected")).status_code == 201
    assert code(await desk.see(scan)) == (403, "consent-rejected")


async def test_nobody_else_sees_a_scan(desk: Desk):
    scan, uncited = await desk.scan(), await desk.scan(content=b"%PDF- uncited")
    await desk.grant(scan=scan)
    assert code(await desk.see(scan, "admin")) == (403, "out-of-scope")
    assert code(await desk.see(scan, "")) == (403, "out-of-scope")
    for nothing in (uncited, str(uuid.UUID(int=7)), "x"):
        assert code(await desk.see(nothing)) == (404, "not-found")
    assert [one for one in desk.world.entries() if one.kind == "evidence.read"] == []


async def test_erasure_takes_key_and_chunks_of_her_scans_and_of_nobody_elses(desk: Desk):
    hers, uncited = await desk.scan(), await desk.scan(content=b"%PDF- not hers")
    await desk.grant(scan=hers)
    hidden = await desk.scan(content=b"%PDF- hers as well")
    await desk.grant("internal_research", scan=hidden)
    with altering(desk.world) as connection:
        connection.execute(evidence.update().where(evidence.c.evidence == parse_id(hidden)).values(subject=None))
    told = (await errand(desk.world)).entry(kind=scans.PURGED, outcome="allow")
    assert await desk.world.association.run(lambda deed: scans.forget_subject(deed, desk.subject, told)) == 2
    with desk.world.database.connect() as connection:
        assert {bytes(one) for one in connection.execute(select(evidence.c.evidence)).scalars()} == {parse_id(uncited)}
        assert {bytes(one) for one in connection.execute(select(chunk.c.evidence)).scalars()} == {parse_id(uncited)}
    with pytest.raises(NotFound):
        await desk.world.association.run(lambda deed: scans.forget_subject(deed, bytes(16), told))


async def erased(desk: Desk) -> httpx.Response:
    """Her erasure, asked for by one officer and approved by the other."""
    asked = await desk.call("POST", f"/records/{desk.record}/erasure", {"reason": "r", "requested_by": "self"}, who="officer")
    assert asked.status_code == 202, asked.text
    await desk.token("second_officer")  # signing in uses a code of its own
    approval = {"code": desk.world.one_time_code("second_officer")}
    return await desk.call("POST", f"/erasures/{asked.json()['id']}/approval", approval, who="second_officer")


async def test_a_scan_whose_key_is_no_key_stops_the_certificate(desk: Desk):
    scan = await desk.scan()
    await desk.grant(scan=scan)
    with altering(desk.world) as connection:
        connection.execute(evidence.update().values(wrapped=b"no key"))
    assert code(await erased(desk)) == (503, "integrity")


async def test_an_erased_persons_scans_are_gone_with_her(desk: Desk):
    hers, uncited = await desk.scan(), await desk.scan(content=b"%PDF- not hers")
    await desk.grant(scan=hers)
    certificate = (await erased(desk)).json()
    assert "copy-opens-until-retired epoch 1\n" in certificate["note"]
    assert "evidence" in certificate["classes"]
    assert "\nclass evidence\n" in certificate["note"]
    for table in (evidence, chunk):
        with desk.world.database.connect() as connection:
            assert {bytes(one) for one in connection.execute(select(table.c.evidence)).scalars()} == {parse_id(uncited)}
    assert code(await desk.see(hers)) == (404, "not-found")
    assert findings(desk.world) == []


async def test_an_erasure_the_journal_remembers_takes_scans_whose_person_does_not_hold(desk: Desk):
    scan = await desk.scan()
    await desk.grant(scan=scan)
    with altering(desk.world) as connection:
        kept = {table: [dict(row._mapping) for row in connection.execute(select(table))] for table in (evidence, chunk, sheet)}
    await erased(desk)
    with altering(desk.world) as connection:
        for table, rows_ in kept.items():
            connection.execute(insert(table), rows_)
    assert reclose(desk.world.association, desk.world.clock) == 1
    assert (rows(desk.world, evidence), rows(desk.world, chunk), rows(desk.world, sheet)) == (0, 0, 0)


async def test_an_upload_that_ends_early_leaves_nothing(small: World):
    job = await errand(small)

    async def torn(error: BaseException) -> AsyncIterator[bytes]:
        yield b"%PDF-1.7"
        yield bytes(2 * 1024 * 1024)
        assert rows(small, chunk) > 0, "stored while it arrives"
        raise error

    for error in (Malformed("too-slow"), asyncio.CancelledError(), RuntimeError("line")):
        with pytest.raises(type(error)):
            await receiving.receive(job, torn(error), most=MOST, key=None)
        assert (rows(small, evidence), rows(small, chunk)) == (0, 0)
    assert [one for one in small.entries() if one.kind.startswith("evidence")] == []


async def test_a_long_upload_counts_from_its_end(small: World):
    job = await errand(small)

    async def slow() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7"
        yield bytes(2 * 1024 * 1024)
        small.clock.forward(200)
        yield b"end"

    received = await receiving.receive(job, slow(), most=MOST, key=None)
    assert received.sha256 == hashlib.sha256(b"%PDF-1.7" + bytes(2 * 1024 * 1024) + b"end").hexdigest()
    assert findings(small) == []
    with small.database.connect() as connection:
        assert connection.execute(select(evidence.c.stored_at)).scalar_one() == small.clock.now


async def test_an_upload_that_cannot_even_be_dropped_waits_for_the_purge(small: World, monkeypatch: pytest.MonkeyPatch):
    job = await errand(small)

    def stuck(*_: Any) -> int:
        raise Unavailable("busy")

    async def torn() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7"
        yield bytes(2 * 1024 * 1024)
        raise Malformed("too-slow")

    with monkeypatch.context() as patched:
        patched.setattr(scans, "drop", stuck)
        with pytest.raises(Malformed, match="too-slow"):
            await receiving.receive(job, torn(), most=MOST, key=None)
    assert rows(small, evidence) == 1
    assert findings(small) == []
    small.clock.forward(DAY)
    assert scans.clear_away(small.association, small.clock) == 1
    assert (rows(small, evidence), rows(small, chunk)) == (0, 0)


async def test_an_entry_that_is_none_any_more_does_not_stop_the_examiner(small: World):
    await receiving.receive(await errand(small), _few(), most=MOST, key=None)
    with altering(small) as connection:
        connection.execute(entry.update().where(entry.c.kind == "evidence.stored").values(body=b"{"))
    assert findings(small) == []


async def _few() -> AsyncIterator[bytes]:
    yield b"%PDF-1.7"


async def test_an_upload_whose_rows_are_gone_before_its_end_is_an_alarm(small: World):
    job = await errand(small)

    async def robbed() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7"
        yield bytes(2 * 1024 * 1024)
        with altering(small) as connection:
            connection.execute(evidence.delete())

    with pytest.raises(Unavailable, match="integrity"):
        await receiving.receive(job, robbed(), most=MOST, key=None)


ROWS = {
    "the key": lambda row: evidence.update().values(wrapped=row.wrapped[:-1] + bytes([row.wrapped[-1] ^ 1])),
    "the header": lambda row: evidence.update().values(header=row.header[:-1] + bytes([row.header[-1] ^ 1])),
    "what it is": lambda row: evidence.update().values(about=row.about[:-1] + bytes([row.about[-1] ^ 1])),
    "whose it is": lambda _: evidence.update().values(subject=b"\x07" * 16),
    "nobody's": lambda _: evidence.update().values(subject=None),
    "when": lambda row: evidence.update().values(stored_at=row.stored_at + SECOND),
    "another id": lambda _: evidence.update().values(evidence=b"\x08" * 16),
    "deleted": lambda _: evidence.delete(),
    "a chunk": lambda _: chunk.update().where(chunk.c.number == 1).values(sealed=bytes(65_552)),
    "a chunk less": lambda _: chunk.delete().where(chunk.c.number == 3),
    "the first chunk": lambda _: chunk.delete().where(chunk.c.number == 0),
    "chunks of none": lambda _: chunk.update().values(evidence=b"\x09" * 16),
}


@pytest.mark.parametrize("case", ROWS)
async def test_every_altered_row_is_named_and_shows_nothing(desk: Desk, case: str):
    scan = await desk.scan()
    await desk.grant(scan=scan)
    await desk.scan(content=b"%PDF- of nobody")
    with altering(desk.world) as connection:
        row = connection.execute(select(evidence).where(evidence.c.evidence == parse_id(scan))).one()
        change: Any = ROWS[case](row)
        connection.execute(change.where(change.table.c.evidence == parse_id(scan)))
    found = findings(desk.world)
    assert found, case
    assert all(one.startswith("consent_evidence") for one in found)
    if case == "a chunk":  # the second: what leaves before it is the person's own, and then the answer stops short, as this client notices
        with pytest.raises(AssertionError):
            await desk.see(scan)
        assert desk.world.entries()[-1].kind == "alarm"
        return
    answer = await desk.see(scan)
    assert answer.status_code in ((200,) if case == "when" else (404, 503)), case
    if case != "when":
        assert PDF[:40] not in answer.content


async def test_a_scan_in_anothers_place_or_taken_out_is_named(desk: Desk):
    one, two = await desk.scan(), await desk.scan(content=b"%PDF- " + bytes(200_000))
    await desk.grant(scan=one)
    await desk.grant("internal_research", scan=two)
    uncited = await desk.scan(content=b"%PDF- uncited")
    with altering(desk.world) as connection:
        kept = connection.execute(select(evidence).where(evidence.c.evidence == parse_id(two))).one()
        place = evidence.update().where(evidence.c.evidence == parse_id(one))
        connection.execute(place.values(wrapped=kept.wrapped, header=kept.header, about=kept.about))
        connection.execute(evidence.delete().where(evidence.c.evidence == parse_id(uncited)))
        connection.execute(chunk.delete().where(chunk.c.evidence == parse_id(uncited)))
    assert {line.partition(":")[0] for line in findings(desk.world)} == {
        f"consent_evidence {parse_id(scan).hex()}" for scan in (one, uncited)
    }
    assert code(await desk.see(one)) == (503, "integrity")
    assert desk.world.entries()[-1].kind == "alarm"


async def test_a_scan_put_back_after_its_person_is_gone_shows_nothing(desk: Desk):
    scan = await desk.scan()
    await desk.grant(scan=scan)
    with altering(desk.world) as connection:
        row = connection.execute(select(evidence)).one()
        parts = connection.execute(select(chunk)).all()
    await erased(desk)
    with altering(desk.world) as connection:
        connection.execute(evidence.insert().values(**row._mapping))
        connection.execute(chunk.insert(), [dict(one._mapping) for one in parts])
    assert code(await desk.see(scan)) == (503, "integrity")


def kept_rows(world: World) -> dict[Any, list[dict[str, Any]]]:
    with world.database.connect() as connection:
        return {table: [dict(row._mapping) for row in connection.execute(select(table))] for table in (evidence, chunk)}


def put_back(world: World, kept: dict[Any, list[dict[str, Any]]]) -> None:
    with altering(world) as connection:
        for table, rows_ in kept.items():
            connection.execute(table.delete())
            connection.execute(insert(table), rows_)


async def test_a_scan_put_back_as_it_was_uncited_opens_under_nobody_else(desk: Desk):
    other = write_id((await store(desk.world)).record)
    scan = await desk.scan()
    kept = kept_rows(desk.world)
    await desk.grant(scan=scan)
    assert code(await desk.grant(record=other, scan=scan)) == (422, "evidence-malformed")
    put_back(desk.world, kept)
    for record in (other, desk.record):
        assert code(await desk.grant(record=record, scan=scan)) == (503, "integrity")
        assert desk.world.entries()[-1].kind == "alarm"
    assert code(await desk.see(scan)) == (503, "integrity")
    assert findings(desk.world) == [f"consent_evidence {parse_id(scan).hex()}: not whose the people's events and the orders say"]
    desk.world.clock.forward(DAY)
    assert scans.clear_away(desk.world.association, desk.world.clock) == 0, "what the log knows as somebody's is not purged"


async def test_an_erased_persons_scan_put_back_opens_under_nobody(desk: Desk):
    other = write_id((await store(desk.world)).record)
    scan = await desk.scan()
    kept = kept_rows(desk.world)
    await desk.grant(scan=scan)
    assert (await erased(desk)).status_code == 200
    told = [one for one in desk.world.entries() if one.kind == scans.PURGED]
    assert [(one.count, one.outcome, one.about, len(one.facts)) for one in told] == [(1, "allow", (), 1)]
    assert code(await desk.grant(record=other, scan=scan)) == (422, "evidence-malformed")
    put_back(desk.world, kept)
    assert code(await desk.grant(record=other, scan=scan)) == (503, "integrity")
    assert code(await desk.see(scan)) == (503, "integrity")
    assert findings(desk.world) == [f"consent_evidence {parse_id(scan).hex()}: not what the log says became of it"]


async def test_a_scan_that_was_purged_and_put_back_counts_no_more(desk: Desk):
    scan = await desk.scan()
    kept = kept_rows(desk.world)
    desk.world.clock.forward(DAY)
    assert scans.clear_away(desk.world.association, desk.world.clock) == 1
    assert findings(desk.world) == []
    put_back(desk.world, kept)
    assert code(await desk.grant(scan=scan)) == (503, "integrity")
    assert findings(desk.world) == [f"consent_evidence {parse_id(scan).hex()}: not what the log says became of it"]


async def test_a_scan_taken_out_is_an_alarm_and_named(till: Desk):
    scan = await till.scan()
    with altering(till.world) as connection:
        connection.execute(evidence.delete())
        connection.execute(chunk.delete())
    assert code(await till.grant(scan=scan)) == (503, "integrity")
    till.world.clock.forward(2 * DAY)
    assert findings(till.world) == [f"consent_evidence {parse_id(scan).hex()}: missing"]


async def test_rows_that_do_not_hold_keep_no_other_from_being_purged(small: World):
    job = await errand(small)
    for _ in range(scans.MOST_PURGED + 1):
        await receiving.receive(job, _few(), most=MOST, key=None)
    with altering(small) as connection:
        held = connection.execute(select(evidence.c.evidence).limit(scans.MOST_PURGED)).scalars().all()
        connection.execute(fact.update().where(fact.c.key.in_([bytes(one).hex() for one in held])).values(sealed=b"no fact"))
    small.clock.forward(DAY)
    assert scans.clear_away(small.association, small.clock) == 1
    assert rows(small, evidence) == scans.MOST_PURGED


async def test_one_entry_tells_of_so_many_scans_as_it_can_hold(small: World, monkeypatch: pytest.MonkeyPatch):
    job = await errand(small)
    made = [(await receiving.receive(job, _few(), most=MOST, key=None)).id for _ in range(3)]
    monkeypatch.setattr(scans, "MOST_TOLD", 2)
    told = job.entry(kind=scans.PURGED, outcome="allow")
    assert await small.association.run(lambda deed: scans.retire(deed, made, told)) == 3
    assert [(one.count, len(one.facts)) for one in small.entries() if one.kind == scans.PURGED] == [(2, 2), (1, 1)]
    assert findings(small) == []


async def test_an_unfinished_row_with_a_key_of_its_own_is_no_finding_and_no_scan(desk: Desk):
    keys = desk.world.association.cabinet.keys
    made, bad = b"\x05" * 16, b"\x06" * 16

    def begin(deed: Any) -> None:
        scans.add(deed, made, keys.new_key(made, 64)[1])
        scans.add(deed, bad, keys.new_key(made, 64)[1])

    await desk.world.association.run(begin)
    assert findings(desk.world) == [f"consent_evidence {bad.hex()}: does not open"]
    assert code(await desk.grant(scan=write_id(made))) == (422, "evidence-malformed")
    desk.world.clock.forward(DAY)
    await desk.scan()
    with desk.world.database.connect() as connection:
        left = {bytes(one) for one in connection.execute(select(evidence.c.evidence)).scalars()}
    assert made not in left
    assert bad in left, "a key that is not its own is somebody's: nothing is deleted on such a row's word"


async def test_a_scan_that_no_consent_of_its_person_cites_shows_nothing(till: Desk, monkeypatch: pytest.MonkeyPatch):
    scan = await till.scan()
    await till.grant(scan=scan)
    monkeypatch.setattr(service, "taken_all", lambda *_: {})
    assert code(await till.see(scan)) == (503, "integrity")
