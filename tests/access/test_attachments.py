"""A document of a person's record, from upload to erasure: read by purpose and consent like the field it lies in, and by nothing else."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import delete, func, insert, select, update

from keys.chunks import CHUNK
from tests.access.desk import rows_of
from tests.access.test_scans import content
from tests.access.test_showing import lock
from tests.consent.test_scans import altering, code
from tests.household import agreement, asked, errand, findings, grant, lay_down, partner, store, verify, written
from tests.simulator import World, world
from vault.access import attachments, renewing
from vault.access.api import routes as reading_routes
from vault.access.attachments_api import attachment_routes as outgoing
from vault.access.door import give_out_scan
from vault.access.erasure_api import routes as erasure_routes
from vault.access.scans_api import routes as scan_routes
from vault.access.verdicts import Asked
from vault.access_log.entry import About, Entry
from vault.access_log.verify import snapshot
from vault.access_log.verify import verify as verify_log
from vault.attachments import scans
from vault.attachments.receiving import Received
from vault.attachments.tables import chunk, evidence
from vault.consent.evidence_api import routes as evidence_routes
from vault.errors import Unavailable
from vault.records import filing
from vault.records.api import ROUTES as RECORDS
from vault.records.attachments_api import attachment_routes as incoming
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association
from vault.rulebook.shapes import CLIENT
from vault.web.call import parse_id, write_id
from vault.web.ranges import WHOLE, Wish
from vault.web.streaming import CutShort

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 24 * 3600
MOST = 2 * 1024 * 1024
CANARY = b"canary-of-a-report-51c9"
REPORT = b"%PDF-1.7\n" + hashlib.shake_256(b"a medical report").digest(150_000) + CANARY
DEED = b"\x89PNG\r\n\x1a\n" + hashlib.shake_256(b"a deed").digest(1000)
FIELDS = ("document_title", "family_document", "medical_report")
TYPE = {
    "fields": [
        {"name": "document_title", "type": "text", "class": "identity"},
        {"name": "family_document", "type": "attachment", "class": "family"},
        {"name": "medical_report", "type": "attachment", "class": "health"},
    ]
}


def said(content_: bytes, id_: str, type_: str = "application/pdf") -> dict[str, Any]:
    return {"id": id_, "type": type_, "size": len(content_), "sha256": hashlib.sha256(content_).hexdigest()}


def unknown(answer: httpx.Response, field: str = "medical_report") -> bool:
    """Whether the answer says of this field that there is no such file."""
    return code(answer) == (422, "invalid") and answer.json()["errors"] == [{"field": f"fields.{field}", "code": "unknown-attachment"}]


class Desk:
    """A vault with a record type of its own that has documents, and the system that stores and reads them."""

    def __init__(self, world_: World, http: httpx.AsyncClient) -> None:
        self.world, self.http = world_, http
        self.tokens: dict[str, str] = {}

    async def call(self, method: str, path: str, body: Any = None, *, who: str = "", **more: Any) -> httpx.Response:
        if who and who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        headers = {"Authorization": f"Bearer {self.tokens[who] if who else self.world.ceremony.api_key}", **more.pop("headers", {})}
        return await self.http.request(method, f"/v1{path}", json=body, headers=headers, **more)

    async def lay_down(self) -> None:
        """The type, proposed by one person and approved by another."""
        waits = (await self.call("PUT", "/record-types/case_file", TYPE, who="admin")).json()
        approval = {"proposal": waits["proposal"], "code": await self.code("officer")}
        done = await self.call("POST", "/record-types/case_file/approval", approval, who="officer")
        assert done.json() == {"state": "in-force"}, done.text

    async def code(self, who: str) -> str:
        """A one-time code of somebody who is signed in."""
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        return self.world.one_time_code(who)

    async def hand_in(self, content_: bytes = REPORT, *, key: str = "", path: str = "/attachments") -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.call("POST", path, headers=headers, files={"file": ("report.exe", content_, "text/html")})

    async def file(self, content_: bytes = REPORT) -> str:
        answer = await self.hand_in(content_)
        assert answer.status_code == 201, answer.text
        assert answer.json()["sha256"] == hashlib.sha256(content_).hexdigest()
        return str(answer.json()["id"])

    async def store(self, **fields: Any) -> httpx.Response:
        return await self.call("POST", "/records", {"type": "case_file", "fields": fields})

    async def stored(self, content_: bytes = REPORT, field: str = "medical_report") -> tuple[str, str]:
        """A record with this file in this field: the record and the file."""
        id_ = await self.file(content_)
        answer = await self.store(**{field: {"id": id_}})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"]), id_

    async def change(self, record: str, revision: int, **fields: Any) -> httpx.Response:
        return await self.call("PATCH", f"/records/{record}", {"fields": fields}, headers={"If-Match": f'"{revision}"'})

    async def consent(self, record: str, *fields: str) -> bytes:
        """Her explicit consent to service delivery with these fields."""
        what = await asked(self.world, fields=frozenset(fields), explicit=True)
        return (await grant(self.world, parse_id(record), what)).id

    async def see(self, record: str, field: str = "medical_report", purpose: str = "service_delivery", **more: Any) -> httpx.Response:
        return await self.call("GET", f"/records/{record}/attachments/{field}?purpose={purpose}", **more)

    async def read(self, record: str, *fields: str, purpose: str = "intake") -> Any:
        return (await self.call("GET", f"/records/{record}?purpose={purpose}&fields={','.join(fields)}")).json().get("fields")

    async def erase(self, record: str, *classes: str) -> Any:
        """Her erasure, or that of these classes, by two officers; the certificate."""
        body = {"reason": "r", "requested_by": "self", **({"classes": [*classes]} if classes else {})}
        wanted = await self.call("POST", f"/records/{record}/erasure", body, who="officer")
        assert wanted.status_code == 202, wanted.text
        approval = {"code": await self.code("second_officer")}
        done = await self.call("POST", f"/erasures/{wanted.json()['id']}/approval", approval, who="second_officer")
        assert done.status_code == 200, done.text
        return done.json()

    def kinds(self, kind: str) -> list[Entry]:
        return [one for one in self.world.entries() if one.kind == kind]

    def sound(self) -> bool:
        """Whether doctor and the log's own verification find nothing."""
        cabinet = self.world.association.cabinet
        with snapshot(self.world.database) as connection:
            found = verify_log(connection, self.world.association.id, self.world.code, cabinet.signer.vkey, None, deep=True)
        return findings(self.world) == [] == [one for one in found if "checkpoint" not in str(one)]


