"""Receipts: whole by the field list, signed, the same for the same state, and checked by whoever holds one without the vault."""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyshacl
import pytest
import rfc8785
from click.testing import CliRunner
from rdflib import RDF, Graph, URIRef

from keys.notes import Signer
from keys.secret import Secret
from tests.household import FATIMA, errand, grant, store, verify, withdraw, written
from tests.household import asked as asked_for
from tests.simulator import World
from vault.access import withdrawals
from vault.consent import importing, renewing
from vault.consent.receipt import CONTEXT
from vault.consent.receipt_note import ReceiptRefused, read
from vault.consent.receipt_words import lines
from vault.consent.receipts_api import receipt_routes
from vault.consent.service import Refusal
from vault.policy.facts import INTERNAL, SELF
from vault.receipt_cli import receipt
from vault.records.service import GuardianOf
from vault.rulebook.channels import Channels, Name
from vault.web.call import write_id

# rdflib's own reader of JSON-LD uses what rdflib calls deprecated.
pytestmark = [
    pytest.mark.asyncio(loop_scope="function"),
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning"),
]

DPV = "https://w3id.org/dpv#"
SHAPES = Path(__file__).with_name("receipt_shapes.ttl")
NAMES = {"probe": Channels(name=Name("جمعية للتجربة", "A probe association"))}
Json = dict[str, Any]


@cache
def shapes() -> Graph:
    return Graph().parse(SHAPES, format="turtle")


def graph_of(document: Json) -> Graph:
    return Graph().parse(data=json.dumps(document), format="json-ld")


def conforms(document: Json) -> bool:
    """Whether the document holds what the field list asks for; a shape that found no target is no success."""
    graph = graph_of(document)
    if not list(graph.subjects(RDF.type, URIRef(f"{DPV}ConsentReceipt"))):
        return False
    found, _, _ = pyshacl.validate(graph, shacl_graph=shapes(), advanced=False, inference="none")
    return bool(found)


async def fetch(world: World, consent: bytes, tail: str = "", token: str | None = None, **query: str) -> Any:
    async with world.front(*receipt_routes({world.code: NAMES["probe"]})) as http:
        headers = {"Authorization": f"Bearer {token or world.ceremony.api_key}"}
        return await http.get(f"/v1/consents/{write_id(consent)}/receipt{tail}", headers=headers, params=query or None)


async def one_receipt(world: World) -> tuple[bytes, str]:
    """A consent to service delivery, and its receipt."""
    kept = await store(world)
    world.clock.forward(60)
    consent = (await grant(world, kept.record)).id
    answer = await fetch(world, consent)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return consent, answer.text


def vkey(world: World) -> str:
    return world.association.cabinet.signer.vkey


async def test_a_receipt_is_signed_whole_by_the_field_list_and_names_nobody(vault: World):
    consent, note = await one_receipt(vault)
    found = read(note, vkey(vault))
    assert conforms(found)
    assert note.partition("\n\n")[0] == rfc8785.dumps(found).decode()
    record = found["dpv:hasRecordOfActivity"][0]
    assert record["dct:identifier"] == write_id(consent)
    assert found["amanah:state"] == "given"
    assert all(value not in note for value in FATIMA.values())
    told = vault.entries()[-1]
    assert (told.kind, told.outcome, told.basis, told.consents) == ("consent.receipt", "allow", "law", (consent.hex(),))


async def test_one_state_has_one_receipt_and_another_state_another(small: World):
    consent, note = await one_receipt(small)
    small.clock.forward(3600)
    assert (await fetch(small, consent)).text == note
    await withdraw(small, consent)
    after = read((await fetch(small, consent)).text, vkey(small))
    assert after["amanah:state"] == "withdrawn"
    assert after["dct:identifier"] != read(note, vkey(small))["dct:identifier"]
    events = after["dpv:hasRecordOfActivity"][0]["dpv:hasConsentStatus"]
    assert [one["@type"][0] for one in events] == ["dpv:ConsentGiven", "dpv:ConsentWithdrawn"]
    assert [one["amanah:sequence"] for one in events] == [1, 2]
    assert conforms(after)


