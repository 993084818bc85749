"""Two records of one person: asked for by one, approved by another, and from then on one word for both."""

from typing import Any

import pytest
from sqlalchemy import select

from tests.consent.counter import Counter
from tests.household import findings
from vault.reclosing import reclose
from vault.storage.journal import Closing
from vault.subjects import people, tables
from vault.subjects.sheet import encode

pytestmark = pytest.mark.asyncio(loop_scope="function")
NOBODY = "00000000-0000-4000-8000-000000000000"


async def merged(counter: Counter, kept: str, absorbed: str) -> dict[str, Any]:
    """Two records made one person's."""
    asked = await counter("officer", "POST", "/merges", {"kept": kept, "absorbed": absorbed, "reason": "same identity card"})
    assert (asked.status_code, asked.json()["state"]) == (201, "requested"), asked.text
    answer = await counter.coded("second_officer", "POST", f"/merges/{asked.json()['id']}/approval")
    assert (answer.status_code, answer.json()["state"]) == (200, "approved"), answer.text
    told: dict[str, Any] = answer.json()
    return told


async def sheets_are_what_their_events_give(counter: Counter) -> int:
    """Every sheet rebuilt from its history has the bytes of the live one; how many there are."""

    def unit(deed: Any) -> int:
        place = tables.sheet.c
        subjects = (
            deed.transaction.connection.execute(select(place.subject).where(place.association_id == deed.association)).scalars().all()
        )
        for subject in subjects:
            known = people.of_subject(deed, bytes(subject))
            rebuilt = people.rebuild(people.history(deed, known))
            assert rebuilt is not None
            assert known.sheet is not None
            assert encode(rebuilt) == encode(known.sheet)
        return len(subjects)

    return int(await counter.world.association.run(unit))


async def test_the_stricter_of_both_holds_and_a_later_word_through_one_record_is_one_for_both(counter: Counter):
    one, other = [(await counter.store(national_id=number)) for number in ("1000000008", "1000000016")]
    first, second = one["id"], other["id"]
    await counter.grant(first)
    await counter.grant(second, "sms_offers")
    gone = await counter.grant(second)
    counter.world.clock.forward(5)
    await counter("key", "POST", f"/consents/{gone}/withdrawal", {"given_by": "self"})
    assert await counter.reason(first) == "CONSENT_OK"
    await merged(counter, first, second)
    assert [await counter.reason(each) for each in (first, second)] == ["CONSENT_WITHDRAWN"] * 2
    # What one of them never heard of is as the other has it.
    assert [await counter.reason(each, "sms_offers", who="key") for each in (first, second)] == ["CONSENT_OK"] * 2
    counter.world.clock.forward(5)
    await counter.grant(first)
    assert [await counter.reason(each) for each in (first, second)] == ["CONSENT_OK"] * 2
    counter.world.clock.forward(5)
    listed = (await counter.consents(second))["items"]
    newest = max(listed, key=lambda each: each["recorded_at"])["id"]
    await counter("key", "POST", f"/consents/{newest}/withdrawal", {"given_by": "self"})
    assert [await counter.reason(each) for each in (first, second)] == ["CONSENT_WITHDRAWN"] * 2
    assert await sheets_are_what_their_events_give(counter) == 2
    assert findings(counter.world) == []
    subjects = [each["subject"].replace("-", "") for each in (one, other)]
    assert Closing("merge", *subjects) in [line.closing for line in counter.world.association.log.journal.lines()]
    entry = next(each for each in counter.world.entries() if each.kind == "merge.approved")
    assert {about.subject.hex() for about in entry.about} == set(subjects)


async def test_a_merge_takes_two_people(till: Counter):
    first, second = [(await till.store(national_id=number))["id"] for number in ("1000000008", "1000000016")]
    body = {"kept": first, "absorbed": second, "reason": "same identity card"}
    asked = (await till("officer", "POST", "/merges", body, key="m" * 20)).json()
    assert (await till("officer", "POST", "/merges", body, key="m" * 20)).json() == asked
    await till.grant(first)
    same = await till.coded("officer", "POST", f"/merges/{asked['id']}/approval")
    assert (same.status_code, same.json()["code"]) == (403, "same-person")
    without = await till("second_officer", "POST", f"/merges/{asked['id']}/approval")
    assert (without.status_code, without.json()["code"]) == (403, "step-up-required")
    assert await till.reason(second) == "NO_CONSENT"
    (listed,) = (await till("second_officer", "GET", "/merges")).json()["items"]
    assert (listed["kept"], listed["absorbed"], listed["state"], listed["reason"]) == (first, second, "requested", "same identity card")
    assert (await till.coded("second_officer", "POST", f"/merges/{asked['id']}/approval")).status_code == 200
    assert await till.reason(second) == "CONSENT_OK"
    assert (await till.coded("second_officer", "POST", f"/merges/{asked['id']}/approval")).status_code == 409


async def test_what_cannot_be_merged_is_said(till: Counter):
    first, second = [(await till.store(national_id=number))["id"] for number in ("1000000008", "1000000016")]
    for body, status in (
        ({"kept": first, "absorbed": first}, 422),
        ({"kept": first, "absorbed": NOBODY}, 404),
        ({"kept": "x", "absorbed": second}, 422),
        ({"kept": first, "absorbed": second, "reason": "   "}, 422),
    ):
        answer = await till("officer", "POST", "/merges", {"reason": "same card", **body})
        assert answer.status_code == status, answer.text
    assert (await till.coded("officer", "POST", f"/merges/{NOBODY}/approval")).status_code == 404
    await merged(till, first, second)
    again = await till("officer", "POST", "/merges", {"kept": second, "absorbed": first, "reason": "same card"})
    assert again.json()["errors"] == [{"field": "absorbed", "code": "same-subject"}]