@asynccontextmanager
async def open_desk(world_: World) -> AsyncIterator[Desk]:
    calls = (*RECORDS, *incoming(MOST), *outgoing(), *reading_routes(), *erasure_routes(world_.identity.factor))
    async with world_.front(*calls, *evidence_routes(MOST), *scan_routes()) as http:
        made = Desk(world_, http)
        await made.lay_down()
        yield made


@pytest_asyncio.fixture(loop_scope="function")
async def desk(vault: World) -> AsyncIterator[Desk]:
    async with open_desk(vault) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="function")
async def till(small: World) -> AsyncIterator[Desk]:
    async with open_desk(small) as made:
        yield made


def rows(world_: World, table: Any) -> int:
    with world_.database.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


async def test_a_report_is_read_under_consent_to_its_field_and_refused_without(desk: Desk):
    file = await desk.file()
    kept = (await desk.store(document_title="x", medical_report={"id": file})).json()
    record = kept["id"]
    refused = await desk.see(record)
    assert code(refused) == (403, "no-consent")
    assert refused.json()["article"] == "cooperative:6.1"
    await desk.consent(record, "document_title")
    assert code(await desk.see(record)) == (403, "fields-not-covered")
    desk.world.clock.forward(1)
    consent = await desk.consent(record, "medical_report")
    seen = await desk.see(record)
    assert (seen.status_code, seen.content, seen.headers["content-type"]) == (200, REPORT, "application/pdf")
    assert seen.headers["content-disposition"] == 'attachment; filename="attachment.pdf"'
    assert "sandbox" in seen.headers["content-security-policy"]
    assert seen.headers["cache-control"] == "no-store"
    assert await desk.read(record, "medical_report", purpose="service_delivery") == {"medical_report": said(REPORT, file)}
    told = desk.kinds(attachments.KIND)
    assert [(one.outcome, one.reason, one.evidence) for one in told] == [
        ("refuse", "NO_CONSENT", None),
        ("refuse", "FIELDS_NOT_COVERED", None),
        ("allow", None, parse_id(file).hex()),
    ]
    shown = told[-1]
    assert (shown.fields, shown.purpose, shown.recipient, shown.basis) == (
        ("medical_report",),
        "service_delivery",
        "INTERNAL",
        "electronic_consent",
    )
    assert (shown.about[0].subject, shown.about[0].record) == (parse_id(kept["subject"]), parse_id(record))
    assert shown.consents == (consent.hex(),)
    stored = desk.kinds("record.stored")[0]
    assert [(one.kind, one.key) for one in stored.facts] == [("scan", parse_id(file).hex())]
    assert [one.evidence for one in desk.kinds("attachment.stored")] == [parse_id(file).hex()]
    assert desk.sound()


