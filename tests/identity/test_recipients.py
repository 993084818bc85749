"""Parties outside the house over HTTP: registered by one person, their keys confirmed by another, whatever is changed confirmed anew."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from keys.packages import fingerprint
from tests.identity.test_api import Caller, code_of
from tests.simulator import World
from vault.rulebook.shapes import RecipientFact
from vault.storage.journal import Closing

pytestmark = pytest.mark.asyncio(loop_scope="function")

COURT = "/v1/recipients/court"
CONFIRM = f"{COURT}/key-confirmation"


@pytest_asyncio.fixture
async def ask(vault: World) -> AsyncIterator[Caller]:
    async with vault.front() as http:
        yield Caller(vault, http)


@pytest_asyncio.fixture
async def ask_small(small: World) -> AsyncIterator[Caller]:
    async with small.front() as http:
        yield Caller(small, http)


def public_key() -> str:
    return base64.b64encode(X25519PrivateKey.generate().public_key().public_bytes_raw()).decode()


def party(**changes: Any) -> dict[str, Any]:
    return {
        "name": {"ar": "المحكمة العامة", "en": "General Court"},
        "kind": "authority",
        "country": "SA",
        "key": {"type": "hpke-x25519", "public": public_key()},
        **changes,
    }


async def fact(ask: Caller, code: str = "court") -> RecipientFact:
    return (await ask.book()).recipients[code]


async def confirm(ask: Caller, who: str, body: dict[str, Any], code: str | None = None) -> httpx.Response:
    """Confirm the key of this body by its fingerprint, with a code of one's own."""
    if who not in ask.tokens:
        ask.tokens[who] = await ask.world.session(who)
    said = {"code": code or ask.world.one_time_code(who), "fingerprint": fingerprint("hpke-x25519", body["key"]["public"])}
    said |= {"webhook": body["webhook"]} if "webhook" in body else {}
    return await ask(who, "POST", CONFIRM, said)


def closings(ask: Caller) -> list[Closing]:
    return [line.closing for line in ask.world.association.log.journal.lines()]


async def test_a_recipient_is_registered_listed_and_its_key_confirmed_by_another_person(ask: Caller):
    body = party()
    made = await ask("officer", "PUT", COURT, body)
    seen = fingerprint("hpke-x25519", body["key"]["public"])
    key = {"type": "hpke-x25519", "fingerprint": seen, "state": "unconfirmed"}
    assert (made.status_code, made.json()) == (201, {"code": "court", "state": "registered", "key": key})
    assert code_of(await ask.approve("officer", CONFIRM)) == (403, "same-person")
    assert (await ask("second_officer", "GET", "/v1/recipients")).json()["items"] == [
        {"name": body["name"], "kind": "authority", "country": "SA", **made.json()}
    ]
    confirmed = await ask("second_officer", "POST", CONFIRM, {"code": ask.world.one_time_code("second_officer"), "fingerprint": seen})
    assert (confirmed.status_code, confirmed.json()["key"]["state"]) == (200, "confirmed")
    listed = (await ask("admin", "GET", "/v1/recipients")).json()
    assert [each["code"] for each in listed["items"]] == ["court"]
    assert listed["signed_by"] == ask.world.association.cabinet.signer.vkey
    kinds = [(entry.kind, entry.outcome, entry.recipient) for entry in ask.world.entries() if entry.kind.startswith("recipient.")]
    assert kinds == [
        ("recipient.registered", "allow", "court"),
        ("recipient.key-confirmed", "refuse", None),
        ("recipient.key-confirmed", "allow", "court"),
    ]


async def test_what_is_as_it_was_stays_confirmed_and_leaves_no_version(ask: Caller):
    body = party()
    await ask("officer", "PUT", COURT, body)
    await ask.approve("second_officer", CONFIRM)
    before = await fact(ask)
    again = await ask("admin", "PUT", COURT, body)
    assert (again.status_code, again.json()["key"]["state"]) == (200, "confirmed")
    assert await fact(ask) == before


