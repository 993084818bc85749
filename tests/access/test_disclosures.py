"""Disclosures: decided field by field, approved by another person, decided again when the package is made, and sealed to one key."""

import asyncio
import json
import threading
import time
import uuid
from typing import Any

import pytest
from msgspec.structs import replace

from keys.packages import PackageKey, PackageRefused, read_package, require_standing
from keys.secret import Secret
from tests.access.counter import FIELDS, HOUR, Counter, by_law_of_orders, told
from tests.access.desk import put, rows_of, written
from tests.household import FATIMA, lay_down, store, withdraw
from tests.roof.test_reclosing import orphan
from vault.access import disclosures_api
from vault.access.packing import packed
from vault.access_log.checkpoint import opened
from vault.access_log.entry import Entry
from vault.access_log.verify import snapshot, verify
from vault.errors import Unavailable
from vault.identity.second_factor import GUESSES
from vault.reclosing import reclose
from vault.records.tables import container
from vault.rulebook import refusals
from vault.rulebook.shapes import STAFF
from vault.storage.idempotency import table as idempotency
from vault.storage.journal import Closing
from vault.subjects import people
from vault.subjects import tables as subject_tables
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")

DAY = 24 * HOUR
OTHER = FATIMA | {"national_id": "1000000016", "full_name": "مها بنت صالح الحربي"}


def entries(counter: Counter, kind: str) -> list[Entry]:
    return [entry for entry in counter.world.entries() if entry.kind == kind]


async def test_what_was_agreed_to_in_writing_reaches_the_partner_and_nobody_else(counter: Counter):
    kept = await store(counter.world)
    await counter.recipient()
    counter.world.clock.forward(1)
    consent = await counter.shared(kept.record)
    made = await counter.ask("officer", "POST", "/disclosures", counter.disclosure(kept.record))
    assert made.status_code == 201
    part = {"record": written(kept.record), "fields": list(FIELDS)}
    assert made.json() == {"id": made.json()["id"], "state": "requested", "granted": [part], "refused": []}
    path = f"/disclosures/{made.json()['id']}"
    assert told(await counter.package(made.json()["id"])) == (409, "not-approved")
    assert told(await counter.approve("officer", f"{path}/approval")) == (403, "same-person")
    done = await counter.approve("second_officer", f"{path}/approval")
    assert (done.status_code, done.json()) == (200, {"id": made.json()["id"], "state": "approved"})
    answer = await counter.package(made.json()["id"])
    content = json.loads(counter.opened(answer))
    assert content["records"] == [
        {"id": written(kept.record), "type": "beneficiary", "revision": 1, "fields": {name: content_of(name) for name in FIELDS}}
    ]
    assert content["labels"]["beneficiary"].keys() == set(FIELDS)
    assert (content["recipient"], content["serial"], content["purpose"]) == ("partner", 1, "partner_sharing")
    [released] = entries(counter, "disclose")
    assert (released.outcome, released.basis, released.recipient, released.purpose) == (
        "allow",
        "written_consent",
        "partner",
        "partner_sharing",
    )
    assert (released.about[0].record, released.fields, released.consents) == (kept.record, tuple(sorted(FIELDS)), (consent.hex(),))
    assert (released.article, released.law) == ("cooperative:6.2", "sa-pdpl:15")
    report = (await counter.ask("officer", "GET", f"/records/{written(kept.record)}/access-report")).json()["items"]
    assert ("disclose", "partner", "written_consent") in [(item["kind"], item.get("recipient"), item.get("basis")) for item in report]
    with pytest.raises(PackageRefused, match="package-foreign"):
        PackageKey(Secret.random()).opened(read_package(answer.content))


def content_of(name: str) -> Any:
    return "+966551234567" if name == "mobile" else FATIMA[name]