async def test_a_written_consent_waits_on_its_receipt_until_a_second_person_has_seen_it(small: World):
    kept = await store(small)
    small.clock.forward(60)
    paper = await asked_for(small, "publication", form="written", evidence=written("second_officer@probe", small.clock.now), explicit=True)
    consent = (await grant(small, kept.record, paper)).id
    waiting = read((await fetch(small, consent)).text, vkey(small))
    assert (waiting["amanah:state"], "amanah:verified" in waiting["dpv:hasRecordOfActivity"][0]) == ("awaiting-verification", False)
    small.clock.forward(60)
    await verify(small, consent, await small.person("officer"))
    seen = read((await fetch(small, consent)).text, vkey(small))
    assert (seen["amanah:state"], "amanah:verified" in seen["dpv:hasRecordOfActivity"][0]) == ("given", True)
    process = seen["dpv:hasRecordOfActivity"][0]["dpv:hasProcess"][0]
    assert process["dpv:hasLegalBasis"] == "dpv:ExplicitlyExpressedConsent"
    assert conforms(seen)


async def test_a_consent_that_ran_out_and_one_the_association_ended_are_told_as_what_they_are(small: World):
    kept = await store(small)
    small.clock.forward(60)
    short = (await grant(small, kept.record, await asked_for(small, expires_at=small.clock.now + 60_000_000))).id
    small.clock.forward(61)
    over = read((await fetch(small, short)).text, vkey(small))
    assert over["amanah:state"] == "expired"
    assert over["dpv:hasRecordOfActivity"][0]["dpv:hasConsentStatus"][-1]["@type"][0] == "dpv:ConsentExpired"
    assert conforms(over)
    paper = await asked_for(small, "publication", form="written", evidence=written("second_officer@probe", small.clock.now))
    consent = (await grant(small, kept.record, paper)).id
    await verify(small, consent, await small.person("officer"))
    await verify(small, consent, await small.person("officer"), "rejected")
    ended = read((await fetch(small, consent)).text, vkey(small))
    assert ended["amanah:state"] == "ended", "a system hears no reason"
    heard = read((await fetch(small, consent, token=await small.session("officer"))).text, vkey(small))
    assert heard["amanah:state"] == "invalidated"
    assert conforms(ended)
    assert conforms(heard)


def happened_in(document: Json) -> list[str]:
    """The states of a receipt's events, oldest first, by their numbers."""
    events = _record(document)["dpv:hasConsentStatus"]
    assert [one["amanah:sequence"] for one in events] == list(range(1, len(events) + 1))
    return [one["@type"][0].removeprefix("dpv:") for one in events]


async def later_ones(world: World) -> dict[str, tuple[Json, list[str]]]:
    """Receipts of what came after, or otherwise than by, a first consent of her own, with what each must tell of happenings."""
    kept, job = await store(world), await errand(world)
    world.clock.forward(60)
    given = (await grant(world, kept.record)).id
    world.clock.forward(60)
    again = replace(await asked_for(world), purpose="", recipient="", fields=frozenset(), expires_at=world.clock.now + 10**9)
    renewed = await world.association.run(lambda deed: renewing.renew(deed, job, given, again, None))
    brought = await asked_for(world, "email_offers", fields=frozenset({"email"}))
    taken = await world.association.run(lambda deed: importing.take_in(deed, job, kept.record, brought))
    assert taken.id is not None
    child = await store(world, {**FATIMA, "birth_date": "2020-01-01"}, kind="beneficiary", guardian=GuardianOf(kept.subject, "wali"))
    world.clock.forward(60)
    for_child = (await grant(world, child.record, await asked_for(world, given_by=kept.subject.hex()))).id
    offered = (await grant(world, kept.record, await asked_for(world, "sms_offers", fields=frozenset({"mobile"})))).id
    world.clock.forward(60)
    no = Refusal("sms_offers", INTERNAL, SELF, world.clock.now, "")
    await world.association.run(lambda deed: withdrawals.refuse(deed, job, kept.record, no))
    await withdraw(world, for_child, kept.subject.hex())
    told = {
        "renewed": (renewed.id, ["RenewedConsentGiven"]),
        "imported": (taken.id, ["ConsentUnknown"]),
        "given and taken back by a guardian": (for_child, ["ConsentGiven", "ConsentWithdrawn"]),
        "refused afterwards": (offered, ["ConsentGiven", "ConsentRefused"]),
    }
    return {what: (read((await fetch(world, id_)).text, vkey(world)), events) for what, (id_, events) in told.items()}