async def test_every_word_of_a_read_counts_as_for_a_field(till: Desk):
    record, _ = await till.stored()
    await till.consent(record, "medical_report")
    assert code(await till.see(record, purpose="sms_offers")) == (403, "action-mismatch")
    assert code(await till.see(record, purpose="nothing_known")) == (403, "unknown-purpose")
    assert code(await till.see(record, "no_field")) == (403, "unknown-field")
    stricter = await till.call("GET", f"/records/{record}/attachments/medical_report?purpose=service_delivery&action=disclose")
    assert stricter.status_code == 403
    assert code(await till.see(record, who="admin")) == (403, "out-of-scope")
    assert code(await till.call("GET", f"/records/{record}/attachments/medical_report")) == (400, "missing-parameter")
    assert code(await till.see(write_id(bytes(16)))) == (404, "not-found")
    assert {one.outcome for one in till.kinds(attachments.KIND)} == {"refuse"}
    assert code(await till.hand_in(path="/attachments?x=y")) == (400, "unknown-parameter")


async def test_a_party_outside_gets_the_document_it_was_disclosed_and_is_named_when_it_goes(desk: Desk):
    world_ = desk.world
    report, deed = await desk.file(), await desk.file(DEED)
    record = (await desk.store(medical_report={"id": report}, family_document={"id": deed})).json()["id"]
    await partner(world_)
    await agreement(world_)
    await desk.consent(record, "medical_report", "family_document")
    paper = written("second_officer@probe", world_.clock.now)
    shared = await asked(
        world_, "partner_sharing", recipient="partner", form="written", evidence=paper, fields=frozenset({"family_document"})
    )
    consent = (await grant(world_, parse_id(record), shared)).id
    key, own = next(iter((await world_.association.refresh()).clients.items()))
    await lay_down(world_, CLIENT, key, msgspec.structs.replace(own, party="partner"))
    assert code(await desk.see(record, "family_document")) == (403, "action-mismatch")
    assert code(await desk.see(record, "family_document", "partner_sharing")) == (403, "evidence-unverified")
    await verify(world_, consent, await world_.person("officer"))
    assert (await desk.see(record, "family_document", "partner_sharing")).content == DEED
    assert (await desk.see(record, "medical_report", "partner_sharing")).status_code == 403
    told = desk.kinds(attachments.KIND)
    assert [(one.outcome, one.recipient) for one in told] == [(what, "partner") for what in ("refuse", "refuse", "allow", "refuse")]
    assert [each["recipient"] for each in (await desk.erase(record))["recipients"]] == ["partner"]
    assert desk.sound()


async def test_a_field_that_names_no_file_says_so_after_the_verdict(till: Desk):
    record = (await till.store(document_title="a title")).json()["id"]
    for field in ("medical_report", "document_title"):
        assert code(await till.see(record, field)) == (403, "no-consent")
        assert code(await till.see(record, field, "intake")) == (404, "not-found")
    told = [(one.outcome, one.fields, one.evidence) for one in till.kinds(attachments.KIND)]
    assert told[1] == ("allow", ("medical_report",), None)
    assert await till.read(record, "medical_report") == {"medical_report": None}
    assert till.sound()


