"""Errors as problem documents: every code has its sentences in both languages, and its number."""

import re
from pathlib import Path

import msgspec
import pytest

from vault.errors import Conflict, Invalid, Malformed, NotFound, Refused, Stale, TooMany, Unauthenticated, Unavailable, VaultError
from vault.web.problems import SENTENCES, internal_problem, problem_headers, problem_of, read_sentences, status_of

CONTRACT_5 = [
    *("NO_FIELDS", "UNKNOWN_PURPOSE", "UNKNOWN_RECIPIENT", "UNKNOWN_FIELD"),
    *("OUT_OF_SCOPE", "NO_ORDER", "ORDER_RECIPIENT", "ORDER_UNVERIFIED"),
    *("ORDER_EXPIRED", "ORDER_SCOPE", "ORDER_OK", "SUBJECT_DECEASED"),
    *("PURPOSE_INTERNAL_ONLY", "ACTION_MISMATCH", "SIGNAL_OPT_OUT", "RECIPIENT_NOT_COVERED"),
    *("NO_CONSENT", "NOT_YET_RECORDED", "GUARDIAN_CONFLICT", "STALE_GRANT"),
    *("CONSENT_WITHDRAWN", "CONSENT_REFUSED", "CONSENT_INVALIDATED", "EVIDENCE_INSUFFICIENT"),
    *("EVIDENCE_INCOMPLETE", "EVIDENCE_UNVERIFIED", "PENDING_CONFIRMATION", "NO_CAPACITY"),
    *("GUARDIANSHIP_UNVERIFIED", "GUARDIAN_REMOVED", "REAFFIRMATION_REQUIRED", "CONSENT_EXPIRED"),
    *("NOTICE_SUPERSEDED", "EXPLICIT_REQUIRED", "FIELDS_NOT_COVERED", "CONSENT_OK"),
    "NOT_PERMITTED",
]
STATUSES = [
    (Malformed(), 400),
    (Malformed("content-type"), 415),
    (Malformed("too-large"), 413),
    (Malformed("too-slow"), 408),
    (Malformed("method-not-allowed"), 405),
    (Malformed("unknown-parameter"), 400),
    (Malformed("missing-parameter"), 400),
    (Malformed("idempotency-key"), 400),
    (Unauthenticated(), 401),
    (NotFound(), 404),
    (Conflict(), 409),
    (Conflict("idempotency-mismatch"), 409),
    (Conflict("in-progress"), 409),
    (Conflict("decision-stale"), 409),
    *[(Conflict(code), 409) for code in ("consent-rejected", "consent-not-standing", "too-many-consents", "last-approver")],
    (Conflict("gone"), 410),
    (Conflict("revision-mismatch"), 412),
    (Conflict("revision-required"), 428),
    (Conflict("same-person"), 403),
    (Conflict("step-up-required"), 403),
    (Invalid(), 422),
    (Invalid(code="exceeds-notice"), 422),
    (Invalid(code="future-dated"), 422),
    (Invalid(code="notice-hash-mismatch"), 422),
    (Invalid(code="not-affirmative"), 422),
    (Invalid(code="explicit-required"), 422),
    (Invalid(code="evidence-malformed"), 422),
    (Invalid(code="evidence-mismatch"), 422),
    (Invalid(code="wider-than-pack"), 422),
    *[(Invalid(code=f"document-{what}"), 422) for what in ("unreadable", "empty", "too-large")],
    (TooMany(7), 429),
    (Unavailable(), 503),
    (Unavailable("busy"), 503),
    (Unavailable("integrity"), 503),
    (Unavailable("clock"), 503),
    (Unavailable("sealed"), 503),
    (Refused("RESTORED_UNCONFIRMED", article="cooperative:7"), 403),
    (Refused("NOT_ACKNOWLEDGED", article="cooperative:2"), 403),
    (Refused("ENGAGEMENT_ENDED", article="cooperative:2"), 403),
    (Refused("ERASURE_PENDING", article="cooperative:7"), 403),
    (Refused("RESTRICTED", article="cooperative:7"), 403),
    (Refused("GONE", article="cooperative:7"), 403),
    (VaultError(), 400),
    *[(Refused(reason, article="cooperative:6.2"), 403) for reason in CONTRACT_5],
]


