"""Processors work in the association's name for what their agreement covers, and are third parties for all else (law 8, regulation 17)."""

import uuid
from typing import Any

import pytest

from tests.access.counter import FIELDS, Counter, told
from tests.access.desk import written
from tests.access.test_agreements import read
from tests.household import asked, grant, store, withdraw

pytestmark = pytest.mark.asyncio(loop_scope="function")
TERMS = {"breach_notice": True, "mandatory_disclosure": True, "foreign_law": "", "subprocessors": ["مركز بيانات في الرياض"]}
VALUE = {"mobile": "+966551234567"}


def work(counter: Counter, **changes: Any) -> dict[str, Any]:
    """The body of an agreement with the processor about service delivery."""
    return counter.agreement(purposes=["service_delivery"], processing=TERMS, **changes)


async def served(counter: Counter, **party: Any) -> tuple[bytes, bytes]:
    """Somebody who agreed to service delivery by a click, and a processor with a system: the record and the consent."""
    kept = await store(counter.world)
    await counter.recipient(kind="processor", **party)
    counter.world.clock.forward(1)
    given = await grant(counter.world, kept.record, await asked(counter.world, fields=frozenset(FIELDS)))
    await counter.system_of()
    return kept.record, given.id


async def delivery(counter: Counter, record: bytes, fields: str = "mobile") -> Any:
    return await read(counter, record, purpose="service_delivery", fields=fields)


async def test_a_processor_reads_on_consent_given_to_the_association_under_its_agreement_and_not_before_or_after(counter: Counter):
    record, consent = await served(counter)
    assert await delivery(counter, record) == (403, "no-agreement")
    id_ = await counter.allied(purposes=["service_delivery"], processing=TERMS)
    assert await delivery(counter, record) == VALUE
    entry = counter.world.entries()[-1]
    assert (entry.kind, entry.outcome, entry.recipient, entry.agreement) == ("record.read", "allow", "INTERNAL", uuid.UUID(id_).hex)
    assert (entry.basis, entry.actor[:7]) == ("electronic_consent", "client:")
    assert await delivery(counter, record, "email") == (403, "fields-not-covered")
    counter.world.clock.forward(1)
    await withdraw(counter.world, consent)
    assert await delivery(counter, record) == (403, "consent-withdrawn")
    await counter.ask("officer", "POST", f"/agreements/{id_}/revocation")
    assert await delivery(counter, record) == (403, "no-agreement")


async def test_for_all_else_a_processor_is_a_third_party(counter: Counter):
    record, _ = await served(counter)
    await counter.allied(purposes=["service_delivery"], processing=TERMS)
    for purpose, code in (
        ("partner_sharing", "no-agreement"),
        ("sms_offers", "no-agreement"),
        ("internal_research", "no-agreement"),
        ("subject_request", "out-of-scope"),
    ):
        assert await read(counter, record, purpose=purpose) == (403, code), purpose
    for action, recipient, decision, reason in (
        ("use", "INTERNAL", "permit", "CONSENT_OK"),
        ("use", "partner", "deny", "OUT_OF_SCOPE"),
        ("disclose", "INTERNAL", "deny", "OUT_OF_SCOPE"),
        ("publish", "INTERNAL", "deny", "OUT_OF_SCOPE"),
        ("disclose", "partner", "deny", "ACTION_MISMATCH"),
    ):
        question = {
            "record": written(record),
            "action": action,
            "purpose": "service_delivery",
            "recipient": recipient,
            "fields": ["mobile"],
        }
        answer = (await counter.ask("partner", "POST", "/decisions", question)).json()
        assert (answer["decision"], answer["reason"]) == (decision, reason), (action, recipient)


async def test_a_partner_does_not_ask_in_the_associations_name(small_counter: Counter):
    kept = await small_counter.agreed()
    await small_counter.system_of()
    await small_counter.allied()
    assert await delivery(small_counter, kept.record) == (403, "no-agreement")
    question = {
        "record": written(kept.record),
        "action": "use",
        "purpose": "service_delivery",
        "recipient": "INTERNAL",
        "fields": ["mobile"],
    }
    assert (await small_counter.ask("partner", "POST", "/decisions", question)).json()["reason"] == "OUT_OF_SCOPE"


async def test_a_processor_abroad_gets_nothing(small_counter: Counter):
    record, _ = await served(small_counter, country="AE")
    await small_counter.allied(purposes=["service_delivery"], processing=TERMS)
    assert await delivery(small_counter, record) == (403, "recipient-abroad")


