"""A partner's own system gets what a disclosure to that partner would release, and nothing beside: whatever its key was given.

The partner, its widest key and agreement are written as facts before the door opens: nobody could give such a key over HTTP.
"""

import asyncio
import os
import random
from dataclasses import dataclass
from typing import Any

import pytest

from keys.tokens import new_api_key
from tests.journeys.served import FIRST, Answer, Served, moment
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.app import House
from vault.identity.scopes import PARTY_SCOPES, SCOPES
from vault.policy.facts import INTERNAL, NEVER
from vault.rulebook import facts
from vault.rulebook.shapes import AGREEMENT, CLIENT, RECIPIENT, AgreementFact, ClientFact, RecipientFact
from vault.settings import Settings

PARTNER, STRANGER = "partner-one", "partner-two"
RNG = random.Random("partners")
ASKED = ("full_name", "mobile")
COVERED = {"service_delivery": "electronic", "sms_offers": "electronic", "internal_research": "written", "publication": "written"}


@dataclass(frozen=True, slots=True)
class Stage:
    """A person who agreed to much inside the house; the partner's key with every scope and purpose; what she is called."""

    vault: Served
    key: str
    record: str
    fields: dict[str, Any]

    @property
    def purposes(self) -> dict[str, str]:
        """Every purpose there is, with what is done for it."""
        return {each["code"]: each["action"] for each in self.vault.call("GET", "/v1/purposes", token=self.vault.key()).json["items"]}

    def read(self, purpose: str, key: str, *, more: str = "", fields: tuple[str, ...] = ASKED) -> Answer:
        """One read of this person's record."""
        return self.vault.call("GET", f"/v1/records/{self.record}?purpose={purpose}&fields={','.join(fields)}{more}", token=key)

    def values(self, answer: Answer) -> list[str]:
        """The values of hers that stand in an answer."""
        return [name for name in ASKED if str(self.fields[name]).encode() in answer.body]


def widest(vault: Served) -> str:
    """Write two partners and a key of the first that holds every scope and every purpose, as nobody could give it over HTTP."""
    settings = Settings(data_dir=str(vault.data), root_key_file=str(vault.root), database_url=vault.address)
    house = House.open(settings)
    key = new_api_key(FIRST)

    def write(deed: Deed) -> None:
        book = association.books.at(deed)
        written = [
            facts.write(deed, RECIPIENT, code, RecipientFact(code=code, name={"ar": "شريك", "en": "Partner"}, kind="partner", country="SA"))
            for code in (PARTNER, STRANGER)
        ]
        client = ClientFact(
            id=os.urandom(16).hex(),
            name="partner's system",
            party=PARTNER,
            kind="batch",
            scopes=tuple(sorted(SCOPES)),
            purposes=tuple(sorted(book.purposes)),
            secret_hash=deed.cabinet.pepper.hash("key", key.secret).hex(),
        )
        written.append(facts.write(deed, CLIENT, key.id, client))
        classes = tuple(sorted({field.field_class for shape in book.types.values() for field in shape.fields}))
        agreement = AgreementFact(
            id="ab" * 16,
            recipient=PARTNER,
            purposes=tuple(sorted(book.purposes)),
            types=tuple(sorted(book.types)),
            classes=classes,
            valid_from=0,
            valid_to=NEVER,
            reference="widest",
            reason="every purpose there is",
            registered_by="staff:01",
            registered_at=0,
            approved_by="staff:02",
        )
        written.append(facts.write(deed, AGREEMENT, agreement.id, agreement))
        deed.append(Entry(kind="recipient.registered", outcome="allow", actor="system", facts=tuple(written)), changes_law=True)

    try:
        association = house.associations[FIRST]
        asyncio.run(association.run(write))
    finally:
        house.close()
    return key.text


@pytest.fixture(scope="module")
def stage(founded: Served) -> Stage:
    key = widest(founded)
    founded.start()
    fields = founded.fields(RNG, mobile=f"+96655{RNG.randrange(10**6, 10**7)}")
    record = founded.store(fields)["id"]
    for purpose, form in COVERED.items():
        consent = founded.grant(record, founded.consent(form, purpose, list(ASKED)))
        if form == "written":
            verified(founded, consent)
    return Stage(founded, key, record, fields)


