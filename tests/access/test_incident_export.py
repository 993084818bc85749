"""An incident as one file: signed, the same bytes each time, checked without the vault, with nothing of its reporters in it."""

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
import sqlalchemy

from keys.bundles import bundle, sums, unbundled
from keys.notes import Signer
from keys.secret import Secret
from tests.access.test_incident_evidence import question, two_read
from tests.breach_reports.desk import NARRATIVE
from tests.breach_reports.incident_desk import PARTS, SUMMARY
from tests.breach_reports.notices import person
from tests.household import FATIMA
from tests.simulator import START, World
from vault.access import incident_bundle, incident_export
from vault.access.incident_bundle import Checked, checked
from vault.access.incident_evidence_api import EVIDENCE_ROUTES
from vault.access.incident_export_api import export_routes
from vault.access.proof_bundle import ProofRefused
from vault.breach_reports import (
    authority_notice,
    authority_notices,
    incident_file,
    incidents,
    intake,
    people_notices,
    service,
    tombstones,
)
from vault.breach_reports.authority_notice import Words
from vault.breach_reports.exclusion import Wish
from vault.breach_reports.incident_shapes import IncidentFact
from vault.breach_reports.incidents import Filing, Opening, Proposing
from vault.breach_reports.intake import Arriving, Told
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.people_notices import Wording
from vault.reclosing import close
from vault.rulebook.asker import Errand, Stranger
from vault.rulebook.channels import Channels, Name
from vault.storage.journal import Closing, Line

pytestmark = pytest.mark.asyncio(loop_scope="function")
CONTACT = "0559876543"
REASONS = "لم يكتمل حصر المتأثرين"


async def reported(world: World) -> bytes:
    """The id of a report with everything a reporter could be known by, which somebody looks at."""
    stranger = Errand(Stranger(world.association, "reporter"), "request-1")
    told = Told("published_without_consent", NARRATIVE, "ar", "", CONTACT, Wish())
    await world.association.run(lambda deed: intake.receive(deed, stranger, told, Arriving(), None))
    job = Errand(await world.person("officer"), "request-1")
    known = [fact for entry in world.entries() for fact in entry.facts if fact.kind == "breach_report"]
    report = bytes.fromhex(known[-1].key)
    await world.association.run(lambda deed: service.acknowledge(deed, job, report))
    return report


async def lived(world: World) -> str:
    """The id of an incident in which everything happened once that a file tells of."""
    report, extra = await reported(world), await reported(world)
    job, second = Errand(await world.person("officer"), "request-1"), Errand(await world.person("second_officer"), "request-2")
    run = world.association.run
    fact = await run(lambda deed: incidents.open_(deed, job, Opening(SUMMARY, (report, extra), START - HOUR), None))
    id_ = bytes.fromhex(fact.id)
    await run(lambda deed: incidents.unlink(deed, job, id_, extra, PARTS))
    await run(lambda deed: incidents.move(deed, job, id_, "confirmed", PARTS))
    await run(lambda deed: incidents.assess(deed, job, id_, ("yes", "no"), ""))
    await run(lambda deed: incidents.propose(deed, second, id_, Proposing("awareness", PARTS, to=START - HOUR)))
    world.clock.forward(74 * 3600)
    job = Errand(await world.person("officer"), "request-3")
    filing = Filing("authority", world.clock.now, "R-17", late_reason=PARTS)
    await run(lambda deed: incidents.file(deed, job, id_, filing))
    await run(lambda deed: incidents.file(deed, job, id_, Filing("people", world.clock.now)))
    await run(lambda deed: incidents.reopen(deed, job, id_, "people", PARTS))
    return str(uuid.UUID(bytes=id_))


async def call(world: World, method: str, path: str, body: Any = None, who: str = "officer") -> Any:
    told = {"Authorization": f"Bearer {await world.session(who)}"}
    names = {world.code: Channels(name=Name(ar="جمعية البر المثالية", en="Example Charity"))}
    async with world.front(*EVIDENCE_ROUTES, *export_routes(names)) as http:
        return await http.request(method, f"/v1/incidents/{path}", json=body, headers=told)