async def test_a_purpose_that_was_narrowed_to_the_house_is_no_processors_any_more(counter: Counter):
    record, _ = await served(counter)
    await counter.allied(purposes=["service_delivery"], processing=TERMS)
    assert await delivery(counter, record) == VALUE
    narrower = {"action": "use", "forms": ["electronic", "written"], "internal_only": True}
    waits = (await counter.ask("admin", "PUT", "/purposes/service_delivery", narrower)).json()
    assert (await counter.approve("officer", "/purposes/service_delivery/approval", proposal=waits["proposal"])).status_code == 200
    assert await delivery(counter, record) == (403, "purpose-internal-only")
    kept = await counter.ask("key", "GET", f"/records/{written(record)}?purpose=service_delivery&fields=mobile")
    assert kept.json()["fields"] == VALUE


async def test_nobody_alone_moves_a_party_into_the_kingdom_or_makes_it_a_processor_under_an_agreement(counter: Counter):
    record, _ = await served(counter, country="AE")
    id_ = await counter.allied(purposes=["service_delivery"], processing=TERMS)
    for change in ({"country": "SA"}, {"kind": "partner", "country": "AE"}):
        answer = await counter.ask("admin", "PUT", "/recipients/partner", counter.party(**{"kind": "processor", **change}))
        assert told(answer) == (409, "recipient-under-agreement")
        assert await delivery(counter, record) == (403, "recipient-abroad")
    moved = await counter.ask("admin", "PUT", "/recipients/partner", counter.party(kind="processor", country="BH"))
    assert moved.status_code == 200, "what opens nothing she may set right alone"
    await counter.ask("officer", "POST", f"/agreements/{id_}/revocation")
    home = counter.party(kind="processor")
    assert (await counter.ask("admin", "PUT", "/recipients/partner", home)).status_code == 200
    assert await delivery(counter, record) == (403, "no-agreement")
    waits = await counter.ask("officer", "POST", "/agreements", work(counter))
    assert told(await counter.ask("admin", "PUT", "/recipients/partner", counter.party())) == (409, "recipient-under-agreement")
    await counter.approve("second_officer", f"/agreements/{waits.json()['id']}/approval")
    assert await delivery(counter, record) == VALUE


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"processing": None}, "processing", "missing"),
        ({"processing": {**TERMS, "breach_notice": False}}, "processing.breach_notice", "out-of-range"),
        ({"processing": {**TERMS, "mandatory_disclosure": False}}, "processing.mandatory_disclosure", "out-of-range"),
        ({"processing": {**TERMS, "subprocessors": ["a", "a"]}}, "processing.subprocessors", "out-of-range"),
        ({"purposes": ["partner_sharing"]}, "purposes.0", "action-mismatch"),
        ({"purposes": ["internal_research"]}, "purposes.0", "action-mismatch"),
        ({"purposes": ["subject_request"]}, "purposes.0", "action-mismatch"),
        ({"purposes": ["legal_order"]}, "purposes.0", "action-mismatch"),
    ],
)
async def test_what_an_agreement_with_a_processor_lacks_is_named(small_counter: Counter, change: dict[str, Any], field: str, code: str):
    await small_counter.recipient(kind="processor")
    answer = await small_counter.ask("officer", "POST", "/agreements", {**work(small_counter), **change})
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": field, "code": code}])


async def test_terms_of_processing_are_shown_and_are_no_partners(small_counter: Counter):
    await small_counter.recipient(kind="processor")
    await small_counter.recipient("other")
    made = await small_counter.ask("officer", "POST", "/agreements", work(small_counter))
    assert (await small_counter.ask("admin", "GET", f"/agreements/{made.json()['id']}")).json()["processing"] == TERMS
    partners = small_counter.agreement(recipient="other", processing=TERMS)
    answer = await small_counter.ask("officer", "POST", "/agreements", partners)
    assert answer.json()["errors"] == [{"field": "processing", "code": "out-of-range"}]


async def test_an_erasure_names_the_processor_that_was_given_something(counter: Counter):
    record, _ = await served(counter)
    await counter.allied(purposes=["service_delivery"], processing=TERMS)
    assert await delivery(counter, record) == VALUE
    wanted = await counter.ask("officer", "POST", f"/records/{written(record)}/erasure", {"reason": "طلبت ذلك", "requested_by": "self"})
    done = await counter.approve("second_officer", f"/erasures/{wanted.json()['id']}/approval")
    assert done.status_code == 200, done.text
    assert [(each["recipient"], each["record"]) for each in done.json()["recipients"]] == [("partner", written(record))]
    assert told(await counter.ask("partner", "GET", f"/records/{written(record)}?purpose=service_delivery&fields=mobile")) == (
        404,
        "not-found",
    )
