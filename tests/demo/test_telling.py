"""The teller: every way in which an answer or its entry can differ from the story is a fault, and none is lost."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from tests.demo.wire import Wire
from vault.demo.client import Answer, Client
from vault.demo.telling import EntryTold, Line, Request, Teller, Told, differences, entry_differences, short

READ = {
    "id": "r",
    "fields": {"full_name": "نورة", "mobile": "+966500000000"},
    "decision": {
        "id": "d",
        "article": "cooperative:6.1",
        "law": "sa-pdpl:5",
        "basis": "electronic_consent",
        "entry": {"index": 7, "leaf_hash": "aa"},
    },
}
REFUSED = {"code": "no-consent", "article": "cooperative:6.1", "say": "لا توجد موافقة", "entry": {"leaf_hash": "bb"}}
DECIDED = {
    "decision": "deny",
    "reason": "NO_CONSENT",
    "article": "cooperative:6.4",
    "basis": "none",
    "fields_covered": ["mobile"],
    "entry": {"leaf_hash": "cc"},
}
INVALID = {"code": "invalid", "errors": [{"field": "fields.national_id", "code": "check-digit"}]}
ENTRY = {"index": 7, "time": "2026-01-01T00:00:00Z", "actor": "client:aa", "kind": "record.read", "outcome": "allow", "leaf_hash": "aa"}
LINE = Line("سطر", "line")


def answer(status: int, body: object) -> Answer:
    return Answer(status, {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (answer(200, READ), Told(status=200, article="cooperative:6.1", basis="electronic_consent", fields=("mobile", "full_name"))),
        (answer(403, REFUSED), Told(status=403, code="no-consent", article="cooperative:6.1")),
        (answer(200, DECIDED), Told(status=200, decision="deny", code="NO_CONSENT", article="cooperative:6.4", fields=("mobile",))),
        (answer(422, INVALID), Told(status=422, code="invalid", errors=("national_id",))),
    ],
)
def test_an_answer_as_told_is_no_fault(given: Answer, told: Told):
    assert differences(given, told) == []


@pytest.mark.parametrize(
    ("given", "told", "part"),
    [
        (answer(503, REFUSED), Told(status=403), "status"),
        (answer(403, REFUSED), Told(status=403, code="consent-withdrawn"), "code"),
        (answer(403, REFUSED), Told(status=403, article="cooperative:6.4"), "article"),
        (answer(403, {"code": "no-consent"}), Told(status=403, article="cooperative:6.1"), "article"),
        (answer(200, READ), Told(status=200, basis="written_consent"), "basis"),
        (answer(200, READ), Told(status=200, fields=("full_name",)), "fields"),
        (answer(200, DECIDED), Told(status=200, decision="permit"), "decision"),
        (answer(200, DECIDED), Told(status=200, code="CONSENT_OK"), "code"),
        (answer(422, INVALID), Told(status=422, errors=("iban",)), "errors"),
        (answer(500, "no object"), Told(status=403, code="no-consent"), "code"),
    ],
)
def test_an_answer_that_differs_is_a_fault_that_names_the_part(given: Answer, told: Told, part: str):
    assert any(fault.startswith(part) for fault in differences(given, told))


TOLD = EntryTold(kind="record.read")


def test_the_entry_an_answer_names_is_no_fault():
    assert entry_differences(ENTRY, TOLD, answer(200, READ), 6) == []


@pytest.mark.parametrize(
    ("entry", "told", "newer_than"),
    [
        (None, TOLD, -1),
        (ENTRY, TOLD, 7),
        (ENTRY | {"outcome": "refuse"}, TOLD, 6),
        (ENTRY | {"reason": "NO_CONSENT"}, TOLD, 6),
        (ENTRY, replace(TOLD, outcome="refuse", reason="NO_CONSENT"), 6),
        (ENTRY | {"leaf_hash": "ab"}, TOLD, 6),
    ],
)
def test_a_missing_old_or_other_entry_is_a_fault(entry: dict[str, Any] | None, told: EntryTold, newer_than: int):
    assert entry_differences(entry, told, answer(200, READ), newer_than) != []


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as opened:
        yield opened


@pytest.fixture
def teller(wire: Wire) -> Iterator[Teller]:
    client = Client(wire.port, "key")
    yield Teller(client, "reader", {"6.1": "سرية تامة"}, Console(file=io.StringIO(), width=200))
    client.close()


def heard(teller: Teller) -> str:
    return teller.console.file.getvalue()  # type: ignore[attr-defined]


def test_request_answer_article_and_entry_are_shown_and_the_entry_is_looked_up_by_the_reader(teller: Teller, wire: Wire):
    wire.answer("GET", "/v1/records/r", 403, REFUSED)
    wire.answer("GET", "/v1/access-log", 200, {"items": [ENTRY | {"outcome": "refuse", "reason": "NO_CONSENT", "leaf_hash": "bb"}]})
    told = Told(
        status=403, code="no-consent", article="cooperative:6.1", entry=EntryTold(kind="record.read", outcome="refuse", reason="NO_CONSENT")
    )
    teller.begin(3, LINE)
    teller.ask(LINE, Request("GET", "/v1/records/r?purpose=p&fields=f"), told, "r")
    assert (teller.faults, teller.checked, teller.seen) == ([], 1, 7)
    assert wire.requests[1].headers["authorization"] == "Bearer reader"
    for part in ("GET /v1/records/r", "403 · no-consent · cooperative:6.1", "«لا توجد موافقة»", "§ 6.1: سرية تامة", "entry 7"):
        assert part in heard(teller)


def test_an_article_is_quoted_once(teller: Teller, wire: Wire):
    wire.answer("GET", "/v1/records/r", 403, REFUSED)
    for _ in range(2):
        teller.ask(LINE, Request("GET", "/v1/records/r"), Told(status=403))
    assert heard(teller).count("سرية تامة") == 1


def test_what_is_not_as_told_is_collected_and_the_story_goes_on(teller: Teller, wire: Wire):
    wire.answer("GET", "/v1/records/r", 200, READ)
    wire.answer("GET", "/v1/access-log", 200, {"items": []})
    teller.begin(3, LINE)
    teller.ask(LINE, Request("GET", "/v1/records/r"), Told(status=403, code="no-consent", entry=TOLD), "r")
    teller.ask(LINE, Request("GET", "/v1/records/r"), Told(status=200))
    assert teller.checked == 2
    assert len(teller.faults) == 1
    assert "status: 200, told 403" in teller.faults[0]
    assert "none of kind record.read" in teller.faults[0]
    assert "not as told" in heard(teller)


def test_what_signs_a_person_in_is_not_shown(teller: Teller, wire: Wire):
    wire.answer("POST", "/v1/sessions", 201, {"token": "t"})
    teller.ask(
        LINE, Request("POST", "/v1/sessions", {"username": "officer@demo", "password": "hidden", "code": "123456"}), Told(status=201)
    )
    assert b"hidden" in wire.requests[0].body
    assert "officer@demo" in heard(teller)
    assert "hidden" not in heard(teller)
    assert "123456" not in heard(teller)


def test_a_long_body_is_shown_short():
    assert short("x" * 20) == "x" * 20
    assert len(short("x" * 500)) == 150