@pytest.mark.parametrize(("error", "status"), STATUSES, ids=lambda each: getattr(each, "code", str(each)))
def test_every_code_has_its_number_and_its_own_sentences(error: VaultError, status: int) -> None:
    assert status_of(error) == status
    assert error.code in SENTENCES
    assert problem_of(error, "r", "en").title == SENTENCES[error.code].title.en


@pytest.mark.parametrize("code", list(SENTENCES))
def test_every_sentence_is_one_a_clerk_can_read_aloud(code: str) -> None:
    words = SENTENCES[code]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    for each in (words.title, words.say):
        assert not re.search(r"[A-Za-z0-9]", each.ar), "an Arabic sentence is Arabic"
        assert not re.search(r"[\u0600-\u06ff]", each.en)
        assert not re.search(r"[{}%<>\\]", each.ar + each.en), "nothing is put into a sentence"
    assert words.say.ar.endswith(".")
    assert words.say.en.endswith(".")
    assert not words.title.en.endswith(".")


def test_no_two_codes_say_the_same() -> None:
    assert len({words.say.ar for words in SENTENCES.values()}) == len({words.say.en for words in SENTENCES.values()}) == len(SENTENCES)


def test_a_sentence_missing_in_one_language_is_noticed() -> None:
    with pytest.raises(msgspec.ValidationError):
        read_sentences('[x]\ntitle = { ar = "س", en = "x" }\nsay = { ar = "س" }')


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (Refused("SOMETHING_NEW", article="a:1"), "Not permitted"),
        (Conflict("something-new"), "Not possible in this state"),
        (Unavailable("something-new"), "Access log unavailable"),
        (VaultError("something-new"), "Request not possible"),
    ],
)
def test_a_code_without_sentences_speaks_as_its_class(error: VaultError, title: str) -> None:
    told = problem_of(error, "r", "en")
    assert (told.code, told.title) == ("something-new", title)


def test_fields_covered_are_told_even_where_there_are_none() -> None:
    told = problem_of(Refused("FIELDS_NOT_COVERED", article="a:1"), "r", "ar")
    assert b'"fields_covered":[]' in msgspec.json.encode(told)
    assert b"fields_covered" not in msgspec.json.encode(problem_of(Refused("NO_CONSENT", article="a:1"), "r", "ar"))


def test_what_nobody_foresaw_is_empty_inside() -> None:
    told = msgspec.to_builtins(internal_problem("r", "en"))
    assert set(told) == {"type", "title", "status", "code", "request_id", "say"}
    assert (told["status"], told["code"]) == (500, "internal")


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (TooMany(7), {"Retry-After": "7"}),
        (TooMany(0), {"Retry-After": "1"}),
        (Unavailable(), {"Retry-After": "2"}),
        (Unauthenticated(), {"WWW-Authenticate": "Bearer"}),
        (NotFound(), {}),
    ],
)
def test_an_error_says_in_its_headers_when_to_come_back(error: VaultError, headers: dict[str, str]) -> None:
    assert problem_headers(error) == headers


def test_the_page_of_the_specification_lists_every_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "spec" / "problem.md").read_text(encoding="utf-8")
    assert sorted(set(SENTENCES) - set(re.findall(r"`([a-z-]+)`", page))) == []


def test_what_is_stale_names_the_entry_that_says_so_and_cites_nothing() -> None:
    told = msgspec.to_builtins(problem_of(Stale(bytes(31) + b"\x01"), "r", "en"))
    assert (told["status"], told["code"], told["entry"]) == (409, "decision-stale", {"leaf_hash": "00" * 31 + "01"})
    assert not {"article", "law", "missing", "fields_covered"} & told.keys()
