"""Who speaks for whom: guardians and their deeds, majority, interdiction, death, and guardians who contradict each other."""

from typing import Any

import pytest

from tests.consent.counter import Counter
from tests.household import findings
from tests.simulator import SECOND
from vault.consent.capacity import DAY
from vault.policy.facts import NEVER
from vault.reclosing import reclose
from vault.storage.journal import Closing
from vault.subjects import people
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
NOBODY = "00000000-0000-4000-8000-000000000000"
# Eighteen Hijri years after it is 2026-04-25 (Umm al-Qura as printed), some months into the life of the world of the tests.
BORN = "2008-11-06"


async def appointed(counter: Counter, record: str, guardian: str, *, kind: str = "wali", verified: bool = True, **more: Any) -> None:
    """A guardian, recorded by the system and seen by the officer."""
    answer = await counter("key", "POST", f"/records/{record}/guardians", {"guardian": guardian, "kind": kind, **more})
    assert (answer.status_code, answer.json()) == (201, {"state": "awaiting-verification"}), answer.text
    if verified:
        seen = await counter(
            "officer", "POST", f"/records/{record}/guardians/{guardian}/verification", {"result": "verified", "sighted": "original"}
        )
        assert (seen.status_code, seen.json()) == (201, {"state": "verified"}), seen.text


async def family(counter: Counter) -> tuple[dict[str, Any], dict[str, Any]]:
    """A minor and her father, both known."""
    return await counter.store(BORN), await counter.store(national_id="1000000016")


async def capacity(counter: Counter, record: str) -> dict[str, Any]:
    answer = await counter("officer", "GET", f"/records/{record}/capacity")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_guardian_counts_once_a_second_person_has_seen_the_deed(counter: Counter):
    minor, father = await family(counter)
    record, guardian = minor["id"], father["subject"]
    await appointed(counter, record, guardian, kind="wasi", verified=False)
    await counter.grant(record, given_by=guardian)
    assert (await counter.reason(record), await counter.reason(record, who="key")) == ("GUARDIANSHIP_UNVERIFIED", "NOT_PERMITTED")
    path = f"/records/{record}/guardians/{guardian}/verification"
    # One appointed by a father's will shows the will.
    lacks = await counter("officer", "POST", path, {"result": "verified", "sighted": "original"})
    assert (lacks.status_code, lacks.json()["errors"]) == (422, [{"field": "deed", "code": "missing"}])
    seen = await counter("officer", "POST", path, {"result": "verified", "sighted": "original", "deed": "صك 4471"})
    assert seen.json() == {"state": "verified"}
    assert await counter.reason(record) == "CONSENT_OK"
    told = await capacity(counter, record)
    assert told["state"] == "minor"
    assert [(each["guardian"], each["kind"], each["state"]) for each in told["guardians"]] == [(guardian, "wasi", "in-office")]
    assert told["given_by_guardians"] == [{"purpose": "service_delivery", "recipient": "INTERNAL"}]
    again = await counter("officer", "POST", path, {"result": "verified", "sighted": "original"})
    assert (again.status_code, again.json()["code"]) == (409, "guardian-settled")
    kinds = [entry.kind for entry in counter.world.entries() if entry.kind.startswith(("guardian.", "capacity."))]
    assert kinds == ["guardian.recorded", "guardian.verified", "capacity.read"]
    assert findings(counter.world) == []


async def test_who_recorded_a_guardian_does_not_verify_him(till: Counter):
    minor, father = await family(till)
    record, guardian = minor["id"], father["subject"]
    answer = await till("officer", "POST", f"/records/{record}/guardians", {"guardian": guardian, "kind": "wali"})
    assert answer.status_code == 201
    path = f"/records/{record}/guardians/{guardian}/verification"
    same = await till("officer", "POST", path, {"result": "verified", "sighted": "copy"})
    assert (same.status_code, same.json()["code"], same.json()["article"]) == (403, "same-person", "cooperative:7")
    system = await till("key", "POST", path, {"result": "verified", "sighted": "copy"})
    assert (system.status_code, system.json()["code"]) == (403, "out-of-scope")