async def test_three_records_of_one_person_are_all_one_whichever_way_they_are_joined(till: Counter):
    kept = [await till.store(national_id=number) for number in ("1000000008", "1000000016", "1000000024")]
    first, second, third = (each["id"] for each in kept)
    await merged(till, first, second)
    await merged(till, third, second)
    consent = await till.grant(third)
    assert [await till.reason(each) for each in (first, second, third)] == ["CONSENT_OK"] * 3
    till.world.clock.forward(5)
    await till("key", "POST", f"/consents/{consent}/withdrawal", {"given_by": "self"})
    assert [await till.reason(each) for each in (first, second, third)] == ["CONSENT_WITHDRAWN"] * 3
    # A birth date told of one record is the person's: under age, her own word counts no more.
    till.world.clock.forward(5)
    await till.grant(first)
    shown = await till("key", "GET", f"/records/{second}?purpose=service_delivery&fields=mobile")
    assert shown.status_code == 200
    changed = await till.http.request(
        "PATCH",
        f"/v1/records/{third}",
        json={"fields": {"birth_date": "2020-01-01"}},
        headers={"Authorization": f"Bearer {till.tokens['key']}", "If-Match": '"1"'},
    )
    assert changed.status_code == 200, changed.text
    assert [await till.reason(each) for each in (first, second, third)] == ["NO_CAPACITY"] * 3
    assert await sheets_are_what_their_events_give(till) == 3


async def test_a_merge_that_only_the_journal_knows_is_made_again(till: Counter):
    kept = [await till.store(national_id=number) for number in ("1000000008", "1000000016")]
    first, second = (each["id"] for each in kept)
    subjects = [each["subject"].replace("-", "") for each in kept]
    await till.grant(first)
    await till.grant(second)
    till.world.clock.forward(5)
    journal = till.world.association.log.journal
    journal.append(
        10**6, till.world.clock.now, [Closing("merge", *subjects), Closing("withdrawal", subjects[0], "service_delivery|INTERNAL")]
    )
    journal.append(10**6, till.world.clock.now, [Closing("merge", subjects[0], "0" * 32)])
    till.world.clock.forward(1)
    assert reclose(till.world.association, till.world.clock) == 2
    assert reclose(till.world.association, till.world.clock) == 0
    assert [await till.reason(each) for each in (first, second)] == ["CONSENT_WITHDRAWN"] * 2


async def test_who_recorded_a_guardian_does_not_verify_him_through_another_record_of_hers(counter: Counter):
    minor, twin, uncle = [await counter.store("2015-01-01", number) for number in ("1000000008", "1000000016", "1000000024")]
    guardian = uncle["subject"]
    told = {"guardian": guardian, "kind": "wasi", "deed": "صك 4471"}
    assert (await counter("officer", "POST", f"/records/{minor['id']}/guardians", told)).status_code == 201
    await counter.grant(minor["id"], given_by=guardian)
    await merged(counter, minor["id"], twin["id"])
    assert [await counter.reason(each["id"]) for each in (minor, twin)] == ["GUARDIANSHIP_UNVERIFIED"] * 2
    seen = {"result": "verified", "sighted": "original"}
    for each in (minor, twin):
        same = await counter("officer", "POST", f"/records/{each['id']}/guardians/{guardian}/verification", {**seen, "deed": "صك 4471"})
        assert (same.status_code, same.json()["code"]) == (403, "same-person")
    assert [await counter.reason(each["id"]) for each in (minor, twin)] == ["GUARDIANSHIP_UNVERIFIED"] * 2
    # Another sees the deed that the record of it names, whichever sheet has it.
    other = await counter("second_officer", "POST", f"/records/{twin['id']}/guardians/{guardian}/verification", seen)
    assert other.status_code == 201, other.text
    assert [await counter.reason(each["id"]) for each in (minor, twin)] == ["CONSENT_OK"] * 2


async def test_who_took_capacity_does_not_give_it_back_through_another_record_of_hers(counter: Counter):
    first, second = [(await counter.store(national_id=number))["id"] for number in ("1000000008", "1000000016")]
    # Before, the other record was under an interdiction that another person ended.
    assert (await counter("officer", "POST", f"/records/{second}/interdiction", {"on": True, "judgment": "صك حجر 70"})).status_code == 201
    lifted = await counter.coded("second_officer", "POST", f"/records/{second}/interdiction", on=False, judgment="رفع الحجر")
    assert lifted.status_code == 201, lifted.text
    counter.world.clock.forward(60)
    taken = await counter("officer", "POST", f"/records/{first}/interdiction", {"on": True, "judgment": "صك حجر 77"})
    assert taken.status_code == 201
    await merged(counter, first, second)
    counter.world.clock.forward(60)
    for each in (first, second):
        same = await counter.coded("officer", "POST", f"/records/{each}/interdiction", on=False, judgment="رفع الحجر")
        assert (same.status_code, same.json()["code"]) == (403, "same-person")
        counter.world.clock.forward(60)
    other = await counter.coded("second_officer", "POST", f"/records/{second}/interdiction", on=False, judgment="رفع الحجر")
    assert other.status_code == 201, other.text
