"""Verdicts on the cooperative pack: the article and the law they cite, the basis they name, and what the caller is told of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vault.policy.articles import article_8_report
from vault.policy.decide import CODES, CONFIDED, HOUR, decide, masked
from vault.policy.events import Given
from vault.policy.facts import INTERNAL, SELF, Agreement, Caller, Grant, Order, Person, Question, Rules
from vault.policy.needs import WORDS
from vault.policy.pack import load, together
from vault.policy.standing import apply

BOOK = json.loads((Path(__file__).parent.parent / "vectors" / "decisions" / "pack" / "cooperative.json").read_text(encoding="utf-8"))
NOW = 10_000 * HOUR
PACK = load("cooperative")
RULES = Rules(
    purposes=together(PACK),
    recipients=frozenset({"partner_a", "partner_b", "court"}),
    field_classes={name: each.class_name for kind in PACK.record_types.values() for name, each in kind.fields.items()},
    sensitive_classes=PACK.explicit_classes,
    type="beneficiary",
)


def consent(person, purpose, recipient, form, fields, *more):
    told = dict(*more)
    ends = NOW + told["expires_in_us"] if "expires_in_us" in told else None
    at = NOW - 24 * HOUR
    grant = Grant(
        f"{purpose}-{form}", form, frozenset(fields), "n1", SELF, at, at, at, expires_at=ends, explicit=told.get("explicit", True)
    )
    return apply(person, Given(purpose, recipient, grant))


def facts(case):
    told = case.get("person", {})
    known: dict[str, Any] = {name: value if isinstance(value, bool) else NOW + value * HOUR for name, value in told.items()}
    person = Person(**known)
    for each in case.get("consents", ()):
        person = consent(person, *each)
    caller = dict(case.get("caller", {}))
    if "purposes" in caller:
        caller["purposes"] = frozenset(caller["purposes"])
    if "types" in caller:
        caller["types"] = frozenset(caller["types"])
    if "assigned_until" in caller:
        caller["assigned_until"] = NOW + int(caller["assigned_until"] * HOUR)
    asked = {"action": "use", "purpose": "service_delivery", "recipient": INTERNAL, **case["question"]}
    question = Question(asked["action"], asked["purpose"], asked["recipient"], frozenset(asked["fields"]), NOW, asked.get("channel", ""))
    orders = [
        Order("o1", each.get("kind", "judicial"), "court", frozenset({"full_name", "iban"}), NOW - HOUR, NOW + HOUR, verified=True)
        for each in case.get("orders", ())
    ]
    agreed: dict[str, tuple[Agreement, ...]] = {}
    for number, each in enumerate(case.get("agreements", ())):
        own = {"recipient": "partner_a", "purposes": ["partner_sharing"], "classes": ["identity", "contact"], "from": -1, "to": 1, **each}
        times = (int(NOW + own["from"] * HOUR), int(NOW + own["to"] * HOUR))
        laid = Agreement(f"a{number}", frozenset(own["purposes"]), frozenset(own["classes"]), *times)
        agreed[own["recipient"]] = (*agreed.get(own["recipient"], ()), laid)
    return question, person, replace(RULES, agreements=agreed), Caller(**caller), orders


@pytest.mark.parametrize("case", BOOK["cases"], ids=lambda case: case["id"])
def test_the_verdict_cites_its_article_and_names_its_basis(case):
    question, person, rules, caller, orders = facts(case)
    verdict, expect = decide(question, person, rules, caller, orders), case["expect"]
    told = masked(verdict, caller)
    got = {
        "reason": verdict.reason,
        "article": verdict.article,
        "law": verdict.law,
        "basis": verdict.basis,
        "fields": sorted(verdict.fields),
        "missing": list(verdict.missing),
        "grants": len(verdict.grants),
        "agreement": verdict.agreement,
        "told": told.reason,
        "valid_for_us": verdict.valid_until - NOW if verdict.valid_until is not None else None,
    }
    assert {name: got[name] for name in expect} == expect
    assert verdict.allowed == expect["reason"].endswith("_OK")
    assert told.reason == verdict.reason or (told.reason, told.fields, told.missing) == ("NOT_PERMITTED", frozenset(), ())
    assert (told.article, told.law, told.basis) == (verdict.article, verdict.law, verdict.basis)


@pytest.mark.parametrize("case", BOOK["reports"], ids=lambda case: case["id"])
def test_a_report_needs_a_category_and_a_narrative(case):
    assert article_8_report(case["category"], "ب" * case["length"], PACK.report_categories) == case["expect"]


def test_blanks_do_not_make_a_narrative_long_enough():
    assert article_8_report("other", " " * 40 + "a" * 19, PACK.report_categories) == "NARRATIVE_LENGTH"


def test_the_codes_of_the_contract_stand_in_its_order():
    contract = (
        "NO_FIELDS UNKNOWN_PURPOSE UNKNOWN_RECIPIENT UNKNOWN_FIELD OUT_OF_SCOPE NO_ORDER ORDER_RECIPIENT ORDER_UNVERIFIED ORDER_EXPIRED "
        "ORDER_SCOPE ORDER_OK SUBJECT_DECEASED PURPOSE_INTERNAL_ONLY ACTION_MISMATCH SIGNAL_OPT_OUT RECIPIENT_NOT_COVERED NO_CONSENT "
        "NOT_YET_RECORDED GUARDIAN_CONFLICT STALE_GRANT CONSENT_WITHDRAWN CONSENT_REFUSED CONSENT_INVALIDATED EVIDENCE_INSUFFICIENT "
        "EVIDENCE_INCOMPLETE EVIDENCE_UNVERIFIED PENDING_CONFIRMATION NO_CAPACITY GUARDIANSHIP_UNVERIFIED GUARDIAN_REMOVED "
        "REAFFIRMATION_REQUIRED CONSENT_EXPIRED NOTICE_SUPERSEDED EXPLICIT_REQUIRED FIELDS_NOT_COVERED CONSENT_OK"
    )
    own = {"ENGAGEMENT_ENDED", "NOT_ACKNOWLEDGED", "NOT_PERMITTED", "ERASURE_PENDING", "RESTRICTED", "LAW_OK", "RECIPIENT_ABROAD"} | {
        *("RESTORED_UNCONFIRMED", "NOT_ASSIGNED", "NO_AGREEMENT")
    }
    assert [code for code in CODES if code not in own] == contract.split()
    assert len(set(CODES)) == len(CODES)
    assert set(CODES) >= CONFIDED
    assert set(WORDS) <= set(CODES)


@pytest.mark.parametrize(
    ("action", "purpose", "recipient", "stays"),
    [
        ("use", "service_delivery", INTERNAL, True),
        ("use", "legal_record", INTERNAL, True),
        ("use", "service_delivery", "partner_a", False),
        ("contact", "sms_offers", INTERNAL, False),
        ("publish", "publication", INTERNAL, False),
        ("disclose", "partner_sharing", "partner_a", False),
        ("disclose", "legal_order", "court", False),
    ],
)
def test_after_a_restore_nothing_leaves_until_it_is_confirmed_orders_included(action, purpose, recipient, stays):
    fields, anybody = ["full_name"], Caller(may_ask_orders=True)
    person = Person()
    for form in ("written", "electronic"):
        person = consent(person, purpose, recipient, form, fields)
    order = Order("o1", "judicial", "court", frozenset(fields), NOW - HOUR, NOW + HOUR, verified=True)
    question = Question(action, purpose, recipient, frozenset(fields), NOW)
    before = decide(question, person, RULES, anybody, [order])
    after = decide(question, person, replace(RULES, unconfirmed=True), anybody, [order])
    if stays:
        assert after == before
        assert after.allowed
    else:
        assert (after.allowed, after.reason, after.article, after.law) == (False, "RESTORED_UNCONFIRMED", "cooperative:7", "")
        assert after.missing == ("confirmation-of-the-restore",)
        assert masked(after, anybody) == after


@pytest.mark.parametrize("purpose", ["partner_sharing", "legal_order"])
def test_nothing_leaves_for_a_recipient_abroad_and_law_29_is_cited(purpose):
    abroad = replace(RULES, recipients=RULES.recipients | {"far"}, abroad=frozenset({"far"}))
    verdict = decide(Question("disclose", purpose, "far", frozenset({"full_name"}), 0), Person(), abroad, Caller(may_ask_orders=True))
    assert (verdict.allowed, verdict.reason, verdict.law) == (False, "RECIPIENT_ABROAD", "sa-pdpl:29")
    assert verdict.article == f"cooperative:{RULES.purposes[purpose].article}"
    assert masked(verdict, Caller()).reason == "RECIPIENT_ABROAD"