async def test_receipts_of_renewed_imported_guardian_given_and_ended_consents_hold_as_well(small: World):
    for what, (document, events) in (await later_ones(small)).items():
        assert conforms(document), what
        assert happened_in(document) == events, what
        passed = []
        for name, mutate in MUTATIONS.items():
            other = copy.deepcopy(document)
            mutate(other)
            if conforms(other):
                passed.append(name)
        assert passed == [], what
        note, key = signed(rfc8785.dumps(document).decode() + "\n")
        assert read(note, key) == document
        content = note.encode()
        for at in range(0, len(content), 97):
            altered = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
            with pytest.raises(ReceiptRefused):
                read(altered.decode("utf-8", "replace"), key)


async def test_a_receipt_names_who_spoke_for_a_minor_and_the_event_is_by_him(small: World):
    document, _ = (await later_ones(small))["given and taken back by a guardian"]
    record = _record(document)
    assert "dpv:Child" in record["dpv:hasDataSubject"]["@type"]
    spoke = {one["dpv:isIndicatedBy"] for one in record["dpv:hasConsentStatus"]}
    assert len(spoke) == 1
    assert record["dpv:hasDataSubject"]["@id"] not in spoke
    assert spoke <= {one["@id"] for one in record["dpv:hasEntity"]}


def _record(document: Json) -> Json:
    found: Json = document["dpv:hasRecordOfActivity"][0]
    return found


def _process(document: Json) -> Json:
    found: Json = _record(document)["dpv:hasProcess"][0]
    return found


MUTATIONS: dict[str, Callable[[Json], object]] = {
    "no conformance": lambda one: one.pop("dct:conformsTo"),
    "conformance of another kind": lambda one: one.update({"dct:conformsTo": "https://w3id.org/dpv/schema/dpv-27560#record"}),
    "no identifier": lambda one: one.pop("dct:identifier"),
    "two identifiers that differ": lambda one: one.update({"dpv:hasIdentifier": "another"}),
    "no time": lambda one: one.pop("dct:created"),
    "a time that is none": lambda one: one.update({"dct:created": "yesterday"}),
    "no publisher": lambda one: one.pop("dct:publisher"),
    "no audience": lambda one: one.pop("dct:audience"),
    "no state": lambda one: one.pop("amanah:state"),
    "another root": lambda one: one.update({"@type": "dpv:Notice"}),
    "no record": lambda one: one.pop("dpv:hasRecordOfActivity"),
    "a record of another kind": lambda one: _record(one).update({"@type": "dpv:Notice"}),
    "no person": lambda one: _record(one).pop("dpv:hasDataSubject"),
    "no notice": lambda one: _record(one).pop("dpv:hasNotice"),
    "a notice without its hash": lambda one: _record(one)["dpv:hasNotice"][0].pop("amanah:sha256"),
    "a notice without a version": lambda one: _record(one)["dpv:hasNotice"][0].pop("dct:hasVersion"),
    "a notice in no language": lambda one: _record(one)["dpv:hasNotice"][0].pop("dct:language"),
    "no processing": lambda one: _record(one).pop("dpv:hasProcess"),
    "no purpose": lambda one: _process(one).pop("dpv:hasPurpose"),
    "a purpose in one language": lambda one: _process(one)["dpv:hasPurpose"]["skos:prefLabel"].pop(),
    "no data": lambda one: _process(one).pop("dpv:hasPersonalData"),
    "data of no kind": lambda one: _process(one)["dpv:hasPersonalData"][0].pop("@type"),
    "no recipient": lambda one: _process(one).pop("dpv:hasRecipient"),
    "no place": lambda one: _process(one)["dpv:hasStorageCondition"].pop(0),
    "no period": lambda one: _process(one)["dpv:hasStorageCondition"].pop(1),
    "another country": lambda one: _process(one).update({"dpv:hasJurisdiction": "loc:US"}),
    "no way to withdraw": lambda one: _process(one).pop("dpv:hasConsentControl"),
    "no rights": lambda one: _process(one).pop("dpv:hasRight"),
    "no basis": lambda one: _process(one).pop("dpv:hasLegalBasis"),
    "no party": lambda one: _record(one).pop("dpv:hasEntity"),
    "a controller without a name": lambda one: _record(one)["dpv:hasEntity"][0].pop("dpv:hasName"),
    "no event": lambda one: _record(one).pop("dpv:hasConsentStatus"),
    "an event of no state": lambda one: _record(one)["dpv:hasConsentStatus"][0].update({"@type": ["dpv:ExpressedConsent"]}),
    "an event without a time": lambda one: _record(one)["dpv:hasConsentStatus"][0].pop("dpv:isIndicatedAtTime"),
    "an event by nobody": lambda one: _record(one)["dpv:hasConsentStatus"][0].pop("dpv:isIndicatedBy"),
    "an event without an end": lambda one: _record(one)["dpv:hasConsentStatus"][0].pop("dpv:hasDuration"),
    "an event without a number": lambda one: _record(one)["dpv:hasConsentStatus"][0].pop("amanah:sequence"),
}


