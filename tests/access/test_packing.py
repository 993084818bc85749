"""What a recipient finds in a package: values for machines, tables and pages to read, and the documents, each by an entry of its own."""

import asyncio
import csv
import io
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyrage
import pytest
import pytest_asyncio

from keys.age import AgeKey
from keys.age_packages import open_age_package
from keys.packages import read_package, require_standing
from tests.access.counter import Counter, told
from tests.access.test_attachments import DEED, REPORT, Desk, open_desk, said
from tests.breach_reports.browser import CHROMIUM, chromium, looking
from tests.household import FATIMA, store, withdraw
from vault.access import disclosures_api, enclosing
from vault.access_log.entry import Entry
from vault.web.call import parse_id

pytestmark = pytest.mark.asyncio(loop_scope="function")

FIELDS = ("document_title", "family_document", "medical_report")
TITLE = '=HYPERLINK("http://example.org") <b>تقرير</b>'
SHOTS = os.environ.get("AMANAH_TESTS_SCREENSHOTS")


class Hall:
    """A vault in which somebody's documents are to be given to a partner who has her written consent."""

    def __init__(self, desk: Desk, counter: Counter) -> None:
        self.desk, self.counter = desk, counter
        self.record = b""

    async def agreed(self, **party: Any) -> bytes:
        """A record with two documents, its person's written consent to all of it, and the partner; the consent."""
        report, deed = await self.desk.file(), await self.desk.file(DEED)
        kept = await self.desk.store(document_title=TITLE, medical_report={"id": report}, family_document={"id": deed})
        self.record = parse_id(kept.json()["id"])
        await self.counter.recipient(**party)
        self.counter.world.clock.forward(1)
        return await self.counter.shared(self.record, fields=FIELDS, explicit=True)

    async def approved(self) -> str:
        return await self.counter.approved(self.record, fields=list(FIELDS))

    def kinds(self, *kinds: str) -> list[Entry]:
        return [entry for entry in self.counter.world.entries() if entry.kind in kinds]


@pytest_asyncio.fixture
async def hall(counter: Counter) -> AsyncIterator[Hall]:
    async with open_desk(counter.world) as desk:
        yield Hall(desk, counter)


@pytest_asyncio.fixture
async def small_hall(small_counter: Counter) -> AsyncIterator[Hall]:
    async with open_desk(small_counter.world) as desk:
        yield Hall(desk, small_counter)


async def test_a_package_holds_values_tables_pages_and_documents_each_by_its_entry(hall: Hall):
    consent = await hall.agreed()
    answer = await hall.counter.package(await hall.approved())
    files = hall.counter.files(answer)
    documents = {"family_document": "files/1-family_document.png", "medical_report": "files/1-medical_report.pdf"}
    assert files.keys() == {"content.json", "case_file.csv", "page.ar.html", "page.en.html", *documents.values()}
    assert (files[documents["family_document"]], files[documents["medical_report"]]) == (DEED, REPORT)
    [record] = json.loads(files["content.json"])["records"]
    assert record["files"] == documents
    assert record["fields"]["medical_report"] == said(REPORT, record["fields"]["medical_report"]["id"])
    released, *entered = hall.kinds("disclose", "attachment.read")
    assert [(each.outcome, each.fields, each.recipient, each.purpose, each.basis) for each in entered] == [
        ("allow", (name,), "partner", "partner_sharing", "written_consent") for name in documents
    ]
    assert [each.evidence for each in entered] == [parse_id(record["fields"][name]["id"]).hex() for name in documents]
    assert {each.consents for each in (released, *entered)} == {(consent.hex(),)}
    manifest = read_package(answer.content).manifest
    listed = (await hall.counter.ask("officer", "GET", "/access-log?limit=500")).json()["items"]
    by_number = {item["index"]: item["leaf_hash"] for item in listed}
    assert len(manifest.entries) == 3
    assert [(number, by_number[number]) for number, _ in manifest.entries] == list(manifest.entries)
    for trace in (REPORT[:200], DEED[:200], "تقرير".encode()):
        assert trace not in answer.content
    assert hall.desk.sound()


async def test_the_table_is_no_formula_and_the_pages_no_markup(small_hall: Hall):
    await small_hall.agreed()
    files = small_hall.counter.files(await small_hall.counter.package(await small_hall.approved()))
    text = files["case_file.csv"].decode()
    assert text[0] == "\ufeff"
    head, row = csv.reader(io.StringIO(text[1:]))
    assert [each.rpartition(" ")[2] for each in head] == ["id", *(f"({name})" for name in FIELDS)]
    assert row[1:] == [f"'{TITLE}", "files/1-family_document.png", "files/1-medical_report.pdf"]
    for language, word in (("ar", "السند"), ("en", "Basis")):
        page = files[f"page.{language}.html"].decode()
        assert "&lt;b&gt;تقرير&lt;/b&gt;" in page
        assert f">{word}<" in page
        assert 'href="files/1-medical_report.pdf"' in page