async def test_a_broken_download_is_taken_up_and_each_part_is_an_entry(till: Desk):
    record, _ = await till.stored()
    whole = await till.see(record, purpose="intake")
    rest = await till.see(record, purpose="intake", headers={"Range": "bytes=70000-", "If-Range": whole.headers["etag"]})
    assert (rest.status_code, rest.content) == (206, REPORT[70_000:])
    assert rest.headers["content-range"] == f"bytes 70000-{len(REPORT) - 1}/{len(REPORT)}"
    beyond = await till.see(record, purpose="intake", headers={"Range": "bytes=999999-"})
    assert code(beyond) == (416, "range-not-satisfiable")
    other = await till.file(DEED)
    assert (await till.change(record, 1, medical_report={"id": other})).status_code == 200
    anew = await till.see(record, purpose="intake", headers={"Range": "bytes=70000-", "If-Range": whole.headers["etag"]})
    assert (anew.status_code, anew.content) == (200, DEED), "another file now lies there, and its end would be no end of the first"
    assert [one.outcome for one in till.kinds(attachments.KIND)] == ["allow"] * 4


async def test_an_update_retires_the_file_it_replaces_in_the_same_deed(desk: Desk):
    record, first = await desk.stored()
    deed = await desk.file(DEED)
    again = {"document_title": "t", "medical_report": said(REPORT, first), "family_document": {"id": deed}}
    assert (await desk.change(record, 1, **again)).status_code == 200
    assert desk.kinds("evidence.purged") == [], "what a client sends back as it was read stays where it is"
    second = await desk.file(b"%PDF- second")
    assert (await desk.change(record, 2, medical_report={"id": second})).status_code == 200
    assert (await desk.see(record, purpose="intake")).content == b"%PDF- second"
    assert (await desk.see(record, "family_document", "intake")).content == DEED
    assert (await desk.change(record, 3, family_document=None)).status_code == 200
    assert code(await desk.see(record, "family_document", "intake")) == (404, "not-found")
    assert [one.count for one in desk.kinds("evidence.purged")] == [1, 1]
    assert {row["evidence"] for row in rows_of(desk.world, evidence)} == {parse_id(second)}
    assert rows(desk.world, chunk) == 1
    assert unknown(await desk.change(record, 4, medical_report={"id": first})), "what was retired is nobody's any more"
    assert await desk.read(record, *FIELDS) == {
        "document_title": "t",
        "family_document": None,
        "medical_report": said(b"%PDF- second", second),
    }
    assert desk.sound()


async def test_what_is_anothers_old_or_nowhere_is_not_cited(desk: Desk):
    record, hers = await desk.stored()
    scan = (await desk.hand_in(path="/evidence")).json()["id"]
    for wrong in (hers, scan, write_id(bytes(16)), "x", "../../etc/passwd"):
        assert unknown(await desk.store(medical_report={"id": wrong})), wrong
        assert unknown(await desk.change(record, 1, family_document={"id": wrong}), "family_document"), "not even in another field of hers"
    fresh = await desk.file()
    for lie in ({"size": 1}, {"sha256": "0" * 64}, {"type": "image/png"}):
        assert unknown(await desk.store(medical_report={"id": fresh, **lie}))
    twice = await desk.store(medical_report={"id": fresh}, family_document={"id": fresh})
    assert unknown(twice), "one file lies in one field"
    for value, told in (("a text", "wrong-type"), ({}, "wrong-type"), ({"id": fresh, "name": "x"}, "unknown-member"), (7, "wrong-type")):
        answer = await desk.store(medical_report=value)
        assert answer.json()["errors"] == [{"field": "fields.medical_report", "code": told}]
    both = await desk.store(medical_report={"id": fresh}, family_document={"id": hers})
    assert unknown(both, "family_document")
    assert (await desk.store(medical_report={"id": fresh})).status_code == 201, "nothing of what failed stayed"
    old = await desk.file(b"%PDF- old")
    desk.world.clock.forward(DAY)
    assert unknown(await desk.store(medical_report={"id": old}))
    await desk.file(b"%PDF- later")
    assert parse_id(old) not in {row["evidence"] for row in rows_of(desk.world, evidence)}
    assert desk.sound()