@pytest.mark.parametrize(
    "change",
    [
        {"name": {"ar": "جهة أخرى", "en": "Another"}},
        {"kind": "partner"},
        {"country": "AE"},
        {"key": {"type": "hpke-x25519", "public": public_key()}},
        {"key": None},
    ],
    ids=["name", "kind", "country", "key", "no key"],
)
async def test_whatever_is_changed_has_to_be_confirmed_anew(ask_small: Caller, change: dict[str, Any]):
    body = party()
    await ask_small("officer", "PUT", COURT, body)
    await ask_small.approve("second_officer", CONFIRM)
    changed = await ask_small("second_officer", "PUT", COURT, {**body, **change})
    assert changed.status_code == 200
    now = await fact(ask_small)
    assert (now.confirmed_by, now.confirmed_at) == ("", None)
    assert closings(ask_small)[-1] == Closing("recipient-key", "court", fingerprint("hpke-x25519", body["key"]["public"]))
    if change.get("key", body["key"]) is not None:
        assert code_of(await ask_small.approve("second_officer", CONFIRM)) == (403, "same-person")
        assert (await confirm(ask_small, "officer", {**body, **change})).status_code == 200


async def test_nobody_confirms_what_she_changed_herself_whoever_changed_it_after_her(ask_small: Caller):
    body = party()
    await ask_small("officer", "PUT", COURT, body)
    await ask_small("admin", "PUT", COURT, {**body, "name": {"ar": "المحكمة", "en": "Court"}})
    assert code_of(await ask_small.approve("officer", CONFIRM)) == (403, "same-person")
    assert (await confirm(ask_small, "second_officer", body)).status_code == 200


async def test_a_key_swapped_between_comparing_and_confirming_is_not_confirmed(ask: Caller):
    compared, swapped = party(), party()
    await ask("officer", "PUT", COURT, compared)
    await ask("officer", "PUT", COURT, swapped)
    nothing: tuple[Any, ...] = ({}, None)
    for empty in nothing:
        told = await ask("second_officer", "POST", CONFIRM, empty)
        assert code_of(told) == (422, "fingerprint-required")
        assert told.json()["errors"] == [{"field": "fingerprint", "code": "missing"}]
    assert code_of(await ask.approve("second_officer", CONFIRM)) == (422, "fingerprint-required")
    assert code_of(await confirm(ask, "second_officer", compared)) == (409, "recipient-key-changed")
    assert (await fact(ask)).confirmed_by == ""
    # Put back as it was, it was changed all the same.
    await ask("officer", "PUT", COURT, compared)
    assert code_of(await ask.approve("second_officer", CONFIRM)) == (422, "fingerprint-required")
    assert (await confirm(ask, "second_officer", compared)).json()["key"]["state"] == "confirmed"


async def test_a_webhook_swapped_between_looking_and_confirming_is_not_confirmed(ask: Caller):
    compared = party(webhook="https://partner.example/recalls")
    await ask("officer", "PUT", COURT, compared)
    await ask("officer", "PUT", COURT, {**compared, "webhook": "https://elsewhere.example/recalls"})
    unsaid = await confirm(ask, "second_officer", {"key": compared["key"]})
    assert code_of(unsaid) == (422, "fingerprint-required")
    assert unsaid.json()["errors"] == [{"field": "webhook", "code": "missing"}]
    assert code_of(await confirm(ask, "second_officer", compared)) == (409, "recipient-webhook-changed")
    assert (await fact(ask)).confirmed_by == ""
    await ask("officer", "PUT", COURT, compared)
    assert (await confirm(ask, "second_officer", compared)).json()["key"]["state"] == "confirmed"


async def test_a_key_that_is_the_only_one_ever_laid_down_is_confirmed_without_its_fingerprint(ask_small: Caller):
    await ask_small("officer", "PUT", COURT, party())
    assert (await ask_small.approve("second_officer", CONFIRM)).json()["key"]["state"] == "confirmed"