async def test_whatever_the_field_list_asks_for_is_missed_where_it_is_gone(small: World):
    _, note = await one_receipt(small)
    found = read(note, vkey(small))
    assert conforms(found)
    passed = []
    for name, mutate in MUTATIONS.items():
        other = copy.deepcopy(found)
        mutate(other)
        if conforms(other):
            passed.append(name)
    assert passed == []
    assert len(MUTATIONS) >= 20


async def test_one_byte_altered_anywhere_is_refused(small: World):
    _, note = await one_receipt(small)
    content = note.encode()
    for at in range(0, len(content), 7):
        altered = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        with pytest.raises(ReceiptRefused):
            read(altered.decode("utf-8", "replace"), vkey(small))


SEED = Secret(bytes(range(32)))


def signed(text: str) -> tuple[str, str]:
    signer = Signer("amanah/probe", SEED)
    return signer.sign(text), signer.vkey


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda one: one | {"@context": "https://w3id.org/dpv"}, "receipt-context"),
        (lambda one: one | {"@context": [CONTEXT, "https://example.org/context"]}, "receipt-context"),
        (lambda one: one | {"@context": CONTEXT | {"dpv": "https://example.org/other#"}}, "receipt-context"),
        (lambda one: one | {"dpv:hasRecordOfActivity": [{"@context": {}}]}, "receipt-context"),
        (lambda one: one | {"@type": "dpv:ConsentRecord"}, "receipt-not-one"),
        (lambda one: one | {"dct:conformsTo": "https://example.org/"}, "receipt-not-one"),
        (lambda one: one | {"dpv:hasRecordOfActivity": []}, "receipt-not-one"),
        (lambda _one: [1, 2], "receipt-malformed"),
    ],
)
async def test_a_signed_document_that_is_no_receipt_of_ours_is_refused_by_name(small: World, change: Callable[[Json], Any], code: str):
    _, note = await one_receipt(small)
    document = change(read(note, vkey(small)))
    other, key = signed(rfc8785.dumps(document).decode() + "\n")
    with pytest.raises(ReceiptRefused) as refused:
        read(other, key)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a": 1}',
        '{"b":1,"a":2}',
        '{"a":NaN}',
        "[" * 5000 + "]" * 5000,
        "{",
        '{"a":1}{}',
        '{"a":1}\n',
        '{"a":9007199254740993}',
    ],
)
async def test_a_text_that_is_not_the_one_form_of_its_document_is_refused(text: str):
    note, key = signed(text + "\n")
    with pytest.raises(ReceiptRefused) as refused:
        read(note, key)
    assert refused.value.code == "receipt-malformed"