async def test_the_manifest_is_signed_and_names_the_entries_of_the_log(counter: Counter):
    kept, order = await counter.under_an_order()
    id_ = await counter.approved(kept.record, **by_law_of_orders(order))
    answer = await counter.package(id_, "second_officer")
    package, signer = read_package(answer.content), counter.world.association.cabinet.signer
    require_standing(package, counter.world.clock.now // 1_000_000, signer.vkey)
    manifest = package.manifest
    assert (manifest.association, manifest.disclosure, manifest.serial) == ("amanah/probe/1", id_, 1)
    assert (manifest.recipient, manifest.key, manifest.order) == ("court", counter.key.fingerprint, order)
    assert (manifest.basis, manifest.article, manifest.fields) == ("judicial_order", "cooperative:4", tuple(sorted(FIELDS)))
    assert manifest.expires - manifest.issued == 30 * DAY
    [(number, leaf)] = manifest.entries
    shown = (await counter.ask("officer", "GET", "/access-log?kind=disclose")).json()["items"]
    assert [(item["index"], item["leaf_hash"]) for item in shown] == [(number, leaf)]
    assert opened(package.checkpoint, signer.vkey, "probe").size > number
    content = json.loads(counter.opened(answer))
    assert content["order"] == {"authority": "المحكمة العامة بالرياض", "number": "45/112", "issued_on": "2025-12-30"}
    assert b"45/112" not in answer.content
    with snapshot(counter.world.database, counter.world.association.id) as connection:
        assert not verify(connection, counter.world.association.id, "probe", signer.vkey, package.checkpoint, deep=True)


async def test_each_refused_field_has_its_own_code_and_article_and_an_entry(counter: Counter):
    kept, other = await store(counter.world), await store(counter.world, OTHER)
    await counter.recipient("court", kind="authority")
    await counter.recipient("partner")
    order = await counter.ordered(kept.record)
    fields = [*FIELDS, "email"]
    body = counter.disclosure(kept.record, other.record, **by_law_of_orders(order, fields=fields))
    made = (await counter.ask("second_officer", "POST", "/disclosures", body)).json()
    assert made["granted"] == [{"record": written(kept.record), "fields": list(FIELDS)}]
    assert [(each["record"], each["field"], each["code"], each["article"]) for each in made["refused"]] == [
        (written(kept.record), "email", "order-scope", "cooperative:4"),
        *((written(other.record), name, "no-order", "cooperative:4") for name in [*FIELDS, "email"]),
    ]
    decided = [(entry.outcome, entry.reason, entry.fields) for entry in entries(counter, "disclosure.decided")]
    assert decided == [
        ("allow", None, tuple(sorted(FIELDS))),
        ("refuse", "ORDER_SCOPE", ("email",)),
        ("refuse", "NO_ORDER", tuple(sorted([*FIELDS, "email"]))),
    ]
    [requested] = entries(counter, "disclosure.requested")
    assert (requested.count, requested.order, requested.recipient) == (1, uuid.UUID(order).hex, "court")
    shown = (await counter.ask("officer", "GET", f"/disclosures/{made['id']}")).json()
    assert shown == {
        **made,
        "basis": "order",
        "recipient": "court",
        "purpose": "legal_order",
        "packages": 0,
        "order": order,
    }


async def test_a_click_another_partner_and_no_third_basis_give_nothing(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient("partner")
    await small_counter.recipient("other")
    small_counter.world.clock.forward(1)
    await small_counter.shared(kept.record)
    for change, code in (
        ({"recipient": "other"}, "recipient-not-covered"),
        ({"recipient": "nobody"}, "unknown-recipient"),
        ({"purpose": "no_such_purpose"}, "unknown-purpose"),
        ({"purpose": "service_delivery"}, "action-mismatch"),
        ({"purpose": "internal_research"}, "purpose-internal-only"),
        ({"fields": ["email"]}, "fields-not-covered"),
    ):
        made = (await small_counter.ask("officer", "POST", "/disclosures", small_counter.disclosure(kept.record, **change))).json()
        assert made["granted"] == [], change
        assert {each["code"] for each in made["refused"]} == {code}
        approval = f"/disclosures/{made['id']}/approval"
        assert told(await small_counter.approve("second_officer", approval)) == (409, "nothing-granted")
    for entry in small_counter.world.entries():
        assert "no_such_purpose" not in (entry.purpose or "")
        assert entry.recipient != "nobody"


async def test_a_purpose_of_another_basis_is_no_way_in(small_counter: Counter):
    kept, order = await small_counter.under_an_order()
    for change in ({"purpose": "legal_order", "recipient": "court"}, {"purpose": "subject_request"}):
        answer = await small_counter.ask("officer", "POST", "/disclosures", small_counter.disclosure(kept.record, **change))
        assert answer.json()["errors"] == [{"field": "basis", "code": "out-of-range"}]
    changed = by_law_of_orders(order, purpose="partner_sharing")
    answer = await small_counter.ask("officer", "POST", "/disclosures", small_counter.disclosure(kept.record, **changed))
    assert answer.json()["errors"] == [{"field": "basis", "code": "out-of-range"}]


async def test_an_order_nobody_registered_or_for_another_gives_nothing(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient("court", kind="authority")
    await small_counter.recipient("partner")
    order = await small_counter.ordered(kept.record)
    for change, code in (
        (by_law_of_orders(str(uuid.uuid4())), "no-order"),
        (by_law_of_orders(order, recipient="partner"), "order-recipient"),
    ):
        made = await small_counter.ask("officer", "POST", "/disclosures", small_counter.disclosure(kept.record, **change))
        assert {each["code"] for each in made.json()["refused"]} == {code}


async def test_nothing_goes_abroad(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient(country="AE")
    small_counter.world.clock.forward(1)
    await small_counter.shared(kept.record)
    made = (await small_counter.ask("officer", "POST", "/disclosures", small_counter.disclosure(kept.record))).json()
    assert {each["code"] for each in made["refused"]} == {"recipient-abroad"}
    assert entries(small_counter, "disclosure.decided")[0].law == "sa-pdpl:29"


async def test_a_withdrawal_after_the_approval_bites(counter: Counter):
    kept, other = await store(counter.world), await store(counter.world, OTHER)
    await counter.recipient()
    counter.world.clock.forward(1)
    consent, _ = await counter.shared(kept.record), await counter.shared(other.record)
    id_ = await counter.approved(kept.record, other.record)
    counter.world.clock.forward(1)
    await withdraw(counter.world, consent)
    answer = await counter.package(id_)
    assert told(answer) == (409, "decision-stale")
    first, second = entries(counter, "disclose")
    assert (first.outcome, first.reason, first.about[0].record) == ("refuse", "CONSENT_WITHDRAWN", kept.record)
    assert (second.outcome, second.reason, second.about, second.count) == ("refuse", "DECISION_STALE", (), 1)
    shown = (await counter.ask("officer", "GET", "/access-log?kind=disclose")).json()["items"]
    assert shown[0]["leaf_hash"] == answer.json()["entry"]["leaf_hash"]
    assert entries(counter, "disclosure.released") == []


async def test_an_order_that_ended_after_the_approval_releases_nothing(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient("court", kind="authority")
    order = await small_counter.ordered(kept.record, valid_to=write_time(small_counter.world.clock.now + HOUR * 1_000_000))
    id_ = await small_counter.approved(kept.record, **by_law_of_orders(order))
    small_counter.world.clock.forward(HOUR)
    assert told(await small_counter.package(id_)) == (409, "decision-stale")
    assert [entry.reason for entry in entries(small_counter, "disclose")] == ["ORDER_EXPIRED", "DECISION_STALE"]
    second = await small_counter.ordered(kept.record)
    id_ = await small_counter.approved(kept.record, **by_law_of_orders(second))
    small_counter.world.clock.forward(1)
    await small_counter.ask("officer", "POST", f"/orders/{second}/revocation")
    assert told(await small_counter.package(id_)) == (409, "decision-stale")


async def test_a_record_that_was_taken_away_releases_nothing(small_counter: Counter):
    kept = await small_counter.agreed()
    id_ = await small_counter.approved(kept.record)
    put(small_counter.world, subject_tables.record, [])
    assert told(await small_counter.package(id_)) == (503, "integrity")
    assert entries(small_counter, "disclose") == []


async def test_a_person_who_was_erased_since_releases_nothing(small_counter: Counter):
    kept = await small_counter.agreed()
    id_ = await small_counter.approved(kept.record)
    told_, closes = Entry(kind="erasure.approved", outcome="allow", actor="system"), Closing("erasure", kept.subject.hex())
    await small_counter.world.association.run(lambda deed: people.erase(deed, kept.subject, [kept.record], told_, closes=closes))
    assert told(await small_counter.package(id_)) == (409, "decision-stale")
    assert [entry.reason for entry in entries(small_counter, "disclose")] == ["DECISION_STALE"]


async def test_every_package_is_decided_and_told_anew(counter: Counter):
    kept = await counter.agreed()
    id_ = await counter.approved(kept.record)
    one, two = await counter.package(id_), await counter.package(id_, "second_officer")
    assert [json.loads(counter.opened(each))["serial"] for each in (one, two)] == [1, 2]
    assert len(entries(counter, "disclose")) == len(entries(counter, "disclosure.released")) == 2
    assert (await counter.ask("officer", "GET", f"/disclosures/{id_}")).json()["packages"] == 2


async def test_who_neither_asked_nor_approved_gets_no_package(small_counter: Counter):
    kept = await small_counter.agreed()
    id_ = await small_counter.approved(kept.record)
    admin = (await small_counter.world.person("admin")).id
    member = (await small_counter.world.association.refresh()).staff[admin]
    await lay_down(small_counter.world, STAFF, admin, replaced(member, scopes=(*member.scopes, "disclosures")))
    assert told(await small_counter.package(id_, "admin")) == (403, "out-of-scope")
    refused = entries(small_counter, "disclose")[-1]
    assert (refused.outcome, refused.reason) == ("refuse", "OUT_OF_SCOPE")


def replaced(fact: Any, **changes: Any) -> Any:
    from msgspec.structs import replace  # noqa: PLC0415 - dataclasses.replace of the same name is used elsewhere here

    return replace(fact, **changes)


async def test_who_made_the_others_account_does_not_approve_for_her(small_counter: Counter):
    kept = await small_counter.agreed()
    id_ = await small_counter.requested(kept.record)
    one, two = [await small_counter.world.person(who) for who in ("officer", "second_officer")]
    member = (await small_counter.world.association.refresh()).staff[two.id]
    await lay_down(small_counter.world, STAFF, two.id, replaced(member, made_by=one.ref))
    small_counter.tokens.clear()
    assert told(await small_counter.approve("second_officer", f"/disclosures/{id_}/approval")) == (403, "same-person")


async def test_a_used_code_approves_nothing(small_counter: Counter):
    kept = await small_counter.agreed()
    one, two = await small_counter.requested(kept.record), await small_counter.requested(kept.record)
    code = {"code": small_counter.world.one_time_code("second_officer")}
    assert (await small_counter.ask("second_officer", "POST", f"/disclosures/{one}/approval", code)).status_code == 200
    assert told(await small_counter.ask("second_officer", "POST", f"/disclosures/{two}/approval", code)) == (403, "step-up-required")
    assert told(await small_counter.ask("second_officer", "POST", f"/disclosures/{one}/approval", code)) == (409, "conflict")
    assert GUESSES > 2


@pytest.mark.parametrize("who", ["officer", "second_officer"])
@pytest.mark.parametrize("how", ["ended", "past"])
async def test_nothing_leaves_once_who_asked_or_approved_has_left(small_counter: Counter, who: str, how: str):
    counter, world = small_counter, small_counter.world
    await counter.recipient()
    kept = await store(world)
    world.clock.forward(1)
    await counter.shared(kept.record)
    id_ = await counter.approved(kept.record)
    left = (await world.person(who)).id
    member = (await world.association.refresh()).staff[left]
    gone = {"active": False} if how == "ended" else {"valid_to": world.clock.now}
    await lay_down(world, STAFF, left, replace(member, **gone))
    stays = "second_officer" if who == "officer" else "officer"
    assert told(await counter.package(id_, stays)) == (403, "approver-ended")
    refused = world.entries()[-1]
    assert (refused.kind, refused.outcome, refused.reason, refused.article) == ("disclose", "refuse", "APPROVER_ENDED", "cooperative:7")
    assert entries(counter, "disclosure.released") == []
    await lay_down(world, STAFF, left, member)
    assert (await counter.package(id_, stays)).status_code == 200


async def test_packages_are_made_two_at_once(small_counter: Counter, monkeypatch: pytest.MonkeyPatch):
    counter = small_counter
    await counter.recipient()
    kept = await store(counter.world)
    counter.world.clock.forward(1)
    await counter.shared(kept.record)
    id_ = await counter.approved(kept.record)
    counter.world.clock.forward(2)
    making: list[int] = []
    together: list[int] = []
    second = threading.Barrier(2, timeout=20)

    def slowly(*args: Any) -> bytes:
        making.append(1)
        second.wait()
        time.sleep(0.3)
        together.append(len(making))
        making.pop()
        return packed(*args)

    monkeypatch.setattr(disclosures_api, "packed", slowly)
    answers = await asyncio.gather(*(counter.ask("officer", "GET", f"/disclosures/{id_}/package") for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert max(together) == disclosures_api.AT_ONCE == 2


async def test_what_stands_against_the_recipient_has_a_code_and_an_entry_of_its_own(small_counter: Counter):
    kept = await store(small_counter.world)
    counter = small_counter
    assert (await counter.ask("officer", "PUT", "/recipients/partner", counter.party())).status_code == 201
    counter.world.clock.forward(1)
    await counter.shared(kept.record)
    id_ = await counter.requested(kept.record)
    approval = f"/disclosures/{id_}/approval"
    assert told(await counter.approve("second_officer", approval)) == (403, "recipient-unconfirmed")
    await counter.ask("officer", "PUT", "/recipients/partner", counter.party())
    await counter.confirm()
    assert (await counter.approve("second_officer", approval)).status_code == 200
    await counter.ask("officer", "PUT", "/recipients/partner", counter.party(name={"ar": "اسم آخر", "en": "Other"}))
    assert told(await counter.package(id_)) == (403, "recipient-unconfirmed")
    mine, counter.key = counter.key, PackageKey(Secret.random())
    await counter.ask("officer", "PUT", "/recipients/partner", counter.party())
    await counter.confirm()
    assert told(await counter.package(id_)) == (403, "recipient-key-changed")
    counter.key = mine
    await counter.ask("officer", "PUT", "/recipients/partner", counter.party())
    await counter.confirm()
    assert (await counter.package(id_)).status_code == 200
    await counter.ask("officer", "POST", "/recipients/partner/revocation")
    assert told(await counter.package(id_)) == (403, "unknown-recipient")
    again = (await counter.ask("officer", "POST", "/disclosures", counter.disclosure(kept.record))).json()
    assert {each["code"] for each in again["refused"]} == {"unknown-recipient"}
    reasons = [entry.reason for entry in counter.world.entries() if entry.reason and entry.reason.startswith("RECIPIENT_")]
    assert reasons == ["RECIPIENT_UNCONFIRMED", "RECIPIENT_UNCONFIRMED", "RECIPIENT_KEY_CHANGED"]


async def test_a_recipient_revoked_before_the_approval_is_none_to_approve_for(small_counter: Counter):
    kept = await small_counter.agreed()
    id_ = await small_counter.requested(kept.record)
    await small_counter.ask("officer", "POST", "/recipients/partner/revocation")
    assert told(await small_counter.approve("second_officer", f"/disclosures/{id_}/approval")) == (403, "unknown-recipient")


async def test_a_disclosure_turned_down_is_not_approved_and_one_taken_back_gives_nothing_more(counter: Counter):
    kept = await store(counter.world)
    await counter.recipient()
    counter.world.clock.forward(1)
    await counter.shared(kept.record)
    made = (await counter.ask("officer", "POST", "/disclosures", counter.disclosure(kept.record))).json()["id"]
    for _ in range(2):
        down = await counter.ask("second_officer", "POST", f"/disclosures/{made}/revocation")
        assert (down.status_code, down.json()) == (200, {"id": made, "state": "revoked"})
    assert told(await counter.approve("second_officer", f"/disclosures/{made}/approval")) == (409, "disclosure-revoked")
    approved = await counter.approved(kept.record)
    assert (await counter.package(approved)).status_code == 200
    await counter.ask("officer", "POST", f"/disclosures/{approved}/revocation")
    assert told(await counter.package(approved)) == (409, "disclosure-revoked")
    shown = await counter.ask("officer", "GET", f"/disclosures/{approved}")
    assert shown.json()["state"] == "revoked"
    assert [entry.kind for entry in counter.world.entries()].count("disclosure.revoked") == 2
    lines = [line.closing for line in counter.world.association.log.journal.lines()]
    assert Closing("disclosure", uuid.UUID(approved).hex) in lines


async def test_a_revocation_that_only_the_journal_knows_is_carried_out(counter: Counter):
    kept = await store(counter.world)
    await counter.recipient()
    counter.world.clock.forward(1)
    await counter.shared(kept.record)
    approved = await counter.approved(kept.record)
    orphan(counter.world, Closing("disclosure", uuid.UUID(approved).hex))
    assert reclose(counter.world.association, counter.world.clock) == 1
    assert told(await counter.package(approved)) == (409, "disclosure-revoked")
    assert reclose(counter.world.association, counter.world.clock) == 0


async def test_an_approval_lasts_a_week(small_counter: Counter):
    kept = await small_counter.agreed()
    id_ = await small_counter.approved(kept.record)
    small_counter.tokens.clear()
    small_counter.world.clock.forward(7 * DAY)
    assert told(await small_counter.package(id_)) == (409, "approval-expired")


async def test_a_repeated_request_is_one_disclosure_answered_whole(small_counter: Counter):
    kept = await store(small_counter.world)
    await small_counter.recipient()
    body, once = small_counter.disclosure(kept.record), {"Idempotency-Key": uuid.uuid4().hex}
    one, two = [await small_counter.ask("officer", "POST", "/disclosures", body, **once) for _ in range(2)]
    assert one.json() == two.json()
    assert len(one.json()["refused"]) == 3
    assert len(entries(small_counter, "disclosure.requested")) == 1
    other = await small_counter.ask("officer", "POST", "/disclosures", {**body, "fields": ["email"]}, **once)
    assert told(other) == (409, "idempotency-mismatch")
    assert rows_of(small_counter.world, idempotency)


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"basis": "law"}, "basis", "out-of-range"),
        ({"recipient": "INTERNAL"}, "recipient", "out-of-range"),
        ({"records": []}, "records", "out-of-range"),
        ({"records": ["x"]}, "records.0", "unknown-record"),
        ({"records": [str(uuid.uuid4())]}, "records.0", "unknown-record"),
        ({"fields": []}, "fields", "out-of-range"),
        ({"fields": ["1000000008"]}, "fields.0", "out-of-range"),
        ({"fields": ["email", "مها بنت صالح"]}, "fields.1", "out-of-range"),
        ({"fields": ["email\n"]}, "fields.0", "out-of-range"),
        ({"fields": ["email", "fatima"]}, "fields.1", "unknown-field"),
        ({"fields": ["email", "email"]}, "fields", "out-of-range"),
        ({"fields": [f"f{number}" for number in range(33)]}, "fields", "out-of-range"),
        ({"purpose": ""}, "purpose", "out-of-range"),
        ({"basis": "order"}, "order", "missing"),
        ({"order": str(uuid.uuid4())}, "order", "out-of-range"),
        ({"basis": "order", "order": "x"}, "order", "out-of-range"),
    ],
)
async def test_what_does_not_hold_is_named_by_its_member(small_counter: Counter, change: dict[str, Any], field: str, code: str):
    kept = await store(small_counter.world)
    answer = await small_counter.ask("officer", "POST", "/disclosures", small_counter.disclosure(kept.record, **change))
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"] == [{"field": field, "code": code}]
    assert "fatima" not in answer.text
    assert not entries(small_counter, "disclosure.decided")


async def test_nobody_but_an_officer_touches_disclosures(small_counter: Counter):
    nobody = uuid.uuid4()
    for who in ("key", "admin"):
        for method, path in (
            ("POST", "/disclosures"),
            ("GET", f"/disclosures/{nobody}"),
            ("POST", f"/disclosures/{nobody}/approval"),
            ("GET", f"/disclosures/{nobody}/package"),
        ):
            answer = await small_counter.ask(who, method, path, {} if method == "POST" else None)
            assert told(answer) == (403, "out-of-scope"), (who, path)
    for method, path in (("GET", f"/disclosures/{nobody}"), ("GET", f"/disclosures/{nobody}/package")):
        assert told(await small_counter.ask("officer", method, path)) == (404, "not-found")


async def test_who_is_refused_too_often_is_heard_later(small_counter: Counter, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(refusals, "BURST", 40)
    kept = await store(small_counter.world)
    await small_counter.recipient()
    await small_counter.recipient("court", kind="authority")
    order = await small_counter.ordered(kept.record)
    id_ = await small_counter.approved(kept.record, **by_law_of_orders(order))
    await small_counter.ask("officer", "POST", f"/orders/{order}/revocation")
    statuses = [(await small_counter.ask("officer", "GET", f"/disclosures/{id_}/package")).status_code for _ in range(42)]
    assert statuses[:40] == [409] * 40
    assert statuses[-1] == 429


async def test_rows_that_do_not_hold_release_nothing_and_ring_the_alarm(counter: Counter):
    kept = await counter.agreed()
    id_ = await counter.approved(kept.record)
    sheets, containers = rows_of(counter.world, subject_tables.sheet), rows_of(counter.world, container)
    put(counter.world, subject_tables.sheet, [{**row, "sealed": bytes(64)} for row in sheets])
    assert told(await counter.package(id_)) == (503, "integrity")
    assert told(await counter.ask("officer", "POST", "/disclosures", counter.disclosure(kept.record))) == (503, "integrity")
    put(counter.world, subject_tables.sheet, sheets)
    put(counter.world, container, [{**row, "container": row["container"][:70] + bytes(len(row["container"]) - 70)} for row in containers])
    assert told(await counter.package(id_)) == (503, "integrity")
    put(counter.world, container, [])
    assert told(await counter.package(id_)) == (503, "integrity")
    assert len(entries(counter, "alarm")) == 4


async def test_without_a_checkpoint_outside_no_package_leaves(small_counter: Counter, monkeypatch: pytest.MonkeyPatch):
    kept = await small_counter.agreed()
    id_ = await small_counter.approved(kept.record)

    async def no_checkpoint(_self: Any) -> str:
        raise Unavailable("checkpoint-missing")

    monkeypatch.setattr(type(small_counter.world.association), "checkpoint", no_checkpoint)
    monkeypatch.setattr(disclosures_api, "packed", None)
    assert told(await small_counter.package(id_)) == (503, "checkpoint-missing")


async def test_who_finds_a_bar_of_the_law_ends_the_disclosure_and_nothing_leaves(counter: Counter):
    kept = await counter.agreed()
    id_ = await counter.requested(kept.record)
    path = f"/disclosures/{id_}"
    assert told(await counter.approve("officer", f"{path}/approval", bars=["ward_interest"])) == (403, "same-person")
    ended = await counter.approve("second_officer", f"{path}/approval", bars=["ward_interest", "privacy_of_others"])
    assert (ended.status_code, ended.json()) == (200, {"id": id_, "state": "barred"})
    assert (await counter.ask("officer", "GET", path)).json()["bars"] == ["ward_interest", "privacy_of_others"]
    assert told(await counter.approve("second_officer", f"{path}/approval")) == (409, "disclosure-revoked")
    assert told(await counter.package(id_)) == (409, "disclosure-revoked")
    own, entry = entries(counter, "disclosure.barred")
    assert (own.outcome, own.reason, entry.outcome) == ("refuse", "SAME_PERSON", "allow")
    assert (entry.law, entry.recipient, entry.count) == ("sa-pdpl:16", "partner", 1)
    assert Closing("disclosure", uuid.UUID(id_).hex) in [line.closing for line in counter.world.association.log.journal.lines()]


async def test_who_considered_every_bar_says_so_and_nobody_weighs_them_against_an_order(counter: Counter):
    kept = await counter.agreed()
    considered, silent = await counter.requested(kept.record), await counter.requested(kept.record)
    assert (await counter.approve("second_officer", f"/disclosures/{considered}/approval", bars=[])).json()["state"] == "approved"
    assert (await counter.approve("second_officer", f"/disclosures/{silent}/approval")).json()["state"] == "approved"
    shown = [(await counter.ask("officer", "GET", f"/disclosures/{id_}")).json() for id_ in (considered, silent)]
    assert [each.get("bars", "nothing said") for each in shown] == [[], "nothing said"]
    assert (await counter.package(considered)).status_code == 200
    await counter.recipient("court", kind="authority")
    ordered = await counter.requested(kept.record, **by_law_of_orders(await counter.ordered(kept.record)))
    for bars in ([], ["security"]):
        refused = await counter.approve("second_officer", f"/disclosures/{ordered}/approval", bars=bars)
        assert (refused.status_code, refused.json()["errors"]) == (422, [{"field": "bars", "code": "out-of-range"}])
    for bars in (["no_such_bar"], ["security", "security"]):
        assert (await counter.approve("second_officer", f"/disclosures/{considered}/approval", bars=bars)).status_code == 422
