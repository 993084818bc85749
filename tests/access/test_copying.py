"""A person's copy of her own data: all of hers, sealed to her key by two people, and the letter about her request."""

import json
import re
import uuid
from dataclasses import replace
from typing import Any

import pytest

from keys.age import AgeKey, new_key
from keys.age_packages import open_age_package
from tests.access.desk import written
from tests.access.erasures import erased
from tests.access.test_requests import SAID, WHY, Office, office, small_office, why
from tests.household import FATIMA, errand, grant, partner, store, withdraw
from vault.access import copying, examine
from vault.access.certificate import Told
from vault.access.contents import Enclosed
from vault.access.copy_contents import contents
from vault.access.copying import Copying
from vault.access_log.verify import snapshot
from vault.consent.history import Told as Agreed
from vault.errors import Unavailable
from vault.policy.facts import Grant
from vault.rulebook import requests
from vault.rulebook.channels import Channels

__all__ = ["office", "small_office"]
pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 24 * 3600


async def prepared(office: Office, request: str, **body: Any) -> dict[str, Any]:
    answer = await office.step(request, "copy", **body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def package(office: Office, request: str, who: str = "second_officer", code: str | None = None) -> Any:
    session = await office.world.session(who)
    return await office.post(f"/v1/requests/{request}/copy/package", {"code": code or office.world.one_time_code(who)}, session)


async def test_all_of_hers_is_sealed_to_a_key_that_one_person_shows_and_another_seals_to(office: Office):
    kept, other = await store(office.world), await store(office.world)
    consent = await grant(office.world, kept.record)
    await withdraw(office.world, consent.id)
    request = await office.checked(kept.record)
    made = await prepared(office, request)
    # Who saw the key never gets the file.
    assert why(await package(office, request, "officer"))[:2] == (403, "same-person")
    answer = await package(office, request)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
    sealed, files = open_age_package(answer.content, AgeKey(made["secret"]))
    manifest, told = sealed.manifest, json.loads(files["content.json"])
    assert (manifest.disclosure, manifest.recipient, manifest.purpose, manifest.basis) == (
        request,
        "data-subject",
        "subject_request",
        "law",
    )
    (record,) = told["records"]
    assert record["id"] == written(kept.record) != written(other.record)
    assert record["fields"]["full_name"] == FATIMA["full_name"]
    assert record["fields"]["health_note"] == FATIMA["health_note"]
    assert set(record["fields"]) == {field.name for field in (await office.world.association.book()).types["beneficiary"].fields}
    assert [(one["purpose"], one["state"]) for one in told["consents"]] == [("service_delivery", "withdrawn")]
    for language, words in (("ar", "نسخة من بياناتك الشخصية"), ("en", "A copy of your personal data")):
        page = files[f"page.{language}.html"].decode()
        assert words in page
        assert FATIMA["full_name"] in page
    # Each record is an entry of its own, before the copy's, which names the request.
    (deed,) = (await office.told(request))["deeds"]
    entries = office.world.entries()
    copied = entries[deed["entry"]]
    assert (copied.kind, copied.count, [one.key for one in copied.facts if one.kind == "rights_request"]) == (
        "request.copied",
        1,
        [uuid.UUID(request).hex],
    )
    read = next(entry for entry in reversed(entries) if entry.kind == "record.read")
    assert (read.outcome, read.purpose, read.basis, read.article, read.law) == (
        "allow",
        "subject_request",
        "law",
        "cooperative:1",
        "sa-pdpl:4",
    )
    assert "health_note" in read.fields
    assert (await office.step(request, "answer")).json()["state"] == "answered"
    assert why(await package(office, request))[:2] == (409, "request-settled")


async def test_her_own_key_is_taken_and_no_secret_is_made(small_office: Office):
    office = small_office
    kept = await store(office.world)
    secret, public = new_key()
    access = await office.checked(kept.record, "access")
    assert why(await office.step(access, "copy", key="age1nothing")) == (422, "invalid", [("key", "no-key")])
    assert why(await package(office, access))[:2] == (409, "copy-not-prepared")
    made = await prepared(office, access, key=public)
    assert (made["key"], made["secret"]) == (public, None)
    first = await package(office, access)
    assert open_age_package(first.content, AgeKey(secret))[0].manifest.serial == 1
    office.world.clock.forward(60)
    again = await package(office, access)
    assert open_age_package(again.content, AgeKey(secret))[0].manifest.serial == 2


async def test_no_copy_is_made_for_another_kind_of_request_or_before_it_is_known_who_asks(small_office: Office):
    office = small_office
    kept = await store(office.world)
    assert why(await office.step(await office.taken(kept.record), "copy")) == (409, "identity-unchecked", [])
    wrong = await office.checked(kept.record, "correction")
    assert why(await office.step(wrong, "copy")) == (422, "invalid", [("request", "request-kind")])
    assert (await office.post(f"/v1/requests/{uuid.uuid4()}/copy", {}, office.officer)).status_code == 404


async def test_of_whom_an_erasure_was_asked_for_no_copy_leaves_and_of_whom_was_erased_neither(small_office: Office):
    office = small_office
    kept, gone = await store(office.world), await store(office.world)
    request, lost = await office.checked(kept.record), await office.checked(gone.record)
    await prepared(office, request)
    await prepared(office, lost)
    body = {"reason": "طلبت", "requested_by": "self"}
    await office.post(f"/v1/records/{written(kept.record)}/erasure", body, office.officer)
    assert why(await package(office, request))[:2] == (403, "erasure-pending")
    assert office.world.entries()[-1].reason == "ERASURE_PENDING"
    office.world.clock.forward(60)
    await erased(office, gone.record)
    office.world.clock.forward(60)
    assert (await package(office, lost)).status_code == 404


async def test_the_copy_tells_who_was_given_what_and_nothing_of_a_consent_that_was_found_void(small_office: Office):
    office, world = small_office, small_office.world
    kept = await store(world)
    await partner(world)
    book = await world.association.refresh()

    job = await errand(world, await world.person("officer"))
    request = await office.checked(kept.record)
    found = await world.association.run(lambda deed: requests.of(deed, uuid.UUID(request).bytes))
    made = await world.association.run(lambda deed: copying.gather(deed, job, found))
    assert isinstance(made, Copying)
    void = Grant("0" * 32, "written", frozenset({"full_name"}), "n", "self", 0, 0, 0)
    agreed = Agreed(void, "partner_sharing", "partner", "grant", None, 1, "invalidated")
    given = [
        Told(recipient="partner", record=kept.record.hex(), at=0, index=0),
        Told(recipient="gone", record=kept.record.hex(), at=0, index=0),
    ]
    full = replace(made, agreed=[agreed, replace(agreed, purpose="gone", state="given")], given=given)
    files = contents(full, Enclosed({}, "x", Channels()))
    told = json.loads(files["content.json"])
    assert [(one["state"], one.get("stopped_at")) for one in told["consents"]] == [
        ("ended", "1970-01-01T00:00:00.000001Z"),
        ("given", "1970-01-01T00:00:00.000001Z"),
    ]
    assert [one["recipient"] for one in told["given_to"]] == ["partner", "gone"]
    assert "not in force" in files["page.en.html"].decode()
    with pytest.raises(Unavailable, match="integrity"):
        full.values()
    assert book.recipients


async def test_the_letter_says_how_it_stands_in_both_languages_with_the_statutory_words(small_office: Office):
    office = small_office
    kept = await store(office.world)

    async def letter(request: str, language: str = "ar") -> str:
        answer = await office.get(f"/v1/requests/{request}/letter", office.officer, lang=language)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        body = re.search(r"<main.*</main>", answer.text, re.DOTALL)
        assert body is not None
        assert FATIMA["full_name"] not in body[0]
        return body[0]

    request = await office.taken(kept.record)
    assert "إشعار بتسلّم طلب" in await letter(request)
    assert SAID not in await letter(request)
    await office.step(request, "extension", reason="unusual_effort", says=WHY)
    extended = await letter(request)
    assert "لأن تنفيذ الطلب يستلزم جهدًا إضافيًا غير معتاد" in extended
    assert WHY in extended
    await office.step(request, "refusal", reason="harm", says="ضرر بغيره\nوتفصيله")
    refused = await letter(request)
    assert "تقييد الوصول لازم" in refused
    assert "المادة (9) من نظام حماية البيانات الشخصية" in refused
    assert "<bdi>وتفصيله</bdi>" in refused
    assert "Article 9 of the Personal Data Protection Law" in await letter(request, "en")
    repeated = await office.taken(kept.record)
    await office.step(repeated, "refusal", reason="repetitive", says=WHY)
    assert "Article 3 of the Implementing Regulation" in await letter(repeated, "en")
    correction = await office.checked(kept.record, "correction")
    await office.correct(kept.record, correction)
    await office.step(correction, "answer")
    answered = await letter(correction)
    assert "صُحّحت بياناتكم الشخصية" in answered
    assert "تصحيح أو إتمام" in answered
    assert "خلال تسعين يومًا" in answered
    back = await office.taken(kept.record)
    await office.step(back, "taking-back")
    assert "دوّنّا سحبكم" in await letter(back)
    assert office.world.entries()[-1].kind == "request.read"


async def test_doctor_names_the_requests_that_are_past_due(small_office: Office):
    office, world = small_office, small_office.world
    kept = await store(world)
    late, settled = await office.taken(kept.record), await office.taken(kept.record)
    await office.step(settled, "taking-back")

    def findings() -> list[str]:
        with snapshot(world.database, world.association.id) as connection:
            return list(examine.unanswered(connection, world.association.cabinet, world.association.id, world.clock.now))

    assert findings() == []
    world.clock.forward(30 * DAY)
    (line,) = findings()
    assert line.startswith(f"request {uuid.UUID(late).hex}: copy, its answer was due on 2026-01-31")