async def test_a_rejected_guardian_is_none(till: Counter):
    minor, father = await family(till)
    record, guardian = minor["id"], father["subject"]
    await appointed(till, record, guardian, verified=False)
    path = f"/records/{record}/guardians/{guardian}/verification"
    seen = await till("officer", "POST", path, {"result": "rejected", "sighted": "original"})
    assert seen.json() == {"state": "rejected"}
    answer = await till("key", "POST", f"/records/{record}/consents", await till.body(given_by=guardian))
    assert (answer.status_code, answer.json()["code"]) == (403, "guardian-removed")
    # With papers that hold he may be recorded anew.
    await appointed(till, record, guardian)
    await till.grant(record, given_by=guardian)
    assert await till.reason(record) == "CONSENT_OK"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"guardian": NOBODY}, 422, "invalid"),
        ({"guardian": "my uncle"}, 422, "invalid"),
        ({"kind": "uncle"}, 422, "invalid"),
        ({"valid_to": "2020-01-01T00:00:00Z"}, 422, "invalid"),
        ({"deed": " "}, 422, "invalid"),
        ({"guardian": "self"}, 422, "invalid"),
        ({}, 409, "guardian-known"),
    ],
)
async def test_a_guardian_who_cannot_be_one_is_not_recorded(till: Counter, change: dict[str, Any], status: int, code: str):
    minor, father = await family(till)
    await appointed(till, minor["id"], father["subject"])
    body = {"guardian": minor["subject"] if change == {"guardian": "self"} else father["subject"], "kind": "wali"}
    body |= {} if change == {"guardian": "self"} else change
    answer = await till("key", "POST", f"/records/{minor['id']}/guardians", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_one_removed_for_cause_takes_what_he_gave_along_and_one_replaced_leaves_it(counter: Counter):
    minor, father = await family(counter)
    record, guardian = minor["id"], father["subject"]
    await appointed(counter, record, guardian)
    await counter.grant(record, given_by=guardian)
    counter.world.clock.forward(5)
    path = f"/records/{record}/guardians/{guardian}/end"
    answer = await counter("officer", "POST", path, {"reason": "replaced by the court"})
    assert answer.json() == {"state": "over"}
    assert await counter.reason(record) == "CONSENT_OK"
    former = await counter("key", "POST", f"/records/{record}/consents", await counter.body(given_by=guardian))
    assert (former.status_code, former.json()["code"]) == (403, "guardian-removed")
    assert (await counter("officer", "POST", path, {"reason": "misuse of money", "for_cause": True})).json() == {"state": "removed"}
    assert await counter.reason(record) == "GUARDIAN_REMOVED"
    again = await counter("key", "POST", f"/records/{record}/guardians", {"guardian": guardian, "kind": "wali"})
    assert (again.status_code, again.json()["code"]) == (409, "guardian-known")
    assert [one["state"] for one in (await capacity(counter, record))["guardians"]] == ["removed"]
    subject, his = minor["subject"].replace("-", ""), guardian.replace("-", "")
    lines = [line.closing for line in counter.world.association.log.journal.lines()]
    assert lines == [Closing("guardian", subject, his), Closing("guardian", subject, f"{his}|for-cause")]
    nobody = await counter("officer", "POST", f"/records/{record}/guardians/{NOBODY}/end", {"reason": "custody moved"})
    assert nobody.status_code == 404


async def test_two_guardians_who_contradict_each_other_decide_nothing(till: Counter):
    minor, father = await family(till)
    other = await till.store(national_id="1000000024")
    record = minor["id"]
    await appointed(till, record, father["subject"])
    await appointed(till, record, other["subject"], kind="custodian", deed="صك حضانة 12")
    no = {"purpose": "service_delivery", "given_by": other["subject"], "indicated_at": write_time(till.world.clock.now)}
    await till("key", "POST", f"/records/{record}/refusals", no)
    till.world.clock.forward(5)
    await till.grant(record, given_by=father["subject"])
    assert await till.reason(record) == "GUARDIAN_CONFLICT"
    told = await capacity(till, record)
    assert told["in_conflict"] == [{"purpose": "service_delivery", "recipient": "INTERNAL"}]
    await till("officer", "POST", f"/records/{record}/guardians/{other['subject']}/end", {"reason": "custody moved"})
    assert await till.reason(record) == "CONSENT_OK"
    assert (await capacity(till, record))["in_conflict"] == []


async def test_on_the_day_of_eighteen_hijri_years_she_speaks_for_herself_and_confirms_what_was_given(counter: Counter):
    world = counter.world
    minor, father = await family(counter)
    record, guardian = minor["id"], father["subject"]
    await appointed(counter, record, guardian)
    consent = await counter.grant(record, given_by=guardian)
    told = await capacity(counter, record)
    day = told["full_capacity_from"]
    assert day == "2026-04-24T21:00:00Z"  # midnight in Riyadh
    early = await counter("key", "POST", f"/consents/{consent}/confirmation", await counter.again())
    assert (early.status_code, early.json()["code"]) == (409, "nothing-to-confirm")
    # Ahead of the day she stands in the list, with what there is to confirm.
    assert (await counter("officer", "GET", "/majorities?within_days=30")).json()["items"] == []
    (item,) = (await counter("officer", "GET", "/majorities?within_days=120")).json()["items"]
    assert (item["record"], item["days"], item["full_capacity_from"]) == (record, 113, day)
    assert item["reaffirm"] == [{"purpose": "service_delivery", "recipient": "INTERNAL"}]
    world.clock.now += 113 * DAY + 21 * 3600 * SECOND - 1
    del counter.tokens["officer"]  # no session lasts that long
    assert await counter.reason(record) == "CONSENT_OK"
    world.clock.now += 1
    assert await counter.reason(record) == "REAFFIRMATION_REQUIRED"
    assert (await capacity(counter, record))["state"] == "adult"
    (item,) = (await counter("officer", "GET", "/majorities")).json()["items"]
    assert item["days"] == 0
    # The former guardian neither gives nor takes back.
    for path, body in (
        (f"/records/{record}/consents", await counter.body(given_by=guardian)),
        (f"/consents/{consent}/withdrawal", {"given_by": guardian}),
        (f"/consents/{consent}/renewal", await counter.again(given_by=guardian)),
    ):
        former = await counter("key", "POST", path, body)
        assert (former.status_code, former.json()["code"]) == (403, "guardian-removed"), path
    answer = await counter("key", "POST", f"/consents/{consent}/confirmation", await counter.again())
    assert answer.status_code == 201, answer.text
    assert await counter.reason(record) == "CONSENT_OK"
    assert (await counter("officer", "GET", "/majorities")).json()["items"] == []


async def test_the_list_of_majorities_is_told_by_pages_of_people_looked_through(till: Counter):
    minor, father = await family(till)
    await appointed(till, minor["id"], father["subject"])
    await till.grant(minor["id"], given_by=father["subject"])
    found, after, pages = [], "", 0
    while pages < 5:
        page = (await till("officer", "GET", f"/majorities?within_days=200&limit=1{after}")).json()
        found += page["items"]
        pages += 1
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert (len(found), pages) == (1, 2)
    assert (await till("key", "GET", "/majorities")).status_code == 403


async def test_an_adult_under_interdiction_is_spoken_for_until_another_person_records_that_it_ended(counter: Counter):
    adult, guardian = await counter.store(), await counter.store(national_id="1000000016")
    record = adult["id"]
    own = await counter.grant(record)
    counter.world.clock.forward(5)
    path = f"/records/{record}/interdiction"
    answer = await counter("officer", "POST", path, {"on": True, "judgment": "صك حجر 77"})
    assert answer.json() == {"state": "interdicted"}
    assert (await counter("officer", "POST", path, {"on": True, "judgment": "صك حجر 77"})).status_code == 409
    assert (await capacity(counter, record))["state"] == "interdicted"
    assert await counter.reason(record) == "NO_CAPACITY"
    await counter("key", "POST", f"/consents/{own}/withdrawal", {"given_by": "self"})
    counter.world.clock.forward(5)
    await appointed(counter, record, guardian["subject"], kind="carer", deed="صك ولاية 9")
    await counter.grant(record, given_by=guardian["subject"])
    assert await counter.reason(record) == "CONSENT_OK"
    same = await counter.coded("officer", "POST", path, on=False, judgment="رفع الحجر")
    assert (same.status_code, same.json()["code"]) == (403, "same-person")
    lifted = await counter.coded("second_officer", "POST", path, on=False, judgment="رفع الحجر")
    assert (lifted.status_code, lifted.json()) == (201, {"state": "given-back"})
    assert (await capacity(counter, record))["state"] == "adult"
    # What was given for her while she could not speak waits for her own word.
    assert await counter.reason(record) == "REAFFIRMATION_REQUIRED"
    counter.world.clock.forward(5)
    await counter.grant(record)
    assert await counter.reason(record) == "CONSENT_OK"
    over = await counter.coded("second_officer", "POST", path, on=False, judgment="رفع الحجر")
    assert over.status_code == 409


async def test_a_death_ends_consent_and_an_order_is_answered_still(till: Counter):
    record = (await till.store())["id"]
    await till.grant(record)
    slip = await till("officer", "POST", f"/records/{record}/death", {"evidence": "2026-13-45T99:99:99Z"})
    assert (slip.status_code, slip.json()["errors"][0]["code"]) == (422, "out-of-range")
    answer = await till("officer", "POST", f"/records/{record}/death", {"evidence": "شهادة وفاة 5"})
    assert answer.json() == {"state": "deceased"}
    assert (await till.reason(record), await till.reason(record, who="key")) == ("SUBJECT_DECEASED", "NOT_PERMITTED")
    assert (await capacity(till, record))["state"] == "deceased"
    assert await till.reason(record, "legal_order", action="disclose", recipient="nobody") != "SUBJECT_DECEASED"
    assert (await till("officer", "POST", f"/records/{record}/death", {"evidence": "شهادة وفاة 5"})).status_code == 409
    assert [line.closing.kind for line in till.world.association.log.journal.lines()] == ["death"]


async def test_what_only_the_journal_knows_of_capacity_is_closed_again(till: Counter):
    minor, father = await family(till)
    adult = await till.store(national_id="1000000024")
    dead = await till.store(national_id="1000000032")
    await appointed(till, minor["id"], father["subject"])
    await till.grant(minor["id"], given_by=father["subject"])
    ids = [each["subject"].replace("-", "") for each in (minor, adult, dead, father)]
    till.world.clock.forward(5)
    lines = [
        *(Closing("guardian", ids[0], f"{ids[3]}|for-cause"), Closing("guardian", ids[0], "0" * 32)),
        *(Closing("interdiction", ids[1]), Closing("death", ids[2]), Closing("death", "0" * 32)),
    ]
    till.world.association.log.journal.append(10**6, till.world.clock.now, lines)
    till.world.clock.forward(1)
    assert reclose(till.world.association, till.world.clock) == 3
    assert reclose(till.world.association, till.world.clock) == 0
    assert await till.reason(minor["id"]) == "GUARDIAN_REMOVED"
    assert [(await capacity(till, each["id"]))["state"] for each in (adult, dead)] == ["interdicted", "deceased"]
    known = await till.world.association.run(lambda deed: people.of_subject(deed, bytes.fromhex(ids[0])))
    assert known.sheet is not None
    assert known.sheet.person.full_capacity_from not in (None, NEVER)