async def test_a_date_stands_as_it_was_typed_and_an_address_in_one_line(small_counter: Counter):
    address = {"building": "7529", "street": "شارع الأمير", "district": "حي النخيل", "city": "بريدة", "postal_code": "22334"}
    kept = await store(small_counter.world, FATIMA | {"birth_date": "10 رمضان 1410", "national_address": address})
    await small_counter.recipient()
    small_counter.world.clock.forward(1)
    fields = ("birth_date", "email", "national_address")
    await small_counter.shared(kept.record, fields=fields)
    files = small_counter.files(await small_counter.package(await small_counter.approved(kept.record, fields=list(fields))))
    _, row = csv.reader(io.StringIO(files["beneficiary.csv"].decode()[1:]))
    date, email, line = row[1:]
    assert date == json.loads(files["content.json"])["records"][0]["fields"]["birth_date"]["text"]
    assert email == ""
    assert all(part in line for part in ("شارع الأمير", "بريدة", "22334"))
    assert "لا شيء مسجَّل" in files["page.ar.html"].decode()


async def test_no_file_leaves_after_a_withdrawal_that_came_between_verdict_and_bytes(hall: Hall, monkeypatch: pytest.MonkeyPatch):
    consent = await hall.agreed()
    id_ = await hall.approved()
    opened = enclosing.opened

    async def after_a_withdrawal(*given: Any) -> Any:
        await withdraw(hall.counter.world, consent)
        return await opened(*given)

    monkeypatch.setattr(enclosing, "opened", after_a_withdrawal)
    monkeypatch.setattr(disclosures_api, "packed", None)
    assert told(await hall.counter.package(id_)) == (409, "decision-stale")
    monkeypatch.undo()
    assert told(await hall.counter.package(id_)) == (409, "decision-stale")
    assert [each.outcome for each in hall.kinds("attachment.read")] == ["allow", "allow"]
    assert hall.kinds("disclose")[-1].reason == "DECISION_STALE"


async def test_more_bytes_than_a_package_takes_release_nothing(small_hall: Hall, monkeypatch: pytest.MonkeyPatch):
    await small_hall.agreed()
    id_ = await small_hall.approved()
    monkeypatch.setattr(enclosing, "MOST_BYTES", len(REPORT) + len(DEED) - 1)
    assert told(await small_hall.counter.package(id_)) == (409, "package-too-large")
    assert small_hall.kinds("disclose", "attachment.read", "disclosure.released") == []
    monkeypatch.setattr(enclosing, "MOST_BYTES", len(REPORT) + len(DEED))
    assert (await small_hall.counter.package(id_)).status_code == 200


async def test_an_authority_with_the_age_tool_gets_the_same_files(hall: Hall):
    key = AgeKey(str(pyrage.x25519.Identity.generate()))
    await hall.agreed(key={"type": "age", "public": key.public})
    answer = await hall.counter.package(await hall.approved())
    package, files = open_age_package(answer.content, key)
    signer = hall.counter.world.association.cabinet.signer
    require_standing(package, hall.counter.world.clock.now // 1_000_000, signer.vkey)
    assert package.manifest.recipient == "partner"
    assert len(package.manifest.entries) == 3
    assert files["files/1-medical_report.pdf"] == REPORT
    assert json.loads(files["content.json"])["serial"] == package.manifest.serial == 1
    assert REPORT[:200] not in answer.content


@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here (Debian package chromium)")
async def test_the_pages_are_read_from_a_folder_in_both_languages(small_hall: Hall, tmp_path: Path):
    await small_hall.agreed()
    for name, content in small_hall.counter.files(await small_hall.counter.package(await small_hall.approved())).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    await asyncio.to_thread(_look, tmp_path)


def _look(folder: Path) -> None:
    with chromium() as browser:
        for width, language in ((width, language) for width in (360, 1280) for language in ("ar", "en")):
            with looking(browser, width=width, language=language) as looked:
                looked.page.goto((folder / f"page.{language}.html").as_uri())
                if SHOTS:
                    looked.page.screenshot(path=str(Path(SHOTS) / f"package-{language}-{width}.png"), full_page=True)
                assert looked.serious() == []
                assert not looked.is_wider_than_the_window()
                assert {Path(address).suffix for address in looked.asked} <= {".html"}
                assert looked.complaints == []
                other = "en" if language == "ar" else "ar"
                looked.page.get_by_role("navigation").get_by_role("link").click()
                assert looked.page.url.endswith(f"page.{other}.html")
