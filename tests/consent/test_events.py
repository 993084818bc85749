"""Everything that happens to a consent: a no, a renewal, a confirmation, a finding, and what is brought in from before."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.consent.counter import Counter
from tests.household import lay_down
from tests.simulator import SECOND
from vault.access_log.closed import ended_consent, of_consent
from vault.policy.facts import NEVER
from vault.reclosing import reclose
from vault.rulebook.shapes import PURPOSE
from vault.storage.journal import Closing
from vault.subjects import people
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 24 * 3600 * SECOND
NOBODY = "00000000-0000-4000-8000-000000000000"


def no(counter: Counter, **changes: Any) -> dict[str, Any]:
    return {
        "purpose": "service_delivery",
        "given_by": "self",
        "indicated_at": write_time(counter.world.clock.now),
        **changes,
    }


async def test_a_no_is_recorded_is_told_and_ends_what_was_said_before(counter: Counter):
    kept = await counter.store()
    record = kept["id"]
    answer = await counter("key", "POST", f"/records/{record}/refusals", no(counter, purpose="sms_offers", reason="too many"))
    assert (answer.status_code, answer.json()) == (201, {"state": "refused"})
    assert await counter.reason(record, "sms_offers", who="key") == "CONSENT_REFUSED"
    told = await counter.consents(record)
    assert (told["items"], [(each["purpose"], each["recipient"], each["state"]) for each in told["ended"]]) == (
        [],
        [("sms_offers", "INTERNAL", "refused")],
    )
    counter.world.clock.forward(5)
    await counter.grant(record)
    assert await counter.reason(record) == "CONSENT_OK"
    counter.world.clock.forward(5)
    await counter("key", "POST", f"/records/{record}/refusals", no(counter))
    assert await counter.reason(record) == "CONSENT_REFUSED"
    lines = [line.closing for line in counter.world.association.log.journal.lines()]
    lines = [Closing(one.kind, one.reference, of_consent(*ended_consent(one.detail)[:2])) for one in lines]
    subject = kept["subject"].replace("-", "")
    assert lines == [Closing("refusal", subject, "sms_offers|INTERNAL"), Closing("refusal", subject, "service_delivery|INTERNAL")]
    entry = next(each for each in counter.world.entries() if each.kind == "consent.declined")
    assert (entry.purpose, entry.article, entry.outcome) == ("sms_offers", "cooperative:6.4", "allow")
    # A later yes of hers counts again.
    counter.world.clock.forward(5)
    await counter.grant(record)
    assert await counter.reason(record) == "CONSENT_OK"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"purpose": "nothing"}, "invalid"),
        ({"purpose": "legal_order"}, "invalid"),
        ({"recipient": "nobody"}, "invalid"),
        ({"given_by": NOBODY}, "invalid"),
        ({"indicated_at": "2100-01-01T00:00:00Z"}, "future-dated"),
        ({"reason": "x" * 2001}, "invalid"),
    ],
)
async def test_a_no_that_does_not_hold_is_422(till: Counter, change: dict[str, Any], code: str):
    kept = await till.store()
    answer = await till("key", "POST", f"/records/{kept['id']}/refusals", no(till, **change))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert list(till.world.association.log.journal.lines()) == []


async def test_a_renewal_goes_on_under_the_words_and_evidence_of_now(counter: Counter):
    record = (await counter.store())["id"]
    ends = counter.world.clock.now + 10 * DAY
    consent = await counter.grant(record, expires_at=write_time(ends))
    counter.world.clock.forward(9 * 24 * 3600)
    answer = await counter("key", "POST", f"/consents/{consent}/renewal", await counter.again(), key="r" * 20)
    assert (answer.status_code, answer.json()["state"]) == (201, "recorded")
    same = await counter("key", "POST", f"/consents/{consent}/renewal", await counter.again(), key="r" * 20)
    assert same.json()["id"] == answer.json()["id"]
    counter.world.clock.forward(2 * 24 * 3600)
    assert await counter.reason(record) == "CONSENT_OK"
    items = {each["id"]: each for each in (await counter.consents(record))["items"]}
    assert items[answer.json()["id"]]["fields"] == items[consent]["fields"]
    flagged = [entry.flags for entry in counter.world.entries() if entry.kind == "consent.granted"]
    assert flagged == [(), ("renewed",)]
    # What was withdrawn is given anew and not renewed.
    await counter("key", "POST", f"/consents/{consent}/withdrawal", {"given_by": "self"})
    over = await counter("key", "POST", f"/consents/{consent}/renewal", await counter.again())
    assert (over.status_code, over.json()["code"]) == (409, "consent-not-standing")


async def test_a_renewal_on_paper_waits_for_a_second_person_and_the_first_goes_on_meanwhile(till: Counter):
    record = (await till.store())["id"]
    consent = await till.grant(record)
    answer = await till("key", "POST", f"/consents/{consent}/renewal", await till.again(form="written"))
    assert answer.json()["state"] == "awaiting-verification"
    assert await till.reason(record) == "CONSENT_OK"


async def test_the_second_step_of_a_double_opt_in_takes_a_code_that_came_back(till: Counter):
    world = till.world
    record = (await till.store())["id"]
    purpose = (await world.association.refresh()).purposes["sms_offers"]
    await lay_down(world, PURPOSE, "sms_offers", replace(purpose, double_opt_in=True))
    body = await till.body("sms_offers")
    body["evidence"]["proof"]["method"] = "session"
    consent = (await till("key", "POST", f"/records/{record}/consents", body)).json()["id"]
    assert await till.reason(record, "sms_offers", who="key") == "PENDING_CONFIRMATION"
    click = await till.again("sms_offers")
    click["evidence"]["proof"]["method"] = "session"
    answer = await till("key", "POST", f"/consents/{consent}/confirmation", click)
    assert (answer.status_code, answer.json()["code"]) == (422, "evidence-malformed")
    answer = await till("key", "POST", f"/consents/{consent}/confirmation", await till.again("sms_offers"))
    assert answer.status_code == 201, answer.text
    assert await till.reason(record, "sms_offers", who="key") == "CONSENT_OK"
    again = await till("key", "POST", f"/consents/{answer.json()['id']}/confirmation", await till.again("sms_offers"))
    assert (again.status_code, again.json()["code"]) == (409, "nothing-to-confirm")
    other = await till("key", "POST", f"/consents/{consent}/confirmation", await till.again("sms_offers", given_by=NOBODY))
    assert other.status_code == 422


async def test_what_never_was_good_is_invalidated_by_an_officer_and_named_to_officers_alone(counter: Counter):
    kept = await counter.store()
    record = kept["id"]
    consent = await counter.grant(record)
    by_system = await counter("key", "POST", f"/consents/{consent}/invalidation", {"reason": "the signature is forged"})
    assert by_system.status_code == 403
    for no_words in ("forged", "0000-00-00", "2026-13-45T99:99:99Z"):
        answer = await counter("officer", "POST", f"/consents/{consent}/invalidation", {"reason": no_words})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "out-of-range")
    answer = await counter("officer", "POST", f"/consents/{consent}/invalidation", {"reason": "the signature is forged"})
    assert (answer.status_code, answer.json()) == (201, {"id": consent, "state": "invalidated"})
    assert (await counter.reason(record), await counter.reason(record, who="key")) == ("CONSENT_INVALIDATED", "NOT_PERMITTED")
    assert [(await counter.consents(record, who))["ended"][0]["state"] for who in ("officer", "key")] == ["invalidated", "ended"]
    assert [line.closing.kind for line in counter.world.association.log.journal.lines()] == ["invalidation"]
    twice = await counter("officer", "POST", f"/consents/{consent}/invalidation", {"reason": "the signature is forged"})
    assert (twice.status_code, twice.json()["code"]) == (409, "consent-not-standing")


async def test_what_is_brought_in_fills_a_gap_and_nothing_else(counter: Counter):
    fresh, said_no, agreed = [(await counter.store(national_id=number))["id"] for number in ("1000000008", "1000000016", "1000000024")]
    await counter("key", "POST", f"/records/{said_no}/refusals", no(counter))
    await counter.grant(agreed)
    counter.world.clock.forward(5)
    item = await counter.body()
    answer = await counter(
        "key", "POST", "/consents/imports", {"items": [{**item, "record": record} for record in (fresh, said_no, agreed, NOBODY, "x")]}
    )
    assert answer.status_code == 200, answer.text
    rows = answer.json()["results"]
    assert [(row["status"], row.get("state")) for row in rows] == [
        (201, "recorded"),
        (200, "no-gap"),
        (200, "no-gap"),
        (404, None),
        (422, None),
    ]
    assert answer.json()["purposes"] == {"service_delivery": {"recorded": 1, "no-gap": 2}}
    assert (await counter.reason(fresh), await counter.reason(said_no)) == ("CONSENT_OK", "CONSENT_REFUSED")
    assert [entry.flags for entry in counter.world.entries() if entry.kind == "consent.granted"] == [(), ("imported",)]
    empty = await counter("key", "POST", "/consents/imports", {"items": []})
    assert empty.status_code == 422


async def test_of_those_on_paper_only_who_was_seen_counts_and_a_tick_in_a_table_never_does(till: Counter):
    ticked, on_paper = [(await till.store(national_id=number))["id"] for number in ("1000000008", "1000000016")]
    years_ago = write_time(till.world.clock.now - 900 * DAY)
    tick = {**await till.body(evidence={}, indicated_at=years_ago), "record": ticked}
    paper = {**await till.body(form="written", indicated_at=years_ago), "record": on_paper}
    paper["evidence"]["signed_at"] = years_ago
    answer = (await till("key", "POST", "/consents/imports", {"items": [tick, paper]})).json()
    assert [row["state"] for row in answer["results"]] == ["evidence-incomplete", "awaiting-verification"]
    assert (await till.reason(ticked), await till.reason(on_paper)) == ("EVIDENCE_INCOMPLETE", "EVIDENCE_UNVERIFIED")
    seen = await till(
        "officer", "POST", f"/consents/{answer['results'][1]['id']}/verification", {"result": "verified", "sighted": "original"}
    )
    assert seen.status_code == 201, seen.text
    assert await till.reason(on_paper) == "CONSENT_OK"


async def test_what_only_the_journal_knows_of_a_no_is_closed_again(till: Counter):
    kept = await till.store()
    await till.grant(kept["id"])
    till.world.clock.forward(5)
    subject = kept["subject"].replace("-", "")
    closing = Closing("refusal", subject, "service_delivery|INTERNAL")
    till.world.association.log.journal.append(10**6, till.world.clock.now, [closing])
    assert reclose(till.world.association, till.world.clock) == 1
    assert await till.reason(kept["id"]) == "CONSENT_REFUSED"
    known = await till.world.association.run(lambda deed: people.of_subject(deed, bytes.fromhex(subject)))
    assert known.sheet is not None
    assert known.sheet.person.full_capacity_from != NEVER