async def test_in_a_batch_a_row_that_fails_takes_no_file_with_it(desk: Desk):
    one, two = await desk.file(), await desk.file(DEED)
    items = [
        {"type": "case_file", "fields": {"medical_report": {"id": one}, "family_document": {"id": write_id(bytes(16))}}},
        {"type": "case_file", "fields": {"document_title": "plain"}},
        {"type": "case_file", "fields": {"medical_report": {"id": one}, "family_document": {"id": two}}},
        {"type": "case_file", "fields": {"medical_report": {"id": one}}},
    ]
    results = (await desk.call("POST", "/records/batch", {"items": items})).json()["results"]
    assert [each["status"] for each in results] == [422, 201, 201, 422]
    assert (await desk.see(results[2]["id"], purpose="intake")).content == REPORT
    assert desk.sound()


async def test_a_file_proves_no_consent_and_is_not_shown_as_a_scan(till: Desk):
    _, file = await till.stored()
    uncited = await till.file(DEED)
    for each in (file, uncited):
        assert code(await till.call("GET", f"/evidence/{each}", who="officer")) == (404, "not-found")


async def test_a_repeat_with_its_key_is_the_same_file_and_other_kinds_are_refused(till: Desk):
    first, again = await till.hand_in(key="k" * 16), await till.hand_in(key="k" * 16)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert code(await till.hand_in(DEED, key="k" * 16)) == (409, "idempotency-mismatch")
    assert rows(till.world, evidence) == 1
    for wrong in (b"GIF89a.........", b"%PD"):
        answer = await till.hand_in(wrong)
        assert (code(answer), answer.json()["errors"]) == ((422, "invalid"), [{"field": "file", "code": "unknown-file-type"}])
    assert code(await till.hand_in(b"%PDF-" + bytes(MOST))) == (413, "too-large")
    empty = {"Content-Type": "multipart/form-data; boundary=x", "Authorization": f"Bearer {till.world.ceremony.api_key}"}
    answer = await till.http.post("/v1/attachments", content=b"--x--\r\n", headers=empty)
    assert answer.status_code in (400, 422)
    assert rows(till.world, evidence) == 1


async def test_erasure_takes_key_and_chunks_and_what_is_put_back_opens_for_nobody(desk: Desk):
    record, file = await desk.stored()
    _, others = await desk.stored(DEED)
    before = {table.name: rows_of(desk.world, table) for table in (evidence, chunk)}
    certificate = await desk.erase(record)
    assert "evidence" in certificate["classes"]
    assert {row["evidence"] for row in rows_of(desk.world, chunk)} == {parse_id(others)}
    assert code(await desk.see(record, purpose="intake")) == (404, "not-found")
    assert desk.sound()
    with altering(desk.world) as connection:
        for table in (evidence, chunk):
            connection.execute(insert(table), [row for row in before[table.name] if row["evidence"] == parse_id(file)])
    assert (await desk.store(medical_report={"id": file})).status_code == 503
    assert findings(desk.world) == [f"consent_evidence {parse_id(file).hex()}: not whose the people's events and the orders say"]


async def test_erasure_of_a_class_takes_the_files_in_its_fields_and_no_others(desk: Desk):
    record, report = await desk.stored()
    deed = await desk.file(DEED)
    assert (await desk.change(record, 1, family_document={"id": deed})).status_code == 200
    certificate = await desk.erase(record, "health")
    assert (certificate["classes"], certificate["scope"]) == (["health"], "classes")
    assert desk.world.entries()[certificate["entry"]].kind == "erasure.approved"
    assert {row["evidence"] for row in rows_of(desk.world, evidence)} == {parse_id(deed)} != {parse_id(report)}
    assert code(await desk.see(record, purpose="intake")) == (404, "not-found")
    assert (await desk.see(record, "family_document", "intake")).content == DEED
    assert await desk.read(record, "medical_report") == {"medical_report": None}
    assert desk.sound()


async def test_other_keys_for_the_person_leave_her_files_where_they_are(till: Desk):
    record, file = await till.stored()
    officer = await till.world.person("officer")
    await till.world.association.run(lambda deed: renewing.renew_keys(deed, Errand(officer, "renew"), parse_id(record)))
    assert (await till.see(record, purpose="intake")).content == REPORT
    assert await till.read(record, "medical_report") == {"medical_report": said(REPORT, file)}
    assert till.sound()