async def test_what_stands_in_the_way_of_a_confirmation_is_told(ask_small: Caller):
    assert code_of(await ask_small.approve("second_officer", CONFIRM)) == (404, "not-found")
    await ask_small("officer", "PUT", COURT, party(key=None))
    assert code_of(await ask_small.approve("second_officer", CONFIRM)) == (409, "recipient-without-key")
    body = party()
    await ask_small("officer", "PUT", COURT, body)
    told = await ask_small("second_officer", "POST", CONFIRM, {"fingerprint": "0" * 32})
    assert code_of(told) == (409, "recipient-key-changed")
    seen = fingerprint("hpke-x25519", body["key"]["public"])
    assert code_of(await ask_small("second_officer", "POST", CONFIRM, {"fingerprint": seen})) == (403, "step-up-required")
    code = ask_small.world.one_time_code("second_officer")
    assert (await confirm(ask_small, "second_officer", body, code)).status_code == 200
    assert code_of(await ask_small("second_officer", "POST", CONFIRM, {"code": code})) == (409, "conflict")


async def test_who_is_revoked_stays_revoked_and_the_journal_says_so(ask: Caller):
    await ask("officer", "PUT", COURT, party())
    ended = await ask("admin", "POST", f"{COURT}/revocation")
    assert (ended.status_code, ended.json()["state"]) == (200, "revoked")
    assert closings(ask)[-1] == Closing("recipient", "court")
    count = len(ask.world.entries())
    assert (await ask("admin", "POST", f"{COURT}/revocation")).status_code == 200
    assert len(ask.world.entries()) == count
    assert code_of(await ask("officer", "PUT", COURT, party())) == (409, "recipient-revoked")
    assert code_of(await ask.approve("second_officer", CONFIRM)) == (409, "recipient-revoked")
    assert "court" not in (await ask.book()).rules["beneficiary"].recipients


async def test_a_party_nobody_registered_cannot_be_revoked(ask_small: Caller):
    assert code_of(await ask_small("admin", "POST", f"{COURT}/revocation")) == (404, "not-found")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": {"ar": " ", "en": "x"}}, "name.ar"),
        ({"name": {"ar": "x", "en": "a\u202eb"}}, "name.en"),
        ({"name": {"ar": "x"}}, "name.en"),
        ({"name": {"ar": "x", "en": "y" * 201}}, "name.en"),
        ({"kind": "friend"}, "kind"),
        ({"country": "sa"}, "country"),
        ({"country": "SA\n"}, "country"),
        ({"key": {"type": "rsa", "public": "x"}}, "key.type"),
        ({"key": {"type": "hpke-x25519", "public": "x"}}, "key.public"),
        ({"key": {"type": "hpke-x25519", "public": base64.b64encode(bytes(32)).decode()}}, "key.public"),
        ({"key": {"type": "hpke-x25519", "public": base64.b64encode(bytes(31)).decode()}}, "key.public"),
        ({"key": {"type": "age", "public": "age1b"}}, "key.public"),
    ],
)
async def test_what_does_not_hold_is_named_by_its_member(ask_small: Caller, change: dict[str, Any], field: str):
    answer = await ask_small("officer", "PUT", COURT, party(**change))
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]


AGE_KEY = "age16d66dwpnafnh3n9qu0valpvwftdff9efrsak0rauv0k35fg2cu4s3cdw25"


async def test_an_age_key_is_kept(ask_small: Caller):
    body = party(key={"type": "age", "public": AGE_KEY})
    assert (await ask_small("officer", "PUT", COURT, body)).status_code == 201
    assert (await fact(ask_small)).key_type == "age"


@pytest.mark.parametrize("code", ["INTERNAL", "x", "Court", "1st", "a" * 64, "a|b"])
async def test_a_text_that_can_be_no_code_is_not_found(ask_small: Caller, code: str):
    assert code_of(await ask_small("officer", "PUT", f"/v1/recipients/{code}", party())) == (404, "not-found")


async def test_only_who_may_registers_and_confirms(ask_small: Caller):
    assert code_of(await ask_small("key", "PUT", COURT, party())) == (403, "out-of-scope")
    await ask_small("officer", "PUT", COURT, party())
    assert code_of(await ask_small("admin", "POST", CONFIRM, {})) == (403, "out-of-scope")