async def test_what_is_too_long_or_signed_by_another_key_is_refused(small: World):
    _, note = await one_receipt(small)
    _, other = signed("x\n")
    with pytest.raises(ReceiptRefused) as refused:
        read(note, other)
    assert refused.value.code == "receipt-signature"
    with pytest.raises(ReceiptRefused) as refused:
        read("x" * 300_000, other)
    assert refused.value.code == "receipt-malformed"


async def test_the_command_says_in_words_what_the_receipt_tells(small: World, tmp_path: Path):
    consent, note = await one_receipt(small)
    file = tmp_path / "receipt"
    file.write_text(note, encoding="utf-8")
    english = CliRunner().invoke(receipt, ["verify", str(file), "--vkey", vkey(small)])
    assert english.exit_code == 0, english.output
    assert english.output.splitlines()[0] == "The receipt holds: this key signed it."
    assert "Stands: in force" in english.output
    assert "For whom: inside the association only" in english.output
    arabic = CliRunner().invoke(receipt, ["verify", str(file), "--vkey", vkey(small), "--lang", "ar"])
    assert "الحال: قائمة" in arabic.output
    assert "الجمعية: جمعية للتجربة" in arabic.output
    file.write_text(note.replace("given", "taken"), encoding="utf-8")
    altered = CliRunner().invoke(receipt, ["verify", str(file), "--vkey", vkey(small)])
    assert (altered.exit_code, altered.output.split(":")[1].strip()) == (1, "receipt-signature")
    file.write_bytes(b"\xff\xfe")
    assert "receipt-malformed" in CliRunner().invoke(receipt, ["verify", str(file), "--vkey", vkey(small)]).output
    assert "FileNotFoundError" in CliRunner().invoke(receipt, ["verify", str(tmp_path / "none"), "--vkey", vkey(small)]).output
    bare, key = signed(rfc8785.dumps(read(note, vkey(small)) | {"dpv:hasRecordOfActivity": [{}]}).decode() + "\n")
    file.write_text(bare, encoding="utf-8")
    assert "receipt-not-one" in CliRunner().invoke(receipt, ["verify", str(file), "--vkey", key]).output
    assert consent


@pytest.mark.parametrize("language", ["ar", "en"])
async def test_the_page_to_print_names_the_number_and_the_hash_of_the_note(small: World, language: str):
    consent, note = await one_receipt(small)
    page = await fetch(small, consent, "/page", lang=language)
    assert page.status_code == 200, page.text
    assert f'lang="{language}"' in page.text
    text = note.partition("\n\n")[0] + "\n"
    assert sha256(text.encode()).hexdigest() in page.text
    for label, words in lines(read(note, vkey(small)), language):
        assert label in page.text
        assert words.replace("'", "&#39;") in page.text
    assert "<svg" in page.text
    assert "style=" not in page.text


async def test_the_page_bears_the_link_of_withdrawal_for_who_may_withdraw_where_the_site_is_known(small: World):
    consent, _ = await one_receipt(small)
    page = await fetch(small, consent, "/page")
    assert "/withdrawal/" not in page.text, "no site, no address"
    names = {small.code: Channels(site="https://vault.example.org")}
    for scopes, shown in ((("consents:read", "consents:write"), True), (("consents:read",), False)):
        caller = replace(await small.system(), scopes=frozenset(scopes))
        call = small.call(path={"consent": write_id(consent)})
        call.caller, call.query = caller, {"lang": "ar"}
        route = next(one for one in receipt_routes(names) if one.name == "consents.receipt_page")
        text = (await route.handler(call)).body
        found = re.findall(r"https://vault.example.org(/probe/withdrawal/[A-Za-z0-9_-]{52})<", text)
        assert bool(found) is shown
        assert text.count("<svg") == 1 + shown


async def test_a_receipt_of_what_is_not_here_or_not_hers_is_not_found(small: World):
    assert (await fetch(small, bytes(16))).status_code == 404
    assert (await fetch(small, bytes(16), "/page")).status_code == 404