async def test_another_associations_file_is_nobodys_here(till: Desk, tmp_path: Any):
    with world(f"sqlite:///{tmp_path / 'other.sqlite3'}", _made(tmp_path / "other"), code="other") as elsewhere:
        async with open_desk(elsewhere) as theirs:
            file = await theirs.file()
    assert unknown(await till.store(medical_report={"id": file}))


async def test_what_is_on_its_way_ends_when_she_is_locked(till: Desk):
    record, _ = await till.stored(b"%PDF- " + bytes(20 * CHUNK))
    begun = await attachments.show(await errand(till.world), of(record), lambda _: WHOLE)
    await anext(begun.pieces)
    subject = (await till.world.association.run(lambda deed: scans.stored(deed, begun.pieces.standing.scan, "record"))).subject
    assert subject is not None
    await lock(till.world, subject)
    with pytest.raises(CutShort):
        await content(begun)
    assert code(await till.see(record, purpose="intake")) == (403, "not-permitted")


def _made(folder: Any) -> Any:
    folder.mkdir()
    return folder


def of(record: str, field: str = "medical_report") -> Asked:
    """A read of one file for the system's own first day."""
    return Asked(parse_id(record), None, "intake", (field,), kind=attachments.KIND)


async def decided(world_: World, job: Errand, what: Asked) -> attachments.Decided:
    return await world_.association.run(lambda deed: attachments.decide(deed, job, what))


async def test_no_byte_leaves_before_the_commit_and_the_receipt_opens_the_one_file_once(till: Desk):
    record, _ = await till.stored()
    other, _ = await till.stored(DEED)
    job = await errand(till.world)
    one, two = [await decided(till.world, job, of(each)) for each in (record, other)]
    assert one.opening is not None
    assert two.opening is not None
    with pytest.raises(Unavailable, match="integrity"):
        give_out_scan(one.judged.appended, two.opening.sealed)
    give_out_scan(two.judged.appended, two.opening.sealed)
    with pytest.raises(Unavailable, match="integrity"):
        give_out_scan(two.judged.appended, two.opening.sealed)
    later = await attachments.show(job, of(record), lambda _: Wish(70_000, 70_009))
    assert await content(later) == REPORT[70_000:70_010]


@pytest.mark.parametrize("change", [{"evidence": None}, {"fields": ("a", "b")}, {"fields": ()}, {"basis": "none"}, {"about": ()}])
async def test_an_entry_that_does_not_say_which_file_of_which_field_opens_none(small: World, change: dict[str, Any]):
    told = Entry(
        kind=attachments.KIND,
        outcome="allow",
        actor="client:1",
        about=(About(bytes(16), bytes(16)),),
        fields=("medical_report",),
        purpose="p",
        basis="law",
        evidence="ab" * 16,
    )

    def append(deed: Any) -> None:
        opening = deed.append(told, revision=1).opens[0]
        assert (opening.fields, opening.attachment) == (frozenset(), bytes.fromhex("ab" * 16)), "a file and no cell"
        with pytest.raises(ValueError, match=r"attachment\.read"):
            deed.append(replace(told, **change), revision=1)

    await small.association.run(append)


def _swapped(connection: Any, one: bytes, two: bytes) -> None:
    """The first chunk of each in the place of the other's."""
    first = {
        each: connection.execute(select(chunk.c.sealed).where(chunk.c.evidence == each, chunk.c.number == 0)).scalar()
        for each in (one, two)
    }
    for each, others in ((one, two), (two, one)):
        connection.execute(update(chunk).where(chunk.c.evidence == each, chunk.c.number == 0).values(sealed=first[others]))


def _others(connection: Any, one: bytes, two: bytes) -> None:
    """The whole row of another's file under this one's id."""
    other = connection.execute(select(evidence).where(evidence.c.evidence == two)).one()
    connection.execute(
        update(evidence)
        .where(evidence.c.evidence == one)
        .values(subject=other.subject, wrapped=other.wrapped, header=other.header, about=other.about)
    )


def _gone(connection: Any, one: bytes, _: bytes) -> None:
    connection.execute(delete(evidence).where(evidence.c.evidence == one))