async def exported(world: World, id_: str) -> bytes:
    answer = await call(world, "GET", f"{id_}/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith('attachment; filename="IN-2026-')
    content: bytes = answer.content
    return content


async def with_evidence(world: World) -> tuple[str, dict[str, Any]]:
    await two_read(world)
    id_ = await lived(world)
    told = await call(world, "POST", f"{id_}/evidence", await question(world))
    assert told.status_code == 201
    return id_, told.json()


async def test_hashes_match_the_same_incident_gives_the_same_bytes_and_its_holder_checks_it_alone(vault: World):
    id_, evidence = await with_evidence(vault)
    content = await exported(vault, id_)
    vault.clock.forward(3600)
    assert await exported(vault, id_) == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        listed = {line[66:]: line[:64] for line in archive.read("SHA256SUMS").decode().splitlines()}
        assert listed == {name: sha256(archive.read(name)).hexdigest() for name in archive.namelist() if name != "SHA256SUMS"}
        manifest = archive.read("manifest.txt").decode()
        assert all(f"{hashed}  {name}\n" in manifest for name, hashed in listed.items() if name != "manifest.txt")
        told = json.loads(archive.read("incident.json"))
        people = json.loads(archive.read(f"evidence-{evidence['id']}.people.json"))
    assert [entry.kind for entry in vault.entries()].count("incident.exported") == 2
    entry = vault.entries()[-1]
    assert (entry.basis, entry.fields, entry.law) == (
        "law",
        ("authority_notice", "note", "people_notice", "reason", "summary"),
        "sa-pdpl:20",
    )
    assert (told["incident"]["summary"], told["incident"]["authority"]["reference"]) == (SUMMARY, "R-17")
    assert (told["evidence"][0]["people"], len(people)) == (2, 2)
    found = checked(content, vault.association.cabinet.signer.vkey)
    assert found == Checked(told["incident"]["reference"], "confirmed", 1, evidence["entries"])


async def test_it_holds_every_notice_with_its_words_and_what_became_of_each_letter(vault: World):
    id_ = await lived(vault)
    incident, run = uuid.UUID(id_).bytes, vault.association.run
    job, second = Errand(await vault.person("officer"), "request-4"), Errand(await vault.person("second_officer"), "request-5")
    content = authority_notice.Content(description=Words(PARTS, "What happened"), people=2, told="not_yet")
    drafted = await run(lambda deed: authority_notices.draft(deed, job, incident, content))
    number = drafted.notices[-1].part
    supplement = authority_notices.Filing(vault.clock.now, "R-18", partial=True, reasons=REASONS)
    await run(lambda deed: authority_notices.file(deed, job, incident, number, supplement))
    await run(lambda deed: authority_notices.draft(deed, second, incident, authority_notice.Content()))
    wording = Wording(**{name: Words(f"{PARTS} {name}") for name in people_notices.PARTS})
    people = (await run(lambda deed: people_notices.draft(deed, job, incident, wording))).people_notices[-1].part
    records = [bytes.fromhex((await person(vault, number)).replace("-", "")) for number in (1, 2)]
    await run(lambda deed: people_notices.list_(deed, job, incident, people, records))
    before = await exported(vault, id_)
    assert await exported(vault, id_) == before
    entry = vault.entries()[-1]
    assert (entry.kind, entry.fields) == ("incident.exported", ("authority_notice", "note", "people_notice", "reason", "summary"))
    files = unbundled(before)
    told = json.loads(files["incident.json"])
    first, draft = told["authority_notices"]
    assert (first["description"], first["people"], first["reasons"]) == ({"ar": PARTS, "en": "What happened"}, 2, REASONS)
    assert (first["reference"], first["kind"], first["partial"], first["complete"]) == ("R-18", "supplement", True, False)
    assert (draft.get("filed_at"), draft["description"], len(draft["gaps"])) == (None, {"ar": "", "en": ""}, len(authority_notice.MEMBERS))
    (notice,) = told["people_notices"]
    assert {name: notice[name]["ar"] for name in people_notices.PARTS} == {name: f"{PARTS} {name}" for name in people_notices.PARTS}
    assert (notice["people"], notice["waiting"], notice["counts"]) == (2, 2, {"listed": 2})
    assert [each["record"] for each in notice["letters"]] == [str(uuid.UUID(bytes=each)) for each in records]
    assert all(canary not in before for canary in (b"example.org", FATIMA["full_name"].encode()))
    arabic, english = (files[f"page.{language}.html"].decode() for language in ("ar", "en"))
    assert all(words in arabic for words in ("الإشعارات إلى الجهة المختصة", "بانتظار الإرسال: 2", PARTS))
    assert all(words in english for words in ("Notices to the people", "to be sent: 2", "R-18", "What happened"))


async def test_the_pages_tell_it_in_both_languages_in_riyadhs_time(vault: World):
    id_, _ = await with_evidence(vault)
    files = unbundled(await exported(vault, id_))
    arabic, english = (files[f"page.{language}.html"].decode() for language in ("ar", "en"))
    assert 'dir="rtl"' in arabic
    assert all(
        words in arabic for words in ("جمعية البر المثالية", SUMMARY, "أُشعرت الجهة المختصة بعد انتهاء المهلة", "أدلة من سجل الاطلاع")
    )
    assert all(words in english for words in ("Example Charity", "Authority told too late", "Track reopened", "R-17", "Report unlinked"))
    assert "4 January 2026, 05:01" in english, "74 hours from midnight UTC, on the clocks of Riyadh"
    assert "default-src &#39;none&#39;" in english


async def test_nothing_a_reporter_could_be_known_by_is_in_it(vault: World):
    id_, _ = await with_evidence(vault)
    content = await exported(vault, id_)
    receipts = [fact for entry in vault.entries() for fact in entry.facts if fact.kind == "breach_report"]
    for needle in (CONTACT, NARRATIVE, *(each.key for each in receipts)):
        assert needle.encode() not in content, needle
    told = json.loads(unbundled(content)["incident.json"])
    assert set(told["reports"][0]) == {
        *("reference", "category", "channel", "state", "finding", "received_at", "acknowledged_at", "triaged_at", "files")
    }


async def test_an_incident_without_reports_or_evidence_is_exported_as_it_is(small: World):
    job = Errand(await small.person("officer"), "request-1")
    fact = await small.association.run(lambda deed: incidents.open_(deed, job, Opening(SUMMARY), None))
    content = await exported(small, str(uuid.UUID(fact.id)))
    assert checked(content, small.association.cabinet.signer.vkey) == Checked(fact.reference, "suspected", 0, 0)
    assert "None" in unbundled(content)["page.en.html"].decode()


async def test_a_report_that_a_restore_destroyed_again_is_left_out(small: World):
    """The copy still links it, and its tombstone came with the journal."""
    id_ = await lived(small)
    [report] = (await incident_of(small, id_)).reports
    detail = "|".join(("report", "00" * 16, str(START), "linked"))
    line = Line(1_000_000, START, Closing(tombstones.JOURNAL, report, detail))
    assert await small.association.run(lambda deed: close(deed, association=small.association, line=line)) == 1
    content = await exported(small, id_)
    assert json.loads(unbundled(content)["incident.json"])["reports"] == []


async def incident_of(world: World, id_: str) -> IncidentFact:
    return (await world.association.run(lambda deed: incident_file.load(deed, uuid.UUID(id_).bytes))).fact


async def test_whom_it_excludes_gets_no_file(small: World):
    id_ = await lived(small)
    job, officer = Errand(await small.person("second_officer"), "request-1"), uuid.UUID((await small.person("officer")).id).bytes
    await small.association.run(lambda deed: incidents.exclude(deed, job, uuid.UUID(id_).bytes, officer))
    answer = await call(small, "GET", f"{id_}/export")
    assert (answer.status_code, answer.json()["code"], small.entries()[-1].reason) == (403, "excluded", "EXCLUDED")


async def test_more_than_a_file_holds_is_refused(small: World, monkeypatch: pytest.MonkeyPatch):
    id_, _ = await with_evidence(small)
    monkeypatch.setattr(incident_export, "MOST_ROWS", 1)
    assert (await call(small, "GET", f"{id_}/export")).status_code == 422
    monkeypatch.undo()
    monkeypatch.setattr("keys.bundles.LARGEST", 10)
    assert (await call(small, "GET", f"{id_}/export")).status_code == 422


async def test_an_entry_altered_in_the_database_leaves_in_no_file(small: World):
    id_, _ = await with_evidence(small)
    with small.database.connect() as connection, connection.begin():
        connection.execute(sqlalchemy.text("UPDATE access_log_entry SET body = x'7b7d' WHERE kind = 'record.read'"))
    assert (await call(small, "GET", f"{id_}/export")).json()["code"] == "integrity"


def changed(content: bytes, change: Callable[[dict[str, bytes]], None], signer: Signer | None = None) -> bytes:
    """The file with something changed in it, signed anew where somebody signs."""
    files = unbundled(content)
    manifest = files.pop("manifest.txt")
    change(files)
    if signer is not None:
        manifest = signer.sign(f"amanah incident export 1\n{sums(files).decode()}").encode()
    return bundle({**files, "manifest.txt": manifest})


async def test_a_file_that_was_altered_is_refused_and_says_how(small: World):
    id_, _ = await with_evidence(small)
    content, signer = await exported(small, id_), small.association.cabinet.signer

    def reworded(files: dict[str, bytes]) -> None:
        files["incident.json"] = files["incident.json"].replace(b"R-17", b"R-18")

    def unproven(files: dict[str, bytes]) -> None:
        name = next(name for name in files if name.endswith(".entries.jsonl"))
        files[name] = files[name].replace(b"full_name", b"fill_name")

    def another_root(files: dict[str, bytes]) -> None:
        name = next(name for name in files if name.endswith(".checkpoint"))
        files[name] = b"another\n"

    stranger = Signer(signer.vkey.partition("+")[0], Secret(bytes(32)))
    for altered, code in (
        (content[:-2000], "proof-malformed"),
        (bundle({"incident.json": b"{}"}), "proof-malformed"),
        (changed(content, reworded), "proof-altered"),
        (changed(content, reworded, stranger), "proof-signature"),
        (changed(content, unproven, signer), "proof-unproven"),
        (changed(content, another_root, signer), "proof-unproven"),
    ):
        with pytest.raises(ProofRefused, match=code):
            checked(altered, signer.vkey)


async def test_only_so_many_entries_come_with_their_proof(small: World, monkeypatch: pytest.MonkeyPatch):
    id_, evidence = await with_evidence(small)
    monkeypatch.setattr(incident_bundle, "MOST_PROOFS", 2)
    content = await exported(small, id_)
    assert checked(content, small.association.cabinet.signer.vkey).entries == 2
    people = json.loads(unbundled(content)[f"evidence-{evidence['id']}.people.json"])
    assert sum(len(each["entries"]) for each in people) == evidence["entries"]