def verified(vault: Served, consent: str) -> None:
    body = {"result": "verified", "sighted": "original"}
    answer = vault.call("POST", f"/v1/consents/{consent}/verification", body, token=vault.session("second_officer"))
    assert answer.status == 201, answer.text


def question(stage: Stage, purpose: str, recipient: str, action: str = "disclose") -> dict[str, Any]:
    return {"record": stage.record, "action": action, "purpose": purpose, "recipient": recipient, "fields": list(ASKED)}


def test_a_partner_reads_nothing_for_any_purpose_while_the_house_reads_what_was_agreed(stage: Stage):
    purposes = stage.purposes
    assert len(purposes) >= 15
    inside = {each for each, action in purposes.items() if stage.read(each, stage.vault.key(), more=f"&action={action}").status == 200}
    assert inside == COVERED.keys()
    for purpose in purposes:
        for more in ("", "&action=use", "&action=contact", "&action=publish", "&action=disclose"):
            answer = stage.read(purpose, stage.key, more=more)
            assert answer.status == 403, (purpose, more, answer.text)
            assert stage.values(answer) == []
        many = stage.vault.call(
            "POST", "/v1/records/read", {"ids": [stage.record], "purpose": purpose, "fields": list(ASKED)}, token=stage.key
        )
        assert [each["status"] for each in many.json["results"]] == [403]
        assert stage.values(many) == []


def test_a_partner_cannot_ask_as_somebody_else(stage: Stage):
    for purpose in stage.purposes:
        for recipient in (INTERNAL, STRANGER, PARTNER):
            for action in ("use", "contact", "publish", "disclose"):
                told = stage.vault.call("POST", "/v1/decisions", question(stage, purpose, recipient, action), token=stage.key)
                assert told.status == 200, told.text
                assert told.json["decision"] == "deny", (purpose, recipient, action)
                if recipient != PARTNER or action != "disclose":
                    assert told.json["reason"] in ("OUT_OF_SCOPE", "NOT_PERMITTED"), (purpose, recipient, action)


def test_over_http_a_partners_client_is_given_no_scope_of_the_house(stage: Stage):
    wanted = {"name": "wide", "party": PARTNER, "kind": "batch", "purposes": ["partner_sharing"], "expires_at": moment(600)}
    for scope in SCOPES:
        answer = stage.vault.call("POST", "/v1/clients", {**wanted, "scopes": [scope]}, token=stage.vault.session("admin"))
        assert answer.status == (201 if scope in PARTY_SCOPES else 422), scope


def test_with_written_consent_that_names_it_a_partner_gets_what_a_disclosure_would_release(stage: Stage):
    body = stage.vault.consent("written", "partner_sharing", ["full_name"], recipient=PARTNER)
    consent = stage.vault.grant(stage.record, body)
    released: dict[tuple[str, str, tuple[str, ...]], bool] = {}

    def matrix() -> dict[tuple[str, str, tuple[str, ...]], bool]:
        for purpose in stage.purposes:
            for recipient in (PARTNER, STRANGER):
                for fields in (("full_name",), ASKED):
                    asked = {**question(stage, purpose, recipient), "fields": list(fields)}
                    told = stage.vault.call("POST", "/v1/decisions", asked, token=stage.vault.session("officer")).json
                    released[purpose, recipient, fields] = told["decision"] == "permit"
        return released

    assert not any(matrix().values()), "not verified yet"
    verified(stage.vault, consent)
    assert [place for place, permitted in matrix().items() if permitted] == [("partner_sharing", PARTNER, ("full_name",))]
    for purpose in stage.purposes:
        for fields in (("full_name",), ASKED):
            answer = stage.read(purpose, stage.key, fields=fields)
            assert answer.status == (200 if released[purpose, PARTNER, fields] else 403), (purpose, fields, answer.text)
            assert stage.values(answer) == (["full_name"] if answer.status == 200 else [])
    assert stage.vault.call("POST", f"/v1/consents/{consent}/withdrawal", {"given_by": "self"}, token=stage.vault.key()).status == 201
    assert not any(matrix().values())
    assert {stage.read(purpose, stage.key, fields=("full_name",)).status for purpose in stage.purposes} == {403}