TAMPERED = {"chunks exchanged": _swapped, "another's row": _others, "the row is gone": _gone}


@pytest.mark.parametrize("case", TAMPERED)
async def test_what_the_keeper_of_the_database_moves_does_not_open_and_rings(desk: Desk, case: str):
    record, file = await desk.stored()
    _, other = await desk.stored(REPORT[:-1] + b"x")
    with altering(desk.world) as connection:
        TAMPERED[case](connection, parse_id(file), parse_id(other))
    assert code(await desk.see(record, purpose="intake")) == (503, "integrity")
    assert desk.kinds("alarm")[-1].reason == "INTEGRITY"
    assert findings(desk.world)
    if case != "chunks exchanged":
        assert code(await desk.change(record, 1, medical_report={"id": file})) == (503, "integrity")


async def test_what_the_sheet_names_and_is_not_there_or_another_persons_is_no_answer(till: Desk):
    _, others = await till.stored()
    for scan in (parse_id(others), bytes(16)):
        with pytest.raises(Unavailable, match="integrity"):
            await till.world.association.run(lambda deed, scan=scan: filing.hers(deed, bytes(16), scan))  # type: ignore[misc]


async def test_a_retired_file_that_is_put_back_is_named_and_the_new_one_stays(desk: Desk):
    record, first = await desk.stored()
    before = {table.name: rows_of(desk.world, table) for table in (evidence, chunk)}
    assert (await desk.change(record, 1, medical_report={"id": await desk.file(DEED)})).status_code == 200
    with altering(desk.world) as connection:
        for table in (evidence, chunk):
            connection.execute(insert(table), before[table.name])
    assert (await desk.see(record, purpose="intake")).content == DEED
    assert any(parse_id(first).hex() in one for one in findings(desk.world))


async def test_nothing_of_a_file_lies_in_any_file_of_the_vault(till: Desk):
    record, _ = await till.stored()
    assert CANARY in (await till.see(record, purpose="intake")).content
    for path in [one for one in till.world.folder.parent.rglob("*") if one.is_file()]:
        kept = path.read_bytes()
        assert CANARY not in kept, path.name
        assert hashlib.sha256(REPORT).digest() not in kept, path.name
        assert hashlib.sha256(REPORT).hexdigest().encode() not in kept, path.name


async def test_a_file_is_never_searchable(till: Desk):
    body = {"fields": [{**one, "searchable": one["type"] == "attachment"} for one in TYPE["fields"]]}
    answer = await till.call("PUT", "/record-types/case_file", body, who="admin")
    assert answer.status_code == 422
    assert {"field": "fields.1.searchable", "code": "low-cardinality"} in answer.json()["errors"]


async def test_the_packs_own_documents_are_stored_for_somebody_known_and_a_repeat_is_one_deed(desk: Desk):
    somebody = await store(desk.world)
    file = await desk.file()
    body = {"type": "document", "fields": {"medical_report": {"id": file}}, "subject": {"id": write_id(somebody.subject)}}
    answers = [await desk.call("POST", "/records", body, headers={"Idempotency-Key": "k" * 16}) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["subject"] == write_id(somebody.subject)
    assert (await desk.see(answers[0].json()["id"], purpose="intake")).content == REPORT
    assert desk.sound()


async def test_a_file_whose_last_answer_was_lost_is_kept_and_may_be_cited(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """It is large enough to be stored in several deeds: what the log tells of is not dropped with what did not arrive."""
    large, run, lost = REPORT + bytes(1_500_000), Association.run, list[Received]()

    async def losing(association: Association, unit: Any, *, weight: int = 1) -> Any:
        made = await run(association, unit, weight=weight)
        if isinstance(made, Received) and not lost:
            lost.append(made)
            raise Unavailable("log-unavailable")
        return made

    monkeypatch.setattr(Association, "run", losing)
    assert code(await desk.hand_in(large, key="k" * 16)) == (503, "log-unavailable")
    again = await desk.hand_in(large, key="k" * 16)
    assert (again.status_code, again.json()["id"]) == (201, write_id(lost[0].id)), again.text
    stored = await desk.store(medical_report=again.json())
    assert stored.status_code == 201, stored.text
    assert findings(desk.world) == []
